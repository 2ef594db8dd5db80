"""Several clocks on one database while they are killed: every slot happens once, none is missed."""

import argparse
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess

from sqlalchemy import text

from app import create_app
from models import db
from scheduler.__main__ import Clock
from scheduler.jobs import Slotted
from services.clock import first_run
from services.transaction import writing
from torture.outcome import Outcome
from torture.stage import add_database, stage, wait_until

NAME = "clock"
SMOKE: list[tuple[str, ...]] = []
QUICK = [("--db", "sqlite", "--slots", "20"), ("--db", "postgresql", "--slots", "20")]
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
    """How many clocks, and for how many slots."""
    add_database(parser)
    parser.add_argument("--clocks", type=int, default=4)
    parser.add_argument("--slots", type=int, default=100, help="one a second")


def run_clock(first: datetime) -> None:
    """The program's clock with one more job, whose effect nothing but its slot keeps single."""
    logging.disable(logging.CRITICAL)
    app = create_app()

    def work(slot: datetime, now: datetime) -> None:
        with writing() as session:
            if first_run(session, "probe", slot, now=now):
                session.execute(
                    text("INSERT INTO probe (slot) VALUES (:slot)"), {"slot": int(slot.timestamp())}
                )

    probe = Slotted("probe", EverySecond(first), work)  # type: ignore[arg-type]
    Clock(app, jobs=(), slotted=(probe,), senders=1, tick_seconds=0.5).run()


def run(options: argparse.Namespace) -> Outcome:
    """Kill one clock after the other while the slots go by, then count what each slot did."""
    with stage(options) as made:
        app = create_app()
        with app.app_context():
            db.session.execute(text("CREATE TABLE probe (slot INTEGER NOT NULL)"))
            db.session.commit()
            db.session.remove()
            db.engine.dispose()
        made.warm_up()
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        last = first + timedelta(seconds=(options.slots - 1) * SLOT_SECONDS)
        clocks: list[ForkServerProcess] = [
            made.start(run_clock, first) for _ in range(options.clocks)
        ]
        kills = 0
        while datetime.now(UTC) < last:
            time.sleep(made.random.uniform(0.15, 0.6))
            place = made.random.randrange(len(clocks))
            made.kill(clocks[place])
            clocks[place], kills = made.start(run_clock, first), kills + 1

        def seen() -> Counter[int]:
            with app.app_context():
                rows = Counter(db.session.scalars(text("SELECT slot FROM probe")).all())
                db.session.remove()
            return rows

        wanted = {int(first.timestamp()) + number for number in range(options.slots)}
        wait_until(lambda: wanted <= set(seen()), 60, 0.5)
        found = seen()
    return _verdict(found, wanted, kills)


def _verdict(found: Counter[int], wanted: set[int], kills: int) -> Outcome:
    missed = wanted - set(found)
    doubled = [slot for slot, count in found.items() if count > 1]
    outcome = Outcome(
        promised=len(wanted),
        delivered=len(wanted & set(found)),
        lost=len(missed),
        duplicated=sum(found[slot] - 1 for slot in doubled),
        max_copies=max(found.values(), default=0),
        figures={"kills": kills},
    )
    outcome.require(kills > 0, "no clock was killed: nothing was tried")
    outcome.require(not missed, f"{len(missed)} slots were missed")
    outcome.require(not doubled, f"{len(doubled)} slots happened twice")
    return outcome
