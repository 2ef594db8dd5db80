"""Calendar feeds: secret addresses for members and units, and the whole calendar behind each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, selectinload

from gateways.calendar import BLOCK_VERSION, EventBlock, Organizer, checked_feed, feed
from gateways.errors import GatewayError
from gateways.feed_store import FeedStore, KeptFeed
from models import (
    FeedToken,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    MeetingUnit,
    Membership,
    Person,
    Unit,
    UnitParent,
)
from rules.calendar import CANCELLED_DAYS, FEED_EVENTS, feed_window
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from services import access, audit
from services.letters import calendar_object, person_guest
from services.meeting_facts import (
    OFF_STATES,
    keep_blocks,
    kept_block,
    organizer_of,
    point_block,
)
from services.office import office
from services.settings import setting_flag, setting_number
from services.tokens import new_token, token_hash
from services.transaction import reading, writing

SHOWN_STATES = ("published", "held", *OFF_STATES)
NAME = "Lịch học tập"
# What can go wrong while a feed is made; the last good answer is given instead.
BROKEN = (SQLAlchemyError, GatewayError, OSError)


@dataclass(frozen=True)
class Feed:
    """A feed's state without its bytes: enough to answer 304, and to build them if asked."""

    token_id: int
    token_hash: str
    person_id: int | None
    unit_id: int | None
    name: str
    is_neutral: bool
    etag: str
    modified_at: datetime
    meeting_ids: tuple[int, ...]


@dataclass(frozen=True)
class Subscription:
    """One feed address as staff see it: never the token itself."""

    id: int
    created_at: datetime
    last_used_on: date | None


def feed_state(token: str, *, kind: str, now: datetime) -> Feed:
    """Look a feed up by its token and say what state it is in, without touching any event.

    Unknown, revoked, and of the other kind look alike: NotFound. The day of use is noted.
    """
    session = reading()
    row = session.scalar(
        select(FeedToken).where(
            FeedToken.token_hash == token_hash(token), FeedToken.revoked_at.is_(None)
        )
    )
    if row is None:
        _store().forget(token_hash(token))
    if row is None or (row.unit_id is not None) != (kind == "unit"):
        raise NotFound(N_("Không có lịch này. Hãy xin lại đường liên kết lịch."))
    if row.last_used_on != local_day(now):
        token_id = row.id
        with writing() as session:
            session.get_one(FeedToken, token_id).last_used_on = local_day(now)
        row = session.get_one(FeedToken, token_id)
    return _state(session, row, now)


def feed_content(state: Feed) -> bytes:
    """Join the kept events of a feed into a whole calendar, checked before it goes out.

    Events whose kept bytes are of an older revision are written anew and kept. The answer is kept
    on disk for the time when the database is away.
    """
    session = reading()
    organizer = organizer_of(session)
    rows = _kept_rows(session, state)
    if stale := [row.id for row in rows if kept_block(row, organizer, row.kept) is None]:
        session.rollback()
        _renew(stale)
        rows = _kept_rows(session, state)
    blocks = _blocks(session, state, rows, organizer)
    content = checked_feed(feed(state.name, blocks), len(blocks))
    kind = "unit" if state.unit_id is not None else "member"
    _store().keep(state.token_hash, KeptFeed(kind, state.etag, state.modified_at, content))
    return content


def last_good(token: str, *, kind: str) -> KeptFeed | None:
    """Give the answer this feed had last, without the database; one taken back has none.

    A feed that answers with an error is switched off by Thunderbird until somebody restarts it.
    """
    kept = _store().kept(token_hash(token))
    return kept if kept is not None and kept.kind == kind else None


def create_member_feed(code: str, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address for a member and return it, once; `rotate` ends the earlier ones."""
    with writing() as session:
        person = _member(session, code, now, by)
        return _create(session, now=now, by=by, rotate=rotate, person_id=person.id)


def create_unit_feed(code: str, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address for a unit and all below it, and return it, once."""
    with writing() as session:
        unit = _unit(session, code, now, by)
        return _create(session, now=now, by=by, rotate=rotate, unit_id=unit.id)


def revoke_feed(feed_id: int, *, now: datetime, by: Actor) -> tuple[str, str]:
    """End one feed address, so that it looks as if it had never been; gives whose it was."""
    with writing() as session:
        row = session.get(FeedToken, feed_id)
        if row is None or row.revoked_at is not None:
            raise NotFound(N_("Không có đường liên kết lịch này."))
        _require_scope(session, row, now, by)
        row.revoked_at = now
        _store().forget(row.token_hash)
        _record(session, row, "revoked", now, by)
        if row.unit_id is not None:
            return "unit", session.get_one(Unit, row.unit_id).code
        return "member", session.get_one(Person, row.person_id).code


def member_feeds(code: str, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a member's name and the feed addresses that are alive."""
    session = reading()
    person = _member(session, code, now, by)
    return person.full_name, _alive(session, FeedToken.person_id == person.id)


def unit_feeds(code: str, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a unit's name and the feed addresses that are alive."""
    session = reading()
    unit = _unit(session, code, now, by)
    return unit.name, _alive(session, FeedToken.unit_id == unit.id)


def invitation_object(
    meeting_id: int, *, now: datetime, by: Actor, member_code: str | None = None
) -> bytes:
    """Give a meeting's calendar object: as its invitation would be sent to a member now, else as
    feeds carry it."""
    session = reading()
    meeting = access.meeting_for(session, by, meeting_id, local_day(now))
    organizer = organizer_of(session)
    if member_code is None:
        keep_blocks(meeting, organizer)
        block = kept_block(meeting, organizer, meeting.calendar_block)
        session.rollback()
        assert block is not None
        return checked_feed(feed(NAME, [block]), 1)
    person = session.scalar(select(Person).where(Person.code == member_code))
    if person is None:
        raise NotFound(N_("Không có đảng viên mã “%(code)s”."), code=member_code)
    guest = person_guest(session, meeting, person)
    cancel = meeting.state in OFF_STATES
    address = person.email or f"{person.id}@{office().domain}"
    return calendar_object(session, meeting, guest, address, cancel=cancel, stamp=now)


def _store() -> FeedStore:
    return FeedStore(office().feeds_folder)


def _state(session: Session, row: FeedToken, now: datetime) -> Feed:
    back = setting_number(session, "feed_days_back")
    ahead = setting_number(session, "feed_days_ahead")
    first, last = feed_window(now, back, ahead)
    chosen, changed_at, name, is_neutral = _subject(session, row, now)
    cancelled_since = now - timedelta(days=CANCELLED_DAYS)
    rows = session.execute(
        select(Meeting.id, Meeting.uid, Meeting.sequence, Meeting.modified_at, Meeting.state)
        .where(
            Meeting.id.in_(chosen),
            Meeting.state.in_(SHOWN_STATES),
            Meeting.starts_at >= first,
            Meeting.starts_at < last,
            or_(Meeting.state.not_in(OFF_STATES), Meeting.starts_at >= cancelled_since),
        )
        .order_by(Meeting.starts_at.desc())
        .limit(FEED_EVENTS)
    ).all()
    organizer = organizer_of(session)
    digest = hashlib.sha256(
        f"{BLOCK_VERSION}|{name}|{is_neutral}|{organizer}|{changed_at}".encode()
    )
    for one in rows:
        digest.update("|".join(map(str, one)).encode())
    modified = [one.modified_at for one in rows]
    moments = [row.created_at, *modified, *([changed_at] if changed_at else [])]
    return Feed(
        token_id=row.id,
        token_hash=row.token_hash,
        person_id=row.person_id,
        unit_id=row.unit_id,
        name=name,
        is_neutral=is_neutral,
        etag=digest.hexdigest()[:32],
        modified_at=max(moments).astimezone(UTC).replace(microsecond=0),
        meeting_ids=tuple(one.id for one in rows),
    )


def _subject(
    session: Session, row: FeedToken, now: datetime
) -> tuple[Select[int], datetime | None, str, bool]:
    """Which meetings a feed carries, when its list last changed, its name, its kind of titles."""
    if row.person_id is None:
        unit = session.get_one(Unit, row.unit_id)
        is_neutral = setting_flag(session, "neutral_titles")
        return _unit_meetings(session, unit.id, now), None, f"{NAME} – {unit.name}", is_neutral
    person = session.get_one(Person, row.person_id)
    changed_at = session.scalar(
        select(func.max(func.coalesce(Invitation.removed_at, Invitation.created_at))).where(
            Invitation.person_id == person.id
        )
    )
    chosen = select(Invitation.meeting_id).where(
        Invitation.person_id == person.id, Invitation.removed_at.is_(None)
    )
    return chosen, changed_at, NAME, person.neutral_titles


def _unit_meetings(session: Session, unit_id: int, now: datetime) -> Select[int]:
    """What a unit or one below it organises, and what invites it, one below it or one above it."""
    on = local_day(now)
    below = access.subtree({unit_id}, on)
    inviting = select(MeetingUnit.meeting_id).where(
        or_(
            MeetingUnit.unit_id.in_(below),
            MeetingUnit.unit_id.in_(_units_above(session, unit_id, on)),
        )
    )
    return select(Meeting.id).where(or_(Meeting.organiser_id.in_(below), Meeting.id.in_(inviting)))


def _units_above(session: Session, unit_id: int, on: date) -> list[int]:
    above: list[int] = []
    level: int | None = unit_id
    while level is not None and level not in above:
        level = session.scalar(
            select(UnitParent.parent_id).where(
                UnitParent.unit_id == level, access.on_day(UnitParent, on)
            )
        )
        if level is not None:
            above.append(level)
    return above


def _kept_rows(session: Session, state: Feed) -> list[Any]:
    """The kept bytes of the feed's events with their revision, a few hundred ids at a time."""
    kept = Meeting.neutral_block if state.is_neutral else Meeting.calendar_block
    found: list[Any] = []
    for start in range(0, len(state.meeting_ids), 500):
        found += session.execute(
            select(
                Meeting.id,
                Meeting.uid,
                Meeting.sequence,
                Meeting.modified_at,
                Meeting.starts_at,
                Meeting.state,
                kept.label("kept"),
            ).where(Meeting.id.in_(state.meeting_ids[start : start + 500]))
        )
    return found


def _renew(ids: Sequence[int]) -> None:
    """Write the events anew that changed since their bytes were kept."""
    with writing() as session:
        organizer = organizer_of(session)
        for start in range(0, len(ids), 500):
            meetings = session.scalars(
                select(Meeting)
                .where(Meeting.id.in_(ids[start : start + 500]))
                .options(
                    joinedload(Meeting.venue),
                    selectinload(Meeting.speakers).joinedload(MeetingSpeaker.speaker),
                    selectinload(Meeting.points),
                )
            )
            for meeting in meetings:
                keep_blocks(meeting, organizer)


def _blocks(
    session: Session, state: Feed, rows: Sequence[Any], organizer: Organizer
) -> list[EventBlock]:
    points = _points(session, state)
    blocks = []
    for row in rows:
        if point := points.get(row.id):
            meeting = session.get_one(Meeting, row.id)
            blocks.append(point_block(meeting, point, organizer, is_neutral=state.is_neutral))
        elif block := kept_block(row, organizer, row.kept):
            blocks.append(block)
    return blocks


def _points(session: Session, state: Feed) -> dict[int, MeetingPoint]:
    """At which point of a meeting the member is expected, where a meeting has several."""
    if state.person_id is None:
        return {}
    rows = session.scalars(
        select(MeetingPoint)
        .join(Invitation, Invitation.point_id == MeetingPoint.id)
        .where(Invitation.person_id == state.person_id, Invitation.removed_at.is_(None))
        .options(joinedload(MeetingPoint.venue))
    )
    return {point.meeting_id: point for point in rows}


def _create(session: Session, *, now: datetime, by: Actor, rotate: bool, **subject: int) -> str:
    token = new_token()
    if rotate:
        for old in session.scalars(
            select(FeedToken).filter_by(**subject).where(FeedToken.revoked_at.is_(None))
        ):
            old.revoked_at = now
            _store().forget(old.token_hash)
            _record(session, old, "revoked", now, by)
    row = FeedToken(token_hash=token_hash(token), created_at=now, **subject)
    session.add(row)
    session.flush()
    _record(session, row, "created", now, by)
    folder = "feeds/units" if row.unit_id is not None else "feeds"
    return f"{office().public_url}/{folder}/{token}.ics"


def _record(session: Session, row: FeedToken, action: str, now: datetime, by: Actor) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="feed",
        entity_id=row.id,
        unit_id=row.unit_id,
        person_id=row.person_id,
    )


def _member(session: Session, code: str, now: datetime, by: Actor) -> Person:
    """The member of this code, if a cell of theirs lies within the actor's scope."""
    access.require_role(by, "staff")
    person = session.scalar(select(Person).where(Person.code == code))
    if person is None or not _may_reach(session, person, now, by):
        raise NotFound(N_("Không có đảng viên mã “%(code)s” trong phạm vi của bạn."), code=code)
    return person


def _may_reach(session: Session, person: Person, now: datetime, by: Actor) -> bool:
    on = local_day(now)
    granted = access.granted_unit_ids(by, "staff")
    if granted is None:
        return True
    found = select(Membership.id).where(
        Membership.person_id == person.id,
        or_(Membership.valid_to.is_(None), Membership.valid_to > on),
        Membership.unit_id.in_(access.subtree(granted, on)),
    )
    return session.scalar(found.limit(1)) is not None


def _unit(session: Session, code: str, now: datetime, by: Actor) -> Unit:
    unit = session.scalar(select(Unit).where(Unit.code == code))
    if unit is None:
        raise NotFound(N_("Không có đơn vị mã “%(code)s” trong phạm vi của bạn."), code=code)
    access.require_unit(session, by, unit.id, local_day(now), "staff")
    return unit


def _require_scope(session: Session, row: FeedToken, now: datetime, by: Actor) -> None:
    if row.unit_id is not None:
        access.require_unit(session, by, row.unit_id, local_day(now), "staff")
    else:
        _member(session, session.get_one(Person, row.person_id).code, now, by)


def _alive(session: Session, subject: ColumnElement[bool]) -> list[Subscription]:
    rows = session.scalars(
        select(FeedToken)
        .where(subject, FeedToken.revoked_at.is_(None))
        .order_by(FeedToken.created_at)
    )
    return [Subscription(row.id, row.created_at, row.last_used_on) for row in rows]
