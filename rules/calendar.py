"""A meeting as calendars see it: its facts, the text they may carry, and when a revision counts."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum

from rules.days import LOCAL, instant, local_day
from rules.refusals import N_, Malformed

NEUTRAL_TITLE = "Học tập"
CANCELLED_PREFIX = "ĐÃ HUỶ: "
DONE_PREFIX = "Đã học: "
CANCELLED_DAYS = 30
FEED_EVENTS = 1000
FEED_OCTETS = 1_000_000
# One report has Outlook refusing a packed calendar; the board may name others.
PLAIN_AGENTS = "Outlook"
ALARM_MINUTES = (30, 120, 24 * 60)
TITLE_CHARACTERS = 200
TEXT_CHARACTERS = 2000


@dataclass(frozen=True)
class MeetingFacts:
    """What a calendar object says about one meeting; equal facts give equal bytes.

    `uid` is opaque and never changes; `place_key` names the venue or point whatever its spelling,
    so that a corrected name is no move. Times are aware.
    """

    uid: str
    sequence: int
    created_at: datetime
    last_modified_at: datetime
    starts_at: datetime
    ends_at: datetime
    summary: str
    location: str = ""
    description: str = ""
    url: str = ""
    categories: tuple[str, ...] = ()
    cancelled: bool = False
    online_url: str = ""
    place_key: str = ""

    def __post_init__(self) -> None:
        for moment in (self.created_at, self.last_modified_at, self.starts_at, self.ends_at):
            if moment.tzinfo is None:
                raise ValueError(f"a calendar needs aware times, not {moment!r}")
        if self.ends_at <= self.starts_at:
            raise Malformed(N_("Giờ kết thúc phải sau giờ bắt đầu. Hãy sửa giờ của buổi."))


class Change(Enum):
    """How much a change of a meeting matters to somebody who already holds it in a calendar."""

    NONE = "none"
    WORDING = "wording"
    SUBSTANCE = "substance"


def change_between(before: MeetingFacts, after: MeetingFacts) -> Change:
    """Time, place, way in and state are substance; every other visible difference is wording.

    RFC 5546 2.1.4: SEQUENCE rises when an answer given before may no longer hold.
    """
    if _substance(before) != _substance(after):
        return Change.SUBSTANCE
    if _wording(before) != _wording(after):
        return Change.WORDING
    return Change.NONE


def next_sequence(sequence: int, change: Change) -> int:
    """Raise SEQUENCE by one for a change of substance, never for a corrected word."""
    return sequence + 1 if change is Change.SUBSTANCE else sequence


def next_last_modified(previous: datetime | None, now: datetime) -> datetime:
    """Give the whole second of `now`, yet always later than `previous`.

    ICSx5 takes an event over only when LAST-MODIFIED is strictly newer.
    """
    second = now.astimezone(UTC).replace(microsecond=0)
    if previous is None:
        return second
    return max(second, previous.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1))


def neutral(facts: MeetingFacts) -> MeetingFacts:
    """Say only that there is study, when and where: membership reveals political affiliation."""
    return replace(facts, summary=NEUTRAL_TITLE, description="", categories=())


def done(facts: MeetingFacts) -> MeetingFacts:
    """Say that this person has met the obligation already.

    A second later than the meeting itself, since ICSx5 takes over only what is strictly newer.
    """
    return replace(
        facts,
        summary=DONE_PREFIX + facts.summary,
        last_modified_at=facts.last_modified_at + timedelta(seconds=1),
    )


def is_met(starts_at: datetime, covered_on: date | None) -> bool:
    """Whether a meeting asks nothing more of somebody who has done the study since that day."""
    return covered_on is not None and local_day(starts_at) > covered_on


def takes_packed(user_agent: str, plain_agents: str) -> bool:
    """Whether a calendar program may be sent gzip; some, named by the board, fail on it."""
    named = (name.strip().lower() for name in plain_agents.split(","))
    return not any(name and name in user_agent.lower() for name in named)


def feed_window(now: datetime, days_back: int, days_ahead: int) -> tuple[datetime, datetime]:
    """Give the first and last start that a feed carries, by whole local days.

    Whole days, so that a feed keeps its bytes between two changes.
    """
    today = instant(local_day(now), time())
    return today - timedelta(days=days_back), today + timedelta(days=days_ahead + 1)


def clean_text(text: str) -> str:
    """Give `text` as every calendar program reads it alike: NFC, LF line ends, no controls.

    Line separators, bidi overrides and control characters would let a title become a property in
    programs that split lines by Unicode's idea. A backslash becomes a slash, since programs
    disagree on what a typed `\\N` means.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\", "/")
    kept = "".join(character for character in lines if not _is_dangerous(character))
    return unicodedata.normalize("NFC", kept)


def clean_line(text: str) -> str:
    """Give `text` cleaned and on one line, with single spaces."""
    return " ".join(clean_text(text).split())


ENGLISH_WEEKDAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
WEEKDAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")


def spoken_clock(moment: datetime, language: str = "vi") -> str:
    """Give the local time of day as it is written in invitations: 7h30; in English 7:30."""
    local = moment.astimezone(LOCAL)
    return f"{local.hour}{':' if language == 'en' else 'h'}{local.minute:02d}"


def spoken_time(starts_at: datetime, ends_at: datetime, language: str = "vi") -> str:
    """Give a meeting's time as one writes it: 7h30–11h00, thứ Ba, 01/12/2026."""
    first, last = starts_at.astimezone(LOCAL), ends_at.astimezone(LOCAL)
    until = spoken_clock(last, language)
    if first.date() != last.date():
        until += f" {'on' if language == 'en' else 'ngày'} {last:%d/%m/%Y}"
    day = (ENGLISH_WEEKDAYS if language == "en" else WEEKDAYS)[first.weekday()]
    return f"{spoken_clock(first, language)}–{until}, {day}, {first:%d/%m/%Y}"


def cut(text: str, characters: int) -> str:
    """Give at most so many characters of `text`, ending in an ellipsis when some were left out."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def shown_title(facts: MeetingFacts) -> str:
    """Give the title as shown; a cancelled one says so, since some programs ignore STATUS."""
    title = cut(clean_line(facts.summary), TITLE_CHARACTERS) or NEUTRAL_TITLE
    return CANCELLED_PREFIX + title if facts.cancelled else title


def _substance(facts: MeetingFacts) -> tuple[object, ...]:
    place = facts.place_key or clean_line(facts.location)
    return facts.starts_at, facts.ends_at, place, facts.online_url, facts.cancelled


def _wording(facts: MeetingFacts) -> tuple[object, ...]:
    return facts.summary, facts.location, facts.description, facts.url, facts.categories


def _is_dangerous(character: str) -> bool:
    code = ord(character)
    if character in "\t\n":
        return False
    if code < 0x20 or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF:
        return True
    if 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return True
    return character in "\u2028\u2029\u200e\u200f\ufeff\ufffe\uffff"
