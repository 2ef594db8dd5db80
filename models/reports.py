"""The year's other work that the term report counts: action plans, histories, commendations."""

from datetime import date

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, one_of


class ActionPlan(Model):
    """The plan a unit owes after a campaign: due by a day, issued with a number and date or not yet."""

    __tablename__ = "action_plan"
    __table_args__ = (
        Index("ix_action_plan_campaign_id_unit_id", "campaign_id", "unit_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    due_on: Mapped[date] = mapped_column(Date)
    issued_on: Mapped[date | None] = mapped_column(Date)
    issued_number: Mapped[str | None] = mapped_column(String(80))


class HistoryProject(Model):
    """A unit's writing of its own Party history."""

    __tablename__ = "history_project"

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(one_of("history_state", "in_progress", "published"))
    started_on: Mapped[date] = mapped_column(Date)
    published_on: Mapped[date | None] = mapped_column(Date)


class Commendation(Model):
    """Commendations for study given by one decision, counted; no person is named or graded."""

    __tablename__ = "commendation"
    __table_args__ = (CheckConstraint("recipients > 0", name="some"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    decided_on: Mapped[date] = mapped_column(Date)
    decision_number: Mapped[str] = mapped_column(String(80))
    level: Mapped[str] = mapped_column(
        one_of("commendation_level", "province", "city", "grassroots")
    )
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    recipient_kind: Mapped[str] = mapped_column(
        one_of("recipient_kind", "collective", "individual")
    )
    recipients: Mapped[int] = mapped_column(Integer)


class HistoryStep(Model):
    """A step of a history project (collecting, drafting, hearing, printing): due and done."""

    __tablename__ = "history_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("history_project.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(200))
    due_on: Mapped[date] = mapped_column(Date)
    done_on: Mapped[date | None] = mapped_column(Date)


class LeaderVisit(Model):
    """A leader or specialist assigned to attend a cell's meeting by a day, and the day they did."""

    __tablename__ = "leader_visit"
    __table_args__ = (Index("ix_leader_visit_unit_id_due_on", "unit_id", "due_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    leader: Mapped[str] = mapped_column(String(180))
    due_on: Mapped[date] = mapped_column(Date)
    done_on: Mapped[date | None] = mapped_column(Date)
