"""What a plan of make-up and study meetings is made from, and what it may not break."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from rules.clashes import Occupancy
from rules.coverage import Figure
from rules.refusals import N_, Refusal

MOST_SECONDS = 600


@dataclass(frozen=True)
class UnitNeed:
    """A unit and how many of its people are not yet covered."""

    unit_id: int
    name: str
    missing: int


@dataclass(frozen=True)
class VenueOption:
    """A place that may be used, with its seats."""

    venue_id: int
    name: str
    capacity: int


@dataclass(frozen=True)
class SpeakerOption:
    """A speaker who may be asked."""

    speaker_id: int
    name: str


@dataclass(frozen=True, order=True)
class Slot:
    """A time at which a meeting may be held."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class PlanRequest:
    """Everything a proposal is made from.

    `occupied` are the meetings that stand already; `figure` is the campaign's coverage before
    any proposed meeting. `seconds` bounds the search and `seed` makes it repeatable.
    """

    units: tuple[UnitNeed, ...]
    venues: tuple[VenueOption, ...]
    speakers: tuple[SpeakerOption, ...]
    slots: tuple[Slot, ...]
    occupied: tuple[Occupancy, ...]
    deadline: datetime
    figure: Figure
    seconds: int = 10
    seed: int = 0
    travel_minutes: int = 30


@dataclass(frozen=True)
class UnitSeats:
    """How many people of a unit a proposed meeting seats."""

    unit_id: int
    name: str
    seats: int


@dataclass(frozen=True)
class ProposedMeeting:
    """One meeting of a proposal."""

    slot: Slot
    venue: VenueOption
    speaker: SpeakerOption
    units: tuple[UnitSeats, ...]

    @property
    def seats_used(self) -> int:
        return sum(unit.seats for unit in self.units)

    def occupancy(self, number: int) -> Occupancy:
        """What it would take up, under a name that no stored meeting has."""
        return Occupancy(
            meeting_id=f"proposed-{number}",
            topic=self.venue.name,
            starts_at=self.slot.starts_at,
            ends_at=self.slot.ends_at,
            place_ids=frozenset({self.venue.venue_id}),
            speaker_ids=frozenset({self.speaker.speaker_id}),
            unit_ids=frozenset(unit.unit_id for unit in self.units),
            capacity=self.venue.capacity,
            expected=self.seats_used,
        )


@dataclass(frozen=True)
class Unmet:
    """Something the proposal could not do, and why; `sentence` is filled from `params`."""

    unit_id: int | None
    people: int
    sentence: str
    params: dict[str, object]

    @property
    def text(self) -> str:
        return self.sentence % self.params if self.params else self.sentence


@dataclass(frozen=True)
class Proposal:
    """Meetings, the coverage if everybody invited comes, and what no plan could exceed."""

    meetings: tuple[ProposedMeeting, ...]
    expected: Figure
    bound: int
    unmet: tuple[Unmet, ...]


def check_request(request: PlanRequest) -> None:
    """Refuse a request that cannot be searched."""
    if not 1 <= request.seconds <= MOST_SECONDS:
        raise Refusal(N_("Thời gian tìm phải từ 1 đến %(most)d giây."), most=MOST_SECONDS)
    if any(unit.missing < 0 for unit in request.units):
        raise Refusal(N_("Số người còn thiếu không được âm. Hãy kiểm tra lại số liệu."))


def slots_before(request: PlanRequest) -> list[Slot]:
    """The slots that end by the deadline, earliest first, each once."""
    return sorted({slot for slot in request.slots if slot.ends_at <= request.deadline})


def evening_and_weekend_slots(
    first: date, last: date, zone: tzinfo, excluded: Iterable[date] = ()
) -> list[Slot]:
    """Every evening from 19h30 to 21h30, and on weekends 7h30–11h00 and 14h00–17h00 too."""
    left_out = set(excluded)
    slots: list[Slot] = []
    for place in range((last - first).days + 1):
        day = first + timedelta(days=place)
        if day in left_out:
            continue
        hours = [*_WEEKEND, _EVENING] if day.weekday() >= _FIRST_WEEKEND_DAY else [_EVENING]
        slots.extend(
            Slot(
                datetime.combine(day, starts, tzinfo=zone),
                datetime.combine(day, ends, tzinfo=zone),
            )
            for starts, ends in hours
        )
    return slots


_FIRST_WEEKEND_DAY = 5
_EVENING = (time(19, 30), time(21, 30))
_WEEKEND = [(time(7, 30), time(11, 0)), (time(14, 0), time(17, 0))]
