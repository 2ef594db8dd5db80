"""What every letter says, written from the rows at the moment it leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateways.calendar import Attendee, Method, Organizer, invitation
from gateways.languages import said
from gateways.mail import Button, Envelope, Letter, Mailbox, compose
from models import Invitation, Meeting, MeetingPoint, Person
from rules.calendar import MeetingFacts, neutral, shown_title, spoken_time
from rules.letters import OFF_STATES, Grounds, Guest, guest_of
from rules.refusals import N_
from rules.replies import answer_address
from rules.signing import sign
from services.grounds import kept_bytes
from services.meeting_facts import facts_of, organizer_of
from services.office import office
from services.settings import setting_flag
from services.transaction import reading

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


@dataclass(frozen=True)
class Occasion:
    """A meeting as its letters tell it to the guests of one point, or to all."""

    state: str
    reason: str
    facts: MeetingFacts
    neutral_facts: MeetingFacts

    def told_to(self, guest: Guest) -> MeetingFacts:
        """Give what this guest's calendar says about the meeting."""
        return self.neutral_facts if guest.is_neutral else self.facts


class Writer:
    """Writes letters of one moment: what many of them share is read once."""

    def __init__(self) -> None:
        self._occasions: dict[tuple[object, ...], Occasion] = {}
        self._organizer: Organizer | None = None
        self._has_own_addresses = False

    @property
    def organizer(self) -> Organizer:
        """Who calls the meetings."""
        if self._organizer is None:
            with self._looking() as session:
                self._has_own_addresses = setting_flag(session, "reply_addresses")
                self._organizer = organizer_of(session)
        return self._organizer

    def organizer_for(self, guest: Guest) -> Organizer:
        """Who calls the meetings, at the address where this guest's answer proves itself if the
        board wants that."""
        organizer = self.organizer
        if not self._has_own_addresses:
            return organizer
        address = answer_address(organizer.address, office().secret_key, guest.key)
        return replace(organizer, address=address)

    def occasion(self, grounds: Grounds) -> Occasion:
        """The meeting of these grounds, as it is told at the reader's point."""
        key = (
            grounds.meeting_id,
            grounds.point_id,
            grounds.meeting_state,
            grounds.meeting_sequence,
            grounds.meeting_modified_at,
        )
        if key not in self._occasions:
            with self._looking() as session:
                meeting = session.get_one(Meeting, grounds.meeting_id)
                point = session.get(MeetingPoint, grounds.point_id) if grounds.point_id else None
                self._occasions[key] = occasion_of(meeting, point)
        return self._occasions[key]

    def letter(self, grounds: Grounds, *, now: datetime) -> bytes:
        """Give the bytes of a message as it leaves now; kept bytes are given again unchanged."""
        if grounds.is_written or not grounds.is_about_a_meeting:
            with self._looking() as session:
                return kept_bytes(session, grounds.id)
        guest, occasion = guest_of(grounds), self.occasion(grounds)
        organizer = self.organizer_for(guest)
        envelope = Envelope(
            sender=Mailbox(organizer.address, organizer.name),
            recipient=Mailbox(grounds.to_address, grounds.to_name),
            subject=subject_of(grounds.kind, occasion.told_to(guest), guest.language),
            message_id=grounds.message_id,
            sent_at=now,
            in_reply_to=grounds.first_message_id,
        )
        letter = letter_of(grounds.kind, occasion, guest, organizer)
        if grounds.kind == "reminder":
            return compose(envelope, letter)
        method = Method.CANCEL if grounds.kind == "cancel" else Method.REQUEST
        content = self.calendar_object(occasion, guest, grounds.to_address, method, now)
        return compose(envelope, letter, content, method)

    def calendar_object(
        self, occasion: Occasion, guest: Guest, address: str, method: Method, stamp: datetime
    ) -> bytes:
        """Give the calendar object of one guest's mail as it would be sent now."""
        return invitation(
            occasion.told_to(guest),
            self.organizer_for(guest),
            Attendee(address, guest.name, ANSWERS[guest.answer]),
            method=method,
            stamp=stamp,
            removed=method is Method.CANCEL and occasion.state not in OFF_STATES,
        )

    @contextmanager
    def _looking(self) -> Iterator[Session]:
        """A look at the rows that leaves no transaction open while mail travels."""
        session = reading()
        session.rollback()
        yield session
        session.rollback()


def occasion_of(meeting: Meeting, point: MeetingPoint | None = None) -> Occasion:
    """Give a meeting as its letters tell it, to all or to the guests of one point."""
    facts = facts_of(meeting, point)
    return Occasion(meeting.state, meeting.state_reason, facts, neutral(facts))


def reply_url(key: str) -> str:
    """Give the link by which a guest answers; it reveals nothing and opens only that answer."""
    return f"{office().public_url}/replies/{sign(office().secret_key, REPLY_PURPOSE, key)}"


def opt_out_url(person_id: int) -> str:
    """Give the link by which a person stops reminders."""
    signed = sign(office().secret_key, OPT_OUT_PURPOSE, str(person_id))
    return f"{office().public_url}/reminders/{signed}"


def person_guest(session: Session, meeting: Meeting, person: Person) -> Guest:
    """Give a member as the guest of a meeting, on its list or not."""
    row = session.scalar(
        select(Invitation).where(
            Invitation.meeting_id == meeting.id, Invitation.person_id == person.id
        )
    )
    return Guest(
        person.full_name,
        f"i{row.id if row else 0}",
        row.reply if row else "none",
        person_id=person.id,
        is_neutral=person.neutral_titles,
        language=person.language,
    )


def subject_of(kind: str, facts: MeetingFacts, language: str = "vi") -> str:
    """Give a letter's subject: what happened, what it is about unless that is private, and when."""
    title = shown_title(facts).removeprefix("ĐÃ HUỶ: ")
    when = spoken_time(facts.starts_at, facts.ends_at, language)
    return said(language, SUBJECTS[kind], title=title, when=when)


def letter_of(kind: str, occasion: Occasion, guest: Guest, organizer: Organizer) -> Letter:
    """Give what the letter of one kind says to one guest about one meeting."""
    facts = occasion.facts
    shown = [
        (N_("Nội dung"), facts.summary),
        (N_("Thời gian"), spoken_time(facts.starts_at, facts.ends_at, guest.language)),
        (N_("Địa điểm"), facts.location),
        (N_("Trực tuyến"), facts.online_url),
        (N_("Ghi chú"), facts.description),
        (N_("Lý do"), occasion.reason if kind == "cancel" else ""),
    ]
    say = partial(said, guest.language)
    person_id = guest.person_id if kind == "reminder" else None
    return Letter(
        greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=guest.name),
        paragraphs=[say(_opening(kind, occasion, guest))],
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


def _opening(kind: str, occasion: Occasion, guest: Guest) -> str:
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
    if occasion.state == "cancelled":
        return N_("Buổi sau đã huỷ. Đồng chí không phải đến.")
    if occasion.state == "not_held":
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
