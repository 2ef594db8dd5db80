"""Numbers as they stand in real lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.phones import LOST_ZERO, OLD_NUMBER, OLD_PREFIXES, dialled_numbers


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("0912345678", "0912345678"),
        ("0912 345 678", "0912345678"),
        ("0912.345.678", "0912345678"),
        ("0912-345-678", "0912345678"),
        ("(0205) 3812 345", "02053812345"),
        ("+84912345678", "0912345678"),
        ("84 912 345 678", "0912345678"),
        ("+84 0912 345 678", "0912345678"),
        ("0084912345678", "0912345678"),
        ("912345678", "0912345678"),
        ("912345678.0", "0912345678"),
        ("9.12345678E8", "0912345678"),
        ("ĐT: 0912345678", "0912345678"),
        ("０９１２３４５６７８", "0912345678"),
        ("+856 20 5555 1234", "+8562055551234"),
    ],
)
def test_a_number_is_dialled_however_it_is_written(written, dialled):
    assert [number.number for number in dialled_numbers(written)] == [dialled]


def test_a_lost_zero_is_told():
    assert dialled_numbers("912345678")[0].repair == LOST_ZERO


@pytest.mark.parametrize(("old", "new"), OLD_PREFIXES.items())
def test_an_old_eleven_digit_number_becomes_the_new_one(old, new):
    (number,) = dialled_numbers(f"{old}1234567")
    assert (number.number, number.repair) == (f"{new}1234567", OLD_NUMBER)


def test_an_old_number_that_also_lost_its_zero_is_mended_twice():
    (number,) = dialled_numbers("1621234567")
    assert number.number == "0321234567"


@pytest.mark.parametrize(
    "written",
    [
        "0912345678/0987654321",
        "0912345678; 0987654321",
        "0912.345.678 - 0987.654.321",
        "0912345678, 0987654321",
        "0912345678 hoặc 0987654321",
        "0912 345 678 0987 654 321",
        "0912345678\n0987654321",
    ],
)
def test_two_numbers_in_one_cell_are_both_found(written):
    assert [n.number for n in dialled_numbers(written)] == ["0912345678", "0987654321"]


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    for number in dialled_numbers(text):
        assert number.number.removeprefix("+").isdecimal()
