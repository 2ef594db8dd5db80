"""Coverage: every figure of a campaign that the doors show, counted from its roll."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from models import (
    Campaign,
    CampaignTarget,
    Household,
    HouseholdTally,
    Person,
    RollCorrection,
    RollEntry,
    Unit,
    UnitKind,
    UnitName,
)
from rules.coverage import (
    HouseholdFigure,
    MemberFigure,
    households_json,
    members_json,
    sum_households,
    sum_members,
)
from rules.days import instant
from rules.parts import in_parts
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.text import fold
from services.access import granted_unit_ids, units_visible_to
from services.campaigns import (
    campaign_for,
    covered_unit_ids,
    reporting_within_scope,
    roll_within_scope,
    units_below,
)
from services.successions import came_from_a_split, came_over, predecessors_of
from services.transaction import reading
from services.units import grassroots_of, natural_key, unit_by_code, unit_names_on

POPULATIONS = ("members", "households")

# Units as they are called on a day, and those that have a line of their own, written down once.
_KNOWN_UNITS = (
    select(
        Unit.id,
        Unit.code,
        Unit.tree,
        Unit.fold,
        Unit.position,
        Unit.name,
        UnitName.name,
        Unit.valid_to,
    )
    .outerjoin(
        UnitName,
        (UnitName.unit_id == Unit.id)
        & (UnitName.valid_from <= bindparam("on"))
        & (UnitName.valid_to.is_(None) | (UnitName.valid_to > bindparam("on"))),
    )
    .where(Unit.id.in_(bindparam("ids", expanding=True)))
)
_WITH_A_LINE = (
    select(Unit.id)
    .join(UnitKind, UnitKind.code == Unit.kind_code)
    .where(
        ((UnitKind.tree == "party") & UnitKind.is_grassroots)
        | ((UnitKind.tree == "residential") & UnitKind.holds_people),
        Unit.valid_from <= bindparam("on"),
        Unit.valid_to.is_(None) | (Unit.valid_to > bindparam("on")),
    )
)


@dataclass(frozen=True)
class UnitFigures:
    """A reporting unit's line (or a cell's): its members, and the exempt who came all the same."""

    unit_id: int
    code: str
    name: str
    members: MemberFigure
    exempt_who_came: int


@dataclass(frozen=True)
class GroupFigures:
    """A residential group's line: its households."""

    unit_id: int
    code: str
    name: str
    households: HouseholdFigure


@dataclass(frozen=True)
class CampaignFigures:
    """Every figure of a campaign on a day, for what the reader may see; roll-ups are Σn/Σd."""

    campaign_id: int
    code: str
    title: str
    state: str
    opens_on: date
    deadline_on: date
    counts_households: bool
    as_of: date
    members: MemberFigure
    households: HouseholdFigure
    units: tuple[UnitFigures, ...]
    groups: tuple[GroupFigures, ...]

    def as_json(self) -> dict[str, object]:
        """The shape in which the command answers."""
        return {
            "campaign": self.code,
            "as_of": self.as_of.isoformat(),
            "members": members_json(self.members),
            "households": households_json(self.households),
            "units": [
                {"code": unit.code, "name": unit.name, "members": members_json(unit.members)}
                for unit in self.units
            ],
            "groups": [
                {
                    "code": group.code,
                    "name": group.name,
                    "households": households_json(group.households),
                }
                for group in self.groups
            ],
        }


@dataclass(frozen=True)
class MissingPerson:
    """A member who must study and has not completed it yet, with the cell of the cut-off day."""

    person_id: int
    code: str
    name: str
    unit_id: int
    unit_code: str
    unit_name: str
    grassroots_id: int
    grassroots_name: str
    phone: str | None
    email: str | None


@dataclass(frozen=True)
class MissingHousehold:
    """A household for which nobody has come yet."""

    household_id: int
    number: str
    representative: str
    unit_id: int


def campaign_figures(
    code: str, *, by: Actor, today: date, as_of: date | None = None
) -> CampaignFigures:
    """The figures of a campaign, straight from its roll: the one place all doors take them from.

    With `as_of`, as they stood at the end of that day: what was covered by then, on the roll
    before the corrections logged later.
    """
    session = reading()
    campaign = campaign_for(session, by, code, today)
    return figures_of(session, campaign, by=by, today=today, as_of=as_of)


def figures_of(
    session: Session, campaign: Campaign, *, by: Actor, today: date, as_of: date | None = None
) -> CampaignFigures:
    """The same for a campaign that has been looked up already."""
    counts = _counts(session, campaign, RollEntry.grassroots_id, by, today, as_of)
    targets = _targets(session, campaign)
    known = _reporting_units(session, campaign, {key[1] for key in counts}, by, today)
    lines = _unit_lines(counts, known, targets)
    groups = _group_lines(session, campaign, counts, known, targets, as_of or today)
    return CampaignFigures(
        campaign_id=campaign.id,
        code=campaign.code,
        title=campaign.title,
        state=campaign.state,
        opens_on=campaign.opens_on,
        deadline_on=campaign.deadline_on,
        counts_households=campaign.household_counting != "none",
        as_of=as_of or today,
        members=sum_members((line.members for line in lines), campaign.members_target_percent),
        households=sum_households(
            (group.households for group in groups), campaign.households_target_percent
        ),
        units=lines,
        groups=groups,
    )


def cell_figures(
    code: str, unit_code: str, *, by: Actor, today: date
) -> tuple[UnitFigures, tuple[UnitFigures, ...]]:
    """A reporting unit's line and its cells' lines beneath it; NotFound when it has none there."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    unit = unit_by_code(session, unit_code)
    counts = _counts(session, campaign, RollEntry.unit_id, by, today, None, within=unit.id)
    if not counts:
        raise NotFound(N_("Đơn vị này không có ai trong danh sách của đợt."))
    targets = _targets(session, campaign)
    cells = {key[1] for key in counts}
    known = _known_units(session, {*cells, unit.id}, campaign.cutoff_on)
    own = targets.of(unit.id, "party")
    whole = sum_members(
        (_member_figure(counts, cell, targets.of(cell, "party", own)) for cell in cells), own
    )
    lines = tuple(
        _unit_line(counts, known[cell], targets.of(cell, "party", own))
        for cell in sorted(cells, key=lambda cell: known[cell].order)
    )
    came = sum(line.exempt_who_came for line in lines)
    mine = known[unit.id]
    return UnitFigures(mine.id, mine.code, mine.name, whole, came), lines


def missing_people(
    code: str, *, by: Actor, today: date, unit: str | None = None
) -> list[MissingPerson]:
    """Who must study and is not covered, by cell and given name; `unit` is a unit's code."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    return missing_of(session, campaign, by=by, today=today, unit=unit)


def missing_of(
    session: Session,
    campaign: Campaign,
    *,
    by: Actor,
    today: date,
    unit: str | None = None,
    role: str | None = None,
) -> list[MissingPerson]:
    """The same for a campaign that has been looked up already; `role` narrows the scope to its."""
    rows = session.execute(_missing(session, campaign, by, today, unit, role)).all()
    ids = {row.unit_id for row in rows} | {row.grassroots_id for row in rows}
    units = _known_units(session, ids, campaign.cutoff_on)
    ordered = sorted(
        rows,
        key=lambda row: (
            units[row.grassroots_id].order,
            units[row.unit_id].order,
            row.sort_key,
            row.code,
        ),
    )
    return [
        MissingPerson(
            person_id=row.id,
            code=row.code,
            name=row.full_name,
            unit_id=row.unit_id,
            unit_code=units[row.unit_id].code,
            unit_name=units[row.unit_id].name,
            grassroots_id=row.grassroots_id,
            grassroots_name=units[row.grassroots_id].name,
            phone=row.phone,
            email=row.email,
        )
        for row in ordered
    ]


def missing_households(
    code: str, group_code: str, *, by: Actor, today: date
) -> list[MissingHousehold]:
    """The households of a group for which nobody has come, by number."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    group = unit_by_code(session, group_code)
    rows = session.execute(
        select(Household.id, Household.number, Household.representative)
        .join(RollEntry, RollEntry.household_id == Household.id)
        .where(
            RollEntry.campaign_id == campaign.id,
            RollEntry.unit_id == group.id,
            RollEntry.state == "eligible",
            RollEntry.covered_on.is_(None),
            roll_within_scope(by, campaign.cutoff_on, today),
        )
    )
    found = [MissingHousehold(row[0], row[1], row[2] or "", group.id) for row in rows]
    return sorted(found, key=lambda household: natural_key(household.number))


def _missing(
    session: Session, campaign: Campaign, by: Actor, today: date, unit: str | None, role: str | None
) -> Select[*tuple[Any, ...]]:
    roles = (role,) if role else ()
    return (
        select(
            Person.id,
            Person.code,
            Person.full_name,
            Person.sort_key,
            Person.phone,
            Person.email,
            RollEntry.unit_id,
            RollEntry.grassroots_id,
        )
        .join(RollEntry, RollEntry.person_id == Person.id)
        .where(
            RollEntry.campaign_id == campaign.id,
            RollEntry.population == "members",
            RollEntry.state == "eligible",
            RollEntry.covered_on.is_(None),
            roll_within_scope(by, campaign.cutoff_on, today, *roles),
            *_in_unit(session, unit, campaign.cutoff_on, today),
        )
    )


CountKey = tuple[str, int, str, str | None]


def _counts(
    session: Session,
    campaign: Campaign,
    unit: InstrumentedAttribute[int],
    by: Actor,
    today: date,
    as_of: date | None,
    *,
    within: int | None = None,
) -> Counter[CountKey]:
    """How many entries stand where: (population, unit, state, round) → number.

    Reads only the coverage index when the reader sees everything.
    """
    where = [
        RollEntry.campaign_id == campaign.id,
        # Both, named so that the coverage index is searched by unit, not read whole.
        RollEntry.population.in_(POPULATIONS),
        _counted_scope(session, campaign, by, today),
    ]
    if within is not None:
        where += [RollEntry.population == "members", RollEntry.grassroots_id == within]
    covered_round = _round_as_of(as_of)
    rows = session.execute(
        select(RollEntry.population, unit, RollEntry.state, covered_round, func.count())
        .where(*where)
        .group_by(RollEntry.population, unit, RollEntry.state, covered_round)
    )
    counts: Counter[CountKey] = Counter()
    for population, unit_id, state, its_round, number in rows:
        counts[(population, unit_id, state, its_round)] += number
    if as_of is not None and as_of < today:
        _take_back_corrections(session, campaign, where, as_of, counts)
    # A unit into which somebody was corrected later has no line of its own before that.
    return +counts


def _counted_scope(
    session: Session, campaign: Campaign, by: Actor, today: date
) -> ColumnElement[bool]:
    """The reader's scope; cells are looked at only for somebody who answers for a cell alone."""
    granted = granted_unit_ids(by)
    if granted is None:
        return true()
    days = (campaign.cutoff_on, today)
    reporting = [grassroots_of(session, granted, day) for day in days]
    alone = all(above[unit_id] == unit_id for above in reporting for unit_id in granted)
    if alone and not came_from_a_split(session, granted):
        return reporting_within_scope(by, *days)
    return roll_within_scope(by, *days)


def _round_as_of(as_of: date | None) -> ColumnElement[str | None]:
    if as_of is None:
        return RollEntry.covered_round.expression
    return case((RollEntry.covered_on <= as_of, RollEntry.covered_round))


def _take_back_corrections(
    session: Session,
    campaign: Campaign,
    where: Sequence[ColumnElement[bool]],
    as_of: date,
    counts: Counter[CountKey],
) -> None:
    """Count the entries corrected after the day as they stood before the first such correction."""
    rows = session.execute(
        select(
            RollEntry.id,
            RollEntry.population,
            RollEntry.grassroots_id,
            RollEntry.state,
            _round_as_of(as_of),
            RollCorrection.state_before,
            RollCorrection.grassroots_before_id,
        )
        .join(RollCorrection, RollCorrection.roll_entry_id == RollEntry.id)
        .where(*where, RollCorrection.at >= instant(as_of + timedelta(days=1), time.min))
        .order_by(RollCorrection.id)
    )
    seen: set[int] = set()
    for entry_id, population, unit_id, state, its_round, state_before, unit_before in rows:
        if entry_id in seen:
            continue
        seen.add(entry_id)
        counts[(population, unit_id, state, its_round)] -= 1
        if state_before is not None and unit_before is not None:
            counts[(population, unit_before, state_before, its_round)] += 1


@dataclass(frozen=True)
class _Targets:
    """The campaign's targets and those of units that have their own."""

    members: int
    households: int
    own: dict[int, int]

    def of(self, unit_id: int, tree: str, otherwise: int | None = None) -> int:
        general = self.members if tree == "party" else self.households
        return self.own.get(unit_id, general if otherwise is None else otherwise)


def _targets(session: Session, campaign: Campaign) -> _Targets:
    rows = session.execute(
        select(CampaignTarget.unit_id, CampaignTarget.target_percent).where(
            CampaignTarget.campaign_id == campaign.id
        )
    )
    own = {row.unit_id: row.target_percent for row in rows}
    return _Targets(campaign.members_target_percent, campaign.households_target_percent, own)


@dataclass(frozen=True)
class _KnownUnit:
    """A unit as it was called on the cut-off day, and what puts it in order."""

    id: int
    code: str
    name: str
    tree: str
    order: tuple[object, ...]


def _known_units(session: Session, ids: Iterable[int], on: date) -> dict[int, _KnownUnit]:
    found: dict[int, _KnownUnit] = {}
    ended: list[int] = []
    for part in in_parts(sorted(set(ids))):
        rows = session.execute(_KNOWN_UNITS, {"ids": part, "on": on})
        for unit_id, code, tree, folded, position, name, name_then, valid_to in rows:
            called = name_then or name
            # One that was renamed since keeps its place.
            order = (position, natural_key(folded if called == name else fold(called)), code)
            found[unit_id] = _KnownUnit(unit_id, code, called, tree, order)
            if valid_to is not None and valid_to <= on:
                ended.append(unit_id)
    for unit_id, told_apart in unit_names_on(session, ended, on).items():
        found[unit_id] = replace(found[unit_id], name=told_apart)
    return found


def _reporting_units(
    session: Session, campaign: Campaign, on_roll: set[int], by: Actor, today: date
) -> dict[int, _KnownUnit]:
    """The units that have a line: those of the roll, and covered ones with nobody on it."""
    covered = covered_unit_ids(session, campaign.id, campaign.cutoff_on)
    visible = units_visible_to(session, by, today)
    if visible is not None:
        covered &= visible
    reporting = session.scalars(_WITH_A_LINE, {"on": campaign.cutoff_on})
    ids = on_roll | {unit_id for unit_id in reporting if unit_id in covered}
    return _known_units(session, ids, campaign.cutoff_on)


def _member_figure(counts: Counter[CountKey], unit_id: int, target: int) -> MemberFigure:
    def number(state: str, *rounds: str | None) -> int:
        return sum(counts[("members", unit_id, state, one)] for one in rounds)

    eligible = number("eligible", None, "main", "makeup")
    exempt = number("exempt", None, "main", "makeup")
    main, makeup = number("eligible", "main"), number("eligible", "makeup")
    return MemberFigure(eligible + exempt, exempt, eligible, main + makeup, main, makeup, target)


def _unit_line(counts: Counter[CountKey], unit: _KnownUnit, target: int) -> UnitFigures:
    came = sum(counts[("members", unit.id, "exempt", one)] for one in ("main", "makeup"))
    return UnitFigures(unit.id, unit.code, unit.name, _member_figure(counts, unit.id, target), came)


def _unit_lines(
    counts: Counter[CountKey], known: dict[int, _KnownUnit], targets: _Targets
) -> tuple[UnitFigures, ...]:
    party = sorted(
        (unit for unit in known.values() if unit.tree == "party"), key=lambda unit: unit.order
    )
    return tuple(_unit_line(counts, unit, targets.of(unit.id, unit.tree)) for unit in party)


def _group_lines(
    session: Session,
    campaign: Campaign,
    counts: Counter[CountKey],
    known: dict[int, _KnownUnit],
    targets: _Targets,
    as_of: date,
) -> tuple[GroupFigures, ...]:
    if campaign.household_counting == "none":
        return ()
    declared = (
        _declared(session, campaign.id, as_of) if campaign.household_counting == "tally" else None
    )
    lines = []
    residential = (unit for unit in known.values() if unit.tree == "residential")
    for unit in sorted(residential, key=lambda unit: unit.order):
        numbers = {
            its_round: counts[("households", unit.id, "eligible", its_round)]
            for its_round in (None, "main", "makeup")
        }
        covered = numbers["main"] + numbers["makeup"]
        if declared is not None:
            covered = declared.get(unit.id, 0)
        figure = HouseholdFigure(sum(numbers.values()), covered, targets.of(unit.id, unit.tree))
        lines.append(GroupFigures(unit.id, unit.code, unit.name, figure))
    return tuple(lines)


def _declared(session: Session, campaign_id: int, as_of: date) -> dict[int, int]:
    """What each group's head declared last, by the day it stands for."""
    rows = session.execute(
        select(HouseholdTally.unit_id, HouseholdTally.households)
        .where(HouseholdTally.campaign_id == campaign_id, HouseholdTally.declared_on <= as_of)
        .order_by(HouseholdTally.declared_on, HouseholdTally.id)
    )
    return {row.unit_id: row.households for row in rows}


def _in_unit(
    session: Session, code: str | None, cutoff_on: date, today: date
) -> list[ColumnElement[bool]]:
    """The condition that an entry is of a unit or below it, by the roll or that day's tree.

    A unit has what those had that it took over from; one founded since also its cells of today,
    and who came over from a unit that was split.
    """
    if code is None:
        return []
    unit = unit_by_code(session, code)
    own = predecessors_of(session, [unit.id], today) | {unit.id}
    conditions: list[ColumnElement[bool]] = [
        RollEntry.unit_id.in_(units_below(session, own, cutoff_on)),
        RollEntry.grassroots_id.in_(own),
    ]
    if unit.valid_from > cutoff_on:
        conditions.append(RollEntry.unit_id.in_(units_below(session, [unit.id], today)))
        conditions.append(came_over(frozenset({unit.id}), today))
    return [or_(*conditions)]
