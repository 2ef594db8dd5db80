"""The outbox, feeds and calendar objects from the command line."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from models import Meeting, OutgoingMessage
from rules.permissions import SYSTEM
from services import feeds
from tests.ics_lint import faults
from tests.services.post import Postman, publish
from tests.world import World, add_meeting, build_world


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def meeting(world: World) -> Meeting:
    now = datetime.now(UTC)
    planned = add_meeting(world, at=now + timedelta(days=5))
    publish(planned, now)
    return planned


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def test_the_status_counts_by_state(app: Flask, meeting: Meeting) -> None:
    result = run(app, "outbox", "status", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {name: found[name] for name in ("queued", "claimed", "sent", "failed", "dead")} == {
        "queued": 2,
        "claimed": 0,
        "sent": 0,
        "failed": 0,
        "dead": 0,
    }
    assert datetime.fromisoformat(found["oldest_due_at"]).tzinfo is not None
    assert "queued\t2" in run(app, "outbox", "status").stdout


def test_a_dead_message_is_sent_again_on_request(
    app: Flask, meeting: Meeting, db: SQLAlchemy
) -> None:
    row = db.session.query(OutgoingMessage).first()
    assert row is not None
    row.state = "dead"
    db.session.commit()
    number = str(row.id)
    assert run(app, "outbox", "retry", number).exit_code == 0
    db.session.refresh(row)
    assert row.state == "queued"
    assert run(app, "outbox", "retry", "9999").exit_code == 1
    assert run(app, "outbox", "retry", "x").exit_code == 2


def test_a_message_is_shown_in_readable_words(app: Flask, meeting: Meeting) -> None:
    result = run(app, "outbox", "show", "1")
    assert result.exit_code == 0
    assert "Subject: Mời: Học tập (" in result.stdout
    assert "Kính gửi đồng chí" in result.stdout


def test_a_feed_address_is_printed_and_rotated(app: Flask, world: World) -> None:
    first = run(app, "feed", "url", "DV001")
    assert first.exit_code == 0
    address = first.stdout.strip()
    assert address.startswith("http://127.0.0.1:5000/feeds/")
    assert address.endswith(".ics")
    second = run(app, "feed", "url", "DV001", "--rotate").stdout.strip()
    assert second != address
    _, rows = feeds.member_feeds("DV001", now=datetime.now(UTC), by=SYSTEM)
    assert len(rows) == 1
    missing = run(app, "feed", "url", "DV999")
    assert missing.exit_code == 1
    assert "DV999" in missing.stderr


def test_the_printed_object_is_what_is_sent(app: Flask, meeting: Meeting) -> None:
    result = run(app, "meeting", "ics", str(meeting.id), "--member", "DV001")
    assert result.exit_code == 0
    assert faults(result.stdout_bytes) == []
    assert b"METHOD:REQUEST" in result.stdout_bytes
    general = run(app, "meeting", "ics", str(meeting.id))
    assert faults(general.stdout_bytes) == []
    assert run(app, "meeting", "ics", "999").exit_code == 1
    assert Postman().kept == []
