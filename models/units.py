"""Units in time: the Party tree and the residential tree, their names and parents by date."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, UtcDateTime, one_of


class UnitKind(Model):
    """A level of a tree, as data: "tỉnh uỷ" … "tổ đảng", "khối phố", "thôn".

    `is_grassroots` marks the level that reports (tổ chức cơ sở đảng): coverage has a row for each.
    `holds_people` marks the levels people belong to (chi bộ, khối phố).
    """

    __tablename__ = "unit_kind"

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    tree: Mapped[str] = mapped_column(one_of("unit_tree", "party", "residential"))
    name: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(80))
    rank: Mapped[int] = mapped_column(Integer)
    is_grassroots: Mapped[bool] = mapped_column(Boolean, default=False)
    holds_people: Mapped[bool] = mapped_column(Boolean, default=False)


class Unit(Model):
    """A unit from its founding to its end; both days may be open. `valid_to` is the first day after.

    `name`, `fold` and `parent_id` repeat what is true today, for lists; the dated rows are the
    truth for any other day.
    """

    __tablename__ = "unit"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    tree: Mapped[str] = mapped_column(one_of("unit_tree", "party", "residential"))
    kind_code: Mapped[str] = mapped_column(ForeignKey("unit_kind.code"))
    name: Mapped[str] = mapped_column(String(200))
    fold: Mapped[str] = mapped_column(String(200), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)

    kind: Mapped[UnitKind] = relationship()


class UnitName(Model):
    """What a unit was called from one day up to (not including) another."""

    __tablename__ = "unit_name"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        Index("ix_unit_name_unit_id_valid_from", "unit_id", "valid_from", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(String(200))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class UnitParent(Model):
    """Under which unit a unit stood, by date; no row means the top of a tree."""

    __tablename__ = "unit_parent"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        CheckConstraint("unit_id <> parent_id", name="not_its_own_parent"),
        Index("ix_unit_parent_unit_id_valid_from", "unit_id", "valid_from", unique=True),
        Index("ix_unit_parent_parent_id", "parent_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    parent_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class UnitLink(Model):
    """Which Party unit answers for a residential unit (a cell for its groups, a ward for its ward)."""

    __tablename__ = "unit_link"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="dates_in_order"),
        Index(
            "ix_unit_link_residential_id_valid_from", "residential_id", "valid_from", unique=True
        ),
        Index("ix_unit_link_party_id", "party_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    residential_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    party_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class UnitChange(Model):
    """A decision that changes units: drafted, looked at, then confirmed whole or thrown away.

    `plan` says what is to be done (`rules.unit_changes.Plan` as plain values). Nothing of it holds
    until `confirmed_at`; from then on the row is only read.
    """

    __tablename__ = "unit_change"
    __table_args__ = (Index("ix_unit_change_effective_on", "effective_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(
        one_of("unit_change_kind", "found", "rename", "merge", "split", "move", "dissolve")
    )
    effective_on: Mapped[date] = mapped_column(Date)
    decision_number: Mapped[str] = mapped_column(String(80))
    decision_on: Mapped[date | None] = mapped_column(Date)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UnitSuccession(Model):
    """Which unit took over from which, from a day on; facts of before stay with the predecessor.

    `people` are the members (or households) that went over that day: the weights with which counts
    without names are restated. `is_part` marks a split, whose restated counts are estimates; a unit
    that goes on after giving a part away is among its own successors, with who stayed.
    """

    __tablename__ = "unit_succession"
    __table_args__ = (
        CheckConstraint("people >= 0", name="not_negative"),
        Index(
            "ix_unit_succession_predecessor_id_successor_id_on",
            "predecessor_id",
            "successor_id",
            "on",
            unique=True,
        ),
        Index("ix_unit_succession_successor_id", "successor_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    change_id: Mapped[int | None] = mapped_column(ForeignKey("unit_change.id", ondelete="RESTRICT"))
    predecessor_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    successor_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    on: Mapped[date] = mapped_column(Date)
    people: Mapped[int] = mapped_column(Integer)
    is_part: Mapped[bool] = mapped_column(Boolean, default=False)


class UnitLetterhead(Model):
    """How a unit heads and signs its documents; without a row its names and the usual margins hold.

    `recipients` has one a line; margins are millimetres.
    """

    __tablename__ = "unit_letterhead"
    __table_args__ = (
        CheckConstraint(
            "margin_top BETWEEN 0 AND 60 AND margin_bottom BETWEEN 0 AND 60"
            " AND margin_left BETWEEN 0 AND 60 AND margin_right BETWEEN 0 AND 60",
            name="margins",
        ),
    )

    unit_id: Mapped[int] = mapped_column(
        ForeignKey("unit.id", ondelete="CASCADE"), primary_key=True
    )
    superior: Mapped[str] = mapped_column(String(200), default="")
    issuer: Mapped[str] = mapped_column(String(200), default="")
    motto: Mapped[str] = mapped_column(String(200), default="")
    place: Mapped[str] = mapped_column(String(80), default="")
    symbol: Mapped[str] = mapped_column(String(40), default="")
    authority: Mapped[str] = mapped_column(String(120), default="")
    post: Mapped[str] = mapped_column(String(120), default="")
    signer: Mapped[str] = mapped_column(String(120), default="")
    recipients: Mapped[str] = mapped_column(String(1000), default="")
    margin_top: Mapped[int] = mapped_column(Integer, default=25)
    margin_bottom: Mapped[int] = mapped_column(Integer, default=25)
    margin_left: Mapped[int] = mapped_column(Integer, default=35)
    margin_right: Mapped[int] = mapped_column(Integer, default=15)
