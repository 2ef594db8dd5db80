"""What marks are judged by: the meeting's row, who of their subjects is invited, and their marks.

Nearly every tap is for one invited person, and asks all of this in one question.
"""

from collections import defaultdict
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from sqlalchemy import String, bindparam, cast, inspect, literal_column, null, select
from sqlalchemy.orm import Session

from models import Meeting, Setting
from rules.attendance import Mark as Fact
from rules.refusals import N_, NotFound
from services.attendance_ledger import AT_MEETING, FACT_COLUMNS, MARK, fact_of
from services.attendance_roll import INVITATION, IS_INVITED, UnitOfDay, ids_of
from services.attendance_shown import ASKED
from services.attendance_writing import ROW_VERSION
from services.prepared import Listed, Prepared

OPENS_BEFORE = "register_opens_minutes_before"
_MEETING: Any = inspect(Meeting).local_table
_SETTING: Any = inspect(Setting).local_table
_EARLY = select(_SETTING.c.value).where(_SETTING.c.key == OPENS_BEFORE).scalar_subquery()
_NAMES = (*ASKED, "early_minutes", "seen")


def _row(dialect: str) -> Any:
    """The meeting's columns, and what tells whether its row is the same still."""
    version = ROW_VERSION if dialect == "postgresql" else null()
    columns = (_MEETING.c[name] for name in ASKED)
    return select(*columns, _EARLY, version).where(_MEETING.c.id == bindparam("meeting"))


_SEEN = Prepared(_row)
# Locked against other writers of this register until the transaction ends (PostgreSQL).
_LOCKED = Prepared(lambda dialect: _row(dialect).with_for_update(of=_MEETING))
_TAP = Prepared(
    lambda dialect: (
        _row(dialect)
        .add_columns(INVITATION.c.person_id, INVITATION.c.unit_id, *FACT_COLUMNS)
        .outerjoin_from(
            _MEETING, INVITATION, IS_INVITED & (INVITATION.c.person_id == bindparam("person"))
        )
        .outerjoin(MARK, AT_MEETING & (MARK.c.subject == bindparam("subject")))
    )
)
_OF_PERSON: Any = literal_column("'m:'", String)
_INVITED_WITH_MARKS = Listed(
    lambda among: (
        select(INVITATION.c.person_id, INVITATION.c.unit_id, *FACT_COLUMNS)
        .outerjoin_from(
            INVITATION,
            MARK,
            AT_MEETING & (MARK.c.subject == _OF_PERSON + cast(INVITATION.c.person_id, String)),
        )
        .where(IS_INVITED, among(INVITATION.c.person_id))
    )
)
Looked = tuple[Any, dict[str, UnitOfDay], defaultdict[str, list[Fact]]]


def look(session: Session, meeting_id: int, subjects: Collection[str]) -> Looked:
    """The meeting's columns alone, without the ORM's object; those of the subjects who are invited
    people; and all marks of each of these.

    Within a transaction the row is locked on PostgreSQL, before anything else is looked at; else
    it bears as `seen` what tells whether it is the same still. NotFound for no such meeting.
    """
    people = ids_of(subjects, "m")
    is_locking = session.in_transaction() and session.connection().dialect.name == "postgresql"
    if len(people) == 1 and not is_locking:
        found = _TAP.rows(session, meeting=meeting_id, person=people[0], subject=f"m:{people[0]}")
        return _meeting(found), *_invited([row[len(_NAMES) :] for row in found], meeting_id)
    statement = _LOCKED if is_locking else _SEEN
    meeting = _meeting(statement.rows(session, meeting=meeting_id))
    invited = _INVITED_WITH_MARKS.rows(session, people, meeting=meeting_id)
    return meeting, *_invited(invited, meeting_id)


def _meeting(rows: list[tuple[Any, ...]]) -> Any:
    if not rows:
        raise NotFound(N_("Không tìm thấy buổi này trong phạm vi của bạn."))
    return SimpleNamespace(**dict(zip(_NAMES, rows[0], strict=False)))


def _invited(
    rows: list[tuple[Any, ...]], meeting_id: int
) -> tuple[dict[str, UnitOfDay], defaultdict[str, list[Fact]]]:
    roll: dict[str, UnitOfDay] = {}
    ledger: defaultdict[str, list[Fact]] = defaultdict(list)
    for person, unit, *fact in rows:
        if person is None:
            continue
        subject = f"m:{person}"
        roll[subject] = UnitOfDay(unit, person)
        if fact[0] is not None:
            ledger[subject].append(fact_of(fact, meeting_id))
    return roll, ledger
