"""How a campaign got on: who was covered by the end of each day, for the board and for reports."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, time, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import Campaign, HouseholdTally, RollCorrection, RollEntry
from rules.charts import Day
from rules.days import instant
from rules.permissions import Actor
from services.campaigns import roll_within_scope

Covered = Mapping[tuple[date, str], int]
"""How many became covered, by day and round."""


def member_days(
    session: Session,
    campaign: Campaign,
    *,
    by: Actor,
    today: date,
    as_of: date,
) -> list[Day]:
    """Members covered by the end of each day on which somebody was, main round and all.

    As of a past day the roll is taken as it stood then.
    """
    return _so_far(_covered(session, campaign, "members", by, today, as_of))


def household_days(
    session: Session,
    campaign: Campaign,
    group_ids: Collection[int],
    *,
    by: Actor,
    today: date,
    as_of: date,
) -> list[Day]:
    """The same of households: by the checklist, or as the heads of these groups declared."""
    if campaign.household_counting == "tally":
        return _declared(session, campaign.id, group_ids, as_of)
    return _so_far(_covered(session, campaign, "households", by, today, as_of))


def _covered(
    session: Session,
    campaign: Campaign,
    population: str,
    by: Actor,
    today: date,
    as_of: date,
) -> Covered:
    where = (
        RollEntry.campaign_id == campaign.id,
        RollEntry.population == population,
        RollEntry.covered_on <= as_of,
        roll_within_scope(by, campaign.cutoff_on, today),
    )
    rows = session.execute(
        select(RollEntry.covered_on, RollEntry.covered_round, func.count())
        .where(*where, RollEntry.state == "eligible")
        .group_by(RollEntry.covered_on, RollEntry.covered_round)
    )
    counts: Counter[tuple[date, str]] = Counter()
    for on, its_round, number in rows:
        if on is not None:
            counts[on, its_round or ""] += number
    if as_of < today:
        _take_back_corrections(session, where, as_of, counts)
    return counts


def _take_back_corrections(
    session: Session,
    where: Iterable[ColumnElement[bool]],
    as_of: date,
    counts: Counter[tuple[date, str]],
) -> None:
    """Count the entries corrected after the day as they stood before the first such correction."""
    corrected = session.execute(
        select(
            RollEntry.id,
            RollEntry.covered_on,
            RollEntry.covered_round,
            RollEntry.state,
            RollCorrection.state_before,
        )
        .join(RollCorrection, RollCorrection.roll_entry_id == RollEntry.id)
        .where(*where, RollCorrection.at >= instant(as_of + timedelta(days=1), time.min))
        .order_by(RollCorrection.id)
    )
    seen: set[int] = set()
    for entry_id, on, its_round, state, state_before in corrected:
        if entry_id not in seen and on is not None:
            seen.add(entry_id)
            counts[on, its_round or ""] += (state_before == "eligible") - (state == "eligible")


def _so_far(counts: Covered) -> list[Day]:
    main = covered = 0
    found = []
    for on in sorted({on for (on, _), number in counts.items() if number}):
        today_main = counts.get((on, "main"), 0)
        main += today_main
        covered += today_main + counts.get((on, "makeup"), 0)
        found.append(Day(on, main, covered))
    return found


def _declared(
    session: Session, campaign_id: int, group_ids: Collection[int], as_of: date
) -> list[Day]:
    """Each group's latest declaration by then, added up; a correction may lower the sum."""
    rows = session.execute(
        select(HouseholdTally.unit_id, HouseholdTally.households, HouseholdTally.declared_on)
        .where(HouseholdTally.campaign_id == campaign_id, HouseholdTally.declared_on <= as_of)
        .order_by(HouseholdTally.declared_on, HouseholdTally.id)
    )
    latest: dict[int, int] = {}
    sums: dict[date, int] = {}
    for unit_id, households, on in rows:
        if unit_id in group_ids:
            latest[unit_id] = households
            sums[on] = sum(latest.values())
    return [Day(on, total, total) for on, total in sums.items()]
