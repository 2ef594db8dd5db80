"""What members ask about their own data: their secret page, their requests, their choices."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class DataLink(Model):
    """A secret address of one person's own page, without any account; only its hash is kept."""

    __tablename__ = "data_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_on: Mapped[date | None] = mapped_column(Date)


class DataRequest(Model):
    """A person's request about their own data, with its clocks; no reason is ever asked for.

    `field` and `proposed` are for corrections only: what is wrong, and what would be right.
    """

    __tablename__ = "data_request"
    __table_args__ = (Index("ix_data_request_state_done_by", "state", "done_by"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    kind: Mapped[str] = mapped_column(
        one_of("data_request_kind", "access", "correction", "objection", "restriction", "deletion")
    )
    field: Mapped[str] = mapped_column(String(24), default="")
    proposed: Mapped[str] = mapped_column(String(200), default="")
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answer_by: Mapped[date] = mapped_column(Date)
    done_by: Mapped[date] = mapped_column(Date)
    is_extended: Mapped[bool] = mapped_column(Boolean, default=False)
    state: Mapped[str] = mapped_column(
        one_of("data_request_state", "new", "answered", "done", "refused"), default="new"
    )
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DataRequestStep(Model):
    """One step of a request: received, answered, extended, done or refused, with what was told."""

    __tablename__ = "data_request_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(
        ForeignKey("data_request.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_name: Mapped[str] = mapped_column(String(180), default="")
    step: Mapped[str] = mapped_column(
        one_of("data_request_step", "received", "answered", "extended", "done", "refused")
    )
    told: Mapped[str] = mapped_column(String(500), default="")


class ChannelChoice(Model):
    """A choice of one channel, kept as proof: when it was taken or withdrawn, and where."""

    __tablename__ = "channel_choice"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(one_of("channel", "mail", "reminders"))
    is_wanted: Mapped[bool] = mapped_column(Boolean)
    chosen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeText(Model):
    """The board's own words for one purpose on the notice, in place of the usual ones."""

    __tablename__ = "notice_text"

    key: Mapped[str] = mapped_column(String(24), primary_key=True)
    data: Mapped[str] = mapped_column(String(1000))
    purpose: Mapped[str] = mapped_column(String(1000))
    basis: Mapped[str] = mapped_column(String(1000))
    recipients: Mapped[str] = mapped_column(String(1000))
    kept: Mapped[str] = mapped_column(String(1000))
