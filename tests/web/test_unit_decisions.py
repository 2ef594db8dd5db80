"""Decisions on units through the pages: drafted, shown with what follows, confirmed or thrown away."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from models import Unit, UnitChange, db
from tests.world import World, build_world, signed_in

BASE = {"number": "12-QĐ/TU", "decided_on": "2026-11-10", "effective_on": "2026-11-20"}


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def quan(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["quan"])


def merge(client: FlaskClient, world: World, **values: Any) -> Any:
    wards = [world.units[key].id for key in ("ward-1", "ward-2")]
    form = BASE | {
        "sources": wards,
        "name": "Đảng bộ phường Mới",
        "code": "DB9",
        "kind_code": "grassroots_org",
        "parent": world.units["city"].id,
    }
    return client.post(
        f"/unit-decisions/merge/of/{wards[0]}", data=form | values, follow_redirects=True
    )


def test_a_merger_is_drafted_looked_at_and_confirmed(quan: FlaskClient, world: World) -> None:
    ward = world.units["ward-1"].id
    assert "Đảng bộ phường Hai" in quan.get(f"/unit-decisions/merge/new/{ward}").text
    page = merge(quan, world).text
    assert "Bản dự thảo: chưa có gì thay đổi." in page
    assert "nhận 6 người hoặc hộ" in page
    assert db.session.scalars(select(Unit).where(Unit.code == "DB9")).first() is None
    change = db.session.scalars(select(UnitChange.id)).one()
    done = quan.post(f"/unit-decisions/{change}/confirmation", follow_redirects=True)
    assert "Đã xác nhận quyết định" in done.text
    assert "Đảng bộ phường Mới" in quan.get("/units").text
    assert "12-QĐ/TU" in quan.get("/unit-decisions/").text


def test_a_unit_merged_into_itself_comes_back_with_a_sentence(
    quan: FlaskClient, world: World
) -> None:
    ward = world.units["ward-1"].id
    page = merge(quan, world, sources=[ward], into=ward)
    assert page.status_code == 422
    assert "không thể sáp nhập một đơn vị vào chính nó".lower() in page.text.lower()
    assert db.session.scalars(select(UnitChange)).first() is None


def test_a_split_is_allotted_by_lower_unit(quan: FlaskClient, world: World) -> None:
    ward, cell = world.units["ward-1"].id, world.units["cell-2"].id
    form = BASE | {
        "name_1": "Đảng bộ phường Một A",
        "code_1": "DB1A",
        "name_2": "Đảng bộ phường Một B",
        "code_2": "DB1B",
        "kind_code": "grassroots_org",
        "parent": world.units["city"].id,
    }
    page = quan.post(f"/unit-decisions/split/of/{ward}", data=form, follow_redirects=True).text
    assert "Chia về đâu" in page
    change = db.session.scalars(select(UnitChange.id)).one()
    path = f"/unit-decisions/{change}"
    quan.post(f"{path}/allotments", data={f"unit-{cell}": "1"})
    assert quan.post(f"{path}/allotments", data={f"unit-{cell}": "7"}).status_code == 422
    done = quan.post(f"{path}/confirmation", follow_redirects=True)
    assert done.status_code == 200, done.text
    db.session.rollback()
    part = db.session.scalars(select(Unit).where(Unit.code == "DB1B")).one()
    assert db.session.get_one(Unit, cell).parent_id == part.id


def test_staff_of_one_ward_cannot_merge_it_with_another(client: FlaskClient, world: World) -> None:
    an = signed_in(client, world.accounts["an"])
    assert merge(an, world).status_code in (404, 422)
    assert db.session.scalars(select(UnitChange)).first() is None


def test_a_draft_is_thrown_away_and_an_unknown_kind_is_not_found(
    quan: FlaskClient, world: World
) -> None:
    merge(quan, world)
    change = db.session.scalars(select(UnitChange.id)).one()
    quan.post(f"/unit-decisions/{change}/discarding")
    assert quan.get(f"/unit-decisions/{change}").status_code == 404
    assert quan.get("/unit-decisions/annex/new/1").status_code == 404
