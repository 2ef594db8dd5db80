"""Whole tables, with everything that stands around and between the people."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.refusals import Malformed
from rules.roster import Reading, read_rows
from rules.roster_cells import Exemption, PhoneRead
from rules.roster_columns import Sheet, find_layout
from rules.roster_units import NamedUnit, UnitBook

TODAY = date(2026, 11, 23)
UNITS = UnitBook(
    [
        NamedUnit(1, "CB1", "Chi bộ khối 1"),
        NamedUnit(2, "CB2", "Chi bộ khối 2"),
        NamedUnit(3, "CA", "Chi bộ Công an"),
    ]
)


def read(rows, kind="members", merged=(), formulas=frozenset(), default=None):
    sheet = Sheet("DS", rows, merged, formulas)
    reading = Reading(UNITS, TODAY, lambda text: PhoneRead("+84" + text[-9:]), default)
    return read_rows(sheet, find_layout(sheet, kind), reading)


def test_a_row_gives_a_member_with_the_least_data():
    checked = read(
        [
            ["STT", "Họ và tên", "Chi bộ", "Ngày sinh", "SĐT", "Email", "Diện miễn", "Mã", "CCCD"],
            [1, "NGUYỄN VĂN AN", "CB khối 1", "12/03/1965", 912345678.0, "A@B.VN", "x", "DV1", "9"],
        ]
    )
    (member,) = checked.members
    assert checked.errors == []
    assert (member.name, member.unit_id, member.birth_year) == ("Nguyễn Văn An", 1, 1965)
    assert (member.phone, member.email, member.code) == ("+84912345678", "A@b.vn", "DV1")
    assert member.exemption == Exemption()
    assert "9" not in vars(member).values()


def test_family_and_given_names_in_two_columns_make_one_name():
    checked = read([["Họ đệm", "Tên", "Chi bộ"], ["Nguyễn Văn", "An", "CB1"]])
    assert checked.members[0].name == "Nguyễn Văn An"


def test_the_year_of_birth_stands_in_one_of_two_columns():
    checked = read(
        [
            ["Họ và tên", "Năm sinh", None, "Chi bộ"],
            [None, "Nam", "Nữ", None],
            ["Nguyễn Văn An", 1965, None, "CB1"],
            ["Lê Thị Hoa", None, 1970, "CB1"],
        ],
        merged=(((0, 1), (0, 2)),),
    )
    assert [member.birth_year for member in checked.members] == [1965, 1970]


def test_a_section_heading_names_the_cell_of_the_rows_below():
    checked = read(
        [
            ["STT", "Họ và tên", "Năm sinh"],
            ["I", "Chi bộ khối 1", None],
            [1, "Nguyễn Văn An", 1965],
            ["II. Chi bộ Công an: 12 đảng viên"],
            [1, "Lê Thị Hoa", 1970],
            [],
            [2, "Trần Văn Bình", 1971],
        ]
    )
    assert checked.errors == []
    assert [member.unit_id for member in checked.members] == [1, 3, 3]
    assert len(checked.skipped) == 2


def test_totals_blank_rows_repeated_headers_and_signatures_are_no_people():
    checked = read(
        [
            ["STT", "Họ và tên", "Chi bộ"],
            [1, "Nguyễn Văn An", "CB1"],
            ["STT", "Họ và tên", "Chi bộ"],
            [2, "Lê Thị Hoa", "CB1"],
            [None, "Tổng cộng: 2 đảng viên", None],
            [None, None, None],
            [None, None, "Lạng Sơn, ngày 01 tháng 11 năm 2026"],
            [None, "NGƯỜI LẬP BIỂU", "T/M CHI UỶ"],
            [None, None, "BÍ THƯ"],
            [None, None, "Nguyễn Văn Thành"],
        ]
    )
    assert checked.errors == []
    assert (checked.rows, len(checked.members), len(checked.skipped)) == (2, 2, 6)


def test_a_cell_merged_downwards_counts_for_every_row_it_covers():
    checked = read(
        [
            ["Họ và tên", "Chi bộ"],
            ["Nguyễn Văn An", "CB1"],
            ["Lê Thị Hoa", None],
        ],
        merged=(((1, 1), (2, 1)),),
    )
    assert [member.unit_id for member in checked.members] == [1, 1]


def test_all_errors_of_a_row_are_told_at_once_with_row_and_column():
    checked = read(
        [
            ["Họ và tên", "Chi bộ", "Năm sinh", "Email"],
            ["Nguyễn Văn An", "Chi bộ lạ", "32/13/1980", "an.gmail.com"],
            ["Lê Thị Hoa", "CB1", 1970, None],
        ]
    )
    assert {(error.row, error.column) for error in checked.errors} == {
        (2, "Chi bộ"), (2, "Năm sinh"), (2, "Email"),
    }  # fmt: skip
    assert len(checked.members) == 1


def test_a_formula_in_a_cell_that_counts_is_an_error_elsewhere_not():
    rows = [["STT", "Họ và tên", "Chi bộ"], [1, "Nguyễn Văn An", "CB1"]]
    assert read(rows, formulas=frozenset({(1, 0)})).errors == []
    (error,) = read(rows, formulas=frozenset({(1, 1)})).errors
    assert "công thức" in error.said.text


def test_text_that_would_be_a_formula_is_refused():
    (error,) = read([["Họ và tên", "Chi bộ"], ["=cmd|' /C calc'!A0", "CB1"]]).errors
    assert "dấu “=”" in error.said.text


def test_without_a_column_of_cells_the_chosen_unit_counts():
    rows = [["Họ và tên", "Năm sinh"], ["Nguyễn Văn An", 1965]]
    assert read(rows, default=2).members[0].unit_id == 2
    assert "Thiếu chi bộ" in read(rows).errors[0].said.text


def test_a_household_needs_its_number_and_group():
    book = [
        ["Khối phố", "Số hộ", "Chủ hộ", "SĐT"],
        ["CB1", 12.0, "TRẦN THỊ BÌNH", None],
        ["CB1", None, "Lê Văn Tư", None],
    ]
    checked = read(book, "households")
    (household,) = checked.households
    assert (household.number, household.group_id) == ("12", 1)
    assert household.representative == "Trần Thị Bình"
    assert "Thiếu số hộ" in checked.errors[0].said.text


CELL = st.one_of(st.none(), st.text(max_size=20), st.integers(-5, 60000), st.floats(), st.dates())


@settings(max_examples=60)
@given(st.lists(st.lists(CELL, max_size=6), max_size=12))
def test_any_table_gives_members_or_errors_and_loses_no_row(rows):
    header = [["STT", "Họ và tên", "Chi bộ", "Ngày sinh", "Email", "Diện miễn"]]
    try:
        checked = read(header + rows)
    except Malformed:
        return
    bad_rows = {error.row for error in checked.errors}
    assert checked.rows == len(checked.members) + len(bad_rows)
