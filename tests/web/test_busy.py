"""Calendar files of speakers and venues, brought in by staff, as clashes know them."""

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from models import BusyTime, db
from rules.permissions import SYSTEM
from services.clashes import Wanted, clashes_of
from tests import busy_corpus
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


def test_mutated_files_are_taken_or_refused_and_never_break_the_page(
    quan: FlaskClient, app: Flask, world: World
) -> None:
    """Each file is brought by staff of the ward and by staff of another, who never change anything.

    A tenth of MUTATIONS in `make fuzz`: a request costs a hundred times as much as reading a file.
    """
    path = f"/venues/{world.venue.id}/busy"
    dung = signed_in(app.test_client(), world.accounts["dung"])
    assert bring(quan, path, FILE) == 303
    for content in busy_corpus.mutations(max(20, int(os.environ.get("MUTATIONS", "0")) // 10)):
        before = known(world)
        assert bring(dung, path, content) in (404, 422)
        assert known(world) == before
        answer = bring(quan, path, content)
        assert answer in (303, 422)
        assert answer == 303 or known(world) == before


def known(world: World) -> list[tuple[datetime, datetime]]:
    db.session.rollback()
    rows = db.session.query(BusyTime.starts_at, BusyTime.ends_at).order_by(BusyTime.starts_at)
    return [(start, end) for start, end in rows]
