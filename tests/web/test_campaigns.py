"""Campaigns on screen: from a draft to an open roll, its corrections, credits and tallies."""

from datetime import date, timedelta

import pytest

from models import Campaign, HouseholdTally, RollCorrection, RollEntry
from tests import world
from tests.services import campaign_plans as plans

TODAY = date.today()  # noqa: DTZ011  # the machine runs by local days
SOON = {
    "opens_on": TODAY - timedelta(days=20),
    "cutoff_on": TODAY - timedelta(days=20),
    "deadline_on": TODAY + timedelta(days=20),
}


@pytest.fixture
def city(db):
    return world.build_world()


@pytest.fixture
def as_admin(app, city):
    return world.signed_in(app.test_client(), city.accounts["quan"])


def answers(city, **values):
    given = {
        "code": "NQ57",
        "title": "Nghị quyết 57",
        "opens_on": SOON["opens_on"].isoformat(),
        "deadline_on": SOON["deadline_on"].isoformat(),
        "cutoff_on": SOON["cutoff_on"].isoformat(),
        "party_unit_ids": [city.units["city"].id],
        "residential_unit_ids": [city.units["res-city"].id],
        "members_target_percent": "95",
        "households_target_percent": "85",
        "unit_targets": "DB1: 98%",
        "completion_rule": "any",
        "household_counting": "checklist",
    }
    return given | values


def test_a_draft_is_written_previewed_and_opened(as_admin, city, db):
    answer = as_admin.post("/campaigns/", data=answers(city))
    assert answer.status_code == 303
    assert "98%" in as_admin.get("/campaigns/NQ57").text
    preview = as_admin.get("/campaigns/NQ57/opening").text
    assert "Đảng bộ phường Một" in preview
    assert as_admin.post("/campaigns/NQ57/opening").status_code == 303
    assert db.session.query(RollEntry).count() == 16
    assert as_admin.post("/campaigns/NQ57/opening").status_code == 409


def test_a_wrong_draft_comes_back_with_what_was_typed(as_admin, city, db):
    answer = as_admin.post("/campaigns/", data=answers(city, unit_targets="DB1 98"))
    assert answer.status_code == 422
    assert "DB1 98" in answer.text
    assert "Hãy viết như DB01: 98" in answer.text
    assert db.session.query(Campaign).count() == 0


def test_a_draft_is_changed_and_thrown_away(as_admin, city, db):
    as_admin.post("/campaigns/", data=answers(city))
    assert "DB1: 98" in as_admin.get("/campaigns/NQ57/edit").text
    as_admin.post("/campaigns/NQ57", data=answers(city, title="Tên mới"))
    assert "Tên mới" in as_admin.get("/campaigns/").text
    assert as_admin.post("/campaigns/NQ57/deletion").status_code == 303
    assert db.session.query(Campaign).count() == 0


def test_an_open_campaign_takes_a_new_deadline_from_its_form(as_admin, city, db):
    code = plans.opened(city, **SOON)
    later = (TODAY + timedelta(days=40)).isoformat()
    sent = answers(city, code=code, deadline_on=later)
    del sent["party_unit_ids"], sent["residential_unit_ids"]
    assert as_admin.post(f"/campaigns/{code}", data=sent).status_code == 303
    assert db.session.query(Campaign).one().deadline_on.isoformat() == later


def test_a_correction_from_the_page_is_logged(as_admin, city, db):
    code = plans.opened(city, **SOON)
    sent = {
        "kind": "died",
        "population": "members",
        "subject_code": "DV001",
        "effective_on": TODAY.isoformat(),
        "reason": "Giấy báo tử số 3",
    }
    assert as_admin.post(f"/campaigns/{code}/corrections", data=sent).status_code == 303
    assert db.session.query(RollCorrection).count() == 1
    assert "Giấy báo tử số 3" in as_admin.get(f"/campaigns/{code}/corrections").text
    again = as_admin.post(f"/campaigns/{code}/corrections", data=sent)
    assert again.status_code == 422
    assert "không có trong danh sách" in again.text


def test_a_credit_is_added_and_annulled(as_admin, city):
    code = plans.opened(city, **SOON)
    sent = {
        "person_code": "DV001",
        "studied_on": TODAY.isoformat(),
        "place": "Trường Chính trị tỉnh",
        "evidence": "GXN 12",
    }
    assert as_admin.post(f"/campaigns/{code}/credits", data=sent).status_code == 303
    assert "1/6" in as_admin.get("/coverage/").text
    assert as_admin.post(f"/campaigns/{code}/credits/1/annulment").status_code == 303
    assert "0/6" in as_admin.get("/coverage/").text


def test_households_are_declared_from_the_page(as_admin, city, db):
    code = plans.opened(city, household_counting="tally", **SOON)
    sent = {
        "unit_id": city.units["group-1"].id,
        "households": "4",
        "declared_on": TODAY.isoformat(),
    }
    assert as_admin.post(f"/campaigns/{code}/tallies", data=sent).status_code == 303
    too_many = as_admin.post(f"/campaigns/{code}/tallies", data=sent | {"households": "6"})
    assert too_many.status_code == 422
    assert db.session.query(HouseholdTally).count() == 1


def test_closing_and_reopening(as_admin, city, db):
    code = plans.opened(city, **SOON)
    assert as_admin.post(f"/campaigns/{code}/closing").status_code == 303
    assert as_admin.post(f"/campaigns/{code}/reopening", data={"reason": ""}).status_code == 422
    sent = {"reason": "Bổ sung"}
    assert as_admin.post(f"/campaigns/{code}/reopening", data=sent).status_code == 303
    assert db.session.query(Campaign).one().state == "open"


def test_a_reader_sees_and_does_not_change(app, city):
    code = plans.opened(city, **SOON)
    reader = world.signed_in(app.test_client(), city.accounts["doc"])
    for part in ("", "/roll", "/corrections", "/credits"):
        assert reader.get(f"/campaigns/{code}{part}").status_code == 200
    assert reader.get("/campaigns/new").status_code == 403
    assert reader.post(f"/campaigns/{code}/closing").status_code == 403


def test_staff_of_a_ward_do_not_close_the_citys_campaign(app, city):
    code = plans.opened(city, **SOON)
    dung = world.signed_in(app.test_client(), city.accounts["dung"])
    assert dung.post(f"/campaigns/{code}/closing").status_code == 403
