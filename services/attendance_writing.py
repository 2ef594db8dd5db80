"""How a batch of marks is written: the ledger's facts, the register's lines, the meeting's counters.

On PostgreSQL that is one statement, whose rows travel as JSON: each statement waits for its answer,
and each row of a list sent one by one costs as much as a statement. It writes all or nothing, also
where no transaction has begun; then only while the meeting's row is the one that was looked at.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    String,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models import Meeting, RegisterLine
from services.attendance_ledger import MARK
from services.prepared import Among, Insert, Listed, Prepared

Row = Mapping[str, Any]
ROW_VERSION: Any = literal_column("meeting.xmin::text", String)
"""What PostgreSQL changes with every change of a meeting's row, and with nothing else."""
COUNTERS = ("present_count", "visits_count", "register_version", "register_state")
_LINE: Any = inspect(RegisterLine).local_table
_MEETING: Any = inspect(Meeting).local_table
_LINE_COLUMNS = tuple(_LINE.c.keys())
_IDS = ARRAY(String)
_INSERT_MARKS = Insert(lambda _: insert(MARK).inline(), MARK.c.keys())
_DELETE_LINES = Listed(
    lambda among: delete(_LINE).where(
        _LINE.c.meeting_id == bindparam("meeting"), among(_LINE.c.subject)
    )
)


class Overtaken(Exception):
    """Somebody else changed the meeting since it was looked at."""


def _said_by(marks: Any) -> list[Any]:
    """What a line has of the mark that decides it, in the order of the line's columns."""
    return [marks.c.id if name == "mark_id" else marks.c[name] for name in _LINE_COLUMNS]


def _lines_from(dialect: str, decided: Any) -> Any:
    """Put these lines on the register; those that are there already are changed."""
    table = postgresql.insert(_LINE) if dialect == "postgresql" else sqlite.insert(_LINE)
    put = table.from_select(_LINE_COLUMNS, decided)
    changed = {name: put.excluded[name] for name in ("unit_id", "status", "mark_id")}
    return put.on_conflict_do_update(index_elements=["meeting_id", "subject"], set_=changed)


def _put_lines(dialect: str, among: Among) -> Any:
    return _lines_from(dialect, select(*_said_by(MARK)).where(among(MARK.c.id)))


def _count(_: str = "") -> Update:
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in COUNTERS}
    return update(_MEETING).where(_MEETING.c.id == bindparam("meeting")).values(new)


def _at_once(_: str) -> Any:
    """A line's mark is one of those just sent, which the ledger does not show yet, or an older."""
    is_unchanged = bindparam("seen", type_=Text) == ROW_VERSION
    counted = _count().where(is_unchanged).returning(_MEETING.c.id).cte("counted")
    rows = func.json_populate_recordset(
        literal_column(f"NULL::{MARK.name}"), cast(bindparam("marks", type_=Text), JSON)
    )
    sent = rows.table_valued(*(column(one.name) for one in MARK.c), name="sent")
    new = (
        insert(MARK)
        .from_select(MARK.c.keys(), select(*sent.c).where(exists(counted.select())))
        .returning(*_said_by(MARK))
        .cte("marked")
    )
    decided = [
        select(*_said_by(marks)).where(
            marks.c.id == any_(bindparam("deciding", type_=_IDS)), exists(counted.select())
        )
        for marks in (new, MARK)
    ]
    lined = _lines_from("postgresql", union_all(*decided)).cte("lined")
    return counted.select().add_cte(lined)


_PUT_LINES = {name: Listed(partial(_put_lines, name)) for name in ("sqlite", "postgresql")}
_COUNT = Prepared(_count)
_AT_ONCE = Prepared(_at_once)


def write_marks(
    session: Session,
    meeting_id: int,
    marks: Sequence[Row],
    deciding: Sequence[str],
    counters: Row,
    seen: str,
) -> None:
    """Add marks to the ledger, put the lines of those that decide, by their ids, and set the
    meeting's `COUNTERS`.

    `seen` is the meeting's `ROW_VERSION` by which they were judged. Overtaken, and nothing is
    written, when its row is another by now; SQLite has locked it.
    """
    values = {f"new_{name}": counters[name] for name in COUNTERS} | {"meeting": meeting_id}
    if session.connection().dialect.name == "postgresql":
        sent = {"marks": _json(marks), "deciding": list(deciding), "seen": seen}
        if not _AT_ONCE.rows(session, **values, **sent):
            raise Overtaken
        return
    _INSERT_MARKS.run(session, marks)
    put_lines(session, deciding)
    _COUNT.run(session, [values])


def put_lines(session: Session, deciding: Sequence[str]) -> None:
    """Add to a register, or change, the lines of the subjects whom these marks decide."""
    _PUT_LINES[session.connection().dialect.name].run(session, deciding)


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
