"""Promised mail while senders and producers are killed, the mail server lies and the database restarts."""

import argparse
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from app import create_app
from models import OutgoingMessage, db
from scheduler.__main__ import SENDERS
from torture.outcome import Outcome
from torture.sink import USUAL_FAULTS, Taken, run_sink, set_faults, struck, taken
from torture.stage import (
    FastClock,
    Stage,
    add_database,
    free_port,
    stage,
    wait_for_work,
    wait_until,
)
from torture.workers import build_small_city, has_sent, in_hand, run_producer, run_scheduler

NAME = "outbox"
QUICK = [
    ("--db", "sqlite", "--kills", "40", "--faults"),
    ("--db", "postgresql", "--kills", "40", "--restarts", "3"),
    ("--db", "sqlite", "--stops", "20"),
    ("--db", "sqlite", "--kills", "40", "--faults", "--naive"),
]
FULL = [
    ("--db", "sqlite", "--kills", "300", "--ack-ms", "20"),
    ("--db", "sqlite", "--kills", "300", "--ack-ms", "20", "--faults"),
    ("--db", "postgresql", "--kills", "300", "--ack-ms", "20", "--restarts", "20"),
    ("--db", "sqlite", "--stops", "150"),
    ("--db", "postgresql", "--stops", "150"),
    ("--db", "sqlite", "--kills", "100", "--faults", "--naive"),
]
SENDING = ("queued", "failed", "claimed", "sending")
VISIBLE = ("dead", "in_doubt", "dropped")
IDLE_SECONDS = 120
"""How long nothing may leave, at the end, while something waits."""
GAP = (0.15, 0.6)
"""Seconds between a process's first work and its end."""
STOP_SECONDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many are killed or stopped, what else goes wrong, and how fast time passes."""
    add_database(parser)
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs of senders and producers")
    parser.add_argument("--stops", type=int, default=0, help="SIGTERMs of senders")
    parser.add_argument("--restarts", type=int, default=0, help="crashes of PostgreSQL")
    parser.add_argument("--workers", type=int, default=3, help="schedulers at once")
    parser.add_argument("--ack-ms", type=int, default=20, help="the mail server's time to say 250")
    parser.add_argument("--faults", action="store_true", help="the mail server misbehaves")
    parser.add_argument("--naive", action="store_true", help="senders mark first: losses must show")
    parser.add_argument(
        "--speed", type=float, default=20.0, help="how fast the programs' time runs"
    )


def run(options: argparse.Namespace) -> Outcome:
    """Kill until done, wait until the outbox is quiet, and compare promises with deliveries."""
    port = free_port()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_STARTTLS": "0"}
    mail |= {"MAIL_FROM": "ban@torture.invalid", "MAIL_RATE_PER_MINUTE": "100000"}
    with stage(options, **mail) as made:
        play = Play(made, options, port)
        play.prepare()
        play.disturb()
        play.settle()
        return play.verdict()


class Sender(NamedTuple):
    """A scheduler's process, and the file where it notes what it sends."""

    process: ForkServerProcess
    report: Path


class Play:
    """One run: who is on stage, what was done to them, and what came of it."""

    def __init__(self, made: Stage, options: argparse.Namespace, port: int) -> None:
        self.made, self.options, self.port = made, options, port
        self.clock = FastClock(time.time(), options.speed)
        self.record, self.promises = made.folder / "taken", made.folder / "promised"
        self.workers: list[Sender] = []
        self.producer: ForkServerProcess | None = None
        self.promised_before = 0
        self.waits: list[float] = []
        self.hit_in_hand = 0
        self.killed: Counter[str] = Counter()
        self.slow_stops: list[float] = []
        self.restarted: list[float] = []
        self.quiet = False
        self.numbers = count()

    def prepare(self) -> None:
        """Build the city, then raise the curtain: sink, senders, producer."""
        app = create_app()
        with app.app_context():
            build_small_city()
            db.session.remove()
            db.engine.dispose()
        self.app = app
        ack_seconds = self.options.ack_ms / 1000
        self.made.start(run_sink, self.port, self.record, ack_seconds, self.options.seed)
        wait_until(self._sink_answers, 20)
        set_faults(self.port, USUAL_FAULTS if self.options.faults else {})
        self.workers = [self._worker() for _ in range(self.options.workers)]
        self._produce()

    def _sink_answers(self) -> bool:
        try:
            set_faults(self.port, {})
        except OSError:
            return False
        return True

    def _worker(self) -> Sender:
        report = self.made.folder / f"report-{next(self.numbers)}"
        process = self.made.start(run_scheduler, self.clock, self.options.naive, report)
        return Sender(process, report)

    def _produce(self) -> None:
        number = int(time.monotonic() * 1000)
        self.promised_before = self._promised_bytes()
        self.producer = self.made.start(run_producer, self.clock, self.promises, number, 0.02)

    def disturb(self) -> None:
        """Kill or stop one process after the other, at random moments, and crash the database."""
        events = max(self.options.kills, self.options.stops)
        crash_at = {
            round((number + 0.5) * events / self.options.restarts)
            for number in range(self.options.restarts)
        }
        for number in range(events):
            if number in crash_at and self.made.cluster is not None:
                time.sleep(self.made.random.uniform(*GAP))
                self.restarted.append(time.monotonic())
                self.made.cluster.crash()
            if number < self.options.kills:
                self._kill_one()
            else:
                self._stop_one()

    def _kill_one(self) -> None:
        if self.made.random.random() < 0.15 and self.producer is not None:
            self._until(lambda: self._promised_bytes() > self.promised_before, "the producer")
            self.made.kill(self.producer)
            self.killed["producer"] += 1
            self._produce()
            return
        place = self._victim()
        victim = self.workers[place]
        if self.made.random.random() < 0.5:
            # Any moment, or every other time the worst: the server has it, and nobody has noted so.
            wait_until(lambda: in_hand(victim.report) > 0, 2, 0.002)
        self.made.kill(victim.process)
        self.killed["worker"] += 1
        self.hit_in_hand += in_hand(victim.report) > 0
        self.workers[place] = self._worker()

    def _victim(self) -> int:
        """One of the senders that have sent something since they started, in the middle of more."""

        def at_work() -> list[int]:
            return [n for n, one in enumerate(self.workers) if has_sent(one.report)]

        self._until(lambda: bool(at_work()), "a sender")
        return self.made.random.choice(at_work())

    def _until(self, works: Callable[[], bool], what: str) -> None:
        """Wait until it works, then a random while longer: what dies, dies in the middle of work."""
        self.waits.append(wait_for_work(works, what))
        time.sleep(self.made.random.uniform(*GAP))

    def _promised_bytes(self) -> int:
        return self.promises.stat().st_size if self.promises.exists() else 0

    def _stop_one(self) -> None:
        place = self._victim()
        worker, began = self.workers[place].process, time.monotonic()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGTERM)
        worker.join(STOP_SECONDS)
        if worker.exitcode != 0:
            self.slow_stops.append(time.monotonic() - began)
            self.made.kill(worker)
        else:
            self.made.processes.remove(worker)
        self.killed["stopped"] += 1
        self.workers[place] = self._worker()

    def settle(self) -> None:
        """End the producer and the faults, and let the senders finish what is left."""
        assert self.producer is not None
        self.made.kill(self.producer)
        set_faults(self.port, {})
        seen, since = (0, 0), time.monotonic()
        while not self.quiet and time.monotonic() < since + IDLE_SECONDS:
            time.sleep(1)
            now_seen = (self._unfinished(), len(taken(self.record)))
            self.quiet = now_seen[0] == 0
            if now_seen != seen:
                seen, since = now_seen, time.monotonic()

    def _unfinished(self) -> int:
        with self.app.app_context():
            query = select(func.count()).where(OutgoingMessage.state.in_(SENDING))
            count = db.session.scalar(query) or 0
            db.session.remove()
            return count

    def verdict(self) -> Outcome:
        """Compare what was promised with what the sink took and what the rows say."""
        copies: dict[str, list[Taken]] = {}
        for one in taken(self.record):
            copies.setdefault(one.message_id, []).append(one)
        promised = set(self.promises.read_text().split())
        with self.app.app_context():
            rows = {row.message_id: row for row in db.session.scalars(select(OutgoingMessage))}
            db.session.remove()
        visible = {name for name, row in rows.items() if row.state in VISIBLE}
        lost = sorted(promised - set(copies) - visible)
        held = [rows[name] for name in visible if rows[name].state == "in_doubt"]
        extra = {name: len(found) - 1 for name, found in copies.items() if len(found) > 1}
        faults = struck(self.record)
        outcome = Outcome(
            promised=len(promised),
            delivered=len(promised & set(copies)),
            lost=len(lost),
            duplicated=sum(extra.values()),
            max_copies=max((len(found) for found in copies.values()), default=0),
            in_doubt=len(held),
            recovery_seconds=self._recovery(),
            figures={
                "killed": dict(self.killed),
                "killed_with_mail_in_hand": self.hit_in_hand,
                "longest_wait_for_work_seconds": round(max(self.waits, default=0), 1),
                "restarts": len(self.restarted),
                "faults": faults,
                "dead": sum(row.state == "dead" for row in rows.values()),
                "dropped": sum(row.state == "dropped" for row in rows.values()),
                "in_doubt_delivered": sum(row.message_id in copies for row in held),
                "duplicated_kinds": dict(Counter(rows[n].kind for n in extra if n in rows)),
            },
        )
        if self.options.naive:
            outcome.require(bool(lost), "marking before sending lost nothing: the suite is blind")
            return outcome
        self._require(outcome, copies, rows, extra)
        return outcome

    def _require(
        self,
        outcome: Outcome,
        copies: dict[str, list[Taken]],
        rows: dict[str, OutgoingMessage],
        extra: dict[str, int],
    ) -> None:
        """The promises of a run; duplicates come from kills and from answers the server withheld."""
        faults = struck(self.record)
        crashes = self.killed["worker"] + len(self.restarted) * self.options.workers
        bound = crashes * SENDERS + faults.get("drop_before_250", 0)
        outcome.require(self.quiet, f"nothing left for {IDLE_SECONDS} s, and something waited")
        outcome.require(outcome.lost == 0, f"{outcome.lost} promised messages are lost")
        outcome.require(
            outcome.duplicated <= bound, f"{outcome.duplicated} duplicates, at most {bound} allowed"
        )
        differing = [n for n, found in copies.items() if len({one.digest for one in found}) > 1]
        outcome.require(not differing, f"{len(differing)} duplicates differ in their bytes")
        unknown = set(copies) - set(rows)
        outcome.require(not unknown, f"{len(unknown)} messages left under an unknown Message-ID")
        never_twice = [n for n in extra if n in rows and rows[n].kind in ("sign_in", "notice")]
        outcome.require(not never_twice, f"{len(never_twice)} held kinds went twice")
        early = overtaken(copies, list(rows.values()))
        outcome.require(not early, f"{early} cancellations overtook their invitation")
        outcome.require(not self.slow_stops, f"{len(self.slow_stops)} stops took over 30 s")

    def _recovery(self) -> float | None:
        """The longest time from a crash of the database to the next message taken."""
        times = [one.at for one in taken(self.record)]
        after = [
            min((at - crash for at in times if at > crash), default=0.0) for crash in self.restarted
        ]
        return round(max(after), 1) if after else None


def overtaken(copies: dict[str, list[Taken]], rows: Sequence[OutgoingMessage]) -> int:
    """Count the cancellations that arrived before the invitation they take back."""
    asked: dict[tuple[int | None, int | None, int | None], float] = {}
    for row in rows:
        if row.kind == "request" and row.message_id in copies:
            key = (row.meeting_id, row.person_id, row.speaker_id)
            asked[key] = copies[row.message_id][0].at
    return sum(
        copies[row.message_id][0].at < asked.get((row.meeting_id, row.person_id, row.speaker_id), 0)
        for row in rows
        if row.kind == "cancel" and row.message_id in copies
    )
