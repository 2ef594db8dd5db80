"""Units in time: the two trees on any day, and how units are founded, renamed, moved and ended."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, inspect, or_, select
from sqlalchemy.orm import Session

from models import (
    HouseholdResidence,
    Membership,
    Unit,
    UnitKind,
    UnitLink,
    UnitName,
    UnitParent,
)
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.text import matches
from services.access import require_unit, units_visible_to
from services.prepared import Listed
from services.transaction import reading, remembered

TREES = ("party", "residential")
_DIGITS = re.compile(r"(\d+)")

# What every page of figures asks, written down once.
_PARENTS = select(UnitParent.unit_id, UnitParent.parent_id).where(
    UnitParent.valid_from <= bindparam("on"),
    or_(UnitParent.valid_to.is_(None), UnitParent.valid_to > bindparam("on")),
)
_UNIT: Any = inspect(Unit).local_table
_NAME: Any = inspect(UnitName).local_table
_NAMED_THEN = and_(
    _NAME.c.unit_id == _UNIT.c.id,
    _NAME.c.valid_from <= bindparam("on"),
    or_(_NAME.c.valid_to.is_(None), _NAME.c.valid_to > bindparam("on")),
)
_NAMES = Listed(
    lambda among: (
        select(_UNIT.c.id, _UNIT.c.name, _UNIT.c.valid_to, _NAME.c.name)
        .outerjoin(_NAME, _NAMED_THEN)
        .where(among(_UNIT.c.id))
    )
)
_REPORTING = (
    select(Unit.id).join(UnitKind, UnitKind.code == Unit.kind_code).where(UnitKind.is_grassroots)
)


@dataclass(frozen=True)
class UnitNode:
    """A unit as it stood on one day, with its place in the tree; `depth` counts from 0.

    `parent_id` is the unit above within what the reader may see; None at the top of that.
    """

    id: int
    code: str
    name: str
    fold: str
    tree: str
    kind_code: str
    kind_name: str
    is_grassroots: bool
    holds_people: bool
    parent_id: int | None
    depth: int


@dataclass
class Branch:
    """A unit in the tree page, with what is below it; `people` counts members or households.

    `hidden` is how many units directly below are not shown (a large tree is shown in parts).
    """

    node: UnitNode
    people: int
    branches: list["Branch"] = field(default_factory=list)
    hidden: int = 0


@dataclass(frozen=True)
class DatedFact:
    """One row of a unit's history: a name, the unit above, or the unit answering."""

    text: str
    unit_id: int | None
    valid_from: date
    valid_to: date | None

    @property
    def until_on(self) -> date | None:
        """The last day on which it held."""
        return self.valid_to - timedelta(days=1) if self.valid_to else None


@dataclass(frozen=True)
class KindRow:
    """A level of a tree, and how many units are of it."""

    code: str
    tree: str
    name: str
    name_en: str
    rank: int
    is_grassroots: bool
    holds_people: bool
    units: int


@dataclass(frozen=True)
class UnitPage:
    """Everything the page of one unit shows, as of a day."""

    id: int
    code: str
    name: str
    tree: str
    kind_code: str
    kind_name: str
    holds_people: bool
    position: int
    valid_from: date
    valid_to: date | None
    path: tuple[tuple[int, str], ...]
    members: int
    households: int
    names: tuple[DatedFact, ...]
    parents: tuple[DatedFact, ...]
    links: tuple[DatedFact, ...]
    below: tuple[tuple[UnitNode, int], ...]
    is_changeable: bool


def on_day(
    table: type[Unit]
    | type[UnitName]
    | type[UnitParent]
    | type[UnitLink]
    | type[Membership]
    | type[HouseholdResidence],
    on: date,
) -> ColumnElement[bool]:
    """The rows of a dated table that hold on that day."""
    return and_(table.valid_from <= on, or_(table.valid_to.is_(None), table.valid_to > on))


def unit_by_code(session: Session, code: str) -> Unit:
    """The unit with that code, letter case and outer spaces ignored; NotFound otherwise."""
    unit = session.scalar(select(Unit).where(Unit.code == code.strip()))
    if unit is None:
        unit = session.scalar(select(Unit).where(func.lower(Unit.code) == code.strip().lower()))
    if unit is None:
        raise NotFound(
            N_("Không có đơn vị mang mã “%(code)s”. Hãy xem mã ở trang Đơn vị."), code=code[:60]
        )
    return unit


def unit_id_of_code(code: str) -> int:
    """The id of the unit with that code; NotFound otherwise."""
    return unit_by_code(reading(), code).id


def unit_names_on(session: Session, unit_ids: Iterable[int], on: date) -> dict[int, str]:
    """What the units were called on a day; a unit without a name that day keeps its present one.

    One that had ended by then and whose name another bears is told apart: "… (trước 1/7/2025)".
    """
    rows = _NAMES.rows(session, sorted(set(unit_ids)), on=on)
    names: dict[int, str] = {unit: then or name for unit, name, _, then in rows}
    ended = {(unit, name, end) for unit, name, end, then in rows if end and end <= on and not then}
    return names | _told_apart(session, ended, on) if ended else names


def _told_apart(
    session: Session, ended: Iterable[tuple[int, str, date]], on: date
) -> dict[int, str]:
    """Names of ended units with the day of their end, where a unit of that day bears the same."""
    rows = list(ended)
    taken = set(
        session.scalars(
            select(Unit.name).where(Unit.name.in_({name for _, name, _ in rows}), on_day(Unit, on))
        )
    )
    return {
        unit: f"{name} (trước {ends.day}/{ends.month}/{ends.year})"
        for unit, name, ends in rows
        if name in taken
    }


def parents_on(session: Session, on: date) -> Mapping[int, int]:
    """The unit above each unit on a day, on both trees; tops have none."""
    return remembered(session, ("parents", on), lambda: _parents_on(session, on))


def _parents_on(session: Session, on: date) -> dict[int, int]:
    rows = session.execute(_PARENTS, {"on": on})
    return {row[0]: row[1] for row in rows}


def subtree_ids(parents: Mapping[int, int], roots: Collection[int]) -> set[int]:
    """The units and all below them, from the map of parents of a day."""
    below: dict[int, list[int]] = defaultdict(list)
    for unit_id, parent_id in parents.items():
        below[parent_id].append(unit_id)
    found, waiting = set(), list(roots)
    while waiting:
        unit_id = waiting.pop()
        if unit_id not in found:
            found.add(unit_id)
            waiting.extend(below.get(unit_id, ()))
    return found


def day_within_life(unit: Unit, day: date) -> date:
    """The day itself, or the nearest one on which the unit existed."""
    if unit.valid_to is not None and day >= unit.valid_to:
        return unit.valid_to - timedelta(days=1)
    return max(day, unit.valid_from)


def grassroots_of(session: Session, unit_ids: Iterable[int], on: date) -> dict[int, int]:
    """The reporting unit of each unit on a day: the nearest at or above it whose kind reports.

    A unit with none above it reports for itself. Two queries, however many units are asked for.
    """
    parents = parents_on(session, on)
    reporting = remembered(session, "reporting", lambda: frozenset(session.scalars(_REPORTING)))
    return {unit_id: _nearest(unit_id, parents, reporting) for unit_id in set(unit_ids)}


def _nearest(unit_id: int, parents: Mapping[int, int], reporting: Collection[int]) -> int:
    at: int | None = unit_id
    seen = set()
    while at is not None and at not in seen:
        if at in reporting:
            return at
        seen.add(at)
        at = parents.get(at)
    return unit_id


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts "Chi bộ 2" before "Chi bộ 10"; the text has been folded."""
    parts = _DIGITS.split(text)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def unit_tree(
    *, on: date, by: Actor, tree: str | None = None, roles: tuple[str, ...] = ()
) -> list[UnitNode]:
    """The units within the actor's scope on a day, each directly before those below it."""
    session = reading()
    return nodes_on(session, on, tree=tree, within=units_visible_to(session, by, on, *roles))


def unit_options(
    by: Actor,
    on: date,
    *,
    tree: str | None = None,
    grassroots_only: bool = False,
    holding_people: bool = False,
    roles: tuple[str, ...] = (),
) -> list[tuple[int, str]]:
    """Id and label of the units within scope, in tree order, for a select; dashes show depth."""
    nodes = unit_tree(on=on, by=by, tree=tree, roles=roles)
    if grassroots_only:
        return [(node.id, node.name) for node in nodes if node.is_grassroots]
    if holding_people:
        names = {node.id: node.name for node in nodes}
        return [
            (node.id, _with_parent(node.name, names.get(node.parent_id or 0)))
            for node in nodes
            if node.holds_people
        ]
    return [(node.id, "– " * node.depth + node.name) for node in nodes]


def _with_parent(name: str, parent_name: str | None) -> str:
    return f"{name} · {parent_name}" if parent_name else name


def nodes_on(
    session: Session, on: date, *, tree: str | None = None, within: frozenset[int] | None = None
) -> list[UnitNode]:
    """The forest of a day as a flat list in tree order; three queries."""
    query = select(Unit, UnitKind).join(UnitKind, UnitKind.code == Unit.kind_code)
    query = query.where(on_day(Unit, on), *([Unit.tree == tree] if tree else []))
    found = {
        unit.id: (unit, kind)
        for unit, kind in session.execute(query)
        if within is None or unit.id in within
    }
    named = select(UnitName.unit_id, UnitName.name).where(on_day(UnitName, on))
    names = {row.unit_id: row.name for row in session.execute(named)}
    parents = parents_on(session, on)
    below: dict[int | None, list[tuple[Unit, UnitKind]]] = defaultdict(list)
    for unit, kind in found.values():
        above = parents.get(unit.id)
        below[above if above in found else None].append((unit, kind))
    return _in_tree_order(below, names)


def _in_tree_order(
    below: dict[int | None, list[tuple[Unit, UnitKind]]], names: dict[int, str]
) -> list[UnitNode]:
    def order(pair: tuple[Unit, UnitKind]) -> tuple[object, ...]:
        unit, kind = pair
        return (unit.tree, kind.rank, unit.position, natural_key(unit.fold), unit.code)

    nodes: list[UnitNode] = []
    waiting: list[tuple[Unit, UnitKind, int | None, int]] = []

    def push(parent_id: int | None, depth: int) -> None:
        for unit, kind in sorted(below.get(parent_id, ()), key=order, reverse=True):
            waiting.append((unit, kind, parent_id, depth))

    push(None, 0)
    while waiting:
        unit, kind, parent_id, depth = waiting.pop()
        nodes.append(_node(unit, kind, names.get(unit.id, unit.name), parent_id, depth))
        push(unit.id, depth + 1)
    return nodes


def _node(unit: Unit, kind: UnitKind, name: str, parent_id: int | None, depth: int) -> UnitNode:
    return UnitNode(
        id=unit.id,
        code=unit.code,
        name=name,
        fold=unit.fold,
        tree=unit.tree,
        kind_code=kind.code,
        kind_name=kind.name,
        is_grassroots=kind.is_grassroots,
        holds_people=kind.holds_people,
        parent_id=parent_id,
        depth=depth,
    )


def unit_branches(
    *, on: date, by: Actor, tree: str, under: int | None = None, most: int = 1200
) -> list[Branch]:
    """The tree of a day within scope, with the people below each unit; a large one in parts.

    More than `most` units are shown only as deep as fits; `under` starts at one of them.
    """
    session = reading()
    nodes = nodes_on(session, on, tree=tree, within=units_visible_to(session, by, on))
    counts = people_below(session, nodes, on)
    branches = {node.id: Branch(node, counts[node.id]) for node in nodes}
    roots = []
    for node in nodes:
        above = branches.get(node.parent_id or 0)
        if above is not None:
            above.branches.append(branches[node.id])
        if node.id == under or (under is None and above is None):
            roots.append(branches[node.id])
    _cut(roots, most)
    return roots


def _cut(roots: list[Branch], most: int) -> None:
    level, shown = roots, len(roots)
    while level:
        below = [branch for above in level for branch in above.branches]
        shown += len(below)
        if shown > most:
            for above in level:
                above.hidden, above.branches = len(above.branches), []
            return
        level = below


def people_below(session: Session, nodes: Sequence[UnitNode], on: date) -> dict[int, int]:
    """Members (or households) in each unit and everything below it, from nodes in tree order."""
    counts = _people_in(session, Membership, on) | _people_in(session, HouseholdResidence, on)
    totals = {node.id: counts.get(node.id, 0) for node in nodes}
    for node in reversed(nodes):
        if node.parent_id is not None:
            totals[node.parent_id] += totals[node.id]
    return totals


def _people_in(
    session: Session, table: type[Membership] | type[HouseholdResidence], on: date
) -> dict[int, int]:
    rows = session.execute(
        select(table.unit_id, func.count()).where(on_day(table, on)).group_by(table.unit_id)
    )
    return {row[0]: row[1] for row in rows}


def found_units(query: str, *, on: date, by: Actor, most: int = 100) -> list[tuple[UnitNode, str]]:
    """Units whose name or code begins with the words asked for, each with the path above it."""
    nodes = unit_tree(on=on, by=by)
    by_id = {node.id: node for node in nodes}
    wanted = [
        node
        for node in nodes
        if matches(query, node.fold) or node.code.lower().startswith(query.strip().lower())
    ]
    return [(node, " › ".join(_names_above(node, by_id))) for node in wanted[:most]]


def _names_above(node: UnitNode, by_id: dict[int, UnitNode]) -> list[str]:
    names: list[str] = []
    above = by_id.get(node.parent_id or 0)
    while above is not None:
        names.insert(0, above.name)
        above = by_id.get(above.parent_id or 0)
    return names


def unit_page(unit_id: int, *, on: date, by: Actor) -> UnitPage:
    """One unit as of a day, with its whole history; NotFound outside the actor's scope."""
    session = reading()
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))
    day = day_within_life(unit, on)
    require_unit(session, by, unit.id, day, "staff", "reader", "instructor")
    visible = units_visible_to(session, by, day)
    nodes = nodes_on(session, day, tree=unit.tree, within=visible)
    by_id = {node.id: node for node in nodes}
    node = by_id[unit.id]
    counts = people_below(session, nodes, day)
    changeable = units_visible_to(session, by, day, "staff")
    return UnitPage(
        id=unit.id,
        code=unit.code,
        name=node.name,
        tree=unit.tree,
        kind_code=unit.kind_code,
        kind_name=node.kind_name,
        holds_people=node.holds_people,
        position=unit.position,
        valid_from=unit.valid_from,
        valid_to=unit.valid_to,
        path=_path_above(node, by_id),
        members=counts[unit.id] if unit.tree == "party" else 0,
        households=counts[unit.id] if unit.tree == "residential" else 0,
        names=_names_over_time(session, unit),
        parents=_parents_over_time(session, unit),
        links=_links_over_time(session, unit),
        below=tuple((child, counts[child.id]) for child in nodes if child.parent_id == unit.id),
        is_changeable=by.has_any("staff") and (changeable is None or unit.id in changeable),
    )


def _path_above(node: UnitNode, by_id: dict[int, UnitNode]) -> tuple[tuple[int, str], ...]:
    path: list[tuple[int, str]] = []
    above = by_id.get(node.parent_id or 0)
    while above is not None:
        path.insert(0, (above.id, above.name))
        above = by_id.get(above.parent_id or 0)
    return tuple(path)


def _names_over_time(session: Session, unit: Unit) -> tuple[DatedFact, ...]:
    rows = session.scalars(
        select(UnitName).where(UnitName.unit_id == unit.id).order_by(UnitName.valid_from)
    )
    return tuple(DatedFact(row.name, None, row.valid_from, row.valid_to) for row in rows)


def _parents_over_time(session: Session, unit: Unit) -> tuple[DatedFact, ...]:
    rows = session.execute(
        select(UnitParent, Unit.name)
        .join(Unit, Unit.id == UnitParent.parent_id)
        .where(UnitParent.unit_id == unit.id)
        .order_by(UnitParent.valid_from)
    )
    return tuple(DatedFact(name, row.parent_id, row.valid_from, row.valid_to) for row, name in rows)


def _links_over_time(session: Session, unit: Unit) -> tuple[DatedFact, ...]:
    """Who answers for a residential unit, or for which ones a Party unit answers."""
    mine, other = UnitLink.party_id, UnitLink.residential_id
    if unit.tree == "residential":
        mine, other = other, mine
    rows = session.execute(
        select(UnitLink, Unit.id, Unit.name)
        .join(Unit, Unit.id == other)
        .where(mine == unit.id)
        .order_by(UnitLink.valid_from, Unit.fold)
    )
    return tuple(
        DatedFact(name, unit_id, row.valid_from, row.valid_to) for row, unit_id, name in rows
    )


def kind_rows() -> list[KindRow]:
    """Every level of both trees, from the top."""
    session = reading()
    used = select(Unit.kind_code, func.count().label("units")).group_by(Unit.kind_code).subquery()
    rows = session.execute(
        select(UnitKind, func.coalesce(used.c.units, 0))
        .outerjoin(used, used.c.kind_code == UnitKind.code)
        .order_by(UnitKind.tree, UnitKind.rank, UnitKind.name)
    )
    return [
        KindRow(
            kind.code,
            kind.tree,
            kind.name,
            kind.name_en,
            kind.rank,
            kind.is_grassroots,
            kind.holds_people,
            units,
        )
        for kind, units in rows
    ]
