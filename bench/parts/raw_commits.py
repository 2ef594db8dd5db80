"""How many rows a second a database makes durable from one connection, with nothing around it."""

import sqlite3
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bench.parts.phones import Figures
from services.attendance_ledger import new_mark_id

IDS: dict[str, Callable[[], str]] = {
    "random ids": lambda: str(uuid.uuid4()),
    "ids in order": lambda: new_mark_id(datetime.now(UTC)),
}
"""Rows whose ids come in order, as those of marks do, take a third of the time in SQLite."""


class RawCommits:
    """So many rows to a commit, into a table of an id and a text."""

    def __init__(self, environment: dict[str, str], rows: int, ids: str) -> None:
        self.rows, self.new_id = rows, IDS[ids]
        url = environment["DATABASE_URL"]
        self.is_sqlite = url.startswith("sqlite")
        self.connection: Any
        if self.is_sqlite:
            path = Path(environment["INSTANCE_PATH"]) / "raw.db"
            self.connection = sqlite3.connect(path, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
        else:
            self.connection = psycopg.connect(url, autocommit=True)

    def load(self, seconds: float) -> Figures:
        """Commit for so long, into a table that is new; only the database is timed."""
        self.connection.execute("DROP TABLE IF EXISTS raw")
        self.connection.execute("CREATE TABLE raw (id TEXT PRIMARY KEY, body TEXT)")
        begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        value = "?" if self.is_sqlite else "%s"
        done, took = 0, 0.0
        while took < seconds:
            made = [(self.new_id(), "x" * 120) for _ in range(self.rows)]
            started = time.perf_counter()
            self.connection.execute(begin)
            self.connection.cursor().executemany(f"INSERT INTO raw VALUES ({value}, {value})", made)
            self.connection.execute("COMMIT")
            took += time.perf_counter() - started
            done += self.rows
        return {"rows_per_second": round(done / took)}
