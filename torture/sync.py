"""Phones over a bad network while servers and phones are killed and registers locked: no mark is lost."""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from multiprocessing.context import ForkServerProcess
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from models import Mark, Membership, RegisterLine, Unit, db
from rules.permissions import SYSTEM
from rules.refusals import Refusal
from services import attendance, attendance_states, meeting_links, meetings
from tests.world import add_meeting, add_person, build_world
from torture.bad_network import run_network
from torture.outcome import Outcome
from torture.phones import HAS_IT, Plan, entries, run_phone
from torture.stage import ROOT, Stage, add_database, free_port, stage, wait_for_work, wait_until
from torture.visitor import Visitor

NAME = "sync"
QUICK = [
    ("--db", "sqlite", "--seconds", "25", "--phones", "5"),
    ("--db", "sqlite", "--seconds", "10", "--phones", "4", "--naive"),
]
FULL = [
    ("--db", "sqlite", "--seconds", "150"),
    ("--db", "postgresql", "--seconds", "150"),
    ("--db", "sqlite", "--seconds", "20", "--naive"),
]
MEETINGS, PEOPLE = 5, 300
CLOCKS = (0, 0, 0, 600, -86_400, 7 * 86_400, -7 * 86_400, 25_200)
"""How many seconds each phone's clock is off, one after the other."""
DELIVERY_SECONDS = 300
APART_SECONDS = 5.0
"""Marks closer than a request takes on a busy machine have no order that anybody could know."""
LEAST = 2
"""Kills of each kind in the shortest run."""
Deed = Callable[[int, dict[str, Any]], None]
NEEDS_A_LOOK = {"conflict", "after_lock", "late"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many phones, for how long, and whether they are careless ones."""
    add_database(parser)
    parser.add_argument("--phones", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--naive", action="store_true", help="careless phones: losses must show")


def run(options: argparse.Namespace) -> Outcome:
    """Tap, kill, lock, cancel and revoke for the set time, deliver what waits, and compare."""
    with stage(options) as made:
        evening = Evening(made, options)
        evening.prepare()
        evening.disturb()
        evening.settle()
        return evening.verdict()


@dataclass
class Holder:
    """A phone: what it is told at its start, its process, and its journal's length at that start."""

    plan: Plan
    process: ForkServerProcess
    length: int = 0


class Evening:
    """One run: some registers, the phones that take them, and what happens to all of them."""

    def __init__(self, made: Stage, options: argparse.Namespace) -> None:
        self.made, self.options = made, options
        self.port, self.server_port = free_port(), free_port()
        self.record, self.calm = made.folder / "network", made.folder / "calm"
        self.done: Counter[str] = Counter()
        self.locked: int | None = None
        self.deeds: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.board_chance = random.Random(f"board {options.seed}")
        self.server_chance = random.Random(f"server {options.seed}")
        self.phones: list[Holder] = []
        self.app: Any = create_app()

    def prepare(self) -> None:
        """A city with registers that are open, a door to each for every phone; then all begin."""
        with self.app.app_context():
            world = build_world()
            for number in range(PEOPLE):
                add_person(f"P{number}", f"Đảng Viên {number}", world.units["cell-2"])
            db.session.commit()
            at = datetime.now(UTC) + timedelta(minutes=10)
            made = [add_meeting(world, at=at, invite=("cell-2",)).id for _ in range(MEETINGS)]
            cell = select(Unit.id).where(Unit.code == "CB2").scalar_subquery()
            people = db.session.scalars(
                select(Membership.person_id).where(Membership.unit_id == cell)
            )
            self.meetings, self.people = tuple(made), tuple(people)
            self.links = {
                (phone, meeting): self._new_link(meeting)
                for phone in range(self.options.phones)
                for meeting in made
            }
            self._let_go()
        for number in range(self.options.phones):
            self._write_doors(number)
        self._start_server()
        network = (self.port, self.server_port, self.record, self.calm, self.options.seed)
        self.made.start(run_network, *network)
        self.phones = [self._phone(number) for number in range(self.options.phones)]

    def _let_go(self) -> None:
        db.session.remove()
        db.engine.dispose()

    def _new_link(self, meeting: int) -> tuple[int, str]:
        made = meeting_links.create_meeting_link(meeting, now=datetime.now(UTC), by=SYSTEM)
        return made.id, made.token

    def _write_doors(self, number: int, board: dict[str, str] | None = None) -> None:
        """What opens each register for this phone; `board` are a staff member's own headers."""
        doors = {
            meeting: board or {"Authorization": f"Bearer {self.links[number, meeting][1]}"}
            for meeting in self.meetings
        }
        fresh = self.made.folder / "doors-new"
        fresh.write_text(json.dumps(doors))
        fresh.replace(self.made.folder / f"doors-{number}")

    def _phone(self, number: int) -> Holder:
        plan = Plan(
            number,
            self.port,
            self.made.folder,
            self.meetings,
            self.people,
            CLOCKS[number % len(CLOCKS)],
            self.options.naive,
        )
        return Holder(plan, self.made.start(run_phone, plan), self._size(plan.journal))

    @staticmethod
    def _size(path: Any) -> int:
        return path.stat().st_size if path.exists() else 0

    def _start_server(self) -> None:
        """The web server as it runs in service; it is killed together with its worker."""
        flags = "--interface wsgi --host 127.0.0.1 --workers 1 --blocking-threads 4 --factory"
        command = [sys.executable, "-m", "granian", *flags.split(), "--no-ws"]
        self.answered = self._answers()
        self.server = subprocess.Popen(
            [*command, "--port", str(self.server_port), "app:create_app"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _answers(self) -> int:
        return self.record.read_bytes().count(b"v") if self.record.exists() else 0

    def disturb(self) -> None:
        """Kill servers and phones at work, and change the registers under their hands."""
        until = time.monotonic() + self.options.seconds
        with ThreadPoolExecutor(2) as pool:
            others = [pool.submit(self._repeat, *one) for one in self._works(until)]
            while time.monotonic() < until or self.done["phone killed"] < LEAST:
                self._kill_phone()
            for one in others:
                one.result()

    def _works(self, until: float) -> list[tuple[Callable[[], bool], Callable[[], None]]]:
        """What goes on beside the phones' deaths, and how long."""
        deeds = (self._lock, self._revoke, self._move, self._unlock, self._lock)
        deck = chain((*deeds, self._cancel), self._shuffled(deeds))
        return [
            (
                lambda: time.monotonic() < until or self.done["server killed"] < LEAST,
                self._kill_server,
            ),
            (
                lambda: time.monotonic() < until or not self.deeds["cancel"] * self.deeds["unlock"],
                lambda: self._change_something(next(deck)),
            ),
        ]

    def _shuffled(self, deeds: tuple[Deed, ...]) -> Iterator[Deed]:
        while True:
            yield from self.board_chance.sample(deeds, len(deeds))

    @staticmethod
    def _repeat(goes_on: Callable[[], bool], work: Callable[[], None]) -> None:
        while goes_on():
            work()

    def _kill_server(self) -> None:
        wait_for_work(lambda: self._answers() > self.answered, "the server")
        time.sleep(self.server_chance.uniform(0.2, 1.5))
        self._end_server()
        self.done["server killed"] += 1
        self._start_server()

    def _end_server(self) -> None:
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def _kill_phone(self) -> None:
        holder = self.made.random.choice(self.phones)
        wait_for_work(lambda: self._size(holder.plan.journal) > holder.length, "a phone")
        time.sleep(self.made.random.uniform(0.3, 1.2))
        self.made.kill(holder.process)
        self.done["phone killed"] += 1
        self.phones[holder.plan.number] = self._phone(holder.plan.number)

    def _change_something(self, deed: Deed) -> None:
        """One deed of the board, as it happens while phones are out of reach; some come too late."""
        meeting = self.board_chance.choice(self.meetings)
        with self.app.app_context():
            try:
                deed(meeting, {"now": datetime.now(UTC), "by": SYSTEM})
                self.deeds[deed.__name__.removeprefix("_")] += 1
            except (Refusal, SQLAlchemyError) as error:
                self.refused[f"{deed.__name__.removeprefix('_')}: {error}"[:90]] += 1
            self._let_go()
        time.sleep(self.board_chance.uniform(0.3, 1.5))

    def _lock(self, meeting: int, how: dict[str, Any]) -> None:
        attendance_states.submit_register(meeting, **how)
        attendance_states.lock_register(meeting, **how)
        self.locked = meeting

    def _unlock(self, meeting: int, how: dict[str, Any]) -> None:
        """Open the register that was locked last: whoever marked meanwhile is let in again."""
        asked = attendance_states.request_unlock(self.locked or meeting, "Sửa sót", **how)
        attendance_states.answer_unlock(asked, granted=True, **how)

    def _revoke(self, meeting: int, how: dict[str, Any]) -> None:
        """Take one phone's link away; the next deed of this kind gives it another."""
        number = self.board_chance.randrange(self.options.phones)
        link, _ = self.links[number, meeting]
        meeting_links.revoke_meeting_link(meeting, link, **how)
        time.sleep(self.board_chance.uniform(0.5, 2.0))
        self.links[number, meeting] = self._new_link(meeting)
        self._write_doors(number)

    def _move(self, meeting: int, how: dict[str, Any]) -> None:
        fields = meetings.meeting_fields(meeting, **how)
        by = timedelta(minutes=self.board_chance.choice((-20, 20)))
        moved = replace(fields, starts_at=fields.starts_at + by, ends_at=fields.ends_at + by)
        meetings.save_meeting(meeting, moved, override_reason="Thử nghiệm.", **how)

    def _cancel(self, meeting: int, how: dict[str, Any]) -> None:
        meetings.cancel_meeting(meeting, "Thử nghiệm.", **how)

    def settle(self) -> None:
        """The network is well again; whose link is dead turns to the board; all deliver."""
        self.calm.touch()
        (self.made.folder / "over").touch()
        if not self.options.naive:
            wait_for_work(lambda: self._answers_now(), "the server")
            board = self._board()
            for holder in self.phones:
                self._write_doors(holder.plan.number, board)
        wait_until(lambda: not any(one.process.is_alive() for one in self.phones), DELIVERY_SECONDS)
        self._end_server()

    def _answers_now(self) -> bool:
        try:
            return Visitor(self.server_port).get("/sign-in").status == 200
        except OSError:
            return False

    def _board(self) -> dict[str, str]:
        """The headers of a signed-in administrator, as the register's page sends them."""
        link = self.made.flask("account", "create", "board@test.invalid", "--role", "admin")
        visitor = Visitor(self.server_port)
        visitor.sign_in(link.split()[-1])
        page = visitor.get("/me").text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        return {"Cookie": cookie, "X-CSRF-Token": token}

    def verdict(self) -> Outcome:
        """What was tapped beside what the ledger has, and beside what each phone was told."""
        tapped, told = self._journals()
        with self.app.app_context():
            columns = (Mark.id, Mark.subject, Mark.meeting_id, Mark.status, Mark.annuls_id)
            rows = db.session.execute(select(*columns, Mark.flag)).all()
            lines = db.session.execute(
                select(RegisterLine.meeting_id, RegisterLine.subject, RegisterLine.mark_id)
            ).all()
            differing = sum(
                len(attendance.register_differences(meeting)) for meeting in self.meetings
            )
            self._let_go()
        kept = {row.id for row in rows}
        strangers = Counter(row.subject for row in rows if row.subject[0] == "w")
        outcome = Outcome(promised=len(tapped), delivered=len(rows), figures=self._figures(told))
        outcome.duplicated = sum(many - 1 for many in strangers.values())
        outcome.max_copies = max(strangers.values(), default=0)
        if self.options.naive:
            wanted = {entry["mark"]["subject"] for entry in tapped.values()}
            outcome.lost = len(wanted - strangers.keys())
            harm = outcome.lost + outcome.duplicated
            outcome.require(harm > 0, "careless phones lost nothing: the suite is blind")
            return outcome
        outcome.lost = sum(one not in kept and told.get(one) != "refused" for one in tapped)
        unkept = {one for one, verdict in told.items() if verdict in HAS_IT} - kept
        unnamed = len(tapped.keys() - told.keys())
        outcome.require(outcome.lost == 0, f"{outcome.lost} marks are lost")
        outcome.require(outcome.duplicated == 0, f"{outcome.duplicated} strangers stand twice")
        outcome.require(unnamed == 0, f"{unnamed} marks never got a verdict")
        outcome.require(not unkept, f"{len(unkept)} marks said to be kept are not")
        outcome.require(differing == 0, f"{differing} lines differ from what their marks say")
        self._judge_contradictions(outcome, tapped, rows, lines)
        return outcome

    def _journals(self) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        """Every tap by its id, with its phone and true moment; and the verdict each phone got."""
        tapped: dict[str, dict[str, Any]] = {}
        told: dict[str, str] = {}
        for holder in self.phones:
            device = f"phone-{holder.plan.number}"
            for entry in entries(holder.plan.journal):
                if "mark" in entry:
                    tapped[entry["mark"]["id"]] = entry | {"device": device}
                else:
                    told[entry["id"]] = entry["verdict"]
        return tapped, told

    def _figures(self, told: dict[str, str]) -> dict[str, object]:
        letters = Counter(self.record.read_text())
        return {
            **self.done,
            "board's deeds": dict(self.deeds),
            "deeds refused": dict(self.refused),
            "verdicts": dict(Counter(told.values())),
            "answers lost": letters["l"],
            "sent twice": letters["2"],
            "foreign answers": letters["f"],
        }

    def _judge_contradictions(
        self, outcome: Outcome, tapped: dict[str, Any], rows: Any, lines: Any
    ) -> None:
        """Of people whom phones marked differently: does the truly last mark stand, are they named?"""
        annulled = {row.annuls_id for row in rows}
        deciding = {(line.meeting_id, line.subject): line.mark_id for line in lines}
        flagged = {(row.meeting_id, row.subject) for row in rows if row.flag in NEEDS_A_LOOK}
        standing: dict[tuple[int, str], list[Any]] = {}
        for row in rows:
            if row.id not in annulled and row.status != "none":
                standing.setdefault((row.meeting_id, row.subject), []).append(row)
        found: Counter[str] = Counter()
        for place, marks in standing.items():
            devices = {tapped[row.id]["device"] for row in marks}
            if len(devices) < 2 or len({row.status for row in marks}) < 2:
                continue
            found["contradicted"] += 1
            found["not flagged"] += place not in flagged
            last = sorted(marks, key=lambda row: tapped[row.id]["at"])
            gap = min(_gaps(last[-2:], lambda row: tapped[row.id]["at"]))
            wins = deciding.get(place) == last[-1].id
            found["judged"] += gap >= APART_SECONDS
            found["wrong winner"] += gap >= APART_SECONDS and not wins
            found["wrong winner, closer"] += gap < APART_SECONDS and not wins
        outcome.figures |= dict(found)
        outcome.require(found["judged"] > 0, "no phones contradicted each other: nothing tried")
        outcome.require(not found["not flagged"], f"{found['not flagged']} contradictions unnamed")
        wrong = found["wrong winner"]
        outcome.require(wrong <= found["judged"] / 1000, f"{wrong} earlier marks wrongly stand")


def _gaps(marks: Any, at: Callable[[Any], float]) -> list[float]:
    return [abs(at(after) - at(before)) for before, after in pairwise(marks)]
