"""Days as the users live them: the local date of an instant, and instants of local times."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")


def local_day(moment: datetime) -> date:
    """The date in Việt Nam at that instant."""
    return moment.astimezone(LOCAL).date()


def instant(day: date, at: time) -> datetime:
    """The instant (UTC) of a local date and time."""
    return datetime.combine(day, at, LOCAL).astimezone(UTC)


def holds(valid_from: date, valid_to: date | None, day: date) -> bool:
    """Whether a dated fact holds on a day; `valid_to` is the first day after."""
    return valid_from <= day and (valid_to is None or valid_to > day)
