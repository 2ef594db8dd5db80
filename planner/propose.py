"""A first plan for a campaign: fill the earliest halls with the units that miss most people."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from rules.clashes import Occupancy
from rules.coverage import Figure
from rules.planning import (
    PlanRequest,
    Proposal,
    ProposedMeeting,
    Slot,
    SpeakerOption,
    UnitNeed,
    UnitSeats,
    Unmet,
    VenueOption,
    check_request,
    slots_before,
)
from rules.refusals import N_

# A round takes some milliseconds at a city's size; more rounds than these change little.
MOST_ROUNDS = 12


def propose_meetings(request: PlanRequest) -> Proposal:
    """The best of several greedy rounds: most people seated, then fewest meetings.

    The same request and seed give the same proposal on every machine, because the number of
    rounds, and not the clock, ends the search. Speakers keep their travel time, and no unit is
    invited twice at once. Raises Refusal when the request cannot be searched.
    """
    check_request(request)
    free = _free_slots(request)
    chance = Random(request.seed)
    best: list[ProposedMeeting] = []
    for number in range(min(request.seconds * 2, MOST_ROUNDS)):
        found = _one_round(request, free, chance if number else None)
        if _worth(found) > _worth(best):
            best = found
    return _proposal(request, free, best)


@dataclass(frozen=True)
class _FreeSlot:
    """A slot with what nobody has taken: the halls, the speakers and the units."""

    slot: Slot
    venues: tuple[VenueOption, ...]
    speakers: tuple[SpeakerOption, ...]
    busy_units: frozenset[int]


def _free_slots(request: PlanRequest) -> list[_FreeSlot]:
    taken = [one for one in request.occupied if not one.is_ignored]
    return [_free_slot(request, slot, taken) for slot in slots_before(request)]


def _free_slot(request: PlanRequest, slot: Slot, taken: list[Occupancy]) -> _FreeSlot:
    margin = timedelta(minutes=request.travel_minutes)
    during = [one for one in taken if _meets(one, slot, timedelta())]
    around = [one for one in taken if _meets(one, slot, margin)]
    busy_venues = {venue for one in during for venue in one.place_ids}
    busy_speakers = {speaker for one in around for speaker in one.speaker_ids}
    return _FreeSlot(
        slot,
        tuple(
            venue
            for venue in request.venues
            if venue.venue_id not in busy_venues and venue.capacity > 0
        ),
        tuple(who for who in request.speakers if who.speaker_id not in busy_speakers),
        frozenset(unit for one in during for unit in one.unit_ids),
    )


def _meets(one: Occupancy | ProposedMeeting, slot: Slot, margin: timedelta) -> bool:
    other = one.slot if isinstance(one, ProposedMeeting) else one
    return slot.starts_at < other.ends_at + margin and other.starts_at < slot.ends_at + margin


def _worth(meetings: list[ProposedMeeting]) -> tuple[int, int]:
    return sum(meeting.seats_used for meeting in meetings), -len(meetings)


def _one_round(
    request: PlanRequest, free: list[_FreeSlot], chance: Random | None
) -> list[ProposedMeeting]:
    """Go through the slots in order of time; `chance` shakes the order of equals."""
    missing = {unit.unit_id: unit.missing for unit in request.units if unit.missing > 0}
    units = list(request.units)
    if chance:
        chance.shuffle(units)
    load: defaultdict[int, int] = defaultdict(int)
    found: list[ProposedMeeting] = []
    for one in free:
        _fill_slot(request, one, units, missing, load, found)
    return found


def _fill_slot(
    request: PlanRequest,
    free: _FreeSlot,
    units: list[UnitNeed],
    missing: dict[int, int],
    load: defaultdict[int, int],
    found: list[ProposedMeeting],
) -> None:
    """Add meetings to one slot until its halls, its speakers or the people run out."""
    margin = timedelta(minutes=request.travel_minutes)
    during = [one for one in found if _meets(one, free.slot, timedelta())]
    around = [one for one in found if _meets(one, free.slot, margin)]
    busy_venues = {one.venue.venue_id for one in during}
    busy_speakers = {one.speaker.speaker_id for one in around}
    seated = set(free.busy_units) | {unit.unit_id for one in during for unit in one.units}
    venues = [venue for venue in free.venues if venue.venue_id not in busy_venues]
    speakers = [who for who in free.speakers if who.speaker_id not in busy_speakers]
    while venues and speakers:
        waiting = [
            unit for unit in units if missing.get(unit.unit_id) and unit.unit_id not in seated
        ]
        if not waiting:
            return
        venue = _fitting_venue(venues, sum(missing[unit.unit_id] for unit in waiting))
        speaker = min(speakers, key=lambda who: (load[who.speaker_id], who.speaker_id))
        invited = _pack(waiting, missing, venue.capacity)
        for unit in invited:
            missing[unit.unit_id] -= unit.seats
            seated.add(unit.unit_id)
        load[speaker.speaker_id] += 1
        venues.remove(venue)
        speakers.remove(speaker)
        found.append(ProposedMeeting(free.slot, venue, speaker, invited))


def _fitting_venue(venues: list[VenueOption], people: int) -> VenueOption:
    """The smallest hall that holds everybody still waiting, else the largest there is."""
    large_enough = [venue for venue in venues if venue.capacity >= people]
    if large_enough:
        return min(large_enough, key=lambda venue: (venue.capacity, venue.venue_id))
    return max(venues, key=lambda venue: (venue.capacity, -venue.venue_id))


def _pack(waiting: list[UnitNeed], missing: dict[int, int], capacity: int) -> tuple[UnitSeats, ...]:
    """Whole units first, the largest that still fits; the seats left go to a part of one."""
    left = capacity
    invited: list[UnitSeats] = []
    over: list[UnitNeed] = []
    for unit in sorted(waiting, key=lambda unit: -missing[unit.unit_id]):
        seats = missing[unit.unit_id]
        if seats <= left:
            invited.append(UnitSeats(unit.unit_id, unit.name, seats))
            left -= seats
        else:
            over.append(unit)
    if over and left:
        invited.append(UnitSeats(over[0].unit_id, over[0].name, left))
    return tuple(invited)


def _proposal(
    request: PlanRequest, free: list[_FreeSlot], meetings: list[ProposedMeeting]
) -> Proposal:
    before = request.figure
    seated = sum(meeting.seats_used for meeting in meetings)
    return Proposal(
        meetings=tuple(meetings),
        expected=Figure(before.covered + seated, before.eligible, before.target_percent),
        bound=before.covered + _most_seats(request, free),
        unmet=tuple(_unmet(request, free, meetings)),
    )


def _most_seats(request: PlanRequest, free: list[_FreeSlot]) -> int:
    """What no plan can exceed: the people missing, and the largest halls there are speakers for."""
    seats = 0
    for one in free:
        halls = sorted((venue.capacity for venue in one.venues), reverse=True)
        seats += sum(halls[: len(one.speakers)])
    return min(seats, sum(unit.missing for unit in request.units))


def _unmet(
    request: PlanRequest, free: list[_FreeSlot], meetings: list[ProposedMeeting]
) -> list[Unmet]:
    late = len(set(request.slots)) - len(free)
    found: list[Unmet] = []
    if late:
        found.append(Unmet(None, 0, _LATE_SLOTS, {"count": late}))
    seats: defaultdict[int, int] = defaultdict(int)
    for meeting in meetings:
        for unit in meeting.units:
            seats[unit.unit_id] += unit.seats
    for need in request.units:
        left = need.missing - seats[need.unit_id]
        if left > 0:
            params: dict[str, object] = {"unit": need.name, "count": left}
            found.append(Unmet(need.unit_id, left, _why(request, free, need), params))
    return found


def _why(request: PlanRequest, free: list[_FreeSlot], need: UnitNeed) -> str:
    if not free:
        return _NO_SLOT
    if not any(one.venues for one in free):
        return _NO_VENUE
    if not any(one.speakers for one in free):
        return _NO_SPEAKER
    if all(need.unit_id in one.busy_units for one in free):
        return _UNIT_BUSY
    return _NO_SEATS


_LATE_SLOTS = N_("%(count)d khung giờ kết thúc sau hạn của đợt nên không dùng được.")
_NO_SLOT = N_("%(unit)s còn %(count)d người: không còn khung giờ nào trước hạn. Hãy thêm ngày.")
_NO_VENUE = N_("%(unit)s còn %(count)d người: mọi địa điểm đều đã có buổi. Hãy thêm địa điểm.")
_NO_SPEAKER = N_("%(unit)s còn %(count)d người: không còn báo cáo viên rảnh. Hãy thêm người.")
_UNIT_BUSY = N_("%(unit)s còn %(count)d người: đơn vị đã có buổi khác trong mọi khung giờ.")
_NO_SEATS = N_(
    "%(unit)s còn %(count)d người: hết chỗ trước hạn. Hãy thêm khung giờ, địa điểm hoặc người."
)
