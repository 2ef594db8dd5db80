"""In what state a feed stands as a whole, and the bytes of its events."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    bindparam,
    inspect,
    select,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from gateways.calendar import (
    EventBlock,
    Organizer,
    event_block,
    feed,
    instant_of,
    restamped,
    sortable,
    with_alarm,
)
from models import (
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    RollEntry,
)
from rules.calendar import (
    FEED_OCTETS,
    done,
    feed_window,
    is_met,
    neutral,
)
from services.feed_choice import Choice, KeptRow, kept_rows, sums
from services.feed_tokens import TokenRow, kind_of, titles_are_neutral
from services.meeting_facts import (
    OFF_STATES,
    facts_of,
    keep_blocks,
    kept_block,
    office_stamp,
    organizer_of,
)
from services.office import office
from services.prepared import Connected, Prepared
from services.settings import settings_of
from services.transaction import DATABASE_FAILURES, writing

NAME = "Lịch học tập"
_CHOICES = (
    "feed_days_back",
    "feed_days_ahead",
    "feed_marks_done",
    "feed_plain_agents",
    "neutral_titles",
    "mail_name",
)
_CHUNK = 500
# Plain tables, not objects: this is asked at every joining of a feed.
_invitation: Any = inspect(Invitation).local_table.c
_roll: Any = inspect(RollEntry).local_table.c
_DONE = Prepared(
    lambda _: select(_roll.campaign_id, _roll.covered_on).where(
        _roll.person_id == bindparam("person_id"), _roll.covered_on.is_not(None)
    )
)
_HAS_POINTS = Prepared(
    lambda _: (
        select(_invitation.id)
        .where(
            _invitation.person_id == bindparam("person_id"),
            _invitation.point_id.is_not(None),
            _invitation.removed_at.is_(None),
        )
        .limit(1)
    )
)
_POINTS = (
    select(MeetingPoint)
    .join(Invitation, Invitation.point_id == MeetingPoint.id)
    .where(Invitation.person_id == bindparam("person_id"), Invitation.removed_at.is_(None))
    .options(joinedload(MeetingPoint.venue))
)


@dataclass(frozen=True)
class Feed:
    """A feed's state without its bytes: enough to answer 304, and to build them if asked.

    `plain_agents` names the calendar programs that must not be sent gzip.
    """

    token_id: int
    token_hash: str
    kind: str
    subject_id: int
    name: str
    is_neutral: bool
    alarm_minutes: int | None
    marks_done: bool
    has_done: bool
    plain_agents: str
    organizer: Organizer
    chosen_at: datetime | None
    window: tuple[datetime, datetime]
    asked_at: datetime
    etag: str
    modified_at: datetime

    @property
    def choice(self) -> Choice:
        """Which meetings it carries."""
        return Choice(self.kind, self.subject_id, self.window, self.asked_at)

    @property
    def person_id(self) -> int | None:
        """The member whose feed it is, if it is a member's."""
        return self.subject_id if self.kind == "member" else None


def state_of(session: Connected, row: TokenRow, now: datetime) -> Feed:
    """Say in two look-ups what a feed carries.

    Instead of every meeting's revision it takes their sums: revisions and times of modification
    only rise, so that any change, and any other choice of meetings, gives other sums.
    """
    state = _feed_of(row, settings_of(session, _CHOICES), now)
    found = sums(session, state.choice)
    told = (
        office_stamp(state.organizer),
        FEED_OCTETS,
        feed(state.name, ()),
        state.is_neutral,
        state.alarm_minutes,
        state.chosen_at,
        state.marks_done,
        row.covered_campaigns,
        row.covered_days,
    )
    moments = [row.created_at, row.chosen_at, found.modified_at, found.list_at]
    return replace(
        state,
        etag=hashlib.sha256(repr((*told, state.organizer, *found)).encode()).hexdigest()[:32],
        modified_at=max(one for one in moments if one).astimezone(UTC).replace(microsecond=0),
    )


def _feed_of(row: TokenRow, chosen: Mapping[str, str], now: datetime) -> Feed:
    """What is asked for, before anything is known of its meetings."""
    kind, subject_id = kind_of(row)
    return Feed(
        token_id=row.id,
        token_hash=row.token_hash,
        kind=kind,
        subject_id=subject_id,
        name=f"{NAME} – {row.owner}" if row.owner else NAME,
        is_neutral=titles_are_neutral(row, chosen["neutral_titles"]),
        alarm_minutes=row.alarm_minutes,
        marks_done=chosen["feed_marks_done"] == "1",
        has_done=row.covered_campaigns is not None,
        plain_agents=chosen["feed_plain_agents"],
        organizer=Organizer(office().mail_from, chosen["mail_name"]),
        chosen_at=row.chosen_at and row.chosen_at.replace(microsecond=0),
        window=feed_window(now, int(chosen["feed_days_back"]), int(chosen["feed_days_ahead"])),
        asked_at=now,
        etag="",
        modified_at=row.created_at,
    )


def blocks_of(session: Session, state: Feed) -> list[EventBlock]:
    """Give the events of a feed, the latest kept when they are too many or too large.

    Events whose kept bytes are of an older revision are written anew and kept.
    """
    rows = kept_rows(session, state.choice, is_neutral=state.is_neutral)
    kept = _known_blocks(state, rows)
    if stale := [row.id for row, block in zip(rows, kept, strict=True) if block is None]:
        session.rollback()
        with suppress(*DATABASE_FAILURES):  # somebody writes for long: this answer needs no writing
            _renew(stale)
        rows = kept_rows(session, state.choice, is_neutral=state.is_neutral)
        kept = _known_blocks(state, rows)
        if unkept := [row.id for row, block in zip(rows, kept, strict=True) if block is None]:
            fresh = _unkept_blocks(session, state, unkept)
            kept = [block or fresh.get(row.id) for row, block in zip(rows, kept, strict=True)]
    if state.person_id is not None or state.alarm_minutes is not None or state.chosen_at:
        kept = _as_chosen(session, state, rows, kept)
    return list(_fitting(kept))


def _known_blocks(state: Feed, rows: Sequence[KeptRow]) -> list[EventBlock | None]:
    """What was kept of each event, None where it is of another revision."""
    office_now = office_stamp(state.organizer)
    return [
        kept_block(office_now, row.uid, row.sequence, row.modified, row.starts, row.state, row.kept)
        for row in rows
    ]


def _as_chosen(
    session: Session,
    state: Feed,
    rows: Sequence[KeptRow],
    kept: Sequence[EventBlock | None],
) -> list[EventBlock | None]:
    """The events as this feed's holder sees and chose them."""
    own = _own_blocks(session, state, rows)
    since = state.chosen_at
    if not own and state.alarm_minutes is None and since is None:
        return list(kept)
    chosen_since = sortable(since) if since else ""
    blocks: list[EventBlock | None] = []
    for row, known in zip(rows, kept, strict=True):
        block = own.get(row.id, known)
        if block is None:
            continue
        if state.alarm_minutes is not None and row.id not in own and row.state not in OFF_STATES:
            block = with_alarm(block, state.alarm_minutes)
        if since is not None and row.modified[:19] < chosen_since:
            block = restamped(block, since)
        blocks.append(block)
    return blocks


def _fitting(blocks: Iterable[EventBlock | None]) -> Iterator[EventBlock]:
    """As many as a feed may be large."""
    octets = 0
    for block in blocks:
        if block is not None:
            octets += len(block.content)
            if octets > FEED_OCTETS:
                return
            yield block


def _unkept_blocks(session: Session, state: Feed, ids: Sequence[int]) -> dict[int, EventBlock]:
    """Events whose bytes could not be kept just now, written for this answer alone."""
    found: dict[int, EventBlock] = {}
    for meeting in _meetings(session, ids):
        facts = facts_of(meeting)
        found[meeting.id] = event_block(
            neutral(facts) if state.is_neutral else facts, state.organizer
        )
    return found


def _own_blocks(
    session: Session, state: Feed, rows: Sequence[KeptRow]
) -> dict[int, EventBlock | None]:
    """The events that this member sees otherwise than all: at a point, or done already.

    None stands for one that leaves the feed.
    """
    if state.person_id is None:
        return {}
    points = _points(session, state.person_id)
    met = _met(session, state.person_id, rows) if state.has_done else set()
    gone: dict[int, EventBlock | None] = {} if state.marks_done else dict.fromkeys(met)
    ids = [row.id for row in rows if row.id not in gone and (row.id in points or row.id in met)]
    for meeting in _meetings(session, ids):
        facts = facts_of(meeting, points.get(meeting.id))
        facts = neutral(facts) if state.is_neutral else facts
        is_met_here = meeting.id in met
        block = event_block(done(facts) if is_met_here else facts, state.organizer)
        if state.alarm_minutes is not None and not is_met_here and not facts.cancelled:
            block = with_alarm(block, state.alarm_minutes)
        gone[meeting.id] = block
    return gone


def _met(session: Session, person_id: int, rows: Sequence[KeptRow]) -> set[int]:
    """The meetings that ask nothing more of somebody who has done the campaign's study."""
    covered: dict[int, date] = dict(_DONE.rows(session, person_id=person_id))
    return {
        row.id
        for row in rows
        if row.kind == "study"
        and row.state not in OFF_STATES
        and is_met(instant_of(row.starts), covered.get(row.campaign_id or 0))
    }


def _points(session: Session, person_id: int) -> dict[int, MeetingPoint]:
    """At which point of a meeting the member is expected, where a meeting has several."""
    if not _HAS_POINTS.rows(session, person_id=person_id):
        return {}
    found = session.scalars(_POINTS, {"person_id": person_id})
    return {point.meeting_id: point for point in found}


def _renew(ids: Sequence[int]) -> None:
    """Write the events anew that changed since their bytes were kept."""
    with writing() as session:
        organizer = organizer_of(session)
        for meeting in _meetings(session, ids):
            keep_blocks(meeting, organizer)


def _meetings(session: Session, ids: Sequence[int]) -> list[Meeting]:
    found: list[Meeting] = []
    for start in range(0, len(ids), _CHUNK):
        found += session.scalars(
            select(Meeting)
            .where(Meeting.id.in_(ids[start : start + _CHUNK]))
            .options(
                joinedload(Meeting.venue),
                selectinload(Meeting.speakers).joinedload(MeetingSpeaker.speaker),
                selectinload(Meeting.points),
            )
        )
    return found
