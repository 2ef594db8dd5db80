"""How many households each group's head says are covered so far, written down at a meeting."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Campaign, HouseholdTally, Meeting, RollEntry
from rules.attendance import Verdict, uuid_of
from rules.campaigns import check_tally
from rules.coverage import declared_households
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, Refusal
from services import audit
from services.access import subtree
from services.attendance import meeting_to_write, window_of
from services.attendance_roll import residential_units
from services.attendance_shown import meeting_to_read
from services.transaction import reading, writing
from services.units import unit_names_on

MOST = 100


@dataclass(frozen=True)
class GroupTally:
    """A residential group: its households on the roll, and how many it has declared so far."""

    unit_id: int
    name: str
    total: int
    declared: int | None


def group_tallies(meeting_id: int, *, now: datetime, by: Actor) -> list[GroupTally]:
    """The groups invited to a meeting of a campaign that counts households by declaration."""
    session = reading()
    return _groups(session, meeting_to_read(session, by, meeting_id, now))


def record_tallies(
    meeting_id: int, body: object, *, now: datetime, by: Actor
) -> list[tuple[str | None, Verdict]]:
    """Write down `{"tallies": [{"id", "unit", "households", "is_correction"?}]}`, each on its own.

    A figure is cumulative, so the same one from the same meeting again is a replay.
    """
    items = body.get("tallies") if isinstance(body, dict) else None
    if not isinstance(items, list) or len(items) > MOST:
        raise Malformed(N_("Nội dung gửi lên phải là {“tallies”: […]}. Hãy tải lại trang."))
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        groups = {one.unit_id: one for one in _groups(session, meeting)}
        return [_judge(session, meeting, groups, item, now, by) for item in items]


def _judge(
    session: Session,
    meeting: Meeting,
    groups: dict[int, GroupTally],
    item: Any,
    now: datetime,
    by: Actor,
) -> tuple[str | None, Verdict]:
    own = uuid_of(item.get("id")) if isinstance(item, dict) else None
    try:
        if own is None:
            raise Refusal(N_("Lần khai thiếu mã hoặc mã không đúng. Hãy khai lại."))
        group, households = _read(groups, item)
        if now < window_of(session, meeting).opens_at:
            raise Refusal(N_("Buổi chưa đến giờ điểm danh. Hãy khai khi buổi bắt đầu."))
        is_correction = item.get("is_correction") is True
        before = _declared(session, meeting, [group.unit_id]).get(group.unit_id)
        if households == before or (
            not is_correction and _was_told(session, meeting, group.unit_id, households)
        ):
            return own, Verdict("known")
        check_tally(households, before, is_correction=is_correction)
        _add(session, meeting, group, households, before, now, by)
    except Refusal as reason:
        return own, Verdict("refused", reason)
    return own, Verdict("stored")


def _read(groups: dict[int, GroupTally], item: dict[str, Any]) -> tuple[GroupTally, int]:
    unit, households = item.get("unit"), item.get("households")
    group = groups.get(unit) if isinstance(unit, int) else None
    if group is None:
        raise Refusal(N_("Khối phố, thôn này không thuộc buổi. Hãy tải lại trang."))
    if not isinstance(households, int) or isinstance(households, bool):
        raise Malformed(N_("Số hộ phải là số nguyên. Hãy nhập lại."))
    return group, declared_households(group.total, households)


def _groups(session: Session, meeting: Meeting) -> list[GroupTally]:
    campaign = session.get(Campaign, meeting.campaign_id) if meeting.campaign_id else None
    if campaign is None or campaign.household_counting != "tally" or campaign.state != "open":
        return []
    day = local_day(meeting.starts_at)
    below = subtree(set(residential_units(session, meeting)), day)
    totals: dict[int, int] = {
        row[0]: row[1]
        for row in session.execute(
            select(RollEntry.grassroots_id, func.count())
            .where(
                RollEntry.campaign_id == campaign.id,
                RollEntry.population == "households",
                RollEntry.state == "eligible",
                RollEntry.unit_id.in_(below),
            )
            .group_by(RollEntry.grassroots_id)
        )
    }
    names = unit_names_on(session, set(totals), day)
    declared = _declared(session, meeting, totals)
    return sorted(
        (GroupTally(one, names.get(one, ""), totals[one], declared.get(one)) for one in totals),
        key=lambda group: group.name,
    )


def _declared(session: Session, meeting: Meeting, units: Iterable[int]) -> dict[int, int]:
    """What each group declared last, up to the meeting's day."""
    rows = session.execute(
        select(HouseholdTally.unit_id, HouseholdTally.households)
        .where(
            HouseholdTally.campaign_id == meeting.campaign_id,
            HouseholdTally.unit_id.in_(list(units)),
            HouseholdTally.declared_on <= local_day(meeting.starts_at),
        )
        .order_by(HouseholdTally.declared_on, HouseholdTally.id)
    )
    return {row.unit_id: row.households for row in rows}


def _was_told(session: Session, meeting: Meeting, unit_id: int, households: int) -> bool:
    told = select(HouseholdTally.id).where(
        HouseholdTally.meeting_id == meeting.id,
        HouseholdTally.unit_id == unit_id,
        HouseholdTally.households == households,
    )
    return session.scalar(told.limit(1)) is not None


def _add(
    session: Session,
    meeting: Meeting,
    group: GroupTally,
    households: int,
    before: int | None,
    now: datetime,
    by: Actor,
) -> None:
    row = HouseholdTally(
        campaign_id=meeting.campaign_id,
        unit_id=group.unit_id,
        meeting_id=meeting.id,
        households=households,
        declared_on=local_day(meeting.starts_at),
        by_account_id=by.account_id,
        at=now,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        now=now,
        by=by,
        action="declared",
        entity="household_tally",
        entity_id=row.id,
        unit_id=group.unit_id,
        households=households,
        previous=before,
        link_id=by.link_id,
    )
