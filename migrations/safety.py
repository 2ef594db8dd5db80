"""What a change of the schema must not lose: rows, contents and references, before and after.

A revision that means to change facts says so in its own file, by table name:

    adds_rows_to = ("setting",)           rows are added
    deletes_rows_from = ("clock_tick",)   rows are taken away
    rewrites = ("person.sort_key",)       the values of a column that stays
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import inspect
from sqlalchemy.engine import Connection

VERSION_TABLE = "alembic_version"
CHUNK = 2_000


@dataclass(frozen=True)
class Column:
    """The kind of value a column holds, and a digest of its values in the order of the rows."""

    kind: str
    digest: str


@dataclass(frozen=True)
class Table:
    """What stands in a table: its rows, and its columns by name. `key` is the order of the rows."""

    rows: int
    key: tuple[str, ...]
    columns: dict[str, Column]


Contents = dict[str, Table]


@dataclass(frozen=True)
class Declared:
    """What the revisions themselves say they change."""

    added: frozenset[str]
    deleted: frozenset[str]
    rewritten: frozenset[str]


def declared(revisions: Iterable[ModuleType]) -> Declared:
    """Gather what the revisions declare."""
    modules = list(revisions)

    def names(attribute: str) -> frozenset[str]:
        return frozenset(name for module in modules for name in getattr(module, attribute, ()))

    return Declared(names("adds_rows_to"), names("deletes_rows_from"), names("rewrites"))


def contents(connection: Connection, keys: Contents | None = None) -> Contents:
    """Read every table once, each in the order of its primary key (or of that in `keys`)."""
    found: Contents = {}
    for name in inspect(connection).get_table_names():
        if name != VERSION_TABLE:
            known = keys.get(name) if keys else None
            found[name] = _table(connection, name, known.key if known else ())
    return found


def _table(connection: Connection, name: str, key: Sequence[str]) -> Table:
    inspector = inspect(connection)
    columns = {
        column["name"]: getattr(column["type"]._type_affinity, "__name__", "")
        for column in inspector.get_columns(name)
    }
    order = tuple(key or inspector.get_pk_constraint(name)["constrained_columns"] or columns)
    if not set(order) <= set(columns):
        order = tuple(columns)
    quote = connection.dialect.identifier_preparer.quote
    listed = ", ".join(quote(column) for column in columns)
    sorting = ", ".join(quote(column) for column in order)
    result = connection.exec_driver_sql(
        f"SELECT {listed} FROM {quote(name)} ORDER BY {sorting}",
        execution_options={"stream_results": True},
    )
    digests = [hashlib.blake2b(digest_size=16) for _ in columns]
    rows = 0
    for part in result.partitions(CHUNK):
        rows += len(part)
        for digest, values in zip(digests, zip(*part, strict=True), strict=True):
            digest.update(repr(values).encode())
    return Table(
        rows,
        order,
        {
            column: Column(kind, digest.hexdigest())
            for (column, kind), digest in zip(columns.items(), digests, strict=True)
        },
    )


def losses(before: Contents, after: Contents, meant: Declared, *, is_upgrade: bool) -> list[str]:
    """Say what was lost or changed that no revision declares; nothing when all is well.

    Going back drops the tables that going forward had made: their rows go with them.
    """
    found = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            if is_upgrade and old.rows and name not in meant.deleted:
                found.append(f"bảng {name} mất cả {old.rows} dòng")
        else:
            found += _differences(name, old, new, meant)
    return found


def _differences(name: str, old: Table, new: Table, meant: Declared) -> list[str]:
    fewer = new.rows < old.rows and name not in meant.deleted
    more = new.rows > old.rows and name not in meant.added
    if fewer or more:
        return [f"bảng {name} từ {old.rows} thành {new.rows} dòng"]
    if new.rows != old.rows or old.key != new.key or name in meant.added & meant.deleted:
        return []
    return [
        f"cột {name}.{column} đổi nội dung"
        for column, was in old.columns.items()
        if column in new.columns
        and new.columns[column].kind == was.kind
        and new.columns[column].digest != was.digest
        and f"{name}.{column}" not in meant.rewritten
    ]
