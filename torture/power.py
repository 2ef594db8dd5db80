"""Power cuts: what a commit wrote and synced is recorded, cut at any moment, and opened again.

Whatever was synced is on the disk; of what was written after the last sync each sector arrives or
does not. SQLite runs here through apsw, with a file system of ours below it and the program's own
settings and tables above.
"""

import argparse
import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from models.base import SQLITE_SETTINGS
from torture.outcome import Outcome
from torture.stage import Stage, stage

NAME = "power"
QUICK = [("--cuts", "300"), ("--cuts", "100", "--naive")]
FULL = [("--cuts", "1000"), ("--cuts", "300", "--naive")]
COMMITS = 150
SECTOR = 512
INSERT = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ?"


@dataclass(frozen=True)
class Happening:
    """One thing that reached the file system: a write, a cut to a length, a sync, a deletion."""

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Recorder:
    """All happenings in their order; `acknowledged` says how many commits had returned by then."""

    happenings: list[Happening] = field(default_factory=list)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)

    def note(self, kind: str, file: str, offset: int = 0, data: bytes = b"") -> None:
        """Write down one happening."""
        self.happenings.append(Happening(kind, Path(file).name, offset, bytes(data)))


class RecordingFile(apsw.VFSFile):
    """A file of the usual file system that says what is done to it."""

    def __init__(self, recorder: Recorder, name: Any, flags: list[int]) -> None:
        self.recorder = recorder
        self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # the names apsw calls
        """Write, and remember."""
        super().xWrite(data, offset)
        self.recorder.note("write", self.name, offset, data)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  # the names apsw calls
        """Cut to a length, and remember."""
        super().xTruncate(newsize)
        self.recorder.note("truncate", self.name, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802  # the names apsw calls
        """Sync, and remember."""
        super().xSync(flags)
        self.recorder.note("sync", self.name)


class RecordingFiles(apsw.VFS):
    """The usual file system below a name of its own."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        super().__init__("recording", "")

    def xOpen(self, name: Any, flags: list[int]) -> RecordingFile:  # noqa: N802  # the names apsw calls
        """Open a file that is recorded."""
        return RecordingFile(self.recorder, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  # the names apsw calls
        """Delete, and remember."""
        super().xDelete(filename, syncdir)
        self.recorder.note("delete", filename)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many cuts; `--naive` runs with settings that are known to lose."""
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--naive", action="store_true", help="synchronous=NORMAL: losses must show")


def run(options: argparse.Namespace) -> Outcome:
    """Commit a while, then cut the record at random moments and see what is left."""
    options.db = "sqlite"
    with stage(options) as made:
        start = _settled_copy(made)
        recorder = Recorder()
        settings = [
            "synchronous = NORMAL" if options.naive and one.startswith("synchronous") else one
            for one in SQLITE_SETTINGS
        ]
        _commit(made, recorder, settings)
        return _verdict(start, recorder, options, made.random)


def _settled_copy(made: Stage) -> bytes:
    """The migrated database as one file, before anything is recorded."""
    file = made.folder / "torture.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.read_bytes()


def _commit(made: Stage, recorder: Recorder, settings: list[str]) -> None:
    """Commit numbered facts, one after the other, and note when each was acknowledged."""
    files = RecordingFiles(recorder)
    connection = apsw.Connection(str(made.folder / "torture.db"), vfs="recording")
    # Without shared memory, which the recording file system does not offer, WAL needs this.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    connection.execute("PRAGMA wal_autocheckpoint = 60")
    if connection.execute("PRAGMA journal_mode").get != "wal":
        raise RuntimeError("the recording does not run in WAL mode")
    for number in range(1, COMMITS + 1):
        connection.execute("BEGIN IMMEDIATE")
        for part in range(made.random.randint(1, 4)):
            value = f"{number}" + "x" * made.random.randint(0, 400)
            connection.execute(INSERT, (f"fact-{number}-{part}", value, value))
        connection.execute(INSERT, ("last", str(number), str(number)))
        connection.execute("COMMIT")
        recorder.acknowledged.append((len(recorder.happenings), number))
    files.unregister()


def _verdict(
    start: bytes, recorder: Recorder, options: argparse.Namespace, chance: random.Random
) -> Outcome:
    """Cut at random moments, and between a commit's answer and what comes next."""
    moments = [chance.randrange(1, len(recorder.happenings) + 1) for _ in range(options.cuts // 2)]
    answers = [moment for moment, _ in recorder.acknowledged]
    moments += chance.choices(answers, k=options.cuts - len(moments))
    lost = corrupt = missing = 0
    with tempfile.TemporaryDirectory(prefix="th-torture-") as folder:
        for moment in moments:
            promised = max((n for at, n in recorder.acknowledged if at <= moment), default=0)
            _lay_out(Path(folder), start, recorder.happenings[:moment], chance)
            found, is_whole = _look(Path(folder))
            corrupt += not is_whole
            missing += max(0, promised - found)
            lost += is_whole and found < promised
    outcome = Outcome(
        promised=COMMITS,
        lost=lost,
        figures={
            "cuts": len(moments),
            "corrupt": corrupt,
            "cuts_that_lost": lost,
            "commits_missing": missing,
            "happenings": len(recorder.happenings),
        },
    )
    if options.naive:
        outcome.require(
            bool(lost or corrupt), "synchronous=NORMAL lost nothing: the cuts are blind"
        )
        outcome.lost = 0 if lost else outcome.lost
        return outcome
    outcome.require(corrupt == 0, f"{corrupt} cuts left a damaged database")
    outcome.require(lost == 0, f"{lost} cuts lost acknowledged commits")
    return outcome


def _lay_out(
    folder: Path, start: bytes, happenings: list[Happening], chance: random.Random
) -> None:
    """Write the files as a disk would hold them that lost power after these happenings."""
    for old in folder.iterdir():
        old.unlink()
    files: dict[str, bytearray] = {"torture.db": bytearray(start)}
    last_sync = {one.file: at for at, one in enumerate(happenings) if one.kind == "sync"}
    for at, one in enumerate(happenings):
        is_safe = at < last_sync.get(one.file, -1)
        _apply(files, one, (lambda: True) if is_safe else (lambda: chance.random() < 0.5))
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _apply(files: dict[str, bytearray], one: Happening, arrives: Callable[[], bool]) -> None:
    """One happening; of an unsafe write each sector arrives or does not."""
    content = files.setdefault(one.file, bytearray())
    if one.kind == "delete" and arrives():
        files.pop(one.file, None)
    elif one.kind == "truncate" and arrives():
        del content[one.offset :]
    elif one.kind == "write":
        for begin in range(0, len(one.data), SECTOR):
            piece, place = one.data[begin : begin + SECTOR], one.offset + begin
            if arrives():
                if len(content) < place + len(piece):
                    content.extend(bytes(place + len(piece) - len(content)))
                content[place : place + len(piece)] = piece


def _look(folder: Path) -> tuple[int, bool]:
    """Open what is left as the program would: the last commit it knows, and whether it is whole."""
    try:
        with closing(sqlite3.connect(folder / "torture.db")) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            row = connection.execute("SELECT value FROM setting WHERE key = 'last'").fetchone()
            last = int(row[0]) if row else 0
            facts = connection.execute(
                "SELECT count(DISTINCT substr(key, 1, instr(substr(key, 6), '-') + 4))"
                " FROM setting WHERE key LIKE 'fact-%'"
            ).fetchone()[0]
            return last, verdict == "ok" and facts == last
    except (sqlite3.DatabaseError, ValueError):
        return 0, False
