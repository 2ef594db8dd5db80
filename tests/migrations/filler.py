"""Rows for every table, made from the schema itself, so that a new table is carried across as well."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Date,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Time,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from models import UtcDateTime

MOMENT = datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)


def fill(connection: Connection, metadata: MetaData) -> set[str]:
    """Give every table without a row one that its schema allows; gives the tables left empty.

    Values follow from the column's type, references lead to the first row there is. Where a check
    asks for one of several subjects, each optional reference is tried alone.
    """
    empty = set()
    for table in metadata.sorted_tables:
        if connection.scalar(select(func.count()).select_from(table)):
            continue
        if not any(_try(connection, table, chosen) for chosen in _choices(table)):
            empty.add(table.name)
    return empty


def _choices(table: Table) -> Iterator[set[str]]:
    """The sets of optional columns to give a value: all plain ones, one reference, or none."""
    optional = [column for column in table.columns if column.nullable]
    yield {column.name for column in optional if not column.foreign_keys}
    yield from ({column.name} for column in optional if column.foreign_keys)
    yield set()


def _try(connection: Connection, table: Table, chosen: set[str]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(**_row(connection, table, chosen)))
    except (IntegrityError, LookupError):
        return False
    return True


def _row(connection: Connection, table: Table, chosen: set[str]) -> Mapping[str, Any]:
    row = {}
    for column in table.columns:
        if column.nullable and column.name not in chosen:
            continue
        reference = next(iter(column.foreign_keys), None)
        if reference is None:
            row[column.name] = _value(column.type, column.name)
            continue
        row[column.name] = connection.scalar(select(reference.column).limit(1))
        if row[column.name] is None:
            raise LookupError(column.name)
    return row


def _value(kind: Any, name: str) -> Any:
    if isinstance(kind, Enum):
        return kind.enums[0]
    # Spans end after they begin.
    late = timedelta(days=1 if name.startswith(("end", "deadline")) or name.endswith("_to") else 0)
    for types, value in (
        ((UtcDateTime, DateTime), MOMENT + late),
        ((Boolean,), True),
        ((Integer,), 1),
        ((Date,), date(2026, 11, 23) + late),
        ((Time,), MOMENT.time()),
        ((LargeBinary,), b"\x00\xff"),
        ((JSON,), {"số": [1, "một"]}),
    ):
        if isinstance(kind, types):
            return value
    length = getattr(kind, "length", None) or 40
    return json.dumps(f"“{name}” ạ", ensure_ascii=False)[:length]
