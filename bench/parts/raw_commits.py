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


def raw_commits(environment: dict[str, str], rows: int, ids: str, seconds: float) -> Figures:
    """Commit so many rows at a time into a new table of an id and a text; only that is timed."""
    url, new_id = environment["DATABASE_URL"], IDS[ids]
    connection: Any
    if url.startswith("sqlite"):
        begin, value = "BEGIN IMMEDIATE", "?"
        path = Path(environment["INSTANCE_PATH"]) / "raw.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    else:
        begin, value = "BEGIN", "%s"
        connection = psycopg.connect(url, autocommit=True)
    connection.execute("DROP TABLE IF EXISTS raw")
    connection.execute("CREATE TABLE raw (id TEXT PRIMARY KEY, body TEXT)")
    done, took = 0, 0.0
    while took < seconds:
        made = [(new_id(), "x" * 120) for _ in range(rows)]
        started = time.perf_counter()
        connection.execute(begin)
        connection.cursor().executemany(f"INSERT INTO raw VALUES ({value}, {value})", made)
        connection.execute("COMMIT")
        took += time.perf_counter() - started
        done += rows
    connection.close()
    return {"rows_per_second": round(done / took)}
