"""Who is on a meeting's register: the invited people, the learners, the households of its groups."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    exists,
    func,
    inspect,
    or_,
    select,
)
from sqlalchemy.orm import Session

from models import (
    Campaign,
    Enrolment,
    Exemption,
    HeadCount,
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
from rules.parts import in_parts
from services.access import subtree
from services.attendance_ledger import AT_MEETING, MARK
from services.prepared import Listed, Prepared
from services.units import natural_key, unit_names_on

LARGEST_ID = 2_147_483_647
BY_HAND = ("person", "makeup")

INVITATION: Any = inspect(Invitation).local_table
IS_INVITED = (INVITATION.c.meeting_id == bindparam("meeting")) & INVITATION.c.removed_at.is_(None)
_INVITED = Listed(
    lambda among: select(INVITATION.c.person_id, INVITATION.c.unit_id).where(
        IS_INVITED, among(INVITATION.c.person_id)
    )
)
_PERSON = inspect(Person).local_table
_NAMED = (_PERSON.c.sort_key, _PERSON.c.id, _PERSON.c.full_name, _PERSON.c.birth_year)
_NAMED_BY_ID = Listed(lambda among: select(*_NAMED).where(among(_PERSON.c.id)))
_INVITED_NAMED = Prepared(
    lambda _: (
        select(*_NAMED, INVITATION.c.unit_id)
        .join(INVITATION, INVITATION.c.person_id == _PERSON.c.id)
        .where(IS_INVITED)
    )
)
_LINE = inspect(RegisterLine).local_table
_MARKED_NAMES = ("subject", "status", "mark_id", "person_id", "household_id", "unit_id")
_MARKED = Prepared(
    lambda _: select(*(_LINE.c[name] for name in _MARKED_NAMES)).where(
        _LINE.c.meeting_id == bindparam("meeting")
    )
)
_GROUPS = (
    select(MeetingUnit.unit_id)
    .join(Unit, Unit.id == MeetingUnit.unit_id)
    .where(MeetingUnit.meeting_id == bindparam("meeting"), Unit.tree == "residential")
)
_RESIDENTIAL = Prepared(lambda _: _GROUPS)
_OF_WALK_INS = select(WalkIn.id, WalkIn.name, WalkIn.unit_text).where(
    WalkIn.meeting_id == bindparam("meeting")
)
_WALK_INS = Prepared(lambda _: _OF_WALK_INS.order_by(WalkIn.created_at, WalkIn.id))
_FROM_UNITS = select(INVITATION.c.id).where(
    INVITATION.c.meeting_id == bindparam("meeting"),
    and_(*(INVITATION.c.source != one for one in BY_HAND)),
)
# Marked twice or more often, by the index alone: at most registers, nobody.
_TWICE = select(MARK.c.subject).where(AT_MEETING).group_by(MARK.c.subject).having(func.count() > 1)
_HEADS = select(HeadCount.id).where(HeadCount.meeting_id == bindparam("meeting"))
_THERE_IS = Prepared(
    lambda _: select(*(exists(one) for one in (_FROM_UNITS, _GROUPS, _OF_WALK_INS, _TWICE, _HEADS)))
)


class Line(NamedTuple):
    """One subject of a register: whom it is about, with the unit of the meeting's day."""

    subject: str
    name: str
    group: int | None
    birth_year: int | None = None
    unit: str = ""


class ThereIs(NamedTuple):
    """Which of the rarer things a meeting has, asked at once, so that the rest need not be."""

    invited_from_units: bool
    groups: bool
    walk_ins: bool
    marked_twice: bool
    heads: bool


class UnitOfDay(NamedTuple):
    """Where a subject belonged on the meeting's day; walk-ins belong nowhere."""

    unit_id: int | None
    person_id: int | None = None
    household_id: int | None = None
    walk_in_id: str | None = None


def there_is(session: Session, meeting_id: int) -> ThereIs:
    """What has to be looked for beside the meeting's invitations and marks."""
    return ThereIs(*_THERE_IS.rows(session, meeting=meeting_id)[0])


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
    people, households = ids_of(subjects, "m"), ids_of(subjects, "h")
    for person, unit in _INVITED.rows(session, people, meeting=meeting.id):
        found[f"m:{person}"] = UnitOfDay(unit, person)
    others = [one for one in people if f"m:{one}" not in found]
    if not others and not households:
        return found
    has = there_is(session, meeting.id)
    for chunk in in_parts(others):
        brought = _brought(session, meeting, chunk, has)
        rows = session.execute(brought) if brought is not None else ()
        found |= {f"m:{person}": UnitOfDay(unit, person) for person, unit in rows}
    for chunk in in_parts(households):
        statement = _households(session, meeting, chunk, has)
        rows = session.execute(statement) if statement is not None else ()
        for household, unit in rows:
            found[f"h:{household}"] = UnitOfDay(unit, household_id=household)
    return found


def walk_ins_among(session: Session, subjects: Collection[str]) -> dict[str, tuple[int, str]]:
    """The meeting and name of the walk-ins that are written down already, at whatever meeting."""
    ids = sorted(subject[2:] for subject in subjects if subject.startswith("w:"))
    found: dict[str, tuple[int, str]] = {}
    for part in in_parts(ids):
        for one, meeting_id, name in session.execute(
            select(WalkIn.id, WalkIn.meeting_id, WalkIn.name).where(WalkIn.id.in_(part))
        ):
            found[f"w:{one}"] = (meeting_id, name)
    return found


def marked_lines(session: Session, meeting_id: int) -> Sequence[tuple[Any, ...]]:
    """What stands on the register: subject, status, deciding mark, whom it is about, its unit."""
    return _MARKED.rows(session, meeting=meeting_id)


def lines_of(
    session: Session,
    meeting: Meeting,
    marked: Sequence[tuple[Any, ...]] | None = None,
    has: ThereIs | None = None,
) -> tuple[list[Line], dict[int, str]]:
    """The whole register in its order (unit, then given name), and the names of its units.

    Whoever was marked stays on it, even when the list has changed since; walk-ins come last.
    `marked` and `has` are what `marked_lines` and `there_is` gave, when the caller has it already.
    """
    marked = marked_lines(session, meeting.id) if marked is None else marked
    has = there_is(session, meeting.id) if has is None else has
    people = _named_people(session, meeting, _stamped(marked, "person_id"), has)
    households = _household_lines(session, meeting, _stamped(marked, "household_id"), has)
    units = {person[-1] for person in people} | {line.group for line in households}
    names = unit_names_on(session, {unit for unit in units if unit}, local_day(meeting.starts_at))
    by_name = sorted(names, key=lambda unit: natural_key(names[unit]))
    order: dict[int | None, int] = {unit: place for place, unit in enumerate(by_name)}
    last = len(order)
    # Units in their order, households after a unit's people, names in theirs.
    people.sort()
    by_unit: list[list[Any]] = [[] for _ in range(last + 1)]
    for person in people:
        by_unit[order.get(person[-1], last)].append(person)
    namesakes = _namesakes(people)
    lines = [
        Line(f"m:{one}", name, unit, year if name in namesakes else None)
        for of_unit in by_unit
        for _, one, name, year, unit in of_unit
    ]
    if households:
        lines += households
        lines.sort(key=lambda line: order.get(line.group, last))
    return [*lines, *(_walk_in_lines(session, meeting) if has.walk_ins else ())], names


def residential_units(session: Session, meeting: Meeting) -> list[int]:
    """The residential units that are invited by name; a Party unit does not bring its households."""
    return [row[0] for row in _RESIDENTIAL.rows(session, meeting=meeting.id)]


def _holds(table: Any, day: date) -> ColumnElement[bool]:
    return and_(table.valid_from <= day, or_(table.valid_to.is_(None), table.valid_to > day))


def _brought(session: Session, meeting: Meeting, only: list[int] | None, has: ThereIs) -> Any:
    """The people expected besides the invited, as (person, unit of that day): enrolled, or of the
    units; None when there can be none."""
    if meeting.course_id is not None:
        return _only(_learners(meeting), Enrolment.person_id, only)
    if not (meeting.is_makeup or meeting.counting == "heads" or has.invited_from_units):
        # Nobody has been invited from the units yet: their members stand in.
        return _only(_members(session, meeting), Membership.person_id, only)
    return None


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


def _households(session: Session, meeting: Meeting, only: list[int] | None, has: ThereIs) -> Any:
    """The households expected, as (household, group of that day), or None when none can be."""
    if not has.groups or meeting.counting == "heads":
        return None
    groups = residential_units(session, meeting)
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


def _stamped(marked: Sequence[tuple[Any, ...]], key: str) -> dict[int, int | None]:
    """The people or households with a line on the register, with its stamped unit."""
    place = ("subject", "status", "mark_id", "person_id", "household_id").index(key)
    return {row[place]: row[-1] for row in marked if row[place] is not None}


def _pairs(session: Session, statement: Any) -> dict[int, int | None]:
    return {row[0]: row[1] for row in session.execute(statement)}


def _named_people(
    session: Session, meeting: Meeting, units: dict[int, int | None], has: ThereIs
) -> list[tuple[str, int, str, int | None, int | None]]:
    """The people of the register: sort key, id, name, year of birth, unit; `units` of those marked."""
    brought = _brought(session, meeting, None, has)
    if brought is not None:
        units |= _pairs(session, brought)
    found: list[Any] = _INVITED_NAMED.rows(session, meeting=meeting.id)
    others = units.keys() - {row[1] for row in found}
    if others:
        rows = _NAMED_BY_ID.rows(session, sorted(others))
        found += [(key, one, name, year, units[one]) for key, one, name, year in rows]
    return found


def _namesakes(people: Sequence[tuple[Any, ...]]) -> set[str]:
    """The names that several bear, who are told apart by their years of birth."""
    seen: set[str] = set()
    several: set[str] = set()
    for person in people:
        (several if person[2] in seen else seen).add(person[2])
    return several


def _household_lines(
    session: Session, meeting: Meeting, units: dict[int, int | None], has: ThereIs
) -> list[Line]:
    statement = _households(session, meeting, None, has)
    if statement is not None:
        units |= _pairs(session, statement)
    found: list[tuple[Any, Line]] = []
    for chunk in in_parts(sorted(units)):
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
    rows = _WALK_INS.rows(session, meeting=meeting.id)
    return [Line(f"w:{one}", name, None, unit=unit) for one, name, unit in rows if name]
