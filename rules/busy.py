"""Busy spans out of somebody's own calendar file, whatever a stranger has written into it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from re import compile as pattern
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.days import LOCAL
from rules.refusals import N_, Malformed

MOST_OCTETS = 256 * 1024
MOST_SPANS = 2000
DAYS_AHEAD = 400
# A repetition is followed day by day, so that only so many, and not from long ago, are.
MOST_REPETITIONS = 300
DAYS_BACK = 3660
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LENGTH = pattern(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:\d+S)?)?"
)
_STEPS = {"DAILY": 1, "WEEKLY": 7}


@dataclass(frozen=True)
class BusyFile:
    """The spans a file names, in order and without overlap, and how many events were not read."""

    spans: tuple[tuple[datetime, datetime], ...]
    skipped: int


@dataclass
class _Event:
    """The lines of one event that matter here, by name: parameters and value."""

    lines: dict[str, tuple[str, str]] = field(default_factory=dict)
    excluded: list[tuple[str, str]] = field(default_factory=list)


def busy_file(content: bytes, *, now: datetime) -> BusyFile:
    """Read when its owner is busy from now on.

    What is cancelled or marked free takes up nothing. Repetition by day and by week is followed;
    any other is counted as not read. Raises Malformed when it is no calendar or too large.
    """
    if len(content) > MOST_OCTETS:
        raise Malformed(
            N_("Tệp lịch lớn hơn 256 kB. Hãy xuất riêng lịch cần dùng rồi tải lên lại.")
        )
    lines = _unfolded(content)
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise Malformed(N_("Đây không phải tệp lịch (.ics). Hãy xuất tệp từ ứng dụng lịch."))
    first, last = now, now + timedelta(days=DAYS_AHEAD)
    spans: list[tuple[datetime, datetime]] = []
    skipped = repetitions = 0
    for event in _events(lines):
        repetitions += "RRULE" in event.lines
        if repetitions > MOST_REPETITIONS:
            raise _too_many()
        try:
            found = [one for one in _spans(event, first, last) if one[1] > first and one[0] < last]
        except (ValueError, OverflowError):
            skipped += 1
            continue
        spans += found
        if len(spans) > MOST_SPANS:
            raise _too_many()
    return BusyFile(tuple(_merged(spans)), skipped)


def _too_many() -> Malformed:
    return Malformed(N_("Tệp lịch có quá nhiều lần bận. Hãy xuất một khoảng ngắn hơn."))


def _unfolded(content: bytes) -> list[str]:
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n ", "").replace("\n\t", "").split("\n")


def _events(lines: list[str]) -> Iterator[_Event]:
    """The events of the file; what is nested in one, such as an alarm, is passed over."""
    event: _Event | None = None
    inner = 0
    for line in lines:
        head, colon, value = line.partition(":")
        name, _, parameters = head.upper().partition(";")
        if name == "BEGIN" and event is not None:
            inner += 1
        elif name == "BEGIN" and value.strip().upper() == "VEVENT":
            event, inner = _Event(), 0
        elif name == "END" and event is not None and inner:
            inner -= 1
        elif name == "END" and event is not None:
            yield event
            event = None
        elif event is not None and colon and not inner:
            if name == "EXDATE":
                event.excluded.append((parameters, value.strip()))
            else:
                event.lines.setdefault(name, (parameters, value.strip()))


def _spans(event: _Event, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """Give the spans of one event; raises ValueError when it cannot be understood."""
    said = {name: value.upper() for name, (_, value) in event.lines.items()}
    if said.get("STATUS") == "CANCELLED" or said.get("TRANSP") == "TRANSPARENT":
        return []
    if "DTSTART" not in event.lines:
        raise ValueError("no start")
    start, is_whole_day = _moment(*event.lines["DTSTART"])
    end = _end(event, start, is_whole_day)
    if not start < end <= start + timedelta(days=DAYS_AHEAD):
        raise ValueError("no length")
    if "RRULE" not in said:
        return [(start, end)]
    if start < first - timedelta(days=DAYS_BACK):
        raise ValueError("too long ago")
    gone = {
        _moment(parameters, one)[0]
        for parameters, value in event.excluded
        for one in value.split(",")
    }
    length = end - start
    return [(one, one + length) for one in _repeated(start, said["RRULE"], last) if one not in gone]


def _end(event: _Event, start: datetime, is_whole_day: bool) -> datetime:
    if "DTEND" in event.lines:
        return _moment(*event.lines["DTEND"])[0]
    if "DURATION" in event.lines:
        length = _LENGTH.fullmatch(event.lines["DURATION"][1].upper())
        if length is None:
            raise ValueError("no duration")
        weeks, days, hours, minutes = (int(part or 0) for part in length.groups())
        return start + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    return start + (timedelta(days=1) if is_whole_day else timedelta(hours=1))


def _moment(parameters: str, value: str) -> tuple[datetime, bool]:
    """Read a date or a time; without a zone that is known it is meant here."""
    if len(value) == 8:
        day = datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007  # a date has no zone
        return datetime.combine(day, time(), LOCAL).astimezone(UTC), True
    text = value.removesuffix("Z").removesuffix("z")
    read = datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007  # its zone is set below
    zone: tzinfo = UTC if text != value else _zone(parameters)
    return read.replace(tzinfo=zone).astimezone(UTC), False


def _zone(parameters: str) -> tzinfo:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name == "TZID":
            area, _, city = value.strip('"').partition("/")
            try:
                return ZoneInfo(f"{area.title()}/{city.title()}") if city else LOCAL
            except (ZoneInfoNotFoundError, ValueError, OSError):
                return LOCAL
    return LOCAL


def _repeated(start: datetime, rule: str, last: datetime) -> Iterator[datetime]:
    """The starts of a repetition by day or week until `last`, on the clock of this country."""
    parts = dict(part.partition("=")[::2] for part in rule.split(";") if part)
    step = _STEPS.get(parts.pop("FREQ", ""))
    interval, count = int(parts.pop("INTERVAL", "1")), int(parts.pop("COUNT", "100000"))
    until = _moment("", parts.pop("UNTIL"))[0] if "UNTIL" in parts else last
    week_start = parts.pop("WKST", "MO")
    local = start.astimezone(LOCAL)
    named = [_DAYS.index(day) for day in parts.pop("BYDAY", _DAYS[local.weekday()]).split(",")]
    if step is None or parts or interval < 1 or week_start not in _DAYS:
        raise ValueError("not followed")
    week = local.date() - timedelta(days=(local.weekday() - _DAYS.index(week_start)) % 7)
    day: date = local.date()
    while count > 0 and (one := datetime.combine(day, local.time(), LOCAL).astimezone(UTC)) <= min(
        until, last
    ):
        if _falls(day, local.date(), week, step, interval, named):
            count -= 1
            yield one
        day += timedelta(days=1)


def _falls(day: date, start: date, week: date, step: int, interval: int, named: list[int]) -> bool:
    if step == 1:
        return (day - start).days % interval == 0
    return day.weekday() in named and (day - week).days // 7 % interval == 0


def _merged(spans: list[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for start, end in sorted(spans):
        if current is None:
            current = start, end
        elif start <= current[1]:
            current = current[0], max(current[1], end)
        else:
            yield current
            current = start, end
    if current is not None:
        yield current
