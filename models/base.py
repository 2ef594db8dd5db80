"""The database handle, the base of every table, and the column types all tables share."""

import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CheckConstraint, DateTime, Enum, Index, MetaData, event, text
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can change it on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(
    model_class=Base,
    session_options={"expire_on_commit": False, "autoflush": True},
)

if TYPE_CHECKING:

    class Model(Base):
        """What type checkers see: `db.Model` is made at run time."""

        __abstract__ = True
else:
    Model = db.Model


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware going in, stored in UTC, aware (UTC) coming out; naive times are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """What the driver is given; asked once for a statement, so that each value costs one call."""
        return _text_of if dialect.name == "sqlite" else _moment_of

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """What the driver's value becomes."""
        return _moment_in if dialect.name == "sqlite" else _in_utc


def _moment_of(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone is no instant: {value!r}")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


_TEXT = "%04d-%02d-%02d %02d:%02d:%02d.%06d"


def _text_of(value: datetime | None) -> str | None:
    """SQLAlchemy's own form of a time in SQLite: without the offset, which is that of UTC."""
    at = _moment_of(value)
    if at is None:
        return None
    return _TEXT % (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond)


def _moment_in(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def one_of(name: str, *values: str) -> Enum:
    """A text column that the database itself holds to these values."""
    return Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def word_of(name: str, *values: str) -> Enum:
    """`one_of` for the columns of every tap; its table holds it to the values by `only_words`."""
    return Enum(*values, name=name, native_enum=False, create_constraint=False, length=24)


def only_words(column: str, kind: Enum) -> CheckConstraint:
    """The check of a `word_of` column, word by word: for a list in brackets SQLite builds an index
    anew for each row that is written, which takes as long as writing the row."""
    return CheckConstraint(" OR ".join(f"{column} = '{one}'" for one in kind.enums), name=kind.name)


def index_of_some(name: str, column: str, *more: str) -> Index:
    """An index of the rows alone that have something in its first column."""
    has_some = text(f"{column} IS NOT NULL")
    return Index(name, column, *more, sqlite_where=has_some, postgresql_where=has_some)


BEGIN_WRITING = "BEGIN IMMEDIATE"
WAITS_SECONDS = 10
FIRST_PAUSE, LAST_PAUSE = 0.004, 0.0005
"""Seconds between two questions for SQLite's write lock, at first and once one has waited longer."""
SQLITE_SETTINGS = (
    f"busy_timeout = {1000 * WAITS_SECONDS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
)


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: object) -> None:
    """SQLite as the ledger needs it: WAL, full sync, foreign keys on, and our own BEGIN.

    `synchronous=FULL` because with NORMAL a power cut loses acknowledged commits.
    """
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    for pragma in SQLITE_SETTINGS:
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    """Writers say so at the start: a lock upgraded half-way fails at once, whatever the timeout."""
    if connection.dialect.name != "sqlite":
        return
    statement = f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}"
    driver: Any = connection.connection.dbapi_connection
    try:
        _begin_writing(driver) if statement == BEGIN_WRITING else driver.execute(statement)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error


def _begin_writing(connection: sqlite3.Connection) -> None:
    """Take the write lock, asking the more often the longer one has waited.

    SQLite's own waiting does the opposite, ten questions a second in the end: whoever came first is
    passed by all who come while it sleeps.
    """
    began = time.monotonic()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute(BEGIN_WRITING)
                return
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - began
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > WAITS_SECONDS:
                    raise
            shorter = max(LAST_PAUSE, FIRST_PAUSE - waited / 20)
            time.sleep(random.uniform(0.5, 1.5) * (shorter if waited < 1 else FIRST_PAUSE))
    finally:
        connection.execute(f"PRAGMA {SQLITE_SETTINGS[0]}")
