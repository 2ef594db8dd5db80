"""The board on screen: both targets, the gap in words, and each reader's own units only."""

from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook

from models import AuditEntry, Meeting
from tests import world
from tests.services import campaign_plans as plans

TODAY = date.today()  # noqa: DTZ011  # the machine runs by local days
SOON = {
    "opens_on": TODAY - timedelta(days=20),
    "cutoff_on": TODAY - timedelta(days=20),
    "deadline_on": TODAY + timedelta(days=20),
}


@pytest.fixture
def city(db):
    return world.build_world()


@pytest.fixture
def as_staff(app: Flask, city) -> FlaskClient:
    return world.signed_in(app.test_client(), city.accounts["quan"])


def makeup_answers(city, **values):
    answers = {
        "topic": "Học bù",
        "on": (TODAY + timedelta(days=3)).isoformat(),
        "starts": "07:30",
        "ends": "11:00",
        "organiser_id": city.units["ward-1"].id,
        "venue_id": city.venue.id,
        "days_between": "1",
        "skip_invited": "y",
    }
    return answers | values


def test_the_board_tells_both_targets_and_the_gap(as_staff, city):
    code = plans.opened(city, **SOON)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    page = as_staff.get("/coverage/").text
    assert "chỉ tiêu 95%" in page
    assert "chỉ tiêu 85%" in page
    assert "16,6%" in page
    assert "1/6" in page
    assert "không đủ" in page


def test_a_campaign_shows_its_units_with_charts_that_carry_no_style(as_staff, city):
    code = plans.opened(city, **SOON)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    page = as_staff.get(f"/coverage/{code}").text
    assert "Đảng bộ phường Hai" in page
    assert "chưa tổ chức" in page
    assert page.count('role="img"') >= 4
    assert "style=" not in page


def test_nobody_to_count_is_said_in_words(as_staff, city, db):
    code = plans.opened(city, **SOON)
    world.add_unit("DB3", "grassroots_org", "Đảng bộ trống", city.units["city"])
    db.session.commit()
    assert "Chưa có đối tượng" in as_staff.get(f"/coverage/{code}").text


def test_staff_of_one_ward_see_their_own_units_and_totals(app, city):
    code = plans.opened(city, **SOON)
    dung = world.signed_in(app.test_client(), city.accounts["dung"])
    page = dung.get(f"/coverage/{code}").text
    assert "Đảng bộ phường Hai" in page
    assert "Đảng bộ phường Một" not in page
    assert "0/2" in page
    assert "Chi" not in dung.get(f"/coverage/{code}/missing").text.split("<tbody>")[1].split(
        "</tbody>"
    )[0].replace("Chi bộ", "")
    assert dung.get(f"/coverage/{code}/units/DB1").status_code == 404


def test_an_instructor_has_no_board(app, city):
    binh = world.signed_in(app.test_client(), city.accounts["binh"])
    assert binh.get("/coverage/").status_code == 403


def test_the_missing_list_leaves_as_a_workbook_and_is_logged(as_staff, city, db, tmp_path):
    code = plans.opened(city, **SOON)
    city.people["chi"].full_name = '=HYPERLINK("http://x")'
    db.session.commit()
    answer = as_staff.get(f"/coverage/{code}/missing.xlsx?unit=CB1")
    file = tmp_path / "missing.xlsx"
    file.write_bytes(answer.data)
    [sheet] = load_workbook(file).worksheets
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == "Nguyễn Thị Hiền" for cell in cells)
    assert all(cell.data_type != "f" for cell in cells)
    entry = db.session.query(AuditEntry).filter_by(action="exported").one()
    assert entry.details["people"] == 3


def test_calling_the_missing_makes_one_meeting(as_staff, city, db):
    code = plans.opened(city, **SOON)
    page = as_staff.get(f"/coverage/{code}/makeup?unit=CB1").text
    assert "Sẽ mời đúng 3 người" in page
    answer = as_staff.post(f"/coverage/{code}/makeup?unit=CB1", data=makeup_answers(city))
    assert answer.status_code == 303
    meeting = db.session.query(Meeting).filter_by(is_makeup=True).one()
    assert answer.location.endswith(f"/meetings/{meeting.id}")
    assert as_staff.get(answer.location).status_code == 200


def test_a_wrong_call_is_shown_at_the_form(as_staff, city, db):
    code = plans.opened(city, **SOON)
    answer = as_staff.post(f"/coverage/{code}/makeup", data=makeup_answers(city, ends="07:00"))
    assert answer.status_code == 422
    assert "Giờ kết thúc phải sau" in answer.text
    assert db.session.query(Meeting).count() == 0


@pytest.mark.parametrize("part", ["", "/print", "/missing", "/units/DB1", "/groups/K1"])
def test_every_page_of_a_campaign_opens_for_a_reader(app, city, part):
    code = plans.opened(city, **SOON)
    reader = world.signed_in(app.test_client(), city.accounts["doc"])
    assert reader.get(f"/coverage/{code}{part}").status_code == 200
