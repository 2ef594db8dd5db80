"""Workbooks of every kind, honest and hostile, read and given back."""

import io
import resource
import unicodedata
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]  # has no types
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import CoveredTableCell, Table, TableCell, TableRow
from odf.text import P

from gateways.workbooks import (
    ERROR_COLUMN,
    error_copy_path,
    harmless,
    read_workbook,
    write_error_copy,
)
from rules.refusals import Malformed
from rules.roster_columns import find_layout

HEADER = ["STT", "Họ và tên", "Chi bộ", "Ngày sinh", "SĐT"]
PEOPLE = [
    [1, "Nguyễn Văn An", "Chi bộ 1", date(1965, 3, 12), "0912345678"],
    [2, "Lê Thị Hoà", "Chi bộ 2", date(1970, 1, 2), 912345679],
]


def first_sheet(path_or_book: Any) -> Any:
    """The active sheet, whose type openpyxl leaves open."""
    book = path_or_book
    if not isinstance(book, openpyxl.Workbook):
        book = openpyxl.load_workbook(path_or_book)
    return book.active


def new_book() -> Any:
    return openpyxl.Workbook()


def xlsx(path, rows, title="DS"):
    book = new_book()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def xls(path, rows):
    book = xlwt.Workbook()
    page = book.add_sheet("DS")
    day = xlwt.easyxf(num_format_str="DD/MM/YYYY")
    for index, row in enumerate(rows):
        for place, cell in enumerate(row):
            page.write(index, place, cell, *([day] if isinstance(cell, date) else []))
    book.save(str(path))
    return path


def ods(path, rows):
    document = OpenDocumentSpreadsheet()
    table = Table(name="DS")
    for row in rows:
        line = TableRow()
        for cell in row:
            if isinstance(cell, date):
                line.addElement(TableCell(valuetype="date", datevalue=cell.isoformat()))
            elif isinstance(cell, int):
                line.addElement(TableCell(valuetype="float", value=cell))
            else:
                made = TableCell(valuetype="string")
                made.addElement(P(text=cell or ""))
                line.addElement(made)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(str(path))
    return path


def as_csv(rows, separator=","):
    return "\r\n".join(
        separator.join(
            "" if c is None else f"{c:%d/%m/%Y}" if isinstance(c, date) else str(c) for c in row
        )
        for row in rows
    )


@pytest.mark.parametrize(("make", "suffix"), [(xlsx, "xlsx"), (xls, "xls"), (ods, "ods")])
def test_every_kind_of_workbook_gives_the_same_cells(tmp_path, make, suffix):
    sheet = read_workbook(make(tmp_path / f"ds.{suffix}", [HEADER, *PEOPLE]), "members")
    assert sheet.format == suffix
    assert sheet.rows[0] == HEADER
    assert sheet.rows[1][1:4] == ["Nguyễn Văn An", "Chi bộ 1", date(1965, 3, 12)]
    assert sheet.rows[2][4] == 912345679


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_is_read_in_its_own_encoding_and_separator(tmp_path, encoding, separator):
    path = tmp_path / "ds.csv"
    path.write_bytes(as_csv([HEADER, *PEOPLE], separator).encode(encoding))
    sheet = read_workbook(path, "members")
    assert sheet.rows[2][:4] == ["2", "Lê Thị Hoà", "Chi bộ 2", "02/01/1970"]


def windows_1258(text):
    """As a Vietnamese Windows writes it: letters with their quality, tones apart."""
    out = []
    for letter in text:
        try:
            letter.encode("cp1258")
            out.append(letter)
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            tones = [mark for mark in parts[1:] if mark in "\u0300\u0301\u0303\u0309\u0323"]
            rest = [mark for mark in parts[1:] if mark not in tones]
            out.append(unicodedata.normalize("NFC", parts[0] + "".join(rest)) + "".join(tones))
    return "".join(out).encode("cp1258")


def test_windows_1258_with_its_separate_tones_becomes_composed_letters(tmp_path):
    path = tmp_path / "ds.csv"
    names = ["Nguyễn Đức Thuỷ", "Đặng Thị Ngọc Ánh", "Phạm Quỳnh Như", "Võ Hữu Trường"]
    path.write_bytes(windows_1258("Họ và tên;Chi bộ\n" + "".join(f"{n};Khối 1\n" for n in names)))
    sheet = read_workbook(path, "members")
    assert [row[0] for row in sheet.rows] == ["Họ và tên", *names]


def test_the_sheet_with_the_list_is_found_among_others(tmp_path):
    book = new_book()
    book.active.title = "Bìa"
    book.active.append(["Danh sách năm 2026"])
    page = book.create_sheet("Danh sách")
    for row in [HEADER, *PEOPLE]:
        page.append(row)
    book.save(tmp_path / "ds.xlsx")
    sheet = read_workbook(tmp_path / "ds.xlsx", "members")
    assert (sheet.name, sheet.other_sheets) == ("Danh sách", ("Bìa",))
    assert read_workbook(tmp_path / "ds.xlsx", "members", "Bìa").name == "Bìa"


def test_formulas_and_merged_cells_are_known_by_place(tmp_path):
    book = new_book()
    page = book.active
    page.append(HEADER)
    page.append([1, '=CONCATENATE("Nguyễn"," An")', "Chi bộ 1"])
    page.append(["=A2+1", "Lê Thị Hoa", None])
    page.merge_cells("C2:C3")
    book.save(tmp_path / "ds.xlsx")
    sheet = read_workbook(tmp_path / "ds.xlsx", "members")
    assert sheet.formulas == {(1, 1), (2, 0)}
    assert sheet.merged == (((1, 2), (2, 2)),)


def test_formulas_and_merged_cells_of_an_open_document_are_known_too(tmp_path):
    document = OpenDocumentSpreadsheet()
    table = Table(name="DS")
    for index, texts in enumerate(
        [["Họ và tên", "Chi bộ"], ["Nguyễn Văn An", "Khối 1"], ["Lê Hoa", ""]]
    ):
        line = TableRow()
        for place, text in enumerate(texts):
            more: dict[str, Any] = (
                {"numberrowsspanned": 2, "numbercolumnsspanned": 1}
                if (index, place) == (1, 1)
                else {}
            )
            if (index, place) == (2, 1):
                line.addElement(CoveredTableCell())
                continue
            if (index, place) == (2, 0):
                more = {"formula": 'of:="Lê Hoa"'}
            cell = TableCell(valuetype="string", **more)
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    document.save(str(tmp_path / "ds.ods"))
    sheet = read_workbook(tmp_path / "ds.ods", "members")
    assert sheet.formulas == {(2, 0)}
    assert sheet.merged == (((1, 1), (2, 1)),)


@pytest.mark.parametrize("sheet_name", ["DS", "Danh sách"])
def test_formulas_of_an_old_workbook_are_known_too(tmp_path, sheet_name):
    book = xlwt.Workbook()
    other = book.add_sheet("Khác")
    other.write(0, 0, xlwt.Formula("1+1"))
    page = book.add_sheet(sheet_name)
    for place, label in enumerate(HEADER):
        page.write(0, place, label)
    for row in range(1, 400):
        page.write(row, 0, row)
        page.write(row, 1, "Nguyễn Văn An")
    page.write(300, 2, xlwt.Formula("A2+1"))
    book.save(str(tmp_path / "ds.xls"))
    assert read_workbook(tmp_path / "ds.xls", "members").formulas == {(300, 2)}


def seconds_of_children() -> float:
    """The processor time of child processes so far: the same on a busy machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def refusal_of(path, content=None):
    if content is not None:
        path.write_bytes(content)
    began = seconds_of_children()
    with pytest.raises(Malformed) as refusal:
        read_workbook(path, "members")
    assert seconds_of_children() - began < 10
    return str(refusal.value)


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def changed_workbook(tmp_path, changes):
    """An honest workbook with some of its parts replaced."""
    honest = xlsx(tmp_path / "honest.xlsx", [HEADER, *PEOPLE])
    with zipfile.ZipFile(honest) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped(parts | changes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Tệp trống"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "tệp PDF"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "tệp ảnh"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 40, "tệp ảnh"),
        (b"<html><body><table><tr><td>a</td></tr></table>", "trang web"),
        (
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "XML",
        ),
        (b"{\\rtf1 abc}", "Word"),
        (b"Rar!\x1a\x07\x00", "tệp nén"),
        (b"\x00\x01\x02\x03" * 50, "không rõ loại"),
        (b"PK\x03\x04 nonsense", "bị hỏng"),
        (zipped({"word/document.xml": b"<w/>"}), "Word"),
        (zipped({"a.txt": b"abc"}), "tệp nén"),
        (zipped({"xl/workbook.bin": b"abc"}), ".xlsb"),
        (b"just some words\nand more words\n", None),
    ],
)
def test_what_is_no_workbook_is_named(tmp_path, content, said):
    path = tmp_path / "ds.xlsx"
    path.write_bytes(content)
    if said is None:
        with pytest.raises(Malformed, match="dòng tiêu đề"):
            find_layout(read_workbook(path, "members"), "members")
        return
    assert said in refusal_of(path)


def test_a_zip_bomb_is_refused(tmp_path):
    bomb = changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": b"0" * 120_000_000})
    assert "bất thường" in refusal_of(tmp_path / "ds.xlsx", bomb)


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    bomb = bytearray(changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": b"0" * 120_000_000}))
    lied = bytes(bomb).replace((120_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert "bất thường" in refusal_of(tmp_path / "ds.xlsx", lied)


def test_entries_that_share_bytes_are_refused(tmp_path):
    honest = changed_workbook(tmp_path, {"xl/media/a.bin": b"a" * 10_000, "xl/media/b.bin": b"b"})
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        first = archive.getinfo("xl/media/a.bin").header_offset
        second = archive.getinfo("xl/media/b.bin").header_offset
    directory = honest.rindex(second.to_bytes(4, "little"))
    overlapping = honest[:directory] + first.to_bytes(4, "little") + honest[directory + 4 :]
    assert "bất thường" in refusal_of(tmp_path / "ds.xlsx", overlapping)


def test_macros_are_refused(tmp_path):
    content = changed_workbook(tmp_path, {"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"})
    assert "macro" in refusal_of(tmp_path / "ds.xlsx", content)


def test_an_encrypted_workbook_is_refused(tmp_path):
    honest = xlsx(tmp_path / "honest.xlsx", [HEADER, *PEOPLE])
    with honest.open("rb") as plain, (tmp_path / "ds.xlsx").open("wb") as locked:
        OOXMLFile(plain).encrypt("mật khẩu", locked)
    assert "mật khẩu" in refusal_of(tmp_path / "ds.xlsx")


@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_document_type_declaration_is_refused(tmp_path, declaration):
    part = b'<?xml version="1.0"?>' + declaration + b"<worksheet><sheetData/></worksheet>"
    content = changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": part})
    assert "không an toàn" in refusal_of(tmp_path / "ds.xlsx", content)


def test_a_declaration_hidden_in_two_byte_letters_is_refused(tmp_path):
    part = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><worksheet/>'.encode("utf-16")
    content = changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": part})
    assert "không an toàn" in refusal_of(tmp_path / "ds.xlsx", content)


def test_a_cell_in_the_farthest_corner_is_refused(tmp_path):
    book = new_book()
    book.active["A1"] = "Họ và tên"
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "ds.xlsx")
    assert "Hãy" in refusal_of(tmp_path / "ds.xlsx")


@pytest.mark.slow
def test_two_million_empty_rows_are_refused_or_passed_over_within_seconds(tmp_path):
    rows = b"".join(b'<row r="%d"><c r="A%d" s="0"/></row>' % (n, n) for n in range(1, 2_000_001))
    part = (
        b'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns='
        b'"http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + rows + b"</sheetData></worksheet>"
    )  # fmt: skip
    content = changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": part})
    assert "Hãy" in refusal_of(tmp_path / "ds.xlsx", content)


def test_too_many_rows_are_refused_with_their_number(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "ds.xlsx"), {"constant_memory": True})
    page = book.add_worksheet("DS")
    page.write_row(0, 0, HEADER)
    page.write(500_000, 1, "x")
    book.close()
    assert "500001 dòng" in refusal_of(tmp_path / "ds.xlsx")


@pytest.mark.slow
def test_a_cell_of_three_hundred_megabytes_is_refused(tmp_path):
    part = (
        b'<?xml version="1.0"?><worksheet xmlns='
        b'"http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
        b'<c r="A1" t="inlineStr"><is><t>' + b"a" * 300_000_000 + b"</t></is></c></row>"
        b"</sheetData></worksheet>"
    )
    content = changed_workbook(tmp_path, {"xl/worksheets/sheet1.xml": part})
    assert "bất thường" in refusal_of(tmp_path / "ds.xlsx", content)


def test_a_cell_longer_than_a_spreadsheet_allows_is_refused(tmp_path):
    path = tmp_path / "ds.csv"
    path.write_text("Họ và tên,Chi bộ\n" + "a" * 40_000 + ",b\n")
    assert "Hãy" in refusal_of(path)


def test_a_truncated_workbook_is_refused(tmp_path):
    content = changed_workbook(tmp_path, {})
    assert "bị hỏng" in refusal_of(tmp_path / "ds.xlsx", content[: len(content) // 2])


@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_a_truncated_file_of_another_kind_is_refused(tmp_path, suffix):
    make = {"xls": xls, "ods": ods}[suffix]
    content = make(tmp_path / "honest", [HEADER, *PEOPLE]).read_bytes()
    assert "Hãy" in refusal_of(tmp_path / f"ds.{suffix}", content[: len(content) // 2])


def test_an_unclosed_quote_in_a_csv_file_is_refused_or_read(tmp_path):
    path = tmp_path / "ds.csv"
    path.write_text('Họ và tên,Chi bộ\n"Nguyễn Văn An,Khối 1\n' + "Lê Hoa,Khối 2\n" * 5000)
    assert "ngoặc kép" in refusal_of(path)


def test_the_workbook_comes_back_with_its_look_and_an_error_column(tmp_path):
    path = tmp_path / "ds.xlsx"
    xlsx(path, [["DANH SÁCH"], HEADER, *PEOPLE, [3, "=1+1", "Chi bộ 1"]])
    book: Any = openpyxl.load_workbook(path)
    book.active.column_dimensions["B"].width = 44
    book.active.merge_cells("A1:E1")
    book.active["F3"].value = '=HYPERLINK("x")'
    book.active["F4"].value = "@SUM(1)"
    book.save(path)
    sheet = read_workbook(path, "members")
    layout = find_layout(sheet, "members")
    target = error_copy_path(path, sheet)
    write_error_copy(path, sheet, layout, {4: "Ngày sinh sai."}, target, ((3, 3),))
    page = first_sheet(target)
    column = next(cell.column for cell in page[2] if cell.value == ERROR_COLUMN)
    assert page.cell(2, column).value == ERROR_COLUMN
    assert page.cell(4, column).value == "Ngày sinh sai."
    assert page.cell(3, column).value is None
    assert page.column_dimensions["B"].width == 44
    assert "A1:E1" in [str(merged) for merged in page.merged_cells.ranges]
    assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    again = read_workbook(target, "members")
    write_error_copy(
        target, again, find_layout(again, "members"), {3: "Khác."}, tmp_path / "b.xlsx"
    )
    assert first_sheet(tmp_path / "b.xlsx").max_column == column


@pytest.mark.parametrize(("make", "suffix"), [(xls, "xls"), (ods, "ods")])
def test_other_workbooks_come_back_as_xlsx(tmp_path, make, suffix):
    path = make(tmp_path / f"ds.{suffix}", [HEADER, *PEOPLE, [3, "=1+1", "Chi bộ 1", "", ""]])
    sheet = read_workbook(path, "members")
    target = error_copy_path(path, sheet)
    write_error_copy(path, sheet, find_layout(sheet, "members"), {2: "Sai."}, target)
    page = first_sheet(target)
    assert [cell.value for cell in page[2]][-1] == "Sai."
    assert page["D2"].value.date() == date(1965, 3, 12)
    assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)


def test_a_csv_file_comes_back_as_one_that_excel_opens_rightly(tmp_path):
    path = tmp_path / "ds.csv"
    path.write_text("Họ và tên;Chi bộ\nNguyễn Văn An;=1+1\n", encoding="utf-8")
    sheet = read_workbook(path, "members")
    target = error_copy_path(path, sheet)
    write_error_copy(path, sheet, find_layout(sheet, "members"), {2: "Sai."}, target)
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Nguyễn Văn An;'=1+1;Sai." in target.read_text("utf-8-sig")


def test_only_what_could_be_a_formula_is_disarmed():
    assert harmless("+84912345678") == "+84912345678"
    assert harmless("-5") == "-5"
    assert harmless("@SUM(1)") == "'@SUM(1)"
    assert harmless("\t=1") == "'\t=1"
