"""Holidays, weekends and swapped working days are known by name."""

from datetime import date

import pytest

from gateways.holidays import DayNote, Override, day_note, day_notes, holidays_between


@pytest.mark.parametrize(
    ("on", "name"),
    [
        (date(2026, 2, 17), "Tết Nguyên Đán"),
        (date(2026, 11, 24), "Ngày Văn hóa Việt Nam"),
        (date(2026, 9, 2), "Quốc khánh"),
    ],
)
def test_public_holidays_have_their_vietnamese_names(on: date, name: str) -> None:
    assert day_note(on) == DayNote("holiday", name)


def test_the_swap_of_january_2026_is_known_without_being_typed() -> None:
    friday, saturday = day_note(date(2026, 1, 2)), day_note(date(2026, 1, 10))
    assert friday is not None
    assert friday.kind == "holiday"
    assert friday.is_off
    assert saturday is not None
    assert saturday.kind == "working_saturday"
    assert not saturday.is_off


def test_a_working_saturday_of_the_library_is_no_weekend() -> None:
    assert day_note(date(2026, 8, 22)) == DayNote("working_saturday", "Thứ Bảy làm bù")


def test_weekends_are_named_and_ordinary_days_are_not() -> None:
    assert day_note(date(2026, 3, 7)) == DayNote("weekend", "Thứ Bảy")
    assert day_note(date(2026, 3, 8)) == DayNote("weekend", "Chủ nhật")
    assert day_note(date(2026, 3, 9)) is None


def test_the_offices_corrections_win_over_the_library() -> None:
    overrides = [
        Override(date(2026, 9, 2), "working", "Trực cả ngày"),
        Override(date(2026, 10, 17), "holiday", "Ngày giải phóng Lạng Sơn"),
        Override(date(2026, 3, 7), "working", "Làm bù"),
    ]
    assert day_note(date(2026, 9, 2), overrides) is None
    assert day_note(date(2026, 10, 17), overrides) == DayNote("holiday", "Ngày giải phóng Lạng Sơn")
    assert day_note(date(2026, 3, 7), overrides) == DayNote("working_saturday", "Làm bù")


def test_a_stretch_of_days_lists_only_the_special_ones() -> None:
    notes = day_notes(date(2026, 4, 29), date(2026, 5, 3))
    assert {day.day: note.kind for day, note in notes.items()} == {
        30: "holiday",
        1: "holiday",
        2: "weekend",
        3: "weekend",
    }


def test_recurring_meetings_are_told_the_holidays_alone() -> None:
    assert list(holidays_between(date(2026, 4, 29), date(2026, 5, 3))) == [
        date(2026, 4, 30),
        date(2026, 5, 1),
    ]


def test_a_turn_of_the_year_is_no_gap() -> None:
    assert list(holidays_between(date(2026, 12, 30), date(2027, 1, 2))) == [date(2027, 1, 1)]
