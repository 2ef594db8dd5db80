"""Writes the audit log: every change and every export, in the transaction that makes it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, inspect
from sqlalchemy.orm import Session

from models import AuditEntry
from rules.permissions import Actor

# A plain insert, at once: entries are never looked at again in the transaction that makes them.
_TABLE: Any = inspect(AuditEntry).local_table
_INSERT = insert(_TABLE)


def record(
    session: Session,
    *,
    now: datetime,
    by: Actor,
    action: str,
    entity: str,
    entity_id: object,
    unit_id: int | None = None,
    reason: str = "",
    **details: object,
) -> None:
    """Add one entry. `action` is verb-like ("opened", "corrected", "exported"); people by id only."""
    entry: dict[str, Any] = {
        "at": now,
        "by_account_id": by.account_id,
        "by_name": by.name,
        "action": action,
        "entity": entity,
        "entity_id": str(entity_id),
        "unit_id": unit_id,
        "details": {key: _plain(value) for key, value in details.items()},
        "reason": reason,
    }
    session.execute(_INSERT, entry)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
