"""Speakers and venues: lists, forms and whose they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import Speaker, Venue, db
from tests.world import World, add_meeting, build_world, signed_in


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def an(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["an"])


def test_a_speaker_is_added_and_shows_their_coming_meetings(an: FlaskClient, world: World) -> None:
    ward = str(world.units["ward-1"].id)
    form = {"name": "Lò Thị Vân", "unit": ward, "level": "ward", "is_active": "y"}
    made = an.post("/speakers", data=form | {"account_email": "binh@test.invalid"})
    assert made.status_code == 303
    assert "binh@test.invalid" in an.get(made.location).text
    assert "Lò Thị Vân" in an.get("/speakers?q=van").text
    add_meeting(world, at=datetime.now(UTC) + timedelta(days=3), topic="Chuyên đề biển đảo")
    assert "Chuyên đề biển đảo" in an.get(f"/speakers/{world.speaker.id}").text


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"level": "khác"},
        {"unit": ""},
        {"unit": "99999"},
        {"email": "x"},
        {"phone": "12"},
        {"account_email": "khong-co@test.invalid"},
    ],
)
def test_a_wrong_speaker_comes_back_and_nothing_is_written(
    an: FlaskClient, world: World, change: dict[str, str]
) -> None:
    before = db.session.query(Speaker).count()
    form = {"name": "Lò Thị Vân", "unit": str(world.units["ward-1"].id), "level": "ward"}
    assert an.post("/speakers", data=form | change).status_code == 422
    db.session.rollback()
    assert db.session.query(Speaker).count() == before


def test_another_wards_staff_change_neither_speaker_nor_venue(
    client: FlaskClient, world: World
) -> None:
    world.speaker.unit_id = world.units["ward-1"].id
    db.session.add(world.speaker)
    db.session.commit()
    dung = signed_in(client, world.accounts["dung"])
    ward = str(world.units["ward-2"].id)
    assert dung.get(f"/speakers/{world.speaker.id}").status_code == 404
    assert dung.get(f"/venues/{world.venue.id}").status_code == 404
    assert world.venue.name not in dung.get("/venues").text
    form = {"name": "Của tôi", "unit": ward, "level": "ward"}
    assert dung.post(f"/speakers/{world.speaker.id}", data=form).status_code == 422
    assert dung.post(f"/venues/{world.venue.id}", data=form).status_code == 422
    db.session.rollback()
    assert db.session.get_one(Venue, world.venue.id).name == "Hội trường phường Một"


def test_a_venue_is_added_changed_and_put_out_of_use(an: FlaskClient, world: World) -> None:
    form = {"name": "Nhà văn hoá khối 1", "unit": str(world.units["ward-1"].id), "capacity": "60"}
    assert an.post("/venues", data=form | {"is_active": "y"}).status_code == 303
    venue = db.session.query(Venue).filter_by(name="Nhà văn hoá khối 1").one()
    assert an.get(f"/venues/{venue.id}").status_code == 200
    assert an.post(f"/venues/{venue.id}", data=form).status_code == 303
    assert "Nhà văn hoá khối 1" not in an.get("/venues").text
    assert "Nhà văn hoá khối 1" in an.get("/venues?all=yes&q=nha+van+hoa").text
    assert an.post("/venues", data=form | {"capacity": "0"}).status_code == 422
    assert an.post("/venues", data=form | {"capacity": "x"}).status_code == 422
