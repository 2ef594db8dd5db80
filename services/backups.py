"""Backups: one SQLite file with every row, whatever database is in use, and proof that it is whole."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine, func, insert, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from models import Base, db
from rules.permissions import Actor
from rules.refusals import N_, Malformed, Refusal
from services import audit
from services.transaction import writing

CHUNK = 5_000


@dataclass(frozen=True)
class BackupFacts:
    """What a backup holds: its size in bytes, rows by table, and whether it is whole."""

    size: int
    rows: dict[str, int]
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return not self.faults


def create_backup(target: Path, *, now: datetime, by: Actor) -> BackupFacts:
    """Write everything into a new file beside running writers, check it, and only then name it.

    Readable by its owner only. Refuses a name that is taken. On PostgreSQL the rows are those of
    one moment (repeatable read).
    """
    if target.exists():
        raise Refusal(N_("Tệp “%(file)s” đã có. Hãy chọn tên khác."), file=target.name)
    if not target.parent.is_dir():
        raise Refusal(
            N_("Không có thư mục “%(folder)s”. Hãy tạo trước."), folder=str(target.parent)
        )
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if db.engine.dialect.name == "sqlite":
            _copy_sqlite(partial)
        else:
            _copy_rows(partial)
        facts = verify_backup(partial)
        if not facts.is_whole:
            raise Refusal(
                N_("Bản sao lưu không toàn vẹn: %(faults)s"), faults="; ".join(facts.faults)
            )
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="backed_up",
            entity="database",
            entity_id=target.name,
            rows=sum(facts.rows.values()),
        )
    return facts


def verify_backup(file: Path) -> BackupFacts:
    """Open a backup read-only: integrity, references and rows by table; nothing is changed."""
    if not file.is_file():
        raise Malformed(N_("Không có tệp “%(file)s”."), file=str(file))
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
            return BackupFacts(file.stat().st_size, _rows(connection), tuple(_faults(connection)))
    except sqlite3.DatabaseError as error:
        raise Malformed(
            N_("“%(file)s” không phải bản sao lưu của chương trình này, hoặc đã hỏng (%(error)s)."),
            file=file.name,
            error=error,
        ) from None


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        for table in sorted(Base.metadata.tables)
    }


def _faults(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield str(line)
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(5):
        yield f"{table} {row} → {parent}"


def _copy_sqlite(target: Path) -> None:
    """SQLite's own backup: a consistent copy while others write."""
    with db.engine.connect() as source, closing(sqlite3.connect(target)) as copy:
        driver = source.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError("the SQLite driver is expected to be sqlite3")
        driver.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _copy_rows(target: Path) -> None:
    """Any other database, table by table, as of one moment."""
    copy = create_engine(f"sqlite:///{target}", poolclass=NullPool)
    Base.metadata.create_all(copy)
    isolated = db.engine.execution_options(isolation_level="REPEATABLE READ")
    with isolated.connect() as source, copy.begin() as into:
        for table in Base.metadata.sorted_tables:
            for rows in source.execute(select(table)).mappings().partitions(CHUNK):
                into.execute(insert(table), [dict(row) for row in rows])
        _refuse_missing_rows(source, into)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _refuse_missing_rows(source: Connection, copy: Connection) -> None:
    def count(connection: Connection, table: Table) -> int:
        return connection.scalar(select(func.count()).select_from(table)) or 0

    for table in Base.metadata.sorted_tables:
        if count(source, table) != count(copy, table):
            raise DatabaseError(f"rows of {table.name} are missing in the copy", None, Exception())
