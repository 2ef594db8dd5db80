"""The audit log as it is read: who did what to what, when and why, within the reader's scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import AuditEntry, Household, Person, Unit
from rules.days import instant, local_day
from rules.permissions import Actor
from rules.text import fold
from services.access import require_role, within_scope
from services.transaction import reading

PAGE = 50


@dataclass(frozen=True)
class LogFilters:
    """What the log is narrowed to: local days (both included), an actor's name, a kind of thing."""

    first: date | None = None
    last: date | None = None
    by_name: str = ""
    entity: str = ""
    entity_id: str = ""


@dataclass(frozen=True)
class LogRow:
    """One entry; `about` names the thing when it still has a name the reader may see."""

    id: int
    at: datetime
    by_name: str
    action: str
    entity: str
    entity_id: str
    about: str
    unit_name: str
    details: Mapping[str, object]
    reason: str


@dataclass(frozen=True)
class LogPage:
    """One page of the log, newest first."""

    rows: list[LogRow]
    total: int
    page: int
    pages: int
    actors: list[str]
    entities: list[str]


def log_page(filters: LogFilters, *, page: int, now: datetime, by: Actor) -> LogPage:
    """The log, newest first: an administrator sees all, staff what concerns their units."""
    require_role(by, "staff")
    session = reading()
    scope = within_scope(by, AuditEntry.unit_id, local_day(now), "staff")
    wanted = select(AuditEntry, Unit.name).outerjoin(Unit, Unit.id == AuditEntry.unit_id)
    wanted = wanted.where(scope, *_conditions(filters))
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    rows = session.execute(
        wanted.order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    ).all()
    names = _names(session, [entry for entry, _unit in rows])
    return LogPage(
        [
            LogRow(
                entry.id,
                entry.at,
                entry.by_name,
                entry.action,
                entry.entity,
                entry.entity_id,
                names.get((entry.entity, entry.entity_id), ""),
                unit or "",
                entry.details or {},
                entry.reason,
            )
            for entry, unit in rows
        ],
        total,
        page,
        pages,
        sorted(session.scalars(select(AuditEntry.by_name).where(scope).distinct()), key=fold),
        sorted(session.scalars(select(AuditEntry.entity).where(scope).distinct())),
    )


def _conditions(filters: LogFilters) -> list[Any]:
    conditions: list[Any] = []
    if filters.first:
        conditions.append(AuditEntry.at >= instant(filters.first, time(0)))
    if filters.last:
        after = filters.last + timedelta(days=1)
        conditions.append(AuditEntry.at < instant(after, time(0)))
    if filters.by_name:
        conditions.append(AuditEntry.by_name == filters.by_name)
    if filters.entity:
        conditions.append(AuditEntry.entity == filters.entity)
    if filters.entity_id:
        conditions.append(AuditEntry.entity_id == filters.entity_id)
    return conditions


def _names(session: Session, entries: list[AuditEntry]) -> dict[tuple[str, str], str]:
    """People, households and units by their present names; the log itself keeps only ids."""
    columns: dict[str, tuple[Any, Any]] = {
        "person": (Person.id, Person.full_name),
        "household": (Household.id, Household.code),
        "unit": (Unit.id, Unit.name),
    }
    names: dict[tuple[str, str], str] = {}
    for entity, (key, label) in columns.items():
        ids = {
            int(entry.entity_id)
            for entry in entries
            if entry.entity == entity and entry.entity_id.isdecimal()
        }
        if ids:
            for found, name in session.execute(select(key, label).where(key.in_(ids))):
                names[entity, str(found)] = name
    return names
