"""Runs migrations on a connection of their own, so that no row can be lost on the way.

SQLite alters a table by copying it; with foreign keys on, dropping the old copy deletes the rows
that refer to it. So they are off here. The write lock is held from the start, a backup is taken
under it, the whole change is one transaction, and it is committed only when every row, every value
that stays and every reference is still there (`migrations.safety`).
"""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

from alembic import context
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import create_engine, event, inspect, pool, text
from sqlalchemy.engine import Connection, Engine

from migrations import safety

TARGET = current_app.extensions["migrate"].db.metadata
LOCK_WAIT_MS = 60_000


def _engine() -> Engine:
    """The application's database, or another one that the caller names (a copy being restored)."""
    url = context.config.attributes.get("database_url")
    engine = create_engine(
        url or current_app.config["SQLALCHEMY_DATABASE_URI"], poolclass=pool.NullPool
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _settle_sqlite)
    return engine


def _settle_sqlite(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = OFF")


def _take_the_lock(connection: Connection) -> None:
    """Keep every other writer out, and make sure that copying a table cascades nowhere."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection) or not driver.in_transaction:
            raise CommandError("Không giữ được khoá ghi nên không đổi gì. Hãy chạy lại.")
        if connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
            raise CommandError("Khoá ngoại của SQLite vẫn bật nên không đổi gì.")
        return
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    quote = connection.dialect.identifier_preparer.quote
    if tables := inspect(connection).get_table_names():
        names = ", ".join(quote(name) for name in sorted(tables))
        connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Own column types are written as the library's, so that migrations need no models."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def _refuse_a_newer_schema(heads: Iterable[str]) -> None:
    known = {script.revision for script in context.script.walk_revisions()}
    if strange := [head for head in heads if head not in known]:
        raise CommandError(
            f"Cơ sở dữ liệu ở phiên bản {strange[0]}, mới hơn chương trình này. "
            "Hãy dùng bản chương trình mới hơn; không có gì bị đổi."
        )


def _back_up(revision: str) -> None:
    try:
        current_app.extensions["backup_before_upgrade"](revision)
    except Exception as error:
        raise CommandError(
            f"Không sao lưu được trước khi nâng cấp nên không đổi gì: {error}"
        ) from error


def _guarded(
    connection: Connection, plan: Callable[[Any, Any], Iterable[Any]]
) -> Callable[[Any, Any], Iterable[Any]]:
    """The same steps, with a backup before the first and everything compared after the last."""

    def steps(heads: tuple[str, ...], migration: Any) -> Iterable[Any]:
        _refuse_a_newer_schema(heads)
        chosen = list(plan(heads, migration))
        changes = [step for step in chosen if hasattr(step, "revision")]
        before: safety.Contents = {}
        if changes and heads:
            _take_the_lock(connection)
            if context.config.attributes.get("backup_first", True):
                _back_up(heads[0])
            before = safety.contents(connection)
        yield from chosen
        if before:
            _refuse_losses(connection, before, changes)

    return steps


def _refuse_losses(connection: Connection, before: safety.Contents, steps: list[Any]) -> None:
    """Raise, and so undo everything, when rows, values or references did not come across."""
    lost = safety.losses(
        before,
        safety.contents(connection, keys=before),
        safety.declared(step.revision.module for step in steps),
        is_upgrade=steps[0].is_upgrade,
    )
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
        lost += [f"{child} {row} không còn {parent}" for child, row, parent, _ in broken]
    if lost:
        raise CommandError(f"Nâng cấp sẽ làm mất dữ liệu nên không đổi gì: {'; '.join(lost[:10])}.")


def run_migrations() -> None:
    """Change the schema in one transaction; commit only what is whole."""
    engine = _engine()
    with engine.connect() as connection:
        connection = connection.execution_options(begin="IMMEDIATE")
        with connection.begin():
            context.configure(
                connection=connection,
                target_metadata=TARGET,
                render_as_batch=connection.dialect.name == "sqlite",
                render_item=_render_item,
                compare_type=True,
                transaction_per_migration=False,
            )
            migration = context.get_context()
            # Alembic has no hook between planning the steps and the first of them.
            if plan := migration._migrations_fn:
                migration._migrations_fn = _guarded(connection, plan)
            context.run_migrations()


run_migrations()
