"""Which meetings get in each other's way: gathers what they take up for the rules of clashes."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models import (
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    MeetingUnit,
    Membership,
    Speaker,
    Unit,
    Venue,
)
from rules.clashes import Clash, Occupancy, all_clashes, find_clashes
from rules.days import LOCAL, local_day
from rules.meetings import LONGEST
from rules.parts import in_parts
from rules.permissions import Actor
from services.access import meetings_visible_to
from services.busy import busy_occupancies
from services.settings import setting_number
from services.transaction import reading
from services.units import parents_on

TAKING_UP = ("draft", "published", "held")

MeetingRow = Row[int, str, datetime, datetime, str, int]


@dataclass(frozen=True)
class Wanted:
    """What a meeting that is being planned would take up.

    `meeting_id` is that of the meeting being changed, None for a new one. `unit_ids` are the units
    invited (with all below them), `person_ids` the people invited one by one or by a course.
    """

    topic: str
    starts_at: datetime
    ends_at: datetime
    meeting_id: int | None = None
    venue_ids: frozenset[int] = frozenset()
    speaker_ids: frozenset[int] = frozenset()
    unit_ids: frozenset[int] = frozenset()
    person_ids: frozenset[int] = frozenset()
    capacity: int | None = None


def clashes_of(wanted: Wanted, *, by: Actor) -> list[Clash]:
    """Every clash of one planned meeting with all others, blocks first."""
    return clashes_among(reading(), [wanted], by=by)[0]


def clashes_among(session: Session, wanted: Sequence[Wanted], *, by: Actor) -> list[list[Clash]]:
    """The clashes of each planned meeting with all others and with each other, in the same order.

    Clashes are looked for over all meetings; one that the actor may not see is named by its
    organiser only. The number of queries does not depend on the number of meetings.
    """
    if not wanted:
        return []
    around = _Surroundings(session, wanted, by)
    return [around.clashes(place) for place in range(len(wanted))]


def clashes_between(first: datetime, last: datetime, *, by: Actor) -> list[Clash]:
    """Every clash among the meetings of a span of time that touches one the actor may see."""
    session = reading()
    rows = list(session.execute(_meetings(first, last)))
    known = _Known(session, [row.id for row in rows])
    names = _names(session, known)
    visible = _visible(session, [row.id for row in rows], by, local_day(first))
    titles = _titles(session, rows, visible)
    found = all_clashes(
        [known.occupancy(row, titles[row.id]) for row in rows],
        setting_number(session, "travel_minutes"),
        names,
    )
    return [clash for clash in found if {clash.meeting_id, clash.other_id} & visible]


def occupancies_between(session: Session, first: datetime, last: datetime) -> list[Occupancy]:
    """What every meeting of a span of time takes up, its units with all that are below them."""
    rows = list(session.execute(_meetings(first, last)))
    known = _Known(session, [row.id for row in rows])
    above = _ancestors(parents_on(session, local_day(first)))
    found = [known.occupancy(row, row.topic) for row in rows]
    found += busy_occupancies(session, first, last)
    below: dict[int, set[int]] = defaultdict(set)
    for unit_id, ancestors in above.items():
        for ancestor in ancestors:
            below[ancestor].add(unit_id)
    return [
        replace(one, unit_ids=one.unit_ids.union(*(below[unit] for unit in one.unit_ids)))
        for one in found
    ]


def members_under(session: Session, unit_ids: Iterable[int], on: date) -> dict[int, frozenset[int]]:
    """The members of each unit and of all below it on a day."""
    wanted = sorted(set(unit_ids))
    above = _ancestors(parents_on(session, on))
    below: dict[int, set[int]] = {unit_id: {unit_id} for unit_id in wanted}
    for unit_id, ancestors in above.items():
        for ancestor in ancestors & below.keys():
            below[ancestor].add(unit_id)
    people: dict[int, set[int]] = defaultdict(set)
    for part in in_parts(sorted(set().union(*below.values())) if below else []):
        rows = session.execute(
            select(Membership.unit_id, Membership.person_id).where(
                Membership.unit_id.in_(part),
                Membership.valid_from <= on,
                Membership.valid_to.is_(None) | (Membership.valid_to > on),
            )
        )
        for unit_id, person_id in rows:
            people[unit_id].add(person_id)
    return {
        unit_id: frozenset().union(*(people[each] for each in units if each in people))
        for unit_id, units in below.items()
    }


class _Known:
    """What a set of saved meetings take up: places, speakers, units and invited people."""

    def __init__(self, session: Session, ids: Sequence[int]) -> None:
        self.places = _grouped(
            session,
            ids,
            select(Meeting.id, Venue.id)
            .join(Venue, Venue.id == Meeting.venue_id)
            .where(Venue.is_shared.is_(False)),
            Meeting.id,
        )
        points = _grouped(
            session,
            ids,
            select(MeetingPoint.meeting_id, Venue.id)
            .join(Venue, Venue.id == MeetingPoint.venue_id)
            .where(Venue.is_shared.is_(False)),
            MeetingPoint.meeting_id,
        )
        for meeting_id, venues in points.items():
            self.places[meeting_id] |= venues
        self.speakers = _grouped(
            session,
            ids,
            select(MeetingSpeaker.meeting_id, MeetingSpeaker.speaker_id),
            MeetingSpeaker.meeting_id,
        )
        self.units = _grouped(
            session,
            ids,
            select(MeetingUnit.meeting_id, MeetingUnit.unit_id),
            MeetingUnit.meeting_id,
        )
        self.people = _grouped(
            session,
            ids,
            select(Invitation.meeting_id, Invitation.person_id).where(
                Invitation.removed_at.is_(None)
            ),
            Invitation.meeting_id,
        )

    def occupancy(self, row: MeetingRow, topic: str) -> Occupancy:
        return Occupancy(
            meeting_id=row.id,
            topic=topic,
            starts_at=row.starts_at.astimezone(LOCAL),
            ends_at=row.ends_at.astimezone(LOCAL),
            state=row.state,
            place_ids=frozenset(self.places.get(row.id, ())),
            speaker_ids=frozenset(self.speakers.get(row.id, ())),
            unit_ids=frozenset(self.units.get(row.id, ())),
            person_ids=frozenset(self.people.get(row.id, ())),
        )


class _Surroundings:
    """The planned meetings and every saved one that lies near any of them."""

    def __init__(self, session: Session, wanted: Sequence[Wanted], by: Actor) -> None:
        self.travel = setting_number(session, "travel_minutes")
        self.reach = timedelta(minutes=self.travel)
        on = local_day(wanted[0].starts_at)
        rows = self._rows_near(session, wanted)
        known = _Known(session, [row.id for row in rows])
        titles = _titles(
            session,
            rows,
            _visible(session, [row.id for row in rows], by, local_day(wanted[0].starts_at)),
        )
        self.saved = [known.occupancy(row, titles[row.id]) for row in rows]
        self.saved += self._busy(session, wanted)
        self.above = _ancestors(parents_on(session, on))
        self.planned = self._planned(session, wanted, on)
        self.names = _names(session, known, self.planned)

    def _busy(self, session: Session, wanted: Sequence[Wanted]) -> list[Occupancy]:
        """What these places' and speakers' own calendars say."""
        return busy_occupancies(
            session,
            min(each.starts_at for each in wanted),
            max(each.ends_at for each in wanted),
            venue_ids=frozenset().union(*(each.venue_ids for each in wanted)),
            speaker_ids=frozenset().union(*(each.speaker_ids for each in wanted)),
        )

    def _rows_near(self, session: Session, wanted: Sequence[Wanted]) -> list[MeetingRow]:
        first = min(each.starts_at for each in wanted) - self.reach
        last = max(each.ends_at for each in wanted) + self.reach
        changing = {each.meeting_id for each in wanted}
        spans = sorted((each.starts_at - self.reach, each.ends_at + self.reach) for each in wanted)
        starts = [start for start, _ in spans]
        latest = list(_running_latest(end for _, end in spans))
        near = []
        for row in session.execute(_meetings(first, last)):
            place = bisect_left(starts, row.ends_at)
            if row.id not in changing and place and latest[place - 1] > row.starts_at:
                near.append(row)
        return near

    def _planned(self, session: Session, wanted: Sequence[Wanted], on: date) -> list[Occupancy]:
        venues = frozenset().union(*(each.venue_ids for each in wanted))
        shared = set(session.scalars(select(Venue.id).where(Venue.id.in_(venues), Venue.is_shared)))
        members = members_under(session, set().union(*(each.unit_ids for each in wanted)), on)
        people = {
            units: frozenset().union(*(members.get(unit, frozenset()) for unit in units))
            for units in {each.unit_ids for each in wanted}
        }
        return [
            _as_occupancy(each, place, shared, people[each.unit_ids] | each.person_ids)
            for place, each in enumerate(wanted)
        ]

    def clashes(self, place: int) -> list[Clash]:
        mine = self.planned[place]
        others = [each for each in self.saved if self._is_near(mine, each)]
        others += [each for each in self.planned if each is not mine and self._is_near(mine, each)]
        return find_clashes(
            mine, [self._seen_from(mine, each) for each in others], self.travel, self.names
        )

    def _is_near(self, one: Occupancy, other: Occupancy) -> bool:
        return (
            one.starts_at < other.ends_at + self.reach
            and other.starts_at < one.ends_at + self.reach
        )

    def _seen_from(self, mine: Occupancy, other: Occupancy) -> Occupancy:
        """The other meeting with its units put in terms of mine: a ward holds its cells."""
        shared = {
            unit
            for unit in mine.unit_ids
            for theirs in other.unit_ids
            if unit == theirs
            or theirs in self.above.get(unit, ())
            or unit in self.above.get(theirs, ())
        }
        return replace(other, unit_ids=frozenset(shared))


def _as_occupancy(
    wanted: Wanted, place: int, shared: set[int], people: frozenset[int]
) -> Occupancy:
    return Occupancy(
        meeting_id=wanted.meeting_id if wanted.meeting_id is not None else f"new-{place}",
        topic=wanted.topic,
        starts_at=wanted.starts_at.astimezone(LOCAL),
        ends_at=wanted.ends_at.astimezone(LOCAL),
        place_ids=wanted.venue_ids - shared,
        speaker_ids=wanted.speaker_ids,
        unit_ids=wanted.unit_ids,
        person_ids=people,
        capacity=wanted.capacity,
        expected=len(people),
    )


def _meetings(first: datetime, last: datetime) -> Select[int, str, datetime, datetime, str, int]:
    return (
        select(
            Meeting.id,
            Meeting.topic,
            Meeting.starts_at,
            Meeting.ends_at,
            Meeting.state,
            Meeting.organiser_id,
        )
        .where(
            Meeting.starts_at > first - LONGEST,
            Meeting.starts_at < last,
            Meeting.ends_at > first,
            Meeting.state.in_(TAKING_UP),
        )
        .order_by(Meeting.starts_at, Meeting.id)
    )


def _running_latest(ends: Iterable[datetime]) -> Iterable[datetime]:
    latest: datetime | None = None
    for end in ends:
        latest = end if latest is None or end > latest else latest
        yield latest


def _grouped(
    session: Session,
    ids: Sequence[int],
    query: Select[int, int],
    column: InstrumentedAttribute[int],
) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for part in in_parts(ids):
        for key, value in session.execute(query.where(column.in_(part))):
            found[key].add(value)
    return found


def _ancestors(parents: Mapping[int, int]) -> dict[int, frozenset[int]]:
    found: dict[int, frozenset[int]] = {}
    for unit_id in parents:
        chain: list[int] = []
        at = parents.get(unit_id)
        while at is not None and at not in chain:
            chain.append(at)
            at = parents.get(at)
        found[unit_id] = frozenset(chain)
    return found


def _visible(session: Session, ids: Sequence[int], by: Actor, on: date) -> set[int]:
    found: set[int] = set()
    for part in in_parts(ids):
        query = select(Meeting.id).where(Meeting.id.in_(part), meetings_visible_to(by, on))
        found.update(session.scalars(query))
    return found


def _titles(session: Session, rows: Sequence[MeetingRow], visible: set[int]) -> dict[int, str]:
    hidden = sorted({row.organiser_id for row in rows if row.id not in visible})
    names: dict[int, str] = {}
    for part in in_parts(hidden):
        names.update(
            (row.id, row.name)
            for row in session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(part)))
        )
    return {row.id: row.topic if row.id in visible else names[row.organiser_id] for row in rows}


def _names(
    session: Session, known: _Known, planned: Sequence[Occupancy] = ()
) -> dict[tuple[str, int], str]:
    places = set().union(*known.places.values(), *(each.place_ids for each in planned))
    speakers = set().union(*known.speakers.values(), *(each.speaker_ids for each in planned))
    units = set().union(*known.units.values(), *(each.unit_ids for each in planned))
    names: dict[tuple[str, int], str] = {}
    for kind, ids, table in (
        ("place", places, Venue),
        ("speaker", speakers, Speaker),
        ("unit", units, Unit),
    ):
        for part in in_parts(sorted(ids)):
            rows = session.execute(select(table.id, table.name).where(table.id.in_(part)))
            names.update(((kind, row.id), row.name) for row in rows)
    return names
