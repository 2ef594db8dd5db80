"""Seals a register's ledger into the audit log whenever it is handed in or locked.

A tap is a fact of the ledger and has no line of its own in the log; what was handed in cannot be
changed behind the log's back all the same, because its entry carries a digest of every mark.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from models import AuditEntry, Mark, Meeting
from rules.audit_chain import ledger_digest

SEALING = {"submit": "register_submitted", "lock": "register_locked"}
_SEALED = tuple(SEALING.values())
MARKED = "marked"


def ledger_seal(session: Session, meeting_id: int) -> str:
    """The digest of all marks of a meeting as they are now."""
    return _digest(session, meeting_id, None, ())


def outrun(session: Session, meeting_id: int, marks: Iterable[tuple[str, datetime]]) -> list[str]:
    """Of marks (id, received) written after a seal, those that came in before it and only waited
    for their turn: the log must name them, or the seal would seem to miss them."""
    sealed_at = session.scalar(
        select(func.max(AuditEntry.at)).where(
            AuditEntry.entity == "meeting",
            AuditEntry.entity_id == str(meeting_id),
            AuditEntry.action.in_(_SEALED),
        )
    )
    return [own for own, received in marks if sealed_at is not None and received <= sealed_at]


def broken_ledgers(session: Session) -> Iterator[int]:
    """The meetings whose marks are not those that were handed in; meetings deleted since are left out."""
    entries = session.execute(
        select(AuditEntry.id, AuditEntry.at, Meeting.id, AuditEntry.details)
        .join(Meeting, AuditEntry.entity_id == cast(Meeting.id, String))
        .where(AuditEntry.entity == "meeting", AuditEntry.action.in_(_SEALED))
        .order_by(AuditEntry.id)
    ).all()
    newest = {
        meeting: (entry, at, details.get("ledger")) for entry, at, meeting, details in entries
    }
    for meeting, (entry, at, digest) in newest.items():
        if digest and digest != _digest(session, meeting, at, _named_late(session, meeting, entry)):
            yield meeting


def _named_late(session: Session, meeting_id: int, after: int) -> set[str]:
    """The marks that the log names as written after that entry although received before it."""
    later = session.scalars(
        select(AuditEntry.details).where(
            AuditEntry.entity == "meeting",
            AuditEntry.entity_id == str(meeting_id),
            AuditEntry.action == MARKED,
            AuditEntry.id > after,
        )
    )
    return {str(own) for details in later for own in _names(details)}


def _names(details: dict[str, object]) -> list[object]:
    found = details.get("outrun")
    return found if isinstance(found, list) else []


def _digest(
    session: Session, meeting_id: int, until: datetime | None, without: Iterable[str]
) -> str:
    marks = select(Mark.id, Mark.status, Mark.annuls_id, Mark.tapped_at, Mark.received_at).where(
        Mark.meeting_id == meeting_id
    )
    if until is not None:
        marks = marks.where(Mark.received_at <= until)
    left_out = set(without)
    return ledger_digest(
        (own, status, annuls, tapped, received)
        for own, status, annuls, tapped, received in session.execute(marks)
        if own not in left_out
    )
