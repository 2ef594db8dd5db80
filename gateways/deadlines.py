"""A deadline for each of many works done one after the other, watched by one thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread, current_thread


class Deadline:
    """Cuts short whatever is still being done when its time is over.

    A timer of its own for each message would start a thread each time, which costs as much as all
    the rest of handing a message over. This thread sleeps until the deadline it knows of and looks
    what the deadline is by then; it is woken only for an earlier one.
    """

    def __init__(self, cut: Callable[[], None]) -> None:
        self.is_over = False
        self._cut = cut
        self._changed = Condition()
        self._ends_at: float | None = None
        self._wakes_at: float | None = None
        self._thread: Thread | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what is done inside so many seconds; `is_over` says afterwards whether it was cut."""
        self._expect(time.monotonic() + seconds)
        try:
            yield
        finally:
            with self._changed:
                self._ends_at = None

    def end(self) -> None:
        """Let the thread go; the next work starts another."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def _expect(self, ends_at: float) -> None:
        with self._changed:
            self.is_over = False
            self._ends_at = ends_at
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="deadline", daemon=True)
                self._thread.start()
            elif self._wakes_at is None or self._wakes_at > ends_at:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is current_thread():
                now = time.monotonic()
                if self._ends_at is not None and self._ends_at <= now:
                    self.is_over, self._ends_at = True, None
                    self._cut()
                self._wakes_at = self._ends_at
                self._changed.wait(None if self._ends_at is None else self._ends_at - now)
