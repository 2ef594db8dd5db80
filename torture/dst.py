"""Nights in which clocks are put forward and back: daily work once a date, each mail on its day."""

import argparse
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import undefer

from app import create_app
from models import JobRun, Meeting, OutgoingMessage, db
from rules.clock import Daily
from rules.permissions import SYSTEM
from scheduler.jobs import ONCE_A_DAY, SLOW
from services import invitations, reminders
from services.transaction import writing
from tests.world import add_meeting
from torture.outcome import Outcome
from torture.stage import ROOT, Stage, add_database, stage
from torture.workers import build_small_city

NAME = "dst"
QUICK = [("--db", "sqlite")]
FULL = [("--db", "sqlite"), ("--db", "postgresql")]
BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = {"forward": date(2027, 3, 28), "back": date(2027, 10, 31)}
STEP = timedelta(minutes=20)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which database."""
    add_database(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Live through both nights, each on a database of its own."""
    outcome = Outcome()
    for name, sunday in NIGHTS.items():
        with stage(options) as made:
            _live_through(made, name, sunday, outcome)
    return outcome


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    """A local time of Berlin as an instant."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def _live_through(made: Stage, name: str, sunday: date, outcome: Outcome) -> None:
    """From Saturday evening to Monday noon, with meetings on Sunday and Monday."""
    begins, ends = _at(sunday - timedelta(days=1), 20), _at(sunday + timedelta(days=1), 12)
    app: Any = create_app()
    with app.app_context():
        _prepare(sunday, begins)
        db.session.remove()
        db.engine.dispose()
    done = subprocess.run(
        [sys.executable, "-m", "torture.dst_ticks", begins.isoformat(), ends.isoformat()],
        cwd=ROOT,
        env=os.environ | made.environment | {"TIMEZONE": BERLIN.key},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    with app.app_context():
        _judge_jobs(name, sunday, begins, ends, outcome)
        _judge_mail(name, outcome)
        db.session.remove()
        db.engine.dispose()


def _prepare(sunday: date, begins: datetime) -> None:
    world = build_small_city(2)
    reminders.make_usual_rules(now=begins)
    for day in (sunday, sunday + timedelta(days=1)):
        for hour in (1, 3, 8, 14, 19):
            meeting = add_meeting(
                world,
                at=_at(day, hour, 15),
                invite=("cell-2",),
                published_at=begins - timedelta(days=9),
            )
            with writing() as session:
                fresh = session.get_one(Meeting, meeting.id)
                told_at = begins - timedelta(days=9)
                invitations.announce_published(session, fresh, now=told_at, by=SYSTEM)


def _judge_jobs(
    name: str, sunday: date, begins: datetime, ends: datetime, outcome: Outcome
) -> None:
    """Every daily work has one slot a local date, every weekly one a week, every hour its own."""
    rows = db.session.execute(select(JobRun.job, JobRun.slot)).all()
    ran: dict[str, Counter[str]] = {}
    for job, slot in rows:
        ran.setdefault(job, Counter())[f"{slot.astimezone(BERLIN):%Y-%m-%d}"] += 1
    wrong = []
    for work in (*ONCE_A_DAY, *SLOW):
        if not isinstance(work.when, Daily):
            hours = {slot for job, slot in rows if job == work.name}
            wanted = set(_hours(begins, ends))
            wrong += [f"{work.name}: {len(hours ^ wanted)} hours"] if hours != wanted else []
            outcome.promised, outcome.delivered = (
                outcome.promised + len(wanted),
                outcome.delivered + len(hours & wanted),
            )
            continue
        days = [
            day
            for day in (sunday - timedelta(days=1), sunday, sunday + timedelta(days=1))
            if work.when.weekday in (None, day.weekday())
            and begins - work.when.catch_up <= _at(day, work.when.at.hour, work.when.at.minute)
            and _at(day, work.when.at.hour, work.when.at.minute) <= ends
        ]
        found = ran.get(work.name, Counter())
        outcome.promised += len(days)
        outcome.delivered += sum(f"{day}" in found for day in days)
        if found != Counter({f"{day}": 1 for day in days}):
            wrong.append(f"{work.name}: {dict(found)}")
    outcome.figures[f"{name}: slots"] = len(rows)
    outcome.require(not wrong, f"{name}: {wrong}")


def _hours(begins: datetime, ends: datetime) -> list[datetime]:
    count = int((ends - begins) / timedelta(hours=1)) + 1
    return [begins + timedelta(hours=number) for number in range(count)]


def _judge_mail(name: str, outcome: Outcome) -> None:
    """Each reminder left once, within a tick of its moment, and names the day and hour of Berlin."""
    starts = dict(db.session.execute(select(Meeting.id, Meeting.starts_at)).all())
    rows = db.session.scalars(
        select(OutgoingMessage)
        .where(OutgoingMessage.kind == "reminder")
        .options(undefer(OutgoingMessage.body))
    ).all()
    sent = [row for row in rows if row.state == "sent"]
    late = [row for row in sent if not row.due_at <= (row.sent_at or row.due_at) <= _latest(row)]
    wrong_day = []
    for row in sent:
        text = message_from_bytes(row.body, policy=default).get_body(("plain",))
        local = starts[row.meeting_id or 0].astimezone(BERLIN)
        said = text.get_content() if text is not None else ""
        if f"{local:%d/%m/%Y}" not in said or f"{local.hour}h{local:%M}" not in said:
            wrong_day.append(row)
    outcome.promised += len(rows)
    outcome.delivered += len(sent)
    outcome.figures[f"{name}: reminders"] = len(sent)
    outcome.require(bool(sent), f"{name}: no reminder fell due: nothing was tried")
    outcome.require(len(sent) == len(rows), f"{name}: {len(rows) - len(sent)} reminders unsent")
    outcome.require(not wrong_day, f"{name}: {len(wrong_day)} reminders name a wrong day or hour")
    outcome.require(not late, f"{name}: {len(late)} reminders left at a wrong time")


def _latest(row: OutgoingMessage) -> datetime:
    """A tick later; what was due when the first clock began may be half a day late."""
    return max(row.due_at + 2 * STEP, row.created_at + STEP)
