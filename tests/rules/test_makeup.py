"""Make-up sittings: everybody once, no sitting over its seats, none held for a handful."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.makeup import Missing, sitting_times, sittings
from rules.refusals import Malformed, Refusal


def people(*units):
    return [Missing(number, unit) for number, unit in enumerate(units)]


def test_one_sitting_holds_everybody_when_seats_are_not_limited():
    assert sittings(people(1, 1, 2), seats=None, by_unit=False) == [people(1, 1, 2)]


def test_ten_people_with_four_seats_sit_in_four_three_three():
    parts = sittings(people(*[1] * 10), seats=4, by_unit=False)
    assert [len(part) for part in parts] == [4, 3, 3]


def test_units_are_not_mixed_when_asked():
    parts = sittings(people(1, 1, 2, 3), seats=None, by_unit=True)
    assert [{one.grassroots_id for one in part} for part in parts] == [{1}, {2}, {3}]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40).map(sorted),
    st.integers(1, 12),
    st.booleans(),
)
def test_everybody_is_invited_once_and_no_sitting_is_over_full(units, seats, by_unit):
    missing = people(*units)
    parts = sittings(missing, seats=seats, by_unit=by_unit)
    assert [one for part in parts for one in part] == missing
    assert all(0 < len(part) <= seats for part in parts)
    if by_unit:
        assert all(len({one.grassroots_id for one in part}) == 1 for part in parts)


def test_nobody_missing_needs_no_make_up():
    with pytest.raises(Refusal, match="Không còn ai"):
        sittings([], seats=10, by_unit=False)


def test_no_seats_are_refused():
    with pytest.raises(Malformed):
        sittings(people(1), seats=0, by_unit=False)


def test_too_many_sittings_for_one_action_are_refused():
    with pytest.raises(Refusal, match="quá nhiều"):
        sittings(people(*[1] * 200), seats=1, by_unit=False)


def test_sittings_follow_each_other_at_the_same_hours():
    starts = datetime(2026, 11, 30, 1, tzinfo=UTC)
    times = sitting_times(starts, starts + timedelta(hours=2), count=3, days_between=2)
    assert [start.day for start, _ in times] == [30, 2, 4]
    assert {end - start for start, end in times} == {timedelta(hours=2)}
