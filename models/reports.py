"""The year's other work that the term report counts: action plans, histories, commendations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


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


class ReportSnapshot(Model):
    """A report as it was closed: every table with n and d, the unit tree of that day, who and when.

    Rows are only ever added; the database refuses the rest. A supplementary report names the one
    it corrects and says why. `digest` is the SHA-256 of `content` in its canonical form.
    """

    __tablename__ = "report_snapshot"
    __table_args__ = (CheckConstraint("last_on >= first_on", name="dates_in_order"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    first_on: Mapped[date] = mapped_column(Date)
    last_on: Mapped[date] = mapped_column(Date)
    view: Mapped[str] = mapped_column(one_of("report_view", "as_was", "restated"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"), index=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    supplements_id: Mapped[int | None] = mapped_column(
        ForeignKey("report_snapshot.id", ondelete="RESTRICT"), index=True
    )
    reason: Mapped[str] = mapped_column(String(300), default="")
    software: Mapped[str] = mapped_column(String(40))
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_account_id: Mapped[int | None] = mapped_column(Integer)
    by_name: Mapped[str] = mapped_column(String(180))


_SQLITE = (
    "CREATE TRIGGER report_snapshot_no_{verb} BEFORE {verb} ON report_snapshot "
    "BEGIN SELECT RAISE(ABORT, 'a closed report is never changed'); END"
)
_FUNCTION = (
    "CREATE OR REPLACE FUNCTION report_snapshot_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'a closed report is never changed'; END $$"
)
_POSTGRESQL = (
    "CREATE TRIGGER report_snapshot_no_{verb} BEFORE {verb} ON report_snapshot "
    "FOR EACH {each} EXECUTE FUNCTION report_snapshot_refuse()"
)


def _guarded_by(dialect: str, statement: str) -> None:
    """A database made from these models refuses changes, as one made by the migrations does."""
    ddl: Any = DDL(statement)  # type: ignore[no-untyped-call]  # the library has no types here
    event.listen(ReportSnapshot.__table__, "after_create", ddl.execute_if(dialect=dialect))


for _verb in ("update", "delete"):
    _guarded_by("sqlite", _SQLITE.format(verb=_verb))
_guarded_by("postgresql", _FUNCTION)
for _verb, _each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
    _guarded_by("postgresql", _POSTGRESQL.format(verb=_verb, each=_each))
