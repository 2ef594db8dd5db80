"""Report periods: the whole month, quarter, half-year, year and term around a day."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.refusals import Malformed
from rules.reports import (
    LAST_CUTOFF_DAY,
    SINCE_TERM,
    SINCE_YEAR,
    Period,
    check_period,
    earlier_terms,
    period_around,
    same_period_before,
    since,
)


@pytest.mark.parametrize(
    ("kind", "first_on", "last_on"),
    [
        ("month", date(2026, 11, 1), date(2026, 11, 30)),
        ("quarter", date(2026, 10, 1), date(2026, 12, 31)),
        ("half", date(2026, 7, 1), date(2026, 12, 31)),
        ("year", date(2026, 1, 1), date(2026, 12, 31)),
        ("term", date(2025, 7, 1), date(2030, 6, 30)),
    ],
)
def test_the_period_around_a_day(kind, first_on, last_on):
    assert period_around(kind, date(2026, 11, 23)) == Period(first_on, last_on)


def test_the_day_before_a_term_begins_belongs_to_the_one_before():
    assert period_around("term", date(2015, 6, 30)).first_on == date(2010, 7, 1)
    assert period_around("term", date(2015, 7, 1)).first_on == date(2015, 7, 1)


def test_a_period_backwards_is_refused():
    with pytest.raises(Malformed):
        check_period(date(2026, 2, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("kind", "today", "first_on", "last_on"),
    [
        ("month", date(2026, 11, 25), date(2026, 10, 26), date(2026, 11, 25)),
        ("month", date(2026, 11, 26), date(2026, 11, 26), date(2026, 12, 25)),
        ("quarter", date(2026, 12, 26), date(2026, 12, 26), date(2027, 3, 25)),
        ("nine", date(2026, 11, 3), date(2025, 12, 26), date(2026, 9, 25)),
        ("year", date(2026, 11, 3), date(2025, 12, 26), date(2026, 12, 25)),
    ],
)
def test_a_cut_off_day_moves_the_ends_of_the_months(kind, today, first_on, last_on):
    assert period_around(kind, today, cutoff_day=25) == Period(first_on, last_on)


@settings(deadline=None)
@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, LAST_CUTOFF_DAY))
def test_months_follow_one_another_without_gap_or_overlap(today, cutoff_day):
    month = period_around("month", today, cutoff_day=cutoff_day)
    assert month.first_on <= today <= month.last_on
    following = period_around("month", month.last_on + timedelta(days=1), cutoff_day=cutoff_day)
    assert following.first_on == month.last_on + timedelta(days=1)


@pytest.mark.parametrize(
    ("period", "before"),
    [
        ((date(2026, 2, 1), date(2026, 2, 28)), (date(2025, 2, 1), date(2025, 2, 28))),
        ((date(2025, 2, 1), date(2025, 2, 28)), (date(2024, 2, 1), date(2024, 2, 29))),
        ((date(2026, 1, 1), date(2026, 9, 30)), (date(2025, 1, 1), date(2025, 9, 30))),
        ((date(2015, 7, 1), date(2020, 6, 30)), (date(2010, 7, 1), date(2015, 6, 30))),
    ],
)
def test_the_same_days_before_are_a_year_back_or_a_term(period, before):
    assert same_period_before(Period(*period)) == Period(*before)


def test_what_is_shorter_than_a_year_adds_up_since_its_year_began_and_the_rest_since_the_term():
    label, days = since(Period(date(2026, 10, 1), date(2026, 12, 31)))
    assert (label, days) == (SINCE_YEAR, Period(date(2026, 1, 1), date(2026, 12, 31)))
    label, days = since(Period(date(2026, 1, 1), date(2026, 12, 31)))
    assert (label, days) == (SINCE_TERM, Period(date(2025, 7, 1), date(2026, 12, 31)))


def test_earlier_terms_go_back_to_the_first_one_kept() -> None:
    found = earlier_terms(date(2026, 11, 23))
    assert [(one.first_on, one.last_on) for one in found] == [
        (date(2020, 7, 1), date(2025, 6, 30)),
        (date(2015, 7, 1), date(2020, 6, 30)),
        (date(2010, 7, 1), date(2015, 6, 30)),
    ]
    assert earlier_terms(date(2011, 1, 1)) == []
