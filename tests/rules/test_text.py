"""Names are cleaned, found and sorted as a Vietnamese reader expects."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text import clean, fold, matches, name_sort_key, split_full_name


def in_order(*names: str) -> list[str]:
    return sorted(names, key=lambda name: name_sort_key(*split_full_name(name)))


def test_cleaning_composes_letters_and_squeezes_spaces() -> None:
    pasted = unicodedata.normalize("NFD", "  Nguyễn\u00a0 Thị\t\nHiền ")
    assert clean(pasted) == "Nguyễn Thị Hiền"


def test_cleaning_removes_what_cannot_be_seen() -> None:
    assert clean("\u202eHi\u200bề\u00adn\u0000\u2066\ufeff\ud800") == "Hiền"


def test_a_zero_width_mark_inside_a_letter_does_not_keep_it_apart() -> None:
    assert clean("a\u200b\u0301") == "á"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode("utf-8")


@pytest.mark.parametrize("text", ["hoà", "hòa", "HOÀ", "HÒA", "  hoa "])
def test_spelling_styles_fold_alike(text: str) -> None:
    assert fold(text) == "hoa"


@pytest.mark.parametrize("text", ["Đặng", "ĐẶNG", "Ðặng", "đặng", "Ɖặng"])
def test_every_crossed_d_folds_to_d(text: str) -> None:
    assert fold(text) == "dang"


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    "query",
    ["hien", "Hiền", "h", "thi nguyen", "ng t h", "HIEN  ng", "", "hi", "hiê", "\u200b"],
)
def test_a_name_is_found_by_the_beginnings_of_its_words_in_any_order(query: str) -> None:
    assert matches(query, fold("Nguyễn Thị Hiền"))


def test_initials_find_the_name() -> None:
    assert matches("ng v a", fold("Nguyễn Văn An"))


@pytest.mark.parametrize("query", ["ien", "hienn", "nguyen van", "x", "nguyenthi"])
def test_a_name_is_not_found_by_what_is_not_in_it(query: str) -> None:
    assert not matches(query, fold("Nguyễn Thị Hiền"))


def test_a_full_name_is_split_before_its_last_word() -> None:
    assert split_full_name("Nguyễn Thị Hiền") == ("Nguyễn Thị", "Hiền")
    assert split_full_name(" Hiền ") == ("", "Hiền")
    assert split_full_name("") == ("", "")


@pytest.mark.parametrize(
    "expected",
    [
        ["An", "Ánh", "Ăn", "Ân", "Ấn"],
        ["Dung", "Đàn", "Đạt"],
        ["Bình", "Bỉnh", "Bính"],
        ["Ba", "Bà", "Bả", "Bã", "Bá", "Bạ"],
        ["Oanh", "Ô", "Ơn"],
        ["Tu", "Tuấn", "Tư"],
        ["Em", "Ên", "Fin", "Giang", "Hà", "Ích", "Jan", "Khoa"],
        ["Vy", "Wan", "Xuân", "Ý", "Zin"],
        ["Hà", "Hải"],
    ],
)
def test_given_names_follow_the_vietnamese_alphabet_then_the_tone(expected: list[str]) -> None:
    assert in_order(*reversed(expected)) == expected


def test_names_sort_by_given_name_then_by_family_name() -> None:
    expected = ["Trần Văn An", "Đỗ Bình", "Lê Bình", "Lê Văn Bình", "Nguyễn Thị Bình", "Bùi Châu"]
    assert in_order(*reversed(expected)) == expected


def test_a_tone_in_the_given_name_outranks_the_family_name() -> None:
    assert in_order("An Bính", "Vũ Bình") == ["Vũ Bình", "An Bính"]


def test_both_spelling_styles_stand_at_the_same_place() -> None:
    assert name_sort_key("Lê", "Hoà") == name_sort_key("lê", "Hòa")
    assert name_sort_key("Ðỗ", "An") == name_sort_key("Đỗ", "An")


def test_names_of_other_peoples_have_a_place_too() -> None:
    assert name_sort_key("H'", "Hen") == name_sort_key("H’", "Hen")
    assert in_order("Zin", "李", "An") == ["An", "Zin", "李"]


@given(st.text(), st.text())
def test_a_sort_key_is_made_of_digits_for_any_input(family: str, given_name: str) -> None:
    key = name_sort_key(family, given_name)
    assert key.isascii()
    assert key.isdigit()
