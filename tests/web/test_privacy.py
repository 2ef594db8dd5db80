"""The pages about one's own data, as members, staff and administrators use them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models import db
from rules.permissions import SYSTEM
from services import feeds, privacy
from tests.world import World, build_world, signed_in


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with app.app_context():
        yield build_world()
        db.session.remove()


@pytest.fixture
def token(world: World) -> str:
    url = privacy.make_link(world.people["chi"].id, now=datetime.now(UTC), by=SYSTEM)
    return url.rpartition("/")[2]


def test_a_member_sees_asks_chooses_and_closes(client: FlaskClient, token: str) -> None:
    page = client.get(f"/my-data/{token}")
    assert page.status_code == 200
    assert "Đỗ Thị Kim Chi" in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert 'name="mail" type="checkbox" value="y"' in page.text
    asked = client.post(
        f"/my-data/{token}/requests",
        data={"kind": "correction", "field": "birth_year", "proposed": "1971"},
    )
    assert asked.status_code == 303
    client.post(f"/my-data/{token}/channels", data={"mail": "y"})
    page = client.get(f"/my-data/{token}")
    assert "1971" in page.text
    assert 'checked id="mail"' in page.text
    assert client.post(f"/my-data/{token}/revocation").status_code == 200
    assert client.get(f"/my-data/{token}").status_code == 404


def test_a_wrong_request_says_what_to_do(client: FlaskClient, token: str) -> None:
    answer = client.post(f"/my-data/{token}/requests", data={"kind": "correction"})
    assert answer.status_code == 422
    assert "Hãy chọn điều chưa đúng." in answer.text
    for kind in ("", "praise"):
        assert client.post(f"/my-data/{token}/requests", data={"kind": kind}).status_code == 422


def test_staff_make_a_link_work_through_the_queue_and_erase(
    client: FlaskClient, world: World
) -> None:
    signed_in(client, world.accounts["an"])
    person = world.people["chi"].id
    assert "Dữ liệu cá nhân" in client.get(f"/people/{person}").text
    made = client.post(f"/privacy/people/{person}/links")
    assert made.status_code == 201
    found = re.search(r"/my-data/([\w-]{43})", made.text)
    assert found
    token = found[1]
    client.post(f"/my-data/{token}/requests", data={"kind": "deletion"})
    assert "Đỗ Thị Kim Chi" in client.get("/privacy/requests").text
    early = client.post("/privacy/requests/1/steps", data={"step": "done", "told": "Xong"})
    assert early.status_code == 422
    said = client.post("/privacy/requests/1/steps", data={"step": "answered", "told": "Đang làm"})
    assert said.status_code == 303
    assert "Đang làm" in client.get(f"/my-data/{token}").text
    wrong = client.post(f"/privacy/people/{person}/erasure", data={"name": "Ai đó"})
    assert wrong.status_code == 422
    gone = client.post(f"/privacy/people/{person}/erasure", data={"name": "Đỗ Thị Kim Chi"})
    assert gone.status_code == 200
    assert client.get(f"/my-data/{token}").status_code == 404
    assert "Người đã ẩn danh" in client.get("/privacy/requests?show=closed").text


def test_another_unit_reaches_nothing(client: FlaskClient, world: World, token: str) -> None:
    client.post(f"/my-data/{token}/requests", data={"kind": "access"})
    signed_in(client, world.accounts["dung"])
    person = world.people["chi"].id
    assert "Chi" not in client.get("/privacy/requests").text.partition("<main")[2]
    for address in (f"/privacy/people/{person}", "/privacy/requests/1"):
        assert client.get(address).status_code == 404
    for address in (
        f"/privacy/people/{person}/links",
        f"/privacy/people/{person}/erasure",
        "/privacy/links/1/revocation",
    ):
        assert client.post(address, data={"name": "x"}).status_code == 404


def test_the_calendars_page_offers_the_link_by_mail(client: FlaskClient, world: World) -> None:
    url = feeds.create_member_feed("DV001", now=datetime.now(UTC), by=SYSTEM)
    feed = url.rpartition("/")[2].removesuffix(".ics")
    assert "Gửi đường xem" in client.get(f"/subscriptions/{feed}").text
    assert client.post(f"/subscriptions/{feed}/my-data").status_code == 303
    assert client.post("/subscriptions/x/my-data").status_code == 404


def test_the_notice_is_for_everybody_and_its_words_are_the_boards(
    client: FlaskClient, world: World
) -> None:
    assert "Danh sách đảng viên" in client.get("/privacy/notice").text
    signed_in(client, world.accounts["quan"])
    assert client.get("/privacy/notice/edit").status_code == 200
    saved = client.post("/privacy/notice/edit", data={"roll-kept": "Đến khi chuyển đi."})
    assert saved.status_code == 303
    page = client.get("/privacy/notice").text
    assert "Đến khi chuyển đi." in page
    assert "Biết ai thuộc diện phải học" in page, "an empty text gives the usual one back"


def test_retention_and_breach_are_the_administrators(client: FlaskClient, world: World) -> None:
    signed_in(client, world.accounts["quan"])
    assert "Chưa có gì hết hạn" in client.get("/privacy/retention").text
    assert client.post("/privacy/retention").status_code == 303
    client.get(f"/people/{world.people['chi'].id}")
    span = {"first": "2020-01-01T00:00", "last": "2100-01-01T00:00", "found": "2026-11-29T08:00"}
    report = client.post("/privacy/breach", data=span)
    assert report.status_code == 200
    assert "Đỗ Thị Kim Chi" in report.text
    assert "02/12/2026" in report.text, "72 hours after it was found"
    assert client.post("/privacy/breach", data=span | {"first": "hôm qua"}).status_code == 422
    signed_in(client, world.accounts["an"])
    for address in ("/privacy/retention", "/privacy/breach", "/privacy/notice/edit"):
        assert client.get(address).status_code == 403
