"""The year's other work as pages show it: what is due, page by page, histories and commendations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Subquery, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Campaign,
    Commendation,
    HistoryProject,
    HistoryStep,
    LeaderVisit,
    Unit,
)
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.works import KINDS, MONDAY, REMIND_DAYS, SOON_DAYS, Progress, is_reminded, state_of
from services.access import within_scope
from services.people_lists import word_conditions
from services.transaction import reading
from services.units import unit_names_on
from services.works import CommendationPlan, HistoryPlan, commendation_for, history_for

Row = TypeVar("Row")
PAGE = 20
NOT_FOUND = N_("Không tìm thấy việc này trong phạm vi của bạn.")


@dataclass(frozen=True)
class Due:
    """One work that a unit owes by a day; `reference` is the number of what was issued, if any."""

    kind: str
    id: int
    unit_id: int
    unit_name: str
    title: str
    due_on: date
    done_on: date | None
    reference: str
    state: str


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; empty means no narrowing. `query` is words of the unit's name."""

    campaign: str = ""
    state: str = ""
    query: str = ""


@dataclass(frozen=True)
class DuePage:
    """One page of what is due; `progress` counts the whole narrowed list, whatever its states."""

    rows: list[Due]
    progress: Progress
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class HistoryLine:
    """A unit's writing of its own history, with how many of its steps are done."""

    id: int
    unit_name: str
    title: str
    state: str
    started_on: date
    published_on: date | None
    steps: Progress


@dataclass(frozen=True)
class CommendationLine:
    """One decision's commendations, counted."""

    id: int
    decided_on: date
    decision_number: str
    level: str
    recipient_kind: str
    recipients: int
    unit_id: int | None
    unit_name: str


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, counted from 1."""

    rows: list[Row]
    total: int
    page: int
    pages: int


def due_page(kind: str, wanted: Wanted, *, page: int, today: date, by: Actor) -> DuePage:
    """The works of a kind within scope: what is overdue first, then what is due next, then what
    was done last. A fixed few statements and at most PAGE rows, however many works there are.
    """
    session = reading()
    works = _works(kind, today, by, wanted)
    counts = _progress(session, works, today)
    total = _of_state(counts, wanted.state)
    page, pages = _within(page, total)
    rows = session.execute(
        select(works)
        .where(*_in_state(works, wanted.state, today))
        .order_by(*_order(works))
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    ).all()
    return DuePage(_lines(session, kind, rows, today), counts, total, page, pages)


def _within(page: int, total: int) -> tuple[int, int]:
    """The page that exists nearest to the one asked for, and how many there are."""
    pages = max(1, -(-total // PAGE))
    return min(max(1, page), pages), pages


def _one_page(
    session: Session, query: Select[Row], order: tuple[Any, ...], page: int
) -> tuple[Sequence[Row], int, int, int]:
    """The rows of one page, how many there are in all, which page it is, and of how many."""
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page, pages = _within(page, total)
    shown = query.order_by(*order).limit(PAGE).offset((page - 1) * PAGE)
    return session.scalars(shown).all(), total, page, pages


def _of_state(counts: Progress, state: str) -> int:
    return {
        "overdue": counts.overdue,
        "soon": counts.soon,
        "due": counts.total - counts.done - counts.overdue,
        "done": counts.done,
    }.get(state, counts.total)


def _in_state(works: Subquery, state: str, today: date) -> list[Any]:
    """The same states as `rules.works.state_of`, asked of the database."""
    is_open = works.c.done_on.is_(None)
    return {
        "overdue": [is_open, works.c.due_on < today],
        "soon": [is_open, _is_soon(works, today)],
        "due": [is_open, works.c.due_on >= today],
        "done": [works.c.done_on.is_not(None)],
    }.get(state, [])


def _is_soon(works: Subquery, today: date) -> Any:
    return works.c.due_on.between(today, today + timedelta(days=SOON_DAYS))


def _order(works: Subquery) -> list[Any]:
    is_open = works.c.done_on.is_(None)
    return [
        case((is_open, 0), else_=1),
        case((is_open, works.c.due_on)),
        works.c.done_on.desc(),
        works.c.unit_fold,
        works.c.id,
    ]


def _progress(session: Session, works: Subquery, today: date) -> Progress:
    is_open = works.c.done_on.is_(None)
    total, done, overdue, soon = session.execute(
        select(
            func.count(),
            func.count(works.c.done_on),
            func.count(case((and_(is_open, works.c.due_on < today), 1))),
            func.count(case((and_(is_open, _is_soon(works, today)), 1))),
        ).select_from(works)
    ).one()
    return Progress(done, total, overdue, soon)


def _lines(session: Session, kind: str, rows: Sequence[Any], today: date) -> list[Due]:
    names = unit_names_on(session, [row.unit_id for row in rows], today)
    return [
        Due(
            kind,
            row.id,
            row.unit_id,
            names[row.unit_id],
            row.title,
            row.due_on,
            row.done_on,
            row.reference or "",
            state_of(row.due_on, row.done_on, today),
        )
        for row in rows
    ]


def _works(kind: str, today: date, by: Actor, wanted: Wanted) -> Subquery:
    """The works of a kind within scope in one shape, wherever they lie."""
    if kind not in KINDS:
        raise NotFound(N_("Không có loại việc này."))
    if kind == "action_plan":
        query = _plans(today, by, wanted.campaign)
    elif kind == "history_step":
        query = _steps(today, by)
    else:
        query = _visits(today, by)
    return query.where(*word_conditions(wanted.query, Unit.fold)).subquery()


def _plans(today: date, by: Actor, campaign: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            ActionPlan.id,
            ActionPlan.unit_id,
            Unit.fold.label("unit_fold"),
            Campaign.title,
            ActionPlan.due_on,
            ActionPlan.issued_on.label("done_on"),
            ActionPlan.issued_number.label("reference"),
        )
        .join(Campaign, Campaign.id == ActionPlan.campaign_id)
        .join(Unit, Unit.id == ActionPlan.unit_id)
        .where(
            within_scope(by, ActionPlan.unit_id, today),
            *([Campaign.code == campaign] if campaign else []),
        )
    )


def _steps(today: date, by: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(
            HistoryStep.id,
            HistoryProject.unit_id,
            Unit.fold.label("unit_fold"),
            (HistoryProject.title + ": " + HistoryStep.name).label("title"),
            HistoryStep.due_on,
            HistoryStep.done_on,
            literal("").label("reference"),
        )
        .join(HistoryProject, HistoryProject.id == HistoryStep.project_id)
        .join(Unit, Unit.id == HistoryProject.unit_id)
        .where(within_scope(by, HistoryProject.unit_id, today))
    )


def _visits(today: date, by: Actor) -> Select[*tuple[Any, ...]]:
    return (
        select(
            LeaderVisit.id,
            LeaderVisit.unit_id,
            Unit.fold.label("unit_fold"),
            LeaderVisit.leader.label("title"),
            LeaderVisit.due_on,
            LeaderVisit.done_on,
            literal("").label("reference"),
        )
        .join(Unit, Unit.id == LeaderVisit.unit_id)
        .where(within_scope(by, LeaderVisit.unit_id, today))
    )


def due_line(kind: str, work_id: int, *, today: date, by: Actor) -> Due:
    """One work within scope."""
    session = reading()
    works = _works(kind, today, by, Wanted())
    row = session.execute(select(works).where(works.c.id == work_id)).all()
    found = _lines(session, kind, row, today)
    if not found:
        raise NotFound(NOT_FOUND)
    return found[0]


def to_remind_of(session: Session, kind: str, *, today: date, by: Actor) -> list[Due]:
    """The works of a kind that somebody is to be reminded of today, by the day they are due."""
    works = _works(kind, today, by, Wanted())
    days = [today + timedelta(days=days) for days in (*REMIND_DAYS, -1)]
    late = [works.c.due_on < today] if today.weekday() == MONDAY else []
    rows = session.execute(
        select(works)
        .where(works.c.done_on.is_(None), or_(works.c.due_on.in_(days), *late))
        .order_by(works.c.due_on, works.c.unit_fold, works.c.id)
    ).all()
    lines = _lines(session, kind, rows, today)
    return [line for line in lines if is_reminded(line.due_on, line.done_on, today)]


def histories(*, page: int, today: date, by: Actor) -> Page[HistoryLine]:
    """The history projects within scope, those in progress first, one page of them."""
    session = reading()
    query = select(HistoryProject).where(within_scope(by, HistoryProject.unit_id, today))
    order = (HistoryProject.state, HistoryProject.started_on.desc(), HistoryProject.id)
    rows, *place = _one_page(session, query, order, page)
    names = unit_names_on(session, [row.unit_id for row in rows], today)
    steps = _steps_done(session, [row.id for row in rows], today)
    lines = [
        HistoryLine(
            row.id,
            names[row.unit_id],
            row.title,
            row.state,
            row.started_on,
            row.published_on,
            steps.get(row.id, Progress(0, 0, 0)),
        )
        for row in rows
    ]
    return Page(lines, *place)


def _steps_done(session: Session, project_ids: list[int], today: date) -> dict[int, Progress]:
    rows = session.execute(
        select(
            HistoryStep.project_id,
            func.count(HistoryStep.done_on),
            func.count(),
            func.count(case((and_(HistoryStep.done_on.is_(None), HistoryStep.due_on < today), 1))),
        )
        .where(HistoryStep.project_id.in_(project_ids))
        .group_by(HistoryStep.project_id)
    )
    return {row[0]: Progress(row[1], row[2], row[3]) for row in rows}


def history_plan(history_id: int, *, now: datetime, by: Actor) -> HistoryPlan:
    """What is written of one project, for its form."""
    row = history_for(reading(), history_id, now, by)
    return HistoryPlan(row.unit_id, row.title, row.started_on, row.published_on)


def commendations(*, page: int, today: date, by: Actor) -> Page[CommendationLine]:
    """The commendations within scope, newest first, one page of them."""
    session = reading()
    query = select(Commendation).where(within_scope(by, Commendation.unit_id, today))
    order = (Commendation.decided_on.desc(), Commendation.id.desc())
    rows, *place = _one_page(session, query, order, page)
    names = unit_names_on(session, [row.unit_id for row in rows if row.unit_id], today)
    lines = [
        CommendationLine(
            row.id,
            row.decided_on,
            row.decision_number,
            row.level,
            row.recipient_kind,
            row.recipients,
            row.unit_id,
            names.get(row.unit_id or 0, ""),
        )
        for row in rows
    ]
    return Page(lines, *place)


def commendation_plan(commendation_id: int, *, now: datetime, by: Actor) -> CommendationPlan:
    """What is written of one decision within scope, for its form."""
    row = commendation_for(reading(), commendation_id, now, by)
    return CommendationPlan(
        row.decided_on,
        row.decision_number,
        row.level,
        row.recipient_kind,
        row.recipients,
        row.unit_id,
    )


def units_that_report(*, today: date, by: Actor) -> list[tuple[int, str]]:
    """The reporting units within scope, ids with names, for the forms."""
    rows = reading().execute(
        select(Unit.id, Unit.name)
        .where(Unit.tree == "party", within_scope(by, Unit.id, today, "staff"))
        .where(Unit.kind.has(is_grassroots=True), Unit.valid_to.is_(None) | (Unit.valid_to > today))
        .order_by(Unit.position, Unit.fold)
    )
    return [(row.id, row.name) for row in rows]
