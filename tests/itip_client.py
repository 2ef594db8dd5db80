"""A calendar program reduced to RFC 5546's rules: what it holds after the mails it has seen."""

from dataclasses import dataclass
from datetime import datetime

from icalendar import Calendar


@dataclass(frozen=True)
class Held:
    """One event as a calendar shows it; a removed one is remembered by its revision only."""

    revision: tuple[int, datetime]
    is_shown: bool
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    title: str = ""
    place: str = ""

    @property
    def face(self) -> tuple[object, ...]:
        """What the person sees, whichever mail brought it."""
        if not self.is_shown:
            return (False,)
        return (True, self.starts_at, self.ends_at, self.title, self.place)


class ItipClient:
    """Takes REQUEST and CANCEL in any order; only a newer (SEQUENCE, DTSTAMP) changes anything.

    RFC 5546 2.1.5: the greater SEQUENCE is newer, and of equal ones the greater DTSTAMP.
    """

    def __init__(self) -> None:
        self.events: dict[str, Held] = {}

    def receive(self, content: bytes) -> None:
        calendar = Calendar.from_ical(content)
        (event,) = calendar.events
        uid = str(event["UID"])
        revision = (int(str(event["SEQUENCE"])), event.DTSTAMP)
        known = self.events.get(uid)
        if known is not None and revision <= known.revision:
            return
        if str(calendar["METHOD"]) == "CANCEL":
            self.events[uid] = Held(revision, is_shown=False)
            return
        starts_at, ends_at = event.start, event.end
        assert isinstance(starts_at, datetime)
        assert isinstance(ends_at, datetime)
        self.events[uid] = Held(
            revision,
            is_shown=True,
            starts_at=starts_at,
            ends_at=ends_at,
            title=str(event["SUMMARY"]),
            place=str(event.get("LOCATION", "")),
        )

    def face(self, uid: str) -> tuple[object, ...]:
        """What is seen of a meeting; one never heard of looks like one that was removed."""
        held = self.events.get(uid)
        return held.face if held else (False,)
