"""Who is on a meeting's register: the invited people, the learners, the households of its groups."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, inspect, or_, select, union
from sqlalchemy.orm import Session

from models import (
    Campaign,
    Enrolment,
    Exemption,
    Household,
    HouseholdResidence,
    Invitation,
    Meeting,
    MeetingUnit,
    Membership,
    Person,
    RegisterLine,
    RollEntry,
    Unit,
    WalkIn,
)
from rules.days import local_day
from services.access import subtree
from services.units import natural_key, unit_names_on

LARGEST_ID = 2_147_483_647
BY_HAND = ("person", "makeup")
CHUNK = 500

_INVITATION = inspect(Invitation).local_table
_INVITED = select(_INVITATION.c.person_id, _INVITATION.c.unit_id).where(
    _INVITATION.c.meeting_id == bindparam("meeting"),
    _INVITATION.c.removed_at.is_(None),
    _INVITATION.c.person_id.in_(bindparam("people", expanding=True)),
)


@dataclass(frozen=True)
class Line:
    """One subject of a register: whom it is about, with the unit of the meeting's day."""

    subject: str
    name: str
    group: int | None
    birth_year: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class UnitOfDay:
    """Where a subject belonged on the meeting's day; walk-ins belong nowhere."""

    unit_id: int | None
    person_id: int | None = None
    household_id: int | None = None
    walk_in_id: str | None = None


def ids_of(subjects: Iterable[str], kind: str) -> list[int]:
    """The row numbers in subjects of one kind ("m" or "h"); what is no number is left out."""
    found = set()
    for subject in subjects:
        prefix, _, number = subject.partition(":")
        if prefix == kind and number.isascii() and number.isdecimal() and len(number) <= 10:
            found.add(int(number))
    return sorted(number for number in found if 0 < number <= LARGEST_ID)


def expected_among(
    session: Session, meeting: Meeting, subjects: Collection[str]
) -> dict[str, UnitOfDay]:
    """Those of the named people and households who are on the meeting's register."""
    found: dict[str, UnitOfDay] = {}
    for chunk in _chunks(ids_of(subjects, "m")):
        invited = session.execute(_INVITED, {"meeting": meeting.id, "people": chunk})
        found |= {f"m:{row[0]}": UnitOfDay(row[1], person_id=row[0]) for row in invited}
        others = [one for one in chunk if f"m:{one}" not in found]
        rows = session.execute(_people(session, meeting, others)) if others else ()
        found |= {f"m:{row[0]}": UnitOfDay(row[1], person_id=row[0]) for row in rows}
    for chunk in _chunks(ids_of(subjects, "h")):
        statement = _households(session, meeting, chunk)
        rows = session.execute(statement) if statement is not None else ()
        for household, unit in rows:
            found[f"h:{household}"] = UnitOfDay(unit, household_id=household)
    return found


def walk_ins_among(session: Session, subjects: Collection[str]) -> dict[str, tuple[int, str]]:
    """The meeting and name of the walk-ins that are written down already, at whatever meeting."""
    ids = sorted(subject[2:] for subject in subjects if subject.startswith("w:"))
    found: dict[str, tuple[int, str]] = {}
    for start in range(0, len(ids), CHUNK):
        for one, meeting_id, name in session.execute(
            select(WalkIn.id, WalkIn.meeting_id, WalkIn.name).where(
                WalkIn.id.in_(ids[start : start + CHUNK])
            )
        ):
            found[f"w:{one}"] = (meeting_id, name)
    return found


def lines_of(session: Session, meeting: Meeting) -> tuple[list[Line], dict[int, str]]:
    """The whole register in its order (unit, then given name), and the names of its units.

    Whoever was marked stays on it, even when the list has changed since; walk-ins come last.
    """
    people = _person_lines(session, meeting)
    households = _household_lines(session, meeting)
    lines = [*people, *households]
    names = unit_names_on(
        session, {line.group for line in lines if line.group}, local_day(meeting.starts_at)
    )
    order = {
        unit: place
        for place, unit in enumerate(sorted(names, key=lambda unit: natural_key(names[unit])))
    }
    lines.sort(key=lambda line: order.get(line.group or 0, len(order)))
    return [*lines, *_walk_in_lines(session, meeting)], names


def residential_units(session: Session, meeting: Meeting) -> list[int]:
    """The residential units that are invited by name; a Party unit does not bring its households."""
    return list(
        session.scalars(
            select(MeetingUnit.unit_id)
            .join(Unit, Unit.id == MeetingUnit.unit_id)
            .where(MeetingUnit.meeting_id == meeting.id, Unit.tree == "residential")
        )
    )


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _holds(table: Any, day: date) -> ColumnElement[bool]:
    return and_(table.valid_from <= day, or_(table.valid_to.is_(None), table.valid_to > day))


def _people(session: Session, meeting: Meeting, only: list[int] | None) -> Any:
    """The people expected, as (person, unit of that day): invited, enrolled, or of the units."""
    parts = [
        _only(
            select(Invitation.person_id, Invitation.unit_id).where(
                Invitation.meeting_id == meeting.id, Invitation.removed_at.is_(None)
            ),
            Invitation.person_id,
            only,
        )
    ]
    if meeting.course_id is not None:
        parts.append(_only(_learners(meeting), Enrolment.person_id, only))
    elif _brings_members(session, meeting):
        parts.append(_only(_members(session, meeting), Membership.person_id, only))
    return parts[0] if len(parts) == 1 else union(*parts)


def _only(statement: Any, column: Any, only: list[int] | None) -> Any:
    return statement if only is None else statement.where(column.in_(only))


def _learners(meeting: Meeting) -> Any:
    invited = select(Invitation.person_id).where(Invitation.meeting_id == meeting.id)
    return select(Enrolment.person_id, Enrolment.unit_id).where(
        Enrolment.course_id == meeting.course_id,
        or_(
            Enrolment.withdrawn_on.is_(None),
            Enrolment.withdrawn_on > local_day(meeting.starts_at),
        ),
        Enrolment.person_id.not_in(invited),
    )


def _brings_members(session: Session, meeting: Meeting) -> bool:
    """Whether the units' members stand in, because nobody has been invited from them yet."""
    if meeting.is_makeup or meeting.counting == "heads":
        return False
    invited = exists().where(Invitation.meeting_id == meeting.id, Invitation.source.not_in(BY_HAND))
    return not session.scalar(select(invited))


def _members(session: Session, meeting: Meeting) -> Any:
    """The living, not exempt members of the invited units and all below them on that day."""
    day = local_day(meeting.starts_at)
    units = set(
        session.scalars(select(MeetingUnit.unit_id).where(MeetingUnit.meeting_id == meeting.id))
    )
    exempt = select(Exemption.person_id).where(_holds(Exemption, day))
    by_hand = select(Invitation.person_id).where(Invitation.meeting_id == meeting.id)
    return (
        select(Membership.person_id, Membership.unit_id)
        .join(Person, Person.id == Membership.person_id)
        .where(
            Membership.unit_id.in_(subtree(units, day)),
            _holds(Membership, day),
            or_(Person.died_on.is_(None), Person.died_on > day),
            Membership.person_id.not_in(exempt),
            Membership.person_id.not_in(by_hand),
        )
    )


def _households(session: Session, meeting: Meeting, only: list[int] | None) -> Any:
    """The households expected, as (household, group of that day), or None when none can be."""
    groups = residential_units(session, meeting)
    if not groups or meeting.counting == "heads":
        return None
    day = local_day(meeting.starts_at)
    below = subtree(set(groups), day)
    campaign = session.get(Campaign, meeting.campaign_id) if meeting.campaign_id else None
    if campaign is not None and campaign.household_counting != "checklist":
        return None
    if campaign is not None and campaign.state == "open":
        return _only(
            select(RollEntry.household_id, RollEntry.unit_id).where(
                RollEntry.campaign_id == campaign.id,
                RollEntry.population == "households",
                RollEntry.unit_id.in_(below),
                RollEntry.state == "eligible",
            ),
            RollEntry.household_id,
            only,
        )
    return _only(
        select(HouseholdResidence.household_id, HouseholdResidence.unit_id).where(
            HouseholdResidence.unit_id.in_(below), _holds(HouseholdResidence, day)
        ),
        HouseholdResidence.household_id,
        only,
    )


def _marked(session: Session, meeting: Meeting, column: Any) -> dict[int, int | None]:
    """The people or households with a line on the register, with its stamped unit."""
    return _pairs(
        session,
        select(column, RegisterLine.unit_id).where(
            RegisterLine.meeting_id == meeting.id, column.is_not(None)
        ),
    )


def _pairs(session: Session, statement: Any) -> dict[int, int | None]:
    return {row[0]: row[1] for row in session.execute(statement)}


def _person_lines(session: Session, meeting: Meeting) -> list[Line]:
    units = _marked(session, meeting, RegisterLine.person_id)
    units |= _pairs(session, _people(session, meeting, None))
    found: list[tuple[str, Line]] = []
    for chunk in _chunks(sorted(units)):
        rows = session.execute(
            select(Person.id, Person.full_name, Person.birth_year, Person.sort_key).where(
                Person.id.in_(chunk)
            )
        )
        found += [(key, Line(f"m:{one}", name, units[one], year)) for one, name, year, key in rows]
    found.sort(key=lambda pair: pair[0])
    namesakes = Counter(line.name for _, line in found)
    return [
        line if namesakes[line.name] > 1 else Line(line.subject, line.name, line.group)
        for _, line in found
    ]


def _household_lines(session: Session, meeting: Meeting) -> list[Line]:
    units = _marked(session, meeting, RegisterLine.household_id)
    statement = _households(session, meeting, None)
    if statement is not None:
        units |= _pairs(session, statement)
    found: list[tuple[Any, Line]] = []
    for chunk in _chunks(sorted(units)):
        rows = session.execute(
            select(Household.id, Household.number, Household.representative).where(
                Household.id.in_(chunk)
            )
        )
        for one, number, representative in rows:
            name = f"Hộ {number}" + (f" – {representative}" if representative else "")
            found.append((natural_key(number), Line(f"h:{one}", name, units[one])))
    found.sort(key=lambda pair: pair[0])
    return [line for _, line in found]


def _walk_in_lines(session: Session, meeting: Meeting) -> list[Line]:
    rows = session.execute(
        select(WalkIn.id, WalkIn.name, WalkIn.unit_text)
        .where(WalkIn.meeting_id == meeting.id)
        .order_by(WalkIn.created_at, WalkIn.id)
    )
    return [Line(f"w:{one}", name, None, unit=unit) for one, name, unit in rows if name]
