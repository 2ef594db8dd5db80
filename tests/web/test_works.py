"""The pages of the year's other work: lists, forms that come back, and who may write."""

from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import ActionPlan, HistoryStep, LeaderVisit, db
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


@pytest.fixture
def quan(client: FlaskClient, city: world.World) -> FlaskClient:
    return world.signed_in(client, city.accounts["quan"])


def test_a_day_is_set_for_every_unit_and_one_is_written_down(
    quan: FlaskClient, city: world.World
) -> None:
    code = plans.opened(city)
    asked = {"campaign": code, "unit_id": "", "due_on": "2026-11-20"}
    page = quan.post("/works/action-plans", data=asked, follow_redirects=True).text
    assert "Đã ghi hạn cho 2 đơn vị." in page
    assert "0/2" in page
    wrong = asked | {"issued_number": "1"}
    assert quan.post("/works/action-plans", data=wrong).status_code == 422
    db.session.rollback()
    plan = db.session.query(ActionPlan).first()
    assert plan is not None
    path = f"/works/dues/action_plan/{plan.id}"
    assert quan.get(path).status_code == 200
    assert (
        quan.post(path, data={"due_on": "2026-11-20", "done_on": "2026-11-21"}).status_code == 422
    )
    done = {"due_on": "2026-11-20", "done_on": "2026-11-21", "reference": "12-KH/ĐU"}
    page = quan.post(path, data=done, follow_redirects=True).text
    assert "1/2" in page
    assert "12-KH/ĐU" in page


def test_visits_are_assigned_and_done(quan: FlaskClient, city: world.World) -> None:
    cell = city.units["cell-1"].id
    sent = {"leader": "Đ/c Bí thư", "unit_ids": [cell], "due_on": "2026-12-31"}
    assert quan.post("/works/visits", data=sent | {"leader": ""}).status_code == 422
    assert "Đ/c Bí thư" in quan.post("/works/visits", data=sent, follow_redirects=True).text
    visit = db.session.query(LeaderVisit).one()
    done = {"due_on": "2026-12-31", "done_on": "2026-11-25"}
    quan.post(f"/works/dues/leader_visit/{visit.id}", data=done)
    db.session.rollback()
    assert db.session.query(LeaderVisit).one().done_on == date(2026, 11, 25)


def test_steps_of_a_history(quan: FlaskClient, city: world.World) -> None:
    ward = city.units["ward-1"].id
    plan = {"unit_id": ward, "title": "Lịch sử", "started_on": "2025-01-01"}
    quan.post("/works/histories", data=plan)
    step = {"name": "Viết bản thảo", "due_on": "2026-06-30"}
    assert quan.post("/works/histories/1/steps", data={"name": ""}).status_code == 422
    assert quan.post("/works/histories/1/steps", data=step).status_code == 303
    assert db.session.query(HistoryStep).one().name == "Viết bản thảo"
    page = quan.get("/works/histories").text
    assert "0/1" in page
    assert quan.get("/works/histories/1").status_code == 200
    assert quan.post("/works/histories/1", data=plan | {"title": ""}).status_code == 422


def test_an_unknown_kind_or_another_wards_work_is_not_found(
    quan: FlaskClient, client: FlaskClient, city: world.World
) -> None:
    assert quan.get("/works/dues/rank/1").status_code == 404
    visit = LeaderVisit(
        unit_id=city.units["cell-3"].id, leader="Đ/c Bí thư", due_on=date(2026, 12, 1)
    )
    db.session.add(visit)
    db.session.commit()
    an = world.signed_in(client, city.accounts["an"])
    assert an.get(f"/works/dues/leader_visit/{visit.id}").status_code == 404
    assert "Đ/c Bí thư" not in an.get("/works/visits").text
