"""What every letter says, written from the rows at the moment it leaves."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from gateways.calendar import Attendee, Method, Organizer, invitation
from gateways.languages import said
from gateways.mail import Button, Envelope, Letter, Mailbox, compose
from models import Invitation, Meeting, MeetingPoint, MeetingSpeaker, OutgoingMessage, Person
from rules.calendar import MeetingFacts, neutral, shown_title, spoken_time
from rules.outbox import CALENDAR_KINDS
from rules.refusals import N_
from rules.replies import answer_address
from rules.signing import sign
from services.meeting_facts import OFF_STATES, facts_of, organizer_of
from services.office import office
from services.settings import setting_flag

ANSWERS = {
    "none": "NEEDS-ACTION",
    "accepted": "ACCEPTED",
    "tentative": "TENTATIVE",
    "declined": "DECLINED",
}
SUBJECTS = {
    "request": N_("Mời: %(title)s (%(when)s)"),
    "update": N_("Thay đổi: %(title)s (%(when)s)"),
    "cancel": N_("Huỷ: %(title)s (%(when)s)"),
    "reminder": N_("Nhắc: %(title)s (%(when)s)"),
}
REPLY_PURPOSE = "reply"
OPT_OUT_PURPOSE = "opt-out"


class NoLongerTrue(Exception):
    """What the letter would say does not hold any more, so it must not leave."""


def content_of(session: Session, message: OutgoingMessage, *, now: datetime) -> bytes:
    """Give the bytes of a message as it leaves now; kept bytes are given again unchanged.

    Raises NoLongerTrue when the meeting moved on, the person left the list or opted out, or the
    time for it has passed.
    """
    about = check(session, message, now=now)
    if message.body or about is None:
        return message.body
    meeting, guest = about
    return _write(session, meeting, message, guest, now=now)


def check(
    session: Session, message: OutgoingMessage, *, now: datetime
) -> "tuple[Meeting, Guest] | None":
    """Give the meeting and the guest a message is about, None when it is about neither.

    Raises NoLongerTrue when what it would say does not hold any more.
    """
    if message.expires_at is not None and message.expires_at <= now:
        raise NoLongerTrue("Quá hạn gửi.")
    if message.meeting_id is None or message.kind not in SUBJECTS:
        return None
    meeting = session.get_one(Meeting, message.meeting_id)
    if message.speaker_id is not None:
        guest = _speaker_guest(session, meeting, message)
    else:
        guest = _person_guest(session, meeting, message)
    _check_meeting(meeting, message, guest, now, was_asked=_was_asked(session, message))
    return meeting, guest


class Guest:
    """The one person a meeting's letter is for: what is in their calendar and on their list."""

    def __init__(self, name: str, key: str, *, on_list: bool, answer: str = "none") -> None:
        self.name = name
        self.key = key
        self.on_list = on_list
        self.answer = answer
        self.is_neutral = False
        self.is_speaker = False
        self.wants_reminders = True
        self.language = "vi"
        self.point: MeetingPoint | None = None


def reply_url(key: str) -> str:
    """Give the link by which a guest answers; it reveals nothing and opens only that answer."""
    return f"{office().public_url}/replies/{sign(office().secret_key, REPLY_PURPOSE, key)}"


def opt_out_url(person_id: int) -> str:
    """Give the link by which a person stops reminders."""
    signed = sign(office().secret_key, OPT_OUT_PURPOSE, str(person_id))
    return f"{office().public_url}/reminders/{signed}"


def calendar_object(
    session: Session, meeting: Meeting, guest: Guest, address: str, *, cancel: bool, stamp: datetime
) -> bytes:
    """Give the calendar object of one guest's mail as it would be sent now."""
    return invitation(
        told_facts(meeting, guest),
        organizer_for(session, guest),
        Attendee(address, guest.name, ANSWERS[guest.answer]),
        method=Method.CANCEL if cancel else Method.REQUEST,
        stamp=stamp,
        removed=cancel and meeting.state not in OFF_STATES,
    )


def organizer_for(session: Session, guest: Guest) -> Organizer:
    """Give who calls the meeting, at the address where this guest's answer proves itself if the
    board wants that."""
    organizer = organizer_of(session)
    if not setting_flag(session, "reply_addresses"):
        return organizer
    address = answer_address(organizer.address, office().secret_key, guest.key)
    return replace(organizer, address=address)


def person_guest(session: Session, meeting: Meeting, person: Person) -> Guest:
    """Give a member as the guest of a meeting, on its list or not."""
    row = session.scalar(
        select(Invitation).where(
            Invitation.meeting_id == meeting.id, Invitation.person_id == person.id
        )
    )
    on_list = row is not None and row.removed_at is None
    guest = Guest(person.full_name, f"i{row.id if row else 0}", on_list=on_list)
    guest.answer = row.reply if row else "none"
    guest.is_neutral = person.neutral_titles
    guest.wants_reminders = person.wants_reminders
    guest.language = person.language
    if row and row.point_id:
        guest.point = session.get(MeetingPoint, row.point_id)
    return guest


def _person_guest(session: Session, meeting: Meeting, message: OutgoingMessage) -> Guest:
    person = session.get(Person, message.person_id)
    if person is None or person.died_on is not None:
        raise NoLongerTrue("Người nhận không còn trong danh sách.")
    if person.wants_mail is False and message.kind != "cancel":
        raise NoLongerTrue("Người nhận không nhận thư qua e-mail.")
    return person_guest(session, meeting, person)


def _speaker_guest(session: Session, meeting: Meeting, message: OutgoingMessage) -> Guest:
    link = session.get(MeetingSpeaker, (meeting.id, message.speaker_id))
    key = f"s{meeting.id}-{message.speaker_id}"
    guest = Guest(message.to_name, key, on_list=link is not None)
    guest.answer = link.reply if link else "none"
    guest.is_speaker = True
    return guest


def _check_meeting(
    meeting: Meeting, message: OutgoingMessage, guest: Guest, now: datetime, *, was_asked: bool
) -> None:
    is_off = meeting.state in OFF_STATES or not guest.on_list
    if message.kind == "cancel":
        if not is_off:
            raise NoLongerTrue("Buổi vẫn diễn ra.")
        if not was_asked:
            raise NoLongerTrue("Thư mời chưa từng được gửi.")
        return
    if is_off:
        raise NoLongerTrue("Buổi đã huỷ hoặc người nhận đã ra khỏi danh sách.")
    if meeting.state == "draft":
        raise NoLongerTrue("Buổi chưa công bố.")
    if meeting.starts_at <= now:
        raise NoLongerTrue("Buổi đã bắt đầu.")
    if message.kind == "reminder":
        if message.sequence != meeting.sequence:
            raise NoLongerTrue("Buổi đã đổi giờ hoặc nơi họp.")
        if not guest.wants_reminders:
            raise NoLongerTrue("Người nhận không nhận thư nhắc.")


def _was_asked(session: Session, message: OutgoingMessage) -> bool:
    """Whether an earlier letter about the meeting reached this person, or may have."""
    if message.kind != "cancel":
        return True
    earlier = select(OutgoingMessage.id).where(
        _same_reader(message),
        OutgoingMessage.kind.in_(CALENDAR_KINDS),
        or_(OutgoingMessage.state == "sent", OutgoingMessage.attempts > 0),
    )
    return session.scalar(earlier.limit(1)) is not None


def _same_reader(message: OutgoingMessage) -> ColumnElement[bool]:
    """Earlier messages about the same meeting to the same person."""
    same = (
        OutgoingMessage.speaker_id == message.speaker_id
        if message.speaker_id is not None
        else OutgoingMessage.person_id == message.person_id
    )
    return and_(
        OutgoingMessage.meeting_id == message.meeting_id, same, OutgoingMessage.id < message.id
    )


def told_facts(meeting: Meeting, guest: Guest) -> MeetingFacts:
    """Give what this guest's calendar says about the meeting."""
    facts = facts_of(meeting, guest.point)
    return neutral(facts) if guest.is_neutral else facts


def _write(
    session: Session, meeting: Meeting, message: OutgoingMessage, guest: Guest, *, now: datetime
) -> bytes:
    organizer = organizer_for(session, guest)
    envelope = Envelope(
        sender=Mailbox(organizer.address, organizer.name),
        recipient=Mailbox(message.to_address, message.to_name),
        subject=subject_of(
            message.kind, meeting, is_neutral=guest.is_neutral, language=guest.language
        ),
        message_id=message.message_id,
        sent_at=now,
        in_reply_to=first_message_id(session, message),
    )
    letter = letter_of(session, message.kind, meeting, guest, organizer)
    if message.kind == "reminder":
        return compose(envelope, letter)
    cancel = message.kind == "cancel"
    content = calendar_object(session, meeting, guest, message.to_address, cancel=cancel, stamp=now)
    message.sequence = meeting.sequence
    return compose(envelope, letter, content, Method.CANCEL if cancel else Method.REQUEST)


def subject_of(kind: str, meeting: Meeting, *, is_neutral: bool, language: str = "vi") -> str:
    """Give a letter's subject: what happened, what it is about unless that is private, and when."""
    facts = facts_of(meeting)
    title = shown_title(neutral(facts) if is_neutral else facts).removeprefix("ĐÃ HUỶ: ")
    when = spoken_time(meeting.starts_at, meeting.ends_at, language)
    return said(language, SUBJECTS[kind], title=title, when=when)


def first_message_id(session: Session, message: OutgoingMessage) -> str:
    """Give the Message-ID of the first letter about this meeting, so that mails stay together."""
    first = session.scalar(
        select(OutgoingMessage.message_id)
        .where(_same_reader(message), OutgoingMessage.state == "sent")
        .order_by(OutgoingMessage.id)
        .limit(1)
    )
    return first or ""


def letter_of(
    session: Session, kind: str, meeting: Meeting, guest: Guest, organizer: Organizer
) -> Letter:
    """Give what the letter of one kind says to one guest about one meeting."""
    facts = facts_of(meeting, guest.point)
    shown = [
        (N_("Nội dung"), facts.summary),
        (N_("Thời gian"), spoken_time(facts.starts_at, facts.ends_at, guest.language)),
        (N_("Địa điểm"), facts.location),
        (N_("Trực tuyến"), facts.online_url),
        (N_("Ghi chú"), facts.description),
        (N_("Lý do"), meeting.state_reason if kind == "cancel" else ""),
    ]
    say = partial(said, guest.language)
    person_id = _person_id(session, guest) if kind == "reminder" else None
    return Letter(
        greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=guest.name),
        paragraphs=[say(_opening(kind, meeting, guest))],
        facts=[(say(label), value) for label, value in shown if value],
        buttons=_answer_buttons(kind, guest),
        closing=say(N_("Trân trọng,\n%(organiser)s"), organiser=organizer.name),
        opt_out_url=opt_out_url(person_id) if person_id else "",
        opt_out_label=say(N_("Không nhận thư nhắc nữa")),
        language=guest.language,
    )


def _answer_buttons(kind: str, guest: Guest) -> list[Button]:
    """The two answers, wherever one is asked for."""
    if kind == "cancel" or (kind == "reminder" and guest.answer != "none"):
        return []
    url = reply_url(guest.key)
    return [
        Button(said(guest.language, N_("Tôi sẽ dự")), f"{url}?answer=accepted"),
        Button(said(guest.language, N_("Tôi không dự được")), f"{url}?answer=declined"),
    ]


def _person_id(session: Session, guest: Guest) -> int | None:
    if guest.is_speaker:
        return None
    row = session.get(Invitation, int(guest.key[1:]))
    return row.person_id if row else None


def _opening(kind: str, meeting: Meeting, guest: Guest) -> str:
    if kind == "request" and guest.is_speaker:
        return N_("Mời đồng chí lên lớp tại buổi sau:")
    if kind == "request":
        return N_("Mời đồng chí dự buổi sau:")
    if kind == "update":
        return N_("Buổi đồng chí được mời có thay đổi. Thông tin mới nhất:")
    if kind == "reminder" and guest.is_speaker:
        return N_("Nhắc đồng chí lên lớp tại buổi sắp tới:")
    if kind == "reminder":
        return N_("Nhắc đồng chí dự buổi sắp tới:")
    if meeting.state == "cancelled":
        return N_("Buổi sau đã huỷ. Đồng chí không phải đến.")
    if meeting.state == "not_held":
        return N_("Buổi sau không tổ chức được. Đồng chí không phải đến.")
    return N_("Đồng chí không còn trong danh sách mời của buổi sau.")


def sign_in_subject(language: str) -> str:
    """Give the subject of the letter with a one-time sign-in link."""
    return said(language, N_("Liên kết đăng nhập Tuyên Huấn"))


def sign_in_letter(name: str, url: str, minutes: int, language: str = "vi") -> Letter:
    """Give the letter with a one-time sign-in link."""
    say = partial(said, language)
    use = N_("Bấm nút dưới đây để đăng nhập. Liên kết dùng một lần, trong %(minutes)d phút.")
    unasked = N_(
        "Nếu không phải bạn yêu cầu, hãy bỏ qua thư này: không ai vào được nếu không có nó."
    )
    return Letter(
        greeting=say(N_("Chào %(name)s,"), name=name) if name else say(N_("Xin chào,")),
        paragraphs=[say(use, minutes=minutes), say(unasked)],
        buttons=[Button(say(N_("Đăng nhập")), url)],
        language=language,
    )
