"""What time the clock believes: the wall clock's, put right by the database's, checked by a steady one."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from rules.clock import SKEW, jumps


class ClockJumped(Exception):
    """The wall clock leapt ahead by a day or more: nothing may be done in its name."""


class Wall:
    """A wall clock that refuses to tell the time once it has leapt ahead while the program ran.

    `correction` is what the database's clock shows beyond this machine's; zero without one.
    """

    def __init__(self, read: Callable[[], datetime]) -> None:
        self._read = read
        self._lock = Lock()
        self.correction = timedelta(0)
        self.step = timedelta(0)
        self._trust()

    def now(self) -> datetime:
        """The time, unless it cannot be believed; then ClockJumped."""
        shown, before, steady = self._look()
        if jumps(shown - before, steady):
            raise ClockJumped(f"{before:%d/%m/%Y %H:%M} → {shown:%d/%m/%Y %H:%M}")
        return shown

    def raw(self) -> datetime:
        """What the clock shows, believed or not."""
        return self._look()[0]

    def believed(self) -> datetime:
        """The time for work in hand, which is finished: after a leap, what it would be without."""
        leap = self.leap()
        return leap[0] if leap else self.raw()

    def leap(self) -> tuple[datetime, datetime] | None:
        """From when to when the clock has leapt; None while it can be believed."""
        shown, before, steady = self._look()
        return (before + steady, shown) if jumps(shown - before, steady) else None

    def settle(self, database_now: Callable[[datetime], datetime]) -> None:
        """Go by the database's clock from here on, and take a believable time as the new measure."""
        shown = self._read()
        correction = database_now(shown) - shown
        with self._lock:
            # A correction of a second or less is the way to the database and back.
            self.correction = correction if abs(correction) > timedelta(seconds=1) else timedelta(0)
        shown, before, steady = self._look()
        drift = shown - before - steady
        if not jumps(shown - before, steady):
            self.step = drift if abs(drift) > SKEW else self.step
            self._trust()

    def trust(self) -> None:
        """Believe what is shown now: an administrator has confirmed it, or it was put right."""
        self._trust()

    def _trust(self) -> None:
        with self._lock:
            self._before, self._steady = self._read() + self.correction, time.monotonic()

    def _look(self) -> tuple[datetime, datetime, timedelta]:
        with self._lock:
            steady = timedelta(seconds=time.monotonic() - self._steady)
            return self._read() + self.correction, self._before, steady
