"""The few statements of every tap, handed to the database's driver as they were written down once.

A look-up through the ORM's session costs five to ten times what SQLite needs to answer it. Values
still pass through their columns' types both ways, and failures still are SQLAlchemy's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Enum, bindparam
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

SIZES = (1, 8, 64, 512)
Convert = Callable[[Any], Any]


class Connected(Protocol):
    """What statements are asked through: a session, or what stands for one without its cost."""

    def connection(self) -> Connection: ...


@dataclass(frozen=True)
class _Written:
    """A statement in one database's words, with what turns values into the driver's and back."""

    sql: str
    places: tuple[str, ...] | None
    defaults: Mapping[str, Any]
    outward: Mapping[str, Convert]
    inward: tuple[Convert | None, ...] | None


class Prepared:
    """One statement over plain tables, made from named `bindparam`s; none of them expanding."""

    def __init__(self, make: Callable[[str], Any], columns: Sequence[str] = ()) -> None:
        """`make` gives the statement for the name of a dialect; `columns` are those of an insert."""
        self._make, self._columns = make, list(columns) or None
        self._written: dict[str, _Written] = {}

    def rows(self, session: Connected, **values: Any) -> list[tuple[Any, ...]]:
        """What the database answers, as plain tuples."""
        return self.rows_of(session.connection(), **values)

    def rows_of(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """The same over a connection that no session holds."""
        written = self._for(connection.dialect)
        cursor = self._execute(connection, written, [values])
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        if written.inward is None:
            return found
        return [_converted(row, written.inward) for row in found]

    def run(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write these rows, or make the change once for each."""
        connection = session.connection()
        self._execute(connection, self._for(connection.dialect), rows).close()

    def _execute(
        self, connection: Connection, written: _Written, rows: Sequence[Mapping[str, Any]]
    ) -> Any:
        given = [_given(written, row) for row in rows]
        cursor = connection.connection.cursor()
        if before_execute := connection.dispatch.before_cursor_execute:
            # Whoever counts statements counts these as well.
            for hear in before_execute:
                hear(connection, cursor, written.sql, given, None, len(given) > 1)
        dbapi = connection.dialect.loaded_dbapi
        try:
            if len(given) == 1:
                cursor.execute(written.sql, given[0])
            else:
                cursor.executemany(written.sql, given)
        except dbapi.Error as error:
            raise DBAPIError.instance(
                written.sql, None, error, dbapi.Error, hide_parameters=True
            ) from error
        return cursor

    def _for(self, dialect: Dialect) -> _Written:
        written = self._written.get(dialect.name)
        if written is None:
            written = self._written[dialect.name] = _write(
                self._make(dialect.name), dialect, self._columns
            )
        return written


class Listed:
    """A statement about a list of values, written down for lists of a few lengths.

    `make` is given the placeholders of the list; a shorter list is filled up with its last value.
    """

    def __init__(self, make: Callable[[list[Any]], Any]) -> None:
        self._by_size = {size: Prepared(_listing(make, size)) for size in SIZES}

    def rows(self, session: Connected, values: Sequence[Any], **more: Any) -> list[tuple[Any, ...]]:
        """The answers for all values, in parts when they are many."""
        found: list[tuple[Any, ...]] = []
        for statement, listed in self._parts(values):
            found += statement.rows(session, **listed, **more)
        return found

    def run(self, session: Session, values: Sequence[Any], **more: Any) -> None:
        """The change for all values."""
        for statement, listed in self._parts(values):
            statement.run(session, [listed | more])

    def _parts(self, values: Sequence[Any]) -> list[tuple[Prepared, dict[str, Any]]]:
        parts = []
        for start in range(0, len(values), SIZES[-1]):
            part = values[start : start + SIZES[-1]]
            size = next(size for size in SIZES if size >= len(part))
            filled = [*part, *[part[-1]] * (size - len(part))]
            parts.append((self._by_size[size], {f"v{n}": one for n, one in enumerate(filled)}))
        return parts


def _listing(make: Callable[[list[Any]], Any], size: int) -> Callable[[str], Any]:
    return lambda _dialect: make([bindparam(f"v{place}") for place in range(size)])


def _write(statement: Any, dialect: Dialect, columns: list[str] | None) -> _Written:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    outward = {}
    for bind, name in compiled.bind_names.items():
        convert = _processor(bind.type, dialect, "bind")
        if convert is not None:
            outward[name] = convert
    inward = tuple(
        _processor(column.type, dialect, "result")
        for column in getattr(statement, "selected_columns", ())
    )
    places = tuple(compiled.positiontup) if compiled.positional else None
    return _Written(
        compiled.string, places, compiled.params, outward, inward if any(inward) else None
    )


def _processor(kind: Any, dialect: Dialect, way: str) -> Convert | None:
    """What a column's type does with a value; a word from a fixed list is kept as it is, since the
    database itself holds it to the list."""
    if isinstance(kind, Enum) and kind.enum_class is None:
        return None
    of_dialect = kind.dialect_impl(dialect)
    found: Convert | None = (
        of_dialect.bind_processor(dialect)
        if way == "bind"
        else of_dialect.result_processor(dialect, None)
    )
    return found


def _given(written: _Written, row: Mapping[str, Any]) -> Any:
    values = {**written.defaults, **row}
    for name, convert in written.outward.items():
        values[name] = convert(values[name])
    return values if written.places is None else [values[name] for name in written.places]


def _converted(row: tuple[Any, ...], inward: tuple[Convert | None, ...]) -> tuple[Any, ...]:
    return tuple(
        [
            value if convert is None else convert(value)
            for value, convert in zip(row, inward, strict=True)
        ]
    )
