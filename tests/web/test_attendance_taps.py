"""The quick way in for a phone: the same answers, refusals and figures as by the view."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import request_started

from rules.permissions import SYSTEM
from services.meeting_links import create_meeting_link
from tests.world import add_meeting, build_world, signed_in

OVERTURNED = {"Content-Length", "Set-Cookie"}


@pytest.fixture
def world(db):
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world, at=datetime.now(UTC) + timedelta(minutes=20))


@pytest.fixture
def bearer(meeting):
    made = create_meeting_link(meeting.id, now=datetime.now(UTC), by=SYSTEM)
    return {"Authorization": f"Bearer {made.token}", "X-Device": "máy 1"}


@pytest.fixture
def by_the_view(app):
    """How many requests were made ready as those of pages are."""
    seen: list[str] = []

    def note(_sender, **_):
        seen.append("request")

    request_started.connect(note, app)
    yield seen
    request_started.disconnect(note, app)


def mark(world, **values) -> dict:
    return {
        "id": str(uuid.uuid4()),
        "subject": f"m:{world.people['hien'].id}",
        "status": "present",
        "tapped_at": datetime.now(UTC).isoformat(),
        **values,
    }


def answered(client) -> float:
    counted = [
        line
        for line in client.get("/metrics").get_data(as_text=True).splitlines()
        if "_count{" in line and '"attendance.save_marks"' in line and '"2xx"' in line
    ]
    return float(counted[0].rpartition(" ")[2]) if counted else 0.0


def test_a_bearers_marks_are_taken_before_the_view(client, world, meeting, bearer, by_the_view):
    address, body = f"/attendance/{meeting.id}/marks", {"marks": [mark(world)]}
    quick = client.post(address, json=body, headers=bearer)
    assert (quick.status_code, by_the_view) == (200, [])
    assert quick.json["marks"] == [{"id": body["marks"][0]["id"], "verdict": "stored"}]
    shown = client.post(f"{address}?by=view", json=body, headers=bearer)
    assert by_the_view == ["request"]
    assert shown.json["marks"] == [{"id": body["marks"][0]["id"], "verdict": "known"}]
    register = shown.json["register"] | {"server_time": quick.json["register"]["server_time"]}
    assert quick.json["register"] == register


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_quick_answer_carries_the_headers_of_any_other(client, world, meeting, bearer, scheme):
    address, body = f"/attendance/{meeting.id}/marks", {"marks": [mark(world)]}
    bearer |= {"X-Forwarded-Proto": scheme}
    quick = client.post(address, json=body, headers=bearer).headers
    shown = client.post(f"{address}?by=view", json=body, headers=bearer).headers
    assert ("Strict-Transport-Security" in quick) == (scheme == "https")
    assert {*shown.keys()} - OVERTURNED <= {*quick.keys()}
    for name in {*shown.keys()} - OVERTURNED - {"Vary"}:
        assert quick[name] == shown[name], name
    assert "Set-Cookie" not in quick


def test_a_signed_in_browser_takes_the_quick_way_and_still_needs_its_token(
    app, client, world, meeting, by_the_view
):
    app.config["WTF_CSRF_ENABLED"] = True
    staff = signed_in(client, world.accounts["an"])
    address = f"/attendance/{meeting.id}/marks"
    page = staff.get(f"/attendance/{meeting.id}").get_data(as_text=True)
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    by_the_view.clear()
    for headers in ({}, {"X-CSRF-Token": "forged"}, {"X-CSRF-Token": token, "Origin": "https://x"}):
        refused = staff.post(address, json={"marks": [mark(world)]}, headers=headers)
        assert (refused.status_code, refused.get_json()["reason"]) == (400, "csrf")
    foreign = {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"}
    assert staff.post(address, json={"marks": [mark(world)]}, headers=foreign).status_code == 400
    assert staff.get(f"/attendance/{meeting.id}/register").get_json()["counts"]["present"] == 0
    by_the_view.clear()
    own = {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-origin"}
    good = staff.post(address, json={"marks": [mark(world)]}, headers=own)
    assert (good.status_code, by_the_view) == (200, [])
    assert staff.get(f"/attendance/{meeting.id}/register").get_json()["counts"]["present"] == 1


def test_the_register_is_shown_before_the_view_and_as_by_it(
    client, world, meeting, bearer, by_the_view
):
    client.post(f"/attendance/{meeting.id}/marks", json={"marks": [mark(world)]}, headers=bearer)
    address = f"/attendance/{meeting.id}/register"
    quick = client.get(address, headers=bearer)
    assert (quick.status_code, by_the_view) == (200, [])
    shown = client.get(f"{address}?by=view", headers=bearer)
    assert by_the_view == ["request"]
    assert quick.json["counts"]["present"] == 1
    assert quick.json == shown.json | {"server_time": quick.json["server_time"]}
    for name in {*shown.headers.keys()} - OVERTURNED - {"Vary"}:
        assert quick.headers[name] == shown.headers[name], name
    version = quick.json["version"]
    unchanged = client.get(f"{address}?version={version}", headers=bearer)
    assert (unchanged.json["unchanged"], unchanged.json["version"]) == (True, version)
    newer = client.get(f"{address}?version={version - 1}", headers=bearer)
    assert newer.json["subjects"] == quick.json["subjects"]
    assert by_the_view == ["request"]


def test_a_register_is_shown_to_nobody_who_may_not_see_it(client, world, meeting, bearer):
    other = add_meeting(world, at=datetime.now(UTC) + timedelta(minutes=20))
    assert client.get(f"/attendance/{other.id}/register", headers=bearer).status_code == 404
    forged = bearer | {"Authorization": "Bearer forged"}
    address = f"/attendance/{meeting.id}/register"
    assert client.get(address, headers=forged).status_code == 401
    assert client.get(address).status_code == 401
    for who, status in (("an", 200), ("doc", 403)):
        page = signed_in(client, world.accounts[who])
        assert page.get(address).status_code == status, who


def test_another_host_is_no_host_of_ours(app, client, world, meeting, bearer):
    address = f"/attendance/{meeting.id}/marks"
    answer = client.post(
        address, json={"marks": [mark(world)]}, headers=bearer, base_url="http://evil.invalid"
    )
    assert answer.status_code == 400
    found = client.get(f"/attendance/{meeting.id}/register", headers=bearer)
    assert found.json["counts"]["present"] == 0


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_reason_is_told_in_the_readers_language(
    client, world, meeting, bearer, by_the_view, language
):
    with client.session_transaction() as session:
        session["language"] = language
    address = f"/attendance/{meeting.id}/marks"
    stranger = {"marks": [mark(world, subject="m:999999")]}
    quick = client.post(address, json=stranger, headers=bearer).json["marks"]
    assert by_the_view == []
    assert quick[0]["verdict"] == "refused"
    assert quick == client.post(f"{address}?by=view", json=stranger, headers=bearer).json["marks"]


def test_every_quick_answer_is_counted_once(client, world, meeting, bearer):
    before = answered(client)
    client.post(f"/attendance/{meeting.id}/marks", json={"marks": [mark(world)]}, headers=bearer)
    assert answered(client) == before + 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 422),
        ({"data": b'{"marks": 3}', "content_type": "application/json"}, 422),
        ({"data": b'{"marks": []}', "content_type": "text/plain"}, 200),
        ({"data": b"", "content_type": "application/json"}, 422),
        ({"data": b"[" * 1_000_001, "content_type": "application/json"}, 413),
    ],
)
def test_what_is_unusual_is_answered_by_the_view(
    client, meeting, bearer, by_the_view, change, status
):
    answer = client.post(f"/attendance/{meeting.id}/marks", headers=bearer, **change)
    assert (answer.status_code, by_the_view) == (status, ["request"])


def test_a_failure_is_told_as_by_the_view_and_nothing_is_written(
    client, world, meeting, bearer, monkeypatch
):
    monkeypatch.setattr("services.attendance.look", lambda *_: 1 // 0)
    answer = client.post(
        f"/attendance/{meeting.id}/marks", json={"marks": [mark(world)]}, headers=bearer
    )
    assert (answer.status_code, answer.json["reason"]) == (500, "bug")
    monkeypatch.undo()
    found = client.get(f"/attendance/{meeting.id}/register", headers=bearer)
    assert found.json["counts"]["present"] == 0
