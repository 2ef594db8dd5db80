"""Headers as real lists have them."""

import pytest

from rules.refusals import Malformed
from rules.roster_cells import Cell
from rules.roster_columns import Sheet, find_layout, meaning_of


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("Họ và tên", "name"),
        ("HỌ VÀ TÊN", "name"),
        ("Ho va ten", "name"),
        ("Họ tên đảng viên", "name"),
        ("Họ đệm", "family"),
        ("Họ và chữ lót", "family"),
        ("Tên", "given"),
        ("Chi bộ", "unit"),
        ("Đơn vị", "unit"),
        ("Ngày, tháng,\nnăm sinh", "birth"),
        ("Ngày sinh (dd/mm/yyyy)", "birth"),
        ("Năm sinh", "birth"),
        ("SĐT", "phone"),
        ("Số ĐT", "phone"),
        ("Điện thoại", "phone"),
        ("E-mail", "email"),
        ("Diện miễn", "exempt"),
        ("Miễn SH", "exempt"),
        ("Mã", "code"),
        ("Mã ĐV", "code"),
        ("Số thẻ ĐV", "code"),
        ("CCCD", "unneeded"),
        ("Dân tộc", "unneeded"),
        ("Lý do miễn", "unneeded"),
        ("STT", "ordinal"),
        ("Chuyện khác", None),
    ],
)
def test_a_header_is_known_with_and_without_marks(header, meaning):
    assert meaning_of(header, "members") == meaning


def _fields(layout):
    return {column.index: column.meaning for column in layout.columns if column.meaning}


def test_the_header_stands_below_titles_dates_and_merged_cells():
    sheet = Sheet(
        "DS",
        [
            ["ĐẢNG BỘ PHƯỜNG TAM THANH", None, None, "ĐẢNG CỘNG SẢN VIỆT NAM"],
            ["*"],
            ["DANH SÁCH ĐẢNG VIÊN"],
            ["(Tính đến ngày 01 tháng 11 năm 2026)"],
            [],
            ["STT", "Họ và tên", "Chi bộ", "Năm sinh"],
            ["(1)", "(2)", "(3)", "(4)"],
            [1, "Nguyễn Văn An", "Chi bộ 1", 1965],
        ],
        merged=(((0, 0), (0, 2)), ((2, 0), (2, 3))),
    )
    layout = find_layout(sheet, "members")
    assert (layout.header_row, layout.first_row) == (5, 7)
    assert _fields(layout) == {1: "name", 2: "unit", 3: "birth"}


def test_a_header_of_two_rows_is_read_through_its_merged_cells():
    sheet = Sheet(
        "DS",
        [
            ["TT", "Họ và tên", None, "Năm sinh", None, "Chi bộ", "Diện miễn", None],
            [None, "Họ đệm", "Tên", "Nam", "Nữ", None, "Từ ngày", "Đến ngày"],
            [1, "Nguyễn Văn", "An", 1965, None, "Chi bộ 1", None, None],
        ],
        merged=(
            ((0, 1), (0, 2)), ((0, 3), (0, 4)), ((0, 6), (0, 7)),
            ((0, 0), (1, 0)), ((0, 5), (1, 5)),
        ),
    )  # fmt: skip
    layout = find_layout(sheet, "members")
    assert layout.first_row == 2
    assert _fields(layout) == {
        1: "family", 2: "given", 3: "birth", 4: "birth", 5: "unit",
        6: "exempt_from", 7: "exempt_until",
    }  # fmt: skip


def test_two_header_rows_are_read_even_when_merged_ranges_are_unknown():
    sheet = Sheet(
        "DS",
        [
            ["TT", "Họ và tên", None, "Chi bộ"],
            [None, "Họ đệm", "Tên", None],
            [1, "Nguyễn Văn", "An", "Chi bộ 1"],
        ],
    )
    assert _fields(find_layout(sheet, "members")) == {1: "family", 2: "given", 3: "unit"}


def test_the_date_of_admission_is_not_taken_for_the_standing():
    sheet = Sheet(
        "DS",
        [
            ["Họ và tên", "Ngày vào Đảng", None, "Chi bộ"],
            [None, "Dự bị", "Chính thức", None],
            ["Nguyễn Văn An", "01/02/2000", "01/02/2001", "Chi bộ 1"],
        ],
        merged=(((0, 1), (0, 2)),),
    )
    layout = find_layout(sheet, "members")
    assert layout.column_of("probationary") is None
    assert _fields(layout)[0] == "name"


def test_data_that_is_not_needed_is_recognised_and_left():
    sheet = Sheet("DS", [["Họ tên", "CCCD", "Dân tộc"], ["Nguyễn Văn An", "0123", "Kinh"]])
    layout = find_layout(sheet, "members")
    assert [c.label for c in layout.columns if c.unneeded] == ["CCCD", "Dân tộc"]
    assert all(not c.samples for c in layout.columns if c.unneeded)


def test_a_list_of_households_is_read_and_told_apart():
    sheet = Sheet("DS", [["Khối phố", "Số hộ", "Chủ hộ"], ["Khối 1", 1, "Trần Thị Bình"]])
    assert _fields(find_layout(sheet, "households")) == {
        0: "group", 1: "household", 2: "representative",
    }  # fmt: skip
    with pytest.raises(Malformed, match="hộ gia đình"):
        find_layout(sheet, "members")


def test_a_sheet_without_a_header_is_refused_with_advice():
    with pytest.raises(Malformed, match="dòng tiêu đề"):
        find_layout(Sheet("DS", [["a", "b"], [1, 2]]), "members")


def test_the_user_corrects_the_mapping():
    sheet = Sheet("DS", [["Họ và tên", "Ô lạ"], ["Nguyễn Văn An", "Chi bộ 1"]])
    layout = find_layout(sheet, "members").remapped({1: "unit"})
    assert _fields(layout) == {0: "name", 1: "unit"}


def test_a_title_merged_over_the_header_is_no_part_of_it():
    rows: list[list[Cell]] = [
        ["DANH SÁCH"],
        ["STT", "Họ và tên", "Chi bộ"],
        [1, "Nguyễn Văn An", "Chi bộ 1"],
    ]
    layout = find_layout(Sheet("DS", rows, merged=(((0, 0), (0, 2)),)), "members")
    assert (layout.header_row, layout.first_row) == (1, 2)
    assert [column.label for column in layout.columns] == ["STT", "Họ và tên", "Chi bộ"]
