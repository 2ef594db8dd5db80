"""Report periods: the whole month, quarter, half-year, year and term around a day."""

from datetime import date

import pytest

from rules.refusals import Malformed
from rules.reports import Period, check_period, period_around


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
