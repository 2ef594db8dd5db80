"""Study campaigns: their plans, who may see and change them, and closing and opening them again."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Select, delete, false, func, or_, select, true, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from models import (
    Campaign,
    CampaignTarget,
    CampaignTopic,
    CampaignUnit,
    Meeting,
    RollEntry,
    Unit,
)
from rules.campaigns import (
    CampaignPlan,
    check_plan,
    state_after_closing,
    state_after_reopening,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, NotAllowed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import granted_unit_ids, require_unit, subtree, units_visible_to
from services.successions import came_over
from services.transaction import reading, writing
from services.units import parents_on, unit_names_on

PLAN_TEXTS = (
    "title",
    "document_number",
    "document_on",
    "document_issuer",
    "document_title",
    "opens_on",
    "deadline_on",
    "members_target_percent",
    "households_target_percent",
)
FROZEN_FIELDS = ("cutoff_on", "completion_rule", "completion_count", "household_counting")


@dataclass(frozen=True)
class CampaignLine:
    """A campaign in a list."""

    id: int
    code: str
    title: str
    opens_on: date
    deadline_on: date
    state: str


@dataclass(frozen=True)
class CoveredUnit:
    """A unit that a campaign covers with all below it."""

    id: int
    code: str
    name: str
    tree: str


@dataclass(frozen=True)
class OwnTarget:
    """A unit whose target differs from the campaign's."""

    code: str
    name: str
    target_percent: int


@dataclass(frozen=True)
class CampaignView:
    """A campaign with its plan and what the reader may do with it."""

    id: int
    plan: CampaignPlan
    state: str
    opened_at: datetime | None
    closed_at: datetime | None
    units: tuple[CoveredUnit, ...]
    topics: tuple[tuple[int, str], ...]
    unit_targets: tuple[OwnTarget, ...]
    owner_name: str
    may_change: bool

    @property
    def code(self) -> str:
        return self.plan.code

    @property
    def title(self) -> str:
        return self.plan.title


def create_campaign(plan: CampaignPlan, *, now: datetime, by: Actor) -> str:
    """Write down a new draft and return its code."""
    check_plan(plan)
    with writing() as session:
        _require_plan_in_scope(session, by, plan, local_day(now))
        taken = session.scalar(
            select(Campaign.id).where(func.lower(Campaign.code) == plan.code.lower())
        )
        if taken is not None:
            raise Refusal(
                N_("Mã đợt “%(code)s” đã dùng cho đợt khác. Hãy chọn mã khác."), code=plan.code
            )
        campaign = Campaign(code=plan.code, created_at=now)
        _apply_texts(campaign, plan)
        _apply_frozen(campaign, plan)
        session.add(campaign)
        session.flush()
        _write_parts(session, campaign, plan)
        audit.record(
            session,
            now=now,
            by=by,
            action="created",
            entity="campaign",
            entity_id=campaign.id,
            unit_id=plan.owner_unit_id,
            plan=asdict(plan),
        )
        return campaign.code


def change_campaign(code: str, plan: CampaignPlan, *, now: datetime, by: Actor) -> None:
    """Change a draft's plan; of an open campaign only its texts, window and targets."""
    check_plan(plan)
    with writing() as session:
        campaign = campaign_for(session, by, code, now, change=True)
        before = _plan(session, campaign)
        if campaign.state == "draft":
            _require_plan_in_scope(session, by, plan, local_day(now))
            _apply_frozen(campaign, plan)
        else:
            _refuse_frozen_changes(campaign, before, plan)
        _apply_texts(campaign, plan)
        _write_parts(session, campaign, plan)
        audit.record(
            session,
            now=now,
            by=by,
            action="changed",
            entity="campaign",
            entity_id=campaign.id,
            unit_id=campaign.owner_unit_id,
            changes=_changes(before, plan),
        )


def close_campaign(code: str, *, now: datetime, by: Actor) -> None:
    """Close a campaign: its figures stay, its roll, credits and tallies change no more."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now, change=True)
        campaign.state = state_after_closing(campaign.title, campaign.state)
        campaign.closed_at = now
        _record_state(session, campaign, "closed", now, by)


def reopen_campaign(code: str, reason: str, *, now: datetime, by: Actor) -> None:
    """Open a closed campaign again, with a logged reason."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now, change=True)
        campaign.state = state_after_reopening(campaign.title, campaign.state, reason)
        campaign.closed_at = None
        _record_state(session, campaign, "reopened", now, by, clean(reason))


def delete_draft(code: str, *, now: datetime, by: Actor) -> None:
    """Throw a draft away; only one that no meeting belongs to yet."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now, change=True)
        meetings = session.scalar(
            select(func.count()).select_from(Meeting).where(Meeting.campaign_id == campaign.id)
        )
        if campaign.state != "draft" or meetings:
            raise Refusal(
                N_("Chỉ xoá được bản nháp chưa có buổi nào; đợt “%(title)s” thì không."),
                title=campaign.title,
            )
        _record_state(session, campaign, "deleted", now, by)
        for part in (CampaignTarget, CampaignTopic, CampaignUnit):
            session.execute(delete(part).where(part.campaign_id == campaign.id))
        session.delete(campaign)


def campaign_for(
    session: Session, by: Actor, code: str, now: datetime | date, *, change: bool = False
) -> Campaign:
    """The campaign if it touches the actor's scope; to change it, staff of its owner's unit."""
    today = local_day(now) if isinstance(now, datetime) else now
    campaign = session.scalar(
        select(Campaign).where(Campaign.code == code, _touches(session, by, today))
    )
    if campaign is None:
        raise NotFound(N_("Không tìm thấy đợt “%(code)s” trong phạm vi của bạn."), code=code[:40])
    if change and not _may_change(session, by, campaign.owner_unit_id, today):
        raise NotAllowed(
            N_("Đợt “%(title)s” do đơn vị khác mở nên bạn chỉ xem. Hãy hỏi cán bộ đơn vị đó."),
            title=campaign.title,
        )
    return campaign


def open_campaigns(session: Session, by: Actor, today: date) -> Sequence[Campaign]:
    """The open campaigns that touch the actor's scope, the nearest deadline first."""
    return session.scalars(
        select(Campaign)
        .where(Campaign.state == "open", _touches(session, by, today))
        .order_by(Campaign.deadline_on, Campaign.code)
    ).all()


def roll_within_scope(by: Actor, cutoff_on: date, today: date, *roles: str) -> ColumnElement[bool]:
    """The condition on `RollEntry` for an actor: units within scope today or on the cut-off day.

    Both days, so that the figures of a past campaign do not shrink when a unit is dissolved; and
    of a unit split since, those who came over, so that their make-up passes to who has them now.
    """
    granted = granted_unit_ids(by, *roles)
    if granted is None:
        return true()
    return or_(
        reporting_within_scope(by, cutoff_on, today, *roles),
        _within_days(RollEntry.unit_id, granted, cutoff_on, today),
        came_over(granted, today),
    )


def reporting_within_scope(
    by: Actor, cutoff_on: date, today: date, *roles: str
) -> ColumnElement[bool]:
    """The part of that condition which the coverage index answers alone: whole reporting units."""
    granted = granted_unit_ids(by, *roles)
    if granted is None:
        return true()
    return _within_days(RollEntry.grassroots_id, granted, cutoff_on, today)


def _within_days(
    column: InstrumentedAttribute[int], granted: frozenset[int], *days: date
) -> ColumnElement[bool]:
    return column.in_(_any_day(granted, frozenset(days))) if granted else false()


@lru_cache(maxsize=512)
def _any_day(granted: frozenset[int], days: frozenset[date]) -> Select[tuple[int]]:
    """What lies below on either day, as one list: of two joined by OR no index makes use."""
    if len(days) == 1:
        return subtree(granted, *days)
    return union(*(subtree(granted, day) for day in sorted(days))).subquery().select()


def covered_unit_ids(session: Session, campaign_id: int, on: date) -> frozenset[int]:
    """The campaign's units and all below them on a day, each on its own tree only."""
    chosen = session.scalars(
        select(CampaignUnit.unit_id).where(CampaignUnit.campaign_id == campaign_id)
    )
    return units_below(session, chosen, on)


def units_below(session: Session, unit_ids: Iterable[int], on: date) -> frozenset[int]:
    """The units and all below them on a day, without the residential units they answer for."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for unit_id, parent_id in parents_on(session, on).items():
        children[parent_id].append(unit_id)
    found: set[int] = set()
    waiting = list(unit_ids)
    while waiting:
        unit_id = waiting.pop()
        if unit_id not in found:
            found.add(unit_id)
            waiting += children.get(unit_id, ())
    return frozenset(found)


def campaign(code: str, *, today: date, by: Actor) -> CampaignView:
    """A campaign with its plan."""
    session = reading()
    found = campaign_for(session, by, code, today)
    plan = _plan(session, found)
    owner = unit_names_on(session, [found.owner_unit_id], today) if found.owner_unit_id else {}
    return CampaignView(
        id=found.id,
        plan=plan,
        state=found.state,
        opened_at=found.opened_at,
        closed_at=found.closed_at,
        units=_covered_units(session, found),
        topics=tuple(_topics(session, found.id)),
        unit_targets=_own_targets(session, found),
        owner_name=owner.get(found.owner_unit_id or 0, ""),
        may_change=_may_change(session, by, found.owner_unit_id, today),
    )


def campaign_list(
    *, today: date, by: Actor, states: Sequence[str] = ("open", "draft", "closed")
) -> list[CampaignLine]:
    """The campaigns that touch the actor's scope: open ones first, then the latest deadline."""
    session = reading()
    rows = session.execute(
        select(
            Campaign.id,
            Campaign.code,
            Campaign.title,
            Campaign.opens_on,
            Campaign.deadline_on,
            Campaign.state,
        )
        .where(Campaign.state.in_(states), _touches(session, by, today))
        .order_by(Campaign.deadline_on.desc(), Campaign.code)
    )
    lines = [CampaignLine(*row) for row in rows]
    return sorted(lines, key=lambda line: ("open", "draft", "closed").index(line.state))


def _touches(session: Session, by: Actor, today: date) -> ColumnElement[bool]:
    visible = units_visible_to(session, by, today)
    if visible is None:
        return true()
    if not visible:
        return false()
    reach = set(visible)
    parents = parents_on(session, today)
    for unit_id in visible:
        above = parents.get(unit_id)
        while above is not None and above not in reach:
            reach.add(above)
            above = parents.get(above)
    covered = select(CampaignUnit.campaign_id).where(CampaignUnit.unit_id.in_(reach))
    on_its_roll = (
        select(RollEntry.id)
        .where(RollEntry.campaign_id == Campaign.id, RollEntry.unit_id.in_(visible))
        .exists()
    )
    return or_(Campaign.owner_unit_id.in_(visible), Campaign.id.in_(covered), on_its_roll)


def _may_change(session: Session, by: Actor, owner_unit_id: int | None, today: date) -> bool:
    visible = units_visible_to(session, by, today, "staff")
    return visible is None or (owner_unit_id is not None and owner_unit_id in visible)


def _require_plan_in_scope(session: Session, by: Actor, plan: CampaignPlan, today: date) -> None:
    visible = units_visible_to(session, by, today, "staff")
    if visible is None:
        return
    if plan.owner_unit_id is None:
        raise Refusal(N_("Hãy chọn đơn vị mở đợt: đơn vị mà bạn phụ trách."))
    for unit_id in {plan.owner_unit_id, *plan.unit_ids, *plan.unit_targets}:
        require_unit(session, by, unit_id, today, "staff")


def _apply_texts(campaign: Campaign, plan: CampaignPlan) -> None:
    for name in PLAN_TEXTS:
        value = getattr(plan, name)
        setattr(campaign, name, clean(value) if isinstance(value, str) else value)


def _apply_frozen(campaign: Campaign, plan: CampaignPlan) -> None:
    campaign.owner_unit_id = plan.owner_unit_id
    for name in FROZEN_FIELDS:
        setattr(campaign, name, getattr(plan, name))


def _refuse_frozen_changes(campaign: Campaign, before: CampaignPlan, after: CampaignPlan) -> None:
    changed = [name for name in FROZEN_FIELDS if getattr(before, name) != getattr(after, name)]
    if changed or before.unit_ids != after.unit_ids or before.topics != after.topics:
        raise Refusal(
            N_(
                "Đợt “%(title)s” đã mở nên đơn vị, ngày chốt, chuyên đề và cách tính không đổi "
                "được nữa. Người đến, đi, được miễn thì ghi ở mục Điều chỉnh."
            ),
            title=campaign.title,
        )


def _write_parts(session: Session, campaign: Campaign, plan: CampaignPlan) -> None:
    for part in (CampaignUnit, CampaignTarget):
        session.execute(delete(part).where(part.campaign_id == campaign.id))
    session.add_all(
        CampaignUnit(campaign_id=campaign.id, unit_id=unit_id) for unit_id in plan.unit_ids
    )
    session.add_all(
        CampaignTarget(campaign_id=campaign.id, unit_id=unit_id, target_percent=target)
        for unit_id, target in plan.unit_targets.items()
    )
    _write_topics(session, campaign, [clean(title) for title in plan.topics if clean(title)])


def _write_topics(session: Session, campaign: Campaign, titles: Sequence[str]) -> None:
    rows = list(
        session.scalars(
            select(CampaignTopic)
            .where(CampaignTopic.campaign_id == campaign.id)
            .order_by(CampaignTopic.position)
        )
    )
    for position, title in enumerate(titles):
        if position < len(rows):
            rows[position].title = title
        else:
            session.add(CampaignTopic(campaign_id=campaign.id, position=position, title=title))
    for row in rows[len(titles) :]:
        if session.scalar(select(Meeting.id).where(Meeting.campaign_topic_id == row.id).limit(1)):
            raise Refusal(
                N_("Chuyên đề “%(title)s” đã có buổi nên không bỏ được. Hãy đổi buổi trước."),
                title=row.title,
            )
        session.delete(row)


def _topics(session: Session, campaign_id: int) -> list[tuple[int, str]]:
    rows = session.execute(
        select(CampaignTopic.id, CampaignTopic.title)
        .where(CampaignTopic.campaign_id == campaign_id)
        .order_by(CampaignTopic.position)
    )
    return [(row.id, row.title) for row in rows]


def _covered_units(session: Session, campaign: Campaign) -> tuple[CoveredUnit, ...]:
    rows = session.execute(
        select(Unit.id, Unit.code, Unit.tree)
        .join(CampaignUnit, CampaignUnit.unit_id == Unit.id)
        .where(CampaignUnit.campaign_id == campaign.id)
        .order_by(Unit.tree, Unit.position, Unit.code)
    ).all()
    names = unit_names_on(session, [row.id for row in rows], campaign.cutoff_on)
    return tuple(CoveredUnit(row.id, row.code, names[row.id], row.tree) for row in rows)


def _own_targets(session: Session, campaign: Campaign) -> tuple[OwnTarget, ...]:
    rows = session.execute(
        select(Unit.code, Unit.name, CampaignTarget.target_percent)
        .join(Unit, Unit.id == CampaignTarget.unit_id)
        .where(CampaignTarget.campaign_id == campaign.id)
        .order_by(Unit.code)
    )
    return tuple(OwnTarget(*row) for row in rows)


def _plan(session: Session, campaign: Campaign) -> CampaignPlan:
    unit_ids = session.scalars(
        select(CampaignUnit.unit_id).where(CampaignUnit.campaign_id == campaign.id)
    )
    targets = session.execute(
        select(CampaignTarget.unit_id, CampaignTarget.target_percent).where(
            CampaignTarget.campaign_id == campaign.id
        )
    )
    return CampaignPlan(
        code=campaign.code,
        owner_unit_id=campaign.owner_unit_id,
        unit_ids=frozenset(unit_ids),
        unit_targets={row.unit_id: row.target_percent for row in targets},
        topics=tuple(title for _, title in _topics(session, campaign.id)),
        **{name: getattr(campaign, name) for name in (*PLAN_TEXTS, *FROZEN_FIELDS)},
    )


def _changes(before: CampaignPlan, after: CampaignPlan) -> dict[str, list[object]]:
    old, new = asdict(before), asdict(after)
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


def _record_state(
    session: Session, campaign: Campaign, action: str, now: datetime, by: Actor, reason: str = ""
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="campaign",
        entity_id=campaign.id,
        unit_id=campaign.owner_unit_id,
        reason=reason,
        code=campaign.code,
    )
