"""How documents write days and times."""

from datetime import date, datetime

from rules.days import LOCAL

WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")
NOON, EVENING = 12, 18


def written_time(at: datetime) -> str:
    """7 giờ 30."""
    local = at.astimezone(LOCAL)
    return f"{local.hour} giờ {local.minute:02}"


def written_day(day: date) -> str:
    """Thứ Bảy, ngày 7/2/2026."""
    return f"{WEEKDAYS[day.weekday()]}, ngày {day.day}/{day.month}/{day.year}"


def written_when(starts_at: datetime) -> str:
    """7 giờ 30, thứ Bảy, ngày 7/2/2026."""
    day = written_day(starts_at.astimezone(LOCAL).date())
    return f"{written_time(starts_at)}, {day[0].lower()}{day[1:]}"


def half_of_day(at: datetime) -> str:
    """Sáng, Chiều or Tối."""
    hour = at.astimezone(LOCAL).hour
    return "Sáng" if hour < NOON else "Chiều" if hour < EVENING else "Tối"


def party_date(place: str, on: date | None) -> str:
    """ "Lam Sơn, ngày 03 tháng 4 năm 2026": days padded below 10, months only 1 and 2."""
    where = f"{place}, " if place else ""
    if on is None:
        return f"{where}ngày      tháng      năm"
    month = f"{on.month:02}" if on.month < 3 else str(on.month)
    return f"{where}ngày {on.day:02} tháng {month} năm {on.year}"
