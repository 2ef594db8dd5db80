"""What is due: overdue the day after, reminded before and while it lasts, counted as n/N."""

from datetime import date, timedelta

import pytest

from rules.refusals import Malformed
from rules.works import check_done, is_reminded, state_of

DUE = date(2026, 11, 25)  # a Wednesday


def test_the_due_day_itself_is_in_time() -> None:
    assert state_of(DUE, None, DUE) == "due"
    assert state_of(DUE, None, DUE + timedelta(days=1)) == "overdue"
    assert state_of(DUE, DUE + timedelta(days=9), DUE + timedelta(days=20)) == "done"


def test_reminders_come_before_the_day_after_and_each_monday() -> None:
    reminded = [
        days for days in range(-10, 16) if is_reminded(DUE, None, DUE + timedelta(days=days))
    ]
    assert reminded == [-7, -1, 1, 5, 12]
    assert not is_reminded(DUE, DUE, DUE + timedelta(days=5))


def test_nothing_is_done_tomorrow() -> None:
    with pytest.raises(Malformed):
        check_done(DUE, DUE + timedelta(days=1), DUE)
    with pytest.raises(Malformed):
        check_done(DUE, date(2001, 1, 1), DUE)
