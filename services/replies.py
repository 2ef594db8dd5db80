"""Answers to invitations, given by the signed link of a letter without any account."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from models import Invitation, Meeting, MeetingPoint, MeetingSpeaker, Person
from rules.calendar import spoken_time
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.signing import unsign
from services import audit
from services.letters import REPLY_PURPOSE
from services.meeting_facts import OFF_STATES, facts_of
from services.office import office
from services.transaction import reading, writing

ANSWERS = ("accepted", "declined")


@dataclass(frozen=True)
class ReplyPage:
    """What the page behind a letter's link shows: the meeting as it is now, and the answer given."""

    name: str
    topic: str
    when: str
    place: str
    online_url: str
    description: str
    answer: str
    excused: bool
    closed: str
    is_speaker: bool


@dataclass
class _Guest:
    """The row that a link answers for, and whose it is."""

    meeting: Meeting
    row: Invitation | MeetingSpeaker
    name: str
    point: MeetingPoint | None
    is_removed: bool


def reply_page(signed: str, *, now: datetime) -> ReplyPage:
    """Give the page of a signed link; a wrong or altered one is NotFound."""
    guest = _guest(reading(), signed)
    facts = facts_of(guest.meeting, guest.point)
    return ReplyPage(
        name=guest.name,
        topic=facts.summary,
        when=spoken_time(facts.starts_at, facts.ends_at),
        place=facts.location,
        online_url=facts.online_url,
        description=facts.description,
        answer=guest.row.reply,
        excused=isinstance(guest.row, Invitation) and guest.row.excused,
        closed=_closed(guest, now),
        is_speaker=isinstance(guest.row, MeetingSpeaker),
    )


def record_reply(signed: str, answer: str, *, excused: bool, now: datetime) -> None:
    """Keep the answer of the one person a link is for; the newest answer counts.

    No reason is asked for or kept: only whether somebody who cannot come asks to be excused. An
    answer never marks attendance.
    """
    if answer not in ANSWERS:
        raise Malformed(N_("Hãy chọn “Tôi sẽ dự” hoặc “Tôi không dự được”."))
    with writing() as session:
        guest = _guest(session, signed)
        if closed := _closed(guest, now):
            raise Refusal(N_("Không nhận trả lời nữa: %(why)s"), why=closed)
        guest.row.reply, guest.row.replied_at = answer, now
        if isinstance(guest.row, Invitation):
            guest.row.excused = excused and answer == "declined"
        audit.record(
            session,
            now=now,
            by=Actor("Người được mời"),
            action="replied",
            entity="meeting",
            entity_id=guest.meeting.id,
            unit_id=guest.meeting.organiser_id,
            answer=answer,
            guest=unsign(office().secret_key, REPLY_PURPOSE, signed),
        )


def _guest(session: Session, signed: str) -> _Guest:
    subject = unsign(office().secret_key, REPLY_PURPOSE, signed)
    guest = None
    if subject is not None and subject[:1] == "i" and subject[1:].isdecimal():
        guest = _invited(session, int(subject[1:]))
    elif subject is not None and subject[:1] == "s":
        meeting_id, _, speaker_id = subject[1:].partition("-")
        guest = _speaking(session, int(meeting_id), int(speaker_id))
    if guest is None:
        raise NotFound(N_("Liên kết này không còn dùng được. Hãy mở thư mới nhất."))
    return guest


def _invited(session: Session, invitation_id: int) -> _Guest | None:
    row = session.get(Invitation, invitation_id)
    if row is None:
        return None
    point = session.get(MeetingPoint, row.point_id) if row.point_id else None
    person = session.get_one(Person, row.person_id)
    meeting = session.get_one(Meeting, row.meeting_id)
    return _Guest(meeting, row, person.full_name, point, row.removed_at is not None)


def _speaking(session: Session, meeting_id: int, speaker_id: int) -> _Guest | None:
    row = session.get(MeetingSpeaker, (meeting_id, speaker_id))
    if row is None:
        return None
    return _Guest(session.get_one(Meeting, meeting_id), row, row.speaker.name, None, False)


def _closed(guest: _Guest, now: datetime) -> str:
    """Why the answer cannot be given any more, or nothing."""
    if guest.is_removed:
        return N_("đồng chí không còn trong danh sách mời.")
    if guest.meeting.state in OFF_STATES:
        return N_("buổi đã huỷ.")
    if guest.meeting.starts_at <= now:
        return N_("buổi đã bắt đầu.")
    return ""
