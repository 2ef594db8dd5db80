"""What is recorded of the people of a roster, and how an import's changes are written as dated rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from models import Exemption as ExemptionRow
from models import Household, HouseholdResidence, Membership, Person, Unit
from rules.parts import in_parts
from rules.permissions import Actor
from rules.roster import HouseholdRow, MemberRow
from rules.roster_cells import Exemption
from rules.roster_changes import (
    GENERATED_CODE_START,
    Change,
    KnownHousehold,
    KnownMember,
    Plan,
    exemption_wanted,
)
from rules.text import fold, name_sort_key, split_full_name
from services import audit

_INSERTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Recorded:
    """The people a roster may be about.

    `compared` are those who are missing when the file does not name them; `taken` are the folded
    codes of people whom the importer may not see, or who have died.
    """

    members: list[KnownMember]
    compared: frozenset[int]
    taken: frozenset[str]


def _chunks(values: Iterable[Any]) -> Iterable[list[Any]]:
    return in_parts(sorted(set(values)))


def _member_query(on: date) -> Select[*tuple[Any, ...]]:
    belongs = and_(
        Membership.person_id == Person.id,
        Membership.valid_from <= on,
        or_(Membership.valid_to.is_(None), Membership.valid_to > on),
    )
    return select(
        Person.id,
        Person.code,
        Person.full_name,
        Person.birth_year,
        Person.phone,
        Person.email,
        Person.died_on,
        Membership.unit_id,
        Membership.standing,
    ).outerjoin(Membership, belongs)


def recorded_members(
    session: Session,
    rows: Sequence[MemberRow],
    *,
    compared_units: Collection[int],
    visible: frozenset[int] | None,
    on: date,
) -> Recorded:
    """Everybody in the compared units, and whoever elsewhere has a code or name of the file."""
    query = _member_query(on)
    found: dict[int, Row[Any]] = {}
    compared: set[int] = set()
    for part in _chunks(compared_units):
        for row in session.execute(query.where(Membership.unit_id.in_(part))):
            found[row.id] = row
            if row.died_on is None:
                compared.add(row.id)
    for part in _chunks(row.folded for row in rows):
        for row in session.execute(query.where(Person.fold.in_(part))):
            if row.unit_id is not None:
                found.setdefault(row.id, row)
    codes = (row.code for row in rows if row.code)
    for part in _chunks(form for code in codes for form in (code, code.lower(), code.upper())):
        for row in session.execute(query.where(Person.code.in_(part))):
            found.setdefault(row.id, row)
    hidden = {row.id for row in found.values() if row.died_on or not _within(row, visible)}
    known = [row for row in found.values() if row.id not in hidden]
    return Recorded(
        _known(session, known, on),
        frozenset(compared - hidden),
        frozenset(fold(found[person_id].code) for person_id in hidden),
    )


def _within(row: Row[Any], visible: frozenset[int] | None) -> bool:
    return visible is None or row.unit_id is None or row.unit_id in visible


def _known(session: Session, rows: Sequence[Row[Any]], on: date) -> list[KnownMember]:
    exemptions: dict[int, Exemption] = {}
    for part in _chunks(row.id for row in rows):
        query = (
            select(ExemptionRow)
            .where(
                ExemptionRow.person_id.in_(part),
                or_(ExemptionRow.valid_to.is_(None), ExemptionRow.valid_to > on),
            )
            .order_by(ExemptionRow.valid_from.desc())
        )
        for kept in session.scalars(query):
            exemptions[kept.person_id] = Exemption(
                kept.valid_from,
                kept.valid_to - timedelta(days=1) if kept.valid_to else None,
                kept.decision_number,
            )
    return [
        KnownMember(
            row.id,
            row.code,
            row.full_name,
            row.unit_id,
            row.birth_year,
            row.phone,
            row.email,
            exemptions.get(row.id),
            row.standing == "probationary",
        )
        for row in rows
    ]


def recorded_households(
    session: Session, compared_units: Collection[int], on: date
) -> list[KnownHousehold]:
    """The households of the compared residential groups on that day."""
    found: list[KnownHousehold] = []
    for part in _chunks(compared_units):
        query = (
            select(
                Household.id,
                Household.code,
                Household.number,
                Household.representative,
                Household.phone,
                HouseholdResidence.unit_id,
            )
            .join(HouseholdResidence, HouseholdResidence.household_id == Household.id)
            .where(
                HouseholdResidence.unit_id.in_(part),
                HouseholdResidence.valid_from <= on,
                or_(HouseholdResidence.valid_to.is_(None), HouseholdResidence.valid_to > on),
            )
        )
        found.extend(
            KnownHousehold(r.id, r.number, r.unit_id, r.representative, r.phone, r.code)
            for r in session.execute(query)
        )
    return found


@dataclass(frozen=True)
class Writing:
    """What every change of one import carries."""

    session: Session
    now: datetime
    by: Actor
    on: date
    import_id: int


def write_members(writing: Writing, plan: Plan, rows: Mapping[int, MemberRow]) -> None:
    """Add the new, change the changed; people missing from the file are left as they are."""
    new = [rows[change.row] for change in plan.changes if change.outcome == "new"]
    _add_members(writing, new)
    changed = [change for change in plan.changes if change.outcome == "changed"]
    for change in changed:
        _change_member(writing, change, rows[change.row])


def _add_members(writing: Writing, rows: Sequence[MemberRow]) -> None:
    session = writing.session
    number = _last_generated_number(session) if any(not row.code for row in rows) else 0
    for start in range(0, len(rows), _INSERTED_AT_ONCE):
        part = rows[start : start + _INSERTED_AT_ONCE]
        values = []
        for row in part:
            number += not row.code
            values.append(_person_values(row, f"{GENERATED_CODE_START}{number:06}", writing.now))
        ids = session.scalars(
            insert(Person).returning(Person.id, sort_by_parameter_order=True), values
        ).all()
        memberships = [
            {
                "person_id": person_id,
                "unit_id": row.unit_id,
                "standing": "probationary" if row.probationary else "full",
                "valid_from": _joined_on(row, writing.on),
            }
            for person_id, row in zip(ids, part, strict=True)
        ]
        session.execute(insert(Membership), memberships)
        exemptions = [
            _exemption_values(person_id, wanted)
            for person_id, row in zip(ids, part, strict=True)
            if (wanted := exemption_wanted(None, row.exemption, writing.on))
        ]
        if exemptions:
            session.execute(insert(ExemptionRow), exemptions)
        _record(writing, "imported_people", "roster_import", writing.import_id, people=list(ids))


def _last_generated_number(session: Session) -> int:
    codes = session.scalars(select(Person.code).where(Person.code.like(f"{GENERATED_CODE_START}%")))
    numbers = (code.removeprefix(GENERATED_CODE_START) for code in codes)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _person_values(row: MemberRow, generated_code: str, now: datetime) -> dict[str, object]:
    return {
        "code": row.code or generated_code,
        **_name_values(row.name),
        "birth_year": row.birth_year,
        "phone": row.phone,
        "email": row.email,
        "language": "vi",
        "neutral_titles": True,
        "wants_reminders": True,
        "created_at": now,
    }


def _name_values(name: str) -> dict[str, object]:
    family, given = split_full_name(name)
    return {
        "family_and_middle": family,
        "given_name": given,
        "full_name": name,
        "fold": fold(name),
        "sort_key": name_sort_key(family, given),
    }


def _joined_on(row: MemberRow, on: date) -> date:
    return row.joined_on if row.joined_on and row.joined_on <= on else on


def _change_member(writing: Writing, change: Change, row: MemberRow) -> None:
    fields = {field.name: field.new for field in change.fields}
    person_id = change.known_id
    direct = {k: v for k, v in fields.items() if k in {"birth_year", "phone", "email", "code"}}
    if "name" in fields:
        direct |= _name_values(row.name)
    if "email" in fields:
        direct["email_failing_since"] = None
    if direct:
        writing.session.execute(update(Person).where(Person.id == person_id).values(**direct))
    if "unit_id" in fields or "probationary" in fields:
        _change_membership(writing, person_id, row)
    if "exemption" in fields:
        _change_exemption(writing, person_id, fields["exemption"])
    before_and_after = {
        _AUDITED[field.name]: [field.old, field.new]
        for field in change.fields
        if field.name in _AUDITED
    }
    _record(
        writing,
        "changed",
        "person",
        person_id,
        import_id=writing.import_id,
        fields=sorted(fields),
        **before_and_after,
    )


# Values that say nothing by themselves about how to reach a person.
_AUDITED = {"unit_id": "cells", "probationary": "probationary"}


def _change_membership(writing: Writing, person_id: int | None, row: MemberRow) -> None:
    """End the membership in force and begin the next on the day; one begun that day is mended."""
    session, on = writing.session, writing.on
    current = session.scalar(
        select(Membership)
        .where(
            Membership.person_id == person_id,
            Membership.valid_from <= on,
            or_(Membership.valid_to.is_(None), Membership.valid_to > on),
        )
        .order_by(Membership.valid_from.desc())
    )
    standing = "probationary" if row.probationary else "full"
    if current is None:
        ends = _next_membership_from(session, person_id, on)
    else:
        standing = current.standing if row.probationary is None else standing
        if current.valid_from == on:
            current.unit_id, current.standing = row.unit_id, standing
            return
        ends, current.valid_to = current.valid_to, on
    session.add(
        Membership(
            person_id=person_id,
            unit_id=row.unit_id,
            standing=standing,
            valid_from=on,
            valid_to=ends,
        )
    )


def _next_membership_from(session: Session, person_id: int | None, on: date) -> date | None:
    return session.scalar(
        select(func.min(Membership.valid_from)).where(
            Membership.person_id == person_id, Membership.valid_from > on
        )
    )


def _change_exemption(writing: Writing, person_id: int | None, wanted: object) -> None:
    session, on = writing.session, writing.on
    current = session.scalars(
        select(ExemptionRow)
        .where(
            ExemptionRow.person_id == person_id,
            or_(ExemptionRow.valid_to.is_(None), ExemptionRow.valid_to > on),
        )
        .order_by(ExemptionRow.valid_from)
    ).first()
    if isinstance(wanted, Exemption):
        values = _exemption_values(person_id, wanted)
        if current is None:
            session.execute(insert(ExemptionRow), [values])
        else:
            session.execute(
                update(ExemptionRow).where(ExemptionRow.id == current.id).values(**values)
            )
    elif current is not None and current.valid_from < on:
        current.valid_to = on
    elif current is not None:
        session.execute(delete(ExemptionRow).where(ExemptionRow.id == current.id))


def _exemption_values(person_id: int | None, wanted: Exemption) -> dict[str, object]:
    return {
        "person_id": person_id,
        "decision_number": wanted.decision[:60] if wanted.decision else None,
        "valid_from": wanted.starts_on,
        "valid_to": wanted.ends_on + timedelta(days=1) if wanted.ends_on else None,
    }


def write_households(writing: Writing, plan: Plan, rows: Mapping[int, HouseholdRow]) -> None:
    """Add the new households and change the changed ones."""
    new = [rows[change.row] for change in plan.changes if change.outcome == "new"]
    codes = _household_codes(writing.session, new)
    for start in range(0, len(new), _INSERTED_AT_ONCE):
        part = new[start : start + _INSERTED_AT_ONCE]
        values = [_household_values(row, codes[row.row], writing.now) for row in part]
        ids = writing.session.scalars(
            insert(Household).returning(Household.id, sort_by_parameter_order=True), values
        ).all()
        residences = [
            {"household_id": household_id, "unit_id": row.group_id, "valid_from": writing.on}
            for household_id, row in zip(ids, part, strict=True)
        ]
        writing.session.execute(insert(HouseholdResidence), residences)
        _record(
            writing, "imported_households", "roster_import", writing.import_id, households=list(ids)
        )
    for change in plan.changes:
        if change.outcome == "changed":
            _change_household(writing, change)


def _household_values(row: HouseholdRow, code: str, now: datetime) -> dict[str, object]:
    return {
        "code": code,
        "number": row.number[:20],
        "representative": row.representative,
        "fold": household_fold(code, row.number, row.representative),
        "phone": row.phone,
        "created_at": now,
    }


def household_fold(code: str, number: str, representative: str | None) -> str:
    """The search key of a household."""
    return fold(f"{code} {number} {representative or ''}")[:220]


def _household_codes(session: Session, rows: Sequence[HouseholdRow]) -> dict[int, str]:
    """A code for each new household, made of its group's code and its number."""
    groups: dict[int, str] = {}
    for part in _chunks(row.group_id for row in rows):
        groups |= {r.id: r.code for r in session.execute(_unit_codes(part))}
    wanted = {row.row: f"{groups[row.group_id][:28]}-{row.number:0>3}"[:40] for row in rows}
    taken: set[str] = set()
    for part in _chunks(wanted.values()):
        taken |= set(session.scalars(select(Household.code).where(Household.code.in_(part))))
    codes: dict[int, str] = {}
    for row, code in wanted.items():
        turn = 1
        free = code
        while free in taken:
            turn += 1
            free = f"{code[:36]}/{turn}"
        taken.add(free)
        codes[row] = free
    return codes


def _unit_codes(unit_ids: list[int]) -> Select[*tuple[Any, ...]]:
    return select(Unit.id, Unit.code).where(Unit.id.in_(unit_ids))


def _change_household(writing: Writing, change: Change) -> None:
    household = writing.session.get_one(Household, change.known_id)
    for field in change.fields:
        setattr(household, field.name, field.new)
    household.fold = household_fold(household.code, household.number, household.representative)
    _record(
        writing,
        "changed",
        "household",
        change.known_id,
        import_id=writing.import_id,
        fields=sorted(field.name for field in change.fields),
    )


def _record(writing: Writing, action: str, entity: str, entity_id: object, **details: Any) -> None:
    audit.record(
        writing.session,
        now=writing.now,
        by=writing.by,
        action=action,
        entity=entity,
        entity_id=entity_id,
        **details,
    )
