"""Venues: where meetings are held, how many fit, and whether several meetings fit at once."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models import Meeting, MeetingPoint, Unit, Venue
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound
from rules.text import clean, fold
from services import audit
from services.access import require_role, within_scope
from services.meeting_facts import reword
from services.people_lists import word_conditions
from services.speakers import require_own
from services.transaction import reading, writing

MOST_SEATS = 100_000


@dataclass(frozen=True)
class VenueFacts:
    """A venue as the form gives it; `is_shared`: a building for several meetings at once."""

    name: str
    address: str = ""
    unit_id: int | None = None
    capacity: int | None = None
    is_shared: bool = False
    is_active: bool = True


@dataclass(frozen=True)
class VenueRow:
    """A venue in the list; `coming` counts meetings still to come."""

    id: int
    name: str
    address: str
    unit_id: int | None
    unit_name: str
    capacity: int | None
    is_shared: bool
    is_active: bool
    coming: int
    is_changeable: bool


def save_venue(venue_id: int | None, facts: VenueFacts, *, now: datetime, by: Actor) -> int:
    """Add a venue, or change one, and give the id; one out of use stays with its old meetings."""
    name, address = clean(facts.name), clean(facts.address)
    if not name or len(name) > 200 or len(address) > 300:
        raise Malformed(N_("Hãy ghi tên (không quá 200 ký tự); địa chỉ không quá 300 ký tự."))
    if facts.capacity is not None and not 1 <= facts.capacity <= MOST_SEATS:
        raise Malformed(N_("Sức chứa phải từ 1 đến %(most)s chỗ."), most=MOST_SEATS)
    with writing() as session:
        today = local_day(now)
        venue = Venue() if venue_id is None else _venue_for(session, by, venue_id, today)
        require_own(session, by, facts.unit_id, today)
        if venue_id is not None and (venue.name, venue.address) != (name, address):
            points = select(MeetingPoint.meeting_id).where(MeetingPoint.venue_id == venue_id)
            held_here = or_(Meeting.venue_id == venue_id, Meeting.id.in_(points))
            reword(session, select(Meeting.id).where(held_here), now)
        venue.name, venue.address, venue.fold = name, address, fold(f"{name} {address}")[:200]
        venue.unit_id, venue.capacity = facts.unit_id, facts.capacity
        venue.is_shared, venue.is_active = facts.is_shared, facts.is_active
        session.add(venue)
        session.flush()
        audit.record(
            session,
            now=now,
            by=by,
            action="created" if venue_id is None else "changed",
            entity="venue",
            entity_id=venue.id,
            unit_id=venue.unit_id,
            name=name,
            capacity=facts.capacity,
            is_active=facts.is_active,
        )
        return venue.id


def _venue_for(session: Session, by: Actor, venue_id: int, today: date) -> Venue:
    venue = session.scalar(
        select(Venue).where(Venue.id == venue_id, within_scope(by, Venue.unit_id, today, "staff"))
    )
    if venue is None:
        raise NotFound(N_("Không tìm thấy địa điểm này trong phạm vi của bạn."))
    return venue


def venue_rows(
    *, query: str = "", everything: bool = False, now: datetime, by: Actor
) -> list[VenueRow]:
    """The venues one may use, by name: one's own units' and those of everybody."""
    require_role(by, "staff", "reader")
    session = reading()
    today = local_day(now)
    coming = (
        select(Meeting.venue_id, func.count().label("meetings"))
        .where(Meeting.ends_at > now, Meeting.state.in_(("draft", "published")))
        .group_by(Meeting.venue_id)
        .subquery()
    )
    own = within_scope(by, Venue.unit_id, today, "staff")
    rows = session.execute(
        select(Venue, Unit.name, func.coalesce(coming.c.meetings, 0), own)
        .outerjoin(Unit, Unit.id == Venue.unit_id)
        .outerjoin(coming, coming.c.venue_id == Venue.id)
        .where(
            or_(Venue.unit_id.is_(None), within_scope(by, Venue.unit_id, today)),
            *word_conditions(query, Venue.fold),
            *([] if everything else [Venue.is_active]),
        )
        .order_by(Venue.fold, Venue.id)
    )
    return [
        VenueRow(
            venue.id,
            venue.name,
            venue.address,
            venue.unit_id,
            unit or "",
            venue.capacity,
            venue.is_shared,
            venue.is_active,
            count,
            bool(is_own),
        )
        for venue, unit, count, is_own in rows
    ]


def venue_row(venue_id: int, *, now: datetime, by: Actor) -> VenueRow:
    """One venue; NotFound outside the actor's scope."""
    found = [row for row in venue_rows(everything=True, now=now, by=by) if row.id == venue_id]
    if not found:
        raise NotFound(N_("Không tìm thấy địa điểm này trong phạm vi của bạn."))
    return found[0]
