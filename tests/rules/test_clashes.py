"""Two meetings cannot have the same hall or speaker; the rest is a warning."""

from collections.abc import Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.clashes import Occupancy, all_clashes, find_clashes

START = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)


def occupancy(
    number: int,
    minutes: int = 0,
    length: int = 120,
    *,
    place_ids: Set[int] = frozenset(),
    speaker_ids: Set[int] = frozenset(),
    unit_ids: Set[int] = frozenset(),
    person_ids: Set[int] = frozenset(),
) -> Occupancy:
    start = START + timedelta(minutes=minutes)
    return Occupancy(
        number,
        f"Buổi {number}",
        start,
        start + timedelta(minutes=length),
        place_ids=frozenset(place_ids),
        speaker_ids=frozenset(speaker_ids),
        unit_ids=frozenset(unit_ids),
        person_ids=frozenset(person_ids),
    )


def kinds(one: Occupancy, other: Occupancy, travel: int = 30) -> list[tuple[str, str]]:
    return [(clash.kind, clash.severity) for clash in find_clashes(one, [other], travel)]


def test_the_same_hall_at_the_same_minute_is_blocked() -> None:
    one, other = occupancy(1, place_ids={1}), occupancy(2, 119, place_ids={1})
    assert kinds(one, other) == [("place", "block")]


def test_a_hall_is_free_the_minute_the_other_ends() -> None:
    assert kinds(occupancy(1, place_ids={1}), occupancy(2, 120, place_ids={1})) == []


def test_a_point_of_one_meeting_is_no_hall_for_another() -> None:
    points, hall = occupancy(1, place_ids={1, 2, 3}), occupancy(2, place_ids={3})
    assert kinds(points, hall) == [("place", "block")]


def test_a_speaker_cannot_be_in_two_places_nor_online_meanwhile() -> None:
    here = occupancy(1, place_ids={1}, speaker_ids={5})
    assert kinds(here, occupancy(2, 60, place_ids={2}, speaker_ids={5})) == [("speaker", "block")]
    assert kinds(here, occupancy(2, 60, speaker_ids={5})) == [("speaker", "block")]


def test_a_speaker_needs_time_between_two_places() -> None:
    here = occupancy(1, place_ids={1}, speaker_ids={5})
    assert kinds(here, occupancy(2, 149, place_ids={2}, speaker_ids={5})) == [("travel", "warning")]
    assert kinds(here, occupancy(2, -149, place_ids={2}, speaker_ids={5})) == [
        ("travel", "warning")
    ]
    assert kinds(here, occupancy(2, 150, place_ids={2}, speaker_ids={5})) == []


def test_nobody_travels_within_a_hall_or_online() -> None:
    here = occupancy(1, place_ids={1}, speaker_ids={5})
    assert kinds(here, occupancy(2, 125, place_ids={1}, speaker_ids={5})) == []
    assert kinds(here, occupancy(2, 125, speaker_ids={5})) == []


def test_a_unit_or_people_invited_twice_are_a_warning() -> None:
    one = occupancy(1, unit_ids={4}, person_ids={7, 8, 9})
    other = occupancy(2, 30, unit_ids={4}, person_ids={8, 9, 10})
    assert kinds(one, other) == [("unit", "warning"), ("person", "warning")]
    people = find_clashes(one, [other])[-1]
    assert people.subject_ids == (8, 9)
    assert people.text.startswith("2 người cũng được mời")


def test_a_meeting_called_off_takes_up_nothing() -> None:
    one, other = occupancy(1, place_ids={1}), occupancy(2, place_ids={1})
    for state in ("cancelled", "not_held"):
        assert kinds(one, replace(other, state=state)) == []
        assert kinds(replace(one, state=state), other) == []


def test_a_meeting_does_not_clash_with_itself_when_moved() -> None:
    assert kinds(occupancy(1, place_ids={1}), occupancy(1, 10, place_ids={1})) == []


def test_two_meetings_not_yet_saved_are_two_meetings() -> None:
    new = replace(occupancy(1, place_ids={1}), meeting_id=None)
    assert kinds(new, replace(new, topic="khác")) == [("place", "block")]


def test_blocks_come_first_and_each_says_what_to_do() -> None:
    one = occupancy(1, unit_ids={4}, place_ids={1}, speaker_ids={5})
    early = occupancy(2, -30, unit_ids={4})
    late = occupancy(3, 30, place_ids={1}, speaker_ids={5})
    names = {("place", 1): "Hội trường", ("speaker", 5): "Bình", ("unit", 4): "Chi bộ 4"}
    found = find_clashes(one, [late, early], names=names)
    assert [clash.text for clash in found] == [
        "Địa điểm “Hội trường” đã có buổi “Buổi 3” (8h00–10h00 05/03/2026). "
        "Hãy chọn nơi khác hoặc giờ khác.",
        "Báo cáo viên Bình đã có buổi “Buổi 3” (8h00–10h00 05/03/2026). "
        "Hãy chọn người khác hoặc giờ khác.",
        "Chi bộ 4 cũng được mời dự buổi “Buổi 2” (7h00–9h00 05/03/2026).",
    ]
    assert (found[0].meeting_id, found[0].other_id, found[0].subject_ids) == (1, 3, (1,))


def test_too_small_a_hall_is_a_warning() -> None:
    full = replace(occupancy(1), capacity=100, expected=101)
    [clash] = find_clashes(full, [])
    assert (clash.kind, clash.severity) == ("capacity", "warning")
    assert clash.text == "Dự kiến 101 người nhưng nơi họp chỉ chứa 100."
    assert find_clashes(replace(full, expected=100), []) == []


some_ids = st.frozensets(st.integers(1, 3), max_size=2)
occupancies = st.lists(
    st.builds(
        lambda number, minutes, length, places, speakers, units: replace(
            occupancy(number, minutes, length),
            place_ids=places,
            speaker_ids=speakers,
            unit_ids=units,
        ),
        st.integers(1, 50),
        st.integers(0, 400),
        st.integers(1, 200),
        some_ids,
        some_ids,
        some_ids,
    ),
    max_size=6,
    unique_by=lambda made: made.meeting_id,
)


@settings(max_examples=40)
@given(occupancies, st.integers(0, 60))
def test_the_sweep_finds_exactly_what_comparing_each_pair_finds(
    meetings: list[Occupancy], travel: int
) -> None:
    swept = {
        (clash.kind, frozenset({clash.meeting_id, clash.other_id}), clash.subject_ids)
        for clash in all_clashes(meetings, travel)
    }
    compared = {
        (clash.kind, frozenset({clash.meeting_id, clash.other_id}), clash.subject_ids)
        for meeting in meetings
        for clash in find_clashes(meeting, meetings, travel)
    }
    assert swept == compared


def test_a_terms_thousands_of_meetings_are_swept_at_once() -> None:
    meetings = [
        replace(
            occupancy(number, number * 60),
            place_ids=frozenset({number % 30}),
            speaker_ids=frozenset({number % 20}),
            unit_ids=frozenset({number % 55}),
        )
        for number in range(5000)
    ]
    started = perf_counter()
    assert all_clashes(meetings) == []
    assert perf_counter() - started < 2
