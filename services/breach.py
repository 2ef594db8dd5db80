"""When data may have got out: whose, which fields, by when to tell whom, and a first text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import AuditEntry, Person
from rules.permissions import Actor
from rules.privacy import BREACH_HOURS
from rules.refusals import N_, Malformed, NotAllowed
from services import audit
from services.access import granted_unit_ids
from services.own_data import people_in
from services.transaction import writing

FIELDS = {
    "viewed": ("name", "birth_year", "phone", "email", "unit", "exemption", "attendance"),
    "exported": ("name", "unit", "phone"),
    "changed": ("name", "birth_year", "phone", "email"),
    "imported": ("name", "birth_year", "phone", "email", "unit"),
}
"""Which data a kind of entry in the log lays open; anything else lays open that the entry exists."""


@dataclass(frozen=True)
class Affected:
    """One person whose data was reached, by what, how often."""

    person_id: int
    code: str
    name: str
    fields: tuple[str, ...]
    times: int


@dataclass(frozen=True)
class BreachReport:
    """Everything the log says of a span of time, and until when the authority must be told."""

    first_at: datetime
    last_at: datetime
    account_name: str
    people: list[Affected]
    entries: int
    lists: int
    notify_by: datetime


def breach_report(
    first_at: datetime,
    last_at: datetime,
    *,
    found_at: datetime,
    account_name: str = "",
    now: datetime,
    by: Actor,
) -> BreachReport:
    """Who was affected between two moments (both included), by one account or by all.

    The 72 hours run from when the breach was found. Making the report is logged.
    """
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên lập được báo cáo này. Hãy hỏi quản trị viên."))
    if last_at < first_at:
        raise Malformed(N_("Lúc kết thúc phải sau lúc bắt đầu. Hãy xem lại."))
    with writing() as session:
        wanted = select(AuditEntry).where(AuditEntry.at >= first_at, AuditEntry.at <= last_at)
        if account_name:
            wanted = wanted.where(AuditEntry.by_name == account_name)
        entries = session.scalars(wanted).all()
        people = _affected(session, _reached(entries))
        audit.record(
            session,
            now=now,
            by=by,
            action="exported",
            entity="breach",
            entity_id=first_at.date().isoformat(),
            person_ids=[one.person_id for one in people],
        )
    lists = sum(entry.action == "exported" for entry in entries)
    due = found_at + timedelta(hours=BREACH_HOURS)
    return BreachReport(first_at, last_at, account_name, people, len(entries), lists, due)


def _affected(session: Session, reached: dict[int, Counter[str]]) -> list[Affected]:
    ids = sorted(reached)
    people: list[Affected] = []
    for start in range(0, len(ids), 500):
        part = select(Person).where(Person.id.in_(ids[start : start + 500])).order_by(Person.id)
        for person in session.scalars(part):
            kinds = reached[person.id]
            people.append(
                Affected(
                    person.id, person.code, person.full_name, _fields(kinds), sum(kinds.values())
                )
            )
    return people


def _reached(entries: Iterable[AuditEntry]) -> dict[int, Counter[str]]:
    """By person, how often each kind of entry speaks of them."""
    found: dict[int, Counter[str]] = {}
    for entry in entries:
        ids = people_in(entry.details)
        if entry.entity == "person" and entry.entity_id.isdecimal():
            ids.add(int(entry.entity_id))
        for one in ids:
            found.setdefault(one, Counter())[entry.action] += 1
    return found


def _fields(kinds: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted({field for kind in kinds for field in FIELDS.get(kind, ())}))
