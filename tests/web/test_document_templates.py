"""A unit's own templates through the pages: tried, kept, previewed, used, and left behind again."""

import hashlib
import io
import zipfile
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from docx import Document
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from models import AuditEntry, Course, CourseType, DocumentTemplate, Enrolment, db
from rules.days import instant
from rules.document_templates import KINDS
from rules.permissions import SYSTEM
from services import document_templates, report_snapshots
from services.report_places import AS_WAS
from services.report_tables import report
from tests import world

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
KIND = "class-list"


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


@pytest.fixture
def an(client: FlaskClient, city: world.World) -> FlaskClient:
    return world.signed_in(client, city.accounts["an"])


def template(*lines: str) -> bytes:
    document = Document()
    for line in lines or ("Riêng: {{ ten_lop }}", "{{ nguoi_xuat }}"):
        document.add_paragraph(line)
    table = document.add_table(rows=2, cols=1)
    table.rows[0].cells[0].text = "Họ và tên"
    table.rows[1].cells[0].text = "{{ hoc_vien.ho_ten }}"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def home(city: world.World, kind: str = KIND, unit: str = "ward-1") -> str:
    return f"/units/{city.units[unit].id}/templates/{kind}"


def send(client: FlaskClient, path: str, content: bytes, name: str = "mau.docx") -> Any:
    head = f'--x\r\nContent-Disposition: form-data; name="template"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    return client.post(path, data=body, content_type="multipart/form-data; boundary=x")


def kept() -> int:
    db.session.rollback()
    return db.session.query(DocumentTemplate).count()


def text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        root = fromstring(package.read("word/document.xml"))
    return "\n".join(
        "".join(part.text or "" for part in line.iter(f"{W}t")) for line in root.iter(f"{W}p")
    )


def course(city: world.World, learner: str = "chi") -> str:
    db.session.add(CourseType(code="NTVD", name="Nhận thức về Đảng", name_en="Awareness"))
    row = Course(
        code="NTVD-01",
        type_code="NTVD",
        title="Lớp nhận thức về Đảng",
        organiser_id=city.units["ward-1"].id,
        opens_on=world.TODAY,
        closes_on=world.TODAY,
        state="finished",
        created_at=world.NOW,
    )
    db.session.add(row)
    db.session.flush()
    db.session.add(
        Enrolment(
            course_id=row.id,
            person_id=city.people[learner].id,
            unit_id=city.units["cell-1"].id,
            enrolled_on=world.TODAY,
        )
    )
    db.session.commit()
    return row.code


def test_a_template_is_tried_previewed_used_and_left_behind_again(
    an: FlaskClient, city: world.World
) -> None:
    file = f"/documents/{KIND}/{course(city)}/file"
    page = home(city)
    assert "DANH SÁCH HỌC VIÊN" in text(an.get(file).data)
    sent = template()
    assert send(an, page, sent).status_code == 303
    assert "DANH SÁCH HỌC VIÊN" in text(an.get(file).data), "not in use before somebody says so"
    shown = text(an.get(f"{page}/versions/1/preview").data)
    assert "Riêng: Lớp bồi dưỡng nhận thức" in shown
    assert shown.count("Trần Thị Thử") > 3
    assert an.get(f"{page}/versions/1/file").data == sent
    assert an.post(f"{page}/versions/1/use").status_code == 303
    own = text(an.get(file).data)
    assert own.splitlines()[0] == "Riêng: Lớp nhận thức về Đảng"
    assert "Đỗ Thị Kim Chi" in own
    assert f"Xuất bởi {city.accounts['an'].name} lúc" in own
    assert "DANH SÁCH HỌC VIÊN" in text(an.get(f"{file}?form=built-in").data)
    looked = an.get(f"/documents/{KIND}/NTVD-01").text
    assert "Mẫu riêng: bản 1" in looked
    assert an.post(f"{page}/built-in").status_code == 303
    assert "DANH SÁCH HỌC VIÊN" in text(an.get(file).data)
    assert an.post(f"{page}/built-in").status_code == 409
    entries = db.session.scalars(
        select(AuditEntry).where(AuditEntry.entity == "document_template").order_by(AuditEntry.id)
    ).all()
    assert [entry.action for entry in entries] == ["uploaded", "put_in_use", "put_out_of_use"]
    assert entries[0].unit_id == city.units["ward-1"].id
    assert entries[0].details["digest"] == hashlib.sha256(sent).hexdigest()
    exported = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "exported")).all()
    assert [entry.details["template"] for entry in exported] == [None, None, 1, None, None]


def test_another_version_takes_the_place_of_the_first_and_old_ones_go(
    an: FlaskClient, city: world.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_templates, "KEPT_VERSIONS", 2)
    page = home(city)
    for _turn in range(2):
        send(an, page, template())
    an.post(f"{page}/versions/1/use")
    an.post(f"{page}/versions/2/use")
    db.session.rollback()
    rows = db.session.scalars(select(DocumentTemplate).where(DocumentTemplate.is_active)).all()
    assert [row.version for row in rows] == [2]
    for _turn in range(2):
        send(an, page, template())
    db.session.rollback()
    left = db.session.scalars(select(DocumentTemplate.version)).all()
    assert sorted(left) == [2, 3, 4], "one in use stays, however old"
    assert an.get(f"{page}/versions/1/file").status_code == 404


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (template("{{ don_vj }}"), "Trường «don_vj» không có; có phải «don_vi»?"),
        (template("{{ ten_lop }}"), "Mẫu thiếu trường bắt buộc «nguoi_xuat»"),
        (template("{% for i in range(10**9) %}{% endfor %}"), "không chạy lệnh hay vòng lặp"),
        (b"", "Tệp trống"),
        (b"%PDF-1.7", "Đây không phải văn bản Word"),
        (b"PK" + b"\0" * 40_000_000, "Tệp mẫu quá lớn (tối đa 2 MB)"),
        (b"PK" + b"\0" * 2_050_000, "Tệp mẫu quá lớn (tối đa 2 MB)"),
    ],
)
def test_a_wrong_template_gets_its_sentence_and_nothing_is_kept(
    an: FlaskClient, city: world.World, content: bytes, sentence: str
) -> None:
    answer = send(an, home(city), content)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert kept() == 0
    assert db.session.query(AuditEntry).filter_by(entity="document_template").count() == 0


def test_no_file_is_said_at_the_field(an: FlaskClient, city: world.World) -> None:
    answer = an.post(home(city), data={})
    assert answer.status_code == 422
    assert "Hãy chọn tệp." in answer.text


def test_every_kind_has_its_page_its_fields_and_its_starter(
    an: FlaskClient, city: world.World
) -> None:
    unit = city.units["ward-1"].id
    listed = an.get(f"/units/{unit}/templates").text
    for key, kind in KINDS.items():
        assert f"/units/{unit}/templates/{key}" in listed
        page = an.get(home(city, key)).text
        for one in kind.fields.values():
            assert all(f"{{{{ {name} }}}}" in page for name, _what, _example in one.written())
        starter = an.get(f"{home(city, key)}/starter").data
        assert send(an, home(city, key), starter).status_code == 303
        assert an.get(f"{home(city, key)}/versions/1/preview").status_code == 200
    assert an.get(home(city, "opinions")).status_code == 404


def test_another_wards_staff_and_readers_reach_nothing(
    client: FlaskClient, city: world.World, app: Flask
) -> None:
    an = world.signed_in(client, city.accounts["an"])
    send(an, home(city), template())
    page = home(city)
    for who, status in (("dung", 404), ("doc", 403), ("binh", 403)):
        other = world.signed_in(app.test_client(), city.accounts[who])
        for path in (page, f"{page}/starter", f"{page}/versions/1/file"):
            assert other.get(path).status_code == status, (who, path)
        assert other.get(f"{page}/versions/1/preview").status_code == status
        assert send(other, page, template()).status_code == status
        assert other.post(f"{page}/versions/1/use").status_code == status
        assert other.post(f"{page}/built-in").status_code == status
    assert kept() == 1
    assert not db.session.scalars(select(DocumentTemplate.is_active)).one()
    admin = world.signed_in(app.test_client(), city.accounts["quan"])
    assert admin.post(f"{page}/versions/1/use").status_code == 303


def test_an_upload_without_its_token_is_refused(
    an: FlaskClient, city: world.World, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    page = an.get(home(city)).text
    assert send(an, home(city), template()).status_code == 400
    assert kept() == 0
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"template": (io.BytesIO(template()), "m.docx"), "csrf_token": token}
    assert an.post(home(city), data=data).status_code == 303


def test_a_name_that_looks_like_a_field_is_printed_as_it_is(
    an: FlaskClient, city: world.World
) -> None:
    code = course(city)
    city.people["chi"].full_name = "{{ 7*7 }} {{ don_vi }}"
    db.session.commit()
    send(an, home(city), template())
    an.post(f"{home(city)}/versions/1/use")
    assert "{{ 7*7 }} {{ don_vi }}" in text(an.get(f"/documents/{KIND}/{code}/file").data)


def test_a_template_that_fails_at_last_says_why_and_offers_the_built_in_form(
    an: FlaskClient, city: world.World
) -> None:
    code = course(city)
    send(an, home(city), template())
    an.post(f"{home(city)}/versions/1/use")
    row = db.session.scalars(select(DocumentTemplate)).one()
    row.content = template("{{ don_vj }}")
    db.session.commit()
    answer = an.get(f"/documents/{KIND}/{code}/file")
    assert answer.status_code == 409
    assert answer.mimetype == "text/html"
    assert "không khớp mã kiểm tra" in answer.text
    assert "form=built-in" in answer.text
    assert db.session.query(AuditEntry).filter_by(action="exported").count() == 0
    built_in = an.get(f"/documents/{KIND}/{code}/file?form=built-in")
    assert "DANH SÁCH HỌC VIÊN" in text(built_in.data)


REPORT = ("Kỳ {{ tu_ngay }}: {{ luot_nguoi_nghe }} lượt", "{{ nguoi_xuat }}", "{{ bieu_3 }}")


def report_template() -> bytes:
    document = Document()
    for line in REPORT:
        document.add_paragraph(line)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def held(city: world.World, visits: int) -> None:
    world.add_meeting(
        city,
        at=instant(date(2026, 10, 12), time(8)),
        kind="outreach",
        counting="heads",
        state="held",
        visits_count=visits,
    )


def test_a_closed_report_keeps_its_numbers_in_a_template_of_today(
    client: FlaskClient, city: world.World, app: Flask, tmp_path: Path
) -> None:
    held(city, 4_321)
    quan = world.signed_in(client, city.accounts["quan"])
    days = (date(2026, 10, 1), date(2026, 10, 31))
    closed = report_snapshots.close_report("Tháng 10", *days, AS_WAS, now=world.NOW, by=SYSTEM)
    held(city, 1)
    page = home(city, "report", "city")
    assert send(quan, page, report_template()).status_code == 303
    assert quan.post(f"{page}/versions/1/use").status_code == 303
    asked = "from=2026-10-01&to=2026-10-31"
    assert "Kỳ 01/10/2026: 4.321 lượt" in text(
        quan.get(f"/reports/closed/{closed}/report.docx").data
    )
    found = report(*days, today=world.TODAY, by=SYSTEM).tables
    assert {f"bieu_{table.number}" for table in found} <= KINDS["report"].fields.keys()
    db.session.rollback()
    live = text(quan.get(f"/reports/term.docx?{asked}").data)
    assert "Kỳ 01/10/2026: 4.322 lượt" in live
    assert "Tuyên truyền miệng" in live
    row = db.session.scalars(select(DocumentTemplate)).one()
    row.digest = "0" * 64
    db.session.commit()
    for path in (f"/reports/term.docx?{asked}", f"/reports/closed/{closed}/report.docx"):
        failed = quan.get(path)
        assert failed.status_code == 409
        assert "form=built-in" in failed.text
    assert "BÁO CÁO" in text(quan.get(f"/reports/term.docx?{asked}&form=built-in").data)
    file = tmp_path / "report.docx"
    words = ["report", "term", "--from", "2026-10-01", "--to", "2026-10-31", "--docx", str(file)]
    done = app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 0, done.output
    assert "không khớp mã kiểm tra" in done.stderr
    assert "BÁO CÁO" in text(file.read_bytes())
