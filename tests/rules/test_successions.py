"""Restating: sums stay, everybody stands in exactly one unit of today, whatever was merged or split."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.successions import (
    Succession,
    apportioned,
    by_predecessor,
    restated,
    shares,
    unit_of_person,
)

START = date(2020, 1, 1)
MERGED = date(2025, 7, 1)
TODAY = date(2026, 11, 23)


def known(*rows: Succession) -> dict[int, list[Succession]]:
    return by_predecessor(rows)


def test_two_wards_that_became_one_are_added_up() -> None:
    merged = known(Succession(1, 9, MERGED, 40), Succession(2, 9, MERGED, 60))
    found = restated([(1, START, 10), (2, START, 20), (9, MERGED, 5)], merged, TODAY)
    assert found.counts == {9: 35}
    assert found.estimated == frozenset()


def test_before_the_change_nothing_is_restated() -> None:
    merged = known(Succession(1, 9, MERGED, 40))
    assert restated([(1, START, 10)], merged, MERGED - timedelta(days=1)).counts == {1: 10}


def test_a_split_spreads_by_people_and_is_an_estimate() -> None:
    split = known(Succession(1, 8, MERGED, 30, True), Succession(1, 9, MERGED, 10, True))
    found = restated([(1, START, 10), (1, START, 1)], split, TODAY)
    assert found.counts == {8: 8 + 1, 9: 2}
    assert found.estimated == {8, 9}


def test_a_unit_that_gave_a_part_away_keeps_the_rest() -> None:
    split = known(Succession(1, 1, MERGED, 30, True), Succession(1, 9, MERGED, 10, True))
    assert restated([(1, START, 4), (1, MERGED, 7)], split, TODAY).counts == {1: 3 + 7, 9: 1}


def test_a_split_of_nobody_spreads_evenly() -> None:
    split = known(Succession(1, 8, MERGED, 0, True), Succession(1, 9, MERGED, 0, True))
    assert restated([(1, START, 3)], split, TODAY).counts == {8: 2, 9: 1}


def test_who_had_left_before_the_split_counts_with_the_larger_part() -> None:
    split = known(Succession(1, 8, MERGED, 30, True), Succession(1, 9, MERGED, 10, True))
    assert unit_of_person(1, START, split, TODAY, {MERGED: 9}) == (9, False)
    assert unit_of_person(1, START, split, TODAY, {}) == (8, True)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_parts_of_a_count_sum_to_it(count: int, weights: list[int]) -> None:
    split = known(*(Succession(0, n, MERGED, weight, True) for n, weight in enumerate(weights, 1)))
    parts = apportioned(count, shares(0, START, split, TODAY))
    assert sum(parts.values()) == count
    assert min(parts.values()) >= 0


@dataclass
class History:
    """Units and their people through random merges and splits; facts stamped along the way."""

    members: dict[int, set[int]]
    day: date = START
    rows: list[Succession] = field(default_factory=list)
    went: dict[int, dict[date, int]] = field(default_factory=dict)
    facts: list[tuple[int, int, date]] = field(default_factory=list)
    """(person, unit, day)."""

    def study(self, person: int) -> None:
        unit = next(unit for unit, people in self.members.items() if person in people)
        self.facts.append((person, unit, self.day))

    def merge(self, first: int, second: int) -> None:
        units = sorted(self.members)
        one, other = units[first % len(units)], units[second % len(units)]
        if one == other:
            return
        new = max(max(self.members), max((row.successor_id for row in self.rows), default=0)) + 1
        for old in (one, other):
            self.rows.append(Succession(old, new, self.day, len(self.members[old])))
        self.members[new] = self.members.pop(one) | self.members.pop(other)

    def split(self, which: int, goes_on: bool, chosen: Callable[[int], bool]) -> None:
        units = sorted(self.members)
        old = units[which % len(units)]
        new = max(max(self.members), max((row.successor_id for row in self.rows), default=0)) + 1
        people = self.members.pop(old)
        parts = {old if goes_on else new + 1: {p for p in people if chosen(p)}}
        parts[new] = people - next(iter(parts.values()))
        for unit, part in parts.items():
            self.rows.append(Succession(old, unit, self.day, len(part), True))
            for person in part:
                self.went.setdefault(person, {})[self.day] = unit
        self.members.update(parts)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["merge", "split", "part", "study"]),
        st.integers(0, 50),
        st.integers(0, 50),
        st.integers(1, 400),
    ),
    max_size=14,
)


@given(STEPS)
def test_random_merges_and_splits_count_everybody_once_and_lose_nobody(
    steps: list[tuple[str, int, int, int]],
) -> None:
    history = History({unit: {unit * 10 + n for n in range(unit + 2)} for unit in range(1, 5)})
    everybody = sorted(set().union(*history.members.values()))
    for what, first, second, days in steps:
        history.day += timedelta(days=days)
        if what == "merge":
            history.merge(first, second)
        elif what == "study":
            history.study(everybody[first % len(everybody)])
        else:
            history.split(first, what == "part", lambda p, salt=second: (p * 7 + salt) % 3 > 0)  # type: ignore[misc]  # a default binds the loop variable
    rows, until = by_predecessor(history.rows), history.day
    today = {p: unit for unit, people in history.members.items() for p in people}
    for person, unit, on in history.facts:
        placed = unit_of_person(unit, on, rows, until, history.went.get(person, {}))
        assert placed == (today[person], False)
    as_it_was = Counter((unit, on) for _, unit, on in history.facts)
    found = restated([(unit, on, n) for (unit, on), n in as_it_was.items()], rows, until)
    assert sum(found.counts.values()) == len(history.facts)
    assert set(found.counts) <= set(history.members)
