"""Meetings are made in bulk on the days a rule names and on no holiday."""

from dataclasses import replace
from datetime import date, time

import pytest

from rules.recurrence import Rule, recurring_days, recurring_sittings
from rules.refusals import Refusal

THURSDAYS = Rule(
    "weekly",
    from_on=date(2026, 3, 2),
    starts=time(19, 30),
    ends=time(21, 0),
    weekdays=frozenset({3}),
    until_on=date(2026, 3, 31),
)
MONTHLY = replace(THURSDAYS, frequency="monthly", until_on=date(2026, 6, 30))


def numbers(days: list[date]) -> list[tuple[int, int]]:
    return [(day.day, day.month) for day in days]


def test_every_thursday_evening_in_twelve_groups_except_holidays() -> None:
    groups = list(range(1, 13))
    sittings = recurring_sittings(THURSDAYS, groups, excluded={date(2026, 3, 12)})
    assert len(sittings) == 3 * 12
    assert {sitting.on.day for sitting in sittings} == {5, 19, 26}
    assert {(sitting.starts, sitting.ends) for sitting in sittings} == {(time(19, 30), time(21))}
    assert [sitting.group for sitting in sittings[:12]] == groups


def test_groups_may_take_turns() -> None:
    sittings = recurring_sittings(THURSDAYS, ["A", "B", "C"], in_turn=True)
    assert [(sitting.on.day, sitting.group) for sitting in sittings] == [
        (5, "A"),
        (12, "B"),
        (19, "C"),
        (26, "A"),
    ]


def test_a_meeting_without_groups_is_made_once_a_day() -> None:
    assert [sitting.group for sitting in recurring_sittings(THURSDAYS)] == [None] * 4


def test_days_before_the_first_are_left_out() -> None:
    rule = replace(THURSDAYS, weekdays=frozenset({0, 3}), from_on=date(2026, 3, 3), count=3)
    assert numbers(recurring_days(rule)) == [(5, 3), (9, 3), (12, 3)]


def test_every_other_week_counts_from_the_first_one() -> None:
    assert numbers(recurring_days(replace(THURSDAYS, interval=2))) == [(5, 3), (19, 3)]


def test_a_count_counts_the_days_that_remain() -> None:
    rule = replace(THURSDAYS, until_on=None, count=3)
    assert numbers(recurring_days(rule, {date(2026, 3, 5)})) == [(12, 3), (19, 3), (26, 3)]


def test_the_first_thursday_and_the_last_thursday_of_each_month() -> None:
    first = replace(MONTHLY, nth=1)
    assert numbers(recurring_days(first)) == [(5, 3), (2, 4), (7, 5), (4, 6)]
    last = replace(MONTHLY, nth=-1)
    assert numbers(recurring_days(last)) == [(26, 3), (30, 4), (28, 5), (25, 6)]


def test_a_month_without_the_day_is_passed_over() -> None:
    rule = replace(MONTHLY, weekdays=frozenset(), month_day=31)
    assert numbers(recurring_days(rule)) == [(31, 3), (31, 5)]


def test_a_year_turns() -> None:
    rule = replace(
        MONTHLY,
        from_on=date(2026, 12, 5),
        month_day=5,
        weekdays=frozenset(),
        until_on=date(2027, 2, 28),
    )
    assert numbers(recurring_days(rule)) == [(5, 12), (5, 1), (5, 2)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"frequency": "daily"},
        {"ends": time(19, 0)},
        {"until_on": None},
        {"until_on": date(2026, 3, 1)},
        {"until_on": date(2036, 3, 1)},
        {"count": 0},
        {"count": 201},
        {"interval": 0},
        {"weekdays": frozenset()},
        {"weekdays": frozenset({7})},
        {"frequency": "monthly"},
        {"frequency": "monthly", "nth": 6},
        {"frequency": "monthly", "month_day": 32},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        recurring_days(replace(THURSDAYS, **wrong))  # type: ignore[arg-type]  # any field of it


def test_more_than_two_hundred_meetings_at_once_are_refused() -> None:
    with pytest.raises(Refusal, match="204"):
        recurring_sittings(THURSDAYS, list(range(51)))


def test_a_rule_that_leaves_no_day_is_refused() -> None:
    rule = replace(THURSDAYS, until_on=date(2026, 3, 5))
    with pytest.raises(Refusal, match="không cho buổi nào"):
        recurring_sittings(rule, excluded={date(2026, 3, 5)})
