"""When a work ticks next: so many seconds from now, whatever the wall clock has leapt over."""

from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger


class EverySeconds(BaseTrigger):
    """A tick every so many seconds, of which missed ones are never listed.

    APScheduler's own interval lists each missed run before it coalesces them: a machine whose clock
    is put three years ahead counts millions of ticks for every job, under the lock that all other
    work of the scheduler waits for (its issues 526 and 1066).
    """

    __slots__ = ("interval",)

    def __init__(self, seconds: float) -> None:
        self.interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Give the next tick after `previous`, counted from now when that has passed already."""
        if previous is None:
            return now
        planned = previous + self.interval
        return planned if planned > now else now + self.interval
