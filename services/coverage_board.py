"""The board of targets: each campaign's figures with seats planned, days left and the pace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Campaign, Invitation, Meeting, MeetingUnit, Unit, Venue
from rules.charts import Day
from rules.coverage import Gap, HouseholdFigure, MemberFigure, gap
from rules.days import instant, local_day
from rules.makeup import planned_seats
from rules.permissions import Actor
from services.access import meetings_visible_to
from services.campaigns import campaign_for, open_campaigns
from services.coverage import CampaignFigures, figures_of
from services.covered_days import household_days, member_days
from services.transaction import reading
from services.units import parents_on, unit_names_on


@dataclass(frozen=True)
class Reached:
    """How many units met their own target, of those with somebody to count."""

    met: int
    counted: int


@dataclass(frozen=True)
class BoardLine:
    """An open campaign at a glance: both targets, and whether what is planned can reach them."""

    figures: CampaignFigures
    members: Gap
    households: Gap
    units: Reached
    groups: Reached

    @property
    def is_at_risk(self) -> bool:
        """Whether the planned seats cannot close the gap of members or of households."""
        return not (self.members.can_close and self.households.can_close)


@dataclass(frozen=True)
class CampaignBoard:
    """One campaign's board: its line, its progress, and what each unit has held or planned.

    `sittings` says "held", "planned" or "none" by unit id; `areas` names the ward or commune
    that a residential group lies in, as groups of different wards bear the same names.
    """

    line: BoardLine
    members_progress: tuple[Day, ...]
    households_progress: tuple[Day, ...]
    sittings: Mapping[int, str] = field(default_factory=dict)
    areas: Mapping[int, str] = field(default_factory=dict)


def board(*, now: datetime, by: Actor) -> list[BoardLine]:
    """Every open campaign within scope, the nearest deadline first."""
    session = reading()
    today = local_day(now)
    return [_line(session, campaign, now, by) for campaign in open_campaigns(session, by, today)]


def campaign_board(code: str, *, now: datetime, by: Actor) -> CampaignBoard:
    """One campaign with its progress over time and what its units have held."""
    session = reading()
    today = local_day(now)
    campaign = campaign_for(session, by, code, today)
    line = _line(session, campaign, now, by)
    parents = parents_on(session, campaign.cutoff_on)
    groups = {group.unit_id for group in line.figures.groups}
    return CampaignBoard(
        line=line,
        members_progress=tuple(member_days(session, campaign, by=by, today=today, as_of=today)),
        households_progress=tuple(
            household_days(session, campaign, groups, by=by, today=today, as_of=today)
        ),
        sittings=_sittings(session, campaign, line.figures, parents, now),
        areas=_areas(session, campaign, line.figures, parents),
    )


def _line(session: Session, campaign: Campaign, now: datetime, by: Actor) -> BoardLine:
    today = local_day(now)
    figures = figures_of(session, campaign, by=by, today=today)
    days_left = (campaign.deadline_on - today).days
    seats = _seats_planned(session, campaign, now, by)
    return BoardLine(
        figures=figures,
        members=gap(figures.members, seats["party"], days_left),
        households=gap(figures.households, seats["residential"], days_left),
        units=_reached([unit.members for unit in figures.units]),
        groups=_reached([group.households for group in figures.groups]),
    )


def _reached(figures: Sequence[MemberFigure | HouseholdFigure]) -> Reached:
    counted = [figure for figure in figures if figure.met is not None]
    return Reached(sum(bool(figure.met) for figure in counted), len(counted))


def _seats_planned(
    session: Session, campaign: Campaign, now: datetime, by: Actor
) -> defaultdict[str, int]:
    """Seats of the meetings still to come before the deadline ends, by the tree they invite.

    A meeting that invites both trees, or names no unit, counts for members.
    """
    today = local_day(now)
    deadline = instant(campaign.deadline_on + timedelta(days=1), time.min)
    invited = (
        select(func.count())
        .where(Invitation.meeting_id == Meeting.id, Invitation.removed_at.is_(None))
        .scalar_subquery()
    )
    rows = session.execute(
        select(Meeting.id, Meeting.capacity, Meeting.is_makeup, Venue.capacity, invited)
        .outerjoin(Venue, Venue.id == Meeting.venue_id)
        .where(
            Meeting.campaign_id == campaign.id,
            Meeting.counting == "roll",
            Meeting.state.in_(("draft", "published")),
            Meeting.ends_at > now,
            Meeting.starts_at < deadline,
            meetings_visible_to(by, today),
        )
    ).all()
    trees = _trees_invited(session, [row[0] for row in rows])
    seats: defaultdict[str, int] = defaultdict(int)
    for meeting_id, capacity, is_makeup, venue_capacity, people in rows:
        tree = "residential" if trees[meeting_id] == {"residential"} else "party"
        seats[tree] += planned_seats(
            capacity=capacity, invited=people, venue_capacity=venue_capacity, is_makeup=is_makeup
        )
    return seats


def _trees_invited(session: Session, meeting_ids: Sequence[int]) -> defaultdict[int, set[str]]:
    trees: defaultdict[int, set[str]] = defaultdict(set)
    if meeting_ids:
        rows = session.execute(
            select(MeetingUnit.meeting_id, Unit.tree)
            .join(Unit, Unit.id == MeetingUnit.unit_id)
            .where(MeetingUnit.meeting_id.in_(meeting_ids))
            .distinct()
        )
        for meeting_id, tree in rows:
            trees[meeting_id].add(tree)
    return trees


def _areas(
    session: Session, campaign: Campaign, figures: CampaignFigures, parents: Mapping[int, int]
) -> dict[int, str]:
    above = {
        group.unit_id: parents[group.unit_id]
        for group in figures.groups
        if group.unit_id in parents
    }
    names = unit_names_on(session, above.values(), campaign.cutoff_on)
    return {group_id: names[parent_id] for group_id, parent_id in above.items()}


def _sittings(
    session: Session,
    campaign: Campaign,
    figures: CampaignFigures,
    parents: Mapping[int, int],
    now: datetime,
) -> dict[int, str]:
    """What each line's unit has: a sitting held for it (or above or below it), planned, or none."""
    lines = {unit.unit_id for unit in figures.units} | {group.unit_id for group in figures.groups}
    rows = session.execute(
        select(MeetingUnit.unit_id, Meeting.state, Meeting.register_state, Meeting.ends_at)
        .join(Meeting, Meeting.id == MeetingUnit.meeting_id)
        .where(
            Meeting.campaign_id == campaign.id,
            Meeting.state.in_(("draft", "published", "held")),
        )
    ).all()
    found = dict.fromkeys(lines, "none")
    planned = (row.unit_id for row in rows if row.state != "held" and row.ends_at > now)
    held = (row.unit_id for row in rows if row.state == "held" or row.register_state != "not_taken")
    found |= dict.fromkeys(_lines_reached(planned, lines, parents), "planned")
    found |= dict.fromkeys(_lines_reached(held, lines, parents), "held")
    covered = [unit.unit_id for unit in figures.units if unit.members.covered]
    covered += [group.unit_id for group in figures.groups if group.households.covered]
    return found | dict.fromkeys(covered, "held")


def _lines_reached(invited: Iterable[int], lines: set[int], parents: Mapping[int, int]) -> set[int]:
    """The lines that an invitation of these units reaches, upwards or downwards."""
    units = set(invited)
    reached = {line for line in lines if not units.isdisjoint(_chain(line, parents))}
    return reached | {above for unit in units for above in _chain(unit, parents) if above in lines}


def _chain(unit_id: int, parents: Mapping[int, int]) -> list[int]:
    chain = [unit_id]
    while (above := parents.get(chain[-1])) is not None and above not in chain:
        chain.append(above)
    return chain
