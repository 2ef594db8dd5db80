"""Units in time: the Party tree and the residential tree, their names and parents by date."""

from datetime import date

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, one_of


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
