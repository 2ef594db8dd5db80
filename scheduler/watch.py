"""Who works, since when, and how often it failed: what the watchdog and the banner go by."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock


@dataclass
class Seen:
    """One kind of work as it was last seen; times are monotonic seconds."""

    began_at: float | None = None
    failures: int = 0
    error: str = ""

    def fails(self, error: Exception) -> None:
        """Note a failure; the next success forgets it."""
        self.failures += 1
        self.error = f"{type(error).__name__}: {error}"[:120]


class Watch:
    """Keeps a record of every work by its name."""

    STUCK = 70
    SILENT_SECONDS = 30.0
    HANGING_SECONDS = 240.0
    HOPELESS_SECONDS = 3600.0
    FAILURES = 3

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._lock = Lock()
        self._beat_at = time.monotonic()

    def beats(self) -> None:
        """The heartbeat came back, well or not: the database answers or refuses, it does not hang."""
        self._beat_at = time.monotonic()

    @contextmanager
    def over(self, name: str) -> Iterator[Seen]:
        """Note when a work begins and ends."""
        with self._lock:
            seen = self._seen.setdefault(name, Seen())
        seen.began_at, failures = time.monotonic(), seen.failures
        try:
            yield seen
        finally:
            seen.began_at = None
            if seen.failures == failures:
                seen.failures = 0

    def troubles(self) -> list[str]:
        """One sentence for each work that hangs or keeps failing."""
        with self._lock:
            seen = sorted(self._seen.items())
        found = []
        for name, one in seen:
            if one.began_at and time.monotonic() - one.began_at > self.HANGING_SECONDS:
                minutes = int((time.monotonic() - one.began_at) // 60)
                found.append(f"Việc “{name}” đã chạy {minutes} phút chưa xong.")
            elif one.failures >= self.FAILURES:
                found.append(f"Việc “{name}” lỗi {one.failures} lần liền ({one.error}).")
        return found

    def stuck(self) -> str:
        """Why the process should end, or nothing: no heartbeat, or a work that will never end."""
        now = time.monotonic()
        if now - self._beat_at > self.SILENT_SECONDS:
            return f"no heartbeat for {self.SILENT_SECONDS:.0f} s"
        with self._lock:
            seen = sorted(self._seen.items())
        for name, one in seen:
            if one.began_at and now - one.began_at > self.HOPELESS_SECONDS:
                return f"{name} has been running for {self.HOPELESS_SECONDS:.0f} s"
        return ""
