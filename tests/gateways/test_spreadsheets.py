"""Workbooks hold real numbers and dates, never a formula from text, and print on A4."""

import io
import zipfile
from datetime import UTC, date, datetime

import pytest
from openpyxl import load_workbook

from gateways.spreadsheets import Table, workbook


def written(*rows, **values):
    content = workbook([Table("Sổ [1]", "Tiêu đề", ("STT", "Tên", "Ngày"), rows, **values)])
    return content, load_workbook(io.BytesIO(content)).worksheets[0]


def test_numbers_and_dates_stay_numbers_and_dates():
    _content, sheet = written((1, "Chi", date(2026, 11, 23)), total=(None, "Cộng", None))
    row = [cell.value for cell in sheet[4]]
    assert row[0] == 1
    assert row[2] == datetime(2026, 11, 23)
    assert sheet[5][1].value == "Cộng"


@pytest.mark.parametrize("text", ["=1+1", "+84912345678", "-1", "@x", "http://x.invalid", "007"])
def test_text_is_never_a_formula_a_link_or_a_number(text):
    content, sheet = written((1, text, None))
    cell = sheet[4][1]
    assert (cell.value, cell.data_type) == (text, "s")
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_a_sheet_prints_across_on_a4_with_its_header_on_every_page():
    _content, sheet = written((1, "Chi", None))
    assert sheet.page_setup.orientation == "landscape"
    assert int(sheet.page_setup.paperSize) == 9
    assert sheet.print_title_rows == "$3:$3"
    assert sheet.print_area == "'Sổ  1'!$A$1:$C$4"


def test_an_instant_is_refused_because_a_sheet_shows_local_days():
    with pytest.raises(TypeError):
        written((1, "Chi", datetime(2026, 11, 23, tzinfo=UTC)))


def test_a_row_is_as_high_as_its_longest_wrapped_text():
    name = "Nghị quyết Đại hội Đảng bộ thành phố nhiệm kỳ 2025–2030"
    _content, sheet = written((1, name, None), (2, "Chi", None))
    assert sheet.row_dimensions[4].height > sheet.row_dimensions[3].height
    assert sheet.row_dimensions[5].height is None
    assert sheet.column_dimensions["B"].width < len(name)
