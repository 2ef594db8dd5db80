"""Where facts stand in a report: the reporting unit of a day, as it was or restated to today."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Unit, UnitKind, UnitLink, UnitParent
from rules.permissions import Actor
from rules.reports import Period
from rules.successions import restated, shares
from rules.text import fold
from services.access import units_visible_to
from services.successions import known_successions
from services.units import natural_key, on_day, unit_names_on

AS_WAS, RESTATED = "as_was", "restated"
VIEWS = (AS_WAS, RESTATED)
_CHUNK = 500
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a report is asked for: its days, its view of units, and for whom."""

    period: Period
    view: str
    today: date
    by: Actor

    @property
    def units_on(self) -> date:
        """The day whose units have a line: the period's last, or today when restated."""
        if self.view == RESTATED:
            return self.today
        return min(self.period.last_on, self.today)


@dataclass(frozen=True)
class PlacedUnit:
    """A unit with the name of the report's day, and what puts it in order."""

    id: int
    code: str
    name: str
    order: tuple[object, ...]


@dataclass(frozen=True)
class Placed:
    """Counts by the units of the view, and which of them are estimates."""

    counts: Mapping[int, Mapping[str, int]]
    estimated: frozenset[int]


class Places:
    """The trees and links of every day a report asks about, each read once."""

    def __init__(self, session: Session, asked: Asked) -> None:
        self.session = session
        self.asked = asked
        self.successions = known_successions(session)
        dates: set[date] = set()
        for table in (UnitParent, UnitLink):
            for column in (table.valid_from, table.valid_to):
                dates |= {day for day in session.scalars(select(column).distinct()) if day}
        self._days = sorted(dates)
        self._trees: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self._found: dict[tuple[int, int], int] = {}
        self._made: dict[Hashable, Any] = {}

    def beside(self, period: Period) -> "Places":
        """The same for other days of the same view and reader: what was read stays read."""
        other = copy(self)
        other.asked = replace(self.asked, period=period)
        return other

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for this key, for these days or those beside them."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    @cached_property
    def reporting(self) -> frozenset[int]:
        """The Party units whose kind reports."""
        return frozenset(
            self.session.scalars(
                select(Unit.id)
                .join(UnitKind, UnitKind.code == Unit.kind_code)
                .where(UnitKind.tree == "party", UnitKind.is_grassroots)
            )
        )

    def reporting_unit(self, unit_id: int, on: date) -> int:
        """The reporting Party unit of a unit of either tree on a day; itself when there is none.

        A residential group is answered for by the unit linked to it, or to what it lies in.
        """
        era = bisect_right(self._days, on)
        key = (unit_id, era)
        if key not in self._found:
            parents, links = self._tree(era, on)
            self._found[key] = _climb(unit_id, parents, links, self.reporting)
        return self._found[key]

    def _tree(self, era: int, on: date) -> tuple[dict[int, int], dict[int, int]]:
        if era not in self._trees:
            parents = self.session.execute(
                select(UnitParent.unit_id, UnitParent.parent_id).where(on_day(UnitParent, on))
            )
            links = self.session.execute(
                select(UnitLink.residential_id, UnitLink.party_id).where(on_day(UnitLink, on))
            )
            self._trees[era] = (
                {row.unit_id: row.parent_id for row in parents},
                {row.residential_id: row.party_id for row in links},
            )
        return self._trees[era]

    def units_now(self, unit_id: int, on: date) -> frozenset[int]:
        """The units of the view in which a fact of that unit and day is counted."""
        if self.asked.view == AS_WAS:
            return frozenset({unit_id})
        return frozenset(shares(unit_id, on, self.successions, self.asked.today))

    def placed(self, facts: Iterable[tuple[int, date, Mapping[str, int]]]) -> Placed:
        """Counts of (unit, day, counts by name) by the units of the view; sums stay the same."""
        by_name: defaultdict[str, defaultdict[tuple[int, date], int]] = defaultdict(
            lambda: defaultdict(int)
        )
        changes = sorted({row.on for rows in self.successions.values() for row in rows})
        for unit_id, on, counts in facts:
            era = bisect_right(changes, on)
            day = changes[era] - timedelta(days=1) if era < len(changes) else self.asked.today
            for name, count in counts.items():
                by_name[name][unit_id, day] += count
        totals: defaultdict[int, dict[str, int]] = defaultdict(dict)
        estimated: set[int] = set()
        for name, summed in by_name.items():
            counted, guessed = self._by_view(summed)
            estimated |= guessed
            for unit_id, count in counted.items():
                totals[unit_id][name] = count
        return Placed(totals, frozenset(estimated))

    def _by_view(
        self, summed: Mapping[tuple[int, date], int]
    ) -> tuple[dict[int, int], frozenset[int]]:
        if self.asked.view == RESTATED:
            facts = ((unit, day, count) for (unit, day), count in summed.items())
            found = restated(facts, self.successions, self.asked.today)
            return found.counts, found.estimated
        counts: defaultdict[int, int] = defaultdict(int)
        for (unit, _), count in summed.items():
            counts[unit] += count
        return counts, frozenset()

    def reporting_lines(self) -> frozenset[int]:
        """The reporting units within scope that have a line even with nothing held."""
        on = self.asked.units_on
        ids = frozenset(self.session.scalars(select(Unit.id).where(on_day(Unit, on))))
        return self.within_scope(ids & self.reporting)

    def within_scope(self, ids: frozenset[int]) -> frozenset[int]:
        visible = units_visible_to(self.session, self.asked.by, self.asked.today)
        return ids if visible is None else ids & visible

    def units(self, ids: Collection[int]) -> list[PlacedUnit]:
        """These units in the order of lists, by the names of the report's day: one that is renamed
        afterwards keeps its place."""
        names = unit_names_on(self.session, ids, self.asked.units_on)
        wanted, found = sorted(set(ids)), []
        for start in range(0, len(wanted), _CHUNK):
            rows = self.session.execute(
                select(Unit.id, Unit.code, Unit.position).where(
                    Unit.id.in_(wanted[start : start + _CHUNK])
                )
            )
            for row in rows:
                name = names[row.id]
                order = (row.position, natural_key(fold(name)), row.code)
                found.append(PlacedUnit(row.id, row.code, name, order))
        return sorted(found, key=lambda unit: unit.order)


def _climb(
    unit_id: int,
    parents: Mapping[int, int],
    links: Mapping[int, int],
    reporting: Collection[int],
) -> int:
    at: int | None = unit_id
    seen: set[int] = set()
    while at is not None and at not in seen:
        if at in reporting:
            return at
        seen.add(at)
        at = links.get(at, parents.get(at))
    return unit_id
