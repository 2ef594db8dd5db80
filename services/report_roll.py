"""Where everybody on a campaign's roll is counted in a report: as of its day, in its view of units."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from models import Campaign, RollCorrection, RollEntry
from rules.coverage import HouseholdFigure, MemberFigure
from rules.days import instant
from rules.successions import apportioned
from services.campaigns import roll_within_scope
from services.coverage import CampaignFigures
from services.report_places import RESTATED, Asked
from services.successions import RestatedUnits

PLACING = (
    RollEntry.id,
    RollEntry.population,
    RollEntry.unit_id,
    RollEntry.grassroots_id,
    RollEntry.person_id,
    RollEntry.household_id,
    RollEntry.state,
)
"""What of an entry says where it is counted."""
STEPS_INTO_A_UNIT = ("joined", "moved")


@dataclass(frozen=True)
class Placement:
    """An entry's state, the reporting unit that counts it, and whether that is an estimate."""

    state: str | None
    at: int | None
    is_estimate: bool = False


@dataclass(frozen=True)
class _Corrected:
    """How a corrected entry stood at the end of the figures' day, and since when in its unit."""

    state: str | None
    unit_id: int | None
    grassroots_id: int | None
    since: date


@dataclass(frozen=True)
class RestatedCounts:
    """The roll counted by the units of today: the members' and households' figures, who is an
    estimate, and exempt members who came all the same."""

    members: Mapping[int, MemberFigure]
    households: Mapping[int, HouseholdFigure]
    came_exempt: Mapping[int, int]
    estimated: frozenset[int]


class RollPlaces:
    """Each line of a campaign's roll stands in exactly one reporting unit of the view.

    Corrections logged after the figures' day are not seen: a report of that day never changes.
    """

    def __init__(
        self, session: Session, campaign: Campaign, figures: CampaignFigures, asked: Asked
    ) -> None:
        self.session, self.campaign, self.figures, self.asked = session, campaign, figures, asked
        self._corrected = _corrections(session, campaign, figures.as_of)
        self._units = self._units_of_today() if asked.view == RESTATED else None

    def placement(self, entry: Any) -> Placement:
        """Where an entry (a row with the columns of `PLACING`) is counted."""
        found = self._corrected.get(entry.id)
        state = found.state if found else entry.state
        unit_id = found.unit_id if found else entry.unit_id
        if self._units is None or unit_id is None:
            return Placement(state, found.grassroots_id if found else entry.grassroots_id)
        since = found.since if found else self.campaign.cutoff_on
        unit, guessed = self._units.of(unit_id, since, entry.person_id, entry.household_id)
        return Placement(state, self._units.reporting(unit), guessed)

    def restated(self) -> RestatedCounts:
        """The whole roll by the units of today; its sums are those of the roll as it was."""
        if self._units is None:
            raise ValueError("asked as it was")
        tally = _Tally()
        plain = RollEntry.id.not_in(
            select(RollCorrection.roll_entry_id).where(
                RollCorrection.campaign_id == self.campaign.id
            )
        )
        parted = set()
        columns = (RollEntry.population, RollEntry.unit_id, RollEntry.state, self._round())
        for population, unit_id, state, its_round, number in self.session.execute(
            select(*columns, func.count()).where(*self._where(), plain).group_by(*columns)
        ):
            if unit_id not in self._units.whole:
                parted.add(unit_id)
                continue
            at = self._units.reporting(self._units.whole[unit_id])
            tally.add(population, unit_id, Placement(state, at), its_round, number)
        singly: list[ColumnElement[bool]] = (
            [RollEntry.id.in_(list(self._corrected))] if self._corrected else []
        )
        if parted:
            singly.append(and_(RollEntry.unit_id.in_(parted), plain))
        for condition in singly:
            for row in self.session.execute(
                select(*PLACING, self._round().label("round")).where(*self._where(), condition)
            ):
                tally.add(row.population, row.unit_id, self.placement(row), row.round, 1)
        return self._counted(tally)

    def _units_of_today(self) -> RestatedUnits:
        on_roll = self.session.scalars(
            select(RollEntry.unit_id).where(RollEntry.campaign_id == self.campaign.id).distinct()
        )
        before = {one.unit_id for one in self._corrected.values() if one.unit_id is not None}
        return RestatedUnits(
            self.session, set(on_roll) | before, self.campaign.cutoff_on, self.asked.today
        )

    def _where(self) -> list[ColumnElement[bool]]:
        cutoff_on = self.campaign.cutoff_on
        return [
            RollEntry.campaign_id == self.campaign.id,
            roll_within_scope(self.asked.by, cutoff_on, self.asked.today),
        ]

    def _round(self) -> ColumnElement[str | None]:
        return case((RollEntry.covered_on <= self.figures.as_of, RollEntry.covered_round))

    def _counted(self, tally: "_Tally") -> RestatedCounts:
        own = {one.unit_id: one.members.target_percent for one in self.figures.units}
        of_groups = {one.unit_id: one.households.target_percent for one in self.figures.groups}
        declared, guessed = self._declared(tally)
        members, came, households = {}, {}, {}
        for unit, its in tally.counts["members"].items():
            target = own.get(unit, self.campaign.members_target_percent)
            members[unit] = _member_figure(its, target)
            came[unit] = its["exempt", "main"] + its["exempt", "makeup"]
        for unit in {*tally.counts["households"], *declared}:
            its = tally.counts["households"][unit]
            total = sum(number for (state, _), number in its.items() if state == "eligible")
            covered = its["eligible", "main"] + its["eligible", "makeup"]
            if self.campaign.household_counting == "tally":
                covered = declared.get(unit, 0)
            target = of_groups.get(unit, self.campaign.households_target_percent)
            households[unit] = HouseholdFigure(total, covered, target)
        return RestatedCounts(members, households, came, frozenset(tally.estimated | guessed))

    def _declared(self, tally: "_Tally") -> tuple[dict[int, int], set[int]]:
        """What heads of groups declared, by the groups of today: shared out as the group's
        households on the roll were, so that no part has more covered households than it has."""
        counts: Counter[int] = Counter()
        guessed: set[int] = set()
        if self.campaign.household_counting != "tally" or self._units is None:
            return counts, guessed
        for group in self.figures.groups:
            if not group.households.covered:
                continue
            went = tally.came_from[group.unit_id]
            total = sum(went.values())
            spread: Mapping[int, Fraction]
            if total:
                spread = {unit: Fraction(number, total) for unit, number in went.items()}
            else:
                spread = self._units.shares(group.unit_id, self.campaign.cutoff_on)
            if len(spread) > 1:
                guessed |= set(spread)
            counts.update(apportioned(group.households.covered, spread))
        return counts, guessed


class _Tally:
    """Counts by population, unit of today, state and round."""

    def __init__(self) -> None:
        self.counts: dict[str, defaultdict[int, Counter[tuple[str, str | None]]]] = {
            "members": defaultdict(Counter),
            "households": defaultdict(Counter),
        }
        self.estimated: set[int] = set()
        self.came_from: defaultdict[int, Counter[int]] = defaultdict(Counter)

    def add(
        self, population: str, unit_id: int, where: Placement, its_round: str | None, number: int
    ) -> None:
        if where.at is None or where.state in (None, "removed"):
            return
        self.counts[population][where.at][str(where.state), its_round] += number
        if population == "households" and where.state == "eligible":
            self.came_from[unit_id][where.at] += number
        if where.is_estimate:
            self.estimated.add(where.at)


def _member_figure(counts: Counter[tuple[str, str | None]], target: int) -> MemberFigure:
    def of(state: str) -> int:
        return sum(number for (its, _), number in counts.items() if its == state)

    main, makeup = counts["eligible", "main"], counts["eligible", "makeup"]
    eligible, exempt = of("eligible"), of("exempt")
    return MemberFigure(eligible + exempt, exempt, eligible, main + makeup, main, makeup, target)


def _corrections(session: Session, campaign: Campaign, as_of: date) -> dict[int, _Corrected]:
    """Every corrected entry as it stood at the end of the day: after the corrections of before,
    which its own columns tell, or before the first of those that came later."""
    end = instant(as_of + timedelta(days=1), time.min)
    rows = session.execute(
        select(RollCorrection, RollEntry)
        .join(RollEntry, RollEntry.id == RollCorrection.roll_entry_id)
        .where(RollCorrection.campaign_id == campaign.id)
        .order_by(RollCorrection.id)
    )
    found: dict[int, _Corrected] = {}
    later: set[int] = set()
    since: defaultdict[int, date] = defaultdict(lambda: campaign.cutoff_on)
    for correction, entry in rows:
        if entry.id in later:
            continue
        if correction.at >= end:
            later.add(entry.id)
            found[entry.id] = _Corrected(
                correction.state_before,
                correction.unit_before_id,
                correction.grassroots_before_id,
                since[entry.id],
            )
            continue
        if correction.kind in STEPS_INTO_A_UNIT:
            since[entry.id] = max(correction.effective_on, campaign.cutoff_on)
        found[entry.id] = _Corrected(
            entry.state, entry.unit_id, entry.grassroots_id, since[entry.id]
        )
    return found
