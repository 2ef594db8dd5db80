"""Migrations killed at their statements: rows stay as they were, or arrive whole; the next try succeeds."""

import argparse
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from app import create_app
from migrations import safety
from models import Base, db
from services import schema
from tests.migrations.filler import fill
from torture.outcome import Outcome
from torture.stage import Stage, add_database, stage
from torture.workers import build_small_city

NAME = "migrate"
QUICK = [("--db", "sqlite", "--kills", "25")]
FULL = [
    ("--db", "sqlite", "--kills", "150"),
    ("--db", "postgresql", "--kills", "20"),
]
ONLY_LOOKS = ("SELECT", "PRAGMA", "DECLAR", "FETCH ")
COPIES_TABLES = """
import sqlalchemy as sa
from alembic import op
revision = "copies_tables"
down_revision = {head!r}
def upgrade():
    how = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    for table in ("unit", "person", "meeting"):
        with op.batch_alter_table(table, recreate=how) as batch:
            batch.add_column(sa.Column("tried", sa.String(9)))
def downgrade():
    how = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    for table in ("meeting", "person", "unit"):
        with op.batch_alter_table(table, recreate=how) as batch:
            batch.drop_column("tried")
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many statements are chosen for a kill; 0 kills at every one of them."""
    add_database(parser)
    parser.add_argument("--kills", type=int, default=0, help="kills in all; 0 for every statement")


def run(options: argparse.Namespace) -> Outcome:
    """Count each step's writing statements once, then kill at the chosen ones, from the same rows."""
    with stage(options) as made:
        app = create_app()
        with app.app_context():
            build_small_city()
            with db.engine.begin() as connection:
                fill(connection, Base.metadata)
            db.session.remove()
            db.engine.dispose()
            return Journey(made, options).verdict()


class Journey:
    """Every step between the first schema and one past the newest, both ways, with rows aboard."""

    def __init__(self, made: Stage, options: argparse.Namespace) -> None:
        self.made, self.options = made, options
        self.url = made.environment["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
        extra = made.folder / "versions"
        extra.mkdir()
        (extra / "copies_tables.py").write_text(COPIES_TABLES.format(head=schema.newest()))
        self.extra = extra
        walk = ScriptDirectory.from_config(config(self.url, extra)).walk_revisions()
        self.revisions = [one.revision for one in walk if one.down_revision]
        self.figures: dict[str, int] = {"untouched": 0, "arrived": 0}
        self.outcome = Outcome(figures={})

    def verdict(self) -> Outcome:
        """Go up one past the newest, down to the first, and up again, killed on the way."""
        command.upgrade(config(self.url, self.extra), "head")
        steps = [(one, "-1") for one in self.revisions]
        steps += [(one, "+1") for one in reversed(self.revisions)]
        chosen = self._choose([(step, self._statements(*step)) for step in steps])
        self.outcome.figures = {
            "steps": len(steps),
            "statements": sum(count for _, count in self.counts),
            "kills": sum(len(numbers) for numbers in chosen),
        }
        command.upgrade(config(self.url, self.extra), "head")
        for (revision, to), numbers in zip(steps, chosen, strict=True):
            self._keep()
            before = contents_of(self.url)
            for number in numbers:
                self._kill_at(revision, to, number, before)
            self._put_back()
            take(self.url, self.extra, to)
        self.outcome.figures |= self.figures
        return self.outcome

    def _statements(self, revision: str, to: str) -> int:
        """How many statements a step takes; the step is taken."""
        counted = self.made.folder / "counted"
        counted.unlink(missing_ok=True)
        process = self.made.start(step_killed_at, self.url, self.extra, to, 0, counted)
        process.join()
        self.made.processes.remove(process)
        if process.exitcode or not counted.exists():
            raise RuntimeError(f"the step {to} of {revision} does not work even unhurt")
        return int(counted.read_text())

    def _choose(self, counts: list[tuple[tuple[str, str], int]]) -> list[list[int]]:
        self.counts = counts
        every = [(place, n) for place, (_, count) in enumerate(counts) for n in range(1, count + 1)]
        picked = every
        if self.options.kills:
            picked = self.made.random.sample(every, min(self.options.kills, len(every)))
        return [sorted(n for place, n in picked if place == one) for one in range(len(counts))]

    def _kill_at(self, revision: str, to: str, number: int, before: safety.Contents) -> None:
        self._put_back()
        came_from = version_of(self.url)
        args = (self.url, self.extra, to, number, self.made.folder / "unused")
        process = self.made.start(step_killed_at, *args)
        process.join()
        self.made.processes.remove(process)
        where = f"{revision} {to} killed at statement {number}"
        self.outcome.require(process.exitcode == -signal.SIGKILL, f"{where}: it was not killed")
        after = contents_of(self.url, before)
        if version_of(self.url) == came_from:
            self.figures["untouched"] += 1
            self.outcome.require(after == before, f"{where}: changed and yet at the old version")
            take(self.url, self.extra, to)
            after = contents_of(self.url, before)
        else:
            self.figures["arrived"] += 1
        lost = safety.losses(before, after, self._declared(revision), is_upgrade=to == "+1")
        self.outcome.require(not lost, f"{where}: {'; '.join(lost)}")

    def _declared(self, revision: str) -> safety.Declared:
        script = ScriptDirectory.from_config(config(self.url, self.extra)).get_revision(revision)
        return safety.declared([script.module])

    def _keep(self) -> None:
        if self.made.cluster is not None:
            self.made.cluster.create("kept", template="torture")
            return
        shutil.copyfile(self._file(), self.made.folder / "kept")

    def _put_back(self) -> None:
        if self.made.cluster is not None:
            self.made.cluster.create("torture", template="kept")
            return
        for suffix in ("-wal", "-shm", "-journal"):
            Path(f"{self._file()}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.made.folder / "kept", self._file())

    def _file(self) -> Path:
        return self.made.folder / "torture.db"


def config(url: str, extra: Path) -> Config:
    """The program's migrations and one more that copies the tables everything refers to."""
    made = schema.alembic_config(url, backup_first=False)
    made.set_main_option("path_separator", "newline")
    made.set_main_option("version_locations", f"{schema.FOLDER / 'versions'}\n{extra}")
    return made


def take(url: str, extra: Path, to: str) -> None:
    """Take one step up or down."""
    go = command.upgrade if to == "+1" else command.downgrade
    go(config(url, extra), to)
    if url.startswith("sqlite"):
        with engine_of(url).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def step_killed_at(url: str, extra: Path, to: str, number: int, counted: Path) -> None:
    """Take a step in a process that ends itself by SIGKILL at that statement; 0 counts them."""
    seen = iter(range(1, 1_000_000))
    last = 0

    def strike(*arguments: Any) -> None:
        nonlocal last
        # Before and after whatever writes, and before the commit; what only looks is passed over.
        if len(arguments) > 2 and str(arguments[2]).lstrip()[:6].upper() in ONLY_LOOKS:
            return
        last = next(seen)
        if last == number:
            os.kill(os.getpid(), signal.SIGKILL)

    with create_app().app_context():
        for moment in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, moment, strike)
        take(url, extra, to)
    counted.write_text(str(last))


def engine_of(url: str) -> Engine:
    """An engine that keeps no connection open."""
    return create_engine(url, poolclass=NullPool)


def contents_of(url: str, keys: safety.Contents | None = None) -> safety.Contents:
    """What stands in every table."""
    with engine_of(url).connect() as connection:
        return safety.contents(connection, keys)


def version_of(url: str) -> str | None:
    """The revision that the database says it is at."""
    return schema.version_of(engine_of(url))
