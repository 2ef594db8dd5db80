"""The few statements of every tap, handed to the database's driver as they were written down once.

A look-up through the ORM's session costs five to ten times what SQLite needs to answer it. Values
still pass through their columns' types both ways, and failures still are SQLAlchemy's own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import ARRAY, ColumnElement, Enum, any_, bindparam
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError

SIZES = (1, 8, 64, 512)
FEW = 8
"""Up to so many values the driver is quicker with each in its place than with an array."""
Convert = Callable[[Any], Any]
Among = Callable[[Any], ColumnElement[bool]]


class Connected(Protocol):
    """What statements are asked through: a session, or what stands for one without its cost."""

    def connection(self) -> Connection: ...


class Wire:
    """A connection as written-down statements use it: who listens to it is asked once for all.

    It stands for a session where something is only looked up: making one ready, and letting it go,
    takes longer than what a tap or a poll asks of the database.
    """

    __slots__ = ("_connection", "dialect", "driver", "heard")

    def __init__(self, connection: Connection) -> None:
        self._connection, self.dialect = connection, connection.dialect
        self.driver: Any = connection.connection.dbapi_connection
        self.heard: Any = connection.dispatch.before_cursor_execute or ()

    def connection(self) -> Connection:
        """The connection itself, as a session would give it."""
        return self._connection

    @property
    def wire(self) -> "Wire":
        """What `wire_of` asks whoever stands for a session."""
        return self


@dataclass(frozen=True)
class _Written:
    """A statement in one database's words, with what turns values into the driver's and back."""

    sql: str
    placed: Callable[[Mapping[str, Any]], Iterable[Any]] | None
    defaults: Mapping[str, Any]
    outward: Mapping[str, Convert]
    outward_at: tuple[tuple[int, Convert], ...]
    inward: tuple[tuple[int, Convert], ...]

    def given(self, row: Mapping[str, Any]) -> Any:
        """A row's values as the driver takes them: in their places, or by name."""
        if self.placed is None:
            values = {**self.defaults, **row}
            for name, convert in self.outward.items():
                values[name] = convert(values[name])
            return values
        try:
            placed = list(self.placed(row))
        except KeyError:
            placed = list(self.placed({**self.defaults, **row}))
        for place, convert in self.outward_at:
            placed[place] = convert(placed[place])
        return placed


class Prepared:
    """One statement over plain tables, made from named `bindparam`s; none of them expanding."""

    def __init__(self, make: Callable[[str], Any], columns: Sequence[str] = ()) -> None:
        """`make` gives the statement for the name of a dialect; `columns` are those of an insert."""
        self._make, self._columns = make, list(columns) or None
        self._written: dict[str, _Written] = {}

    def rows(self, session: Connected, **values: Any) -> list[tuple[Any, ...]]:
        """What the database answers, as plain tuples."""
        return self._ask(wire_of(session), values)

    def run(self, session: Connected, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write these rows, or make the change once for each."""
        self._change(wire_of(session), rows)

    def _change(self, wire: Wire, rows: Sequence[Mapping[str, Any]]) -> None:
        self._execute(wire, self._for(wire.dialect), rows).close()

    def _ask(self, wire: Wire, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        written = self._for(wire.dialect)
        cursor = self._execute(wire, written, (values,))
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        if not written.inward:
            return found
        return [_converted(row, written.inward) for row in found]

    def _execute(self, wire: Wire, written: _Written, rows: Sequence[Mapping[str, Any]]) -> Any:
        given = [written.given(row) for row in rows]
        cursor = wire.driver.cursor()
        for hear in wire.heard:
            # Whoever counts statements counts these as well.
            hear(wire.connection(), cursor, written.sql, given, None, len(given) > 1)
        try:
            if len(given) == 1:
                cursor.execute(written.sql, given[0])
            else:
                cursor.executemany(written.sql, given)
        except wire.dialect.loaded_dbapi.Error as error:
            raise DBAPIError.instance(
                written.sql, None, error, wire.dialect.loaded_dbapi.Error, hide_parameters=True
            ) from error
        return cursor

    def _for(self, dialect: Dialect) -> _Written:
        written = self._written.get(dialect.name)
        if written is None:
            written = self._written[dialect.name] = _write(
                self._make(dialect.name), dialect, self._columns
            )
        return written


class Insert:
    """Rows for a table, written down once for each choice of columns: those that no row fills are
    left out, since SQLite's driver takes longer over a None than over a value."""

    def __init__(self, make: Callable[[str], Any], columns: Sequence[str]) -> None:
        """`make` gives the insert for the name of a dialect; what is left out must be NULL then."""
        self._make, self._columns = make, tuple(columns)
        self._filling: dict[tuple[str, ...], Prepared] = {}

    def run(self, session: Connected, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write these rows, each with a value or None for every column."""
        first, *others = rows
        filled = tuple(
            name
            for name in self._columns
            if first[name] is not None or any(one[name] is not None for one in others)
        )
        statement = self._filling.get(filled)
        if statement is None:
            statement = self._filling[filled] = Prepared(self._make, filled)
        statement.run(session, rows)


def wire_of(session: Connected) -> Wire:
    """The wire of what has one of its own, else one over the session's connection."""
    own: Wire | None = getattr(session, "wire", None)
    return Wire(session.connection()) if own is None else own


class Listed:
    """A statement about a list of values, written down for lists of a few lengths: a shorter list is
    filled up with its last value. Where the database knows arrays, one of these is any longer list.

    `make` is given what says of a column that its value is among those listed.
    """

    def __init__(self, make: Callable[[Among], Any]) -> None:
        self._of_arrays = Prepared(lambda _: make(_in_array))
        self._by_size = {size: Prepared(_listing(make, size)) for size in SIZES}

    def rows(self, session: Connected, values: Sequence[Any], **more: Any) -> list[tuple[Any, ...]]:
        """The answers for all values, in parts when they are many."""
        if not values:
            return []
        wire, found = wire_of(session), []
        for statement, listed in self._parts(wire, values):
            found += statement._ask(wire, listed | more)
        return found

    def run(self, session: Connected, values: Sequence[Any], **more: Any) -> None:
        """The change for all values."""
        if not values:
            return
        wire = wire_of(session)
        for statement, listed in self._parts(wire, values):
            statement._change(wire, [listed | more])

    def _parts(self, wire: Wire, values: Sequence[Any]) -> list[tuple[Prepared, dict[str, Any]]]:
        if len(values) > FEW and wire.dialect.name == "postgresql":
            return [(self._of_arrays, {"listed": list(values)})]
        parts = []
        for start in range(0, len(values), SIZES[-1]):
            part = values[start : start + SIZES[-1]]
            size = next(size for size in SIZES if size >= len(part))
            filled = [*part, *[part[-1]] * (size - len(part))]
            parts.append((self._by_size[size], {f"v{n}": one for n, one in enumerate(filled)}))
        return parts


def _in_array(column: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column == any_(bindparam("listed", type_=ARRAY(column.type)))
    return found


def _listing(make: Callable[[Among], Any], size: int) -> Callable[[str], Any]:
    places: list[Any] = [bindparam(f"v{place}") for place in range(size)]
    return lambda _dialect: make(lambda column: column.in_(places))


def _write(statement: Any, dialect: Dialect, columns: list[str] | None) -> _Written:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    outward = {}
    for bind, name in compiled.bind_names.items():
        convert = _processor(bind.type, dialect, "bind")
        if convert is not None:
            outward[name] = convert
    inward = [
        _processor(column.type, dialect, "result")
        for column in getattr(statement, "selected_columns", ())
    ]
    places = tuple(compiled.positiontup) if compiled.positional else None
    return _Written(
        sql=compiled.string,
        placed=_picker(places) if places is not None else None,
        defaults=compiled.params,
        outward=outward,
        outward_at=tuple(
            (at, outward[name]) for at, name in enumerate(places or ()) if name in outward
        ),
        inward=tuple((at, convert) for at, convert in enumerate(inward) if convert is not None),
    )


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    """What picks a row's values in this order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: [row[name] for name in names]


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


def _converted(row: tuple[Any, ...], inward: tuple[tuple[int, Convert], ...]) -> tuple[Any, ...]:
    values = list(row)
    for at, convert in inward:
        values[at] = convert(values[at])
    return tuple(values)
