"""Templates of documents that units uploaded: every version, and which one is in use."""

from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime


class DocumentTemplate(Model):
    """One uploaded version of a unit's template for a kind of document.

    `digest` is the SHA-256 of `content`. At most one version of a unit and kind is in use.
    """

    __tablename__ = "document_template"
    __table_args__ = (
        UniqueConstraint("unit_id", "kind", "version"),
        CheckConstraint("size > 0 AND size <= 2000000", name="size_in_bounds"),
        CheckConstraint("version > 0", name="counts_from_one"),
        Index(
            "uq_document_template_in_use",
            "unit_id",
            "kind",
            unique=True,
            sqlite_where=text("is_active = 1"),
            postgresql_where=text("is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    kind: Mapped[str] = mapped_column(String(24))
    version: Mapped[int] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(Boolean, default=False)
    file_name: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    size: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_account_id: Mapped[int | None] = mapped_column(Integer)
    by_name: Mapped[str] = mapped_column(String(180))
