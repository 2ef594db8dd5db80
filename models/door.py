"""What members say at the door by scanning its code: claims, until somebody who takes the register
confirms them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class Claim(Model):
    """A person says they are at a meeting; only a mark on the register makes it count.

    One row for each person and meeting: scanning again changes nothing. `device` is a random word
    kept by the browser, by which several claims from one phone can be seen.
    """

    __tablename__ = "claim"
    __table_args__ = (
        Index("ix_claim_meeting_id_person_id", "meeting_id", "person_id", unique=True),
        Index("ix_claim_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(
        one_of("claim_state", "claimed", "confirmed", "refused"), default="claimed"
    )
    device: Mapped[str] = mapped_column(String(60), default="")
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    link_id: Mapped[int | None] = mapped_column(ForeignKey("meeting_link.id", ondelete="SET NULL"))
