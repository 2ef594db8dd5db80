"""Calendar objects as bytes: one event, a whole feed, an invitation, a cancellation."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from itertools import chain, zip_longest
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import (
    Alarm,
    Calendar,
    Component,
    Event,
    Timezone,
    TimezoneStandard,
    vCalAddress,
    vDuration,
    vText,
)
from icalendar.parser import Contentline

from gateways.errors import GatewayError
from rules.calendar import TEXT_CHARACTERS, MeetingFacts, clean_line, clean_text, cut, shown_title

ZONE_NAME = "Asia/Ho_Chi_Minh"
ZONE = ZoneInfo(ZONE_NAME)
PRODUCT = "-//Tuyen Huan//Lich hoc tap//VI"
REFRESH = timedelta(hours=1)
# Raised when the code writes an event differently: bytes kept under another number are rebuilt.
BLOCK_VERSION = 3
_BEGIN = b"BEGIN:VCALENDAR\r\n"
_END = b"END:VCALENDAR\r\n"
_EVENT_BEGIN = b"\r\nBEGIN:VEVENT\r\n"
_EVENT_END = b"\r\nEND:VEVENT\r\n"
_ONE_EVENT_END = b"END:VEVENT\r\n"
_STAMPS = re.compile(rb"(\r\n(?:DTSTAMP|LAST-MODIFIED):)\d{8}T\d{6}Z")
_OWN_LINES = re.compile(rb"(?<=\r\n)(?:DTSTAMP|ATTENDEE|ORGANIZER)[:;].*\r\n(?: .*\r\n)*")


class Method(StrEnum):
    """What an invitation mail asks of its reader's calendar."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


@dataclass(frozen=True)
class Organizer:
    """Who calls the meetings: the address that answers go to, and the name shown."""

    address: str
    name: str


@dataclass(frozen=True)
class Attendee:
    """The one person an invitation is for, and what that person answered so far."""

    address: str
    name: str
    answer: str = "NEEDS-ACTION"


_NOBODY = Organizer("nobody@example.invalid", "")


class EventBlock(NamedTuple):
    """The kept bytes of one event, in the order in which feeds carry them.

    `starts` is `sortable` words: putting hundreds of moments in order costs more than their bytes.
    """

    starts: str
    uid: str
    content: bytes


def sortable(moment: datetime) -> str:
    """Give an instant as words in UTC, to the second, that sort as it does."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def instant_of(words: str) -> datetime:
    """Give the instant that `sortable` words, or longer ones that begin so, stand for."""
    return datetime.fromisoformat(words[:19]).replace(tzinfo=UTC)


def event_block(facts: MeetingFacts, organizer: Organizer) -> EventBlock:
    """Serialise one meeting for feeds; DTSTAMP is LAST-MODIFIED, so equal facts give equal bytes.

    A feed is METHOD:PUBLISH: it has an ORGANIZER and no ATTENDEE (RFC 5546 3.2.1).
    """
    event = _event(facts, organizer, stamp=facts.last_modified_at)
    event.add("TRANSP", "TRANSPARENT" if facts.cancelled else "OPAQUE")
    event.add("STATUS", "CANCELLED" if facts.cancelled else "CONFIRMED")
    content = _read_back(_bytes(event), facts.uid)
    return EventBlock(sortable(facts.starts_at), facts.uid, content)


def with_alarm(block: EventBlock, minutes: int) -> EventBlock:
    """Give the event with an alarm so long before its start, as the library itself would write it.

    The alarm is the same lines for every event, so they are put in instead of kept a second time.
    """
    body = block.content.removesuffix(_ONE_EVENT_END)
    return block._replace(content=body + _alarm(minutes) + _ONE_EVENT_END)


def restamped(block: EventBlock, moment: datetime) -> EventBlock:
    """Give the event as modified at that moment: its holder chose another title or alarm then.

    ICSx5 takes over only what is strictly newer, Evolution only what has another stamp.
    """
    stamp = f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}".encode()
    return block._replace(content=_STAMPS.sub(rb"\g<1>" + stamp, block.content))


@lru_cache(maxsize=64)
def _alarm(minutes: int) -> bytes:
    alarm = Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("DESCRIPTION", "Sắp đến giờ")
    alarm.add("TRIGGER", -timedelta(minutes=minutes))
    return _bytes(alarm)


def feed(name: str, blocks: Iterable[EventBlock]) -> bytes:
    """Join kept events into a whole feed, byte for byte what the library itself would write."""
    body = b"".join(block.content for block in sorted(blocks))
    return _feed_head(clean_line(name)) + body + _END


def published(blocks: Iterable[EventBlock]) -> bytes:
    """Join events into a file to be opened from a letter: METHOD:PUBLISH, any number of meetings.

    An iTIP message that asks for answers may speak of one UID only (RFC 5546 3.2), and Thunderbird
    and others read no further than the first; a file of published events is read whole by all.
    """
    calendar = _calendar()
    calendar.add("METHOD", "PUBLISH")
    calendar.add_component(_zone())
    body = b"".join(block.content for block in sorted(blocks))
    return _bytes(calendar).removesuffix(_END) + body + _END


def checked_feed(content: bytes, events: int) -> bytes:
    """Refuse to let out a feed that is not whole: one such answer empties Thunderbird's calendar.

    Each event was read back when its bytes were made (`event_block`), so here it is enough that
    the frame is whole and that every event begins and ends: reading 200 of them again would cost
    thirty times as much as joining them.
    """
    if not content.startswith(_BEGIN) or not content.endswith(_END):
        raise GatewayError("Tệp lịch bị cắt cụt.", permanent=True)
    begun, ended = content.count(_EVENT_BEGIN), content.count(_EVENT_END)
    if not begun == ended == events:
        raise GatewayError(f"Tệp lịch có {begun}/{ended} buổi, cần {events}.", permanent=True)
    return content


def _read_back(content: bytes, uid: str) -> bytes:
    """Let another pass of the parser confirm that these bytes are one whole event with this UID."""
    read = Event.from_ical(content)
    if not isinstance(read, Event) or str(read.get("UID")) != uid or read.errors:
        raise GatewayError(f"Sự kiện lịch {uid} không đọc lại được.", permanent=True)
    return content


def invitation(
    facts: MeetingFacts,
    organizer: Organizer,
    attendee: Attendee,
    *,
    method: Method,
    stamp: datetime,
    removed: bool = False,
) -> bytes:
    """Give the calendar object of one mail: one event, one attendee, stamped with the mail's time.

    A CANCEL because the meeting is off says STATUS:CANCELLED; a CANCEL to somebody who was only
    taken off the list (`removed`) says nothing about the meeting itself (RFC 5546 3.2.5).
    """
    shared = _shared(facts, method, removed)
    own = (
        f"DTSTAMP:{stamp.astimezone(UTC):%Y%m%dT%H%M%SZ}\r\n".encode(),
        _line("ATTENDEE", _attendee(attendee, asks=method is Method.REQUEST)),
        _organizer_line(organizer),
    )
    return b"".join(chain.from_iterable(zip_longest(shared, own, fillvalue=b"")))


@lru_cache(maxsize=64)
def _shared(facts: MeetingFacts, method: Method, removed: bool) -> list[bytes]:
    """Everybody's object of one meeting as the library writes it, cut where one guest's lines go:
    DTSTAMP, ATTENDEE and ORGANIZER, in the library's order."""
    calendar = _calendar()
    calendar.add("METHOD", method.value)
    calendar.add_component(_zone())
    event = _event(facts, _NOBODY, stamp=facts.created_at)
    event.add("ATTENDEE", _address(_NOBODY.address, _NOBODY.name))
    if method is Method.REQUEST:
        event.add("STATUS", "CONFIRMED")
        event.add("TRANSP", "OPAQUE")
    elif not removed:
        event.add("STATUS", "CANCELLED")
        event.add("TRANSP", "TRANSPARENT")
    calendar.add_component(event)
    parts = _OWN_LINES.split(_bytes(calendar))
    if len(parts) != 4:
        raise GatewayError(f"Sự kiện lịch {facts.uid} không viết được.", permanent=True)
    return parts


@lru_cache(maxsize=64)
def _organizer_line(organizer: Organizer) -> bytes:
    return _line("ORGANIZER", _address(organizer.address, organizer.name))


def _line(name: str, address: vCalAddress) -> bytes:
    """One folded line, by the library."""
    line: bytes = Contentline.from_parts(name, address.params, address, sorted=True).to_ical()
    return line + b"\r\n"


def _event(facts: MeetingFacts, organizer: Organizer, *, stamp: datetime) -> Event:
    event = Event()
    event.add("UID", facts.uid)
    event.add("SEQUENCE", facts.sequence)
    event.add("DTSTAMP", stamp.astimezone(UTC))
    event.add("CREATED", facts.created_at.astimezone(UTC))
    event.add("LAST-MODIFIED", facts.last_modified_at.astimezone(UTC))
    event.add("DTSTART", facts.starts_at.astimezone(ZONE))
    event.add("DTEND", facts.ends_at.astimezone(ZONE))
    event.add("SUMMARY", shown_title(facts))
    event.add("ORGANIZER", _address(organizer.address, organizer.name))
    if facts.location:
        event.add("LOCATION", cut(clean_line(facts.location), TEXT_CHARACTERS))
    if description := _description(facts):
        event.add("DESCRIPTION", description)
    if facts.url:
        event.add("URL", facts.url)
    if facts.categories:
        event.add("CATEGORIES", [clean_line(category) for category in facts.categories])
    return event


def _description(facts: MeetingFacts) -> str:
    lines = [cut(clean_text(facts.description).strip(), TEXT_CHARACTERS)]
    if facts.online_url:
        lines.append(f"Vào họp trực tuyến: {clean_line(facts.online_url)}")
    return "\n".join(line for line in lines if line)


def _attendee(attendee: Attendee, *, asks: bool) -> vCalAddress:
    address = _address(attendee.address, attendee.name)
    address.params["CUTYPE"] = vText("INDIVIDUAL")
    address.params["ROLE"] = vText("REQ-PARTICIPANT")
    address.params["PARTSTAT"] = vText(attendee.answer)
    if asks:
        address.params["RSVP"] = vText("TRUE")
    return address


def _address(address: str, name: str) -> vCalAddress:
    result = vCalAddress(f"mailto:{clean_line(address)}")
    if shown := clean_line(name).replace('"', "'"):
        result.params["CN"] = vText(shown)
    return result


@cache
def _zone() -> Timezone:
    """Viet Nam's one offset; the library's own history (+08 until 1975) upsets Outlook."""
    standard = TimezoneStandard()
    standard.add("DTSTART", datetime(1970, 1, 1))  # noqa: DTZ001  # a zone's own rule
    standard.add("TZOFFSETFROM", timedelta(hours=7))
    standard.add("TZOFFSETTO", timedelta(hours=7))
    standard.add("TZNAME", "+07")
    zone = Timezone()
    zone.add("TZID", ZONE_NAME)
    zone.add_component(standard)
    return zone


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    return calendar


def feed_calendar(name: str) -> Calendar:
    """Give the empty feed as the library holds it; no calendar-level UID, nothing that changes.

    vdirsyncer keeps one event of 200 when the calendar has a UID, and rewrites every event when
    one calendar-level line differs.
    """
    calendar = _calendar()
    calendar.add("METHOD", "PUBLISH")
    calendar.add("NAME", name)
    calendar.add("X-WR-CALNAME", name)
    calendar.add("X-WR-TIMEZONE", ZONE_NAME)
    calendar.add("COLOR", "firebrick")
    calendar.add("REFRESH-INTERVAL", vDuration(REFRESH), {"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT1H")
    calendar.add_component(_zone())
    return calendar


@lru_cache(maxsize=256)
def _feed_head(name: str) -> bytes:
    return _bytes(feed_calendar(name)).removesuffix(_END)


def _bytes(component: Component) -> bytes:
    content: bytes = component.to_ical()
    return content
