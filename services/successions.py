"""Who took over from whom, read: scopes and lists that reach back, and figures restated to today."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from models import HouseholdResidence, Membership, RollEntry, UnitSuccession
from rules.successions import (
    Restated,
    Succession,
    Successions,
    by_predecessor,
    restated,
    shares,
    unit_in_whole,
    unit_of_person,
)
from services.access import subtree
from services.units import grassroots_of, on_day


class RestatedUnits:
    """Where who was in a unit on one day stands on a later one.

    Units whose people stayed together have one answer for everybody (`whole`), so counts can be
    restated without reading the people; only who was in a split unit is followed one by one.
    """

    def __init__(
        self, session: Session, unit_ids: Collection[int], cutoff_on: date, on: date
    ) -> None:
        self._session, self._cutoff_on, self._on = session, cutoff_on, on
        self._known = known_successions(session)
        whole = {unit: unit_in_whole(unit, cutoff_on, self._known, on) for unit in unit_ids}
        self.whole = {unit: at for unit, at in whole.items() if at is not None}
        later = {row.successor_id for rows in self._known.values() for row in rows}
        self._reporting = grassroots_of(session, later | set(unit_ids), on)

    def of(
        self, unit_id: int, since: date, person_id: int | None, household_id: int | None
    ) -> tuple[int, bool]:
        """The later unit of somebody who is of a unit since a day, and whether it is an estimate."""
        if unit_id in self.whole and since == self._cutoff_on:
            return self.whole[unit_id], False
        went = self._went.get((person_id, household_id), {})
        return unit_of_person(unit_id, since, self._known, self._on, went)

    def shares(self, unit_id: int, on: date) -> Mapping[int, Fraction]:
        """How a count without names of a unit and day is spread; the sum is 1."""
        return shares(unit_id, on, self._known, self._on)

    def reporting(self, unit_id: int) -> int:
        """The reporting unit of a unit of the later day."""
        return self._reporting[unit_id]

    @cached_property
    def _went(self) -> dict[tuple[int | None, int | None], dict[date, int]]:
        return _went(self._session, self._known)


@dataclass(frozen=True)
class RestatedEntry:
    """A line of a roll with the unit and reporting unit of a later day that answer for it."""

    id: int
    unit_id: int
    grassroots_id: int
    is_estimate: bool


def known_successions(session: Session) -> Successions:
    """Every succession, by predecessor; a handful of rows."""
    rows = session.scalars(select(UnitSuccession))
    return by_predecessor(
        Succession(row.predecessor_id, row.successor_id, row.on, row.people, row.is_part)
        for row in rows
    )


def restated_counts(session: Session, facts: Iterable[tuple[int, date, int]], on: date) -> Restated:
    """Counts of (unit, day, how many) by the units of another day; where one was split between,
    they are spread by the people that went to each part, and marked as estimates."""
    return restated(facts, known_successions(session), on)


def restated_roll(
    session: Session, campaign_id: int, cutoff_on: date, on: date
) -> list[RestatedEntry]:
    """Everybody on a frozen roll by the units of another day: each line stands in exactly one.

    Who was in a split unit is followed to where they went; who had left by then counts with the
    largest part, as an estimate.
    """
    entries = session.execute(
        select(RollEntry.id, RollEntry.unit_id, RollEntry.person_id, RollEntry.household_id)
        .where(RollEntry.campaign_id == campaign_id)
        .order_by(RollEntry.id)
    ).all()
    units = RestatedUnits(session, {entry.unit_id for entry in entries}, cutoff_on, on)
    found = [
        (entry.id, *units.of(entry.unit_id, cutoff_on, entry.person_id, entry.household_id))
        for entry in entries
    ]
    return [
        RestatedEntry(entry, unit, units.reporting(unit), is_estimate)
        for entry, unit, is_estimate in found
    ]


def _went(
    session: Session, known: Successions
) -> dict[tuple[int | None, int | None], dict[date, int]]:
    """Where those who were handed over by a split went, by (person, household) and day."""
    parts = [row for rows in known.values() for row in rows if row.is_part]
    found: defaultdict[tuple[int | None, int | None], dict[date, int]] = defaultdict(dict)
    by_day: defaultdict[date, set[int]] = defaultdict(set)
    for row in parts:
        by_day[row.on].add(row.successor_id)
    for day, units in by_day.items():
        for person_id, unit_id in session.execute(
            select(Membership.person_id, Membership.unit_id).where(
                Membership.unit_id.in_(units), on_day(Membership, day)
            )
        ):
            found[person_id, None][day] = unit_id
        for household_id, unit_id in session.execute(
            select(HouseholdResidence.household_id, HouseholdResidence.unit_id).where(
                HouseholdResidence.unit_id.in_(units), on_day(HouseholdResidence, day)
            )
        ):
            found[None, household_id][day] = unit_id
    return found


def predecessors_of(session: Session, unit_ids: Iterable[int], on: date) -> frozenset[int]:
    """The units that these took over from whole, and those before them."""
    whole = select(UnitSuccession.predecessor_id).where(UnitSuccession.is_part.is_(False))
    reach: Any = session.scalars(subtree(frozenset(unit_ids), on))
    return frozenset(set(reach).intersection(session.scalars(whole)))


def came_from_a_split(session: Session, unit_ids: Iterable[int]) -> bool:
    """Whether one of these units got a part of another: its share of an older roll is told only
    by the cells or people that came over."""
    query = select(UnitSuccession.id).where(
        UnitSuccession.is_part, UnitSuccession.successor_id.in_(set(unit_ids))
    )
    return session.scalar(query.limit(1)) is not None


def came_over(granted: frozenset[int], today: date) -> ColumnElement[bool]:
    """The condition on `RollEntry` for people of a unit split since, by where they are today."""
    split = select(UnitSuccession.predecessor_id).where(
        UnitSuccession.is_part, UnitSuccession.on <= today
    )
    here = subtree(granted, today)
    members = select(Membership.person_id).where(
        Membership.unit_id.in_(here), on_day(Membership, today)
    )
    households = select(HouseholdResidence.household_id).where(
        HouseholdResidence.unit_id.in_(here), on_day(HouseholdResidence, today)
    )
    return and_(
        RollEntry.unit_id.in_(split),
        or_(RollEntry.person_id.in_(members), RollEntry.household_id.in_(households)),
    )
