"""Which meetings each kind of feed carries, in what state the whole stands, and its events' bytes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    bindparam,
    case,
    cast,
    extract,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.orm import Session, joinedload, selectinload

from gateways.calendar import BLOCK_VERSION, EventBlock, Organizer, event_block, feed, with_alarm
from models import (
    FeedToken,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    MeetingUnit,
    Person,
    RollEntry,
    Speaker,
    Unit,
    UnitParent,
    Venue,
)
from rules.calendar import (
    CANCELLED_DAYS,
    FEED_EVENTS,
    FEED_OCTETS,
    done,
    feed_window,
    is_met,
    neutral,
)
from rules.days import local_day
from services import access
from services.meeting_facts import OFF_STATES, facts_of, keep_blocks, kept_block, organizer_of
from services.office import office
from services.settings import settings_of
from services.transaction import writing

KINDS = ("member", "unit", "speaker", "venue")
SHOWN_STATES = ("published", "held", *OFF_STATES)
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
TOKEN = (
    select(
        FeedToken.id,
        FeedToken.token_hash,
        FeedToken.person_id,
        FeedToken.unit_id,
        FeedToken.speaker_id,
        FeedToken.venue_id,
        FeedToken.alarm_minutes,
        FeedToken.neutral_titles.label("own_titles"),
        FeedToken.chosen_at,
        FeedToken.created_at,
        FeedToken.last_used_on,
        Person.neutral_titles,
        func.coalesce(Unit.name, Speaker.name, Venue.name).label("owner"),
    )
    .outerjoin(Person, Person.id == FeedToken.person_id)
    .outerjoin(Unit, Unit.id == FeedToken.unit_id)
    .outerjoin(Speaker, Speaker.id == FeedToken.speaker_id)
    .outerjoin(Venue, Venue.id == FeedToken.venue_id)
    .where(FeedToken.token_hash == bindparam("token_hash"), FeedToken.revoked_at.is_(None))
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
    plain_agents: str
    organizer: Organizer
    window: tuple[datetime, datetime]
    asked_at: datetime
    etag: str
    modified_at: datetime

    @property
    def person_id(self) -> int | None:
        """The member whose feed it is, if it is a member's."""
        return self.subject_id if self.kind == "member" else None


def kind_of(row: Any) -> tuple[str, int]:
    """Tell whose feed a token opens: the kind, and the id of that kind."""
    ids = (row.person_id, row.unit_id, row.speaker_id, row.venue_id)
    return next((kind, one) for kind, one in zip(KINDS, ids, strict=True) if one is not None)


def titles_are_neutral(row: Any, boards_choice: str) -> bool:
    """The subscription's own choice of titles, else the member's, else the board's."""
    for chosen in (row.own_titles, row.neutral_titles):
        if chosen is not None:
            return bool(chosen)
    return boards_choice == "1"


def state_of(session: Session, row: Any, now: datetime) -> Feed:
    """Say in two look-ups what a feed carries.

    Instead of every meeting's revision it takes their sums: revisions and times of modification
    only rise, so that any change, and any other choice of meetings, gives other sums.
    """
    chosen = settings_of(session, _CHOICES)
    kind, subject_id = kind_of(row)
    state = Feed(
        token_id=row.id,
        token_hash=row.token_hash,
        kind=kind,
        subject_id=subject_id,
        name=f"{NAME} – {row.owner}" if row.owner else NAME,
        is_neutral=titles_are_neutral(row, chosen["neutral_titles"]),
        alarm_minutes=row.alarm_minutes,
        marks_done=chosen["feed_marks_done"] == "1",
        plain_agents=chosen["feed_plain_agents"],
        organizer=Organizer(office().mail_from, chosen["mail_name"]),
        window=feed_window(now, int(chosen["feed_days_back"]), int(chosen["feed_days_ahead"])),
        asked_at=now,
        etag="",
        modified_at=row.created_at,
    )
    asked = _sums(session, state)
    sums = session.execute(asked, _bounds(state)).one()
    told = (
        BLOCK_VERSION,
        FEED_OCTETS,
        feed(state.name, ()),
        state.is_neutral,
        state.alarm_minutes,
        state.marks_done,
    )
    moments = [row.created_at, row.chosen_at, sums.modified_at, sums.list_at]
    return replace(
        state,
        etag=hashlib.sha256(repr((*told, state.organizer, *sums)).encode()).hexdigest()[:32],
        modified_at=max(one for one in moments if one).astimezone(UTC).replace(microsecond=0),
    )


def blocks_of(session: Session, state: Feed) -> list[EventBlock]:
    """Give the events of a feed, the latest kept when they are too many or too large.

    Events whose kept bytes are of an older revision are written anew and kept.
    """
    rows = _kept_rows(session, state)
    kept = {row.id: kept_block(row, state.organizer, row.kept) for row in rows}
    if stale := [number for number, block in kept.items() if block is None]:
        session.rollback()
        _renew(stale)
        rows = _kept_rows(session, state)
        kept = {row.id: kept_block(row, state.organizer, row.kept) for row in rows}
    own = _own_blocks(session, state, rows)
    blocks: list[EventBlock] = []
    octets = 0
    for row in rows:
        block = own[row.id] if row.id in own else kept[row.id]
        if block is None:
            continue
        if state.alarm_minutes is not None and row.id not in own and row.state not in OFF_STATES:
            block = with_alarm(block, state.alarm_minutes)
        octets += len(block.content)
        if octets > FEED_OCTETS:
            break
        blocks.append(block)
    return blocks


def _own_blocks(session: Session, state: Feed, rows: Sequence[Any]) -> dict[int, EventBlock | None]:
    """The events that this member sees otherwise than all: at a point, or done already.

    None stands for one that leaves the feed.
    """
    if state.person_id is None:
        return {}
    points = _points(session, state.person_id)
    met = _met(session, state.person_id, rows)
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


def _met(session: Session, person_id: int, rows: Sequence[Any]) -> set[int]:
    """The meetings that ask nothing more of somebody who has done the campaign's study."""
    done_on = select(RollEntry.campaign_id, RollEntry.covered_on).where(
        RollEntry.person_id == person_id, RollEntry.covered_on.is_not(None)
    )
    covered: dict[int, date | None] = dict(session.execute(done_on).all())
    return {
        row.id
        for row in rows
        if row.kind == "study"
        and row.state not in OFF_STATES
        and is_met(row.starts_at, covered.get(row.campaign_id))
    }


def _points(session: Session, person_id: int) -> dict[int, MeetingPoint]:
    """At which point of a meeting the member is expected, where a meeting has several."""
    rows = session.scalars(
        select(MeetingPoint)
        .join(Invitation, Invitation.point_id == MeetingPoint.id)
        .where(Invitation.person_id == person_id, Invitation.removed_at.is_(None))
        .options(joinedload(MeetingPoint.venue))
    )
    return {point.meeting_id: point for point in rows}


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


def _sums(session: Session, state: Feed) -> Select[Any]:
    """What tells one state of a feed from every other, and when it last changed."""
    if state.kind == "unit":
        return _summed(unit_meetings(session, state.subject_id, state.asked_at), null(), ())
    return _kept_sums(state.kind)


def _kept_rows(session: Session, state: Feed) -> Sequence[Any]:
    """The kept bytes of the feed's events with their revision, the last ones first."""
    if state.kind == "unit":
        chosen = unit_meetings(session, state.subject_id, state.asked_at)
        asked = _shown(chosen, *_kept_columns(state.is_neutral))
    else:
        asked = _kept_events(state.kind, state.is_neutral)
    return session.execute(asked, _bounds(state)).all()


@cache
def _kept_sums(kind: str) -> Select[Any]:
    """The sums, written once a kind: putting them together costs as much as asking them."""
    if kind != "member":
        return _summed(_CHOSEN[kind](), null(), ())
    list_at = select(func.max(func.coalesce(Invitation.removed_at, Invitation.created_at))).where(
        Invitation.person_id == bindparam("subject_id")
    )
    covered = [
        select(one)
        .where(RollEntry.person_id == bindparam("subject_id"), RollEntry.covered_on.is_not(None))
        .scalar_subquery()
        for one in (
            func.sum(RollEntry.campaign_id * RollEntry.campaign_id),
            func.sum(extract("epoch", RollEntry.covered_on)),
        )
    ]
    return _summed(_member_meetings(), list_at.scalar_subquery(), covered)


@cache
def _kept_events(kind: str, is_neutral: bool) -> Select[Any]:
    return _shown(_CHOSEN[kind](), *_kept_columns(is_neutral))


def _summed(chosen: Select[int], list_at: Any, more: Sequence[Any]) -> Select[Any]:
    one = _shown(
        chosen, Meeting.id, Meeting.sequence, Meeting.modified_at, Meeting.state
    ).subquery()
    number = cast(one.c.id, BigInteger)
    return select(
        func.count().label("events"),
        func.sum(number),
        func.sum(number * number),
        func.sum(one.c.sequence),
        func.sum(extract("epoch", one.c.modified_at)),
        func.sum(case((one.c.state.in_(OFF_STATES), number), else_=0)),
        func.max(one.c.modified_at).label("modified_at"),
        list_at.label("list_at"),
        *more,
    ).select_from(one)


def _shown(chosen: Select[int], *columns: Any) -> Select[Any]:
    """The meetings a feed carries, the last ones first when there are too many."""
    return (
        select(*columns)
        .where(
            Meeting.id.in_(chosen),
            Meeting.state.in_(SHOWN_STATES),
            Meeting.starts_at >= bindparam("first"),
            Meeting.starts_at < bindparam("last"),
            or_(
                Meeting.state.not_in(OFF_STATES),
                Meeting.starts_at >= bindparam("cancelled_since"),
            ),
        )
        .order_by(Meeting.starts_at.desc(), Meeting.id)
        .limit(FEED_EVENTS)
    )


def _kept_columns(is_neutral: bool) -> tuple[Any, ...]:
    return (
        Meeting.id,
        Meeting.uid,
        Meeting.kind,
        Meeting.campaign_id,
        Meeting.sequence,
        Meeting.modified_at,
        Meeting.starts_at,
        Meeting.state,
        (Meeting.neutral_block if is_neutral else Meeting.calendar_block).label("kept"),
    )


def _bounds(state: Feed) -> dict[str, Any]:
    first, last = state.window
    bounds: dict[str, Any] = {"first": first, "last": last}
    bounds["cancelled_since"] = state.asked_at - timedelta(days=CANCELLED_DAYS)
    return bounds if state.kind == "unit" else bounds | {"subject_id": state.subject_id}


def _member_meetings() -> Select[int]:
    return select(Invitation.meeting_id).where(
        Invitation.person_id == bindparam("subject_id"), Invitation.removed_at.is_(None)
    )


def _speaker_meetings() -> Select[int]:
    return select(MeetingSpeaker.meeting_id).where(
        MeetingSpeaker.speaker_id == bindparam("subject_id")
    )


def _venue_meetings() -> Select[int]:
    """What takes up a venue, as the place of the meeting or of one of its points."""
    points = select(MeetingPoint.meeting_id).where(MeetingPoint.venue_id == bindparam("subject_id"))
    return select(Meeting.id).where(
        or_(Meeting.venue_id == bindparam("subject_id"), Meeting.id.in_(points))
    )


_CHOSEN: Mapping[str, Callable[[], Select[int]]] = {
    "member": _member_meetings,
    "speaker": _speaker_meetings,
    "venue": _venue_meetings,
}


def unit_meetings(session: Session, unit_id: int, now: datetime) -> Select[int]:
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
