"""The call lists: whom to tell by phone or in person, by unit, ticked off when told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from models import CallListEntry, Meeting, MeetingSpeaker, Person, Speaker, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from services import access, audit
from services.transaction import reading, writing

ROLES = ("staff", "instructor")
LISTED = 500


@dataclass(frozen=True)
class Call:
    """One line: whom to call, what about, and the text to say or paste."""

    id: int
    name: str
    phone: str | None
    kind: str
    text: str
    is_done: bool
    meeting_id: int | None
    topic: str


@dataclass(frozen=True)
class UnitCalls:
    """A unit's list: its calls about one meeting, and the text for its Zalo group."""

    unit_name: str
    meeting_id: int | None
    topic: str
    text: str
    calls: list[Call]


def call_lists(
    *, by: Actor, now: datetime, unit_id: int | None = None, done: bool = False
) -> tuple[list[UnitCalls], int]:
    """Give the open (or done) calls within the actor's scope, by unit and meeting, and how many."""
    access.require_role(by, *ROLES)
    session = reading()
    query = _within(select(CallListEntry), by, now)
    if unit_id is not None:
        query = query.where(CallListEntry.unit_id == unit_id)
    query = query.where(
        CallListEntry.done_at.is_not(None) if done else CallListEntry.done_at.is_(None)
    )
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.execute(
        query.outerjoin(Person, Person.id == CallListEntry.person_id)
        .outerjoin(Speaker, Speaker.id == CallListEntry.speaker_id)
        .outerjoin(Meeting, Meeting.id == CallListEntry.meeting_id)
        .outerjoin(Unit, Unit.id == CallListEntry.unit_id)
        .with_only_columns(
            CallListEntry,
            func.coalesce(Person.full_name, Speaker.name, ""),
            func.coalesce(Person.phone, Speaker.phone),
            func.coalesce(Meeting.topic, ""),
            func.coalesce(Unit.name, ""),
        )
        .order_by(Meeting.starts_at, Unit.name, Person.sort_key, CallListEntry.id)
        .limit(LISTED)
    )
    return _grouped(rows.all()), total


def tick_off(call_id: int, *, done: bool, now: datetime, by: Actor) -> None:
    """Note that somebody was told, or take the note back."""
    access.require_role(by, *ROLES)
    with writing() as session:
        entry = session.scalar(
            _within(select(CallListEntry).where(CallListEntry.id == call_id), by, now)
        )
        if entry is None:
            raise NotFound(N_("Không có dòng này trong danh sách gọi điện của bạn."))
        entry.done_at = now if done else None
        entry.done_by_id = by.account_id if done else None
        audit.record(
            session,
            now=now,
            by=by,
            action="called" if done else "uncalled",
            entity="call_list_entry",
            entity_id=entry.id,
            unit_id=entry.unit_id,
        )


def units_with_calls(*, by: Actor, now: datetime) -> list[tuple[int, str]]:
    """The units within scope that have open calls, for the page's filter."""
    query = _within(select(CallListEntry.unit_id).where(CallListEntry.done_at.is_(None)), by, now)
    rows = reading().execute(
        select(Unit.id, Unit.name).where(Unit.id.in_(query)).order_by(Unit.position, Unit.name)
    )
    return [(unit_id, name) for unit_id, name in rows]


def _within(query: Select[Any], by: Actor, now: datetime) -> Select[Any]:
    """Lines of units within the actor's scope, and of meetings the actor speaks at."""
    granted = access.granted_unit_ids(by, *ROLES)
    if granted is None:
        return query
    spoken_at = (
        select(MeetingSpeaker.meeting_id)
        .join(Speaker, Speaker.id == MeetingSpeaker.speaker_id)
        .where(Speaker.account_id == by.account_id)
    )
    return query.where(
        or_(
            CallListEntry.unit_id.in_(access.subtree(granted, local_day(now))),
            CallListEntry.meeting_id.in_(spoken_at),
        )
    )


def _grouped(rows: Sequence[Any]) -> list[UnitCalls]:
    lists: dict[tuple[int | None, int | None], UnitCalls] = {}
    for entry, name, phone, topic, unit_name in rows:
        call = Call(
            id=entry.id,
            name=name,
            phone=phone,
            kind=entry.kind,
            text=entry.text,
            is_done=entry.done_at is not None,
            meeting_id=entry.meeting_id,
            topic=topic,
        )
        group = lists.setdefault(
            (entry.unit_id, entry.meeting_id),
            UnitCalls(unit_name, entry.meeting_id, topic, entry.text, []),
        )
        group.calls.append(call)
    return list(lists.values())
