"""The units' pages: what staff see of the trees, and wrong forms come back."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import Unit, UnitKind, UnitName, db
from tests.world import World, add_account, build_world, signed_in


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def an(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["an"])


def test_staff_see_their_own_tree_and_not_another_wards(an: FlaskClient) -> None:
    page = an.get("/units").text
    assert "Đảng bộ phường Một" in page
    assert "phường Hai" not in page
    residential = an.get("/units?tree=residential").text
    assert "Khối 1" in residential
    assert "Khối 2" not in residential


def test_units_are_searched_and_shown_as_of_a_day(an: FlaskClient) -> None:
    assert "Chi bộ 2" in an.get("/units?q=chi+bo").text
    assert "Chưa có đơn vị nào" in an.get("/units?on=2019-01-01").text
    assert an.get("/units?on=hôm-qua").status_code == 422


def test_a_unit_of_another_ward_is_not_found(an: FlaskClient, world: World) -> None:
    for path in ("", "/edit"):
        assert an.get(f"/units/{world.units['cell-3'].id}{path}").status_code == 404


def test_a_unit_is_founded_and_changed_by_decisions_alone(an: FlaskClient, world: World) -> None:
    ward = world.units["ward-1"].id
    form = {"kind": "cell", "name": "Chi bộ 9", "code": "CB9", "parent": str(ward)}
    refused = an.post("/units", data=form | {"valid_from": "2025-07-01"})
    assert refused.status_code in (403, 422)
    assert db.session.query(Unit).filter_by(code="CB9").count() == 0
    db.session.rollback()
    to_decision = an.get(f"/units/new?parent={ward}")
    assert to_decision.status_code == 303
    assert to_decision.location == f"/unit-decisions/new?parent={ward}"
    assert f'<option selected value="{ward}">' in an.get(to_decision.location).text
    decision = {"effective_on": "2026-01-01", "name": "Chi bộ 9", "code": "CB9"}
    decision |= {"kind_code": "cell", "parent": str(ward)}
    assert an.post("/unit-decisions/", data=decision).status_code == 422
    decision |= {"number": "9-QĐ/ĐU", "decided_on": "2025-12-20"}
    no_kind = an.post("/unit-decisions/", data=decision | {"kind_code": ""})
    assert no_kind.status_code == 422
    assert "Hãy chọn loại đơn vị" in no_kind.text
    assert an.post("/unit-decisions/", data=decision).status_code == 303
    page = f"/units/{world.units['cell-1'].id}"
    shown = an.get(f"{page}/edit").text
    for kind in ("rename", "move", "merge", "split", "dissolve"):
        assert f"/unit-decisions/{kind}/new/" in shown
    for path in ("names", "parents", "ending"):
        assert an.post(f"{page}/{path}", data={"name-name": "Khác"}).status_code == 404


def test_the_first_unit_of_a_tree_is_entered_and_a_second_refused(
    client: FlaskClient, db: Any
) -> None:
    level = {"tree": "party", "name": "Thành uỷ", "name_en": "City", "rank": 1}
    db.session.add(UnitKind(code="city", is_grassroots=False, holds_people=False, **level))
    admin = add_account("quan@test.invalid", "Quản", "admin")
    db.session.commit()
    quan = signed_in(client, admin)
    first = {"kind": "city", "name": "Thành uỷ", "code": "TU", "valid_from": "2020-01-01"}
    assert quan.get("/units/new").status_code == 200
    assert quan.post("/units", data=first).status_code == 303
    again = quan.post("/units", data=first | {"code": "TU2"})
    assert again.status_code == 422
    assert "cần số và ngày quyết định" in again.text
    assert quan.get("/units/new").status_code == 303


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/corrections", {"correction-kind": "cell", "correction-code": "CB2"}, "đã dùng"),
    ],
)
def test_a_wrong_change_comes_back_with_a_sentence_and_writes_nothing(
    an: FlaskClient, world: World, path: str, form: dict[str, str], said: str
) -> None:
    before = db.session.query(UnitName).count()
    answer = an.post(f"/units/{world.units['cell-1'].id}{path}", data=form)
    assert answer.status_code == 422
    assert said in answer.text
    db.session.rollback()
    assert db.session.query(UnitName).count() == before
    db.session.rollback()
    unit = db.session.get_one(Unit, world.units["cell-1"].id)
    assert (unit.code, unit.valid_to) == ("CB1", None)


def test_readers_look_and_do_not_change(client: FlaskClient, world: World) -> None:
    doc = signed_in(client, world.accounts["doc"])
    unit_id = world.units["cell-3"].id
    assert doc.get(f"/units/{unit_id}").status_code == 200
    assert doc.get(f"/units/{unit_id}/edit").status_code == 403
    assert doc.post(f"/units/{unit_id}/corrections", data={}).status_code == 403


def test_only_the_administrator_edits_the_levels(client: FlaskClient, world: World) -> None:
    quan = signed_in(client, world.accounts["quan"])
    form = {"tree": "party", "code": "to_dang", "name": "Tổ đảng", "name_en": "Group", "rank": "7"}
    assert quan.post("/units/kinds", data=form).status_code == 303
    assert "Tổ đảng" in quan.get("/units/kinds").text
    assert quan.get("/units/kinds/cell").status_code == 200
    assert quan.get("/units/kinds/khac").status_code == 404
    assert quan.post("/units/kinds/cell", data={"name": ""}).status_code == 422


def test_staff_do_not_edit_the_levels(an: FlaskClient) -> None:
    assert an.get("/units/kinds").status_code == 403
