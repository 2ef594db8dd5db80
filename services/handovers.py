"""What changes hands when a unit is taken over: lower units, people, links, scopes, what is to come."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.orm import Session

from models import (
    Campaign,
    CampaignUnit,
    Course,
    FeedToken,
    HouseholdResidence,
    Meeting,
    MeetingUnit,
    Membership,
    RoleGrant,
    Speaker,
    Unit,
    UnitKind,
    UnitLink,
    UnitParent,
    UnitSuccession,
    Venue,
)
from rules.days import instant
from rules.refusals import N_, Refusal
from rules.unit_changes import Plan
from services.unit_changes import close_rows
from services.units import on_day, parents_on, subtree_ids

COMING = ("draft", "published")
ROWS_PER_INSERT = 2_000


@dataclass(frozen=True)
class Takeover:
    """One unit taken over by others from a day on; `places` of the plan point into `successors`."""

    source: Unit
    successors: Sequence[Unit]
    plan: Plan
    now: datetime

    @property
    def on(self) -> date:
        return self.plan.effective_on

    @property
    def goes_on(self) -> bool:
        """The unit gives a part away and stays."""
        return any(one.id == self.source.id for one in self.successors)

    def of_unit(self, unit_id: int) -> Unit:
        return self.successors[self.plan.units.get(unit_id, 0)]

    def of_person(self, person_id: int) -> Unit:
        return self.successors[self.plan.people.get(person_id, 0)]

    def of_household(self, household_id: int) -> Unit:
        return self.successors[self.plan.households.get(household_id, 0)]


def take_over(session: Session, take: Takeover, change_id: int) -> None:
    """Carry one takeover out in the caller's transaction; rows of before keep their unit."""
    people = people_by_successor(session, take)
    _hand_over_units(session, take)
    _hand_over_people(session, take)
    _hand_over_links(session, take)
    _widen_scopes(session, take)
    _pass_on_what_is_to_come(session, take)
    for successor in take.successors:
        session.add(
            UnitSuccession(
                change_id=change_id,
                predecessor_id=take.source.id,
                successor_id=successor.id,
                on=take.on,
                people=people[successor.id],
                is_part=len(take.successors) > 1,
            )
        )
    session.flush()
    if not take.goes_on:
        close_rows(session, take.source, take.on)
        take.source.valid_to = take.on


def people_by_successor(session: Session, take: Takeover) -> Counter[int]:
    """How many members (or households) go to each successor on the day, with the lower units."""
    counts: Counter[int] = Counter()
    parents = parents_on(session, take.on)
    for child in (unit for unit, above in parents.items() if above == take.source.id):
        below = subtree_ids(parents, {child})
        counts[take.of_unit(child).id] += _people_in(session, below, take)
    for row in _open_rows(session, Membership, Membership.unit_id, take):
        if row.valid_from <= take.on:
            counts[take.of_person(row.person_id).id] += 1
    for row in _open_rows(session, HouseholdResidence, HouseholdResidence.unit_id, take):
        if row.valid_from <= take.on:
            counts[take.of_household(row.household_id).id] += 1
    return counts


def _people_in(session: Session, unit_ids: set[int], take: Takeover) -> int:
    table: Any = Membership if take.source.tree == "party" else HouseholdResidence
    query = select(func.count()).select_from(table)
    return session.scalar(query.where(table.unit_id.in_(unit_ids), on_day(table, take.on))) or 0


def _open_rows(session: Session, table: Any, column: Any, take: Takeover) -> Sequence[Any]:
    """The rows of a dated table that hold on the day or begin later."""
    query = select(table).where(
        column == take.source.id, or_(table.valid_to.is_(None), table.valid_to > take.on)
    )
    return session.scalars(query.order_by(table.id)).all()


def _hand_over_units(session: Session, take: Takeover) -> None:
    rows = _open_rows(session, UnitParent, UnitParent.parent_id, take)
    kinds = {kind.code: kind for kind in session.scalars(select(UnitKind))}
    for row in rows:
        target = take.of_unit(row.unit_id)
        if target.id in (take.source.id, row.unit_id):
            continue
        child = session.get_one(Unit, row.unit_id)
        if kinds[target.kind_code].rank >= kinds[child.kind_code].rank:
            raise Refusal(
                N_(
                    "“%(child)s” không thể trực thuộc “%(name)s”: hãy chọn loại đơn vị cấp cao hơn."
                ),
                child=child.name,
                name=target.name,
            )
        _succeed(session, row, take.on, parent_id=target.id)


def _succeed(session: Session, row: Any, on: date, **values: int) -> None:
    """From the day on the row says something else; one that begins later says it from its start."""
    if row.valid_from >= on:
        for name, value in values.items():
            setattr(row, name, value)
        return
    kept = {
        column.key: getattr(row, column.key)
        for column in row.__table__.columns
        if column.key != "id"
    }
    session.add(type(row)(**(kept | values | {"valid_from": on})))
    row.valid_to = on


def _hand_over_people(session: Session, take: Takeover) -> None:
    """Memberships and residences, in bulk: a ward's households are thousands of rows."""
    for table, key, target_of in (
        (Membership, "person_id", take.of_person),
        (HouseholdResidence, "household_id", take.of_household),
    ):
        moving = [
            (row, target_of(getattr(row, key)).id)
            for row in _open_rows(session, table, table.unit_id, take)
        ]
        fresh = []
        for row, unit_id in moving:
            if unit_id == take.source.id:
                continue
            if row.valid_from >= take.on:
                row.unit_id = unit_id
                continue
            values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
            del values["id"]
            fresh.append(values | {"unit_id": unit_id, "valid_from": take.on})
            row.valid_to = take.on
        session.flush()
        for start in range(0, len(fresh), ROWS_PER_INSERT):
            session.execute(insert(table), fresh[start : start + ROWS_PER_INSERT])


def _hand_over_links(session: Session, take: Takeover) -> None:
    """Which Party unit answers for which residential one: both ends follow their successors."""
    for row in _open_rows(session, UnitLink, UnitLink.party_id, take):
        target = take.of_unit(row.residential_id)
        if target.id != take.source.id:
            _succeed(session, row, take.on, party_id=target.id)
    if take.source.tree != "residential":
        return
    for row in _open_rows(session, UnitLink, UnitLink.residential_id, take):
        for target in take.successors:
            if not _is_answered_for(session, target, take.on):
                session.add(
                    UnitLink(residential_id=target.id, party_id=row.party_id, valid_from=take.on)
                )
                session.flush()
        if row.valid_from >= take.on and not take.goes_on:
            session.delete(row)  # the Party side changed on the same day


def _is_answered_for(session: Session, unit: Unit, on: date) -> bool:
    query = select(UnitLink.id).where(UnitLink.residential_id == unit.id)
    later = or_(UnitLink.valid_to.is_(None), UnitLink.valid_to > on)
    return session.scalar(query.where(later).limit(1)) is not None


def _widen_scopes(session: Session, take: Takeover) -> None:
    """Who had a role over the old unit has it over the new ones too; the old stays for its past."""
    grants = session.scalars(select(RoleGrant).where(RoleGrant.unit_id == take.source.id)).all()
    for successor in take.successors:
        held = {
            (row.account_id, row.role)
            for row in session.execute(
                select(RoleGrant.account_id, RoleGrant.role).where(
                    RoleGrant.unit_id == successor.id
                )
            )
        }
        session.add_all(
            RoleGrant(account_id=grant.account_id, role=grant.role, unit_id=successor.id)
            for grant in grants
            if (grant.account_id, grant.role) not in held
        )
        session.flush()


def _pass_on_what_is_to_come(session: Session, take: Takeover) -> None:
    """Meetings not yet held, running classes, drafts of campaigns, feeds, speakers and places."""
    if take.goes_on:
        return
    first = take.successors[0].id
    source = take.source.id
    meetings = coming_meetings(session, source, take)
    for row in meetings["organised"]:
        session.execute(update(Meeting).where(Meeting.id == row.id).values(organiser_id=first))
    _invite_instead(session, take, [row.id for row in meetings["invited"]])
    running = Course.state.in_(("planned", "open"))
    session.execute(
        update(Course).where(Course.organiser_id == source, running).values(organiser_id=first)
    )
    for table in (FeedToken, Speaker, Venue):
        session.execute(update(table).where(table.unit_id == source).values(unit_id=first))
    _cover_instead(session, take)


def coming_meetings(
    session: Session, unit_id: int, take: Takeover
) -> dict[str, Sequence[Row[Any]]]:
    """Ids of the meetings from the day on, not yet held, that a unit organises or is invited to."""
    since = max(take.now, instant(take.on, time.min))
    ahead = (Meeting.state.in_(COMING), Meeting.starts_at >= since)
    organised = select(Meeting.id).where(Meeting.organiser_id == unit_id, *ahead)
    invited = (
        select(Meeting.id)
        .join(MeetingUnit, MeetingUnit.meeting_id == Meeting.id)
        .where(MeetingUnit.unit_id == unit_id, *ahead)
    )
    return {
        "organised": session.execute(organised).all(),
        "invited": session.execute(invited).all(),
    }


def _invite_instead(session: Session, take: Takeover, meeting_ids: Sequence[int]) -> None:
    """The successors are invited in the old unit's stead: its lower units where it had any, so
    that a merger does not invite half a ward to a meeting meant for the other half."""
    below = [
        row.unit_id
        for row in session.execute(
            select(UnitParent.unit_id).where(
                UnitParent.valid_to == take.on, UnitParent.parent_id == take.source.id
            )
        )
    ]
    instead = below or [one.id for one in take.successors]
    rows = session.scalars(
        select(MeetingUnit).where(
            MeetingUnit.meeting_id.in_(meeting_ids), MeetingUnit.unit_id == take.source.id
        )
    ).all()
    known = _invited_units(session, meeting_ids)
    for row in rows:
        for unit_id in instead:
            if unit_id not in known[row.meeting_id]:
                session.add(
                    MeetingUnit(meeting_id=row.meeting_id, unit_id=unit_id, point_id=row.point_id)
                )
        session.delete(row)
    session.flush()


def _invited_units(session: Session, meeting_ids: Sequence[int]) -> Mapping[int, set[int]]:
    known: defaultdict[int, set[int]] = defaultdict(set)
    rows = session.execute(
        select(MeetingUnit.meeting_id, MeetingUnit.unit_id).where(
            MeetingUnit.meeting_id.in_(meeting_ids)
        )
    )
    for row in rows:
        known[row.meeting_id].add(row.unit_id)
    return known


def _cover_instead(session: Session, take: Takeover) -> None:
    """Drafts of campaigns whose roll is frozen later cover the successors."""
    drafts = session.scalars(
        select(CampaignUnit.campaign_id)
        .join(Campaign, Campaign.id == CampaignUnit.campaign_id)
        .where(
            CampaignUnit.unit_id == take.source.id,
            Campaign.state == "draft",
            Campaign.cutoff_on >= take.on,
        )
    ).all()
    for campaign_id in drafts:
        for successor in take.successors:
            key = (campaign_id, successor.id)
            if session.get(CampaignUnit, key) is None:
                session.add(CampaignUnit(campaign_id=campaign_id, unit_id=successor.id))
        session.delete(session.get_one(CampaignUnit, (campaign_id, take.source.id)))
    session.flush()
