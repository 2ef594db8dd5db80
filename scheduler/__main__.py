"""`python -m scheduler`: ticks in the foreground until it is asked to stop, and then ends cleanly."""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from flask import Flask

from app import create_app
from rules.clock import TICK_SECONDS
from scheduler.jobs import EVERY_TICK, ONCE_A_DAY
from services import clock, delivery, outbox, reminders

SEND_SECONDS = 2
WATCHDOG_SECONDS = 180.0
STUCK = 70
log = logging.getLogger("scheduler")


def _now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Ticks and sends, each on its own thread; what is due stands in the database, not here."""

    def __init__(self, app: Flask, *, now: Callable[[], datetime] = _now) -> None:
        self.app = app
        self.now = now
        self.name = clock.clock_name()
        self.stopping = Event()
        self.alive_at = time.monotonic()
        self.done: set[tuple[str, datetime]] = set()
        self.transport = delivery.transport()
        # In memory and only a clock: a stored job list would be a second truth beside the rows.
        self.scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> None:
        """Tick until stopped; returns once the work in hand is finished."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._guarded("usual rules", lambda: reminders.make_usual_rules(now=self.now()))
        first = datetime.now(UTC)
        for work, seconds in ((self.tick, TICK_SECONDS), (self.send, SEND_SECONDS)):
            self.scheduler.add_job(work, "interval", seconds=seconds, next_run_time=first)
        Thread(target=self._watch, daemon=True, name="watchdog").start()
        log.info("clock %s started", self.name)
        self.scheduler.start()
        self.transport.close()
        log.info("clock %s stopped", self.name)

    def tick(self) -> None:
        """Say that the clock is alive and look for what is due."""
        now = self.now()
        self._guarded("tick", lambda: clock.record_tick(self.name, now=now))
        for job in EVERY_TICK:
            self._guarded(job.name, lambda job=job: job.run(self.now()))  # type: ignore[misc]
        for daily in ONCE_A_DAY:
            for slot in daily.when.slots(now):
                if (daily.name, slot) not in self.done and not self.stopping.is_set():
                    work = lambda daily=daily, slot=slot: daily.run(slot, self.now())  # noqa: E731
                    if self._guarded(daily.name, work):
                        self.done.add((daily.name, slot))
        self.alive_at = time.monotonic()

    def send(self) -> None:
        """Send what is due, batch after batch, until nothing is left or the clock stops."""
        while not self.stopping.is_set():
            sent: list[outbox.Sent] = []
            self._guarded("send", lambda sent=sent: sent.append(self._batch()))  # type: ignore[misc]
            if not sent or not (sent[0].sent or sent[0].dropped):
                return

    def _batch(self) -> outbox.Sent:
        return outbox.send_due(self.transport, clock=self.now, stopping=self.stopping.is_set)

    def _guarded(self, name: str, work: Callable[[], object]) -> bool:
        """Run in an app context of its own; a failure is logged and tried again on the next tick."""
        try:
            with self.app.app_context():
                work()
        except Exception:
            log.exception("%s failed; trying again on the next tick", name)
            return False
        return True

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Ask the work in hand to finish; from a thread, since the scheduler waits in this one."""
        if not self.stopping.is_set():
            self.stopping.set()
            Thread(target=self.scheduler.shutdown, kwargs={"wait": True}).start()

    def _watch(self) -> None:
        """End the process when no tick has been completed for long: its supervisor starts another.

        The scheduler's own thread can die for good (a locked database is enough) while the
        process looks well; only a clock on the monotonic time notices.
        """
        while not self.stopping.wait(5):
            if time.monotonic() - self.alive_at > WATCHDOG_SECONDS:
                log.critical("no tick for %d seconds: ending", WATCHDOG_SECONDS)
                os._exit(STUCK)


def main() -> None:
    """Run the clock in the foreground."""
    argparse.ArgumentParser(
        prog="python -m scheduler",
        description="Chạy đồng hồ: gửi thư, nhắc lịch, dọn việc đến hạn. Dừng bằng Ctrl-C (SIGTERM).",
    ).parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s"
    )
    # A batch that takes longer than two seconds makes APScheduler warn of every tick it skips.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    Clock(create_app()).run()


if __name__ == "__main__":
    main()
