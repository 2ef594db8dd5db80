"""A database locked by a long import, and six writers at once: nobody is told that it is locked."""

import argparse
import logging
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app import create_app
from models import Setting, db
from services.clock import last_tick_at
from services.transaction import DATABASE_FAILURES, writing
from torture.outcome import Outcome
from torture.stage import FastClock, Stage, add_database, stage, wait_until
from torture.workers import build_small_city, run_scheduler

NAME = "locks"
QUICK = [("--db", "sqlite", "--seconds", "25")]
FULL = [("--db", "sqlite", "--seconds", "60"), ("--db", "postgresql", "--seconds", "60")]
WRITERS = 6
WRITING_SECONDS = 8.0
RESUME_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long the lock is held."""
    add_database(parser)
    parser.add_argument("--seconds", type=float, default=60, help="how long the lock is held")


def hold_the_lock(seconds: float) -> None:
    """What a long import does: one write transaction that takes its time."""
    with create_app().app_context(), writing() as session:
        session.merge(Setting(key="locked", value="1"))
        session.flush()
        time.sleep(seconds)


def write_on(number: int, seconds: float, record: Path) -> None:
    """Read, then write, as fast as it goes; each try is one line: ms, or the error."""
    logging.disable(logging.CRITICAL)
    lines: list[str] = []
    with create_app().app_context():
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                with writing() as session:
                    count = session.scalar(select(func.count()).select_from(Setting))
                    session.merge(Setting(key=f"writer {number}", value=str(count)))
                lines.append(f"{1000 * (time.monotonic() - began):.1f}")
            except DATABASE_FAILURES as error:
                lines.append(type(error).__name__)
    record.write_text("\n".join(lines))


def run(options: argparse.Namespace) -> Outcome:
    """Lock and ask, then write from six processes."""
    with stage(options) as made:
        app = create_app({"WTF_CSRF_ENABLED": False})
        with app.app_context():
            build_small_city()
            db.session.remove()
            db.engine.dispose()
        outcome = Outcome()
        _lock_and_ask(made, app, options.seconds, outcome)
        _write_at_once(made, outcome)
    return outcome


def _lock_and_ask(made: Stage, app: Any, seconds: float, outcome: Outcome) -> None:
    scheduler = made.start(run_scheduler, FastClock(time.time()))
    wait_until(lambda: _ticked_after(app, 0), 60)
    made.start(hold_the_lock, seconds)
    time.sleep(2)
    until, answers, slowest = time.monotonic() + seconds - 4, [], 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        answer = app.test_client().post(
            "/sign-in", data={"email": "an@test.invalid", "password": "sai mật khẩu"}
        )
        slowest = max(slowest, time.monotonic() - began)
        answers.append((answer.status_code, answer.headers.get("Retry-After")))
        time.sleep(0.2)
    released = time.time() + 4
    resumed = wait_until(lambda: _ticked_after(app, released), 4 + RESUME_SECONDS)
    outcome.recovery_seconds = round(max(0.0, time.time() - released), 1)
    outcome.figures["answers"] = sorted({str(one) for one in answers})
    outcome.figures["slowest_answer_seconds"] = round(slowest, 1)
    bugs = [one for one in answers if one[0] >= 500 and one[0] != 503]
    silent = [one for one in answers if one[0] == 503 and not one[1]]
    outcome.require(not bugs, f"{len(bugs)} answers were errors: {bugs[:3]}")
    outcome.require(not silent, f"{len(silent)} answers did not say when to try again")
    outcome.require(scheduler.is_alive(), "the clock died of the lock")
    outcome.require(resumed, f"no tick within {RESUME_SECONDS} s after the lock")
    made.kill(scheduler)


def _ticked_after(app: Any, moment: float) -> bool:
    with app.app_context():
        ticked = last_tick_at()
        db.session.remove()
    return ticked is not None and ticked.timestamp() > moment


def _write_at_once(made: Stage, outcome: Outcome) -> None:
    records = [made.folder / f"writer-{number}" for number in range(WRITERS)]
    writers: list[ForkServerProcess] = [
        made.start(write_on, number, WRITING_SECONDS, record)
        for number, record in enumerate(records)
    ]
    for writer in writers:
        writer.join(WRITING_SECONDS + 60)
    lines = [line for record in records if record.exists() for line in record.read_text().split()]
    times = sorted(float(line) for line in lines if line[0].isdigit())
    refused = len(lines) - len(times)
    outcome.promised, outcome.delivered, outcome.lost = len(lines), len(times), refused
    outcome.figures["p99_ms"] = times[int(len(times) * 0.99)] if times else None
    outcome.figures["writes"] = len(times)
    outcome.require(bool(times), "nobody could write")
    outcome.require(refused == 0, f"{refused} writes were refused")
