"""The year's other work, written down: plans, histories and their steps, leaders' visits, counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Commendation,
    HistoryProject,
    HistoryStep,
    LeaderVisit,
    Unit,
    UnitKind,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from rules.works import KINDS, check_done
from services import audit
from services.access import require_unit, within_scope
from services.campaigns import campaign_for, covered_unit_ids
from services.transaction import writing

LEVELS = ("province", "city", "grassroots")
RECIPIENTS = ("collective", "individual")
MOST_STEPS = 40


@dataclass(frozen=True)
class HistoryPlan:
    """What staff write of a history project."""

    unit_id: int
    title: str
    started_on: date
    published_on: date | None = None


@dataclass(frozen=True)
class CommendationPlan:
    """What staff write of a decision that commends."""

    decided_on: date
    decision_number: str
    level: str
    recipient_kind: str
    recipients: int
    unit_id: int | None = None


def save_action_plan(
    campaign_code: str,
    unit_id: int,
    due_on: date,
    *,
    issued_on: date | None,
    issued_number: str,
    now: datetime,
    by: Actor,
) -> None:
    """Write down that a unit owes, or has issued, its plan after a campaign."""
    number = _issued(issued_on, issued_number)
    check_done(due_on, issued_on, local_day(now))
    with writing() as session:
        campaign = campaign_for(session, by, campaign_code, now)
        require_unit(session, by, unit_id, local_day(now), "staff")
        plan = session.scalar(
            select(ActionPlan).where(
                ActionPlan.campaign_id == campaign.id, ActionPlan.unit_id == unit_id
            )
        ) or ActionPlan(campaign_id=campaign.id, unit_id=unit_id)
        plan.due_on, plan.issued_on, plan.issued_number = due_on, issued_on, number or None
        session.add(plan)
        session.flush()
        _record(session, "action_plan", plan.id, unit_id, now, by, issued_on=issued_on)


def ask_for_action_plans(campaign_code: str, due_on: date, *, now: datetime, by: Actor) -> int:
    """Every reporting unit of the campaign within scope owes its plan by a day; how many are new.

    Who owes one already keeps its own day.
    """
    with writing() as session:
        campaign = campaign_for(session, by, campaign_code, now, change=True)
        units = covered_unit_ids(session, campaign.id, campaign.cutoff_on)
        known = set(
            session.scalars(select(ActionPlan.unit_id).where(ActionPlan.campaign_id == campaign.id))
        )
        reporting = session.scalars(
            select(Unit.id)
            .join(UnitKind, UnitKind.code == Unit.kind_code)
            .where(
                Unit.tree == "party",
                UnitKind.is_grassroots,
                within_scope(by, Unit.id, local_day(now), "staff"),
                Unit.valid_from <= campaign.cutoff_on,
                Unit.valid_to.is_(None) | (Unit.valid_to > campaign.cutoff_on),
            )
        )
        fresh = sorted({unit for unit in reporting if unit in units} - known)
        session.add_all(
            ActionPlan(campaign_id=campaign.id, unit_id=unit, due_on=due_on) for unit in fresh
        )
        _record(
            session,
            "action_plan",
            campaign.id,
            campaign.owner_unit_id,
            now,
            by,
            due_on=due_on,
            units=len(fresh),
        )
        return len(fresh)


def add_history(plan: HistoryPlan, *, now: datetime, by: Actor) -> int:
    """Write down a history project; with a day of publication it is published. Its id."""
    _check_history(plan)
    with writing() as session:
        require_unit(session, by, plan.unit_id, local_day(now), "staff")
        row = HistoryProject(unit_id=plan.unit_id)
        session.add(row)
        _apply_history(row, plan)
        session.flush()
        _record(session, "history_project", row.id, plan.unit_id, now, by, state=row.state)
        return row.id


def save_history(history_id: int, plan: HistoryPlan, *, now: datetime, by: Actor) -> None:
    """Change a history project."""
    _check_history(plan)
    with writing() as session:
        row = history_for(session, history_id, now, by)
        require_unit(session, by, plan.unit_id, local_day(now), "staff")
        _apply_history(row, plan)
        _record(session, "history_project", row.id, plan.unit_id, now, by, state=row.state)


def _check_history(plan: HistoryPlan) -> None:
    if not clean(plan.title):
        raise Malformed(N_("Công trình lịch sử chưa có tên. Hãy nhập tên."))
    if plan.published_on is not None and plan.published_on < plan.started_on:
        raise Malformed(N_("Ngày xuất bản trước ngày bắt đầu. Hãy xem lại."))


def _apply_history(row: HistoryProject, plan: HistoryPlan) -> None:
    row.unit_id, row.title = plan.unit_id, clean(plan.title)[:300]
    row.started_on, row.published_on = plan.started_on, plan.published_on
    row.state = "published" if plan.published_on else "in_progress"


def publish_history(history_id: int, published_on: date, *, now: datetime, by: Actor) -> None:
    """Write down the day a history was published."""
    with writing() as session:
        row = history_for(session, history_id, now, by)
        if row.state == "published":
            raise Refusal(N_("Công trình “%(title)s” đã xuất bản rồi."), title=row.title)
        if published_on < row.started_on:
            raise Malformed(N_("Ngày xuất bản trước ngày bắt đầu. Hãy xem lại."))
        row.state, row.published_on = "published", published_on
        _record(session, "history_project", row.id, row.unit_id, now, by, state="published")


def add_history_step(history_id: int, name: str, due_on: date, *, now: datetime, by: Actor) -> None:
    """Add a step to a history project."""
    name = clean(name)
    if not name or len(name) > 200:
        raise Malformed(N_("Hãy ghi tên bước, không quá 200 ký tự."))
    with writing() as session:
        row = history_for(session, history_id, now, by)
        steps = session.scalars(select(HistoryStep).where(HistoryStep.project_id == row.id)).all()
        if len(steps) >= MOST_STEPS:
            raise Refusal(N_("Một công trình có nhiều nhất %(most)s bước."), most=MOST_STEPS)
        step = HistoryStep(project_id=row.id, name=name, due_on=due_on)
        session.add(step)
        session.flush()
        _record(session, "history_step", step.id, row.unit_id, now, by, due_on=due_on)


def history_for(session: Session, history_id: int, now: datetime, by: Actor) -> HistoryProject:
    """The project within reach of somebody who may change it, else NotFound."""
    row = session.get(HistoryProject, history_id)
    if row is None:
        raise NotFound(N_("Không tìm thấy công trình này."))
    require_unit(session, by, row.unit_id, local_day(now), "staff")
    return row


def assign_leader(
    leader: str, unit_ids: Sequence[int], due_on: date, *, now: datetime, by: Actor
) -> int:
    """A leader or specialist is to attend a meeting of each of these cells by a day; how many."""
    leader = clean(leader)
    if not leader or len(leader) > 180 or not unit_ids:
        raise Malformed(N_("Hãy ghi họ tên, chức vụ người dự và chọn ít nhất một chi bộ."))
    with writing() as session:
        for unit_id in dict.fromkeys(unit_ids):
            require_unit(session, by, unit_id, local_day(now), "staff")
            visit = LeaderVisit(unit_id=unit_id, leader=leader, due_on=due_on)
            session.add(visit)
            session.flush()
            _record(session, "leader_visit", visit.id, unit_id, now, by, due_on=due_on)
        return len(set(unit_ids))


def save_due(
    kind: str,
    work_id: int,
    *,
    due_on: date,
    done_on: date | None,
    reference: str = "",
    now: datetime,
    by: Actor,
) -> None:
    """Change the day a work is due, or write down (or take back) that it is done."""
    check_done(due_on, done_on, local_day(now))
    with writing() as session:
        row, unit_id = _due_row(session, kind, work_id)
        require_unit(session, by, unit_id, local_day(now), "staff")
        before = {"due_on": row.due_on, "done_on": getattr(row, _DONE[kind])}
        row.due_on = due_on
        setattr(row, _DONE[kind], done_on)
        if kind == "action_plan":
            row.issued_number = _issued(done_on, reference) or None
        _record(
            session, kind, row.id, unit_id, now, by, before=before, due_on=due_on, done_on=done_on
        )


_MODELS: dict[str, Any] = {
    "action_plan": ActionPlan,
    "history_step": HistoryStep,
    "leader_visit": LeaderVisit,
}
_DONE = {"action_plan": "issued_on", "history_step": "done_on", "leader_visit": "done_on"}


def _due_row(session: Session, kind: str, work_id: int) -> tuple[Any, int]:
    row = session.get(_MODELS[kind], work_id) if kind in KINDS else None
    if row is None:
        raise NotFound(N_("Không tìm thấy việc này trong phạm vi của bạn."))
    if kind == "history_step":
        return row, session.get_one(HistoryProject, row.project_id).unit_id
    return row, row.unit_id


def _issued(issued_on: date | None, issued_number: str) -> str:
    number = clean(issued_number)[:80]
    if (issued_on is None) != (not number):
        raise Malformed(N_("Kế hoạch đã ban hành cần cả số và ngày văn bản."))
    return number


def add_commendation(plan: CommendationPlan, *, now: datetime, by: Actor) -> None:
    """Write down a decision and how many it commends."""
    _keep_commendation(None, plan, now, by)


def save_commendation(
    commendation_id: int, plan: CommendationPlan, *, now: datetime, by: Actor
) -> None:
    """Correct a decision."""
    _keep_commendation(commendation_id, plan, now, by)


def _keep_commendation(
    commendation_id: int | None, plan: CommendationPlan, now: datetime, by: Actor
) -> None:
    if not clean(plan.decision_number) or plan.recipients < 1:
        raise Malformed(N_("Khen thưởng cần số quyết định và ít nhất một lượt. Hãy xem lại."))
    with writing() as session:
        require_unit(session, by, plan.unit_id, local_day(now), "staff")
        row = Commendation()
        if commendation_id is not None:
            row = commendation_for(session, commendation_id, now, by)
        row.decided_on, row.decision_number = plan.decided_on, clean(plan.decision_number)
        row.level, row.unit_id = plan.level, plan.unit_id
        row.recipient_kind, row.recipients = plan.recipient_kind, plan.recipients
        session.add(row)
        session.flush()
        _record(session, "commendation", row.id, plan.unit_id, now, by, recipients=row.recipients)


def commendation_for(
    session: Session, commendation_id: int, now: datetime, by: Actor
) -> Commendation:
    """The decision within reach of somebody who may change it, else NotFound."""
    row = session.get(Commendation, commendation_id)
    if row is None:
        raise NotFound(N_("Không tìm thấy quyết định khen thưởng này."))
    require_unit(session, by, row.unit_id, local_day(now), "staff")
    return row


def _record(
    session: Session,
    entity: str,
    entity_id: int,
    unit_id: int | None,
    now: datetime,
    by: Actor,
    **details: object,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action="saved",
        entity=entity,
        entity_id=entity_id,
        unit_id=unit_id,
        saved=details,
    )
