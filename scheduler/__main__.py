"""`python -m scheduler`: ticks in the foreground until it is asked to stop, and then ends cleanly."""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from flask import Flask

from app import create_app
from rules.clock import TICK_SECONDS, was_silent_too_long
from rules.refusals import Refusal
from scheduler.jobs import EVERY_TICK, ONCE_A_DAY, SLOW, EveryTick, Slotted
from scheduler.trigger import EverySeconds
from scheduler.wall import ClockJumped, Wall
from scheduler.watch import Watch
from services import clock, delivery, installation, monitoring, reminders, schema, sending
from services.ledger import Ledger
from services.transaction import DATABASE_FAILURES, reading

SEND_SECONDS = 2
SENDERS = 3
THREADS = 8
STOP_SECONDS = 20.0
log = logging.getLogger("scheduler")


def _now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Ticks and sends, each work on a thread of its own; what is due stands in the database.

    `now` is the wall clock; `jobs` and `slotted` are the timetable; `senders` send at once, each on
    a connection of its own and all through one ledger. Several machines on one PostgreSQL go by
    its clock, unless told not to.
    """

    def __init__(
        self,
        app: Flask,
        *,
        now: Callable[[], datetime] = _now,
        jobs: Sequence[EveryTick] = EVERY_TICK,
        slotted: Sequence[Slotted] = (*ONCE_A_DAY, *SLOW),
        senders: int = SENDERS,
        tick_seconds: float = TICK_SECONDS,
        goes_by_database: bool = True,
    ) -> None:
        self.app = app
        self.name = clock.clock_name()
        self.wall = Wall(now)
        self.jobs, self.slotted, self.tick_seconds = jobs, slotted, tick_seconds
        self.stopping = Event()
        self.watch = Watch()
        self.done: set[tuple[str, datetime]] = set()
        self.goes_by_database = goes_by_database
        self.has_begun = self.is_held = False
        self.ledger = Ledger()
        self.transports = [delivery.transport() for _ in range(senders)]
        # In memory and only a clock: a stored job list would be a second truth beside the rows.
        self.scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> None:
        """Tick until stopped; returns once the work in hand is finished."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._guarded("installation", installation.settle)
        self._guarded("usual rules", lambda: reminders.make_usual_rules(now=self.wall.now()))
        self.heartbeat()
        first = datetime.now(UTC)
        for name, work in self._works():
            every = EverySeconds(self.tick_seconds)
            self.scheduler.add_job(work, every, id=name, next_run_time=first)
        threads = [
            Thread(target=self._send_on, args=(transport,), name=f"sender-{number}")
            for number, transport in enumerate(self.transports)
        ]
        for watch in (self._watch_over, self._wake):
            Thread(target=watch, daemon=True, name=watch.__name__.strip("_")).start()
        for thread in threads:
            thread.start()
        log.info("clock %s started", self.name)
        self.scheduler.start()
        for thread in threads:
            thread.join()
        log.info("clock %s stopped", self.name)

    def _works(self) -> list[tuple[str, Callable[[], None]]]:
        """Everything that ticks, apart from each other: what hangs or fails holds up nothing else."""
        works: list[tuple[str, Callable[[], None]]] = [("heartbeat", self.heartbeat)]
        works += [(job.name, partial(self._run_job, job)) for job in self.jobs]
        works += [(job.name, partial(self._run_slotted, job)) for job in self.slotted]
        return works

    def tick(self) -> None:
        """Do once, one after the other, all that a tick does."""
        for _, work in self._works():
            work()

    def heartbeat(self) -> None:
        """Say that the clock is alive, and judge whether its time can be believed."""
        self._guarded("heartbeat", self._beat)
        self.watch.beats()

    def _beat(self) -> None:
        self.wall.settle(self._correct)
        self._judge_time()
        clock.record_tick(self.name, now=self.wall.raw(), trouble=self._trouble())

    def _correct(self, shown: datetime) -> datetime:
        return clock.database_now(now=shown) if self.goes_by_database else shown

    def _judge_time(self) -> None:
        """Hold everything after a leap of a day or more; go on when it was put back or confirmed."""
        shown = self.wall.raw()
        leap = self.wall.leap()
        if not self.has_begun:
            last = clock.last_tick_at()
            leap = (last, shown) if last and was_silent_too_long(last, shown) else leap
        if leap is not None and not self.is_held:
            clock.hold(*leap, now=shown)
            log.critical("the clock leapt from %s to %s: everything is held", *leap)
        elif clock.release_if_put_back(now=shown):
            log.warning("the clock was put back: going on")
        was_held, self.is_held = self.is_held, clock.is_held(reading())
        if was_held and not self.is_held:
            self.wall.trust()
        self.has_begun = True

    def _trouble(self) -> str:
        """What is wrong with this clock, for the banner; nothing while all is well."""
        found = self.watch.troubles()
        if abs(self.wall.correction) > timedelta(seconds=60):
            seconds = round(self.wall.correction.total_seconds())
            found.append(f"Đồng hồ máy {self.name} lệch {seconds} giây so với cơ sở dữ liệu.")
        return " ".join(found)

    def _run_job(self, job: EveryTick) -> None:
        if not self.is_held:
            self._guarded(job.name, lambda: self._timed(job))

    def _timed(self, job: EveryTick) -> None:
        with monitoring.timed_job(job.name):
            job.run(self.wall.now())

    def _run_slotted(self, job: Slotted) -> None:
        if not self.is_held:
            self._guarded(job.name, lambda: self._due_slots(job))

    def _due_slots(self, job: Slotted) -> None:
        for slot in job.when.slots(self.wall.now()):
            if (job.name, slot) not in self.done and not self.stopping.is_set():
                with monitoring.timed_job(job.name):
                    job.run(slot, self.wall.now())
                self.done.add((job.name, slot))

    def _send_on(self, transport: delivery.Transport) -> None:
        """Send what is due, batch after batch, until the clock stops; then say goodbye."""
        while not self.stopping.is_set():
            sent: list[sending.Sent] = []
            if not (self.is_held or self._must_pause()):
                self._guarded("send", lambda sent=sent: sent.append(self._batch(transport)))  # type: ignore[misc]  # a default binds the loop variable
            if not sent or not (sent[0].sent or sent[0].dropped):
                self.stopping.wait(SEND_SECONDS)
        transport.close()

    def _batch(self, transport: delivery.Transport) -> sending.Sent:
        with monitoring.timed_job("send"):
            return sending.send_due(
                transport, clock=self.wall.believed, stopping=self._must_pause, ledger=self.ledger
            )

    def _must_pause(self) -> bool:
        return self.stopping.is_set() or self.wall.leap() is not None

    def _guarded(self, name: str, work: Callable[[], object]) -> bool:
        """Run in an app context of its own; a failure is logged and tried again on the next tick."""
        with self.watch.over(name) as seen:
            try:
                with self.app.app_context():
                    work()
            except ClockJumped as error:
                log.critical("%s not done, the clock leapt: %s", name, error)
                return False
            except Exception as error:
                seen.fails(error)
                log.exception("%s failed; trying again on the next tick", name)
                return False
        return True

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        """Ask the work in hand to finish; from a thread, since the scheduler waits in this one."""
        if not self.stopping.is_set():
            self.stopping.set()
            for transport in self.transports:
                transport.hurry(STOP_SECONDS)
            Thread(target=self._shut_down).start()

    def _shut_down(self) -> None:
        """End the scheduler once it has begun: a stop may come while the clock still starts."""
        while not self.scheduler.running:
            time.sleep(0.05)
        self.scheduler.shutdown(wait=True)

    def _watch_over(self) -> None:
        """End the process when it is stuck: its supervisor starts another.

        Only a watch on the monotonic time notices that the scheduler's thread is dead or that its
        database will never answer. It asks nothing of the scheduler, which may hold its locks.
        """
        while not self.stopping.wait(min(5.0, self.tick_seconds)):
            if reason := self.watch.stuck():
                log.critical("%s: ending", reason)
                os._exit(Watch.STUCK)

    def _wake(self) -> None:
        """Wake a scheduler whose wall clock was put back.

        APScheduler waits for wall-clock times: five minutes back would be five minutes of silence.
        """
        while not self.stopping.wait(min(5.0, self.tick_seconds)):
            latest = datetime.now(UTC) + timedelta(seconds=self.tick_seconds + 1)
            for job in self.scheduler.get_jobs():
                if job.next_run_time is not None and job.next_run_time > latest:
                    job.modify(next_run_time=datetime.now(UTC))


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
