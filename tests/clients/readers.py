"""The same calendar object read by programs that share no code: what each says of its meetings."""

import ctypes
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from ctypes.util import find_library
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import vobject  # type: ignore[import-untyped]  # has no types
from icalendar import Calendar

from tests.clients.programs import SETUP, needs
from tests.ics_lint import faults

ICAL_JS = SETUP.parent / "ical.mjs"
SCRIPT = Path(__file__).with_name("read.mjs")
_VEVENT = 4


@dataclass(frozen=True, order=True)
class Told:
    """What a program says of one meeting; times in seconds since 1970, whatever their zone."""

    uid: str
    starts: int
    ends: int
    title: str
    sequence: int
    cancelled: bool


Reader = Callable[[bytes, Path], list[Told]]


def by_our_lint(content: bytes, _folder: Path) -> list[Told]:
    """Raw bytes first; then the library that wrote them."""
    assert faults(content) == []
    return by_icalendar(content)


def by_icalendar(content: bytes) -> list[Told]:
    found = [
        Told(
            uid=str(event["UID"]),
            starts=_seconds(event.start),
            ends=_seconds(event.end),
            title=str(event["SUMMARY"]),
            sequence=int(str(event["SEQUENCE"])),
            cancelled=str(event.get("STATUS", "")) == "CANCELLED",
        )
        for event in Calendar.from_ical(content).events
    ]
    return sorted(found)


def _seconds(moment: object) -> int:
    assert isinstance(moment, datetime), "an event of a whole day"
    return int(moment.timestamp())


def by_vobject(content: bytes, _folder: Path) -> list[Told]:
    """vobject, which Radicale and pretalx are built on."""
    found = vobject.readOne(content.decode()).contents.get("vevent", [])
    return sorted(
        Told(
            uid=event.uid.value,
            starts=int(event.dtstart.value.timestamp()),
            ends=int(event.dtend.value.timestamp()),
            title=event.summary.value,
            sequence=int(event.sequence.value),
            cancelled=hasattr(event, "status") and event.status.value == "CANCELLED",
        )
        for event in found
    )


def by_ical_js(content: bytes, folder: Path) -> list[Told]:
    """ical.js, which Thunderbird and Nextcloud read with."""
    needs(ICAL_JS.is_file() and shutil.which("node"), "ical.js (with node)")
    file = folder / "read.ics"
    file.write_bytes(content)
    done = subprocess.run(
        ["node", str(SCRIPT), str(ICAL_JS), str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return sorted(Told(**one) for one in json.loads(done.stdout)[str(file)])


class _Time(ctypes.Structure):
    """libical's icaltimetype."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("year", "month", "day", "hour", "minute", "second")),
        ("is_date", ctypes.c_int),
        ("is_daylight", ctypes.c_int),
        ("zone", ctypes.c_void_p),
    )


@cache
def _libical() -> Any:
    path = find_library("ical")
    if path is None:
        return None
    library = ctypes.CDLL(path)
    pointers = (
        "icalparser_parse_string", "icalcomponent_get_first_component",
        "icalcomponent_get_next_component",
    )  # fmt: skip
    for name in pointers:
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("icalcomponent_get_uid", "icalcomponent_get_summary"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("icalcomponent_get_dtstart", "icalcomponent_get_dtend"):
        getattr(library, name).restype = _Time
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.icalcomponent_get_first_component.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.icalcomponent_get_next_component.argtypes = [ctypes.c_void_p, ctypes.c_int]
    for name in ("icalrestriction_check", "icalcomponent_count_errors"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("icalcomponent_get_sequence", "icalcomponent_get_status"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.icalcomponent_free.argtypes = [ctypes.c_void_p]
    library.icaltime_as_timet_with_zone.argtypes = [_Time, ctypes.c_void_p]
    library.icaltime_as_timet_with_zone.restype = ctypes.c_long
    library.icalproperty_status_to_string.restype = ctypes.c_char_p
    return library


def by_libical(content: bytes, _folder: Path) -> list[Told]:
    """libical, which Evolution and GNOME Calendar read with; its iTIP restrictions are checked."""
    library = _libical()
    needs(library, "libical")
    calendar = library.icalparser_parse_string(content)
    assert calendar, "libical: not a calendar"
    assert library.icalrestriction_check(calendar) == 1
    assert library.icalcomponent_count_errors(calendar) == 0
    found = []
    event = library.icalcomponent_get_first_component(calendar, _VEVENT)
    while event:
        starts = library.icalcomponent_get_dtstart(event)
        ends = library.icalcomponent_get_dtend(event)
        status = library.icalcomponent_get_status(event)
        found.append(
            Told(
                uid=library.icalcomponent_get_uid(event).decode(),
                starts=library.icaltime_as_timet_with_zone(starts, starts.zone),
                ends=library.icaltime_as_timet_with_zone(ends, ends.zone),
                title=library.icalcomponent_get_summary(event).decode(),
                sequence=library.icalcomponent_get_sequence(event),
                cancelled=library.icalproperty_status_to_string(status) == b"CANCELLED",
            )
        )
        event = library.icalcomponent_get_next_component(calendar, _VEVENT)
    library.icalcomponent_free(calendar)
    return sorted(found)


READERS: tuple[Reader, ...] = (by_our_lint, by_vobject, by_libical, by_ical_js)


def same(readings: Iterable[list[Told]]) -> list[Told]:
    """What all of them say; fails when one says something else."""
    first, *others = readings
    for other in others:
        assert other == first
    return first
