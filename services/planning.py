"""Many meetings at once: the calendar, meetings made by a rule, and proposals for a campaign."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateways.holidays import DayNote, Override, day_notes, holidays_between
from models import CalendarDay, Meeting, MeetingSeries, Speaker, Venue
from planner.propose import propose_meetings
from rules.clashes import Clash
from rules.coverage import Figure
from rules.days import LOCAL, instant, local_day
from rules.permissions import Actor
from rules.planning import (
    PlanRequest,
    Proposal,
    ProposedMeeting,
    SpeakerOption,
    UnitNeed,
    VenueOption,
    evening_and_weekend_slots,
)
from rules.recurrence import Rule, Sitting, recurring_sittings
from rules.refusals import N_, Malformed, Refusal
from services import audit
from services.access import meetings_visible_to, require_role, units_visible_to
from services.campaigns import campaign_for
from services.clashes import clashes_among, clashes_between, occupancies_between
from services.coverage import figures_of, missing_of
from services.meeting_fields import MeetingFields, wanted_by
from services.meeting_lists import MeetingFilter, MeetingLine, meeting_lines, venue_of_unit
from services.meetings import add_meeting
from services.settings import setting_number
from services.transaction import reading, writing
from services.units import nodes_on, unit_names_on

LONGEST_VIEW = timedelta(days=400)
FURTHEST_PLAN_DAYS = 120


@dataclass(frozen=True)
class CalendarView:
    """What a calendar shows of a span of days: meetings, and the days that are not ordinary."""

    meetings: tuple[MeetingLine, ...]
    days: dict[date, DayNote]


@dataclass(frozen=True)
class BulkPlan:
    """Meetings to make by a rule: one for each unit on each day, or one unit a day in turn.

    `fields` is what they share; its times, units and (with `own_venue`) place are replaced.
    """

    fields: MeetingFields
    rule: Rule
    unit_ids: tuple[int, ...] = ()
    in_turn: bool = False
    excluded: frozenset[date] = frozenset()
    skip_holidays: bool = True
    own_venue: bool = False
    each_unit: bool = True


@dataclass(frozen=True)
class BulkRow:
    """One meeting of a plan before it is made; `key` names it on the preview page."""

    key: str
    fields: MeetingFields
    unit: str
    note: DayNote | None
    clashes: tuple[Clash, ...]

    @property
    def is_blocked(self) -> bool:
        return any(clash.is_block for clash in self.clashes)


@dataclass(frozen=True)
class BulkPreview:
    """The meetings a plan would make, and the holidays it passed over."""

    rows: tuple[BulkRow, ...]
    passed_over: dict[date, str]


@dataclass(frozen=True)
class CampaignProposal:
    """A proposal with the campaign it is for."""

    campaign_id: int
    campaign: str
    title: str
    deadline_on: date
    proposal: Proposal
    owner_unit_id: int | None
    missing_codes: dict[int, list[str]]
    is_second_round: bool


def create_in_bulk(
    plan: BulkPlan, keys: frozenset[str], *, now: datetime, by: Actor
) -> tuple[int, int]:
    """Make drafts of the ticked rows of a plan; return the series' id and how many were made."""
    with writing() as session:
        rows = [row for row in _bulk_rows(session, plan) if row[0] in keys]
        if not rows:
            raise Refusal(N_("Chưa chọn buổi nào. Hãy chọn ít nhất một buổi."))
        series = MeetingSeries(
            title=plan.fields.topic[:300],
            rule=_rule_text(plan),
            created_at=now,
            by_account_id=by.account_id,
        )
        session.add(series)
        session.flush()
        for _, fields, _ in rows:
            _add_logged(session, fields, series.id, now, by)
        return series.id, len(rows)


def create_proposed(
    code: str,
    keys: frozenset[str],
    *,
    is_makeup: bool,
    seconds: int = 10,
    seed: int = 0,
    now: datetime,
    by: Actor,
) -> int:
    """Make drafts of the ticked meetings of a campaign's proposal; return how many.

    The proposal is computed anew. When the figures have changed so much that a ticked meeting is
    no longer in it, nothing is made.
    """
    with writing() as session:
        found = _propose(session, code, seconds, seed, now, by)
        chosen = [one for one in found.proposal.meetings if proposed_key(one) in keys]
        if not chosen or len(chosen) != len(keys):
            raise Refusal(
                N_("Chưa chọn buổi nào, hoặc số liệu vừa thay đổi. Hãy xem lại đề xuất rồi chọn.")
            )
        waiting = {unit: list(codes) for unit, codes in found.missing_codes.items()}
        for one in found.proposal.meetings:
            codes = tuple(
                code
                for unit in one.units
                for code in _taken(waiting.get(unit.unit_id, []), unit.seats)
            )
            if one in chosen:
                fields = _proposed_fields(found, one, codes, is_makeup, session, by, now)
                _add_logged(session, fields, None, now, by)
        return len(chosen)


def proposed_key(one: ProposedMeeting) -> str:
    """What names a proposed meeting on its page: when, where and who speaks."""
    start = one.slot.starts_at.astimezone(LOCAL)
    return f"{start:%Y%m%d%H%M}-{one.venue.venue_id}-{one.speaker.speaker_id}"


def _taken(waiting: list[str], count: int) -> list[str]:
    """Take the first of those still waiting for a seat."""
    taken = waiting[:count]
    del waiting[:count]
    return taken


def _proposed_fields(
    found: CampaignProposal,
    one: ProposedMeeting,
    codes: tuple[str, ...],
    is_makeup: bool,
    session: Session,
    by: Actor,
    now: datetime,
) -> MeetingFields:
    return MeetingFields(
        kind="study",
        topic=found.title[:300],
        starts_at=one.slot.starts_at,
        ends_at=one.slot.ends_at,
        organiser_id=_organiser(session, found.owner_unit_id, by, local_day(now)),
        campaign_id=found.campaign_id,
        is_makeup=is_makeup,
        venue_id=one.venue.venue_id,
        speaker_ids=(one.speaker.speaker_id,),
        person_codes=codes,
    )


def _organiser(session: Session, owner_id: int | None, by: Actor, on: date) -> int:
    """The campaign's owner when the actor is its staff, else the top unit of the actor's own."""
    offered = [
        unit.id
        for unit in nodes_on(
            session, on, tree="party", within=units_visible_to(session, by, on, "staff")
        )
    ]
    if not offered:
        raise Refusal(N_("Bạn chưa phụ trách đơn vị nào nên không tạo được buổi."))
    return owner_id if owner_id in offered else offered[0]


def _add_logged(
    session: Session, fields: MeetingFields, series_id: int | None, now: datetime, by: Actor
) -> None:
    meeting = add_meeting(session, fields, series_id=series_id, now=now, by=by)
    audit.record(
        session,
        now=now,
        by=by,
        action="created",
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        series=series_id,
    )


def _rule_text(plan: BulkPlan) -> str:
    rule = asdict(plan.rule) | {"in_turn": plan.in_turn, "units": list(plan.unit_ids)}
    rule["weekdays"] = sorted(plan.rule.weekdays)
    rule["excluded"] = sorted(day.isoformat() for day in plan.excluded)
    return json.dumps(rule, default=str, ensure_ascii=False)[:2000]


def bulk_preview(plan: BulkPlan, *, now: datetime, by: Actor) -> BulkPreview:
    """The meetings a plan would make, each with its clashes and the holiday it falls on."""
    require_role(by, "staff")
    session = reading()
    rows = _bulk_rows(session, plan)
    found = clashes_among(session, [wanted_by(session, row[1], None) for row in rows], by=by)
    days = [local_day(row[1].starts_at) for row in rows]
    notes = day_notes(min(days), max(days), overrides(session))
    names = unit_names_on(session, plan.unit_ids, local_day(now))
    return BulkPreview(
        rows=tuple(
            BulkRow(key, fields, names.get(unit or 0, ""), notes.get(day), tuple(clashes))
            for (key, fields, unit), day, clashes in zip(rows, days, found, strict=True)
        ),
        passed_over=_passed_over(session, plan) if plan.skip_holidays else {},
    )


def _bulk_rows(session: Session, plan: BulkPlan) -> list[tuple[str, MeetingFields, int | None]]:
    excluded = set(plan.excluded)
    if plan.skip_holidays:
        excluded |= set(_passed_over(session, plan))
    groups = plan.unit_ids if plan.each_unit else ()
    sittings = recurring_sittings(plan.rule, groups, excluded, in_turn=plan.in_turn)
    venues = {unit: venue_of_unit(session, unit) for unit in groups} if plan.own_venue else {}
    return [_bulk_row(plan, sitting, venues) for sitting in sittings]


def _bulk_row(
    plan: BulkPlan, sitting: Sitting, venues: dict[int, int | None]
) -> tuple[str, MeetingFields, int | None]:
    unit = sitting.group if isinstance(sitting.group, int) else None
    fields = replace(
        plan.fields,
        starts_at=instant(sitting.on, sitting.starts),
        ends_at=instant(sitting.on, sitting.ends),
        unit_ids=(unit,) if unit is not None else plan.unit_ids,
        venue_id=(venues.get(unit) if unit is not None else None) or plan.fields.venue_id,
    )
    return f"{sitting.on.isoformat()}-{unit or 0}", fields, unit


def _passed_over(session: Session, plan: BulkPlan) -> dict[date, str]:
    last = plan.rule.until_on or plan.rule.from_on + timedelta(days=366)
    return holidays_between(plan.rule.from_on, last, overrides(session))


def overrides(session: Session) -> list[Override]:
    """The board's own corrections of the calendar, as the holidays' gateway takes them."""
    return [
        Override(day.on, "holiday" if day.kind == "off" else "working", day.name)
        for day in session.scalars(select(CalendarDay))
    ]


def note_of_day(on: date) -> DayNote | None:
    """What is special about a day by the library and the board's corrections."""
    return day_notes(on, on, overrides(reading())).get(on)


def calendar_view(wanted: MeetingFilter, *, now: datetime, by: Actor) -> CalendarView:
    """The meetings and special days between two days of a filter, both included."""
    first, last = wanted.first_on, wanted.last_on
    if first is None or last is None or not timedelta() <= last - first <= LONGEST_VIEW:
        raise Malformed(N_("Khoảng ngày của lịch chưa đúng. Hãy chọn lại."))
    lines = meeting_lines(wanted, now=now, by=by)
    return CalendarView(tuple(lines), day_notes(first, last, overrides(reading())))


def movable_meetings(ids: Sequence[int], *, now: datetime, by: Actor) -> frozenset[int]:
    """Which of these meetings the actor may move: their organiser lies within the staff's scope."""
    if not by.has_any("staff"):
        return frozenset()
    session = reading()
    mine = meetings_visible_to(by, local_day(now), "staff")
    return frozenset(session.scalars(select(Meeting.id).where(mine, Meeting.id.in_(ids))))


def coming_clashes(days: int, *, now: datetime, by: Actor) -> list[Clash]:
    """Every clash of the coming days that touches a meeting the actor may see."""
    return clashes_between(now, now + timedelta(days=days), by=by)


def proposal_for(
    code: str, *, seconds: int = 10, seed: int = 0, now: datetime, by: Actor
) -> CampaignProposal:
    """A plan of meetings for those a campaign still misses, from tomorrow to its deadline."""
    return _propose(reading(), code, seconds, seed, now, by)


def _propose(
    session: Session, code: str, seconds: int, seed: int, now: datetime, by: Actor
) -> CampaignProposal:
    require_role(by, "staff")
    today = local_day(now)
    campaign = campaign_for(session, by, code, now)
    if campaign.state != "open":
        raise Refusal(
            N_("Đợt “%(title)s” không mở nên không lập kế hoạch được."), title=campaign.title
        )
    figure = figures_of(session, campaign, by=by, today=today).members.figure
    missing = missing_of(session, campaign, by=by, today=today, role="staff")
    codes: dict[int, list[str]] = defaultdict(list)
    names: dict[int, str] = {}
    for person in missing:
        codes[person.unit_id].append(person.code)
        names[person.unit_id] = person.unit_name
    needs = tuple(UnitNeed(unit, names[unit], len(people)) for unit, people in codes.items())
    first = today + timedelta(days=1)
    last = min(campaign.deadline_on, today + timedelta(days=FURTHEST_PLAN_DAYS))
    request = _request(session, needs, figure, first, last, seconds, seed)
    return CampaignProposal(
        campaign_id=campaign.id,
        campaign=campaign.code,
        title=campaign.title,
        deadline_on=campaign.deadline_on,
        proposal=propose_meetings(request),
        owner_unit_id=campaign.owner_unit_id,
        missing_codes=dict(codes),
        is_second_round=figure.covered > 0,
    )


def _request(
    session: Session,
    needs: tuple[UnitNeed, ...],
    figure: Figure,
    first: date,
    last: date,
    seconds: int,
    seed: int,
) -> PlanRequest:
    off = holidays_between(first, last, overrides(session)) if first <= last else {}
    after = instant(max(first, last) + timedelta(days=1), time())
    return PlanRequest(
        units=needs,
        venues=_venue_options(session),
        speakers=_speaker_options(session),
        slots=tuple(evening_and_weekend_slots(first, last, LOCAL, off)),
        occupied=tuple(occupancies_between(session, instant(first, time()), after)),
        deadline=after,
        figure=figure,
        seconds=seconds,
        seed=seed,
        travel_minutes=setting_number(session, "travel_minutes"),
    )


def _venue_options(session: Session) -> tuple[VenueOption, ...]:
    rows = session.scalars(
        select(Venue).where(Venue.is_active, Venue.capacity > 0).order_by(Venue.id)
    )
    return tuple(VenueOption(venue.id, venue.name, venue.capacity or 0) for venue in rows)


def _speaker_options(session: Session) -> tuple[SpeakerOption, ...]:
    rows = session.execute(
        select(Speaker.id, Speaker.name).where(Speaker.is_active).order_by(Speaker.id)
    )
    return tuple(SpeakerOption(row.id, row.name) for row in rows)
