"""Units in time: the two trees on any day, and how units are founded, renamed, moved and ended."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from models import Unit, UnitKind, UnitLink, UnitName, UnitParent
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from services.access import units_visible_to
from services.transaction import reading

TREES = ("party", "residential")
_DIGITS = re.compile(r"(\d+)")
_CHUNK = 500


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


def on_day(
    table: type[Unit] | type[UnitName] | type[UnitParent] | type[UnitLink], on: date
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
    """What the units were called on a day; a unit without a name that day keeps its present one."""
    wanted = sorted(set(unit_ids))
    names: dict[int, str] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        present = select(Unit.id, Unit.name).where(Unit.id.in_(part))
        names.update({row.id: row.name for row in session.execute(present)})
        dated = select(UnitName.unit_id, UnitName.name).where(
            UnitName.unit_id.in_(part), on_day(UnitName, on)
        )
        names.update({row.unit_id: row.name for row in session.execute(dated)})
    return names


def parents_on(session: Session, on: date) -> dict[int, int]:
    """The unit above each unit on a day, on both trees; tops have none."""
    rows = session.execute(
        select(UnitParent.unit_id, UnitParent.parent_id).where(on_day(UnitParent, on))
    )
    return {row.unit_id: row.parent_id for row in rows}


def grassroots_of(session: Session, unit_ids: Iterable[int], on: date) -> dict[int, int]:
    """The reporting unit of each unit on a day: the nearest at or above it whose kind reports.

    A unit with none above it reports for itself. Two queries, however many units are asked for.
    """
    parents = parents_on(session, on)
    reporting = frozenset(
        session.scalars(
            select(Unit.id)
            .join(UnitKind, UnitKind.code == Unit.kind_code)
            .where(UnitKind.is_grassroots)
        )
    )
    return {unit_id: _nearest(unit_id, parents, reporting) for unit_id in set(unit_ids)}


def _nearest(unit_id: int, parents: dict[int, int], reporting: Collection[int]) -> int:
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
