"""How a batch of marks is written: the ledger's facts, the register's lines, the meeting's counters.

On PostgreSQL that is one statement, whose rows travel as JSON: each statement waits for its answer,
and each row of a list sent one by one costs as much as a statement.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Select,
    Text,
    Update,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    inspect,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models import Meeting, RegisterLine
from services.attendance_ledger import MARK
from services.prepared import Insert, Listed, Prepared

Row = Mapping[str, Any]
COUNTERS = ("present_count", "visits_count", "register_version", "register_state")
_LINE: Any = inspect(RegisterLine).local_table
_MEETING: Any = inspect(Meeting).local_table
_INSERT_MARKS = Insert(lambda _: insert(MARK).inline(), MARK.c.keys())
_DELETE_LINES = Listed(
    lambda among: delete(_LINE).where(
        _LINE.c.meeting_id == bindparam("meeting"), among(_LINE.c.subject)
    )
)


def _or_changed(statement: Any) -> Any:
    """Lines that are there already are changed."""
    changed = {name: statement.excluded[name] for name in ("unit_id", "status", "mark_id")}
    return statement.on_conflict_do_update(index_elements=["meeting_id", "subject"], set_=changed)


def _put_lines(dialect: str) -> Any:
    made = postgresql.insert(_LINE) if dialect == "postgresql" else sqlite.insert(_LINE)
    return _or_changed(made).inline()


def _count(_: str = "") -> Update:
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in COUNTERS}
    return update(_MEETING).where(_MEETING.c.id == bindparam("meeting")).values(new)


def _sent(table: Any, name: str) -> Select[Any]:
    """A table's rows out of the JSON that a value of this name holds."""
    rows = func.json_populate_recordset(
        literal_column(f"NULL::{table.name}"), cast(bindparam(name, type_=Text), JSON)
    )
    return select(*rows.table_valued(*(column(one.name) for one in table.c), name=name).c)


def _at_once(_: str) -> Any:
    marks = insert(MARK).from_select(MARK.c.keys(), _sent(MARK, "marks"))
    lines = postgresql.insert(_LINE).from_select(_LINE.c.keys(), _sent(_LINE, "lines"))
    return _count().add_cte(marks.cte("marked"), _or_changed(lines).cte("lined"))


_PUT_LINES = Insert(_put_lines, _LINE.c.keys())
_COUNT = Prepared(_count)
_AT_ONCE = Prepared(_at_once)


def write_marks(
    session: Session,
    meeting_id: int,
    marks: Sequence[Row],
    lines: Sequence[Row],
    counters: Row,
) -> None:
    """Add marks to the ledger, put the lines they decide, and set the meeting's `COUNTERS`."""
    values = {f"new_{name}": counters[name] for name in COUNTERS} | {"meeting": meeting_id}
    if session.connection().dialect.name == "postgresql":
        _AT_ONCE.run(session, [values | {"marks": _json(marks), "lines": _json(lines)}])
        return
    _INSERT_MARKS.run(session, marks)
    put_lines(session, lines)
    _COUNT.run(session, [values])


def put_lines(session: Session, lines: Sequence[Row]) -> None:
    """Add lines to a register, or change those that are there."""
    if lines:
        _PUT_LINES.run(session, lines)


def delete_lines(session: Session, meeting_id: int, subjects: Sequence[str]) -> None:
    """Take the lines of those off the register whom no mark decides any more."""
    _DELETE_LINES.run(session, subjects, meeting=meeting_id)


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(rows, default=_moment)


def _moment(value: Any) -> str:
    """A time with its zone; PostgreSQL would take one without for its own."""
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone is no instant: {value!r}")
    return str(value.isoformat())
