"""The periods reports are made for, the same days of before, and the days since the year began."""

from calendar import monthrange
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
    "nine": N_("9 tháng"),
    "year": N_("Năm nay"),
    "term": N_("Nhiệm kỳ"),
}
LAST_CUTOFF_DAY = 27
SINCE_YEAR, SINCE_TERM = N_("Luỹ kế từ đầu năm"), N_("Luỹ kế từ đầu nhiệm kỳ")


@dataclass(frozen=True)
class Period:
    """A stretch of days, both included."""

    first_on: date
    last_on: date

    @property
    def days(self) -> int:
        """How many days, both ends counted."""
        return (self.last_on - self.first_on).days + 1


def check_period(first_on: date, last_on: date) -> Period:
    """Refuse a period that ends before it begins, or is longer than a lifetime of records."""
    if last_on < first_on:
        raise Malformed(N_("Ngày cuối phải từ ngày đầu trở đi. Hãy sửa lại khoảng thời gian."))
    if first_on.year not in YEARS or last_on.year not in YEARS:
        raise Malformed(N_("Năm không hợp lý. Hãy chọn ngày từ năm 1900 đến năm 2100."))
    if last_on.year - first_on.year > 50:
        raise Malformed(N_("Khoảng thời gian quá 50 năm. Hãy chọn ngắn lại."))
    return Period(first_on, last_on)


def period_around(
    kind: str, today: date, term_starts_on: date = FIRST_TERM, cutoff_day: int = 0
) -> Period:
    """The whole period of a kind that a day lies in; terms follow one another every five years.

    With a cut-off day (ngày chốt số liệu, 1 to 27) a month runs from the day after it to that day
    of the next month, and so do the periods made of months; a term keeps its own days.
    """
    if kind == "term":
        return _term_around(today, term_starts_on)
    counted = counting_month(today, cutoff_day)
    if kind == "nine":
        first, months = date(counted.year, 1, 1), 9
    else:
        months = {"month": 1, "quarter": 3, "half": 6, "year": 12}[kind]
        first = date(counted.year, (counted.month - 1) // months * months + 1, 1)
    return Period(_begins(first, cutoff_day), _begins(_after(first, months), cutoff_day) - DAY)


def earlier_terms(today: date, term_starts_on: date = FIRST_TERM) -> list[Period]:
    """The terms before the one that a day lies in, the latest first, back to the first one kept."""
    found = []
    term = _term_around(today, term_starts_on)
    while term.first_on > term_starts_on:
        term = _term_around(term.first_on - DAY, term_starts_on)
        found.append(term)
    return found


def same_period_before(period: Period) -> Period:
    """Cùng kỳ: the same days a year earlier, or as many years as the period is long."""
    years = years_to_same_before(period)
    return Period(_years_back(period.first_on, years), _last_back(period.last_on, years))


def years_to_same_before(period: Period) -> int:
    """How many years lie between a period and the same days of before."""
    return max(1, round(period.days / 365.25))


def months_of(period: Period, cutoff_day: int = 0) -> list[date]:
    """The first days of the months in which a period's days are counted, in order."""
    month, last = (counting_month(day, cutoff_day) for day in (period.first_on, period.last_on))
    found = [month]
    while found[-1] < last:
        found.append(_after(found[-1], 1))
    return found


def since(period: Period, term_starts_on: date = FIRST_TERM) -> tuple[str, Period]:
    """Luỹ kế: from the year's first day for what is shorter than a year, else from the term's."""
    if period.days < 360:
        year = max(period.last_on.year, period.first_on.year)
        first = min(date(year, 1, 1), period.first_on)
        return SINCE_YEAR, Period(first, period.last_on)
    first = min(_term_around(period.last_on, term_starts_on).first_on, period.first_on)
    return SINCE_TERM, Period(first, period.last_on)


DAY = timedelta(days=1)


def counting_month(today: date, cutoff_day: int) -> date:
    """The first day of the calendar month that a day is counted in."""
    first = today.replace(day=1)
    return _after(first, 1) if cutoff_day and today.day > cutoff_day else first


def _begins(month: date, cutoff_day: int) -> date:
    """The first day counted in a month."""
    if not cutoff_day:
        return month
    return (month - DAY).replace(day=cutoff_day) + DAY


def _after(first: date, months: int) -> date:
    place = first.month - 1 + months
    return date(first.year + place // 12, place % 12 + 1, 1)


def _years_back(day: date, years: int) -> date:
    last = monthrange(day.year - years, day.month)[1]
    return day.replace(year=day.year - years, day=min(day.day, last))


def _last_back(day: date, years: int) -> date:
    """The last day of a month stays the last: 28 February answers to the 29th of a leap year."""
    if (day + DAY).day == 1:
        last = monthrange(day.year - years, day.month)[1]
        return day.replace(year=day.year - years, day=last)
    return _years_back(day, years)


def _term_around(today: date, starts_on: date) -> Period:
    terms = (today.year - starts_on.year) // TERM_YEARS
    first = starts_on.replace(year=starts_on.year + terms * TERM_YEARS)
    if today < first:
        first = first.replace(year=first.year - TERM_YEARS)
    return Period(first, first.replace(year=first.year + TERM_YEARS) - DAY)
