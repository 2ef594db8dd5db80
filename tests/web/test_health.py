"""/healthz and the banner: what they say of the database, the clock and the mail."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from models import db
from services import clock, health
from tests.world import build_world, signed_in


def test_a_fresh_program_is_well_and_its_clock_has_never_ticked(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {
        "ok": True,
        "database": "ok",
        "scheduler": {"last_tick_at": None},
        "outbox": {"oldest_due_at": None},
    }


def test_the_last_tick_is_told_with_its_offset(app: Flask, client: FlaskClient) -> None:
    moment = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    with app.app_context():
        clock.record_tick("một", now=moment)
        db.session.remove()
    answer = client.get("/healthz").json
    assert answer is not None
    assert datetime.fromisoformat(answer["scheduler"]["last_tick_at"]) == moment


def test_a_database_that_does_not_answer_is_503(app: Flask, client: FlaskClient) -> None:
    def rename(old: str, new: str) -> None:
        with app.app_context():
            db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            db.session.commit()
            db.session.remove()

    rename("outgoing_message", "gone")
    answer = client.get("/healthz")
    rename("gone", "outgoing_message")
    assert answer.json is not None
    assert (answer.status_code, answer.json["ok"], answer.json["database"]) == (
        503,
        False,
        "failed",
    )


@pytest.mark.parametrize(("minutes", "is_silent"), [(1, False), (3, True)])
def test_the_clock_is_silent_after_two_minutes_without_a_tick(
    app: Flask, minutes: int, is_silent: bool
) -> None:
    moment = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    with app.app_context():
        clock.record_tick("một", now=moment)
        now = moment + timedelta(minutes=minutes)
        assert health.clock_is_silent(now=now) is is_silent


def test_pages_show_a_banner_while_the_clock_is_silent(app: Flask, client: FlaskClient) -> None:
    app.extensions.pop("banners", None)
    with app.app_context():
        world = build_world()
        signed_in(client, world.accounts["an"])
        assert "Bộ hẹn giờ không chạy" in client.get("/me").text
        app.extensions.pop("banners", None)
        clock.record_tick("một", now=datetime.now(UTC))
        assert "Bộ hẹn giờ không chạy" not in client.get("/me").text
