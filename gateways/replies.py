"""Reading the mails that come back: answers of calendars, returned letters, automatic mail.

Everything here is written by strangers. Nothing is trusted, nothing is followed, and whatever goes
wrong inside is one GatewayError.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from zoneinfo import ZoneInfo, available_timezones

from icalendar.parser import Contentline, Contentlines, Parameters

from gateways.errors import GatewayError
from rules.calendar import clean_line, clean_text, cut
from rules.days import LOCAL
from rules.replies import Bounce, CalendarAnswer, ReceivedMail

MAIL_BYTES = 256_000
_HEADER_CHARACTERS = 2000
_PARTS = 60
_LINES = 5000
_MOST_SEQUENCE = 2**31 - 1
_RECIPIENT_HEADERS = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
_AUTOMATIC_SUBJECT = re.compile(
    r"^\W*(automatic reply|auto(matic)?[- ]?(reply|response)|out of (the )?office|"
    r"trả lời tự động|thư trả lời tự động|vắng mặt)\b",
    re.IGNORECASE,
)
_Line = tuple[str, Parameters, str]


def read_mail(content: bytes) -> ReceivedMail:
    """Read one raw mail; raises GatewayError, and nothing else, when it cannot be read."""
    if len(content) > MAIL_BYTES:
        raise GatewayError(f"Thư {len(content)} byte, quá lớn.", permanent=True)
    try:
        return _read(content)
    except Exception as error:  # parsers of hostile text raise whatever they like
        raise GatewayError(
            f"Không đọc được thư: {type(error).__name__}.", permanent=True
        ) from error


def message_key(content: bytes) -> str:
    """Give what tells this mail from every other: its Message-ID's hash, or its own."""
    head = re.split(rb"\r?\n\r?\n", content[:MAIL_BYTES], maxsplit=1)[0]
    found = re.search(rb"^message-id:\s*(<[^<>\s]{1,900}>)", head, re.IGNORECASE | re.MULTILINE)
    return hashlib.sha256(found[1] if found else content).hexdigest()


def _read(content: bytes) -> ReceivedMail:
    message = message_from_bytes(content)
    answer = _answer(message)
    bounce = None if answer else _bounce(message)
    return ReceivedMail(
        message_key=message_key(content),
        kind=_kind(message, answer, bounce),
        from_address=_sender(message),
        to_addresses=tuple(_addresses(message, *_RECIPIENT_HEADERS)),
        subject=cut(clean_line(_header(message, "Subject")), 400),
        answer=answer,
        bounce=bounce,
    )


def _kind(message: Message, answer: CalendarAnswer | None, bounce: Bounce | None) -> str:
    """An answer that a calendar sent by itself is an answer all the same; a request is not."""
    if answer is not None and answer.method in ("REPLY", "COUNTER"):
        return "reply" if answer.method == "REPLY" else "counter"
    if bounce is not None:
        return "bounce"
    if _is_automatic(message):
        return "automatic"
    return "reply" if answer is not None else "letter"


def _is_automatic(message: Message) -> bool:
    """RFC 3834 and what servers wrote before it: such a mail is never answered nor read by staff."""
    submitted = _header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return True
    if _header(message, "Precedence").strip().lower() in ("auto_reply", "bulk", "list", "junk"):
        return True
    if any(name in message for name in ("X-Autoreply", "X-Autorespond", "List-Id")):
        return True
    return bool(_AUTOMATIC_SUBJECT.match(_header(message, "Subject")))


def _header(message: Message, name: str) -> str:
    """A header as text, cut before anything parses it: long ones cost more than they say."""
    value = str(message.get(name, ""))[:_HEADER_CHARACTERS]
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value


def _addresses(message: Message, *names: str) -> list[str]:
    values = [
        str(value)[:_HEADER_CHARACTERS] for name in names for value in message.get_all(name, [])[:5]
    ]
    try:
        return [_address(address) for _, address in getaddresses(values) if "@" in address]
    except (RecursionError, ValueError, IndexError):
        return []


def _sender(message: Message) -> str:
    """The one address a mail is from; of a From that can be read in two ways, none."""
    found = _addresses(message, "From")
    return found[0] if len(found) == 1 else ""


def _address(text: str) -> str:
    """An address as it is compared: without `mailto:`, lower case, bounded."""
    plain = clean_line(text).strip("<> ")
    if plain[:7].lower() == "mailto:":
        plain = plain[7:]
    return plain.lower()[:254]


def _parts(message: Message) -> list[Message]:
    """The mail's parts in order, not looking inside attached mails."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < _PARTS:
        part = waiting.pop(0)
        found.append(part)
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting = [*payload[:_PARTS], *waiting]
    return found


def _answer(message: Message) -> CalendarAnswer | None:
    """The first calendar object that asks or says something; an attached copy counts only when
    there is no inline one.

    Thunderbird sends the same object twice in one mail.
    """
    parts = _parts(message)
    for kind in ("text/calendar", "application/ics"):
        for part in parts:
            if part.get_content_type() == kind:
                answer = _calendar_answer(_text(part))
                return answer if answer.method else None
    return None


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = str(part.get_content_charset() or "utf-8")
    try:
        return content.decode(charset, "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _calendar_answer(text: str) -> CalendarAnswer:
    """Read the few properties an answer needs, line by line, whatever else the object holds.

    Values are not given to the library's typed parsers: a time zone named like a folder, or a
    property twice, makes them raise errors of many kinds (109.257 mutations were tried).
    """
    calendar, events = _properties(text)
    uids = {value for name, _, value in events if name == "UID"}
    people = {}
    for name, parameters, value in events:
        if name == "ATTENDEE":
            people[_address(value)] = _word(parameters.get("PARTSTAT", "NEEDS-ACTION"))
    first = {name: (parameters, value) for name, parameters, value in reversed(events)}
    return CalendarAnswer(
        method=_word(next((value for name, _, value in calendar if name == "METHOD"), "")),
        uid=clean_line(min(uids, default=""))[:255],
        events=len(uids),
        attendees=tuple(people)[:20],
        partstat=next(iter(people.values()), ""),
        sequence=_number(first.get("SEQUENCE")),
        stamped_at=_moment(first.get("DTSTAMP")),
        comment=cut(clean_text(first["COMMENT"][1]).strip(), 2000) if "COMMENT" in first else "",
        starts_at=_moment(first.get("DTSTART")),
        ends_at=_moment(first.get("DTEND")),
    )


def _properties(text: str) -> tuple[list[_Line], list[_Line]]:
    """The properties of the calendar itself and of its events; alarms have attendees of their own."""
    calendar: list[_Line] = []
    events: list[_Line] = []
    inside: list[str] = []
    for name, parameters, value in _lines(text):
        if name == "BEGIN":
            inside.append(_word(value))
        elif name == "END":
            inside = inside[:-1]
        elif inside == ["VCALENDAR"]:
            calendar.append((name, parameters, value))
        elif inside == ["VCALENDAR", "VEVENT"]:
            events.append((name, parameters, value))
    return calendar, events


def _lines(text: str) -> Iterator[_Line]:
    lines: list[Contentline] = Contentlines.from_ical(text)  # type: ignore[no-untyped-call]  # icalendar types it not
    for line in filter(None, lines[:_LINES]):
        try:
            name, parameters, value = line.parts()
        except ValueError:
            continue
        yield name.upper(), parameters, value


def _word(value: object) -> str:
    text = value[0] if isinstance(value, list) and value else value
    return clean_line(str(text)).upper()[:20]


def _number(found: tuple[Parameters, str] | None) -> int:
    """SEQUENCE; left out means 0. What is no number is one that was never sent, so it is doubted."""
    if found is None:
        return 0
    text = found[1].strip()
    plain = text.isascii() and text.isdecimal() and len(text) < 11
    return min(int(text), _MOST_SEQUENCE) if plain else _MOST_SEQUENCE


def _moment(found: tuple[Parameters, str] | None) -> datetime | None:
    """A date-time; one without Z or with an unknown zone is meant in Việt Nam's time."""
    if found is None:
        return None
    parameters, text = found[0], found[1].strip()
    try:
        naive = datetime.strptime(text.removesuffix("Z")[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  # made aware below
    except ValueError:
        return None
    if not 1970 <= naive.year <= 2200:
        return None
    if text.endswith("Z"):
        return naive.replace(tzinfo=UTC)
    zone = str(parameters.get("TZID", ""))
    return naive.replace(tzinfo=ZoneInfo(zone) if zone in available_timezones() else LOCAL)


def _bounce(message: Message) -> Bounce | None:
    """A delivery status (RFC 3464): who could not be reached, and which letter it was."""
    if message.get_content_type() != "multipart/report":
        return None
    address, is_final, original = "", False, ""
    for part in _parts(message):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            address, is_final = _status(part)
        elif kind == "message/rfc822":
            inner = part.get_payload()
            if isinstance(inner, list) and isinstance(inner[0], Message):
                original = str(inner[0].get("Message-ID", ""))
        elif kind == "text/rfc822-headers":
            original = str(message_from_bytes(_text(part).encode()).get("Message-ID", ""))
    return Bounce(address, is_final, clean_line(original)[:200]) if address else None


def _status(part: Message) -> tuple[str, bool]:
    """The first recipient of a status part, and whether the failure is for good."""
    groups = part.get_payload()
    for group in groups[:_PARTS] if isinstance(groups, list) else []:
        if not isinstance(group, Message) or "Action" not in group:
            continue
        named = _header(group, "Original-Recipient") or _header(group, "Final-Recipient")
        failed = _header(group, "Action").strip().lower() == "failed"
        final = _header(group, "Status").strip().startswith("5")
        return _address(named.rpartition(";")[2]), failed and final
    return "", False
