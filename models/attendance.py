"""The attendance ledger: marks that are only ever added, and what they add up to now."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, index_of_some, one_of, only_words, word_of

STATUSES = ("present", "late", "left_early", "excused", "unexcused", "none")
_STATUS = word_of("mark_status", *STATUSES)
_SOURCE = word_of("mark_source", "phone", "desk", "paper", "import")
_FLAG = word_of("mark_flag", "after_lock", "not_on_roll", "clock", "conflict", "late")


class Mark(Model):
    """One fact: somebody with this device said at this time that this subject had this status.

    `id` is made on the phone, so the same mark sent twice is one row. `status` "none" with
    `annuls` takes an earlier mark back. The unit is that of the day. Rows are never changed or
    deleted. `subject` is "m:<person id>", "h:<household id>" or "w:<walk-in uuid>". `tapped_at` is
    what the device's clock said; `corrected_at` the same moment without that clock's error.
    """

    __tablename__ = "mark"
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN person_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN household_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN walk_in_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_subject",
        ),
        only_words("status", _STATUS),
        only_words("source", _SOURCE),
        only_words("flag", _FLAG),
        Index("ix_mark_meeting_id_subject", "meeting_id", "subject"),
        Index("ix_mark_person_id", "person_id"),
        index_of_some("ix_mark_household_id", "household_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    subject: Mapped[str] = mapped_column(String(40))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id", ondelete="RESTRICT")
    )
    walk_in_id: Mapped[str | None] = mapped_column(ForeignKey("walk_in.id", ondelete="RESTRICT"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(_STATUS)
    annuls_id: Mapped[str | None] = mapped_column(String(36))
    tapped_at: Mapped[datetime] = mapped_column(UtcDateTime)
    corrected_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    marked_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    link_id: Mapped[int | None] = mapped_column(ForeignKey("meeting_link.id", ondelete="SET NULL"))
    device: Mapped[str] = mapped_column(String(60), default="")
    source: Mapped[str] = mapped_column(_SOURCE, default="phone")
    flag: Mapped[str | None] = mapped_column(_FLAG)


class RegisterLine(Model):
    """What the marks of one subject at one meeting add up to now; no row means not marked.

    Derived from `mark` in the same transaction; `services.attendance` can rebuild it.
    """

    __tablename__ = "register_line"
    __table_args__ = (
        only_words("status", _STATUS),
        Index("ix_register_line_person_id_meeting_id", "person_id", "meeting_id"),
        index_of_some("ix_register_line_household_id_meeting_id", "household_id", "meeting_id"),
    )

    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="RESTRICT"), primary_key=True
    )
    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id", ondelete="RESTRICT")
    )
    walk_in_id: Mapped[str | None] = mapped_column(ForeignKey("walk_in.id", ondelete="RESTRICT"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(_STATUS)
    mark_id: Mapped[str] = mapped_column(String(36))


class WalkIn(Model):
    """Somebody who came without being on the list, known by the name they gave."""

    __tablename__ = "walk_in"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="RESTRICT"), index=True
    )
    name: Mapped[str] = mapped_column(String(200))
    unit_text: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HeadCount(Model):
    """A count of heads at a meeting, by label; the latest for each label counts, earlier stay."""

    __tablename__ = "head_count"
    __table_args__ = (
        CheckConstraint("heads >= 0", name="not_negative"),
        Index("ix_head_count_meeting_id", "meeting_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    label: Mapped[str] = mapped_column(String(80), default="")
    heads: Mapped[int] = mapped_column(Integer)
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counted_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    link_id: Mapped[int | None] = mapped_column(ForeignKey("meeting_link.id", ondelete="SET NULL"))


class UnlockRequest(Model):
    """A logged request to open a submitted or locked register again, and its answer."""

    __tablename__ = "unlock_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="RESTRICT"), index=True
    )
    reason: Mapped[str] = mapped_column(String(300))
    requested_by: Mapped[str] = mapped_column(String(180))
    requested_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("account.id", ondelete="SET NULL")
    )
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(one_of("unlock_answer", "granted", "refused"))
    answered_by_id: Mapped[int | None] = mapped_column(
        ForeignKey("account.id", ondelete="SET NULL")
    )
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
