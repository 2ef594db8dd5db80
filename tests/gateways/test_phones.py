"""Numbers checked against the numbering plan."""

import pytest

from gateways.phones import read_phone
from rules.roster_cells import CellFault


def test_a_vietnamese_number_is_kept_as_e164():
    assert read_phone("0912 345 678").e164 == "+84912345678"


def test_an_old_number_is_explained_with_the_new_one():
    read = read_phone("01621234567")
    assert read.e164 == "+84321234567"
    assert "0162" in read.notes[0].text
    assert "0321 234 567" in read.notes[0].text


def test_the_first_valid_of_two_numbers_is_taken_and_told():
    read = read_phone("0000 / 0987654321")
    assert read.e164 == "+84987654321"
    assert "2 số điện thoại" in read.notes[0].text


def test_a_landline_of_lang_son_is_a_number():
    assert read_phone("0205 3812 345").e164 == "+842053812345"


@pytest.mark.parametrize("written", ["123", "0912", "số mới", "09123456789012"])
def test_a_number_that_cannot_exist_is_refused_with_advice(written):
    with pytest.raises(CellFault) as fault:
        read_phone(written)
    assert written in fault.value.said.text
    assert "10 chữ số" in fault.value.said.text
