"""Documents of the work: each on screen and as a file that another reader opens, logged when it leaves."""

import io
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring
from flask.testing import FlaskClient
from sqlalchemy import select

from models import AuditEntry, Course, CourseType, Enrolment, Invitation, db
from tests import world
from tests.services import campaign_plans as plans

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


@pytest.fixture
def quan(client: FlaskClient, city: world.World) -> FlaskClient:
    return world.signed_in(client, city.accounts["quan"])


def body(client: FlaskClient, path: str) -> ElementTree.Element:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"].endswith('.docx"')
    with zipfile.ZipFile(io.BytesIO(answer.data)) as package:
        root: ElementTree.Element = fromstring(package.read("word/document.xml"))
    return root


def text(root: ElementTree.Element) -> str:
    return "\n".join(
        "".join(part.text or "" for part in line.iter(f"{W}t")) for line in root.iter(f"{W}p")
    )


def published(city: world.World, **values: Any) -> int:
    meeting = world.add_meeting(city, **values)
    db.session.add_all(
        Invitation(
            meeting_id=meeting.id,
            person_id=city.people[name].id,
            unit_id=city.units[cell].id,
            created_at=world.NOW,
        )
        for name, cell in (("chi", "cell-1"), ("hien", "cell-1"), ("hoa", "cell-3"))
    )
    db.session.commit()
    return meeting.id


def finished_class(city: world.World) -> str:
    db.session.add(CourseType(code="NTVD", name="Nhận thức về Đảng", name_en="Awareness"))
    db.session.flush()
    course = Course(
        code="NTVD-01",
        type_code="NTVD",
        title="Lớp nhận thức về Đảng",
        organiser_id=city.units["ward-1"].id,
        opens_on=world.TODAY,
        closes_on=world.TODAY,
        state="finished",
        created_at=world.NOW,
    )
    db.session.add(course)
    db.session.flush()
    for number, (name, cell) in enumerate((("chi", "cell-1"), ("hoa", "cell-3")), start=1):
        db.session.add(
            Enrolment(
                course_id=course.id,
                person_id=city.people[name].id,
                unit_id=city.units[cell].id,
                enrolled_on=world.TODAY,
                result="good",
                certificate_number=f"{number:02}/GCN",
                certificate_on=world.TODAY,
            )
        )
    db.session.commit()
    return course.code


def test_a_plan_has_its_figures_and_its_timetable(quan: FlaskClient, city: world.World) -> None:
    code = plans.opened(city)
    plans.sitting(city, code)
    root = body(quan, f"/documents/plan/{code}/file")
    found = text(root)
    assert "diện phải học 6; chỉ tiêu 95%, tương ứng ít nhất 6 đảng viên." in found
    assert "15 giờ 30, thứ Hai, ngày 23/11/2026" in found
    assert len(list(root.iter(f"{W}sectPr"))) == 2
    assert "PHỤ LỤC" in quan.get(f"/documents/plan/{code}").text


def test_a_summons_carries_the_list_by_unit(quan: FlaskClient, city: world.World) -> None:
    meeting = published(city)
    found = text(body(quan, f"/documents/summons/{meeting}/file"))
    assert "Kính gửi: Chi bộ 1" in found
    assert found.index("Chi bộ 1\n") < found.index("Nguyễn Thị Hiền") < found.index("Trương Hoà")


def test_invitations_are_one_page_each_in_one_file(quan: FlaskClient, city: world.World) -> None:
    meeting = published(city)
    root = body(quan, f"/documents/invitations/{meeting}/file")
    assert len(list(root.iter(f"{W}sectPr"))) == 3
    assert text(root).count("GIẤY MỜI") == 3
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "exported")).one()
    assert (entry.entity, entry.details["people"]) == ("meeting", 3)
    empty = world.add_meeting(city)
    assert quan.get(f"/documents/invitations/{empty.id}").status_code == 409


def test_the_week_stands_in_for_letters(quan: FlaskClient, city: world.World) -> None:
    world.add_meeting(city, chair="Đ/c Bí thư")
    world.add_meeting(city, state="cancelled", topic="Buổi đã huỷ")
    found = text(body(quan, "/documents/week/2026-11-26/file"))
    assert "Thứ Hai, ngày 23/11/2026" in found
    assert "Chiều" in found
    assert "Đ/c Bí thư" in found
    assert "Lịch này thay thư mời họp." in found
    assert "Buổi đã huỷ" not in found


def test_the_register_has_rows_to_sign(quan: FlaskClient, city: world.World) -> None:
    meeting = published(city)
    root = body(quan, f"/documents/register/{meeting}/file")
    rows = list(list(root.iter(f"{W}tbl"))[1].iter(f"{W}tr"))
    assert rows[0].find(f".//{W}tblHeader") is not None
    assert "Mã sổ:" in text(root)
    assert "Đỗ Thị Kim Chi" in text(root)


def test_class_lists_results_by_unit_and_certificates(quan: FlaskClient, city: world.World) -> None:
    code = finished_class(city)
    assert "Trương Hoà" in text(body(quan, f"/documents/class-list/{code}/file"))
    results = body(quan, f"/documents/class-results/{code}/file")
    assert len(list(results.iter(f"{W}sectPr"))) == 2
    assert "giỏi 1" in text(results)
    register = text(body(quan, f"/documents/certificates/{world.TODAY.year}/file"))
    assert register.index("01/GCN") < register.index("02/GCN")


def test_who_may_not_see_gets_nothing(client: FlaskClient, city: world.World) -> None:
    meeting = published(city)
    dung = world.signed_in(client, city.accounts["dung"])
    assert dung.get(f"/documents/summons/{meeting}").status_code == 404
    assert dung.get("/documents/opinions/1").status_code == 404
    reader = world.signed_in(client, city.accounts["doc"])
    assert reader.get(f"/documents/summons/{meeting}").status_code == 403
    assert reader.get("/documents/week/2026-11-26").status_code == 200
    assert reader.get("/documents/week/hôm-nay").status_code == 404
    assert reader.get("/documents/certificates/abcd").status_code == 403


def test_the_quick_report_loads_itself_again_without_a_script(
    quan: FlaskClient, city: world.World
) -> None:
    meeting = published(city)
    answer = quan.get(f"/meetings/{meeting}/quick-report")
    assert answer.headers["Refresh"] == "20"
    assert "Refresh" not in quan.get(f"/meetings/{meeting}/quick-report?paused=1").headers
    page = answer.text
    assert "Điểm đã báo: 0/1" in page
