"""Backups beside writers and senders, and one restored: everything there, nothing mailed twice."""

import argparse
import sqlite3
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import func, select

from app import create_app
from models import OutgoingMessage, db
from rules.permissions import SYSTEM
from services import backups
from services.database_copies import rows_of_database
from torture.outcome import Outcome
from torture.sink import run_sink, taken
from torture.stage import (
    FastClock,
    Stage,
    add_database,
    free_port,
    stage,
    wait_for_work,
    wait_until,
)
from torture.workers import build_small_city, run_producer, run_scheduler

NAME = "backup"
QUICK = [("--db", "sqlite", "--backups", "15")]
FULL = [("--db", "sqlite", "--backups", "40"), ("--db", "postgresql", "--backups", "40")]
LEFT = 10
"""So many messages at least must leave between the last backup and the loss."""
HELD = ("dead", "in_doubt")
WAITING = ("queued", "failed", "claimed", "sending")
RESTORE_SECONDS = 15 * 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many backups are taken before the last one is restored."""
    add_database(parser)
    parser.add_argument("--backups", type=int, default=40)
    parser.add_argument("--speed", type=float, default=20.0)


def run(options: argparse.Namespace) -> Outcome:
    """Take backups under load, go on for a while, lose the database, restore, and go on."""
    port = free_port()
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_STARTTLS": "0"}
    mail |= {"MAIL_FROM": "ban@torture.invalid", "MAIL_RATE_PER_MINUTE": "100000"}
    with stage(options, **mail) as made:
        return Drill(made, options, port).outcome


class Drill:
    """One run; what is promised and delivered is written down outside the database."""

    def __init__(self, made: Stage, options: argparse.Namespace, port: int) -> None:
        self.made, self.options = made, options
        self.clock = FastClock(time.time(), options.speed)
        self.record, self.promises = made.folder / "taken", made.folder / "promised"
        self.outcome = Outcome()
        self.made.start(run_sink, port, self.record, 0.02, options.seed)
        self.app = create_app()
        with self.app.app_context():
            build_small_city()
            self._let_go()
        self._work()
        facts = self._take_backups()
        self._go_on_and_lose_everything()
        self._restore(facts)
        self._send_again()

    def _let_go(self) -> None:
        db.session.remove()
        db.engine.dispose()

    def _work(self) -> None:
        for number in range(2):
            self.made.start(run_producer, self.clock, self.promises, 1 + 10**6 * number, 0.02)
        for _ in range(2):
            self.made.start(run_scheduler, self.clock)
        wait_until(lambda: len(taken(self.record)) > 20, 60)

    def _take_backups(self) -> backups.BackupFacts:
        """Each is verified when it is written; here each also must hold no less than the last."""
        whole, before = 0, 0
        with self.app.app_context():
            for number in range(self.options.backups):
                promised = set(self.promises.read_text().split())
                self.file = self.made.folder / f"copy-{number}.db"
                facts = backups.create_backup(self.file, now=self.clock.now(), by=SYSTEM)
                verified = backups.verify_backup(self.file)
                rows = verified.rows["outgoing_message"]
                whole += verified.is_whole and rows >= max(before, len(promised))
                before = rows
                self._let_go()
                time.sleep(self.made.random.uniform(0.05, 0.3))
        self.outcome.figures |= {"backups": self.options.backups, "whole": whole, "rows": before}
        self.outcome.require(
            whole == self.options.backups, f"{self.options.backups - whole} backups are not whole"
        )
        return facts

    def _go_on_and_lose_everything(self) -> None:
        """Messages leave that the backup still holds as waiting; then every process dies.

        The producers stop first: on a busy machine what they write would leave before what waits.
        """
        known = {one.message_id for one in taken(self.record)}
        with sqlite3.connect(self.file) as connection:
            kept = {row[0] for row in connection.execute("SELECT message_id FROM outgoing_message")}
        for process in list(self.made.processes)[1:3]:
            self.made.kill(process)

        def left() -> int:
            return len(({one.message_id for one in taken(self.record)} & kept) - known)

        wait_for_work(lambda: left() >= LEFT, "mail that the backup holds as waiting")
        self.outcome.figures["left_after_the_backup"] = left()
        for process in list(self.made.processes)[1:]:
            self.made.kill(process)
        self.delivered = Counter(one.message_id for one in taken(self.record))
        if self.made.cluster is not None:
            self.made.cluster.create("torture")
        else:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.made.folder / 'torture.db'}{suffix}").unlink(missing_ok=True)

    def _restore(self, facts: backups.BackupFacts) -> None:
        began = time.monotonic()
        self.made.flask("db", "upgrade")
        self.made.flask("backup", "restore", str(self.file))
        self.outcome.recovery_seconds = round(time.monotonic() - began, 1)
        with self.app.app_context():
            found = rows_of_database(db.engine)
            differing = [
                table
                for table, rows in facts.rows.items()
                if found[table] != rows and table not in ("setting", "audit_entry")
            ]
            held = db.session.scalar(select(func.count()).where(OutgoingMessage.state.in_(HELD)))
            self._let_go()
        self.outcome.in_doubt = held or 0
        self.outcome.require(not differing, f"rows differ after the restore: {differing}")
        self.outcome.require(
            self.outcome.recovery_seconds < RESTORE_SECONDS, "the restore took over 15 minutes"
        )

    def _send_again(self) -> None:
        """Senders run on what was restored; whoever had a message already gets no second one."""
        self.made.start(run_scheduler, self.clock)
        wait_until(self._is_quiet, 60)
        time.sleep(3)
        after = Counter(one.message_id for one in taken(self.record))
        again = [name for name, count in after.items() if count > self.delivered.get(name, count)]
        with self.app.app_context():
            rows = set(db.session.scalars(select(OutgoingMessage.message_id)))
            self._let_go()
        self.outcome.promised = len(rows)
        self.outcome.delivered = len(rows & set(after))
        self.outcome.duplicated = len(again)
        self.outcome.max_copies = max(after.values(), default=0)
        self.outcome.require(
            not again, f"{len(again)} messages were mailed again after the restore"
        )
        self.outcome.require(self.outcome.in_doubt > 0, "nothing was waiting: the drill is blind")

    def _is_quiet(self) -> bool:
        with self.app.app_context():
            waiting = db.session.scalar(
                select(func.count()).where(OutgoingMessage.state.in_(WAITING))
            )
            self._let_go()
            return not waiting
