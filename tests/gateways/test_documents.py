"""Documents read back by another reader: the head, the number without a year, tables, pages."""

import io
import zipfile
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring

from gateways.document_tables import LETTER_MM, widths_for_words
from gateways.documents import (
    Blank,
    Grid,
    Letterhead,
    PageBreak,
    Paper,
    Text,
    docx,
    printable,
)
from rules.paperwork import party_date

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
HEAD = Letterhead(
    superior="THÀNH UỶ LAM SƠN",
    issuer="BAN TUYÊN GIÁO",
    place="Lam Sơn",
    authority="T/M BAN TUYÊN GIÁO",
    recipients=("Thường trực Thành uỷ,", "Lưu."),
    left=30,
)
LIST = Grid(("STT", "Họ và tên"), [("Chi bộ 1",), ("1", "Trương Hoà")], (1, 5))


def paper(**values: Any) -> Paper:
    given: dict[str, Any] = {
        "letterhead": HEAD,
        "kind": "KẾ HOẠCH",
        "subject": "học tập nghị quyết",
        "blocks": (Text("Đoạn thứ nhất."), LIST),
        "symbol": "KH/BTG",
        "on": date(2026, 1, 9),
        "foot": "Xuất lúc 12:00",
    }
    return Paper(**(given | values))


def read(content: bytes, part: str = "word/document.xml") -> ElementTree.Element:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.testzip() is None
        return fromstring(package.read(part))


def lines(content: bytes) -> list[str]:
    return [
        "".join(text.text or "" for text in line.iter(f"{W}t"))
        for line in read(content).iter(f"{W}p")
    ]


def test_the_head_number_and_recipients_are_the_partys() -> None:
    found = lines(docx([paper()]))
    for line in (
        "THÀNH UỶ LAM SƠN",
        "BAN TUYÊN GIÁO",
        "*",
        "Số      -KH/BTG",
        "ĐẢNG CỘNG SẢN VIỆT NAM",
        "Lam Sơn, ngày 09 tháng 01 năm 2026",
        "DỰ THẢO",
        "KẾ HOẠCH",
        "Nơi nhận:",
        "- Lưu.",
        "T/M BAN TUYÊN GIÁO",
    ):
        assert line in found
    assert found.index("KẾ HOẠCH") < found.index("Đoạn thứ nhất.") < found.index("Nơi nhận:")


def test_a_table_repeats_its_head_and_breaks_no_row() -> None:
    table = list(read(docx([paper()])).iter(f"{W}tbl"))[1]
    rows = list(table.iter(f"{W}tr"))
    assert len(rows) == 3
    assert rows[0].find(f".//{W}tblHeader") is not None
    assert all(row.find(f".//{W}cantSplit") is not None for row in rows)
    assert rows[1].find(f".//{W}gridSpan") is not None


def test_a_mail_merge_is_one_file_with_a_page_for_each() -> None:
    content = docx([paper(subject=f"số {number}") for number in range(3)])
    sections = list(read(content).iter(f"{W}sectPr"))
    assert len(sections) == 3
    assert [line for line in lines(content) if line.startswith("số ")] == ["số 0", "số 1", "số 2"]


def test_paper_margins_and_landscape_are_the_units() -> None:
    upright, lying = (
        next(read(docx([paper(landscape=turn)])).iter(f"{W}sectPr")) for turn in (False, True)
    )
    margins = upright.find(f"{W}pgMar")
    size = lying.find(f"{W}pgSz")
    assert margins is not None
    assert size is not None
    assert round(int(margins.get(f"{W}left", "0")) / 56.7) == 30
    assert round(int(size.get(f"{W}w", "0")) / 56.7) == 297


def test_the_font_and_the_exporters_line_are_written() -> None:
    content = docx([paper()])
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = [name for name in package.namelist() if name.startswith("word/footer")]
        feet = b"".join(package.read(name) for name in parts).decode()
        styles = package.read("word/styles.xml").decode()
    assert "Xuất lúc 12:00" in feet
    assert "Times New Roman" in styles


@pytest.mark.parametrize(
    ("on", "written"),
    [
        (date(2018, 4, 3), "Lam Sơn, ngày 03 tháng 4 năm 2018"),
        (date(2026, 12, 31), "Lam Sơn, ngày 31 tháng 12 năm 2026"),
        (None, "Lam Sơn, ngày      tháng      năm"),
    ],
)
def test_days_are_padded_and_only_the_first_two_months(on: date | None, written: str) -> None:
    assert party_date("Lam Sơn", on) == written


def test_what_no_file_can_hold_is_left_out() -> None:
    assert printable("Ho\x00à\x0b ấ\n") == "Hoà ấ\n"
    assert "Hoà" in lines(docx([paper(blocks=(Text("H\x01oà"), PageBreak()))]))


def test_what_people_write_is_dotted_and_an_unsigned_head_leaves_no_empty_block() -> None:
    content = docx([paper(letterhead=Letterhead(issuer="CHI BỘ 1"), blocks=(Blank(2),))])
    tabs = [tab.get(f"{W}leader") for tab in read(content).iter(f"{W}tab") if tab.get(f"{W}leader")]
    assert tabs == ["dot", "dot"]
    assert len(list(read(content).iter(f"{W}tbl"))) == 1


def test_no_word_of_a_head_and_no_day_is_cut_where_others_can_spare_the_room() -> None:
    header, rows = ("STT", "Họ và tên", "Hạn"), [("1", "Trương Hoà", "19/12/2026")]
    widths = widths_for_words(header, rows, [6.0, 140.0, 14.0], 12)
    assert round(sum(widths), 6) == 160
    assert widths[0] > 3 * 12 * LETTER_MM
    assert widths[2] > 20
    assert widths_for_words(header, rows, [20.0, 100.0, 40.0], 12) == [20.0, 100.0, 40.0]
    assert widths_for_words(header, rows, [1.0, 1.0, 1.0], 12) == [1.0, 1.0, 1.0]


def test_a_signature_keeps_the_last_lines_or_rows_with_it() -> None:
    root = read(docx([paper(blocks=(Text("Đầu."), Text("Giữa."), LIST))]))
    kept = [
        "".join(line.itertext())
        for line in root.iter(f"{W}p")
        if (mark := line.find(f"{W}pPr/{W}keepNext")) is not None and mark.get(f"{W}val") != "0"
    ]
    assert {"Chi bộ 1", "1", "Trương Hoà"} <= set(kept)
    assert "Đầu." not in kept


def test_a_letter_without_a_title_says_under_its_number_what_it_is_about() -> None:
    found = lines(docx([paper(kind="", subject="V/v triệu tập")]))
    assert found.count("V/v triệu tập") == 1
    assert found.index("Số      -KH/BTG") + 1 == found.index("V/v triệu tập")
