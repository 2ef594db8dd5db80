"""The calendar's pages: its data, moving, the printed week, bulk meetings and proposals."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from models import CalendarDay, Meeting
from rules.days import LOCAL, instant, local_day
from tests.world import World, add_meeting, build_world, signed_in

TODAY = local_day(datetime.now(UTC))
MONDAY = TODAY - timedelta(days=TODAY.weekday()) + timedelta(days=7)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def coming(world: World, hour: int = 8, **values: Any) -> Meeting:
    return add_meeting(world, at=instant(MONDAY, time(hour)), **values)


def rule(world: World, **values: Any) -> dict[str, Any]:
    form = {
        "topic": "Tuyên truyền biển đảo",
        "kind": "outreach",
        "organiser_id": world.units["ward-1"].id,
        "frequency": "weekly",
        "weekdays": [3],
        "interval": 1,
        "nth": 1,
        "from_on": MONDAY.isoformat(),
        "count": 3,
        "starts": "19:30",
        "ends": "21:00",
        "spread": "every",
        "unit_ids": [world.units["cell-1"].id, world.units["cell-2"].id],
        "counting": "heads",
    }
    return form | values


def test_the_page_reads_without_script(client: FlaskClient, world: World) -> None:
    coming(world, topic="Học chuyên đề")
    signed_in(client, world.accounts["an"])
    page = client.get(f"/planning/?on={MONDAY.isoformat()}")
    assert page.status_code == 200
    assert "Học chuyên đề" in page.text
    assert client.get("/planning/?on=mai").status_code == 422


def test_the_data_has_meetings_holidays_and_what_may_be_moved(
    client: FlaskClient, world: World, db: Any
) -> None:
    meeting = coming(world)
    db.session.add(CalendarDay(on=MONDAY, kind="off", name="Nghỉ bù"))
    db.session.commit()
    span = f"start={MONDAY.isoformat()}&end={(MONDAY + timedelta(days=7)).isoformat()}"
    signed_in(client, world.accounts["an"])
    answer = client.get(f"/planning/meetings?{span}").json
    assert answer is not None
    assert answer["ok"] is True
    assert [each["id"] for each in answer["meetings"]] == [meeting.id]
    assert answer["meetings"][0]["movable"] is True
    assert answer["meetings"][0]["starts_at"].endswith("T08:00:00+07:00")
    assert {"on": MONDAY.isoformat(), "kind": "holiday", "name": "Nghỉ bù"} in answer["days"]
    signed_in(client, world.accounts["doc"])
    seen = client.get(f"/planning/meetings?{span}").json
    assert seen is not None
    assert seen["meetings"][0]["movable"] is False
    signed_in(client, world.accounts["dung"])
    other = client.get(f"/planning/meetings?{span}").json
    assert other is not None
    assert other["meetings"] == []
    wrong = client.get("/planning/meetings?start=2026", headers={"Accept": "application/json"})
    assert wrong.status_code == 422
    assert wrong.json is not None
    assert wrong.json["ok"] is False


def test_dragging_moves_a_draft_and_tells_its_clashes(
    client: FlaskClient, world: World, db: Any
) -> None:
    coming(world, hour=14)
    draft = coming(world, state="draft")
    signed_in(client, world.accounts["an"])
    times = {
        "starts_at": datetime.combine(MONDAY, time(14), LOCAL).isoformat(),
        "ends_at": datetime.combine(MONDAY, time(16), LOCAL).isoformat(),
    }
    answer = client.post("/planning/moves", json={"meeting": draft.id, **times})
    assert answer.json is not None
    assert answer.json["ok"] is True
    assert "block" in {clash["severity"] for clash in answer.json["clashes"]}
    db.session.rollback()
    moved = db.session.get(Meeting, draft.id, populate_existing=True)
    assert moved is not None
    assert moved.starts_at == instant(MONDAY, time(14))


@pytest.mark.parametrize(
    "body",
    [[], {"meeting": "1"}, {"meeting": 1, "starts_at": "mai", "ends_at": "kia"}, {"meeting": 1}],
)
def test_a_malformed_move_is_refused(client: FlaskClient, world: World, body: Any) -> None:
    signed_in(client, world.accounts["an"])
    answer = client.post("/planning/moves", json=body)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["ok"] is False


def test_a_published_meeting_is_not_moved_by_dragging(client: FlaskClient, world: World) -> None:
    meeting = coming(world)
    signed_in(client, world.accounts["an"])
    times = {
        "starts_at": datetime.combine(MONDAY, time(14), LOCAL).isoformat(),
        "ends_at": datetime.combine(MONDAY, time(16), LOCAL).isoformat(),
    }
    answer = client.post("/planning/moves", json={"meeting": meeting.id, **times})
    assert answer.status_code == 409
    signed_in(client, world.accounts["dung"])
    assert client.post("/planning/moves", json={"meeting": meeting.id, **times}).status_code == 404
    signed_in(client, world.accounts["doc"])
    assert client.post("/planning/moves", json={"meeting": meeting.id, **times}).status_code == 403


def test_the_week_prints_by_day_and_half_day(client: FlaskClient, world: World) -> None:
    coming(world, topic="Buổi sáng")
    coming(world, hour=14, topic="Buổi chiều")
    signed_in(client, world.accounts["doc"])
    page = client.get(f"/planning/week?on={MONDAY.isoformat()}", follow_redirects=True).text
    assert page.index("Buổi sáng") < page.index("Buổi chiều")
    assert "Lịch này thay thư mời họp" in page


def test_a_rule_is_previewed_and_ticked_rows_are_made(
    client: FlaskClient, world: World, db: Any
) -> None:
    signed_in(client, world.accounts["an"])
    assert client.get("/planning/bulk").status_code == 200
    preview = client.post("/planning/bulk", data=rule(world))
    assert preview.status_code == 200
    assert preview.text.count('name="row"') == 6
    assert db.session.scalars(select(Meeting)).all() == []
    thursday = (MONDAY + timedelta(days=3)).isoformat()
    keys = [f"{thursday}-{world.units['cell-1'].id}", f"{thursday}-{world.units['cell-2'].id}"]
    done = client.post("/planning/bulk", data=rule(world, confirmed="1", row=keys))
    assert done.status_code == 303
    db.session.rollback()
    made = db.session.scalars(select(Meeting)).all()
    assert [meeting.state for meeting in made] == ["draft", "draft"]
    assert len({meeting.series_id for meeting in made}) == 1
    assert client.get(done.headers["Location"]).status_code == 200


def test_meetings_of_one_rule_clash_with_each_other(client: FlaskClient, world: World) -> None:
    signed_in(client, world.accounts["an"])
    preview = client.post("/planning/bulk", data=rule(world, venue_id=world.venue.id)).text
    assert "Trùng lịch" in preview
    assert 'name="row" value' in preview
    assert " checked" not in preview.split("<tbody>")[1].split("</tbody>")[0]


def test_a_holiday_is_passed_over_or_warned_of(client: FlaskClient, world: World, db: Any) -> None:
    thursday = MONDAY + timedelta(days=3)
    db.session.add(CalendarDay(on=thursday, kind="off", name="Nghỉ bù đặc biệt"))
    db.session.commit()
    signed_in(client, world.accounts["an"])
    passed = client.post("/planning/bulk", data=rule(world, skip_holidays="y")).text
    assert f"{thursday.isoformat()}-" not in passed.split("<tbody>")[1]
    warned = client.post("/planning/bulk", data=rule(world)).text
    assert f"{thursday.isoformat()}-" in warned
    assert "Nghỉ bù đặc biệt" in warned


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": []},
        {"count": ""},
        {"count": 500},
        {"excluded": "32/13/2026"},
        {"ends": "18:00"},
        {"topic": ""},
        {"unit_ids": [999_999], "confirmed": "1", "row": ["x"]},
    ],
)
def test_a_wrong_rule_comes_back_with_422(
    client: FlaskClient, world: World, wrong: dict[str, Any]
) -> None:
    signed_in(client, world.accounts["an"])
    answer = client.post("/planning/bulk", data=rule(world, **wrong))
    assert answer.status_code == 422
    assert "Cần sửa trước khi lưu" in answer.text


def test_all_coming_clashes_stand_on_one_page(client: FlaskClient, world: World) -> None:
    coming(world, topic="Buổi thứ nhất")
    coming(world, topic="Buổi thứ hai")
    signed_in(client, world.accounts["an"])
    assert "Buổi thứ hai" in client.get("/planning/clashes").text
