"""When speakers and venues are taken by what is not ours: read from their own calendars."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime


class BusyTime(Model):
    """A span in which a speaker or a venue is taken; only the span is kept, not what it is for."""

    __tablename__ = "busy_time"
    __table_args__ = (
        CheckConstraint("(speaker_id IS NULL) <> (venue_id IS NULL)", name="one_subject"),
        CheckConstraint("ends_at > starts_at", name="times_in_order"),
        Index("ix_busy_time_speaker_id_starts_at", "speaker_id", "starts_at"),
        Index("ix_busy_time_venue_id_starts_at", "venue_id", "starts_at"),
        Index("ix_busy_time_starts_at", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    speaker_id: Mapped[int | None] = mapped_column(ForeignKey("speaker.id", ondelete="CASCADE"))
    venue_id: Mapped[int | None] = mapped_column(ForeignKey("venue.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
