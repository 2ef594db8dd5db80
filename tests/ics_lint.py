"""A lint over the raw bytes of calendar objects: most parsers notice few of these faults."""

import re
import unicodedata
from collections.abc import Iterator

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069]")
_NAME = re.compile(r'^([A-Z0-9-]+)((?:;[A-Z0-9-]+=(?:"[^"]*"|[^";:,]*))*):(.*)$')
_NEEDS_VALUE = {"REFRESH-INTERVAL": "DURATION", "SOURCE": "URI"}
_ONCE = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE", "STATUS", "ORGANIZER")
_UNESCAPED = re.compile(r"(?<!\\)[,;]")
_TEXTS = ("SUMMARY", "LOCATION", "DESCRIPTION")
_STATES = ("CONFIRMED", "TENTATIVE", "CANCELLED")

Line = tuple[str, str, str]


def faults(content: bytes) -> list[str]:
    """List every fault found in one calendar object; an empty list means that it is clean."""
    found = list(_byte_faults(content))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return [*found, f"not UTF-8: {error}"]
    lines: list[Line] = []
    for raw in text.replace("\r\n ", "").split("\r\n")[:-1]:
        if _CONTROL.search(raw):
            found.append(f"control character in {raw!r}")
        if unicodedata.normalize("NFC", raw) != raw:
            found.append(f"not NFC: {raw!r}")
        if match := _NAME.match(raw):
            lines.append((match[1], match[2], match[3]))
        else:
            found.append(f"not a content line: {raw!r}")
    return found + list(_structure_faults(lines)) + list(_calendar_faults(lines))


def _byte_faults(content: bytes) -> Iterator[str]:
    if not content.startswith(b"BEGIN:VCALENDAR\r\n"):
        yield "does not begin with VCALENDAR"
    if not content.endswith(b"END:VCALENDAR\r\n"):
        yield "does not end with VCALENDAR"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        yield "bare CR or LF"
    for line in content.split(b"\r\n"):
        if len(line) > 75:
            yield f"line of {len(line)} octets: {line[:40]!r}"
        try:
            line.decode()
        except UnicodeDecodeError:
            yield f"fold inside a character: {line!r}"


def _structure_faults(lines: list[Line]) -> Iterator[str]:
    open_components: list[str] = []
    for name, _, value in lines:
        if name == "BEGIN":
            open_components.append(value)
        elif name == "END":
            if not open_components or open_components.pop() != value:
                yield f"END:{value} closes nothing"
        elif not open_components:
            yield f"{name} outside of every component"
        elif open_components == ["VCALENDAR"] and name == "UID":
            yield "calendar-level UID"
    if open_components:
        yield f"left open: {open_components}"


def _calendar_faults(lines: list[Line]) -> Iterator[str]:
    values = {name: value for name, _, value in lines}
    for required in ("VERSION", "PRODID"):
        if required not in values:
            yield f"no {required}"
    for name, parameters, _ in lines:
        if name in _NEEDS_VALUE and f";VALUE={_NEEDS_VALUE[name]}" not in parameters:
            yield f"{name} without VALUE"
    method = values.get("METHOD", "")
    zones = {value for name, _, value in lines if name == "TZID"}
    seen: list[str] = []
    for event in _events(lines):
        yield from _event_faults(event, method, zones)
        seen += [value for name, _, value in event if name == "UID"]
    if len(seen) != len(set(seen)):
        yield "the same UID twice"
    if method in ("REQUEST", "CANCEL") and len(seen) != 1:
        yield f"{method} with {len(seen)} events"


def _events(lines: list[Line]) -> Iterator[list[Line]]:
    event: list[Line] | None = None
    for line in lines:
        if line[0] == "BEGIN" and line[2] == "VEVENT":
            event = []
        elif line[0] == "END" and line[2] == "VEVENT" and event is not None:
            yield event
            event = None
        elif event is not None:
            event.append(line)


def _event_faults(event: list[Line], method: str, zones: set[str]) -> Iterator[str]:
    counts = {name: sum(1 for line in event if line[0] == name) for name, _, _ in event}
    for name in _ONCE:
        if counts.get(name, 0) > 1:
            yield f"{name} given twice"
    for name in ("UID", "DTSTAMP", "DTSTART", "SEQUENCE", "ORGANIZER"):
        if name not in counts:
            yield f"event without {name}"
    if "RRULE" in counts:
        yield "RRULE: one event per meeting"
    yield from _people_faults(event, counts, method)
    for name, parameters, value in event:
        yield from _value_faults(name, parameters, value, zones)
    times = {name: value for name, _, value in event}
    if times.get("DTEND", "9") <= times.get("DTSTART", ""):
        yield "DTEND not after DTSTART"


def _people_faults(event: list[Line], counts: dict[str, int], method: str) -> Iterator[str]:
    attendees = counts.get("ATTENDEE", 0)
    if method == "PUBLISH" and attendees:
        yield "PUBLISH with ATTENDEE"
    if method in ("REQUEST", "CANCEL") and attendees != 1:
        yield f"{method} with {attendees} attendees"
    for name, _, value in event:
        if name in ("ATTENDEE", "ORGANIZER") and not re.match(r"mailto:[^\s:]+@[^\s:]+$", value):
            yield f"{name} is no address: {value!r}"


def _value_faults(name: str, parameters: str, value: str, zones: set[str]) -> Iterator[str]:
    if name in _TEXTS and _UNESCAPED.search(value.replace("\\\\", "")):
        yield f"unescaped , or ; in {name}"
    if name in ("DTSTAMP", "CREATED", "LAST-MODIFIED") and not value.endswith("Z"):
        yield f"{name} is not UTC"
    if name in ("DTSTART", "DTEND") and not value.endswith("Z"):
        zone = re.search(r";TZID=([^;:]+)", parameters)
        if zone is None:
            yield f"floating {name}"
        elif zone[1] not in zones:
            yield f"{name} without its VTIMEZONE {zone[1]}"
    if name == "STATUS" and value not in _STATES:
        yield f"STATUS {value}"
