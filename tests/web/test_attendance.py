"""The register's door: the contract's shapes, who may come in, and what bad input gets."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import event, select, text

from models import Mark
from rules.permissions import SYSTEM
from services.accounts import open_sign_in
from services.meeting_links import create_meeting_link, revoke_meeting_link
from tests.world import add_meeting, build_world, signed_in

SOON = timedelta(minutes=20)


@pytest.fixture
def world(db):
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world, at=datetime.now(UTC) + SOON)


@pytest.fixture
def staff(client, world):
    return signed_in(client, world.accounts["an"])


def mark(subject: str, status: str = "present", **values) -> dict:
    at = datetime.now(UTC).isoformat()
    return {
        "id": str(uuid.uuid4()),
        "subject": subject,
        "status": status,
        "tapped_at": at,
        **values,
    }


def bearer(meeting, *, can_submit: bool = True) -> dict[str, str]:
    made = create_meeting_link(meeting.id, can_submit=can_submit, now=datetime.now(UTC), by=SYSTEM)
    return {"Authorization": f"Bearer {made.token}"}


def hien(world) -> str:
    return f"m:{world.people['hien'].id}"


def test_marks_are_answered_one_by_one_with_the_register(staff, world, meeting):
    good, bad = mark(hien(world)), mark("m:999999")
    answer = staff.post(f"/attendance/{meeting.id}/marks", json={"marks": [good, bad]})
    assert answer.status_code == 200
    body = answer.json
    assert body["ok"] is True
    assert body["marks"][0] == {"id": good["id"], "verdict": "stored"}
    assert body["marks"][1]["verdict"] == "refused"
    assert body["marks"][1]["reason"].endswith(".")
    register = body["register"]
    assert set(register) >= {"meeting", "state", "subjects", "counts", "server_time"}
    assert register["meeting"] == meeting.id
    assert register["state"] == "draft"
    line = next(one for one in register["subjects"] if one["subject"] == hien(world))
    assert {key: line[key] for key in ("name", "unit", "status")} == {
        "name": "Nguyễn Thị Hiền",
        "unit": "Chi bộ 1",
        "status": "present",
    }
    assert datetime.fromisoformat(register["server_time"]).tzinfo is not None


def test_the_register_reads_the_same_as_the_answer_to_marks(staff, world, meeting):
    sent = staff.post(f"/attendance/{meeting.id}/marks", json={"marks": [mark(hien(world))]}).json
    read = staff.get(f"/attendance/{meeting.id}/register").json
    assert read["ok"] is True
    assert read["subjects"] == sent["register"]["subjects"]
    assert read["counts"] == sent["register"]["counts"]
    version = read["version"]
    same = staff.get(f"/attendance/{meeting.id}/register?version={version}").json
    assert same == {"ok": True, "meeting": meeting.id, "version": version, "unchanged": True}


def test_a_replayed_batch_changes_nothing(staff, world, meeting):
    body = {"marks": [mark(hien(world)), mark("m:0")]}
    first = staff.post(f"/attendance/{meeting.id}/marks", json=body).json
    again = staff.post(f"/attendance/{meeting.id}/marks", json=body).json
    assert [one["verdict"] for one in again["marks"]] == ["known", "refused"]
    assert again["register"]["subjects"] == first["register"]["subjects"]
    assert again["register"]["version"] == first["register"]["version"]


def test_a_bearers_link_marks_without_cookie_or_token(app, client, world, meeting):
    app.config["WTF_CSRF_ENABLED"] = True
    headers = bearer(meeting, can_submit=False)
    answer = client.post(
        f"/attendance/{meeting.id}/marks", json={"marks": [mark(hien(world))]}, headers=headers
    )
    assert answer.status_code == 200
    assert client.get(f"/attendance/{meeting.id}/register", headers=headers).status_code == 200
    other = add_meeting(world, at=datetime.now(UTC) + SOON)
    refused = client.get(f"/attendance/{other.id}/register", headers=headers)
    assert (refused.status_code, refused.json["ok"]) == (404, False)


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 5000])
def test_an_unknown_bearer_is_401_in_json(client, world, meeting, token):
    answer = client.post(
        f"/attendance/{meeting.id}/marks",
        json={"marks": []},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, answer.json["ok"]) == (401, False)


def test_a_cookie_without_the_pages_token_is_refused(app, staff, world, meeting):
    app.config["WTF_CSRF_ENABLED"] = True
    address = f"/attendance/{meeting.id}/marks"
    body = {"marks": [mark(hien(world))]}
    for headers in ({}, {"X-CSRF-Token": "forged"}):
        answer = staff.post(address, json=body, headers=headers)
        assert (answer.status_code, answer.json["ok"], answer.json["reason"]) == (
            400,
            False,
            "csrf",
        )
    page = staff.get(f"/attendance/{meeting.id}").get_data(as_text=True)
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    answer = staff.post(address, json=body, headers={"X-CSRF-Token": token})
    assert answer.status_code == 200


def test_a_page_under_https_writes_although_browsers_send_no_referer(app, client, meeting):
    app.config["WTF_CSRF_ENABLED"] = True
    address = bearer(meeting)["Authorization"].split()[1]
    page = client.get(f"/attendance/link/{address}", base_url="https://localhost")
    token = page.get_data(as_text=True).split('name="csrf-token" content="')[1].split('"')[0]
    opened = client.post(
        f"/attendance/link/{address}", base_url="https://localhost", data={"csrf_token": token}
    )
    assert opened.status_code == 303


def test_another_wards_staff_and_a_reader_stay_outside(app, world, meeting):
    for name, status in (("dung", 404), ("doc", 403)):
        client = signed_in(app.test_client(), world.accounts[name])
        for answer in (
            client.get(
                f"/attendance/{meeting.id}/register", headers={"Accept": "application/json"}
            ),
            client.post(f"/attendance/{meeting.id}/marks", json={"marks": [mark(hien(world))]}),
            client.get(f"/attendance/{meeting.id}"),
            client.get(f"/attendance/{meeting.id}/history"),
            client.post(f"/attendance/{meeting.id}/submission"),
        ):
            assert answer.status_code == status


def test_nobody_is_sent_to_sign_in_and_scripts_get_401(client, world, meeting):
    assert client.get(f"/attendance/{meeting.id}").status_code == 302
    answer = client.post(f"/attendance/{meeting.id}/marks", json={"marks": []})
    assert (answer.status_code, answer.json["ok"]) == (401, False)


BAD_BODIES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"marks": 3}',
    b"\xff\xfe",
    b'{"marks": [' + b"[" * 100_000,
    b'{"marks": ' + b"9" * 5000 + b"}",
    b'{"marks": [], "sent_at": 5}',
)


@pytest.mark.parametrize("data", BAD_BODIES)
def test_a_body_of_another_shape_is_422_with_a_sentence(staff, meeting, data):
    answer = staff.post(
        f"/attendance/{meeting.id}/marks", data=data, content_type="application/json"
    )
    assert (answer.status_code, answer.json["ok"]) == (422, False)
    assert answer.json["message"]


BAD_MARKS: tuple[object, ...] = (
    None,
    5,
    "x",
    [],
    {},
    {"id": 7},
    {"id": {}, "subject": []},
    {"subject": "m:1\u0000"},
    {"subject": "m:٣"},
    {"subject": "m:99999999999"},
    {"subject": "h:9" * 30},
    {"subject": "w:not-a-uuid"},
    {"status": {"a": 1}},
    {"status": "PRESENT"},
    {"tapped_at": "yesterday"},
    {"tapped_at": "9999-12-31T23:59:59+00:00"},
    {"tapped_at": "2026-11-23T08:00:00"},
    {"annuls": 4},
    {"name": "\ud800", "subject": f"w:{uuid.UUID(int=1)}"},
    {"name": ["a"]},
    {"name": "x" * 5000},
)


@pytest.mark.parametrize("bad", BAD_MARKS)
def test_any_nonsense_in_a_mark_is_refused_alone(staff, world, meeting, bad):
    item = mark(hien(world)) | bad if isinstance(bad, dict) and bad else bad
    body = json.dumps({"marks": [item, mark(hien(world))]})
    answer = staff.post(
        f"/attendance/{meeting.id}/marks", data=body, content_type="application/json"
    )
    assert answer.status_code == 200
    assert [one["verdict"] for one in answer.json["marks"]] == ["refused", "stored"]
    assert answer.json["marks"][0]["reason"]


def test_names_of_four_byte_letters_and_marks_of_direction_are_kept_clean(staff, meeting):
    guest = mark(f"w:{uuid.uuid4()}", name="\u202eHiền 𠮷\u200f", unit="Khối 🏠")
    answer = staff.post(f"/attendance/{meeting.id}/marks", json={"marks": [guest]}).json
    names = [one["name"] for one in answer["register"]["subjects"]]
    assert "Hiền 𠮷" in names


def test_a_body_over_a_megabyte_is_413(staff, meeting):
    answer = staff.post(
        f"/attendance/{meeting.id}/marks",
        data=b'{"marks": [' + b" " * 1_100_000 + b"]}",
        content_type="application/json",
    )
    assert (answer.status_code, answer.json["ok"]) == (413, False)


@pytest.mark.parametrize("count", [1001, 10_000])
def test_too_many_marks_at_once_are_refused_with_a_sentence(staff, world, meeting, count):
    short = {"id": "x", "subject": "m:1", "status": "present"}
    answer = staff.post(f"/attendance/{meeting.id}/marks", json={"marks": [short] * count})
    assert (answer.status_code, answer.json["ok"]) == (422, False)
    assert "chia thành nhiều lần" in answer.json["message"]


@pytest.fixture
def room(db):
    """How many pages the database's disk still has; the same error as of a full one beyond."""
    left = SimpleNamespace(pages=db.session.execute(text("PRAGMA page_count")).scalar() + 30)

    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count = {left.pages}")

    event.listen(db.engine, "begin", limit)
    yield left
    event.remove(db.engine, "begin", limit)
    db.session.rollback()
    db.session.execute(text("PRAGMA max_page_count = 1073741823"))


def stored(db) -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Mark.id)))


@pytest.mark.backends("sqlite")
def test_a_full_disk_acknowledges_nothing_that_it_did_not_keep(db, staff, meeting, room):
    address = f"/attendance/{meeting.id}/marks"
    acknowledged: set[str] = set()
    failed: list[dict] = []

    def send(batch):
        answer = staff.post(address, json={"marks": batch})
        if answer.status_code != 200:
            return answer
        kept = {one["id"] for one in answer.json["marks"] if one["verdict"] in ("stored", "known")}
        assert kept == {one["id"] for one in batch}
        acknowledged.update(kept)
        return None

    def new_batch():
        return [mark(f"w:{uuid.uuid4()}", name="Khách " + "x" * 150) for _ in range(5)]

    while not failed and len(acknowledged) < 500:
        batch = new_batch()
        if (answer := send(batch)) is not None:
            failed = batch
    assert acknowledged
    assert (answer.status_code, answer.json["ok"]) == (507, False)
    assert "hết chỗ" in answer.json["message"]
    assert stored(db) == acknowledged
    assert staff.get(f"/attendance/{meeting.id}/register").status_code == 200
    room.pages += 1000
    assert send(failed) is None
    assert stored(db) == acknowledged
    assert staff.get(f"/attendance/{meeting.id}/register").json["counts"]["visits"] == len(
        acknowledged
    )


@pytest.mark.parametrize("claim", ["marker", "marked_by", "received_at", "link_id"])
def test_a_mark_that_says_itself_who_made_it_is_refused_with_a_reason(staff, world, meeting, claim):
    honest = mark(f"m:{world.people['chi'].id}")
    batch = {"marks": [mark(hien(world), **{claim: "1"}), honest]}
    answer = staff.post(f"/attendance/{meeting.id}/marks", json=batch).get_json()["marks"]
    assert [one["verdict"] for one in answer] == ["refused", "stored"]
    assert "không được tự khai" in answer[0]["reason"]


def test_unknown_fields_do_no_harm(staff, world, meeting):
    extra = {"marks": [mark(hien(world), colour="red")], "api": 9, "device": [1]}
    assert staff.post(f"/attendance/{meeting.id}/marks", json=extra).status_code == 200


def test_heads_are_counted_by_label_and_replays_change_nothing(staff, world, meeting):
    at = datetime.now(UTC).isoformat()
    counts = [
        {"id": str(uuid.uuid4()), "label": label, "heads": heads, "counted_at": at}
        for label, heads in (("Nam", 30), ("Nữ", 42))
    ]
    address = f"/attendance/{meeting.id}/heads"
    first = staff.post(address, json={"counts": counts}).json
    assert [one["verdict"] for one in first["counts"]] == ["stored", "stored"]
    assert first["register"]["counts"]["heads"] == 72
    again = staff.post(address, json={"counts": counts}).json
    assert [one["verdict"] for one in again["counts"]] == ["known", "known"]
    late = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    more = {"id": str(uuid.uuid4()), "label": "Nam", "heads": 31, "counted_at": late}
    bad = [{"id": str(uuid.uuid4()), "label": "Nam", "heads": one} for one in (-1, True, "9", 1e9)]
    third = staff.post(address, json={"counts": [more, *bad]}).json
    assert [one["verdict"] for one in third["counts"]] == ["stored"] + ["refused"] * 4
    assert third["register"]["counts"]["visits"] == 73
    assert staff.post(address, json={"counts": 4}).status_code == 422


def test_a_link_opens_by_a_button_and_works_for_its_meeting(app, client, world, meeting):
    token = bearer(meeting, can_submit=False)["Authorization"].split()[1]
    page = client.get(f"/attendance/link/{token}")
    assert page.status_code == 200
    assert "Mở sổ điểm danh" in page.get_data(as_text=True)
    assert client.get(f"/attendance/{meeting.id}").status_code == 302
    opened = client.post(f"/attendance/link/{token}")
    assert (opened.status_code, opened.location) == (303, f"/attendance/{meeting.id}")
    shown = client.get(f"/attendance/{meeting.id}")
    assert shown.status_code == 200
    assert "Nguyễn Thị Hiền" in shown.get_data(as_text=True)
    answer = client.post(f"/attendance/{meeting.id}/marks", json={"marks": [mark(hien(world))]})
    assert '"stored"' in answer.get_data(as_text=True)
    assert client.post(f"/attendance/{meeting.id}/submission").status_code == 403
    other = add_meeting(world, at=datetime.now(UTC) + SOON)
    assert client.get(f"/attendance/{other.id}").status_code == 302


def test_a_link_that_is_over_gets_one_clear_sentence(client, world, meeting):
    made = create_meeting_link(meeting.id, now=datetime.now(UTC), by=SYSTEM)
    client.post(f"/attendance/link/{made.token}")
    revoke_meeting_link(meeting.id, made.id, now=datetime.now(UTC), by=SYSTEM)
    for answer in (
        client.get(f"/attendance/link/{made.token}"),
        client.post(f"/attendance/link/{made.token}"),
        client.get(f"/attendance/{meeting.id}"),
        client.get("/attendance/link/khong-co"),
    ):
        assert answer.status_code in (404, 410)
        assert "không dùng được nữa" in answer.get_data(as_text=True)


def test_the_register_goes_from_draft_to_locked_and_back_by_a_logged_request(app, world, meeting):
    an = signed_in(app.test_client(), world.accounts["an"])
    binh = signed_in(app.test_client(), world.accounts["binh"])
    address = f"/attendance/{meeting.id}"

    def state() -> str:
        found: dict = an.get(f"{address}/register").json or {}
        return found["state"]

    binh.post(f"{address}/submission")
    assert state() == "not_taken"
    binh.post(f"{address}/marks", json={"marks": [mark(hien(world))]})
    assert "Đỗ Thị Kim Chi" in binh.get(f"{address}/submission").get_data(as_text=True)
    binh.post(f"{address}/submission")
    assert state() == "submitted"
    binh.post(f"{address}/reopening")
    assert binh.get(f"{address}/register").get_json()["state"] == "submitted"
    binh.post(f"{address}/reopening", data={"reason": "Ghi sót người đến muộn"})
    assert state() == "draft"
    binh.post(f"{address}/submission")
    assert binh.post(f"{address}/locking").status_code == 403
    an.post(f"{address}/locking")
    assert state() == "locked"
    late = binh.post(f"{address}/marks", json={"marks": [mark(hien(world), "late")]})
    assert '"refused"' in late.get_data(as_text=True)
    binh.post(f"{address}/unlock-requests", data={"reason": "Ghi nhầm hai người"})
    page = an.get(f"{address}/history").get_data(as_text=True)
    assert "Ghi nhầm hai người" in page
    request_id = page.split("/attendance/unlock-requests/")[1].split('"')[0]
    assert binh.post(f"/attendance/unlock-requests/{request_id}").status_code == 403
    an.post(f"/attendance/unlock-requests/{request_id}", data={"answer": "granted"})
    assert state() == "draft"
    shown = an.get(f"{address}/history").get_data(as_text=True)
    for words in ("Nộp sổ", "Khoá sổ", "Đồng ý mở sổ", "Nguyễn Thị Hiền"):
        assert words in shown


def test_the_plain_form_marks_without_script(staff, world, meeting):
    page = staff.get(f"/attendance/{meeting.id}/form").get_data(as_text=True)
    assert f'name="{hien(world)}"' in page
    data = {"version": "0", hien(world): "late", "guest": "Lê Khách", "guest_unit": "Khối 9"}
    saved = staff.post(f"/attendance/{meeting.id}/form", data=data)
    assert saved.status_code == 303
    counts = staff.get(f"/attendance/{meeting.id}/register").json["counts"]
    assert (counts["late"], counts["present"]) == (1, 1)
    stale = staff.post(f"/attendance/{meeting.id}/form", data=data | {hien(world): "not_marked"})
    assert stale.status_code == 303
    assert staff.get(f"/attendance/{meeting.id}/register").json["counts"]["late"] == 1
    cleared = {"version": "1", hien(world): "not_marked"}
    staff.post(f"/attendance/{meeting.id}/form", data=cleared)
    assert staff.get(f"/attendance/{meeting.id}/register").json["counts"]["late"] == 0


def test_a_known_member_from_elsewhere_is_found_and_added(staff, world, meeting):
    address = f"/attendance/{meeting.id}"
    found = staff.get(f"{address}/people?q=dat").json["people"]
    assert [one["name"] for one in found] == ["Lò Văn Đạt"]
    assert staff.get(f"{address}/people?q=hoa").json["people"] == []
    added = staff.post(f"{address}/guests", json={"person": found[0]["id"]}).json
    assert added["subject"] == f"m:{found[0]['id']}"
    sent = staff.post(f"{address}/marks", json={"marks": [mark(added["subject"])]}).json
    assert sent["marks"][0]["verdict"] == "stored"
    assert sent["register"]["counts"]["total"] == 4
    for person in (0, True, "1", None, 2**40, world.people["hoa"].id):
        answer = staff.post(f"{address}/guests", json={"person": person})
        assert answer.status_code in (404, 422)


def test_the_list_shows_todays_meeting_first(app, world, meeting):
    add_meeting(world, at=datetime.now(UTC) + timedelta(days=3), topic="Buổi sau")
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = open_sign_in(world.accounts["binh"].id, now=datetime.now(UTC))
    page = client.get("/attendance/").get_data(as_text=True)
    assert page.index("Hôm nay") < page.index("Buổi sau")


def test_only_a_meeting_that_has_begun_is_said_to_lack_its_register(staff, world):
    now = datetime.now(UTC)
    add_meeting(world, at=now + timedelta(days=2))
    coming = staff.get("/attendance/").text
    add_meeting(world, at=now - timedelta(hours=30))
    assert "Chưa điểm danh" not in coming
    assert "Chưa điểm danh" in staff.get("/attendance/").text
