"""Tables 5 and 6 of a report: themed cell meetings, and plans to carry out."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Campaign,
    Invitation,
    LeaderVisit,
    Meeting,
    Unit,
    UnitKind,
)
from rules.days import local_day
from rules.refusals import N_
from rules.report_tables import (
    PLANS,
    PLANS_TITLE,
    THEMES,
    THEMES_TITLE,
    Fact,
    Line,
    ReportTable,
)
from services.access import within_scope
from services.report_places import Asked, Places
from services.report_sittings import held_in, single_units
from services.units import on_day

TOPICS_SHOWN = 3


def theme_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 5: the cells' meetings of the period by quarter, with who came and which leaders."""
    facts, topics = _cell_meetings(session, asked)
    for unit_id, done_on in session.execute(
        select(LeaderVisit.unit_id, LeaderVisit.done_on).where(
            LeaderVisit.done_on.between(asked.period.first_on, asked.period.last_on),
            within_scope(asked.by, LeaderVisit.unit_id, asked.today),
        )
    ):
        if done_on is not None:
            facts.append((unit_id, done_on, {"leaders": 1}))
    placed = places.placed(facts)
    lines = []
    for unit in places.units(_cells(session, asked, places) | set(placed.counts)):
        its: dict[str, Fact] = {column.key: 0 for column in THEMES if column.kind == "count"}
        its |= placed.counts.get(unit.id, {})
        its["topics"] = "; ".join(list(topics.get(unit.id, {}))[:TOPICS_SHOWN]) or None
        empty = not any(its[name] for name in ("q1", "q2", "q3", "q4"))
        guessed = unit.id in placed.estimated
        lines.append(Line(unit.code, unit.name, its, is_empty=empty, is_estimate=guessed))
    return [
        ReportTable(
            key="themes",
            number="5",
            title=THEMES_TITLE,
            subject="",
            columns=THEMES,
            lines=tuple(lines),
            note=N_("Lượt dự và lượt diện dự cộng theo buổi."),
        )
    ]


def _cell_meetings(
    session: Session, asked: Asked
) -> tuple[list[tuple[int, date, Mapping[str, int]]], defaultdict[int, dict[str, None]]]:
    """The cells' meetings as facts, and their topics in order, each once."""
    invited = (
        select(func.count())
        .where(Invitation.meeting_id == Meeting.id, Invitation.removed_at.is_(None))
        .scalar_subquery()
    )
    single = single_units(session, asked, "cell")
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.organiser_id,
            Meeting.starts_at,
            Meeting.topic,
            Meeting.present_count,
            invited.label("invited"),
        )
        .where(
            *held_in(asked.period),
            Meeting.kind == "cell",
            Meeting.is_thematic,
            within_scope(asked.by, Meeting.organiser_id, asked.today),
        )
        .order_by(Meeting.starts_at, Meeting.id)
    )
    facts: list[tuple[int, date, Mapping[str, int]]] = []
    topics: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for row in rows:
        day = local_day(row.starts_at)
        unit = single.get(row.id, row.organiser_id)
        counts = {f"q{(day.month + 2) // 3}": 1, "present": row.present_count}
        facts.append((unit, day, counts | {"invited": row.invited}))
        topics[unit][row.topic] = None
    return facts, topics


def _cells(session: Session, asked: Asked, places: Places) -> frozenset[int]:
    """The cells of the report's day within scope."""
    found = session.scalars(
        select(Unit.id)
        .join(UnitKind, UnitKind.code == Unit.kind_code)
        .where(UnitKind.tree == "party", UnitKind.holds_people, on_day(Unit, asked.units_on))
    )
    return places.within_scope(frozenset(found))


def plan_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 6: the plans due in the period, issued by its last day or not."""
    rows = session.execute(
        select(ActionPlan, Campaign.title)
        .join(Campaign, Campaign.id == ActionPlan.campaign_id)
        .where(
            ActionPlan.due_on.between(asked.period.first_on, asked.period.last_on),
            within_scope(asked.by, ActionPlan.unit_id, asked.today),
        )
        .order_by(ActionPlan.due_on, ActionPlan.id)
    ).all()
    by_unit: defaultdict[int, list[tuple[ActionPlan, str]]] = defaultdict(list)
    for plan, title in rows:
        # A duty is not shared out: the part that took over most of the unit answers for it.
        by_unit[_answering(places, plan.unit_id, plan.due_on)].append((plan, title))
    lines = [
        Line(f"{unit.code}:{plan.id}", unit.name, _plan_facts(plan, title, asked))
        for unit in places.units(set(by_unit))
        for plan, title in by_unit[unit.id]
    ]
    return [
        ReportTable(
            key="plans",
            number="6",
            title=PLANS_TITLE,
            subject="",
            columns=PLANS,
            lines=tuple(lines),
        )
    ]


def _answering(places: Places, unit_id: int, on: date) -> int:
    now = places.placed([(unit_id, on, {"plan": 1})]).counts
    return next(unit for unit, counts in now.items() if counts["plan"])


def _plan_facts(plan: ActionPlan, title: str, asked: Asked) -> dict[str, Fact]:
    issued = plan.issued_on is not None and plan.issued_on <= asked.period.last_on
    late = plan.due_on < min(asked.today, asked.period.last_on + timedelta(days=1))
    return {
        "campaign": title,
        "due_on": plan.due_on,
        "document": f"{plan.issued_number}, {plan.issued_on:%d/%m/%Y}" if issued else None,
        "state": N_("Đã ban hành") if issued else N_("Quá hạn") if late else N_("Chưa ban hành"),
        "due": 1,
        "issued": int(issued),
    }
