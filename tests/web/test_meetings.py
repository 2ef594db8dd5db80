"""The meetings' pages: what each role may open, wrong input, clashes, publishing and moving."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from models import Meeting, OutgoingMessage
from models import db as database
from rules.days import instant, local_day
from tests.world import World, add_meeting, build_world, signed_in

MOMENT = datetime.now(UTC)
COMING = local_day(MOMENT) + timedelta(days=7)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def filled(world: World, **values: Any) -> dict[str, Any]:
    form = {
        "kind": "study",
        "topic": "Học nghị quyết",
        "on": COMING.isoformat(),
        "starts": "07:30",
        "ends": "11:00",
        "mode": "in_person",
        "venue_id": world.venue.id,
        "organiser_id": world.units["ward-1"].id,
        "speaker_ids": [world.speaker.id],
        "unit_ids": [world.units["cell-1"].id],
        "counting": "roll",
    }
    return form | values


def coming(world: World, **values: Any) -> Meeting:
    return add_meeting(world, at=instant(COMING, time(8)), **values)


def test_staff_make_a_draft_and_publish_it_once(client: FlaskClient, world: World, db: Any) -> None:
    signed_in(client, world.accounts["an"])
    assert client.get("/meetings/new").status_code == 200
    made = client.post("/meetings/", data=filled(world))
    assert made.status_code == 303
    address = made.headers["Location"]
    assert "Bản nháp" in client.get(address).text
    meeting_id = address.rsplit("/", 1)[1]
    question = client.get(f"/meetings/publications?id={meeting_id}")
    assert "Ai sẽ được báo" in question.text
    assert client.post("/meetings/publications", data={"id": meeting_id}).status_code == 303
    assert client.post("/meetings/publications", data={"id": meeting_id}).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": ""},
        {"on": "31/02"},
        {"starts": "25:00"},
        {"ends": "06:00"},
        {"capacity": "-3"},
        {"venue_id": "999"},
        {"people": "KHONGCO"},
        {"points-0-name": "Điểm 1", "points-0-units": "KHONGCO"},
    ],
)
def test_a_wrong_form_comes_back_with_422_and_nothing_is_written(
    client: FlaskClient, world: World, db: Any, wrong: dict[str, Any]
) -> None:
    signed_in(client, world.accounts["an"])
    answer = client.post("/meetings/", data=filled(world, **wrong))
    assert answer.status_code == 422
    assert "Cần sửa trước khi lưu" in answer.text
    assert db.session.query(Meeting).count() == 0


def test_roles(client: FlaskClient, world: World) -> None:
    meeting = coming(world)
    assert client.get("/meetings/").status_code == 302
    signed_in(client, world.accounts["doc"])
    assert client.get("/meetings/").status_code == 200
    assert "Huỷ buổi" not in client.get(f"/meetings/{meeting.id}").text
    assert client.get("/meetings/new").status_code == 403
    assert client.post(f"/meetings/{meeting.id}/deletion").status_code == 403
    signed_in(client, world.accounts["dung"])
    assert client.get(f"/meetings/{meeting.id}").status_code == 404
    assert client.get(f"/meetings/{meeting.id}/edit").status_code == 404
    signed_in(client, world.accounts["binh"])
    assert client.get(f"/meetings/{meeting.id}").status_code == 200


def test_clashes_are_shown_while_typing(client: FlaskClient, world: World) -> None:
    coming(world, topic="Buổi đã có")
    signed_in(client, world.accounts["an"])
    answer = client.post(
        "/meetings/clashes", data=filled(world), headers={"Accept": "application/json"}
    )
    assert answer.json is not None
    assert answer.json["ok"] is True
    assert "Buổi đã có" in answer.json["html"]
    half_typed = client.post("/meetings/clashes", data={"topic": "Học"})
    assert half_typed.status_code == 200


def test_a_blocked_draft_needs_a_reason(client: FlaskClient, world: World) -> None:
    coming(world)
    draft = coming(world, state="draft")
    signed_in(client, world.accounts["an"])
    assert "Vẫn làm dù trùng lịch" in client.get(f"/meetings/publications?id={draft.id}").text
    assert client.post("/meetings/publications", data={"id": draft.id}).status_code == 422
    answer = client.post(
        "/meetings/publications", data={"id": draft.id, "override_reason": "Có hai phòng"}
    )
    assert answer.status_code == 303


def test_changing_a_published_meeting_asks_first(
    client: FlaskClient, world: World, db: Any
) -> None:
    meeting = coming(world)
    signed_in(client, world.accounts["an"])
    moved = filled(world, starts="14:00", ends="16:00", topic=meeting.topic)
    review = client.post(f"/meetings/{meeting.id}", data=moved)
    assert review.status_code == 200
    assert "Ai sẽ được báo" in review.text
    assert db.session.query(OutgoingMessage).count() == 0
    done = client.post(f"/meetings/{meeting.id}", data=moved | {"confirmed": "1"})
    assert done.status_code == 303
    db.session.rollback()
    assert db.session.query(OutgoingMessage).count() > 0


def test_dragging_a_published_meeting_opens_the_question(client: FlaskClient, world: World) -> None:
    meeting = coming(world)
    signed_in(client, world.accounts["an"])
    day = COMING.isoformat()
    answer = client.get(
        f"/meetings/{meeting.id}/change",
        query_string={"starts_at": f"{day}T14:00:00+07:00", "ends_at": f"{day}T16:00:00+07:00"},
    )
    assert answer.status_code == 200
    assert "14h00" in answer.text
    assert client.get(f"/meetings/{meeting.id}/change?starts_at=x").status_code == 422


def test_a_copy_keeps_the_guests_and_comes_a_week_later(client: FlaskClient, world: World) -> None:
    meeting = coming(world)
    signed_in(client, world.accounts["an"])
    page = client.get(f"/meetings/new?from={meeting.id}").text
    assert (COMING + timedelta(days=7)).isoformat() in page
    assert f'value="{world.units["cell-1"].id}" checked' in page


def test_cancelling_asks_for_a_reason(client: FlaskClient, world: World) -> None:
    meeting = coming(world)
    signed_in(client, world.accounts["an"])
    assert client.get(f"/meetings/{meeting.id}/cancellation").status_code == 200
    empty = client.post(f"/meetings/{meeting.id}/cancellation", data={"reason": ""})
    assert empty.status_code == 422
    answer = client.post(f"/meetings/{meeting.id}/cancellation", data={"reason": "Bão"})
    assert answer.status_code == 303
    assert "Bão" in client.get(f"/meetings/{meeting.id}").text


def test_every_list_and_filter_opens(client: FlaskClient, world: World) -> None:
    coming(world)
    signed_in(client, world.accounts["an"])
    for view in ("upcoming", "past", "untaken", "drafts", "all"):
        assert client.get(f"/meetings/?view={view}&q=hoc&kind=study").status_code == 200
    assert client.get("/meetings/?first=hôm-qua").status_code == 422


def test_a_longer_list_makes_no_more_queries(client: FlaskClient, world: World, app: Flask) -> None:
    signed_in(client, world.accounts["an"])
    coming(world)
    few = _queries(client, app, "/meetings/?view=all")
    for hour in range(12):
        add_meeting(world, at=instant(COMING, time(8 + hour)), hours=0.5)
    assert _queries(client, app, "/meetings/?view=all") == few


def _queries(client: FlaskClient, app: Flask, address: str) -> int:
    """The least of three times: what is asked once in a while (the banners) falls into one."""
    return min(_queries_once(client, app, address) for _ in range(3))


def _queries_once(client: FlaskClient, app: Flask, address: str) -> int:
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    with app.app_context():
        event.listen(database.engine, "before_cursor_execute", note)
        assert client.get(address).status_code == 200
        event.remove(database.engine, "before_cursor_execute", note)
    return len(seen)
