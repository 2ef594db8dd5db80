"""Study campaigns: their document, targets, frozen roll, corrections and outside credits."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class Campaign(Model):
    """The parent of its meetings: who must study what, by when, and what counts as done."""

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("deadline_on >= opens_on", name="dates_in_order"),
        CheckConstraint("members_target_percent BETWEEN 1 AND 100", name="members_target"),
        CheckConstraint("households_target_percent BETWEEN 1 AND 100", name="households_target"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    title: Mapped[str] = mapped_column(String(300))
    document_number: Mapped[str] = mapped_column(String(80), default="")
    document_on: Mapped[date | None] = mapped_column(Date)
    document_issuer: Mapped[str] = mapped_column(String(200), default="")
    document_title: Mapped[str] = mapped_column(String(500), default="")
    owner_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    opens_on: Mapped[date] = mapped_column(Date)
    deadline_on: Mapped[date] = mapped_column(Date)
    cutoff_on: Mapped[date] = mapped_column(Date)
    members_target_percent: Mapped[int] = mapped_column(Integer, default=95)
    households_target_percent: Mapped[int] = mapped_column(Integer, default=85)
    completion_rule: Mapped[str] = mapped_column(
        one_of("completion_rule", "any", "all_topics", "at_least"), default="any"
    )
    completion_count: Mapped[int] = mapped_column(Integer, default=1)
    household_counting: Mapped[str] = mapped_column(
        one_of("household_counting", "checklist", "tally", "none"), default="checklist"
    )
    state: Mapped[str] = mapped_column(
        one_of("campaign_state", "draft", "open", "closed"), default="draft"
    )
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CampaignTopic(Model):
    """One of the topics (chuyên đề) that "all topics" means."""

    __tablename__ = "campaign_topic"

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("campaign.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(Integer)
    title: Mapped[str] = mapped_column(String(300))


class CampaignUnit(Model):
    """A unit (with all below it, on either tree) that a campaign covers, and its own target if any."""

    __tablename__ = "campaign_unit"

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    unit_id: Mapped[int] = mapped_column(
        ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True
    )


class CampaignTarget(Model):
    """A unit's own target, where it differs from the campaign's."""

    __tablename__ = "campaign_target"
    __table_args__ = (CheckConstraint("target_percent BETWEEN 1 AND 100", name="target"),)

    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    unit_id: Mapped[int] = mapped_column(
        ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True
    )
    target_percent: Mapped[int] = mapped_column(Integer)


class RollEntry(Model):
    """One person or household on a campaign's frozen roll, with its unit of the cut-off day.

    `unit_id` is the cell or residential group; `grassroots_id` the reporting unit above it (the
    unit itself on the residential tree). `state`: eligible and exempt count in the total, removed
    does not. `covered_on` says since when the person has done the study by the campaign's rule,
    `covered_round` by which round; both are written in the mark's own transaction.
    """

    __tablename__ = "roll_entry"
    __table_args__ = (
        CheckConstraint("(person_id IS NULL) <> (household_id IS NULL)", name="one_subject"),
        CheckConstraint("(covered_on IS NULL) = (covered_round IS NULL)", name="covered_whole"),
        Index("ix_roll_entry_campaign_id_person_id", "campaign_id", "person_id", unique=True),
        Index("ix_roll_entry_campaign_id_household_id", "campaign_id", "household_id", unique=True),
        Index(
            "ix_roll_entry_coverage",
            "campaign_id",
            "population",
            "grassroots_id",
            "state",
            "covered_round",
            "covered_on",
        ),
        Index("ix_roll_entry_campaign_id_unit_id", "campaign_id", "unit_id"),
        Index("ix_roll_entry_person_id", "person_id"),
        Index("ix_roll_entry_household_id", "household_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    population: Mapped[str] = mapped_column(one_of("population", "members", "households"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id", ondelete="RESTRICT")
    )
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    grassroots_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    standing: Mapped[str | None] = mapped_column(one_of("standing", "full", "probationary"))
    state: Mapped[str] = mapped_column(
        one_of("roll_state", "eligible", "exempt", "removed"), default="eligible"
    )
    covered_on: Mapped[date | None] = mapped_column(Date)
    covered_round: Mapped[str | None] = mapped_column(one_of("covered_round", "main", "makeup"))


class RollCorrection(Model):
    """A logged change of a frozen roll: what it was, what it is, who, when and why."""

    __tablename__ = "roll_correction"

    id: Mapped[int] = mapped_column(primary_key=True)
    roll_entry_id: Mapped[int] = mapped_column(
        ForeignKey("roll_entry.id", ondelete="RESTRICT"), index=True
    )
    campaign_id: Mapped[int] = mapped_column(
        ForeignKey("campaign.id", ondelete="RESTRICT"), index=True
    )
    kind: Mapped[str] = mapped_column(
        one_of(
            "correction_kind", "joined", "moved", "exempted", "unexempted", "died", "wrong_entry"
        )
    )
    state_before: Mapped[str | None] = mapped_column(String(24))
    state_after: Mapped[str] = mapped_column(String(24))
    unit_before_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    unit_after_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    grassroots_before_id: Mapped[int | None] = mapped_column(
        ForeignKey("unit.id", ondelete="RESTRICT")
    )
    grassroots_after_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    effective_on: Mapped[date] = mapped_column(Date)
    reason: Mapped[str] = mapped_column(String(300))
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ExternalCredit(Model):
    """Study done elsewhere (province class, online point), with its evidence; counts once."""

    __tablename__ = "external_credit"
    __table_args__ = (
        Index("ix_external_credit_campaign_id_person_id", "campaign_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    studied_on: Mapped[date] = mapped_column(Date)
    place: Mapped[str] = mapped_column(String(200))
    evidence: Mapped[str] = mapped_column(String(300))
    is_makeup: Mapped[bool] = mapped_column(default=False)
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    annulled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class HouseholdTally(Model):
    """A cumulative count of covered households that a group's head declares; the latest counts."""

    __tablename__ = "household_tally"
    __table_args__ = (
        CheckConstraint("households >= 0", name="not_negative"),
        Index(
            "ix_household_tally_campaign_id_unit_id_declared_on",
            "campaign_id",
            "unit_id",
            "declared_on",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    households: Mapped[int] = mapped_column(Integer)
    declared_on: Mapped[date] = mapped_column(Date)
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
