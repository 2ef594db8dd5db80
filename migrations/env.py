"""Runs migrations on a connection of their own, so that no row can be lost on the way.

SQLite alters a table by copying it; with foreign keys on, dropping the old copy deletes the rows
that refer to it. So they are off here, the whole upgrade is one transaction, and it is committed
only when every reference still holds.
"""

import sqlite3
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, event, pool
from sqlalchemy.engine import Connection, Engine

TARGET = current_app.extensions["migrate"].db.metadata


def _engine() -> Engine:
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    engine = create_engine(url, poolclass=pool.NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _foreign_keys_off)
    return engine


def _foreign_keys_off(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA foreign_keys = OFF")


def _render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Own column types are written as the library's, so that migrations need no models."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
    if broken:
        raise RuntimeError(f"the upgrade would break references, nothing was changed: {broken}")


def run_migrations() -> None:
    """Upgrade in one transaction, commit only what is whole."""
    engine = _engine()
    with engine.connect() as connection:
        write = {"begin": "IMMEDIATE"}
        connection = connection.execution_options(**write)
        with connection.begin():
            context.configure(
                connection=connection,
                target_metadata=TARGET,
                render_as_batch=connection.dialect.name == "sqlite",
                render_item=_render_item,
                compare_type=True,
                transaction_per_migration=False,
            )
            context.run_migrations()
            _check_references(connection)


run_migrations()
