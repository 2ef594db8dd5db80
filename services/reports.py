"""The term report: outreach, classes, study, action plans, histories and commendations, counted."""

from dataclasses import dataclass, replace
from datetime import date, time, timedelta

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Commendation,
    Course,
    Enrolment,
    HistoryProject,
    Meeting,
)
from rules.coverage import households_json, members_json
from rules.days import instant
from rules.permissions import Actor
from rules.reports import Period, check_period, period_around
from services.access import within_scope
from services.campaigns import campaign_for, campaign_list
from services.coverage import CampaignFigures, figures_of
from services.settings import setting_number
from services.transaction import reading


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


def usual_period(kind: str, today: date) -> Period:
    """The month, quarter … or term around a day, by the board's own cut-off day."""
    cutoff_day = setting_number(reading(), "report_cutoff_day")
    return period_around(kind, today, cutoff_day=cutoff_day)


def last_full_period(today: date) -> Period:
    """The quarter before the one that a day lies in: what is usually closed."""
    return usual_period("quarter", usual_period("quarter", today).first_on - timedelta(days=1))


def term_report(first_on: date, last_on: date, *, today: date, by: Actor) -> TermReport:
    """What the days from first to last add up to, both included, by local date.

    Outreach are meetings held, visits their listeners; classes those opened and not called off,
    enrolments those not withdrawn; study every campaign whose window touches the period.
    """
    found = headline_counts(first_on, last_on, today=today, by=by)
    return replace(found, study=_study(reading(), first_on, last_on, by, today))


def headline_counts(first_on: date, last_on: date, *, today: date, by: Actor) -> TermReport:
    """The same without the campaigns, whose figures are not sums over days."""
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
        study=(),
        plans_due=due,
        plans_issued=issued,
        histories_published=published,
        histories_in_progress=in_progress,
        commended=_commended(session, first_on, last_on, by, today),
    )


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
