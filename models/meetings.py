"""Meetings (buổi): one dated sitting, its places, speakers, invited units and invitations."""

from datetime import date, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, UtcDateTime, one_of, only_words, word_of

_REGISTER_STATE = word_of("register_state", "not_taken", "draft", "submitted", "locked")


class Venue(Model):
    """A place where meetings are held; one meeting at a time unless `is_shared` (a large building)."""

    __tablename__ = "venue"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    fold: Mapped[str] = mapped_column(String(200), index=True)
    address: Mapped[str] = mapped_column(String(300), default="")
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    capacity: Mapped[int | None] = mapped_column(Integer)
    is_shared: Mapped[bool] = mapped_column(Boolean, default=False)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


class Speaker(Model):
    """A rapporteur or instructor; may have an account, may be somebody from outside."""

    __tablename__ = "speaker"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(180))
    fold: Mapped[str] = mapped_column(String(180), index=True)
    sort_key: Mapped[str] = mapped_column(String(400), default="")
    title: Mapped[str] = mapped_column(String(200), default="")
    level: Mapped[str] = mapped_column(
        one_of("speaker_level", "central", "province", "ward", "grassroots"), default="ward"
    )
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


class MeetingSeries(Model):
    """The rule a set of meetings was made from in one action, so that it can be told again."""

    __tablename__ = "meeting_series"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(300))
    rule: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))


class Meeting(Model):
    """One dated sitting.

    `uid` names it in every calendar for ever. `sequence` rises when time, place or state changes
    (RFC 5546 2.1.4); `modified_at` rises strictly, in whole seconds, with every visible change.
    `counting`: by named roll, or by heads only (then it can never feed coverage). `present_count`
    (named present) and `visits_count` (lượt: named present + heads) are kept with each fact.
    `periods` (tiết) are of a class's sitting; None: nobody has said.
    """

    __tablename__ = "meeting"
    __table_args__ = (
        only_words("register_state", _REGISTER_STATE),
        CheckConstraint("ends_at > starts_at", name="times_in_order"),
        CheckConstraint("periods IS NULL OR periods BETWEEN 0 AND 24", name="periods_of_a_day"),
        Index("ix_meeting_starts_at", "starts_at"),
        Index("ix_meeting_campaign_id_starts_at", "campaign_id", "starts_at"),
        Index("ix_meeting_kind_starts_at", "kind", "starts_at"),
        Index("ix_meeting_organiser_id_starts_at", "organiser_id", "starts_at"),
        Index("ix_meeting_venue_id_starts_at", "venue_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(one_of("meeting_kind", "study", "class", "outreach", "cell"))
    topic: Mapped[str] = mapped_column(String(300))
    description: Mapped[str] = mapped_column(String(2000), default="")
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id", ondelete="RESTRICT"))
    campaign_topic_id: Mapped[int | None] = mapped_column(
        ForeignKey("campaign_topic.id", ondelete="RESTRICT")
    )
    course_id: Mapped[int | None] = mapped_column(
        ForeignKey("course.id", ondelete="RESTRICT"), index=True
    )
    series_id: Mapped[int | None] = mapped_column(
        ForeignKey("meeting_series.id", ondelete="RESTRICT"), index=True
    )
    is_makeup: Mapped[bool] = mapped_column(Boolean, default=False)
    is_thematic: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    periods: Mapped[int | None] = mapped_column(Integer)
    makeup_for_id: Mapped[int | None] = mapped_column(ForeignKey("meeting.id", ondelete="RESTRICT"))
    organiser_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    mode: Mapped[str] = mapped_column(
        one_of("meeting_mode", "in_person", "online", "hybrid"), default="in_person"
    )
    venue_id: Mapped[int | None] = mapped_column(ForeignKey("venue.id", ondelete="RESTRICT"))
    place: Mapped[str] = mapped_column(String(300), default="")
    online_url: Mapped[str] = mapped_column(String(500), default="")
    chair: Mapped[str] = mapped_column(String(180), default="")
    capacity: Mapped[int | None] = mapped_column(Integer)
    counting: Mapped[str] = mapped_column(one_of("counting", "roll", "heads"), default="roll")
    state: Mapped[str] = mapped_column(
        one_of("meeting_state", "draft", "published", "held", "not_held", "cancelled"),
        default="draft",
    )
    state_reason: Mapped[str] = mapped_column(String(300), default="")
    register_state: Mapped[str] = mapped_column(_REGISTER_STATE, default="not_taken")
    register_version: Mapped[int] = mapped_column(Integer, default=0)
    present_count: Mapped[int] = mapped_column(Integer, default=0)
    heads_count: Mapped[int] = mapped_column(Integer, default=0)
    visits_count: Mapped[int] = mapped_column(Integer, default=0)
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    modified_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    calendar_block: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    neutral_block: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    venue: Mapped[Venue | None] = relationship()
    speakers: Mapped[list["MeetingSpeaker"]] = relationship(
        order_by="MeetingSpeaker.position", cascade="all, delete-orphan"
    )
    units: Mapped[list["MeetingUnit"]] = relationship(cascade="all, delete-orphan")
    points: Mapped[list["MeetingPoint"]] = relationship(cascade="all, delete-orphan")


class MeetingSpeaker(Model):
    """Who speaks at a meeting, and what they answered."""

    __tablename__ = "meeting_speaker"

    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True
    )
    speaker_id: Mapped[int] = mapped_column(
        ForeignKey("speaker.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    position: Mapped[int] = mapped_column(Integer, default=0)
    reply: Mapped[str] = mapped_column(
        one_of("reply", "none", "accepted", "tentative", "declined"), default="none"
    )
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    speaker: Mapped[Speaker] = relationship()


class MeetingUnit(Model):
    """A unit (with all below it) invited to a meeting, and at which of its points."""

    __tablename__ = "meeting_unit"

    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="CASCADE"), primary_key=True
    )
    unit_id: Mapped[int] = mapped_column(
        ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    point_id: Mapped[int | None] = mapped_column(
        ForeignKey("meeting_point.id", ondelete="SET NULL")
    )


class MeetingPoint(Model):
    """One of several places of one meeting (điểm cầu)."""

    __tablename__ = "meeting_point"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(
        ForeignKey("meeting.id", ondelete="CASCADE"), index=True
    )
    venue_id: Mapped[int | None] = mapped_column(
        ForeignKey("venue.id", ondelete="RESTRICT"), index=True
    )
    name: Mapped[str] = mapped_column(String(200))
    chair: Mapped[str] = mapped_column(String(180), default="")
    is_main: Mapped[bool] = mapped_column(Boolean, default=False)

    venue: Mapped[Venue | None] = relationship()


class Invitation(Model):
    """A person expected at a meeting, with the unit of that day; made when it is published,
    changed as units, enrolments or the list change. Drafts made from a missing list have theirs
    already (`source` makeup). A removed person keeps the row, with `removed_at`.

    `last_sent_sequence` is the SEQUENCE this person's calendar was last told, None if never.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        Index("ix_invitation_meeting_id_person_id", "meeting_id", "person_id", unique=True),
        Index("ix_invitation_person_id_meeting_id", "person_id", "meeting_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="RESTRICT"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="RESTRICT"))
    point_id: Mapped[int | None] = mapped_column(
        ForeignKey("meeting_point.id", ondelete="SET NULL")
    )
    source: Mapped[str] = mapped_column(
        one_of("invitation_source", "unit", "person", "makeup", "course"), default="unit"
    )
    reply: Mapped[str] = mapped_column(
        one_of("reply", "none", "accepted", "tentative", "declined"), default="none"
    )
    excused: Mapped[bool] = mapped_column(Boolean, default=False)
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_sent_sequence: Mapped[int | None] = mapped_column(Integer)
    last_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CalendarDay(Model):
    """A day that differs from the library's holidays: a day off, or a swapped working day."""

    __tablename__ = "calendar_day"

    on: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[str] = mapped_column(one_of("day_kind", "off", "working"))
    name: Mapped[str] = mapped_column(String(200))
