"""When scheduled work is due: slots on the local calendar, each caught up with for a bounded time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from rules.days import instant, local_day

TICK_SECONDS = 10
SILENT_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class Daily:
    """Once a local day at a time; a missed slot is made up for within `catch_up`."""

    at: time
    catch_up: timedelta = timedelta(hours=12)
    weekday: int | None = None

    def slots(self, now: datetime) -> Iterator[datetime]:
        """The slots that are due now and not too old, oldest first; whether they ran is a row."""
        day = local_day(now - self.catch_up)
        while (slot := instant(day, self.at)) <= now:
            right_day = self.weekday is None or day.weekday() == self.weekday
            if right_day and now - slot <= self.catch_up:
                yield slot
            day += timedelta(days=1)


@dataclass(frozen=True)
class Hourly:
    """Once an hour, at its full hour; only the latest slot is made up for."""

    def slots(self, now: datetime) -> Iterator[datetime]:
        """The slot of the hour that has begun."""
        yield now.replace(minute=0, second=0, microsecond=0)


JUMP = timedelta(days=1)
LONG_SILENCE = timedelta(days=7)
SKEW = timedelta(seconds=60)


def jumps(passed: timedelta, steady: timedelta) -> bool:
    """Whether the wall clock leapt ahead by a day or more while `steady` really passed."""
    return passed - steady >= JUMP


def was_silent_too_long(last_tick_at: datetime | None, now: datetime) -> bool:
    """Whether a clock that starts finds the last sign of life too long ago to be believed.

    Three days without power are caught up with; a week, or years, may be a wrong clock.
    """
    return last_tick_at is not None and now - last_tick_at > LONG_SILENCE


def is_put_back(before: datetime, after: datetime, now: datetime) -> bool:
    """Whether a clock that had leapt from `before` to `after` shows a time near `before` again."""
    return now - before < after - now


def is_silent(last_tick_at: datetime | None, now: datetime) -> bool:
    """Whether the clock has been silent for too long; it then sends nothing."""
    return last_tick_at is None or now - last_tick_at > SILENT_AFTER


def reminder_slot(
    starts_at: datetime, minutes_before: int, *, published_at: datetime | None, now: datetime
) -> datetime | None:
    """Give when a reminder fell due, if it is due now; None when it is too early or too late.

    Nobody is reminded after the start, of a meeting published after the reminder was due (the
    invitation itself has just said it), or so late that the next reminder is nearer: at most half
    of its own distance, and never more than a day.
    """
    due = starts_at - timedelta(minutes=minutes_before)
    late_by = min(timedelta(minutes=minutes_before) / 2, timedelta(days=1))
    if not due <= now < starts_at or now - due > late_by:
        return None
    return due if published_at is None or published_at < due else None
