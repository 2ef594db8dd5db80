"""Roster imports on their way: the uploaded file, how its columns are read, what checking found."""

from datetime import date, datetime

from sqlalchemy import JSON, Date, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class RosterImport(Model):
    """One upload from choosing the file to the result; `progress_percent` is polled by the page."""

    __tablename__ = "roster_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(one_of("roster_kind", "members", "households"))
    file_name: Mapped[str] = mapped_column(String(200))
    stored_name: Mapped[str] = mapped_column(String(80))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    effective_on: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(
        one_of(
            "import_state",
            "uploaded",
            "mapping",
            "checking",
            "checked",
            "importing",
            "imported",
            "failed",
        ),
        default="uploaded",
    )
    progress_percent: Mapped[int] = mapped_column(Integer, default=0)
    mapping: Mapped[dict[str, object] | None] = mapped_column(JSON)
    result: Mapped[dict[str, object] | None] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
