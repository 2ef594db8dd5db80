"""Calendar feeds: the secret addresses by which phones subscribe; only their hashes are kept."""

from datetime import date, datetime

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime

_SUBJECTS = ("person_id", "unit_id", "speaker_id", "venue_id")
_ONE_SUBJECT = " + ".join(f"(CASE WHEN {name} IS NULL THEN 0 ELSE 1 END)" for name in _SUBJECTS)


class FeedToken(Model):
    """One subscription address, of a member, unit, speaker or venue, until it is revoked.

    Its holder chooses an alarm (`alarm_minutes` before the start, None for none) and the titles;
    without a choice of their own the member's, else the board's holds. `chosen_at` is when.
    """

    __tablename__ = "feed_token"
    __table_args__ = (
        CheckConstraint(f"{_ONE_SUBJECT} = 1", name="one_subject"),
        CheckConstraint("alarm_minutes >= 0", name="alarm"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int | None] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    unit_id: Mapped[int | None] = mapped_column(
        ForeignKey("unit.id", ondelete="CASCADE"), index=True
    )
    speaker_id: Mapped[int | None] = mapped_column(
        ForeignKey("speaker.id", ondelete="CASCADE"), index=True
    )
    venue_id: Mapped[int | None] = mapped_column(
        ForeignKey("venue.id", ondelete="CASCADE"), index=True
    )
    alarm_minutes: Mapped[int | None] = mapped_column(Integer)
    neutral_titles: Mapped[bool | None] = mapped_column(Boolean)
    chosen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_on: Mapped[date | None] = mapped_column(Date)
