"""Who took over from whom, read: scopes and lists that reach back, and figures restated to today."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
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
    unit_of_person,
)
from services.access import subtree
from services.units import grassroots_of, on_day


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
    known = known_successions(session)
    entries = session.execute(
        select(RollEntry.id, RollEntry.unit_id, RollEntry.person_id, RollEntry.household_id)
        .where(RollEntry.campaign_id == campaign_id)
        .order_by(RollEntry.id)
    ).all()
    went = _went(session, known)
    found = [
        (
            entry.id,
            *unit_of_person(
                entry.unit_id,
                cutoff_on,
                known,
                on,
                went.get((entry.person_id, entry.household_id), {}),
            ),
        )
        for entry in entries
    ]
    reporting = grassroots_of(session, {unit for _, unit, _ in found}, on)
    return [
        RestatedEntry(entry, unit, reporting[unit], is_estimate)
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
