"""What is to be told: outgoing mail, the call lists for people without e-mail, reminder rules."""

from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class OutgoingMessage(Model):
    """A mail that is due: written in the transaction of its cause, sent by the scheduler.

    `body` is the whole message as it goes out (bytes, CRLF), so that a repeated try is identical.
    `dedup_key` makes one cause one message. Messages of one `bundle` (the meetings of a course, to
    one person) leave as one letter. A claim holds the lease until `lease_until` under
    `lease_token`. `doubts` counts the tries that ended without an answer after the last byte;
    `in_doubt` waits for a person to decide. `sequence` is the meeting's SEQUENCE the message speaks of.
    """

    __tablename__ = "outgoing_message"
    __table_args__ = (
        Index("ix_outgoing_message_state_priority_due_at", "state", "priority", "due_at"),
        Index("ix_outgoing_message_sent_at", "sent_at"),
        Index("ix_outgoing_message_meeting_id_person_id", "meeting_id", "person_id"),
        Index("ix_outgoing_message_bundle", "bundle"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(
        one_of(
            "message_kind",
            "request",
            "update",
            "cancel",
            "reminder",
            "chase",
            "sign_in",
            "notice",
            "digest",
        )
    )
    priority: Mapped[int] = mapped_column(Integer, default=5)
    to_address: Mapped[str] = mapped_column(String(254))
    to_name: Mapped[str] = mapped_column(String(180), default="")
    subject: Mapped[str] = mapped_column(String(400))
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    dedup_key: Mapped[str] = mapped_column(String(200), unique=True)
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    speaker_id: Mapped[int | None] = mapped_column(ForeignKey("speaker.id", ondelete="RESTRICT"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    bundle: Mapped[str | None] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(
        one_of(
            "message_state",
            "queued",
            "claimed",
            "sending",
            "sent",
            "failed",
            "dead",
            "dropped",
            "in_doubt",
        ),
        default="queued",
    )
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    doubts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(36))
    last_error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CallListEntry(Model):
    """Somebody to be told by phone or in person, on their unit's list, until ticked off."""

    __tablename__ = "call_list_entry"
    __table_args__ = (Index("ix_call_list_entry_unit_id_done_at", "unit_id", "done_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    speaker_id: Mapped[int | None] = mapped_column(ForeignKey("speaker.id", ondelete="RESTRICT"))
    meeting_id: Mapped[int | None] = mapped_column(
        ForeignKey("meeting.id", ondelete="RESTRICT"), index=True
    )
    kind: Mapped[str] = mapped_column(
        one_of("call_kind", "request", "update", "cancel", "reminder", "chase", "address_failing")
    )
    dedup_key: Mapped[str] = mapped_column(String(200), unique=True)
    text: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))


class ReminderRule(Model):
    """How long before a meeting of a kind its people are reminded; no kind means every kind."""

    __tablename__ = "reminder_rule"
    __table_args__ = (CheckConstraint("minutes_before > 0", name="before"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None] = mapped_column(
        one_of("meeting_kind", "study", "class", "outreach", "cell")
    )
    minutes_before: Mapped[int] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
