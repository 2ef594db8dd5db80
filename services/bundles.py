"""One letter about several meetings at once: a course published, moved, or taken up late."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from gateways.calendar import EventBlock, Organizer, event_block, published
from gateways.languages import said
from gateways.mail import Envelope, Letter, Mailbox, Sitting, compose
from rules.calendar import DONE_PREFIX, MeetingFacts, shown_title, spoken_time
from rules.letters import Grounds, Guest, guest_of
from rules.refusals import N_
from services import letters
from services.letters import Writer

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


@dataclass(frozen=True)
class _Told:
    """One meeting of the letter: the message it stands for, its facts for this reader, and who that is."""

    message: Grounds
    facts: MeetingFacts
    guest: Guest


def content_of(writer: Writer, messages: Sequence[Grounds], *, now: datetime) -> bytes:
    """Give the bytes of the letter in which these messages leave together, kept ones unchanged.

    A single message is its own letter, with the invitation that its reader's calendar can answer.
    """
    first = messages[0]
    if len(messages) == 1 or first.is_written:
        return writer.letter(first, now=now)
    told = [_told(writer, one) for one in messages]
    told.sort(key=lambda one: (one.facts.starts_at, one.message.meeting_id))
    guest, title = told[0].guest, _title(told[0].facts)
    organizer = writer.organizer
    envelope = Envelope(
        sender=Mailbox(organizer.address, organizer.name),
        recipient=Mailbox(first.to_address, first.to_name),
        subject=said(guest.language, SUBJECTS[_kind(messages)], count=len(told), title=title),
        message_id=first.message_id,
        sent_at=now,
        in_reply_to=first.first_message_id,
    )
    letter = _letter(_kind(messages), told, organizer.name)
    return compose(envelope, letter, attached=published(_blocks(told, organizer)))


def _told(writer: Writer, message: Grounds) -> _Told:
    guest = guest_of(message)
    return _Told(message, writer.occasion(message).told_to(guest), guest)


def _kind(messages: Sequence[Grounds]) -> str:
    kinds = {one.kind for one in messages}
    return kinds.pop() if len(kinds) == 1 else "update"


def _title(facts: MeetingFacts) -> str:
    """The meeting's title, as private as the guest wants it."""
    return shown_title(facts).removeprefix("ĐÃ HUỶ: ").removeprefix(DONE_PREFIX)


def _letter(kind: str, told: Sequence[_Told], office_name: str) -> Letter:
    guest = told[0].guest
    say = partial(said, guest.language)
    paragraphs = [say(OPENINGS[kind], count=len(told))]
    paragraphs.append(say(N_("Mở tệp lich.ics đính kèm để đưa tất cả vào lịch của máy.")))
    return Letter(
        greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=guest.name),
        paragraphs=paragraphs,
        sittings=[_sitting(one) for one in told],
        closing=say(N_("Trân trọng,\n%(organiser)s"), organiser=office_name),
        language=guest.language,
    )


def _sitting(told: _Told) -> Sitting:
    facts, guest = told.facts, told.guest
    is_off = told.message.kind == "cancel"
    topic = said(guest.language, N_("Đã huỷ: %(title)s"), title=facts.summary)
    return Sitting(
        when=spoken_time(facts.starts_at, facts.ends_at, guest.language),
        place=facts.location or facts.online_url,
        topic=topic if is_off else facts.summary,
        url="" if is_off else letters.reply_url(guest.key),
        url_label=said(guest.language, N_("Trả lời")),
    )


def _blocks(told: Sequence[_Told], organizer: Organizer) -> list[EventBlock]:
    """The meetings as published events; what the guest need not come to is shown as cancelled."""
    return [
        event_block(
            replace(one.facts, cancelled=one.facts.cancelled or one.message.kind == "cancel"),
            organizer,
        )
        for one in told
    ]
