"""One letter about several meetings at once: a course published, moved, or taken up late."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from gateways.calendar import EventBlock, event_block, published
from gateways.languages import said
from gateways.mail import Envelope, Letter, Mailbox, Sitting, compose
from models import Meeting, OutgoingMessage
from rules.calendar import DONE_PREFIX, shown_title, spoken_time
from rules.refusals import N_
from services import letters
from services.letters import Guest
from services.meeting_facts import organizer_of

SUBJECTS = {
    "request": N_("Mời: %(count)s buổi, %(title)s"),
    "update": N_("Thay đổi: %(count)s buổi, %(title)s"),
    "cancel": N_("Huỷ: %(count)s buổi, %(title)s"),
}
OPENINGS = {
    "request": N_("Mời đồng chí dự %(count)s buổi sau:"),
    "update": N_("Các buổi đồng chí được mời có thay đổi. Lịch mới nhất:"),
    "cancel": N_("Đồng chí không phải đến %(count)s buổi sau:"),
}


def content_of(session: Session, messages: Sequence[OutgoingMessage], *, now: datetime) -> bytes:
    """Give the bytes of the letter in which these messages leave together, kept ones unchanged.

    A single message is its own letter, with the invitation that its reader's calendar can answer.
    """
    first = messages[0]
    if len(messages) == 1 or first.body:
        return letters.content_of(session, first, now=now)
    about = [(one, letters.check(session, one, now=now)) for one in messages]
    told = [(one, *found) for one, found in about if found is not None]
    told.sort(key=lambda each: (each[1].starts_at, each[1].id))
    for one, meeting, _ in told:
        one.sequence = meeting.sequence
    kind = _kind(messages)
    guest = told[0][2]
    organizer = organizer_of(session)
    envelope = Envelope(
        sender=Mailbox(organizer.address, organizer.name),
        recipient=Mailbox(first.to_address, first.to_name),
        subject=said(
            guest.language, SUBJECTS[kind], count=len(told), title=_title(told[0][1], guest)
        ),
        message_id=first.message_id,
        sent_at=now,
        in_reply_to=letters.first_message_id(session, first),
    )
    letter = _letter(kind, told, organizer.name)
    return compose(envelope, letter, attached=published(_blocks(session, told)))


def _kind(messages: Sequence[OutgoingMessage]) -> str:
    kinds = {one.kind for one in messages}
    return kinds.pop() if len(kinds) == 1 else "update"


def _title(meeting: Meeting, guest: Guest) -> str:
    """The meeting's title, as private as the guest wants it."""
    title = shown_title(letters.told_facts(meeting, guest))
    return title.removeprefix("ĐÃ HUỶ: ").removeprefix(DONE_PREFIX)


def _letter(
    kind: str, told: Sequence[tuple[OutgoingMessage, Meeting, Guest]], office_name: str
) -> Letter:
    guest = told[0][2]
    say = partial(said, guest.language)
    paragraphs = [say(OPENINGS[kind], count=len(told))]
    paragraphs.append(say(N_("Mở tệp lich.ics đính kèm để đưa tất cả vào lịch của máy.")))
    return Letter(
        greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=guest.name),
        paragraphs=paragraphs,
        sittings=[_sitting(one, meeting, each) for one, meeting, each in told],
        closing=say(N_("Trân trọng,\n%(organiser)s"), organiser=office_name),
        language=guest.language,
    )


def _sitting(message: OutgoingMessage, meeting: Meeting, guest: Guest) -> Sitting:
    facts = letters.told_facts(meeting, guest)
    is_off = message.kind == "cancel"
    topic = said(guest.language, N_("Đã huỷ: %(title)s"), title=facts.summary)
    return Sitting(
        when=spoken_time(facts.starts_at, facts.ends_at, guest.language),
        place=facts.location or facts.online_url,
        topic=topic if is_off else facts.summary,
        url="" if is_off else letters.reply_url(guest.key),
        url_label=said(guest.language, N_("Trả lời")),
    )


def _blocks(
    session: Session, told: Sequence[tuple[OutgoingMessage, Meeting, Guest]]
) -> list[EventBlock]:
    """The meetings as published events; what the guest need not come to is shown as cancelled."""
    organizer = organizer_of(session)
    blocks = []
    for message, meeting, guest in told:
        facts = letters.told_facts(meeting, guest)
        is_off = facts.cancelled or message.kind == "cancel"
        blocks.append(event_block(replace(facts, cancelled=is_off), organizer))
    return blocks
