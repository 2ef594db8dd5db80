"""Units as rosters write them."""

import pytest

from rules.roster_cells import CellFault
from rules.roster_units import NamedUnit, UnitBook

BOOK = UnitBook(
    [
        NamedUnit(1, "P1", "Đảng bộ phường Tam Thanh", holds_people=False),
        NamedUnit(2, "P2", "Đảng bộ phường Chi Lăng", holds_people=False),
        NamedUnit(11, "P1-01", "Chi bộ khối 1", ("Đảng bộ phường Tam Thanh",)),
        NamedUnit(12, "P1-02", "Chi bộ khối 2", ("Đảng bộ phường Tam Thanh",)),
        NamedUnit(21, "P2-01", "Chi bộ khối 1", ("Đảng bộ phường Chi Lăng",)),
        NamedUnit(22, "P2-CA", "Chi bộ Công an", ("Đảng bộ phường Chi Lăng",)),
        NamedUnit(31, "T03", "Tổ dân phố số 03", ("Phường Tam Thanh",)),
    ]
)


@pytest.mark.parametrize(
    ("written", "unit_id"),
    [
        ("P1-01", 11),
        ("p1-01", 11),
        ("Chi bộ khối 2", 12),
        ("CHI BO KHOI 2", 12),
        ("CB khối 2", 12),
        ("CB. Khối 02", 12),
        ("khối 2", 12),
        ("Công an", 22),
        ("Chi bộ khối 1 (Đảng bộ phường Chi Lăng)", 21),
        ("Chi bộ khối 1 – P. Tam Thanh", 11),
        ("TDP 3", 31),
        ("Tổ dân phố số 3", 31),
    ],
)
def test_a_unit_is_found_by_code_name_or_short_form(written, unit_id):
    assert BOOK.find(written).id == unit_id


def test_the_column_of_the_unit_above_tells_two_of_one_name_apart():
    assert BOOK.find("Chi bộ khối 1", "Đảng bộ phường Chi Lăng").id == 21
    assert BOOK.find("Chi bộ khối 1", "Tam Thanh").id == 11


def test_two_units_of_one_name_are_listed_with_their_codes():
    with pytest.raises(CellFault) as fault:
        BOOK.find("Chi bộ khối 1")
    assert "P1-01" in fault.value.said.text
    assert "P2-01" in fault.value.said.text


def test_a_misspelt_unit_is_answered_with_the_nearest():
    with pytest.raises(CellFault, match="Chi bộ Công an"):
        BOOK.find("Chi bộ Côngg an")


def test_a_unit_that_only_holds_other_units_is_refused():
    with pytest.raises(CellFault, match="không trực tiếp có người"):
        BOOK.find("Đảng bộ phường Tam Thanh")


def test_an_unknown_unit_is_refused_with_advice():
    with pytest.raises(CellFault, match="mục Đơn vị"):
        BOOK.find("Xyz")
