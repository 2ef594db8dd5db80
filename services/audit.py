"""Writes the audit log: every change and every export, in the transaction that makes it.

Entries wait until the transaction is about to end, so that the chain's one row is locked last and
shortly: writers never wait for each other's work, and no two locks are taken in a different order.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import AuditEntry, AuditHead
from rules.audit_chain import FIELDS, seal
from rules.days import LOCAL
from rules.permissions import Actor
from services.office import office
from services.prepared import Prepared

_TABLE: Any = inspect(AuditEntry).local_table
_HEAD: Any = inspect(AuditHead).local_table
_INSERT = Prepared(
    lambda _: insert(_TABLE).inline(), [column.name for column in _TABLE.c if column.name != "id"]
)
_LOCKED_HEAD = Prepared(
    lambda _: select(_HEAD.c.last_seal, _HEAD.c.entries).where(_HEAD.c.id == 1).with_for_update()
)
_MOVE_HEAD = Prepared(
    lambda _: (
        update(_HEAD)
        .where(_HEAD.c.id == 1)
        .values(last_seal=bindparam("last"), entries=bindparam("count"))
    )
)
_WAITING = "audit entries"


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
    session.info.setdefault(_WAITING, []).append(entry)


def watermark(by: Actor, now: datetime) -> str:
    """What every list that leaves the program carries: who took it out, and when."""
    return f"Xuất bởi {by.name} lúc {now.astimezone(LOCAL):%H:%M %d/%m/%Y}"


def seal_waiting(session: Session) -> None:
    """Add the entries of this transaction to the chain; called once, just before it is committed."""
    entries: list[dict[str, Any]] = session.info.pop(_WAITING, [])
    if not entries:
        return
    session.flush()
    key = office().audit_key
    before, count = _locked_head(session, key)
    for entry in entries:
        before = entry["seal"] = seal(key, before, entry)
    _INSERT.run(session, entries)
    _MOVE_HEAD.run(session, [{"last": before, "count": count + len(entries)}])


def forget_waiting(session: Session) -> None:
    """Drop the entries of a transaction that is undone."""
    session.info.pop(_WAITING, None)


def _locked_head(session: Session, key: bytes) -> tuple[str, int]:
    """The chain's end, held until the transaction ends; begins the chain when there is none."""
    found = _LOCKED_HEAD.rows(session)
    if not found:
        try:
            with session.begin_nested():
                _begin_chain(session, key)
        except IntegrityError:
            pass  # Another writer has begun it meanwhile.
        found = _LOCKED_HEAD.rows(session)
    [(last_seal, entries)] = found
    return last_seal, entries


def _begin_chain(session: Session, key: bytes) -> None:
    """Close what was logged before there was a chain with one seal over all of it."""
    last = session.scalar(select(func.max(_TABLE.c.id))) or 0
    genesis = genesis_of(session, key, last)
    session.execute(
        insert(_HEAD),
        {"id": 1, "begun_after_id": last, "genesis": genesis, "last_seal": genesis, "entries": 0},
    )


def genesis_of(session: Session, key: bytes, last_id: int) -> str:
    """The seal over all entries up to that one, one after the other."""
    columns = [_TABLE.c[name] for name in FIELDS]
    before = ""
    rows = session.execute(select(*columns).where(_TABLE.c.id <= last_id).order_by(_TABLE.c.id))
    for row in rows.mappings():
        before = seal(key, before, dict(row))
    return before


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
