"""Days as the users live them: the local date of an instant, and instants of local times."""

import os
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

VIETNAM = "Asia/Ho_Chi_Minh"


def _chosen_zone() -> ZoneInfo:
    """The zone that the setting TIMEZONE names; `config.py` refuses a wrong name at the start."""
    name = os.environ.get("TIMEZONE", "").strip()
    return ZoneInfo(name if name in available_timezones() else VIETNAM)


LOCAL = _chosen_zone()
YEARS = range(1900, 2101)


def local_day(moment: datetime) -> date:
    """The local date at that instant: in Việt Nam, unless TIMEZONE says otherwise."""
    return moment.astimezone(LOCAL).date()


def instant(day: date, at: time) -> datetime:
    """The instant (UTC) of a local date and time."""
    return datetime.combine(day, at, LOCAL).astimezone(UTC)


def holds(valid_from: date, valid_to: date | None, day: date) -> bool:
    """Whether a dated fact holds on a day; `valid_to` is the first day after."""
    return valid_from <= day and (valid_to is None or valid_to > day)


def written_day(text: str) -> date:
    """The day that an address or a command writes as 2026-11-26, years 1900 to 2100.

    Raises ValueError for anything else: further out, the day before or after may not exist.
    """
    day = date.fromisoformat(text)
    if day.year not in YEARS:
        raise ValueError(text)
    return day


def written_moment(text: str) -> datetime:
    """The same for a moment with its offset, 2026-11-26T07:30:00+07:00."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.year not in YEARS:
        raise ValueError(text)
    return moment
