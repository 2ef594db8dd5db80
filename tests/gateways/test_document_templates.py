"""Templates from Word: every hostile or wrong one gets its sentence, and what is filled in stays data."""

import io
import time
import zipfile
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring
from docx import Document
from docx.shared import Mm

from gateways import document_templates
from gateways.document_safety import STOPPED, TOO_MUCH
from gateways.document_templates import filled
from gateways.documents import Drawing, Grid, Letterhead, Paper, Picture, Text, docx
from rules.charts import Pair, PairChart
from rules.document_templates import KINDS, WrongTemplate
from rules.refusals import Malformed
from services.document_samples import sample_papers, starter

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
HEAD = Letterhead(
    superior="ĐẢNG UỶ PHƯỜNG MỘT", issuer="BAN XÂY DỰNG ĐẢNG", recipients=("Thường trực,", "Lưu.")
)
NEEDED = ("{{ nguoi_xuat }}", "{{ noi_dung }}")
LEARNERS = [
    {"stt": "1", "ho_ten": "Trương Hoà", "don_vi": "Chi bộ 1"},
    {"stt": "2", "ho_ten": "Nguyễn Thị Hiền", "don_vi": "Chi bộ 2"},
]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080200000090"
    "7753de0000000c4944415478da63f8ffff3f0005fe02fea72d1b5d0000000049454e44ae426082"
)


def paper(**values: Any) -> Paper:
    given: dict[str, Any] = {
        "letterhead": HEAD,
        "kind": "DANH SÁCH HỌC VIÊN",
        "subject": "Lớp nhận thức về Đảng",
        "blocks": (Text("Đoạn của chương trình."), Grid(("STT", "Tên"), [("1", "Hoà")], (1, 5))),
        "symbol": "DS/BXDĐ",
        "foot": "Xuất bởi An",
        "fields": {"ten_lop": "Lớp A", "hoc_vien": LEARNERS},
    }
    return Paper(**(given | values))


def template(*lines: str, build: Callable[[Any], None] | None = None) -> bytes:
    document = Document()
    for line in lines:
        document.add_paragraph(line)
    if build:
        build(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def made(content: bytes, kind: str = "class-list", *papers: Paper) -> bytes:
    return filled(content, KINDS[kind], papers or (paper(),))


def read(content: bytes, part: str = "word/document.xml") -> ElementTree.Element:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert package.testzip() is None
        return fromstring(package.read(part))


def lines(content: bytes) -> list[str]:
    return [
        "".join(text.text or "" for text in line.iter(f"{W}t"))
        for line in read(content).iter(f"{W}p")
    ]


def changed(content: bytes, change: Callable[[str, bytes], bytes | None], **more: bytes) -> bytes:
    """The same package with parts rewritten, left out (None), or added (a name's __ is a /)."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            kept = change(entry.filename, old.read(entry))
            if kept is not None:
                new.writestr(entry.filename, kept)
        for name, body in more.items():
            new.writestr(name.replace("__", "/"), body)
    return buffer.getvalue()


def replaced(content: bytes, part: str, old: bytes, new: bytes, **more: bytes) -> bytes:
    def change(name: str, body: bytes) -> bytes:
        if name != part:
            return body
        assert old in body
        return body.replace(old, new)

    return changed(content, change, **more)


def sentences(content: bytes, kind: str = "class-list") -> list[str]:
    with pytest.raises(Malformed) as refused:
        made(content, kind)
    if isinstance(refused.value, WrongTemplate):
        return [str(fault) for fault in refused.value.faults]
    return [str(refused.value)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_holds_every_field_and_fills_without_a_brace_left(kind: str) -> None:
    content = starter(KINDS[kind])
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        whole = b"".join(
            package.read(name) for name in package.namelist() if name.startswith("word/")
        ).decode()
    for one in KINDS[kind].fields.values():
        for name, _label, _example in one.written():
            assert (f"{{{{ {name} }}}}" in whole) is not one.instead, name
    result = filled(content, KINDS[kind], sample_papers(KINDS[kind], HEAD, "Xuất bởi An"))
    assert "{{" not in "\n".join(lines(result))
    assert "BAN XÂY DỰNG ĐẢNG" in lines(result)


def test_fields_texts_lists_and_blocks_stand_where_they_were_written() -> None:
    def build(document: Any) -> None:
        table = document.add_table(rows=2, cols=2)
        table.rows[0].cells[0].text = "TT"
        table.rows[1].cells[0].text = "{{ hoc_vien.stt }}."
        table.rows[1].cells[1].text = "{{ hoc_vien.ho_ten }} ({{ ten_lop }})"
        document.add_paragraph("- {{ noi_nhan.ten }}")
        document.add_paragraph("{{ quyen_han }}")
        document.add_paragraph("Hết.")

    content = template("Của {{ Đơn vị }}, lớp {{ten_lop}}", *NEEDED, build=build)
    result = made(content)
    found = lines(result)
    assert "Của BAN XÂY DỰNG ĐẢNG, lớp Lớp A" in found
    assert found.index("Đoạn của chương trình.") < found.index("1.") < found.index("2.")
    assert "Nguyễn Thị Hiền (Lớp A)" in found
    assert found[-3:] == ["- Thường trực,", "- Lưu.", "Hết."], "an empty field's paragraph goes"
    rows = list(list(read(result).iter(f"{W}tbl"))[-1].iter(f"{W}tr"))
    assert len(rows) == 3
    assert rows[0].find(f".//{W}tblHeader") is not None, "the row above heads every page"
    assert all(row.find(f".//{W}cantSplit") is not None for row in rows[1:])


def test_a_name_that_word_cut_into_pieces_is_one_name_in_its_first_look() -> None:
    def build(document: Any) -> None:
        line = document.add_paragraph()
        line.add_run("Lớp: {").bold = True
        line.add_run("{ ten_")
        line.add_run("lop }").italic = True
        line.add_run("}!")

    result = made(template(*NEEDED, build=build))
    assert "Lớp: Lớp A!" in lines(result)
    run = next(run for run in read(result).iter(f"{W}r") if "Lớp A" in "".join(run.itertext()))
    assert run.find(f"{W}rPr/{W}b") is not None


@pytest.mark.parametrize(
    "name", ["{{ 7*7 }}", "{{ don_vi }}", "{{ hoc_vien.stt }}", "{{ noi_dung }}", "{% for %}"]
)
def test_what_people_are_called_is_never_a_template(name: str) -> None:
    def build(document: Any) -> None:
        table = document.add_table(rows=1, cols=1)
        table.rows[0].cells[0].text = "{{ hoc_vien.ho_ten }}"
        document.add_paragraph("{{ ten_lop }}")
        document.add_paragraph("{{ noi_nhan.ten }}")
        document.sections[0].header.paragraphs[0].text = "{{ don_vi }}"

    result = made(
        template(*NEEDED, build=build),
        "class-list",
        paper(
            letterhead=Letterhead(issuer=name, recipients=(name,)),
            blocks=(Text(name), Grid(("A",), [(name,)], (1,))),
            fields={"ten_lop": name, "hoc_vien": [{"stt": "1", "ho_ten": name, "don_vi": name}]},
        ),
    )
    assert lines(result).count(name) == 5
    assert "49" not in "".join(lines(result))
    with zipfile.ZipFile(io.BytesIO(result)) as package:
        assert name in package.read("word/header1.xml").decode()
        assert b"field=" not in package.read("word/document.xml"), "no mark of ours is left"


def test_lines_tabs_and_signs_of_xml_are_written_as_they_are() -> None:
    one = paper(fields={"ten_lop": "A < B & C\nD\tE\x0b", "hoc_vien": []})
    root = read(made(template(*NEEDED, "{{ ten_lop }}"), "class-list", one))
    line = next(line for line in root.iter(f"{W}p") if "A < B & C" in "".join(line.itertext()))
    kinds = [part.tag.removeprefix(W) for part in line.iter() if part.tag != f"{W}rPr"]
    assert kinds == ["p", "r", "t", "br", "t", "tab", "t"]
    assert "".join(line.itertext()) == "A < B & CDE"


def test_a_sheet_for_everyone_in_one_file_each_in_a_section_of_its_own() -> None:
    people = [
        paper(fields={"nguoi_duoc_moi": f"Đồng chí {number}", "thoi_gian": "7 giờ"})
        for number in range(3)
    ]
    content = template("{{ nguoi_duoc_moi }}: {{ thoi_gian }}", "{{ nguoi_xuat }}", "Mời họp")
    result = made(content, "invitations", *people)
    assert [line for line in lines(result) if line.startswith("Đồng chí")] == [
        f"Đồng chí {number}: 7 giờ" for number in range(3)
    ]
    sections = list(read(result).iter(f"{W}sectPr"))
    assert len(sections) == 3
    assert all(one.find(f"{W}pgNumType") is not None for one in sections)


@pytest.mark.slow
def test_fifteen_hundred_invitations_are_filled_within_the_limits() -> None:
    kind = KINDS["invitations"]
    people = sample_papers(kind, HEAD, "Xuất bởi An")[:1] * 1_500
    began = time.monotonic()
    result = filled(starter(kind), kind, people)
    assert len(list(read(result).iter(f"{W}sectPr"))) == 1_500
    assert time.monotonic() - began < document_templates.WALL_SECONDS


def test_a_block_is_as_wide_as_the_page_it_stands_on_and_carries_pictures_and_charts() -> None:
    def build(document: Any) -> None:
        section = document.sections[0]
        section.page_width, section.left_margin, section.right_margin = Mm(148), Mm(14), Mm(14)

    pairs = (Pair("Một", 1, 2, "1", "2"), Pair("Hai", 3, 4, "3", "4"))
    chart = PairChart("k", "Biểu đồ", "buổi", "Nay", "Trước", pairs, False, "Hai nhiều hơn Một")
    drawn = (Drawing(chart), Drawing(chart))
    grid = Grid(("A", "B"), [("1", "2")], (1, 1), shades={(0, 1): "CCCCCC"})
    one = paper(blocks=(grid, Picture(PIXEL, 20, "Một điểm"), *drawn))
    result = made(template(*NEEDED, build=build), "class-list", one)
    width = next(read(result).iter(f"{W}tblW")).get(f"{W}w", "0")
    assert abs(int(width) - 120 * 1440 / 25.4) < 4
    with zipfile.ZipFile(io.BytesIO(result)) as package:
        names = package.namelist()
    assert any(name.startswith("word/media/") for name in names)
    assert len({name for name in names if name.startswith("word/charts/chart")}) == 2
    assert len(names) == len(set(names))


def test_the_annex_is_a_block_of_its_own() -> None:
    annex = paper(blocks=(Text("Danh sách kèm theo"),))
    content = template("{{ noi_dung_buoi }}", "{{ nguoi_xuat }}", "{{ phu_luc }}")
    letter = paper(fields={"noi_dung_buoi": "Học nghị quyết"})
    found = lines(made(content, "summons", letter, annex))
    assert found.index("Học nghị quyết") < found.index("Danh sách kèm theo")


def test_a_list_without_lines_leaves_no_empty_row_and_no_broken_table() -> None:
    def build(document: Any) -> None:
        document.add_table(rows=1, cols=1).rows[0].cells[0].text = "{{ hoc_vien.ho_ten }}"

    none = paper(fields={"hoc_vien": []}, blocks=(Text("Chưa có ai."),))
    root = read(made(template(*NEEDED, build=build), "class-list", none))
    assert all(table.find(f"{W}tr") is not None for table in root.iter(f"{W}tbl"))


def test_who_made_the_template_does_not_travel_with_the_documents() -> None:
    def build(document: Any) -> None:
        document.core_properties.author = "Nguyễn Văn Khuôn"

    result = made(template(*NEEDED, build=build))
    with zipfile.ZipFile(io.BytesIO(result)) as package:
        properties = package.read("docProps/core.xml").decode()
    assert "Khuôn" not in properties
    assert "Lớp nhận thức về Đảng" in properties


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{{ don_vj }}", "Trường «don_vj» không có; có phải «don_vi»?"),
        ("{{ hoc_vien.ho_tn }}", "Trường «hoc_vien.ho_tn» không có; có phải «hoc_vien.ho_ten»?"),
        ("{{ Đơn vị ban }}", "Trường «Đơn vị ban» không có; có phải «don_vi»?"),
        ("{{ zzzz }}", "Trường «zzzz» không có. Hãy chọn trong danh sách"),
        ("{{ 7*7 }}", "Trường «7*7» không có."),
        ("{{ }}", "Trường «» không có."),
        ("{{ ''.__class__.__mro__ }}", "Trường «''.__class__.__mro__» không có."),
        ("{{ hoc_vien }}", "Trường «hoc_vien» là một danh sách."),
        ("{% for i in range(10**9) %}x{% endfor %}", "không chạy lệnh hay vòng lặp"),
        ("{%tr for a in hoc_vien %}", "không chạy lệnh hay vòng lặp"),
        ("{# ghi chú #}", "Lệnh «{# ghi chú #}» không dùng được"),
        ("{{ don_vi }", "Dấu ngoặc {{ }} chưa đủ đôi ở đoạn «{{ don_vi }»."),
        ("don_vi }}", "Dấu ngoặc {{ }} chưa đủ đôi"),
        ("Kính gửi {{ noi_dung }}", "hãy để nó đứng một mình trong một đoạn"),
        ("{{ hoc_vien.stt }} {{ noi_nhan.ten }}", "«hoc_vien» và «noi_nhan» ở chung một dòng"),
    ],
)
def test_a_wrong_field_gets_the_sentence_that_names_it(line: str, sentence: str) -> None:
    assert any(sentence in said for said in sentences(template(*NEEDED, line)))


def test_every_wrong_field_is_named_at_once_and_not_twice() -> None:
    content = template("{{ don_vj }} {{ don_vj }}", "{{ ten_lp }}")
    assert sentences(content) == [
        "Trường «don_vj» không có; có phải «don_vi»?",
        "Trường «ten_lp» không có; có phải «ten_lop»?",
    ]


def test_needed_fields_that_are_missing_are_named() -> None:
    assert sentences(template("Chỉ có chữ {{ don_vi }}")) == [
        "Mẫu thiếu trường bắt buộc «nguoi_xuat». Hãy thêm vào mẫu rồi tải lên lại.",
        "Mẫu thiếu nội dung chính: cần ít nhất một trong các trường «noi_dung», «hoc_vien».",
    ]


def test_fields_of_one_sheet_and_lists_are_refused_in_margins() -> None:
    def build(document: Any) -> None:
        document.sections[0].header.paragraphs[0].text = "{{ nguoi_duoc_moi }}"
        document.sections[0].footer.paragraphs[0].text = "{{ noi_nhan.ten }}"

    content = template("{{ nguoi_duoc_moi }}{{ thoi_gian }}", "{{ nguoi_xuat }}", build=build)
    said = sentences(content, "invitations")
    assert len(said) == 2
    assert all("không đặt được ở đầu trang" in one for one in said)


def test_a_block_in_a_table_is_refused() -> None:
    def build(document: Any) -> None:
        document.add_table(rows=1, cols=1).rows[0].cells[0].text = "{{ noi_dung }}"

    assert "ngoài bảng" in sentences(template(*NEEDED, build=build))[0]


GOOD = template(*NEEDED)
TYPES = "[Content_Types].xml"
RELS = "word/_rels/document.xml.rels"
OFFICE = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def with_relation(kind: bytes, target: bytes) -> bytes:
    relation = (
        b'<Relationship Id="rIdX" Type="' + OFFICE + b"/" + kind + b'" Target="' + target + b'" '
        b'TargetMode="External"/></Relationships>'
    )
    return replaced(GOOD, RELS, b"</Relationships>", relation)


def with_body(xml: str) -> bytes:
    return replaced(GOOD, "word/document.xml", b"<w:body>", b"<w:body>" + xml.encode())


def field(*instructions: str) -> str:
    said = "".join(f"<w:r><w:instrText>{one}</w:instrText></w:r>" for one in instructions)
    begin, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "end"))
    return f"<w:p>{begin}{said}{end}</w:p>"


MAIN = b"wordprocessingml.document.main+xml"
BOMB = b"<w:t>" + b" " * 29_000_000 + b"</w:t>"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "Tệp trống"),
    "40 MB": (b"PK" + b"\0" * 40_000_000, "quá lớn (tối đa 2 MB)"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "không phải văn bản Word"),
    "a PDF": (b"%PDF-1.7", "không phải văn bản Word"),
    "old Word": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"),
        "kiểu cũ (.doc)",
    ),
    "a password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        "có mật khẩu",
    ),
    "half a file": (GOOD[: len(GOOD) // 2], "bị hỏng"),
    "another zip": (
        changed(GOOD, lambda name, body: None if name == "word/document.xml" else body),
        "không phải văn bản Word",
    ),
    "a macro's type": (
        replaced(GOOD, TYPES, MAIN, b"ms-word.document.macroEnabled.main+xml"),
        "có macro",
    ),
    "a macro's code": (changed(GOOD, lambda _n, b: b, word__vbaProject_bin=b"x"), "vbaProject"),
    "dotx": (replaced(GOOD, TYPES, MAIN, b"wordprocessingml.template.main+xml"), ".dotx"),
    "an embedded file": (changed(GOOD, lambda _n, b: b, word__embeddings__a=b"x"), "nhúng"),
    "a remote template": (
        with_relation(b"attachedTemplate", b"http://example.invalid/t.dotm"),
        "liên kết ra ngoài («http://example.invalid/t.dotm»)",
    ),
    "a remote picture": (with_relation(b"image", b"http://example.invalid/p.png"), "ra ngoài"),
    "a link to a file": (with_relation(b"hyperlink", b"file:///c:/x"), "ra ngoài"),
    "an object": (with_body("<w:p><w:r><w:object/></w:r></w:p>"), "đối tượng nhúng («object»)"),
    "an alternative chunk": (with_body('<w:altChunk w:id="a"/>'), "đối tượng nhúng"),
    "DDE": (with_body(field("DDEAUTO c:\\\\windows cmd")), "«DDEAUTO»"),
    "DDE in pieces": (with_body(field("DDE", "AUTO c:\\\\windows cmd")), "«DDEAUTO»"),
    "an included text": (
        with_body('<w:p><w:fldSimple w:instr=" INCLUDETEXT c:\\x "/></w:p>'),
        "«INCLUDETEXT»",
    ),
    "a DTD": (
        replaced(
            GOOD,
            "word/document.xml",
            b"<w:document",
            b'<!DOCTYPE x [<!ENTITY a "b">]><w:document',
        ),
        "khai báo XML không an toàn",
    ),
    "a bomb": (
        replaced(GOOD, "word/document.xml", b"<w:body>", b"<w:body>" + BOMB),
        "lớn gấp nhiều lần",
    ),
    "no XML": (
        changed(GOOD, lambda name, body: b"<w:" if name == "word/document.xml" else body),
        "bị hỏng",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_must_not_be_opened_gets_its_sentence(name: str) -> None:
    content, sentence = HOSTILE[name]
    if name == "a macro's code":
        content = changed(GOOD, lambda _n, body: body, **{"word/vbaProject.bin": b"x"})
        sentence = "có macro"
    began = time.monotonic()
    assert any(sentence in said for said in sentences(content)), sentences(content)
    assert time.monotonic() - began < 25


def test_a_link_to_the_web_and_a_page_number_are_no_harm() -> None:
    content = with_relation(b"hyperlink", b"mailto:vanphong@example.invalid")
    assert made(content).startswith(b"PK")
    assert made(with_body(field("PAGE"))).startswith(b"PK")


def test_a_template_that_repeats_too_much_is_stopped_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows of rows cannot be written, but many rows that each repeat can: 400 × 4.000 × 40 cells."""
    monkeypatch.setattr(document_templates, "WALL_SECONDS", 8)

    def build(document: Any) -> None:
        table = document.add_table(rows=1, cols=40)
        for cell in table.rows[0].cells:
            cell.text = "{{ hoc_vien.ho_ten }}"
        for turn in range(400):
            row = deepcopy(table.rows[0]._tr)
            for text in row.iter(f"{W}t"):
                text.text += sha256(f"{turn}{id(text)}".encode()).hexdigest()
            table._tbl.append(row)

    content = template(*NEEDED, build=build)
    many = paper(fields={"hoc_vien": LEARNERS * 2_000})
    began = time.monotonic()
    with pytest.raises(Malformed) as refused:
        made(content, "class-list", many)
    assert refused.value.sentence in (STOPPED, TOO_MUCH)
    assert time.monotonic() - began < document_templates.WALL_SECONDS + 10


def test_a_filler_that_never_answers_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_templates, "WALL_SECONDS", 0.01)
    with pytest.raises(Malformed, match="quá nhiều thời gian"):
        made(GOOD)


def test_the_programs_own_documents_may_be_taken_as_templates() -> None:
    own = docx([paper(blocks=(Text("{{ noi_dung }}"),), foot="{{ nguoi_xuat }}")])
    assert "Đoạn của chương trình." in lines(made(own))
