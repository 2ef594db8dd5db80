"""A copied deployment: beside the one that sends its copy sends nothing, until it is said to be the one."""

import argparse
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from app import create_app
from models import db
from services.database_copies import pour_file
from torture.outcome import Outcome
from torture.sink import run_sink, taken
from torture.stage import FastClock, Stage, add_database, free_port, stage, wait_until
from torture.workers import build_small_city, run_producer, run_scheduler

NAME = "copy"
QUICK = [("--db", "sqlite")]
FULL = [("--db", "sqlite"), ("--db", "postgresql")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long the copy is watched."""
    add_database(parser)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--speed", type=float, default=20.0)


def run(options: argparse.Namespace) -> Outcome:
    """Let one send, copy it with its folder, run the copy beside a sink of its own, adopt it."""
    port, other_port = free_port(), free_port()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_STARTTLS": "0"}
    mail |= {"MAIL_FROM": "ban@torture.invalid", "MAIL_RATE_PER_MINUTE": "100000"}
    with stage(options, **mail) as made:
        clock = FastClock(time.time(), options.speed)
        first, second = made.folder / "taken", made.folder / "taken-by-copy"
        made.start(run_sink, port, first, 0.05, options.seed)
        made.start(run_sink, other_port, second, 0.05, options.seed)
        with create_app().app_context():
            build_small_city()
            db.session.remove()
            db.engine.dispose()
        producer = made.start(run_producer, clock, made.folder / "promised", 1, 0.005)
        sender = made.start(run_scheduler, clock)
        wait_until(lambda: len(taken(first)) > 20, 60)
        made.kill(producer)
        copied = _copy(made) | {"SMTP_PORT": str(other_port)}
        made.kill(sender)
        outcome = _watch_copy(made, copied, clock, second, options.seconds)
        outcome.figures["sent_by_the_first"] = len(taken(first))
        return outcome


def _copy(made: Stage) -> dict[str, str]:
    """The database and its whole folder elsewhere, as whoever makes a staging system does it."""
    elsewhere = made.folder / "staging"
    elsewhere.mkdir()
    for file in ("installation.json", "secret_key"):
        if (made.folder / file).exists():
            shutil.copy(made.folder / file, elsewhere / file)
    if made.cluster is not None:
        rows = made.folder / "rows.db"
        made.flask("backup", "create", str(rows))
        made.cluster.create("staging")
        url = made.cluster.url("staging")
        settings = {"DATABASE_URL": url, "INSTANCE_PATH": str(elsewhere)}
        _flask(made, settings, "db", "upgrade")
        # A template would need every connection closed; queued mail must stay queued here.
        _pour(rows, url)
        return settings
    target = elsewhere / "torture.db"
    with (
        closing(sqlite3.connect(made.folder / "torture.db")) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
    return {"DATABASE_URL": f"sqlite:///{target}", "INSTANCE_PATH": str(elsewhere)}


def _pour(rows: Path, url: str) -> None:
    engine = create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"),
        connect_args={"options": "-c timezone=UTC"},
    )
    pour_file(rows, engine)
    engine.dispose()


def _flask(made: Stage, settings: dict[str, str], *arguments: str) -> None:
    before = dict(made.environment)
    made.environment.update(settings)
    try:
        made.flask(*arguments)
    finally:
        made.environment.clear()
        made.environment.update(before)


def _watch_copy(
    made: Stage, settings: dict[str, str], clock: FastClock, record: Path, seconds: float
) -> Outcome:
    sender = made.start(run_with, settings, clock)
    time.sleep(seconds)
    leaked = len(taken(record))
    _flask(made, settings, "office", "adopt")
    adopted = wait_until(lambda: len(taken(record)) > leaked, 30)
    made.kill(sender)
    outcome = Outcome(
        duplicated=leaked,
        figures={"sent_by_the_copy": leaked, "sent_once_adopted": len(taken(record)) - leaked},
    )
    outcome.require(leaked == 0, f"the copy sent {leaked} messages")
    outcome.require(adopted, "the adopted copy sent nothing: the run is blind")
    return outcome


def run_with(settings: dict[str, str], clock: FastClock) -> None:
    """Run the scheduler of the copy in a process of its own."""
    os.environ.update(settings)
    run_scheduler(clock)
