"""Time that passes while nothing runs, and clocks put wrong: what is useful leaves once, nothing late."""

import argparse
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Event, Thread
from typing import Any

import time_machine
from sqlalchemy import func, select

from app import create_app
from gateways.mail import Mailbox
from models import ClockTick, Meeting, OutgoingMessage, ReminderRule, Setting, db
from rules.permissions import SYSTEM
from scheduler.__main__ import Clock
from services import clock as clock_rows
from services import invitations, outbox
from services.transaction import writing
from tests.world import World, add_meeting
from torture.outcome import Outcome
from torture.sink import run_sink, taken
from torture.stage import (
    DATABASES,
    WORK_SECONDS,
    Stage,
    add_database,
    free_port,
    stage,
    wait_for_work,
    wait_until,
)
from torture.workers import LETTER, build_small_city, run_scheduler

NAME = "time"
PARTS = ("down", "steps")
QUICK = [("--db", "sqlite", "--part", part) for part in PARTS]
FULL = [("--db", name, "--part", part) for part in PARTS for name in DATABASES]
SOON = timedelta(minutes=2)
SPEED = 5.0
"""How fast the clock goes while the system is up; each of the moments that it is started at lies half
an hour before the next due time."""
HOURS, DAYS = timedelta(hours=6), timedelta(days=3)
RESUME_SECONDS = 30.0
YEARS = 3 * 365 * 86_400
STEPS = (300, -300, 3600, -3600)
WAITING = ("queued", "failed", "claimed", "sending")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which part: the system down over due times, or a clock that is put wrong while it runs."""
    add_database(parser)
    parser.add_argument("--part", choices=PARTS, required=True)


def run(options: argparse.Namespace) -> Outcome:
    """One part on a database of its own."""
    outcome, port = Outcome(), free_port()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_STARTTLS": "0"}
    mail |= {"MAIL_FROM": "ban@torture.invalid", "MAIL_RATE_PER_MINUTE": "100000"}
    with stage(options, **mail) as made:
        (Downtime if options.part == "down" else Steps)(made, options, port).play(outcome)
    return outcome


@dataclass(frozen=True)
class Shown:
    """A clock that showed `shows` (seconds since 1970) at the true moment `at`, and goes on from there,
    `speed` times as fast."""

    at: float
    shows: float
    speed: float = 1.0

    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(self.shows + (time.time() - self.at) * self.speed, UTC)


class Part:
    """What both parts have: a city, a mail server, and a look at the outbox."""

    def __init__(self, made: Stage, options: argparse.Namespace, port: int) -> None:
        self.made, self.options, self.port = made, options, port
        self.record = made.folder / "taken"
        self.app: Any = create_app()

    def look(self, question: Callable[[], Any]) -> Any:
        """Ask the database, in the suite's own process."""
        with self.app.app_context():
            try:
                return question()
            finally:
                db.session.remove()
                db.engine.dispose()

    def serve_mail(self) -> None:
        self.made.start(run_sink, self.port, self.record, 0.0, self.options.seed)

    def _waiting(self) -> int:
        count = select(func.count()).where(OutgoingMessage.state.in_(WAITING))
        return db.session.scalar(count) or 0


class Downtime(Part):
    """F4: up for a moment with the mail server away, down for six hours, up, down for three days, up."""

    def play(self, outcome: Outcome) -> None:
        """Run the scheduler at each moment until it has nothing to do, and compare with the rule."""
        begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        ups = [begins, begins + HOURS, begins + HOURS + DAYS, begins + 2 * HOURS + DAYS]
        self.look(lambda: self._prepare(begins))
        self._up(ups[0], lambda: self.look(self._reminders_written))
        self.serve_mail()
        for moment in ups[1:]:
            self._up(moment, lambda: not self.look(self._due))
        self.look(lambda: self._compare(ups, outcome))

    def _prepare(self, begins: datetime) -> None:
        """A meeting every three hours for six days, some of them published only just now."""
        world = build_small_city(2)
        for number in range(48):
            # The first two begin while the system is down: one's reminder, one's invitation expires.
            at = begins + timedelta(hours=3 * number + 1, minutes=30)
            is_new = number % 4 == 1
            published = begins - (timedelta(minutes=1) if is_new else timedelta(days=9))
            meeting = add_meeting(world, at=at, invite=("cell-2",), published_at=published)
            with writing() as session:
                told_at = published
                fresh = session.get_one(Meeting, meeting.id)
                invitations.announce_published(session, fresh, now=told_at, by=SYSTEM)
        with writing() as session:
            outbox.enqueue_sign_in(
                session,
                address="an@torture.invalid",
                name="An",
                url="http://127.0.0.1/x",
                now=begins,
                expires_at=begins + timedelta(minutes=15),
            )

    def _up(self, moment: datetime, is_done: Callable[[], bool]) -> None:
        """A scheduler whose clock shows this moment works until it is done, then dies."""
        shown = Shown(time.time(), moment.timestamp(), SPEED)
        self.shown_now = shown.now
        process = self.made.start(run_scheduler, shown)

        def ticks() -> bool:
            at = self.look(clock_rows.last_tick_at)
            return at is not None and at >= moment

        wait_for_work(ticks, "the scheduler")
        time.sleep(4)
        if not wait_until(is_done, WORK_SECONDS * 3, 1):
            raise RuntimeError(f"the scheduler had not finished at {moment}")
        self.made.kill(process)

    def _reminders_written(self) -> bool:
        rows = select(func.count()).where(OutgoingMessage.kind == "reminder")
        return bool(db.session.scalar(rows))

    def _due(self) -> int:
        waiting = OutgoingMessage.state.in_(WAITING) & (OutgoingMessage.due_at <= self.shown_now())
        return db.session.scalar(select(func.count()).where(waiting)) or 0

    def _compare(self, ups: list[datetime], outcome: Outcome) -> None:
        copies = Counter(one.message_id for one in taken(self.record))
        rows = list(db.session.scalars(select(OutgoingMessage)))
        starts = dict(db.session.execute(select(Meeting.id, Meeting.starts_at)).all())
        late = [
            row
            for row in rows
            if row.kind in ("request", "reminder")
            and row.sent_at is not None
            and row.sent_at >= starts[row.meeting_id or 0]
        ]
        again = sum(n - 1 for n in copies.values())
        states = Counter((row.kind, row.state) for row in rows)
        waiting = sum(row.state in WAITING for row in rows)
        outcome.promised += len(rows)
        outcome.delivered += sum(row.message_id in copies for row in rows)
        outcome.duplicated += again
        outcome.max_copies = max(outcome.max_copies, *copies.values())
        outcome.figures["down"] = {f"{kind} {state}": n for (kind, state), n in states.items()}
        self._judge_reminders(ups, rows, starts, outcome)
        expired = states["request", "dropped"]
        outcome.require(expired > 0, "no invitation expired: the part is blind")
        outcome.require(again == 0, f"{again} letters left twice")
        outcome.require(not late, f"{len(late)} letters left after their meeting began")
        outcome.require(not states["sign_in", "sent"], "a sign-in link left after it had expired")
        outcome.require(waiting == 0, f"{waiting} letters still wait")

    def _judge_reminders(
        self,
        ups: list[datetime],
        rows: list[OutgoingMessage],
        starts: dict[int, datetime],
        outcome: Outcome,
    ) -> None:
        """Exactly the reminders that the rule's own words want left, and the others were dropped."""
        minutes = dict(
            db.session.execute(select(ReminderRule.id, ReminderRule.minutes_before)).all()
        )
        published = dict(db.session.execute(select(Meeting.id, Meeting.published_at)).all())
        told: dict[tuple[int, int], set[str]] = {}
        for row in rows:
            if row.kind == "reminder" and row.meeting_id is not None:
                rule = int(row.dedup_key.split(":")[1])
                told.setdefault((row.meeting_id, minutes[rule]), set()).add(row.state)
        sent, dropped = _expected(ups, starts, published, sorted(minutes.values()))
        found_sent = {key for key, states in told.items() if states == {"sent"}}
        found_dropped = {key for key, states in told.items() if states == {"dropped"}}
        outcome.lost += len(sent - found_sent)
        outcome.figures |= {"reminders wanted": len(sent), "reminders expired": len(dropped)}
        outcome.require(bool(sent and dropped), "nothing fell due: nothing was tried")
        outcome.require(found_sent == sent, f"reminders: wanted {sent ^ found_sent} otherwise")
        outcome.require(found_dropped == dropped, f"expired: {dropped ^ found_dropped} otherwise")


def _expected(
    ups: list[datetime],
    starts: dict[int, datetime],
    published: dict[int, datetime | None],
    minutes: list[int],
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Which reminders must be sent, and which must be written and dropped, by the rule's own words.

    At each moment that the system is up: the nearest reminder whose time has come, by at most half
    its distance and a day, before the meeting begins, and not for what was published later. What
    was written at the first moment leaves at the second.
    """
    sent: set[tuple[int, int]] = set()
    dropped: set[tuple[int, int]] = set()
    for place, up in enumerate(ups):
        for meeting, start in starts.items():
            for distance in minutes:
                due = start - timedelta(minutes=distance)
                latest = min(timedelta(minutes=distance) / 2, timedelta(days=1))
                told = published[meeting]
                if told and told < due <= up < start and up - due <= latest:
                    leaves = ups[1] if place == 0 else up
                    (sent if leaves < start else dropped).add((meeting, distance))
                    break
    return sent, dropped - sent


class Steps(Part):
    """F5: a running scheduler whose machine's clock is put forward and back."""

    def play(self, outcome: Outcome) -> None:
        """Step after step, then three years ahead and back again."""
        self.control = self.made.folder / "offset"
        self.control.write_text("0")
        self.began = datetime.now(UTC)
        self.look(self._prepare)
        self.serve_mail()
        self.process: ForkServerProcess = self.made.start(run_stepped, self.control)
        wait_for_work(lambda: self.look(self._ticked_at) is not None, "the scheduler")
        waits = [self._step(seconds, outcome) for seconds in STEPS]
        self._years_ahead(outcome)
        waits.append(self._step(0, outcome, absolute=True))
        mailed = wait_until(lambda: not self.look(self._notices_waiting), 60, 0.5)
        outcome.require(mailed, "mail did not go on once the clock was put back")
        wait_until(lambda: not self.look(self._waiting_now), 60, 1)
        self.made.kill(self.process)
        outcome.recovery_seconds = max(waits)
        outcome.figures["steps"] = {
            f"{seconds:+} s": wait for seconds, wait in zip((*STEPS, 0), waits, strict=True)
        }
        self.look(lambda: self._judge(outcome))

    def _prepare(self) -> None:
        """Meetings whose reminders of a day fall due one after the other around now."""
        world: World = build_small_city(1)
        for number in range(-20, 60):
            at = self.began + timedelta(days=1, minutes=2 * number)
            published = self.began - timedelta(days=9)
            meeting = add_meeting(world, at=at, invite=("cell-2",), published_at=published)
            with writing() as session:
                fresh = session.get_one(Meeting, meeting.id)
                invitations.announce_published(session, fresh, now=published, by=SYSTEM)
        self._notice()

    def _notice(self) -> None:
        """A letter that may leave at once."""
        with writing() as session:
            outbox.enqueue_letter(
                session,
                LETTER,
                kind="notice",
                to=Mailbox("ai@torture.invalid", "Ai"),
                subject="Thông báo",
                dedup_key=os.urandom(8).hex(),
                now=self.began - timedelta(hours=2),
            )

    def _ticked_at(self) -> datetime | None:
        return db.session.scalar(select(ClockTick.ticked_at))

    def _step(self, seconds: float, outcome: Outcome, *, absolute: bool = False) -> float:
        """Put the clock forward or back; gives how long until it ticks by what it then believes."""
        offset = seconds if absolute else float(self.control.read_text()) + seconds
        before = self.look(self._ticked_at)
        _write(self.control, offset)
        began = time.monotonic()
        goes_by = 0.0 if self.options.db == "postgresql" else offset

        def ticks() -> bool:
            at = self.look(self._ticked_at)
            wanted = datetime.now(UTC) + timedelta(seconds=goes_by)
            return at is not None and at != before and abs(at - wanted) < timedelta(seconds=12)

        resumed = wait_until(ticks, 3 * RESUME_SECONDS, 0.5)
        waited = round(time.monotonic() - began, 1)
        outcome.require(self.process.is_alive(), f"the clock died of {seconds:+.0f} s")
        outcome.require(
            resumed and waited <= RESUME_SECONDS, f"{seconds:+.0f} s: no tick for {waited} s"
        )
        return waited

    def _years_ahead(self, outcome: Outcome) -> None:
        """Three years at once: everything is held, and nothing leaves, however long it waits.

        Where all clocks go by the database's, the machine's own is corrected: nothing need be held,
        and nothing may leave by the wrong time.
        """
        wait_until(lambda: not self.look(self._waiting_now), 60, 1)
        _write(self.control, YEARS)
        goes_by_database = self.options.db == "postgresql"
        held = wait_until(lambda: self.look(self._is_held), RESUME_SECONDS, 0.5)
        outcome.require(held or goes_by_database, "three years ahead, and mail is not held")
        before = len(taken(self.record))
        self.look(self._notice)
        time.sleep(12)
        left = len(taken(self.record)) - before
        outcome.figures["left while three years ahead"] = left
        outcome.figures["held while three years ahead"] = held
        outcome.require(left == 0 or goes_by_database, f"{left} letters left three years ahead")

    def _is_held(self) -> bool:
        return db.session.get(Setting, clock_rows.HOLD_KEY) is not None

    def _notices_waiting(self) -> int:
        rows = OutgoingMessage.state.in_(WAITING) & (OutgoingMessage.kind == "notice")
        return db.session.scalar(select(func.count()).where(rows)) or 0

    def _waiting_now(self) -> int:
        rows = OutgoingMessage.state.in_(WAITING) & (OutgoingMessage.due_at <= datetime.now(UTC))
        return db.session.scalar(select(func.count()).where(rows)) or 0

    def _judge(self, outcome: Outcome) -> None:
        """By the true time: no reminder more than the largest step away from its moment, none twice."""
        found = taken(self.record)
        copies = Counter(one.message_id for one in found)
        began = time.time() - time.monotonic()
        left_at = {one.message_id: datetime.fromtimestamp(began + one.at, UTC) for one in found}
        rows = list(
            db.session.scalars(select(OutgoingMessage).where(OutgoingMessage.kind == "reminder"))
        )
        bound = timedelta(hours=1) + SOON
        wrong = [
            row
            for row in rows
            if row.message_id in left_at and left_at[row.message_id] < row.due_at - bound
        ]
        doubled = sum(n - 1 for n in copies.values())
        meetings = Counter(
            (row.meeting_id, row.person_id, row.speaker_id)
            for row in rows
            if row.message_id in copies
        )
        twice = sum(n > 1 for n in meetings.values())
        outcome.promised += len(rows)
        outcome.delivered += sum(row.message_id in copies for row in rows)
        outcome.duplicated += doubled + twice
        outcome.figures["reminders by a stepped clock"] = len(meetings)
        outcome.require(bool(meetings), "no reminder fell due: nothing was tried")
        outcome.require(not wrong, f"{len(wrong)} reminders left on the wrong day")
        outcome.require(doubled + twice == 0, f"{doubled + twice} reminders left twice")


def _write(control: Path, offset: float) -> None:
    fresh = control.with_suffix(".new")
    fresh.write_text(json.dumps(offset))
    fresh.replace(control)


def run_stepped(control: Path) -> None:
    """The program's scheduler on a machine whose clock is put wrong by as many seconds as `control` says.

    Only the wall clock is: steady time goes on, as it does when somebody sets a clock.
    """
    logging.disable(logging.CRITICAL)
    app = create_app()
    traveller = time_machine.travel(time.time(), tick=True).start()
    true_time = time_machine.escape_hatch.time.time

    def set_clock() -> None:
        was = 0.0
        while True:
            offset = float(control.read_text())
            if offset != was:
                was = offset
                traveller.move_to(true_time() + offset)
            Event().wait(0.05)

    Thread(target=set_clock, daemon=True).start()
    Clock(app).run()
