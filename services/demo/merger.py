"""The demonstration's merger: eight wards and communes that became four wards on 1 July 2025."""

from datetime import date, datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Unit, UnitChange
from rules.days import instant
from rules.permissions import SYSTEM
from rules.unit_changes import Plan, Successor
from services.demo.city import City
from services.demo.names import WARDS
from services.unit_changes import renamed, show_today
from services.unit_decisions import carry_out
from services.units import parents_on

MERGED_ON = date(2025, 7, 1)
DECIDED_ON = date(2025, 6, 16)
PAIRS = ((0, 5), (1, 6), (2, 7), (3, 4))
"""Places in `WARDS`; the new ward bears the first one's name."""


def merge_wards(session: Session, city: City, *, now: datetime) -> None:
    """Merge the wards of both trees by the decision that staff would write, and say to the rest of
    the demonstration who reports now."""
    for number, (first, second) in enumerate(PAIRS, start=1):
        kind, place = WARDS[first]
        committees = [_unit(session, city, f"DB{one + 1:02}") for one in (first, second)]
        areas = [_unit(session, city, f"P{one + 1:02}") for one in (first, second)]
        _tell_places_apart(session, (committees[1], areas[1]), WARDS[second][1], now)
        merged = _merge(
            session,
            city,
            committees,
            Successor(
                None,
                f"{city.prefix}DB{20 + number}",
                f"Đảng bộ {kind} {place}",
                "grassroots_committee_org",
                city.root_id,
            ),
            now,
        )
        area = Successor(
            None,
            f"{city.prefix}P{20 + number}",
            f"{kind.capitalize()} {place}",
            "ward",
            city.residential_root_id,
        )
        _merge(session, city, areas, area, now)
        _report_to(city, [one.id for one in committees], merged)


def _unit(session: Session, city: City, code: str) -> Unit:
    return session.scalars(select(Unit).where(Unit.code == f"{city.prefix}{code}")).one()


def _merge(
    session: Session, city: City, sources: list[Unit], successor: Successor, now: datetime
) -> Unit:
    plan = Plan("merge", MERGED_ON, tuple(unit.id for unit in sources), (successor,))
    change = UnitChange(
        kind="merge",
        effective_on=MERGED_ON,
        decision_number="15-QĐ/TU (minh hoạ)",
        decision_on=DECIDED_ON,
        plan=plan.as_json(),
        unit_id=sources[0].id,
        created_at=instant(DECIDED_ON, time(8)),
    )
    session.add(change)
    session.flush()
    (merged,) = carry_out(session, change, now=now, by=SYSTEM)
    change.confirmed_at = instant(MERGED_ON, time(8))
    return merged


def _tell_places_apart(
    session: Session, above: tuple[Unit, Unit], place: str, now: datetime
) -> None:
    """Both wards have a "khối 1": those of the second take its old name along."""
    ids = {unit.id for unit in above}
    below = [unit for unit, parent in parents_on(session, MERGED_ON).items() if parent in ids]
    units = session.scalars(select(Unit).where(Unit.id.in_(below))).all()
    for unit in units:
        renamed(session, unit, f"{unit.name} {place}", MERGED_ON)
    show_today(session, units, now.date())


def _report_to(city: City, old: list[int], merged: Unit) -> None:
    for cell in city.cells:
        if cell.grassroots_id in old:
            cell.grassroots_id = merged.id
    place = city.grassroots.index(old[0])
    city.grassroots[place] = merged.id
    city.grassroots.remove(old[1])
    city.grassroots_names[merged.id] = merged.name
    city.ward_committees[city.ward_committees.index(old[0])] = merged.id
    city.ward_committees.remove(old[1])
