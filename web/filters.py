"""Numbers, dates and sizes as Vietnamese readers write them, and their English forms."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from flask import Flask
from flask_babel import get_locale

from rules.days import LOCAL

NOBODY = {"vi": "chưa có đối tượng", "en": "nobody to count"}
WEEKDAYS = {
    "vi": ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
SHORT_WEEKDAYS = {
    "vi": ("T2", "T3", "T4", "T5", "T6", "T7", "CN"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
QUARTERS = ("I", "II", "III", "IV")
TENTH = Decimal("0.1")


def local(at: datetime) -> datetime:
    """The moment on local clocks; a time without a zone is a fault of the program."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be shown")
    return at.astimezone(LOCAL)


def number(value: int | None, locale: str = "vi") -> str:
    """A whole number with groups of three: 4.947, in English 4,947."""
    if value is None:
        return "–"
    text = f"{value:,}".replace("-", "−")
    return text if locale == "en" else text.replace(",", ".")


def signed(value: int, locale: str = "vi") -> str:
    """A difference with its sign: +12, −5, 0."""
    return f"+{number(value, locale)}" if value > 0 else number(value, locale)


def percent_text(percent: str | int | Decimal | None, locale: str = "vi") -> str:
    """A percentage for reading, cut after one decimal and never rounded; None: nobody to count.

    Takes the figure's own text ("97.5"), a whole number or a Decimal. A float is refused, for it
    may already have been rounded up to the target.
    """
    if percent is None or percent == "":
        return NOBODY[_known(locale)]
    if isinstance(percent, float):
        raise TypeError("a float may have been rounded; give the figure's own text")
    exact = Decimal(percent)
    cut = exact if isinstance(percent, int) else exact.quantize(TENTH, rounding=ROUND_DOWN)
    text = f"{cut:,}"
    if locale != "en":
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{text}%"


def day(value: date | datetime | None, locale: str = "vi") -> str:
    """26/11/2026 in both languages: English readers here write the day first too."""
    return "–" if value is None else f"{_as_date(value):%d/%m/%Y}"


def day_month(value: date | datetime, locale: str = "vi") -> str:
    """26/11, where the year is plain from the place."""
    return f"{_as_date(value):%d/%m}"


def clock(at: datetime | None, locale: str = "vi") -> str:
    """7h30; in English 7:30."""
    if at is None:
        return "–"
    here = local(at)
    return f"{here.hour}{':' if locale == 'en' else 'h'}{here.minute:02}"


def moment(at: datetime | None, locale: str = "vi") -> str:
    """26/11/2026, 7h30."""
    return "–" if at is None else f"{day(at, locale)}, {clock(at, locale)}"


def weekday(value: date | datetime, locale: str = "vi") -> str:
    """Thứ Năm."""
    return WEEKDAYS[_known(locale)][_as_date(value).weekday()]


def weekday_short(value: date | datetime, locale: str = "vi") -> str:
    """T5."""
    return SHORT_WEEKDAYS[_known(locale)][_as_date(value).weekday()]


def when(starts_at: datetime, ends_at: datetime | None = None, locale: str = "vi") -> str:
    """Thứ Năm, 26/11/2026, 7h30–11h00; the second day is written when it is another day."""
    start = f"{weekday(starts_at, locale)}, {moment(starts_at, locale)}"
    if ends_at is None:
        return start
    if local(starts_at).date() == local(ends_at).date():
        return f"{start}–{clock(ends_at, locale)}"
    return f"{start} – {weekday(ends_at, locale)}, {moment(ends_at, locale)}"


def period(first_on: date, last_on: date, locale: str = "vi") -> str:
    """The name of a span of whole months as reports call it, else its two days; both inclusive."""
    starts_a_month = first_on.day == 1
    ends_a_month = (last_on + timedelta(days=1)).day == 1
    if starts_a_month and ends_a_month and first_on.year == last_on.year:
        name = _named_period(first_on, last_on.month - first_on.month + 1, _known(locale))
        if name:
            return name
    return f"{day(first_on)}–{day(last_on)}"


def _named_period(first_on: date, months: int, locale: str) -> str:
    """The name of so many whole months from the first of a month, or nothing."""
    month, year = first_on.month, first_on.year
    english = locale == "en"
    if months == 1:
        return f"{month:02}/{year}" if english else f"Tháng {month}/{year}"
    if months == 3 and month % 3 == 1:
        quarter = QUARTERS[month // 3]
        return f"Quarter {quarter}/{year}" if english else f"Quý {quarter}/{year}"
    if month == 1 and months in (6, 9):
        return f"First {months} months of {year}" if english else f"{months} tháng đầu năm {year}"
    if month == 7 and months == 6:
        return f"Last 6 months of {year}" if english else f"6 tháng cuối năm {year}"
    if months == 12:
        return f"Year {year}" if english else f"Năm {year}"
    return ""


def days_left(deadline_on: date, today: date, locale: str = "vi") -> str:
    """How far away a deadline is, in words: còn 5 ngày, hôm nay là hạn, quá hạn 2 ngày."""
    days = (deadline_on - today).days
    if _known(locale) == "en":
        unit = "day" if abs(days) == 1 else "days"
        if days == 0:
            return "due today"
        return f"{number(days, 'en')} {unit} left" if days > 0 else f"{-days:,} {unit} overdue"
    if days == 0:
        return "hôm nay là hạn"
    return f"còn {number(days)} ngày" if days > 0 else f"quá hạn {number(-days)} ngày"


def phone(e164: str | None, locale: str = "vi") -> str:
    """+84912345678 as 0912 345 678; a foreign number stays as it is."""
    if not e164:
        return "–"
    if not e164.startswith("+84"):
        return e164
    digits = f"0{e164[3:]}"
    if len(digits) == 10:
        return f"{digits[:4]} {digits[4:7]} {digits[7:]}"
    if len(digits) == 11:
        return f"{digits[:4]} {digits[4:8]} {digits[8:]}"
    return digits


def file_size(size_bytes: int, locale: str = "vi") -> str:
    """1,2 MB, in thousands as file managers count."""
    tenths, unit = size_bytes * 10, "B"
    for larger in ("kB", "MB", "GB"):
        if tenths < 10_000:
            break
        tenths, unit = tenths // 1000, larger
    whole, tenth = divmod(tenths, 10)
    mark = "." if _known(locale) == "en" else ","
    return f"{whole}{mark}{tenth} {unit}" if tenth else f"{whole} {unit}"


def iso(value: date | datetime, locale: str = "vi") -> str:
    """For `datetime=` and `data-` attributes: a date as it is, a moment in UTC."""
    if isinstance(value, datetime):
        return local(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat()


def _as_date(value: date | datetime) -> date:
    return local(value).date() if isinstance(value, datetime) else value


def _known(locale: str) -> str:
    return "en" if locale == "en" else "vi"


FILTERS: dict[str, Callable[..., str]] = {
    "number": number,
    "signed": signed,
    "percent_text": percent_text,
    "date": day,
    "day_month": day_month,
    "time": clock,
    "datetime": moment,
    "weekday": weekday,
    "weekday_short": weekday_short,
    "days_left": days_left,
    "phone": phone,
    "file_size": file_size,
    "iso": iso,
}
FUNCTIONS: dict[str, Callable[..., str]] = {"when": when, "period": period}


def _in_the_readers_language(form: Callable[..., str]) -> Callable[..., str]:
    def shown(*values: object) -> str:
        locale = get_locale()
        return form(*values, locale=str(locale.language) if locale else "vi")

    return shown


def init_app(app: Flask) -> None:
    """Give templates every form, in the language of the answer."""
    for name, form in FILTERS.items():
        app.jinja_env.filters[name] = _in_the_readers_language(form)
    for name, form in FUNCTIONS.items():
        app.jinja_env.globals[name] = _in_the_readers_language(form)
