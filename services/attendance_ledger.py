"""The ledger of marks as it is read: facts of the rules, by meeting, subject or id."""

import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import Session

from models import Mark
from rules.attendance import Mark as Fact
from rules.attendance import Status
from services.prepared import Listed, Prepared

STATUS_CALLED = {one.value: one for one in Status}

# The statements of every tap, made once and over plain tables: building them anew for each batch
# costs more processor time than the database needs to answer them.
MARK: Any = inspect(Mark).local_table
_STAMP_NAMES = ("person_id", "household_id", "walk_in_id", "unit_id")
_FACT_NAMES = ("id", "meeting_id", "subject", "status", "annuls_id", "tapped_at", "corrected_at")
FACT_COLUMNS = tuple(MARK.c[name] for name in (*_FACT_NAMES, "received_at", "device"))
_FACT = select(*FACT_COLUMNS)
AT_MEETING = MARK.c.meeting_id == bindparam("meeting")
_FACTS = Prepared(lambda _: _FACT.where(AT_MEETING))
_FACTS_OF = Listed(lambda among: _FACT.where(AT_MEETING, among(MARK.c.subject)))
_FACTS_BY_ID = Listed(lambda among: _FACT.where(among(MARK.c.id)))
_STAMP = select(MARK.c.id, *(MARK.c[name] for name in _STAMP_NAMES))
_STAMPS_BY_ID = Listed(lambda among: _STAMP.where(among(MARK.c.id)))


def new_mark_id(now: datetime) -> str:
    """An id for a mark made here: a UUID that begins with the moment (version 7, RFC 9562), as the
    phones make them, so that what is written together stands together in the ledger's index."""
    moment = int(now.timestamp() * 1000).to_bytes(6)
    made = int.from_bytes(moment + os.urandom(10))
    return str(UUID(int=made & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62))


def new_mark(subject: str, status: str, now: datetime) -> dict[str, Any]:
    """A mark made here, in the form in which phones send theirs."""
    return {
        "id": new_mark_id(now),
        "subject": subject,
        "status": status,
        "tapped_at": now.isoformat(),
    }


def fact_of(row: Sequence[Any], meeting_id: int) -> Fact:
    """A stored mark (`FACT_COLUMNS`) as the rules know it; one of another meeting never looks like
    one of this."""
    own, at, subject, status, annuls, tapped_at, corrected_at, received_at, device = row
    return Fact(
        id=own,
        subject=subject if at == meeting_id else f"{at}/{subject}",
        status=STATUS_CALLED[status],
        tapped_at=tapped_at,
        received_at=received_at,
        device=device,
        annuls=annuls,
        corrected_at=corrected_at,
    )


def ledger_of(
    session: Session, meeting_id: int, subjects: set[str] | None
) -> defaultdict[str, list[Fact]]:
    """All marks of these subjects (of everybody when None) at the meeting."""
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    if subjects is None:
        rows = _FACTS.rows(session, meeting=meeting_id)
    else:
        rows = _FACTS_OF.rows(session, sorted(subjects), meeting=meeting_id)
    for row in rows:
        found[row[2]].append(fact_of(row, meeting_id))
    return found


def facts_by_id(session: Session, meeting_id: int, ids: list[str]) -> dict[str, Fact]:
    """The marks of these ids, at whatever meeting they stand."""
    return {row[0]: fact_of(row, meeting_id) for row in _FACTS_BY_ID.rows(session, ids)}


def stamps_of(session: Session, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Whom each mark is about and the unit it was stamped with."""
    rows = _STAMPS_BY_ID.rows(session, ids)
    return {row[0]: dict(zip(_STAMP_NAMES, row[1:], strict=True)) for row in rows}
