"""Which meetings each kind of feed carries: the statements that choose them and add them up."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Select,
    Text,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from models import Invitation, Meeting, MeetingPoint, MeetingSpeaker, MeetingUnit, UnitParent
from rules.calendar import CANCELLED_DAYS, FEED_EVENTS, feed_window
from rules.days import local_day
from services import access
from services.meeting_facts import OFF_STATES
from services.prepared import Connected, Prepared

SHOWN_STATES = ("published", "held", *OFF_STATES)


class _Words(FunctionElement[str]):
    """A moment in the database's own words, in UTC whatever zone its sessions are in."""

    type = Text()
    inherit_cache = True


@compiles(_Words)
def _as_kept(element: _Words, compiler: Any, **_: Any) -> str:
    return f"CAST({compiler.process(element.clauses)} AS TEXT)"


@compiles(_Words, "postgresql")
def _as_utc(element: _Words, compiler: Any, **_: Any) -> str:
    return f"CAST(timezone('UTC', {compiler.process(element.clauses)}) AS TEXT)"


class Choice(NamedTuple):
    """Whose meetings are wanted, within which first and last start, as things stand at a moment."""

    kind: str
    subject_id: int
    window: tuple[datetime, datetime]
    asked_at: datetime


class KeptRow(NamedTuple):
    """One event's kept bytes and what they must be of; the moments are the database's own words for
    an instant in UTC, whose first 19 characters sort."""

    id: int
    uid: str
    kind: str
    campaign_id: int | None
    sequence: int
    modified: str
    starts: str
    state: str
    kept: bytes | None


class Sums(NamedTuple):
    """What the revisions of a feed's meetings add up to, and when they and the list last changed."""

    events: int
    ids: Any
    squares: Any
    sequences: Any
    moments: Any
    off: Any
    modified_at: datetime | None
    list_at: datetime | None


def sums(session: Connected, wanted: Choice) -> Sums:
    """Say what tells one state of a feed from every other, and when it last changed; a unit's needs
    a session to find what lies above it."""
    if wanted.kind == "unit":
        assert isinstance(session, Session)
        asked = _summed(unit_meetings(session, wanted.subject_id, wanted.asked_at), null())
        return Sums(*session.connection().execute(asked, _bounds(wanted)).one())
    return Sums(*_KEPT_SUMS[wanted.kind].rows(session, **_bounds(wanted))[0])


def kept_rows(session: Session, wanted: Choice, *, is_neutral: bool) -> list[KeptRow]:
    """Give the kept bytes of the feed's events with their revision, the last ones first."""
    if wanted.kind == "unit":
        chosen = unit_meetings(session, wanted.subject_id, wanted.asked_at)
        asked = _shown(chosen, *_kept_columns(is_neutral))
        return [KeptRow(*row) for row in session.connection().execute(asked, _bounds(wanted)).all()]
    form = wanted.kind, is_neutral
    rows = [KeptRow._make(row) for row in _KEPT_EVENTS[form].rows(session, **_bounds(wanted))]
    if len(rows) > FEED_EVENTS:
        return [KeptRow._make(row) for row in _LAST_EVENTS[form].rows(session, **_bounds(wanted))]
    rows.sort(key=_last_first, reverse=True)
    return rows


def _last_first(row: KeptRow) -> tuple[str, int]:
    return row.starts, -row.id


def _summed(chosen: Select[int], list_at: Any) -> Select[Any]:
    """Of all that is chosen: where that is more than a feed carries, a change of one that it leaves
    out makes a new tag for nothing, and putting all in order at every look is spared."""
    number = cast(Meeting.id, BigInteger)
    is_off = Meeting.state.in_(_written(OFF_STATES))
    return _all_shown(
        chosen,
        func.count(Meeting.id),
        func.sum(number),
        func.sum(number * number),
        func.sum(Meeting.sequence),
        func.sum(extract("epoch", Meeting.modified_at)),
        func.sum(case((is_off, number), else_=0)),
        func.max(Meeting.modified_at),
        list_at,
    )


def _shown(chosen: Select[int], *columns: Any) -> Select[Any]:
    """The meetings a feed carries, the last ones first when there are too many."""
    return (
        _all_shown(chosen, *columns)
        .order_by(Meeting.starts_at.desc(), Meeting.id)
        .limit(FEED_EVENTS)
    )


def _all_shown(chosen: Select[int], *columns: Any) -> Select[Any]:
    return select(*columns).where(
        Meeting.id.in_(chosen),
        Meeting.state.in_(_written(SHOWN_STATES)),
        Meeting.starts_at >= bindparam("first"),
        Meeting.starts_at < bindparam("last"),
        or_(
            Meeting.state.not_in(_written(OFF_STATES)),
            Meeting.starts_at >= bindparam("cancelled_since"),
        ),
    )


def _written(values: Sequence[str]) -> list[Any]:
    """A list that stands in the statement as it is, so that the statement is written down once."""
    return [literal(one) for one in values]


def _kept_columns(is_neutral: bool) -> tuple[Any, ...]:
    """The columns of a `KeptRow`, as the database holds them: hundreds are read for one answer, and
    making moments and choices of them costs more than asking for them."""
    kept = Meeting.neutral_block if is_neutral else Meeting.calendar_block
    return (
        Meeting.id,
        Meeting.uid,
        type_coerce(Meeting.kind, NullType()),
        Meeting.campaign_id,
        Meeting.sequence,
        _Words(Meeting.modified_at),
        _Words(Meeting.starts_at),
        type_coerce(Meeting.state, NullType()),
        type_coerce(kept, NullType()),
    )


def _bounds(wanted: Choice) -> dict[str, Any]:
    first, last = wanted.window
    bounds: dict[str, Any] = {"first": first, "last": last}
    bounds["cancelled_since"] = feed_window(wanted.asked_at, CANCELLED_DAYS, 0)[0]
    return bounds if wanted.kind == "unit" else bounds | {"subject_id": wanted.subject_id}


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


def _events_of(kind: str, is_neutral: bool, _dialect: str) -> Select[Any]:
    """One more than a feed carries, in any order: the database would spend as long on putting them
    in order, bytes and all, as on finding them, and it is needed only to know which to leave out."""
    return _all_shown(_CHOSEN[kind](), *_kept_columns(is_neutral)).limit(FEED_EVENTS + 1)


def _last_events_of(kind: str, is_neutral: bool, _dialect: str) -> Select[Any]:
    return _shown(_CHOSEN[kind](), *_kept_columns(is_neutral))


def _sums_of(kind: str, _dialect: str) -> Select[Any]:
    if kind != "member":
        return _summed(_CHOSEN[kind](), null())
    list_at = select(func.max(func.coalesce(Invitation.removed_at, Invitation.created_at))).where(
        Invitation.person_id == bindparam("subject_id")
    )
    return _summed(_member_meetings(), list_at.scalar_subquery())


_CHOSEN: Mapping[str, Callable[[], Select[int]]] = {
    "member": _member_meetings,
    "speaker": _speaker_meetings,
    "venue": _venue_meetings,
}
_KEPT_SUMS = {kind: Prepared(partial(_sums_of, kind)) for kind in _CHOSEN}
_FORMS = [(kind, is_neutral) for kind in _CHOSEN for is_neutral in (False, True)]
_KEPT_EVENTS = {form: Prepared(partial(_events_of, *form)) for form in _FORMS}
_LAST_EVENTS = {form: Prepared(partial(_last_events_of, *form)) for form in _FORMS}


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
