"""The paper register over HTTP: the sheet, its code, and a form that needs no script."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest

from models import db as handle
from rules.days import instant, local_day
from rules.paper import sheet_code
from rules.permissions import SYSTEM
from services.meeting_links import create_meeting_link
from tests.world import add_meeting, build_world, signed_in


@pytest.fixture
def world(db):
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world, at=_latest_sitting(datetime.now(UTC)))


def _latest_sitting(now: datetime) -> datetime:
    """The last sitting that is over by now and lies in one half-day, whatever the hour."""
    today = local_day(now)
    yesterday = today - timedelta(days=1)
    starts = (
        instant(yesterday, time(19, 0)),
        instant(today, time(8, 0)),
        instant(today, time(14, 0)),
    )
    return max(at for at in starts if at <= now - timedelta(hours=3))


@pytest.fixture
def staff(app, world):
    return signed_in(app.test_client(), world.accounts["an"])


def subject(world, name: str = "hien") -> str:
    return f"m:{world.people[name].id}"


def test_the_sheet_has_every_name_a_code_and_places_to_sign(staff, meeting):
    page = staff.get(f"/attendance/{meeting.id}/paper").text
    for words in ("Nguyễn Thị Hiền", "Vũ Ánh", sheet_code(meeting.id), "<svg", "Thư ký", "Ký tên"):
        assert words in page
    assert "style=" not in page


def test_the_code_on_the_sheet_leads_to_the_page_that_asks_who_is_there(app, meeting):
    client = app.test_client()
    found = client.get("/attendance/paper", query_string={"code": sheet_code(meeting.id)})
    assert found.status_code == 302
    assert found.location.endswith(f"/attendance/{meeting.id}/paper/entry")
    assert "/sign-in" in client.get(found.location).location
    wrong = client.get("/attendance/paper?code=1-00")
    assert wrong.status_code == 422
    assert "không đúng" in wrong.text
    assert client.get("/attendance/paper").status_code == 200


def test_the_form_needs_no_script(staff, meeting, world):
    address = f"/attendance/{meeting.id}/paper/entry"
    page = staff.get(address).text
    fields = dict(re.findall(r'name="(was:[^"]+)" value="([^"]+)"', page))
    assert len(fields) == 3
    answer = staff.post(
        address,
        data=fields | {subject(world): "present", "guest": "Lê Khách", "guest_unit": "Khối 7"},
        follow_redirects=True,
    )
    assert "Đã lưu 2 dòng từ bản giấy." in answer.text
    counts = staff.get(f"/attendance/{meeting.id}/register").json["counts"]
    assert (counts["present"], counts["not_marked"]) == (2, 2)


def test_what_was_typed_stays_on_the_page_when_it_is_refused(staff, meeting, world):
    meeting.starts_at = datetime.now(UTC) + timedelta(days=2)
    meeting.ends_at = meeting.starts_at + timedelta(hours=2)
    handle.session.commit()
    answer = staff.post(
        f"/attendance/{meeting.id}/paper/entry",
        data={f"was:{subject(world)}": "not_marked", subject(world): "late"},
    )
    assert answer.status_code == 409
    assert "Nguyễn Thị Hiền: Buổi" in answer.text
    assert f'name="{subject(world)}" value="late" checked' in answer.text


def test_a_locked_register_shows_the_way_to_ask_instead_of_a_form(staff, meeting):
    meeting.register_state = "locked"
    handle.session.commit()
    page = staff.get(f"/attendance/{meeting.id}/paper/entry").text
    assert "Gửi yêu cầu mở sổ" in page
    assert 'name="was:' not in page


def test_the_meetings_link_opens_sheet_and_form_and_others_are_kept_out(app, meeting, world):
    made = create_meeting_link(meeting.id, now=datetime.now(UTC), by=SYSTEM)
    phone = app.test_client()
    phone.post(f"/attendance/link/{made.token}")
    dung = signed_in(app.test_client(), world.accounts["dung"])
    for page in ("paper", "paper/entry"):
        address = f"/attendance/{meeting.id}/{page}"
        assert phone.get(address).status_code == 200
        assert app.test_client().get(address).status_code == 302
        assert dung.get(address).status_code == 404
    assert dung.post(f"/attendance/{meeting.id}/paper/entry", data={}).status_code == 404


def test_nonsense_rows_change_nothing(staff, meeting, world):
    rows = {
        "was:": "x",
        "was:m:999": "not_marked",
        "m:999": "present",
        f"was:{subject(world)}": "not_marked",
        subject(world): "<script>",
    }
    answer = staff.post(f"/attendance/{meeting.id}/paper/entry", data=rows)
    assert answer.status_code == 303
    counts = staff.get(f"/attendance/{meeting.id}/register").json["counts"]
    assert counts["not_marked"] == 3
