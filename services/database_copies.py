"""A whole database in one SQLite file, and one such file back into a database, whatever they are.

Both go by the tables that are there, never by the models: a copy can be taken of a database of any
earlier version, just before it is upgraded.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKeyConstraint,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.pool import NullPool

CHUNK = 5_000
VERSION_TABLE = "alembic_version"
FACTS_TABLE = "backup_fact"
LOCK_WAIT_SECONDS = 60.0


class LostRows(Exception):
    """A copy does not hold what its source holds; it was undone."""


def copy_to_file(engine: Engine, target: Path, facts: dict[str, str]) -> None:
    """Write every row of one moment into the empty file, beside running writers, with the facts.

    What SQLite has deleted but not yet overwritten stays behind: VACUUM INTO copies rows only.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as source:
            driver = source.connection.driver_connection
            if not isinstance(driver, sqlite3.Connection):
                raise TypeError("the SQLite driver is expected to be sqlite3")
            driver.execute("VACUUM INTO ?", (str(target),))
    else:
        _copy_rows(engine, target)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute(f"CREATE TABLE {FACTS_TABLE} (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        copy.executemany(f"INSERT INTO {FACTS_TABLE} VALUES (?, ?)", facts.items())


def _copy_rows(engine: Engine, target: Path) -> None:
    """Any other database, table by table, as of one moment (repeatable read)."""
    copy = _engine_of(target)
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as source:
        source.execute(text("SET LOCAL statement_timeout = 0"))
        found = MetaData()
        found.reflect(source)
        made = _plain(found)
        made.create_all(copy)
        with copy.connect() as into:
            # Rows come in no order: a unit before the unit above it. Asked of the driver, since in
            # a transaction, which SQLAlchemy would have begun, this says nothing and does nothing.
            into.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            with into.begin():
                for table in found.sorted_tables:
                    _copy_table(source, table, into, made.tables[table.name])


def _engine_of(file: Path) -> Engine:
    """What speaks to a copy; its failures do not tell what is in its rows."""
    return create_engine(f"sqlite:///{file}", poolclass=NullPool, hide_parameters=True)


def _plain(found: MetaData) -> MetaData:
    """The same tables with types that every database has, their keys and references."""
    plain = MetaData()
    for table in found.tables.values():
        references = [
            ForeignKeyConstraint(
                constraint.column_keys, [element.target_fullname for element in constraint.elements]
            )
            for constraint in table.foreign_key_constraints
        ]
        columns: list[Column[Any]] = [
            Column(
                column.name,
                column.type.as_generic(),
                primary_key=column.primary_key,
                nullable=column.nullable,
            )
            for column in table.columns
        ]
        Table(table.name, plain, *columns, *references)
    return plain


def _copy_table(source: Connection, table: Table, into: Connection, target: Table) -> None:
    with source.execute(select(table), execution_options={"stream_results": True}) as whole:
        for rows in whole.mappings().partitions(CHUNK):
            into.execute(insert(target), [dict(row) for row in rows])
    if _count(source, table) != _count(into, target):
        raise LostRows(table.name)


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def pour_file(source: Path, engine: Engine) -> None:
    """Put the file's rows in the place of all rows of a database of the same version.

    One transaction: whatever happens on the way, the database holds either what it held or what
    the file holds. Raises LostRows when a row or a reference would be missing.
    """
    if engine.dialect.name == "sqlite":
        database = engine.url.database
        if not database:
            raise TypeError("an SQLite database without a file cannot be restored into")
        _pour_into_sqlite(source, Path(database))
    else:
        _pour_into_other(source, engine)


def _pour_into_sqlite(source: Path, target: Path) -> None:
    with closing(
        sqlite3.connect(target, isolation_level=None, timeout=LOCK_WAIT_SECONDS)
    ) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("ATTACH ? AS copy", (str(source),))
        connection.execute("BEGIN IMMEDIATE")
        try:
            triggers = connection.execute(
                "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'"
            ).fetchall()
            for name, _ in triggers:
                connection.execute(f'DROP TRIGGER main."{name}"')
            for table in tables_of(connection):
                _pour_table(connection, table)
            for _, statement in triggers:
                connection.execute(statement)
            if broken := connection.execute("PRAGMA main.foreign_key_check").fetchmany(5):
                raise LostRows(str(broken))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _pour_table(connection: sqlite3.Connection, table: str) -> None:
    names = [row[1] for row in connection.execute(f'PRAGMA main.table_info("{table}")')]
    listed = ", ".join(f'"{name}"' for name in names)
    connection.execute(f'DELETE FROM main."{table}"')
    connection.execute(f'INSERT INTO main."{table}" ({listed}) SELECT {listed} FROM copy."{table}"')
    counts = [
        connection.execute(f'SELECT count(*) FROM {place}."{table}"').fetchone()[0]
        for place in ("main", "copy")
    ]
    if counts[0] != counts[1]:
        raise LostRows(table)


def _pour_into_other(source: Path, engine: Engine) -> None:
    """PostgreSQL: references are taken off and put on again, which checks every one of them."""
    copy = _engine_of(source)
    with copy.connect() as reading, engine.begin() as target:
        target.execute(text("SET LOCAL statement_timeout = 0"))
        found, known = MetaData(), MetaData()
        found.reflect(target)
        known.reflect(reading)
        references = target.execute(_REFERENCES).all()
        for table, name, _ in references:
            target.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for table in found.tables.values():
            target.exec_driver_sql(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER')
            target.execute(table.delete())
        for table in found.tables.values():
            _copy_table(reading, known.tables[table.name], target, table)
            _set_sequences(target, table)
            target.exec_driver_sql(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')
        for table, name, definition in references:
            target.exec_driver_sql(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')


_REFERENCES = text(
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
)


def _set_sequences(target: Connection, table: Table) -> None:
    """The next row's number is one past the highest."""
    for column in table.primary_key.columns:
        sequence = target.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": f'"{table.name}"', "column": column.name},
        )
        highest = target.scalar(select(func.max(column))) if sequence else None
        if highest is not None:
            target.execute(
                text("SELECT setval(:name, :value)"), {"name": sequence, "value": highest}
            )


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """The tables of a database file, without SQLite's own."""
    return [
        name
        for (name,) in connection.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table'"
            r" AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name"
        )
    ]


def rows_of_file(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table of facts has."""
    return {
        table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        for table in tables_of(connection)
        if table not in (VERSION_TABLE, FACTS_TABLE)
    }


def rows_of_database(engine: Engine) -> dict[str, int]:
    """The same of a database in use."""
    with engine.connect() as connection:
        quote = connection.dialect.identifier_preparer.quote
        return {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {quote(table)}").scalar() or 0
            for table in sorted(inspect(connection).get_table_names())
            if table != VERSION_TABLE
        }


def faults_of_file(connection: sqlite3.Connection) -> Iterator[str]:
    """What is broken: damaged pages, references that lead nowhere."""
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield str(line)
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(5):
        yield f"{table} {row} → {parent}"


def facts_of_file(connection: sqlite3.Connection) -> dict[str, str]:
    """What was written down with the copy: when it was taken, and of which version."""
    tables = tables_of(connection)
    facts: dict[str, str] = {}
    if FACTS_TABLE in tables:
        facts = dict(connection.execute(f"SELECT name, value FROM {FACTS_TABLE}").fetchall())
    if VERSION_TABLE in tables:
        row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
        if row:
            facts["revision"] = row[0]
    return facts
