"""The import's pages, from choosing a file to the confirmed change."""

import io
import threading
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient

from models import Person, RosterImport, db
from services.transaction import writing
from tests.world import World, build_world, signed_in

HEADER = ["Mã", "Họ và tên", "Chi bộ", "Năm sinh", "CCCD"]
ROWS = [["DV001", "Đỗ Thị Kim Chi", "CB1", 1971, "001"], ["T1", "Lê Văn Bốn", "CB1", 1980, "002"]]


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def an(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["an"])


def workbook(*rows: Sequence[Any]) -> io.BytesIO:
    book: Any = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    out.seek(0)
    return out


def upload(client: FlaskClient, content: io.BytesIO, **more: Any) -> Any:
    data = {
        "kind": "members", "unit": "", "effective_on": "2026-11-23",
        "workbook": (content, "danh sách.xlsx"),
    } | more  # fmt: skip
    return client.post("/roster", data=data, content_type="multipart/form-data")


def finish() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("roster-"):
            thread.join(30)


def test_a_workbook_is_uploaded_mapped_previewed_and_confirmed(an: FlaskClient) -> None:
    answer = upload(an, workbook(["DANH SÁCH"], HEADER, *ROWS))
    assert answer.status_code == 303
    address = answer.location
    columns = an.get(address).text
    assert "không nhập (dữ liệu không cần)" in columns
    assert "tiêu đề ở dòng 2" in columns
    chosen = {"column-0": "code", "column-1": "name", "column-2": "unit", "column-3": "birth"}
    assert an.post(f"{address}/columns", data=chosen).status_code == 303
    finish()
    status = an.get(f"{address}/progress").json
    assert status is not None
    assert (status["ok"], status["state"], status["next"]) == (True, "done", address)
    preview = an.get(address).text
    assert "<del>1970</del> → <ins>1971</ins>" in preview
    assert "Lê Văn Bốn" in preview
    assert "001" not in preview.partition("Thay đổi")[2].replace("DV001", "")
    assert an.post(f"{address}/confirmation").status_code == 303
    finish()
    assert "Đã ghi vào hệ thống" in an.get(address).text
    assert db.session.query(Person).filter_by(code="T1").count() == 1
    assert "danh sách.xlsx" in an.get("/roster").text


def uploaded_bytes(client: FlaskClient, content: bytes) -> Any:
    """The same as one body in memory: the test client would leave a temporary file open."""
    fields = {"kind": "members", "unit": "", "effective_on": "2026-11-23"}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--x\r\nContent-Disposition: form-data; name="workbook"; filename="ds.csv"\r\n\r\n'
    body = b"".join([*parts, head, content, b"\r\n--x--\r\n"])
    return client.post("/roster", data=body, content_type="multipart/form-data; boundary=x")


def test_a_list_of_several_megabytes_is_read_and_one_of_thirty_refused(an: FlaskClient) -> None:
    note = "ghi chú " * 1000
    rows = [f"T{number},Lê Văn Bốn,CB1,{1940 + number % 60},{note}" for number in range(300)]
    text = "\n".join([",".join(HEADER), *rows]).encode()
    assert len(text) > 2_000_000
    sent = uploaded_bytes(an, text)
    assert sent.status_code == 303
    assert "Nối cột" in an.get(sent.location).text
    assert uploaded_bytes(an, b"x" * 30_000_000).status_code == 413


def test_a_file_that_cannot_be_read_is_explained_at_the_form(an: FlaskClient) -> None:
    answer = upload(an, io.BytesIO(b"%PDF-1.7 nothing"))
    assert answer.status_code == 422
    assert "tệp PDF" in answer.text
    assert upload(an, io.BytesIO(b"")).status_code == 422
    assert an.post("/roster", data={"kind": "members"}).status_code == 422


def test_errors_are_listed_and_the_workbook_comes_back(an: FlaskClient) -> None:
    rows = [["T1", "Lê Văn Bốn", "Chi bộ lạ", 1980, None]]
    address = upload(an, workbook(HEADER, *rows)).location
    an.post(f"{address}/checks")
    finish()
    page = an.get(address).text
    assert "Chi bộ lạ" in page
    assert "Nhập danh sách này?" not in page
    assert an.post(f"{address}/confirmation").status_code == 409
    with an.get(f"{address}/errors") as download:
        assert "filename" in download.headers["Content-Disposition"]
        content = io.BytesIO(download.data)
    page_of_copy: Any = openpyxl.load_workbook(content).active
    assert page_of_copy.cell(1, 6).value == "Lỗi cần sửa"


def test_namesakes_stand_side_by_side_and_the_answer_counts(
    client: FlaskClient, world: World
) -> None:
    quan = signed_in(client, world.accounts["quan"])
    rows: list[list[Any]] = [["Họ và tên", "Chi bộ", "Năm sinh"], ["Đỗ Thị Kim Chi", "CB2", 1970]]
    address = upload(quan, workbook(*rows)).location
    quan.post(f"{address}/checks")
    finish()
    page = quan.get(address).text
    assert "Là Đỗ Thị Kim Chi, Chi bộ 1" in page
    chi = world.people["chi"].id
    quan.post(f"{address}/answers", data={"who-2": str(chi)})
    finish()
    assert "<del>Chi bộ 1</del> → <ins>Chi bộ 2</ins>" in quan.get(address).text


def test_an_import_is_dropped_and_others_cannot_see_it(
    an: FlaskClient, app: Any, world: World
) -> None:
    address = upload(an, workbook(HEADER, *ROWS)).location
    dung = signed_in(app.test_client(), world.accounts["dung"])
    for path in ("", "/progress", "/errors"):
        assert dung.get(address + path).status_code == 404
    assert an.post(f"{address}/deletion").status_code == 303
    assert an.get(address).status_code == 404


def test_a_wrong_mapping_is_told_at_the_page(an: FlaskClient) -> None:
    address = upload(an, workbook(HEADER, *ROWS)).location
    answer = an.post(f"{address}/columns", data={"column-0": "code"})
    assert answer.status_code == 422
    assert "Hãy chọn cột" in answer.text


def test_another_sheet_can_be_chosen(an: FlaskClient) -> None:
    book: Any = openpyxl.Workbook()
    book.active.title = "Năm 2025"
    for row in [HEADER, *ROWS]:
        book.active.append(row)
    page = book.create_sheet("Năm 2026")
    for row in [HEADER, ROWS[0]]:
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    out.seek(0)
    address = upload(an, out).location
    assert "Năm 2026" in an.get(address).text
    assert an.post(f"{address}/sheet", data={"sheet": "Năm 2026"}).status_code == 303
    assert "trang “Năm 2026”" in an.get(address).text
    assert an.post(f"{address}/sheet", data={"sheet": "Không có"}).status_code == 422


def test_cells_that_nobody_knows_are_founded_from_the_preview(
    an: FlaskClient, world: World
) -> None:
    rows: list[list[Any]] = [["T1", "Lê Văn Bốn", "Chi bộ Trường học", 1980, None]]
    address = upload(an, workbook(HEADER, *rows)).location
    an.post(f"{address}/checks")
    finish()
    assert "Đơn vị chưa có trong hệ thống" in an.get(address).text
    chosen = {"name": "Chi bộ Trường học", "kind": "cell", "parent": world.units["ward-1"].id}
    assert an.post(f"{address}/units", data=chosen).status_code == 303
    finish()
    assert "Nhập danh sách này?" in an.get(address).text
    elsewhere = chosen | {"parent": world.units["ward-2"].id}
    assert an.post(f"{address}/units", data=elsewhere).status_code in (404, 422)


def test_an_import_discarded_while_it_is_checked_ends_without_a_fault(
    an: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = upload(an, workbook(HEADER, *ROWS)).location

    def discard(*_: object) -> None:
        with writing() as session:
            session.delete(session.get_one(RosterImport, int(address.rpartition("/")[2])))

    monkeypatch.setattr("services.roster.error_copy", discard)
    chosen = {"column-0": "code", "column-1": "name", "column-2": "unit", "column-3": "birth"}
    assert an.post(f"{address}/columns", data=chosen).status_code == 303
    finish()
    assert an.get(address).status_code == 404
