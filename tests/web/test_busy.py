"""Calendar files of speakers and venues, brought in by staff, as clashes know them."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from models import db
from rules.permissions import SYSTEM
from services.clashes import Wanted, clashes_of
from tests.world import World, build_world, signed_in

START = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
FILE = (
    f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:việc riêng\r\nDTSTART:{START:%Y%m%dT%H%M%SZ}\r\n"
    "DURATION:PT2H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).encode()


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def quan(app: Flask, world: World) -> FlaskClient:
    return signed_in(app.test_client(), world.accounts["quan"])


def bring(client: FlaskClient, path: str, content: bytes) -> int:
    return client.post(path, data={"calendar": (BytesIO(content), "lich.ics")}).status_code


def kinds(world: World) -> list[str]:
    db.session.rollback()
    wanted = Wanted(
        "Học",
        START + timedelta(hours=1),
        START + timedelta(hours=3),
        venue_ids=frozenset([world.venue.id]),
        speaker_ids=frozenset([world.speaker.id]),
    )
    return [clash.kind for clash in clashes_of(wanted, by=SYSTEM)]


def test_busy_times_of_speakers_and_venues_are_clashes_until_forgotten(
    quan: FlaskClient, world: World
) -> None:
    assert kinds(world) == []
    for what, one in (("speakers", world.speaker.id), ("venues", world.venue.id)):
        path = f"/{what}/{one}/busy"
        assert bring(quan, path, FILE) == 303
        assert bring(quan, path, FILE) == 303
        assert "1 lần bận" in quan.get(path).get_data(as_text=True)
        assert "việc riêng" not in quan.get(path).get_data(as_text=True)
    assert sorted(kinds(world)) == ["place", "speaker"]
    assert quan.post(f"/venues/{world.venue.id}/busy/deletion").status_code == 303
    assert kinds(world) == ["speaker"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"BEGIN:VCALENDAR\r\n" + b"x" * 262_144])
def test_what_is_no_calendar_changes_nothing(
    quan: FlaskClient, world: World, content: bytes
) -> None:
    path = f"/venues/{world.venue.id}/busy"
    assert bring(quan, path, FILE) == 303
    assert bring(quan, path, content) == 422
    assert kinds(world) == ["place"]


def test_staff_of_another_ward_find_nothing(app: Flask, world: World) -> None:
    dung = signed_in(app.test_client(), world.accounts["dung"])
    path = f"/venues/{world.venue.id}/busy"
    assert dung.get(path).status_code == 404
    assert bring(dung, path, FILE) == 404
    assert dung.post(f"{path}/deletion").status_code == 404
