"""The periods reports are made for: month, quarter, half-year, year and five-year term."""

from dataclasses import dataclass
from datetime import date, timedelta

from rules.days import YEARS
from rules.refusals import N_, Malformed

TERM_YEARS = 5
FIRST_TERM = date(2010, 7, 1)
LABELS = {
    "month": N_("Tháng này"),
    "quarter": N_("Quý này"),
    "half": N_("6 tháng"),
    "year": N_("Năm nay"),
    "term": N_("Nhiệm kỳ"),
}


@dataclass(frozen=True)
class Period:
    """A stretch of days, both included."""

    first_on: date
    last_on: date


def check_period(first_on: date, last_on: date) -> Period:
    """Refuse a period that ends before it begins, or is longer than a lifetime of records."""
    if last_on < first_on:
        raise Malformed(N_("Ngày cuối phải từ ngày đầu trở đi. Hãy sửa lại khoảng thời gian."))
    if first_on.year not in YEARS or last_on.year not in YEARS:
        raise Malformed(N_("Năm không hợp lý. Hãy chọn ngày từ năm 1900 đến năm 2100."))
    if last_on.year - first_on.year > 50:
        raise Malformed(N_("Khoảng thời gian quá 50 năm. Hãy chọn ngắn lại."))
    return Period(first_on, last_on)


def period_around(kind: str, today: date, term_starts_on: date = FIRST_TERM) -> Period:
    """The whole period of a kind that a day lies in; terms follow one another every five years."""
    if kind == "term":
        return _term_around(today, term_starts_on)
    months = {"month": 1, "quarter": 3, "half": 6, "year": 12}[kind]
    first = date(today.year, (today.month - 1) // months * months + 1, 1)
    after = first.month - 1 + months
    return Period(first, date(first.year + after // 12, after % 12 + 1, 1) - timedelta(days=1))


def _term_around(today: date, starts_on: date) -> Period:
    terms = (today.year - starts_on.year) // TERM_YEARS
    first = starts_on.replace(year=starts_on.year + terms * TERM_YEARS)
    if today < first:
        first = first.replace(year=first.year - TERM_YEARS)
    return Period(first, first.replace(year=first.year + TERM_YEARS) - timedelta(days=1))
