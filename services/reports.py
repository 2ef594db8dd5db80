"""The term report: outreach, classes, study, action plans, histories and commendations, counted."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from gateways.spreadsheets import Cell, Table, workbook
from models import (
    ActionPlan,
    Campaign,
    Commendation,
    Course,
    Enrolment,
    HistoryProject,
    Meeting,
    Unit,
)
from rules.coverage import households_json, members_json, percent_text
from rules.days import instant, local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.reports import check_period
from rules.text import clean
from services import audit
from services.access import require_unit, within_scope
from services.campaigns import campaign_for, campaign_list
from services.coverage import CampaignFigures, figures_of
from services.transaction import reading, writing
from services.units import unit_names_on


@dataclass(frozen=True)
class Commended:
    """How many recipients: visits (lượt), nobody is named or graded."""

    collectives: int
    individuals: int


@dataclass(frozen=True)
class TermReport:
    """What a period adds up to, for what the reader may see; both days included."""

    first_on: date
    last_on: date
    outreach_meetings: int
    outreach_visits: int
    classes: int
    enrolments: int
    study: tuple[CampaignFigures, ...]
    plans_due: int
    plans_issued: int
    histories_published: int
    histories_in_progress: int
    commended: Commended

    def as_json(self) -> dict[str, object]:
        """The shape in which the command answers."""
        return {
            "from": self.first_on.isoformat(),
            "to": self.last_on.isoformat(),
            "outreach": {"meetings": self.outreach_meetings, "visits": self.outreach_visits},
            "classes": {"classes": self.classes, "enrolments": self.enrolments},
            "study": [
                {
                    "campaign": figures.code,
                    "title": figures.title,
                    "opens_on": figures.opens_on.isoformat(),
                    "deadline_on": figures.deadline_on.isoformat(),
                    "members": members_json(figures.members),
                    "households": households_json(figures.households),
                }
                for figures in self.study
            ],
            "action_plans": {"due": self.plans_due, "issued": self.plans_issued},
            "history_projects": {
                "total": self.histories_published + self.histories_in_progress,
                "published": self.histories_published,
                "in_progress": self.histories_in_progress,
            },
            "commendations": {
                "collectives": self.commended.collectives,
                "individuals": self.commended.individuals,
            },
        }


@dataclass(frozen=True)
class ActionPlanLine:
    """A unit's plan after a campaign: due, and issued or not yet."""

    id: int
    campaign_code: str
    campaign_title: str
    unit_name: str
    due_on: date
    issued_on: date | None
    issued_number: str | None


@dataclass(frozen=True)
class HistoryLine:
    """A unit's writing of its own history."""

    id: int
    unit_name: str
    title: str
    state: str
    started_on: date
    published_on: date | None


@dataclass(frozen=True)
class CommendationLine:
    """One decision's commendations, counted."""

    id: int
    decided_on: date
    decision_number: str
    level: str
    recipient_kind: str
    recipients: int
    unit_name: str


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


def term_report(first_on: date, last_on: date, *, today: date, by: Actor) -> TermReport:
    """What the days from first to last add up to, both included, by local date.

    Outreach are meetings held, visits their listeners; classes those opened and not called off,
    enrolments those not withdrawn; study every campaign whose window touches the period.
    """
    check_period(first_on, last_on)
    session = reading()
    meetings, visits = _outreach(session, first_on, last_on, by, today)
    classes, enrolments = _classes(session, first_on, last_on, by, today)
    due, issued = _action_plans(session, first_on, last_on, by, today)
    published, in_progress = _histories(session, first_on, last_on, by, today)
    return TermReport(
        first_on=first_on,
        last_on=last_on,
        outreach_meetings=meetings,
        outreach_visits=visits,
        classes=classes,
        enrolments=enrolments,
        study=_study(session, first_on, last_on, by, today),
        plans_due=due,
        plans_issued=issued,
        histories_published=published,
        histories_in_progress=in_progress,
        commended=_commended(session, first_on, last_on, by, today),
    )


def term_workbook(first_on: date, last_on: date, *, now: datetime, by: Actor) -> bytes:
    """The term report as a workbook; its leaving is logged."""
    report = term_report(first_on, last_on, today=local_day(now), by=by)
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="exported",
            entity="report",
            entity_id="term",
            first_on=first_on,
            last_on=last_on,
        )
    return workbook(_sheets(report))


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
    number = clean(issued_number)
    if (issued_on is None) != (not number):
        raise Malformed(N_("Kế hoạch đã ban hành cần cả số và ngày văn bản."))
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


def add_history(plan: HistoryPlan, *, now: datetime, by: Actor) -> None:
    """Write down a history project; with a day of publication it is published."""
    if not clean(plan.title):
        raise Malformed(N_("Công trình lịch sử chưa có tên. Hãy nhập tên."))
    with writing() as session:
        require_unit(session, by, plan.unit_id, local_day(now), "staff")
        row = HistoryProject(
            unit_id=plan.unit_id,
            title=clean(plan.title),
            started_on=plan.started_on,
            published_on=plan.published_on,
            state="published" if plan.published_on else "in_progress",
        )
        session.add(row)
        session.flush()
        _record(session, "history_project", row.id, plan.unit_id, now, by, state=row.state)


def publish_history(history_id: int, published_on: date, *, now: datetime, by: Actor) -> None:
    """Write down the day a history was published."""
    with writing() as session:
        row = session.get(HistoryProject, history_id)
        if row is None:
            raise NotFound(N_("Không tìm thấy công trình này."))
        require_unit(session, by, row.unit_id, local_day(now), "staff")
        if row.state == "published":
            raise Refusal(N_("Công trình “%(title)s” đã xuất bản rồi."), title=row.title)
        if published_on < row.started_on:
            raise Malformed(N_("Ngày xuất bản trước ngày bắt đầu. Hãy xem lại."))
        row.state, row.published_on = "published", published_on
        _record(session, "history_project", row.id, row.unit_id, now, by, state="published")


def add_commendation(plan: CommendationPlan, *, now: datetime, by: Actor) -> None:
    """Write down a decision and how many it commends."""
    if not clean(plan.decision_number) or plan.recipients < 1:
        raise Malformed(N_("Khen thưởng cần số quyết định và ít nhất một lượt. Hãy xem lại."))
    with writing() as session:
        require_unit(session, by, plan.unit_id, local_day(now), "staff")
        row = Commendation(
            decided_on=plan.decided_on,
            decision_number=clean(plan.decision_number),
            level=plan.level,
            unit_id=plan.unit_id,
            recipient_kind=plan.recipient_kind,
            recipients=plan.recipients,
        )
        session.add(row)
        session.flush()
        _record(session, "commendation", row.id, plan.unit_id, now, by, recipients=row.recipients)


def action_plans(*, today: date, by: Actor, campaign: str = "") -> list[ActionPlanLine]:
    """The plans within scope, those not issued first, by the day they are due."""
    session = reading()
    rows = session.execute(
        select(ActionPlan, Campaign.code, Campaign.title)
        .join(Campaign, Campaign.id == ActionPlan.campaign_id)
        .where(
            within_scope(by, ActionPlan.unit_id, today),
            *([Campaign.code == campaign] if campaign else []),
        )
        .order_by(ActionPlan.issued_on.is_not(None), ActionPlan.due_on.desc(), ActionPlan.id)
    ).all()
    names = unit_names_on(session, [row[0].unit_id for row in rows], today)
    return [
        ActionPlanLine(
            plan.id,
            code,
            title,
            names[plan.unit_id],
            plan.due_on,
            plan.issued_on,
            plan.issued_number,
        )
        for plan, code, title in rows
    ]


def histories(*, today: date, by: Actor) -> list[HistoryLine]:
    """The history projects within scope, those in progress first."""
    session = reading()
    rows = session.scalars(
        select(HistoryProject)
        .where(within_scope(by, HistoryProject.unit_id, today))
        .order_by(HistoryProject.state, HistoryProject.started_on)
    ).all()
    names = unit_names_on(session, [row.unit_id for row in rows], today)
    return [
        HistoryLine(
            row.id, names[row.unit_id], row.title, row.state, row.started_on, row.published_on
        )
        for row in rows
    ]


def commendations(*, today: date, by: Actor) -> list[CommendationLine]:
    """The commendations within scope, newest first."""
    session = reading()
    rows = session.scalars(
        select(Commendation)
        .where(within_scope(by, Commendation.unit_id, today))
        .order_by(Commendation.decided_on.desc(), Commendation.id.desc())
    ).all()
    names = unit_names_on(session, [row.unit_id for row in rows if row.unit_id], today)
    return [
        CommendationLine(
            row.id,
            row.decided_on,
            row.decision_number,
            row.level,
            row.recipient_kind,
            row.recipients,
            names.get(row.unit_id or 0, ""),
        )
        for row in rows
    ]


def units_for_reports(*, today: date, by: Actor) -> list[tuple[int, str]]:
    """The reporting units within scope, ids with names, for the forms."""
    rows = reading().execute(
        select(Unit.id, Unit.name)
        .where(Unit.tree == "party", within_scope(by, Unit.id, today, "staff"))
        .where(Unit.kind.has(is_grassroots=True))
        .order_by(Unit.position, Unit.fold)
    )
    return [(row.id, row.name) for row in rows]


def _outreach(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> tuple[int, int]:
    row = session.execute(
        select(func.count(), func.coalesce(func.sum(Meeting.visits_count), 0)).where(
            Meeting.kind == "outreach",
            Meeting.state == "held",
            Meeting.starts_at >= instant(first_on, time.min),
            Meeting.starts_at < instant(last_on + timedelta(days=1), time.min),
            within_scope(by, Meeting.organiser_id, today),
        )
    ).one()
    return row[0], int(row[1])


def _classes(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> tuple[int, int]:
    opened = and_(
        Course.opens_on.between(first_on, last_on),
        Course.state != "cancelled",
        within_scope(by, Course.organiser_id, today),
    )
    classes = session.scalar(select(func.count(Course.id)).where(opened)) or 0
    enrolments = session.scalar(
        select(func.count(Enrolment.id))
        .join(Course, Course.id == Enrolment.course_id)
        .where(opened, Enrolment.withdrawn_on.is_(None))
    )
    return classes, enrolments or 0


def _study(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> tuple[CampaignFigures, ...]:
    """Campaigns whose window touches the period, with their figures as of its end, or now."""
    chosen = [
        line
        for line in campaign_list(today=today, by=by, states=("open", "closed"))
        if line.opens_on <= last_on and line.deadline_on >= first_on
    ]
    return tuple(
        figures_of(
            session,
            campaign_for(session, by, line.code, today),
            by=by,
            today=today,
            as_of=last_on if last_on < today else None,
        )
        for line in sorted(chosen, key=lambda line: (line.opens_on, line.code))
    )


def _action_plans(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> tuple[int, int]:
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((ActionPlan.issued_on <= last_on, 1), else_=0)), 0),
        ).where(
            ActionPlan.due_on.between(first_on, last_on),
            within_scope(by, ActionPlan.unit_id, today),
        )
    ).one()
    return row[0], int(row[1])


def _histories(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> tuple[int, int]:
    """Published within the period, and under way at its end."""
    under_way = or_(HistoryProject.published_on.is_(None), HistoryProject.published_on > last_on)
    row = session.execute(
        select(
            func.count(case((HistoryProject.published_on.between(first_on, last_on), 1))),
            func.count(case((under_way, 1))),
        ).where(
            HistoryProject.started_on <= last_on,
            within_scope(by, HistoryProject.unit_id, today),
        )
    ).one()
    return row[0], row[1]


def _commended(
    session: Session, first_on: date, last_on: date, by: Actor, today: date
) -> Commended:
    rows = session.execute(
        select(Commendation.recipient_kind, func.sum(Commendation.recipients))
        .where(
            Commendation.decided_on.between(first_on, last_on),
            within_scope(by, Commendation.unit_id, today),
        )
        .group_by(Commendation.recipient_kind)
    )
    totals = {kind: int(total) for kind, total in rows}
    return Commended(totals.get("collective", 0), totals.get("individual", 0))


def _sheets(report: TermReport) -> list[Table]:
    dates = f"Từ {report.first_on:%d/%m/%Y} đến {report.last_on:%d/%m/%Y}"
    return [
        Table(
            name="Tổng hợp",
            title="Báo cáo tổng hợp công tác tuyên truyền, huấn luyện",
            notes=(dates,),
            header=("STT", "Chỉ tiêu", "Số lượng", "Đơn vị tính"),
            rows=_summary_rows(report),
        ),
        Table(
            name="Học tập nghị quyết",
            title="Kết quả học tập, quán triệt",
            notes=(dates, "Tỉ lệ tính trên diện phải học, cắt bớt chứ không làm tròn."),
            header=(
                "STT",
                "Đợt học tập",
                "Bắt đầu",
                "Hạn chót",
                "Tổng số ĐV",
                "Miễn",
                "Diện phải học",
                "Đã học đợt chính",
                "Học bù",
                "Tổng đã học",
                "Tỉ lệ ĐV",
                "Tổng số hộ",
                "Số hộ tham gia",
                "Tỉ lệ hộ",
            ),
            rows=[_study_row(place, one) for place, one in enumerate(report.study, start=1)],
        ),
    ]


def _summary_rows(report: TermReport) -> list[tuple[Cell, ...]]:
    lines: tuple[tuple[str, int, str], ...] = (
        ("Buổi tuyên truyền đã tổ chức", report.outreach_meetings, "buổi"),
        ("Lượt người nghe", report.outreach_visits, "lượt"),
        ("Lớp lý luận chính trị đã mở", report.classes, "lớp"),
        ("Lượt học viên", report.enrolments, "lượt"),
        ("Kế hoạch hành động phải ban hành", report.plans_due, "đơn vị"),
        ("Kế hoạch hành động đã ban hành", report.plans_issued, "đơn vị"),
        ("Công trình lịch sử đã xuất bản", report.histories_published, "công trình"),
        ("Công trình lịch sử đang biên soạn", report.histories_in_progress, "công trình"),
        ("Lượt tập thể được khen thưởng", report.commended.collectives, "lượt"),
        ("Lượt cá nhân được khen thưởng", report.commended.individuals, "lượt"),
    )
    return [(place, *line) for place, line in enumerate(lines, start=1)]


def _study_row(place: int, figures: CampaignFigures) -> tuple[Cell, ...]:
    members, households = figures.members, figures.households
    return (
        place,
        figures.title,
        figures.opens_on,
        figures.deadline_on,
        members.total,
        members.exempt,
        members.eligible,
        members.covered_main,
        members.covered_makeup,
        members.covered,
        percent_text(members),
        households.total,
        households.covered,
        percent_text(households),
    )


def _record(
    session: Session,
    entity: str,
    entity_id: int,
    unit_id: int | None,
    now: datetime,
    by: Actor,
    **details: date | int | str | None,
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
