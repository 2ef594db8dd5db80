"""The quick report from the hall: counts of all places of a study on one day, as they come in."""

from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from models import Campaign, Invitation, Meeting, MeetingUnit, RegisterLine
from rules.attendance import ATTENDING
from rules.days import instant, local_day
from rules.permissions import Actor
from rules.quick_report import PlaceCount, QuickReport
from services.access import meeting_for, meetings_visible_to
from services.attendance_shown import heads_by_label
from services.transaction import reading

SHOWN = ("published", "held")
Counts = dict[int | None, Counter[str]]
"""By point (None: no point): on the list ("invited"), present, extra, absent, households."""


def quick_report(meeting_id: int, *, now: datetime, by: Actor) -> QuickReport:
    """The places of a meeting, and of the other meetings of its campaign that day, so far.

    Somebody marked counts at the point they were invited to, or that of their unit; who has
    neither at the main point. Meetings the reader may not see are not told.
    """
    session = reading()
    today = local_day(now)
    meeting = meeting_for(session, by, meeting_id, today)
    together = _together(session, meeting, by, now)
    places = [place for one in together for place in _places(session, one)]
    campaign = session.get(Campaign, meeting.campaign_id) if meeting.campaign_id else None
    return QuickReport(campaign.title if campaign else meeting.topic, now, places)


def _together(session: Session, meeting: Meeting, by: Actor, now: datetime) -> list[Meeting]:
    if meeting.campaign_id is None:
        return [meeting]
    day = local_day(meeting.starts_at)
    found = session.scalars(
        select(Meeting)
        .where(
            Meeting.campaign_id == meeting.campaign_id,
            Meeting.starts_at >= instant(day, time.min),
            Meeting.starts_at < instant(day + timedelta(days=1), time.min),
            Meeting.state.in_(SHOWN) | (Meeting.id == meeting.id),
            meetings_visible_to(by, local_day(now)),
        )
        .order_by(Meeting.starts_at, Meeting.id)
        .options(selectinload(Meeting.points), joinedload(Meeting.venue))
    ).all()
    return list(found)


def _places(session: Session, meeting: Meeting) -> list[PlaceCount]:
    heads = heads_by_label(session, meeting.id)
    points = sorted(meeting.points, key=lambda point: (not point.is_main, point.id))
    counts = _counts(session, meeting)
    if not points:
        place = meeting.place or (meeting.venue.name if meeting.venue else "") or meeting.topic
        merged: Counter[str] = sum(counts.values(), Counter())
        return [_place(meeting, place, merged, sum(heads.values()))]
    by_name = {point.name: heads.pop(point.name, 0) for point in points}
    main = points[0]
    by_name[main.name] += sum(heads.values())
    counts[main.id] = counts.get(main.id, Counter()) + counts.pop(None, Counter())
    return [
        _place(meeting, point.name, counts.get(point.id, Counter()), by_name[point.name])
        for point in points
    ]


def _place(meeting: Meeting, name: str, counts: Counter[str], heads: int) -> PlaceCount:
    marked = sum(number for key, number in counts.items() if key != "invited")
    return PlaceCount(
        meeting_id=meeting.id,
        name=name,
        invited=counts["invited"],
        present=counts["present"],
        extra=counts["extra"],
        excused=counts["excused"],
        unexcused=counts["unexcused"],
        households=counts["households"],
        heads=heads,
        is_started=bool(marked or heads),
    )


def _counts(session: Session, meeting: Meeting) -> Counts:
    """Register lines and invitations by point; a line without an invitation goes by its unit."""
    counts: defaultdict[int | None, Counter[str]] = defaultdict(Counter)
    point_of_unit = _points_of_units(session, meeting)
    rows = session.execute(
        select(Invitation.point_id, func.count())
        .where(Invitation.meeting_id == meeting.id, Invitation.removed_at.is_(None))
        .group_by(Invitation.point_id)
    )
    for point_id, number in rows:
        counts[point_id]["invited"] += number
    lines: Any = session.execute(_lines_of(meeting))
    for status, is_household, unit_id, is_invited, point_id, number in lines:
        place = point_id if is_invited else point_of_unit.get(unit_id or 0)
        counts[place][_counted_as(status, is_household, is_invited)] += number
    return dict(counts)


def _counted_as(status: str, is_household: bool, is_invited: bool) -> str:
    """Which count a register line goes to: households and uninvited people stand apart."""
    if status not in ATTENDING:
        return status
    if is_household:
        return "households"
    return "present" if is_invited else "extra"


def _lines_of(meeting: Meeting) -> Select[*tuple[Any, ...]]:
    """Status, if a household, unit, if invited, the point of the invitation, and how many."""
    is_invited = Invitation.id.is_not(None)
    is_household = RegisterLine.household_id.is_not(None)
    groups = (
        RegisterLine.status,
        is_household,
        RegisterLine.unit_id,
        is_invited,
        Invitation.point_id,
    )
    return (
        select(*groups, func.count())
        .outerjoin(
            Invitation,
            (Invitation.meeting_id == RegisterLine.meeting_id)
            & (Invitation.person_id == RegisterLine.person_id),
        )
        .where(RegisterLine.meeting_id == meeting.id, RegisterLine.status != "none")
        .group_by(*groups)
    )


def _points_of_units(session: Session, meeting: Meeting) -> dict[int, int | None]:
    rows = session.execute(
        select(MeetingUnit.unit_id, MeetingUnit.point_id).where(
            MeetingUnit.meeting_id == meeting.id
        )
    )
    return {row.unit_id: row.point_id for row in rows}
