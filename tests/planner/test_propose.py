"""A proposed plan never clashes, never promises more than the seats, and says what is left."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.propose import propose_meetings
from rules.clashes import Occupancy, all_clashes
from rules.coverage import Figure
from rules.planning import (
    PlanRequest,
    Slot,
    SpeakerOption,
    UnitNeed,
    VenueOption,
    evening_and_weekend_slots,
)
from rules.refusals import Refusal

START = datetime(2026, 3, 5, 19, 30, tzinfo=UTC)


def slot(minutes: int, length: int = 120) -> Slot:
    starts_at = START + timedelta(minutes=minutes)
    return Slot(starts_at, starts_at + timedelta(minutes=length))


def request(
    missing: list[int],
    capacities: list[int],
    speakers: int = 2,
    slots: tuple[Slot, ...] = (slot(0), slot(24 * 60)),
    occupied: tuple[Occupancy, ...] = (),
) -> PlanRequest:
    return PlanRequest(
        units=tuple(
            UnitNeed(number, f"Chi bộ {number}", count) for number, count in enumerate(missing)
        ),
        venues=tuple(
            VenueOption(number, f"Hội trường {number}", seats)
            for number, seats in enumerate(capacities)
        ),
        speakers=tuple(
            SpeakerOption(number, f"Báo cáo viên {number}") for number in range(speakers)
        ),
        slots=slots,
        occupied=occupied,
        deadline=START + timedelta(days=7),
        figure=Figure(100, 100 + sum(missing), 95),
    )


def test_everybody_is_seated_in_the_smallest_hall_that_holds_them() -> None:
    proposal = propose_meetings(request([20, 15, 10], [200, 50, 30]))
    [meeting] = proposal.meetings
    assert meeting.venue.capacity == 50
    assert meeting.slot == slot(0)
    assert proposal.expected == Figure(145, 145, 95)
    assert proposal.bound == 145
    assert proposal.unmet == ()


def test_a_unit_larger_than_any_hall_comes_in_parts_on_different_evenings() -> None:
    proposal = propose_meetings(request([50], [30, 30]))
    assert [meeting.seats_used for meeting in proposal.meetings] == [30, 20]
    assert len({meeting.slot for meeting in proposal.meetings}) == 2


def test_what_could_not_be_seated_is_told_with_its_reason() -> None:
    proposal = propose_meetings(request([100], [30]))
    assert proposal.expected.covered == proposal.bound == 160
    assert [unmet.text for unmet in proposal.unmet] == [
        "Chi bộ 0 còn 40 người: hết chỗ trước hạn. Hãy thêm khung giờ, địa điểm hoặc người."
    ]


@pytest.mark.parametrize(
    ("given_request", "why"),
    [
        (request([5], []), "địa điểm"),
        (request([5], [30], speakers=0), "báo cáo viên"),
        (request([5], [30], slots=()), "khung giờ"),
        (
            request(
                [5],
                [30],
                slots=(slot(0),),
                occupied=(
                    Occupancy(
                        9, "Khác", slot(0).starts_at, slot(0).ends_at, unit_ids=frozenset({0})
                    ),
                ),
            ),
            "buổi khác",
        ),
    ],
)
def test_a_missing_means_is_named(given_request: PlanRequest, why: str) -> None:
    proposal = propose_meetings(given_request)
    assert proposal.meetings == ()
    assert why in proposal.unmet[-1].text


def test_slots_after_the_deadline_are_left_out_and_told() -> None:
    proposal = propose_meetings(request([5], [30], slots=(slot(0), slot(8 * 24 * 60))))
    assert [meeting.slot for meeting in proposal.meetings] == [slot(0)]
    assert "1 khung giờ" in proposal.unmet[0].text


def test_a_hall_and_a_speaker_already_taken_are_not_proposed() -> None:
    taken = Occupancy(
        9,
        "Khác",
        START - timedelta(hours=1),
        START + timedelta(minutes=5),
        place_ids=frozenset({0}),
        speaker_ids=frozenset({0}),
    )
    proposal = propose_meetings(request([5], [30, 40], slots=(slot(0),), occupied=(taken,)))
    [meeting] = proposal.meetings
    assert (meeting.venue.venue_id, meeting.speaker.speaker_id) == (1, 1)
    called_off = replace(taken, state="cancelled")
    proposal = propose_meetings(request([5], [30, 40], slots=(slot(0),), occupied=(called_off,)))
    assert proposal.meetings[0].venue.venue_id == 0


def test_a_search_without_end_is_refused() -> None:
    with pytest.raises(Refusal):
        propose_meetings(replace(request([5], [30]), seconds=0))


def test_evenings_and_weekend_halves_are_offered_except_on_days_left_out() -> None:
    slots = evening_and_weekend_slots(
        date(2026, 3, 6), date(2026, 3, 8), UTC, excluded={date(2026, 3, 8)}
    )
    assert [(one.starts_at.day, one.starts_at.hour) for one in slots] == [
        (6, 19),
        (7, 7),
        (7, 14),
        (7, 19),
    ]


taken_meetings = st.lists(
    st.builds(
        lambda number, minutes, place, speaker, unit: Occupancy(
            number,
            "Khác",
            START + timedelta(minutes=minutes),
            START + timedelta(minutes=minutes + 90),
            place_ids=frozenset({place}),
            speaker_ids=frozenset({speaker}),
            unit_ids=frozenset({unit}),
        ),
        st.integers(1, 99),
        st.integers(-120, 1600),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 5),
    ),
    max_size=4,
)
requests = st.builds(
    lambda missing, capacities, speakers, minutes, occupied: request(
        missing, capacities, speakers, tuple(slot(one) for one in minutes), tuple(occupied)
    ),
    st.lists(st.integers(0, 60), max_size=6),
    st.lists(st.integers(0, 50), max_size=4),
    st.integers(0, 3),
    st.lists(st.integers(0, 1500), max_size=4),
    taken_meetings,
)


@settings(max_examples=60, deadline=None)
@given(requests, st.integers(0, 5))
def test_no_proposal_clashes_or_promises_too_much(asked: PlanRequest, seed: int) -> None:
    asked = replace(asked, seed=seed)
    proposal = propose_meetings(asked)
    proposed = [meeting.occupancy(place) for place, meeting in enumerate(proposal.meetings)]
    clashes = all_clashes([*asked.occupied, *proposed], asked.travel_minutes)
    ours = {one.meeting_id for one in proposed}
    assert not [clash for clash in clashes if {clash.meeting_id, clash.other_id} & ours]
    assert proposal.expected.covered <= proposal.bound <= asked.figure.eligible
    left = sum(unmet.people for unmet in proposal.unmet)
    assert proposal.expected.covered + left == asked.figure.eligible


@settings(max_examples=15, deadline=None)
@given(requests, st.integers(0, 5))
def test_the_same_seed_gives_the_same_plan(asked: PlanRequest, seed: int) -> None:
    again = replace(asked, seed=seed)
    assert propose_meetings(again) == propose_meetings(again)
