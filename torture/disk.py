"""A full disk: what was acknowledged is there, pages are read and say what is wrong, and space heals it."""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select, text

from app import create_app
from models import OutgoingMessage, Setting, db
from rules.permissions import SYSTEM
from rules.refusals import Refusal
from services import backups
from torture.outcome import Outcome
from torture.stage import FastClock, Stage, add_database, stage, wait_until
from torture.workers import build_small_city, run_producer

NAME = "disk"
QUICK = [("--writers", "2")]
FULL = [("--writers", "4"), ("--db", "postgresql", "--writers", "4")]
ROOM = 3_000_000
BALLAST = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many processes write until nothing fits any more."""
    add_database(parser)
    parser.add_argument("--writers", type=int, default=4)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system in memory of that many bytes; needs the right to mount one."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SystemExit(
            f"NOTHING WAS TRIED: no small disk could be mounted ({made.stderr.strip()})"
        )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def run(options: argparse.Namespace) -> Outcome:
    """Fill the disk by writing mail, look at everything, free the ballast, and write on."""
    with stage(options) as made:
        with create_app().app_context():
            build_small_city()
            size = _size_of(made)
            db.session.remove()
            db.engine.dispose()
        with small_disk(made.folder / "disk", size + ROOM + BALLAST), moved_to_the_disk(made):
            return Play(made, options).outcome


def _size_of(made: Stage) -> int:
    """How many bytes the database takes."""
    if made.cluster is None:
        db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return (made.folder / "torture.db").stat().st_size
    db.session.commit()
    ours = "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    return int(db.session.scalar(text(f"SELECT sum(pg_total_relation_size(oid)) {ours}")) or 0)


@contextmanager
def moved_to_the_disk(made: Stage) -> Iterator[None]:
    """Let the database lie on the small disk: its file, or PostgreSQL's tables and indexes.

    What PostgreSQL keeps for itself stays outside: when that has no room the server takes no more
    connections or ends, and comes back as after any crash (`torture outbox --restarts`).
    """
    disk = made.folder / "disk"
    if made.cluster is None:
        (disk / "torture.db").write_bytes((made.folder / "torture.db").read_bytes())
        made.environment["DATABASE_URL"] = f"sqlite:///{disk / 'torture.db'}"
        os.environ.update(made.environment)
        yield
        return
    tables = disk / "tables"
    tables.mkdir()
    made.folder.chmod(0o755)
    owner = made.cluster.folder.stat()
    shutil.chown(tables, owner.st_uid, owner.st_gid)
    made.cluster.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
    _move_tables("pg_default", "small")
    yield
    _move_tables("small", "pg_default")


def _move_tables(source: str, target: str) -> None:
    with create_app().app_context():
        for kind in ("TABLE", "INDEX"):
            moved = f"ALTER {kind} ALL IN TABLESPACE {source} SET TABLESPACE {target}"
            db.session.execute(text(moved))
        db.session.commit()
        db.engine.dispose()


class Play:
    """One run on the small disk; the promises are written down on a large one."""

    def __init__(self, made: Stage, options: argparse.Namespace) -> None:
        self.made, self.outcome = made, Outcome()
        self.clock = FastClock(time.time())
        self.disk = made.folder / "disk"
        self.ballast = self.disk / "ballast"
        self.ballast.write_bytes(bytes(BALLAST))
        self.app = create_app({"WTF_CSRF_ENABLED": False})
        self.promises = [made.folder / f"promised-{number}" for number in range(options.writers)]
        for number, promises in enumerate(self.promises):
            made.start(run_producer, self.clock, promises, 10**6 * number + 1, 0.0)
        self.outcome.require(self._fills(), "the disk was not filled: the run is blind")
        self._look_at_pages()
        self._try_a_backup()
        for process in list(made.processes):
            made.kill(process)
        self._compare()
        self._free_space()

    def _promised(self) -> set[str]:
        return {
            name for file in self.promises if file.exists() for name in file.read_text().split()
        }

    def _fills(self) -> bool:
        """Until no promise was added for three seconds."""
        last = (0, time.monotonic())

        def stands_still() -> bool:
            nonlocal last
            count = len(self._promised())
            if count != last[0]:
                last = (count, time.monotonic())
            return count > 0 and time.monotonic() - last[1] > 3

        return wait_until(stands_still, 120)

    def _look_at_pages(self) -> None:
        client = self.app.test_client()
        read = client.get("/healthz").status_code
        page = client.get("/sign-in")
        # A row may still fit into a page that is there already; many do not.
        for number in range(300):
            tried = {"email": f"q{number}@test.invalid", "password": "sai"}
            written = client.post("/sign-in", data=tried)
            if written.status_code == 507:
                break
        said = written.get_data(as_text=True)
        self.outcome.figures |= {
            "read": read,
            "page": page.status_code,
            "written": written.status_code,
        }
        self.outcome.require(read == 200 and page.status_code == 200, "pages cannot be read")
        self.outcome.require(written.status_code == 507, f"a write answers {written.status_code}")
        self.outcome.require("hết chỗ" in said, "no sentence says that it is full")

    def _try_a_backup(self) -> None:
        target = self.disk / "copy.db"
        with self.app.app_context():
            try:
                backups.write_backup(target, now=self.clock.now())
                self.outcome.require(False, "a backup was written to a full disk")
            except (Refusal, OSError):
                pass
            db.session.remove()
            db.engine.dispose()
        left = [file.name for file in self.disk.iterdir() if "copy" in file.name]
        self.outcome.require(not left, f"a backup that failed left {left}")

    def _compare(self) -> None:
        with self.app.app_context():
            rows = set(db.session.scalars(select(OutgoingMessage.message_id)))
            verdict = "ok"
            if self.made.cluster is None:
                verdict = db.session.scalar(text("PRAGMA integrity_check"))
            db.session.remove()
            db.engine.dispose()
        promised = self._promised()
        self.outcome.promised = len(promised)
        self.outcome.delivered = len(promised & rows)
        self.outcome.lost = len(promised - rows)
        self.outcome.require(verdict == "ok", f"integrity: {verdict}")
        self.outcome.require(
            not promised - rows, f"{len(promised - rows)} acknowledged rows are gone"
        )

    def _free_space(self) -> None:
        self.ballast.unlink()
        with self.app.app_context():
            before = db.session.scalar(select(func.count()).select_from(OutgoingMessage)) or 0
            db.session.rollback()
            db.session.add(Setting(key="space", value="x" * 400))
            db.session.commit()
            db.session.remove()
            facts = backups.create_backup(
                self.made.folder / "after.db", now=self.clock.now(), by=SYSTEM
            )
            db.session.remove()
            db.engine.dispose()
        self.outcome.require(facts.is_whole, "the backup afterwards is not whole")
        self.outcome.require(
            facts.rows["outgoing_message"] == before, "rows differ once there is space"
        )
