"""People and households: who they are, as little as serves, and where they belong by date."""

from datetime import date, datetime

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class Person(Model):
    """A member, or a learner outside the roll (no membership row then).

    Only the birth year is kept, to tell namesakes apart. `fold` is the search key, `sort_key`
    orders by given name as Vietnamese does; both are made by `rules.text`. `wants_mail` is the
    person's own choice, None before one was made. Since `restricted_on` nothing is sent to them.
    `anonymised_at`: the row stands for somebody whose name is no longer kept.
    """

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    family_and_middle: Mapped[str] = mapped_column(String(120))
    given_name: Mapped[str] = mapped_column(String(60))
    full_name: Mapped[str] = mapped_column(String(180))
    fold: Mapped[str] = mapped_column(String(180), index=True)
    sort_key: Mapped[str] = mapped_column(String(400), index=True)
    birth_year: Mapped[int | None] = mapped_column(Integer)
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))
    email_failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    language: Mapped[str] = mapped_column(one_of("language", "vi", "en"), default="vi")
    neutral_titles: Mapped[bool] = mapped_column(Boolean, default=True)
    wants_reminders: Mapped[bool] = mapped_column(Boolean, default=True)
    wants_mail: Mapped[bool | None] = mapped_column(Boolean)
    restricted_on: Mapped[date | None] = mapped_column(Date)
    anonymised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    died_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Membership(Model):
    """A member in a cell, full or probationary, from a day up to (not including) another."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        Index("ix_membership_person_id_valid_from", "person_id", "valid_from", unique=True),
        Index("ix_membership_unit_id_valid_to", "unit_id", "valid_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    standing: Mapped[str] = mapped_column(
        one_of("standing", "full", "probationary"), default="full"
    )
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class Exemption(Model):
    """Exempt from activities by the cell's decision, for a time; the reason is never kept."""

    __tablename__ = "exemption"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        Index("ix_exemption_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    decision_number: Mapped[str | None] = mapped_column(String(60))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class Household(Model):
    """A household by its number in a residential group; a representative's name is optional."""

    __tablename__ = "household"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    number: Mapped[str] = mapped_column(String(20))
    representative: Mapped[str | None] = mapped_column(String(180))
    fold: Mapped[str] = mapped_column(String(220), index=True)
    phone: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HouseholdResidence(Model):
    """In which residential group a household was, by date."""

    __tablename__ = "household_residence"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        Index(
            "ix_household_residence_household_id_valid_from",
            "household_id",
            "valid_from",
            unique=True,
        ),
        Index("ix_household_residence_unit_id_valid_to", "unit_id", "valid_to"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="RESTRICT"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
