"""Meetings as reports count them: which were held, for which units, and who came beyond the roll."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from models import Campaign, HeadCount, Meeting, MeetingUnit, RegisterLine, Unit, WalkIn
from rules.attendance import ATTENDING
from rules.days import instant, local_day
from rules.heads import total_heads
from rules.reports import Period
from rules.text import fold
from services.report_places import Asked, Places

OFFICIALS = "chu chot"


def held_in(period: Period) -> list[ColumnElement[bool]]:
    """The conditions on meetings held in a period, both days included, by local date."""
    return [
        Meeting.state == "held",
        Meeting.starts_at >= instant(period.first_on, time.min),
        Meeting.starts_at < instant(period.last_on + timedelta(days=1), time.min),
    ]


def single_units(session: Session, asked: Asked, kind: str) -> dict[int, int]:
    """The unit of each meeting of the period that invites exactly one."""
    rows: Sequence[tuple[int, int]] = [
        (row[0], row[1])
        for row in session.execute(
            select(MeetingUnit.meeting_id, func.min(MeetingUnit.unit_id))
            .join(Meeting, Meeting.id == MeetingUnit.meeting_id)
            .where(*held_in(asked.period), Meeting.kind == kind)
            .group_by(MeetingUnit.meeting_id)
            .having(func.count() == 1)
        )
    ]
    return dict(rows)


class Sittings:
    """The campaign's meetings held in the period, at every line they were held for.

    A meeting for several units stands at each of them, and once in the totals; one that invites
    residential groups alone is the households', and no conference of members. Those who came
    beyond the roll are walk-ins and heads; heads labelled "cán bộ chủ chốt" stand apart.
    """

    def __init__(
        self, session: Session, campaign: Campaign, asked: Asked, places: Places, tree: str
    ) -> None:
        self._counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.totals: dict[str, int] = dict.fromkeys(
            ("in_person", "points", "others", "meetings", "visits"), 0
        )
        where = meetings_of(campaign.id, asked)
        officials, others = places.once(
            ("beyond the roll", campaign.id, asked.period.last_on),
            partial(_beyond_the_roll, session, where),
        )
        invited, elsewhere, points = invited_units(session, where, tree)
        for meeting in session.execute(
            select(
                Meeting.id,
                Meeting.organiser_id,
                Meeting.starts_at,
                Meeting.mode,
                Meeting.visits_count,
            ).where(*where)
        ):
            if meeting.id not in invited and (tree == "residential" or meeting.id in elsewhere):
                continue
            counts = {
                "in_person": int(meeting.mode == "in_person"),
                "points": 0 if meeting.mode == "in_person" else len(points[meeting.id]) or 1,
                "officials": officials[meeting.id],
                "others": others[meeting.id],
                "meetings": 1,
                "visits": meeting.visits_count,
            }
            day = local_day(meeting.starts_at)
            units = invited.get(meeting.id) or {meeting.organiser_id}
            self._add(units, day, counts, places, tree)

    def _add(
        self, units: set[int], day: date, counts: Mapping[str, int], places: Places, tree: str
    ) -> None:
        reached: set[int] = set()
        for unit in units:
            at = unit if tree == "residential" else places.reporting_unit(unit, day)
            reached |= places.units_now(at, day)
        for unit in reached:
            self._counts[unit].update(counts)
        for name in self.totals:
            self.totals[name] += counts[name]

    def of(self, unit_id: int) -> dict[str, int]:
        """The counts of one line."""
        names = ("in_person", "points", "officials", "others", "meetings", "visits")
        return {name: self._counts[unit_id][name] for name in names}


def invited_units(
    session: Session, where: list[ColumnElement[bool]], tree: str
) -> tuple[dict[int, set[int]], set[int], defaultdict[int, set[int | None]]]:
    """The units of one tree that each meeting invites, the meetings that invite the other tree,
    and the points the invited are sent to."""
    invited: dict[int, set[int]] = {}
    elsewhere: set[int] = set()
    points: defaultdict[int, set[int | None]] = defaultdict(set)
    for meeting_id, unit_id, point_id, its_tree in session.execute(
        select(MeetingUnit.meeting_id, MeetingUnit.unit_id, MeetingUnit.point_id, Unit.tree)
        .join(Meeting, Meeting.id == MeetingUnit.meeting_id)
        .join(Unit, Unit.id == MeetingUnit.unit_id)
        .where(*where)
    ):
        if its_tree != tree:
            elsewhere.add(meeting_id)
            continue
        invited.setdefault(meeting_id, set()).add(unit_id)
        points[meeting_id].add(point_id)
    return invited, elsewhere, points


def meetings_of(campaign_id: int, asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on the campaign's meetings held by the end of the period."""
    last = instant(asked.period.last_on + timedelta(days=1), time.min)
    return [
        Meeting.campaign_id == campaign_id,
        Meeting.state == "held",
        Meeting.starts_at < last,
    ]


def _beyond_the_roll(
    session: Session, where: list[ColumnElement[bool]]
) -> tuple[Counter[int], Counter[int]]:
    """Heads of key officials, and everybody else beyond the roll, by meeting."""
    labelled: defaultdict[int, list[tuple[str, int, datetime, str]]] = defaultdict(list)
    rows = session.execute(
        select(
            HeadCount.meeting_id,
            HeadCount.label,
            HeadCount.heads,
            HeadCount.counted_at,
            HeadCount.id,
        )
        .join(Meeting, Meeting.id == HeadCount.meeting_id)
        .where(*where)
    )
    officials: Counter[int] = Counter()
    others: Counter[int] = Counter()
    for meeting_id, label, heads, at, one in rows:
        labelled[meeting_id].append((label, heads, at, one))
    for meeting_id, counts in labelled.items():
        for label, heads in total_heads(counts).items():
            (officials if OFFICIALS in fold(label) else others)[meeting_id] += heads
    # By the key of the line: the other way around, every line of the campaign would be read.
    line = and_(
        RegisterLine.meeting_id == WalkIn.meeting_id, RegisterLine.subject == "w:" + WalkIn.id
    )
    walk_ins = session.execute(
        select(WalkIn.meeting_id, func.count())
        .join(Meeting, Meeting.id == WalkIn.meeting_id)
        .join(RegisterLine, line)
        .where(
            *where,
            RegisterLine.status.in_([str(status) for status in ATTENDING]),
        )
        .group_by(WalkIn.meeting_id)
    )
    for meeting_id, people in walk_ins:
        others[meeting_id] += people
    return officials, others
