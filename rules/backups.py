"""Which backups are kept: some of the last hours, days and months, whatever else is there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from rules.days import local_day


@dataclass(frozen=True)
class Keep:
    """How many hours, days and months with a backup keep their newest one."""

    hourly: int = 24
    daily: int = 30
    monthly: int = 12


def superfluous(taken: Iterable[datetime], keep: Keep) -> set[datetime]:
    """Give the moments whose backups can go; the newest of all always stays.

    An hour, a local day and a local month without a backup do not count: after a long holiday of
    the machine the last 30 days on which it ran are still there.
    """
    newest_first = sorted(taken, reverse=True)
    periods: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (keep.hourly, lambda moment: moment.replace(minute=0, second=0, microsecond=0)),
        (keep.daily, local_day),
        (keep.monthly, lambda moment: local_day(moment).replace(day=1)),
    )
    kept = set(newest_first[:1])
    for most, period in periods:
        seen: set[object] = set()
        for moment in newest_first:
            if period(moment) not in seen and len(seen) < most:
                seen.add(period(moment))
                kept.add(moment)
    return set(newest_first) - kept
