"""What comes back by mail: answers from calendars, returned letters, and what a person must read."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class IncomingReply(Model):
    """One mail of the replies' mailbox, whole, with what was read in it and what became of it.

    `message_key` is the hash of its Message-ID, so that a mail fetched twice is taken once. An
    `accepted` answer is on the invitation; (`sequence`, `stamped_at`) of the newest one decides
    whether a later one counts. What is `for_review` waits until somebody has settled it.
    """

    __tablename__ = "incoming_reply"
    __table_args__ = (
        Index("ix_incoming_reply_verdict_reviewed_at", "verdict", "reviewed_at"),
        Index("ix_incoming_reply_meeting_id_person_id", "meeting_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_key: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(
        one_of("reply_kind", "reply", "counter", "bounce", "automatic", "letter", "unreadable")
    )
    verdict: Mapped[str] = mapped_column(
        one_of("reply_verdict", "accepted", "stale", "duplicate", "ignored", "for_review")
    )
    reason: Mapped[str] = mapped_column(String(40), default="")
    from_address: Mapped[str] = mapped_column(String(254), default="")
    subject: Mapped[str] = mapped_column(String(400), default="")
    uid: Mapped[str] = mapped_column(String(255), default="")
    attendee: Mapped[str] = mapped_column(String(254), default="")
    partstat: Mapped[str] = mapped_column(String(20), default="")
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    stamped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment: Mapped[str] = mapped_column(String(2000), default="")
    proposed_start: Mapped[datetime | None] = mapped_column(UtcDateTime)
    proposed_end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    speaker_id: Mapped[int | None] = mapped_column(ForeignKey("speaker.id", ondelete="RESTRICT"))
    raw: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reviewed_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("account.id", ondelete="SET NULL")
    )
