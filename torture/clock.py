"""Several clocks on one database while they are killed: every slot happens once, none is missed."""

import argparse
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from app import create_app
from models import db
from scheduler.__main__ import Clock
from scheduler.jobs import Slotted
from services.clock import first_run
from services.transaction import writing
from torture.outcome import Outcome
from torture.stage import Stage, add_database, stage, wait_for_work, wait_until
from torture.workers import has_sent, in_hand

NAME = "clock"
QUICK = [
    ("--db", "sqlite", "--slots", "20"),
    ("--db", "postgresql", "--slots", "20"),
    ("--db", "sqlite", "--slots", "5", "--naive"),
]
FULL = [("--db", "sqlite", "--slots", "100"), ("--db", "postgresql", "--slots", "100")]
SLOT_SECONDS = 1
CATCH_UP = timedelta(minutes=10)


@dataclass(frozen=True)
class EverySecond:
    """A slot a second from `first` on, made up for within ten minutes."""

    first: datetime

    def slots(self, now: datetime) -> Iterator[datetime]:
        """The slots due now, oldest first."""
        slot = max(self.first, now.replace(microsecond=0) - CATCH_UP)
        while slot <= now:
            yield slot
            slot += timedelta(seconds=SLOT_SECONDS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many clocks, for how many slots."""
    add_database(parser)
    parser.add_argument("--clocks", type=int, default=4)
    parser.add_argument("--slots", type=int, default=100, help="one a second, at least so many")
    parser.add_argument("--naive", action="store_true", help="no slot is claimed: it must show")


def run_clock(first: datetime, report: Path, naive: bool) -> None:
    """The program's clock with one more job, whose effect nothing but its slot keeps single."""
    logging.disable(logging.CRITICAL)
    app = create_app()
    noted = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def work(slot: datetime, now: datetime) -> None:
        os.write(noted, b"b")
        with writing() as session:
            if naive or first_run(session, "probe", slot, now=now):
                session.execute(
                    text("INSERT INTO probe (slot) VALUES (:slot)"), {"slot": int(slot.timestamp())}
                )
        os.write(noted, b"s")

    probe = Slotted("probe", EverySecond(first), work)  # type: ignore[arg-type]  # a timetable faster than any real one
    Clock(app, jobs=(), slotted=(probe,), senders=1, tick_seconds=0.5).run()


class Victim(NamedTuple):
    """A clock's process, and the file where it notes each slot it tried."""

    process: ForkServerProcess
    report: Path


def run(options: argparse.Namespace) -> Outcome:
    """Kill one clock after the other while the slots go by, then count what each slot did."""
    with stage(options) as made:
        app: Any = create_app()
        with app.app_context():
            db.session.execute(text("CREATE TABLE probe (slot INTEGER NOT NULL)"))
            db.session.commit()
            db.session.remove()
            db.engine.dispose()
        made.warm_up()
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        figures, last = _kill_clocks(made, options, first)

        def seen() -> Counter[int]:
            with app.app_context():
                rows = Counter(db.session.scalars(text("SELECT slot FROM probe")).all())
                db.session.remove()
            return rows

        wanted = set(range(int(first.timestamp()), int(last.timestamp()) + 1, SLOT_SECONDS))
        wait_until(lambda: wanted <= set(seen()), 60, 0.5)
        return _verdict(seen(), wanted, figures, naive=options.naive)


def _kill_clocks(
    made: Stage, options: argparse.Namespace, first: datetime
) -> tuple[dict[str, object], datetime]:
    """Kill clocks that have tried a slot, until the slots are over; gives the last slot.

    Slots go by until at least half as many clocks have died as slots were asked for.
    """
    numbers = count()

    def begin() -> Victim:
        report = made.folder / f"clock-{next(numbers)}"
        return Victim(made.start(run_clock, first, report, options.naive), report)

    last = first + timedelta(seconds=(options.slots - 1) * SLOT_SECONDS)
    clocks = [begin() for _ in range(options.clocks)]
    kills, hit = 0, 0
    while datetime.now(UTC) < last or kills < options.slots // 2:
        wait_for_work(lambda: any(has_sent(one.report) for one in clocks), "a clock")
        place = made.random.choice([n for n, one in enumerate(clocks) if has_sent(one.report)])
        victim = clocks[place]
        _random_moment(made.random, victim.report)
        made.kill(victim.process)
        kills, hit = kills + 1, hit + (in_hand(victim.report) > 0)
        clocks[place] = begin()
    figures: dict[str, object] = {"clocks": options.clocks, "kills": kills, "within_a_slot": hit}
    return figures, max(last, datetime.now(UTC) - timedelta(seconds=SLOT_SECONDS))


def _random_moment(chance: random.Random, report: Path) -> None:
    """Any moment, or every other time one at which a slot's transaction is open."""
    time.sleep(chance.uniform(0.15, 0.6))
    if chance.random() < 0.5:
        wait_until(lambda: in_hand(report) > 0, 2, 0.001)


def _verdict(
    found: Counter[int], wanted: set[int], figures: dict[str, object], *, naive: bool
) -> Outcome:
    missed = wanted - set(found)
    doubled = [slot for slot, times in found.items() if times > 1]
    outcome = Outcome(
        promised=len(wanted),
        delivered=len(wanted & set(found)),
        lost=len(missed),
        duplicated=sum(found[slot] - 1 for slot in doubled),
        max_copies=max(found.values(), default=0),
        figures=figures,
    )
    if naive:
        outcome.require(bool(doubled), "unclaimed slots happened once: the suite is blind")
        return outcome
    outcome.require(not missed, f"{len(missed)} slots were missed")
    outcome.require(not doubled, f"{len(doubled)} slots happened twice")
    return outcome
