"""PostgreSQL behind a wire that goes deaf, while mail leaves and pages are read: all go on by themselves."""

import argparse
import os
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any

from sqlalchemy import func, select

from app import create_app
from models import OutgoingMessage, db
from services.clock import last_tick_at
from tests.postgresql import USER
from torture.attack import server
from torture.deaf_wire import run_wire
from torture.outcome import Outcome
from torture.sink import run_sink, taken
from torture.stage import FastClock, Stage, free_port, stage, wait_for_work, wait_until
from torture.visitor import Visitor
from torture.workers import build_small_city, has_sent, run_producer, run_scheduler

NAME = "wire"
QUICK = [("--times", "2")]
FULL = [("--times", "10")]
RECOVERY_SECONDS = 30.0
WAITING = ("queued", "failed", "claimed", "sending")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often the wire goes deaf."""
    parser.add_argument("--times", type=int, default=10)
    parser.set_defaults(db="postgresql")


def run(options: argparse.Namespace) -> Outcome:
    """Let the wire go deaf again and again; measure until mail, the clock and pages go on."""
    sink_port, wire_port, options.database_port = free_port(), free_port(), free_port()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(sink_port), "SMTP_STARTTLS": "0"}
    mail |= {"MAIL_FROM": "ban@torture.invalid", "MAIL_RATE_PER_MINUTE": "100000"}
    with stage(options, **mail) as made:
        made.start(run_sink, sink_port, made.folder / "taken", 0.02, options.seed)
        made.start(run_wire, wire_port, options.database_port, made.folder / "deaf")
        return Wire(made, options).play(f"postgresql://{USER}@127.0.0.1:{wire_port}/torture")


class Wire:
    """One run: the suite and the producer speak to the database directly, the program by the wire."""

    def __init__(self, made: Stage, options: argparse.Namespace) -> None:
        self.made, self.options = made, options
        self.record, self.report = made.folder / "taken", made.folder / "report"
        self.clock = FastClock(time.time(), 20.0)
        self.app: Any = create_app()
        self.restarts = 0
        self.url = ""
        self.scheduler: ForkServerProcess | None = None

    def play(self, url: str) -> Outcome:
        """Start everything, break the wire, let what waits leave, and compare."""
        self.url = url
        promises = self.made.folder / "promised"
        with self.app.app_context():
            build_small_city()
            db.session.remove()
            db.engine.dispose()
        producer = self.made.start(run_producer, self.clock, promises, 1, 0.05)
        self._supervise()
        outcome = Outcome()
        with server(self.made, DATABASE_URL=url) as (port, _process, _log):
            waits = [self._deaf(port, outcome) for _ in range(self.options.times)]
        self.made.kill(producer)
        quiet = wait_until(self._is_quiet, 240, 1.0)
        outcome.require(quiet, "the outbox was not quiet after 240 s")
        for what in ("mail", "tick", "page"):
            outcome.figures[f"{what}, longest s"] = max(one[what] for one in waits)
        outcome.recovery_seconds = max(max(one.values()) for one in waits)
        self._compare(promises.read_text().split(), outcome)
        return outcome

    def _is_quiet(self) -> bool:
        self._supervise()
        return not self._unfinished()

    def _supervise(self) -> None:
        """Start the scheduler, and start it again when its own watchdog has ended it."""
        if self.scheduler is not None and self.scheduler.is_alive():
            return
        if self.scheduler is not None:
            self.made.processes.remove(self.scheduler)
            self.restarts += 1
        self.report.unlink(missing_ok=True)
        self.scheduler = self.made.start(run_by_wire, self.url, self.clock, self.report)

    def _deaf(self, port: int, outcome: Outcome) -> dict[str, float]:
        """Once; gives the seconds until each of mail, the clock and a page went on."""
        wait_for_work(lambda: has_sent(self.report), "the scheduler")
        wait_for_work(lambda: self._page(port), "the web server")
        time.sleep(self.made.random.uniform(0.5, 3.0))
        with (self.made.folder / "deaf").open("ab") as stream:
            stream.write(b"x")
        began, mailed, ticked = time.monotonic(), len(taken(self.record)), self._tick()
        goes_on: dict[str, Callable[[], bool]] = {
            "page": lambda: self._page(port),
            "mail": lambda: len(taken(self.record)) > mailed + 20,
            "tick": lambda: self._tick() != ticked,
        }
        waited: dict[str, float] = {}
        while goes_on and time.monotonic() < began + 4 * RECOVERY_SECONDS:
            self._supervise()
            for what in [what for what, holds in goes_on.items() if holds()]:
                waited[what] = round(time.monotonic() - began, 1)
                del goes_on[what]
            time.sleep(0.2)
        waited |= dict.fromkeys(goes_on, round(time.monotonic() - began, 1))
        slow = {what: wait for what, wait in waited.items() if wait > RECOVERY_SECONDS}
        outcome.require(not slow, f"not back within {RECOVERY_SECONDS:.0f} s: {slow}")
        return waited

    def _page(self, port: int) -> bool:
        """Whether a page that asks the database comes."""
        try:
            return Visitor(port).get("/healthz").status == 200
        except OSError:
            return False

    def _tick(self) -> Any:
        with self.app.app_context():
            found = last_tick_at()
            db.session.remove()
        return found

    def _unfinished(self) -> int:
        with self.app.app_context():
            waiting = OutgoingMessage.state.in_(WAITING)
            count = db.session.scalar(select(func.count()).where(waiting)) or 0
            db.session.remove()
        return count

    def _compare(self, promised: list[str], outcome: Outcome) -> None:
        copies: dict[str, list[str]] = {}
        for one in taken(self.record):
            copies.setdefault(one.message_id, []).append(one.digest)
        with self.app.app_context():
            held = set(
                db.session.scalars(
                    select(OutgoingMessage.message_id).where(
                        OutgoingMessage.state.in_(("in_doubt", "dead", "dropped"))
                    )
                )
            )
            db.session.remove()
        lost = set(promised) - copies.keys() - held
        outcome.promised, outcome.delivered = len(promised), len(copies.keys() & set(promised))
        outcome.lost, outcome.in_doubt = len(lost), len(held - copies.keys())
        outcome.duplicated = sum(len(found) - 1 for found in copies.values())
        outcome.max_copies = max((len(found) for found in copies.values()), default=0)
        outcome.figures |= {"deaf": self.options.times, "ended by the watchdog": self.restarts}
        outcome.require(not lost, f"{len(lost)} promised messages are lost")
        bound = 3 * self.options.times
        outcome.require(outcome.duplicated <= bound, f"{outcome.duplicated} duplicates")
        differ = sum(len(set(found)) > 1 for found in copies.values())
        outcome.require(not differ, f"{differ} duplicates differ in their bytes")


def run_by_wire(url: str, clock: FastClock, report: Any) -> None:
    """The scheduler of a machine that reaches the database by the wire."""
    os.environ["DATABASE_URL"] = url
    run_scheduler(clock, report=report)
