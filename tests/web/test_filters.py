"""Numbers, dates and sizes read as Vietnamese readers write them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from web import filters

MORNING = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)
NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def test_numbers_are_grouped_by_dots_in_vietnamese_and_commas_in_english() -> None:
    assert filters.number(4947) == "4.947"
    assert filters.number(345178) == "345.178"
    assert filters.number(4947, "en") == "4,947"
    assert filters.number(-5) == "−5"
    assert filters.number(None) == "–"


def test_a_difference_carries_its_sign() -> None:
    assert [filters.signed(n) for n in (1200, 0, -5)] == ["+1.200", "0", "−5"]


@pytest.mark.parametrize(
    ("percent", "shown"),
    [
        ("97.5", "97,5%"),
        (95, "95%"),
        (Decimal("94.96"), "94,9%"),
        ("94.99", "94,9%"),
        ("100.0", "100,0%"),
        ("0", "0,0%"),
        (None, "chưa có đối tượng"),
        ("", "chưa có đối tượng"),
    ],
)
def test_a_percentage_is_cut_and_never_rounded_up(
    percent: str | int | Decimal | None, shown: str
) -> None:
    assert filters.percent_text(percent) == shown


def test_a_percentage_in_english_has_a_point() -> None:
    assert filters.percent_text("97.5", "en") == "97.5%"
    assert filters.percent_text(None, "en") == "nobody to count"


def test_a_float_is_refused_as_a_percentage() -> None:
    with pytest.raises(TypeError):
        filters.percent_text(94.96)  # type: ignore[arg-type]  # a wrong type is tried


def test_times_are_shown_on_the_clocks_of_viet_nam() -> None:
    assert filters.clock(MORNING) == "7h30"
    assert filters.clock(datetime(2026, 11, 26, 0, 0, tzinfo=UTC)) == "7h00"
    assert filters.clock(MORNING, "en") == "7:30"
    assert filters.moment(MORNING) == "26/11/2026, 7h30"
    assert filters.day(datetime(2026, 11, 26, 17, 0, tzinfo=UTC)) == "27/11/2026"
    assert filters.day_month(date(2026, 1, 5)) == "05/01"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        filters.clock(MORNING.replace(tzinfo=None))


def test_when_writes_the_day_once() -> None:
    assert filters.when(MORNING, NOON) == "Thứ Năm, 26/11/2026, 7h30–11h00"
    assert filters.when(MORNING, NOON, "en") == "Thursday, 26/11/2026, 7:30–11:00"
    assert filters.when(MORNING) == "Thứ Năm, 26/11/2026, 7h30"


def test_when_writes_both_days_of_a_meeting_over_two() -> None:
    tomorrow = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
    assert filters.when(MORNING, tomorrow) == (
        "Thứ Năm, 26/11/2026, 7h30 – Thứ Sáu, 27/11/2026, 17h00"
    )


def test_sunday_is_written_with_a_small_letter() -> None:
    assert filters.weekday(date(2026, 11, 29)) == "Chủ nhật"
    assert filters.weekday_short(date(2026, 11, 29)) == "CN"
    assert filters.weekday_short(MORNING) == "T5"


@pytest.mark.parametrize(
    ("first_on", "last_on", "vietnamese", "english"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), "Tháng 11/2026", "11/2026"),
        (date(2026, 10, 1), date(2026, 12, 31), "Quý IV/2026", "Quarter IV/2026"),
        (date(2026, 1, 1), date(2026, 6, 30), "6 tháng đầu năm 2026", "First 6 months of 2026"),
        (date(2026, 7, 1), date(2026, 12, 31), "6 tháng cuối năm 2026", "Last 6 months of 2026"),
        (date(2026, 1, 1), date(2026, 9, 30), "9 tháng đầu năm 2026", "First 9 months of 2026"),
        (date(2026, 1, 1), date(2026, 12, 31), "Năm 2026", "Year 2026"),
        (date(2026, 2, 1), date(2026, 4, 30), "01/02/2026–30/04/2026", "01/02/2026–30/04/2026"),
        (date(2010, 7, 1), date(2015, 6, 30), "01/07/2010–30/06/2015", "01/07/2010–30/06/2015"),
    ],
)
def test_a_period_has_the_name_reports_use(
    first_on: date, last_on: date, vietnamese: str, english: str
) -> None:
    assert filters.period(first_on, last_on) == vietnamese
    assert filters.period(first_on, last_on, "en") == english


def test_a_deadline_is_told_in_days() -> None:
    today = date(2026, 11, 23)
    told = [filters.days_left(date(2026, 11, d), today) for d in (28, 23, 21)]
    assert told == ["còn 5 ngày", "hôm nay là hạn", "quá hạn 2 ngày"]
    english = [filters.days_left(date(2026, 11, d), today, "en") for d in (24, 23, 21)]
    assert english == ["1 day left", "due today", "2 days overdue"]


def test_phone_numbers_are_grouped_as_people_dictate_them() -> None:
    assert filters.phone("+84912345678") == "0912 345 678"
    assert filters.phone("+842053812345") == "0205 3812 345"
    assert filters.phone("+33123456789") == "+33123456789"
    assert filters.phone(None) == "–"


def test_file_sizes_are_short() -> None:
    shown = [filters.file_size(n) for n in (900, 1000, 1_234_567, 20_000_000)]
    assert shown == ["900 B", "1 kB", "1,2 MB", "20 MB"]


def test_machines_read_times_in_utc() -> None:
    assert filters.iso(MORNING) == "2026-11-26T00:30:00Z"
    assert filters.iso(date(2026, 11, 26)) == "2026-11-26"
