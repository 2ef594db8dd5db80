"""`python -m scheduler`: ticks in the foreground until it is asked to stop, and then ends cleanly."""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Event, Thread
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from flask import Flask

from app import create_app
from rules.clock import TICK_SECONDS
from rules.refusals import Refusal
from scheduler.jobs import EVERY_TICK, ONCE_A_DAY, SLOW, Slotted
from services import clock, delivery, installation, monitoring, outbox, reminders, schema
from services.transaction import DATABASE_FAILURES

SEND_SECONDS = 2
UPKEEP_SECONDS = 30
WATCHDOG_SECONDS = 180.0
STUCK = 70
log = logging.getLogger("scheduler")


def _now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Ticks, sends and looks after backups, each on its own thread; what is due is a row, not here."""

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
            executors={"default": ThreadPoolExecutor(3)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> None:
        """Tick until stopped; returns once the work in hand is finished."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._guarded("installation", installation.settle)
        self._guarded("usual rules", lambda: reminders.make_usual_rules(now=self.now()))
        first = datetime.now(UTC)
        works = (
            (self.tick, TICK_SECONDS),
            (self.send, SEND_SECONDS),
            (self.upkeep, UPKEEP_SECONDS),
        )
        for work, seconds in works:
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
        self._run_slots(ONCE_A_DAY, now)
        self.alive_at = time.monotonic()

    def upkeep(self) -> None:
        """Do what takes long: reminders and mail go on beside it."""
        self._run_slots(SLOW, self.now())

    def _run_slots(self, jobs: Iterable[Slotted], now: datetime) -> None:
        for job in jobs:
            for slot in job.when.slots(now):
                if (job.name, slot) not in self.done and not self.stopping.is_set():
                    work = lambda job=job, slot=slot: job.run(slot, self.now())  # noqa: E731
                    if self._guarded(job.name, work):
                        self.done.add((job.name, slot))

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
            with self.app.app_context(), monitoring.timed_job(name):
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
    app = create_app()
    try:
        with app.app_context():
            schema.refuse_other_here()
    except Refusal as refusal:
        sys.exit(str(refusal))
    except DATABASE_FAILURES:
        log.exception("the database does not answer yet; the clock starts and tries again")
    Clock(app).run()


if __name__ == "__main__":
    main()
