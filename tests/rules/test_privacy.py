"""The clocks of requests about one's own data."""

from datetime import date

import pytest

from rules.privacy import clocks, extended, months_before, refuse_settled
from rules.refusals import Refusal


def weekday(day: date) -> bool:
    return day.weekday() < 5


@pytest.mark.parametrize(
    ("kind", "received", "answer_by", "done_by"),
    [
        ("correction", date(2026, 11, 23), date(2026, 11, 25), date(2026, 12, 3)),
        ("access", date(2026, 11, 23), date(2026, 11, 25), date(2026, 12, 3)),
        ("objection", date(2026, 11, 27), date(2026, 12, 1), date(2026, 12, 12)),
        ("restriction", date(2026, 11, 28), date(2026, 12, 1), date(2026, 12, 13)),
        ("deletion", date(2026, 11, 23), date(2026, 11, 25), date(2026, 12, 13)),
    ],
)
def test_each_kind_has_its_clocks(
    kind: str, received: date, answer_by: date, done_by: date
) -> None:
    due = clocks(kind, received, weekday)
    assert (due.answer_by, due.done_by) == (answer_by, done_by)


def test_days_off_do_not_count_for_the_answer() -> None:
    new_year = {date(2027, 1, 1)}
    due = clocks("access", date(2026, 12, 31), lambda day: weekday(day) and day not in new_year)
    assert due.answer_by == date(2027, 1, 5)


def test_there_is_one_extension_of_fifteen_days() -> None:
    assert extended(date(2026, 12, 3), was_extended=False) == date(2026, 12, 18)
    with pytest.raises(Refusal):
        extended(date(2026, 12, 18), was_extended=True)


def test_what_is_settled_takes_no_step() -> None:
    refuse_settled("new")
    refuse_settled("answered")
    for state in ("done", "refused"):
        with pytest.raises(Refusal):
            refuse_settled(state)


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 11, 29), 12, date(2025, 11, 29)),
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2028, 2, 29), 12, date(2027, 2, 28)),
    ],
)
def test_months_are_counted_back_to_a_day_that_exists(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before
