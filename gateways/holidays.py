"""What the calendar says of a day: a holiday, a weekend, or a Saturday swapped for a work day.

The library knows lunar Tết and most official days; the swaps the government announces later are
given as overrides, which always win. Days are for warning, never for forbidding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import holidays

HOLIDAY = "holiday"
WEEKEND = "weekend"
WORKING_SATURDAY = "working_saturday"
_SATURDAY = 5


@dataclass(frozen=True)
class DayNote:
    """`kind` is holiday, weekend or working_saturday; `name` is Vietnamese, ready to show."""

    kind: str
    name: str

    @property
    def is_off(self) -> bool:
        """Whether people are off work that day."""
        return self.kind != WORKING_SATURDAY


@dataclass(frozen=True)
class Override:
    """A day the office has corrected: "holiday" makes it one, "working" makes it a work day."""

    on: date
    kind: str
    name: str


DEFAULT_OVERRIDES = (
    Override(date(2026, 1, 2), "holiday", "Nghỉ Tết Dương lịch (hoán đổi với thứ Bảy 10/01/2026)"),
    Override(date(2026, 1, 10), "working", "Làm bù cho thứ Sáu 02/01/2026"),
)


def day_note(on: date, overrides: Iterable[Override] = DEFAULT_OVERRIDES) -> DayNote | None:
    """What is special about a day, or None for an ordinary working day."""
    return _day_note(on, {override.on: override for override in overrides})


def day_notes(
    first: date, last: date, overrides: Iterable[Override] = DEFAULT_OVERRIDES
) -> dict[date, DayNote]:
    """The special days between two dates, both included."""
    corrected = {override.on: override for override in overrides}
    days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    found = {day: _day_note(day, corrected) for day in days}
    return {day: note for day, note in found.items() if note is not None}


def holidays_between(
    first: date, last: date, overrides: Iterable[Override] = DEFAULT_OVERRIDES
) -> dict[date, str]:
    """The public holidays alone, as recurring meetings leave them out."""
    notes = day_notes(first, last, overrides)
    return {day: note.name for day, note in notes.items() if note.kind == HOLIDAY}


def _day_note(on: date, overrides: dict[date, Override]) -> DayNote | None:
    override = overrides.get(on)
    if override is not None and override.kind == "holiday":
        return DayNote(HOLIDAY, override.name)
    if override is not None:
        return DayNote(WORKING_SATURDAY, override.name) if on.weekday() == _SATURDAY else None
    calendar = _vietnam(on.year)
    if on in calendar:
        return DayNote(HOLIDAY, calendar[on])
    if on in calendar.weekend_workdays:
        return DayNote(WORKING_SATURDAY, "Thứ Bảy làm bù")
    if on.weekday() == _SATURDAY:
        return DayNote(WEEKEND, "Thứ Bảy")
    return DayNote(WEEKEND, "Chủ nhật") if on.weekday() > _SATURDAY else None


@cache
def _vietnam(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("VN", language="vi", years=year, expand=False)
