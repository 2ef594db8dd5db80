"""The door over HTTP: scanning is looking, only a POST claims, and no page lists names to members."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from models import Claim
from models import db as handle
from rules.permissions import SYSTEM
from services import feeds
from services.meeting_links import create_meeting_link
from tests.world import add_meeting, add_person, build_world, signed_in

SOON = timedelta(minutes=20)


@pytest.fixture
def world(db):
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world, at=datetime.now(UTC) + SOON)


@pytest.fixture
def staff(app, world):
    return signed_in(app.test_client(), world.accounts["an"])


def shown_code(staff, meeting) -> str:
    return staff.get(f"/attendance/{meeting.id}/door/code").json["code"]


def entered(client, meeting, code: str) -> str:
    page = client.get(f"/door/{meeting.id}?c={code}").text
    return page.partition('name="pass" value="')[2].partition('"')[0]


def claims() -> int:
    handle.session.expire_all()
    return handle.session.query(Claim).count()


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    ran: list[str] = []

    def note(*asked: object) -> None:
        ran.append(str(asked[2]))

    event.listen(handle.engine, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        event.remove(handle.engine, "before_cursor_execute", note)


def hien(text: str, **more: str) -> dict[str, str]:
    return {"pass": text, "code": "DV002", "given_name": "Hiền", **more}


def test_the_screen_shows_a_code_a_picture_and_no_name(staff, meeting):
    page = staff.get(f"/attendance/{meeting.id}/door")
    code = shown_code(staff, meeting)
    assert page.status_code == 200
    assert f"{code[:4]} {code[4:]}" in page.text
    assert "<svg" in page.text
    assert "style=" not in page.text
    assert "Hiền" not in page.text


def test_looking_at_what_the_code_opens_claims_nothing(client, staff, meeting):
    assert entered(client, meeting, shown_code(staff, meeting))
    assert claims() == 0


def test_a_member_claims_with_code_and_given_name(client, staff, meeting):
    text = entered(client, meeting, shown_code(staff, meeting))
    answer = client.post(f"/door/{meeting.id}", data=hien(text))
    assert answer.status_code == 200
    assert "Đã ghi nhận bạn đến dự" in answer.text
    assert claims() == 1
    again = client.post(f"/door/{meeting.id}", data=hien(text))
    assert (again.status_code, claims()) == (200, 1)
    assert "Không cần quét lại" in again.text


def test_a_wrong_or_old_code_asks_for_the_one_on_the_screen(client, meeting):
    for code in ("00000000", "x" * 5000, "<script>"):
        page = client.get(f"/door/{meeting.id}", query_string={"c": code})
        assert page.status_code == 404
        assert "Hãy quét lại mã" in page.text
        assert meeting.topic not in page.text
    unknown = client.get("/door/999999?c=00000000")
    assert unknown.status_code == 404
    assert client.post(f"/door/{meeting.id}", data=hien("abc")).status_code == 404
    assert claims() == 0


def test_whoever_is_not_on_the_roll_is_told_without_any_name(client, staff, meeting):
    text = entered(client, meeting, shown_code(staff, meeting))
    answer = client.post(f"/door/{meeting.id}", data=hien(text, given_name="Sai"))
    assert answer.status_code == 422
    assert "Nguyễn Thị Hiền" not in answer.text
    assert claims() == 0


def test_a_browser_that_was_asked_to_remember_needs_one_tap(client, staff, meeting, world):
    text = entered(client, meeting, shown_code(staff, meeting))
    client.post(f"/door/{meeting.id}", data=hien(text, remember="yes"))
    other = add_meeting(world, at=datetime.now(UTC) + SOON)
    page = client.get(f"/door/{other.id}?c={shown_code(staff, other)}")
    assert "Tôi là Hiền" in page.text
    text = entered(client, other, shown_code(staff, other))
    known = client.post(f"/door/{other.id}", data={"pass": text, "who": "known"})
    assert (known.status_code, claims()) == (200, 2)
    forgotten = client.post(f"/door/{other.id}/forgetting", data={"pass": text})
    assert "Tôi là Hiền" not in forgotten.text


def test_a_browser_nobody_asked_to_remember_cannot_claim_without_a_name(client, staff, meeting):
    text = entered(client, meeting, shown_code(staff, meeting))
    client.post(f"/door/{meeting.id}", data=hien(text))
    answer = client.post(f"/door/{meeting.id}", data={"pass": text, "who": "known"})
    assert answer.status_code == 422


def test_the_list_of_claims_confirms_one_all_and_puts_aside(client, staff, meeting):
    text = entered(client, meeting, shown_code(staff, meeting))
    client.post(f"/door/{meeting.id}", data=hien(text))
    client.post(f"/door/{meeting.id}", data={"pass": text, "code": "DV003", "given_name": "Ánh"})
    address = f"/attendance/{meeting.id}/claims"
    page = staff.get(address).text
    assert "Nguyễn Thị Hiền" in page
    assert "Xác nhận tất cả (2)" in page
    first = handle.session.query(Claim).order_by(Claim.id).first()
    assert first is not None
    refused = staff.post(f"{address}/{first.id}/refusal")
    assert refused.status_code == 303
    assert staff.post(address, data={"claim": "all"}).status_code == 303
    register = staff.get(f"/attendance/{meeting.id}/register").json
    assert register["counts"]["present"] == 1
    assert staff.post(address, data={}).status_code == 422
    assert staff.post(address, data={"claim": "1", "status": "excused"}).status_code == 422


def test_a_scanned_card_is_answered_in_json_and_in_pages(staff, meeting):
    address = f"/attendance/{meeting.id}/scan"
    answer = staff.post(address, json={"text": "DV002"})
    assert answer.json == {
        "ok": True,
        "outcome": "confirmed",
        "message": "Đã ghi Nguyễn Thị Hiền có mặt.",
    }
    assert staff.post(address, json={"text": "DV002"}).json["outcome"] == "already"
    assert staff.post(address, json={"text": "DV006"}).json["outcome"] == "not_on_roll"
    bodies: tuple[object, ...] = ({}, [], {"text": 5}, {"text": ""})
    for body in bodies:
        assert staff.post(address, json=body).status_code == 422
    assert staff.post(address, data={"text": "DV003"}).status_code == 303
    assert "Đã ghi Vũ Ánh có mặt." in staff.get(address).text


def test_the_door_opens_to_the_meetings_link_and_to_nobody_else(app, meeting, world):
    made = create_meeting_link(meeting.id, can_submit=False, now=datetime.now(UTC), by=SYSTEM)
    bearer = {"Authorization": f"Bearer {made.token}"}
    pages = ("door", "door/code", "claims", "scan")
    for page in pages:
        address = f"/attendance/{meeting.id}/{page}"
        assert app.test_client().get(address, headers=bearer).status_code == 200
        assert app.test_client().get(address).status_code in (302, 401)
        other = signed_in(app.test_client(), world.accounts["dung"])
        assert other.get(address).status_code == 404


def test_a_members_card_shows_their_code_and_makes_the_browser_known(app, staff, meeting):
    address = feeds.create_member_feed("DV002", now=datetime.now(UTC), by=SYSTEM)
    token = address.rpartition("/")[2].removesuffix(".ics")
    phone = app.test_client()
    page = phone.get(f"/card/{token}")
    assert "DV002" in page.text
    assert "<svg" in page.text
    assert phone.get("/card/abc").status_code == 404
    found = phone.get(f"/door/{meeting.id}?c={shown_code(staff, meeting)}").text
    assert "Tôi là Hiền" in found


def test_a_cancelled_meeting_shows_no_code_on_its_screen(staff, meeting):
    meeting.state = "cancelled"
    handle.session.commit()
    page = staff.get(f"/attendance/{meeting.id}/door").text
    assert "không diễn ra" in page
    assert "Quét mã để báo có mặt" not in page


def test_the_page_that_makes_a_calendar_address_gives_the_card_too(app, staff):
    page = staff.post("/subscriptions/members/DV002")
    card = re.search(r"/card/[\w-]{40,}", page.text)
    assert card is not None
    assert "DV002" in app.test_client().get(card[0]).text


def test_forty_claims_cost_no_more_queries_than_one(client, staff, meeting, world):
    def cost() -> int:
        with statements() as ran:
            assert staff.get(f"/attendance/{meeting.id}/claims").status_code == 200
        return len(ran)

    now = datetime.now(UTC)
    first = add_person("DV100", "Lê Một", world.units["cell-1"])
    handle.session.add(Claim(meeting_id=meeting.id, person_id=first.id, claimed_at=now))
    handle.session.commit()
    few = cost()
    for number in range(40):
        one = add_person(f"DV2{number:02}", f"Lê Văn {number}", world.units["cell-1"])
        handle.session.add(Claim(meeting_id=meeting.id, person_id=one.id, claimed_at=now))
    handle.session.commit()
    assert 0 < cost() <= few
