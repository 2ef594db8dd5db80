"""The application's own feed, subscribed to over HTTP by the programs that people use."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from gateways.calendar import Attendee, Method, event_block, feed, invitation
from models import Invitation, Meeting
from rules.calendar import next_last_modified
from rules.days import LOCAL
from rules.permissions import SYSTEM
from services import audit, feeds, office
from services.transaction import writing
from tests.clients.readers import Told, by_icalendar
from tests.clients.subscribers import Radicale, Vdirsyncer, served
from tests.clients.test_objects import FACTS, LIFE, OFFICE, revised
from tests.web.test_feeds import stopped
from tests.world import NOW, World, build_world

pytestmark = [pytest.mark.clients, pytest.mark.backends("sqlite")]


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def today() -> datetime:
    return datetime.now(LOCAL).replace(hour=8, minute=0, second=0, microsecond=0)


def invite(world: World, db: SQLAlchemy, count: int, first: datetime) -> list[Meeting]:
    """Published meetings from that day on, one every few hours, with Chi on their lists."""
    made = [
        Meeting(
            uid=f"{number:05d}@test.invalid",
            kind="study",
            topic=f"Nghị quyết, chuyên đề {number}",
            state="cancelled" if number % 13 == 5 else "published",
            organiser_id=world.units["ward-1"].id,
            starts_at=first + timedelta(hours=7 * number),
            ends_at=first + timedelta(hours=7 * number + 2),
            venue_id=world.venue.id,
            created_at=NOW,
            modified_at=NOW,
        )
        for number in range(count)
    ]
    db.session.add_all(made)
    db.session.flush()
    chi = world.people["chi"].id
    db.session.add_all(Invitation(meeting_id=one.id, person_id=chi, created_at=NOW) for one in made)
    db.session.commit()
    return made


def expected(meetings: list[Meeting]) -> list[Told]:
    return sorted(
        Told(
            uid="",
            starts=int(one.starts_at.timestamp()),
            ends=int(one.ends_at.timestamp()),
            title="ĐÃ HUỶ: Học tập" if one.state == "cancelled" else "Học tập",
            sequence=one.sequence,
            cancelled=one.state == "cancelled",
        )
        for one in meetings
    )


def commit_noted(db: SQLAlchemy) -> None:
    """Commit a change and, as the program does for every change, its entry in the audit log."""
    db.session.commit()
    with writing() as session:
        at = datetime.now(UTC)
        audit.record(session, now=at, by=SYSTEM, action="changed", entity="meeting", entity_id=1)


def feed_address(base: str) -> str:
    url = feeds.create_member_feed("DV001", now=NOW, by=SYSTEM)
    return base + url.removeprefix(office.office().public_url)


def written(phone: Vdirsyncer) -> dict[str, int]:
    """When each file of the subscriber's folder was written."""
    return {path.name: path.stat().st_mtime_ns for path in phone.folder.rglob("*.ics")}


def assert_shown(phone: Vdirsyncer, meetings: list[Meeting], first: datetime) -> None:
    """khal shows every meeting that its folder holds, at the local times of the rows."""
    form = "%Y-%m-%d %H:%M"
    assert phone.shown(first, 400) == sorted(
        (
            one.starts_at.astimezone(LOCAL).strftime(form),
            one.ends_at.astimezone(LOCAL).strftime(form),
            "ĐÃ HUỶ: Học tập" if one.state == "cancelled" else "Học tập",
        )
        for one in meetings
    )


@pytest.mark.parametrize("count", [1, 200, 1000])
def test_vdirsyncer_and_khal_hold_the_rows_meetings_and_times(
    app: Flask, world: World, db: SQLAlchemy, tmp_path: Path, today: datetime, count: int
) -> None:
    meetings = invite(world, db, count, today)
    with served(app) as base:
        phone = Vdirsyncer(tmp_path / "phone", feed_address(base))
        assert phone.sync()
    assert phone.kept() == expected(meetings)
    if count < 1000:  # khal's own database takes many seconds for a thousand
        assert_shown(phone, meetings, today)


def test_a_subscriber_follows_moves_cancellations_and_removals(
    app: Flask, world: World, db: SQLAlchemy, tmp_path: Path, today: datetime
) -> None:
    meetings = invite(world, db, 6, today)
    moved, off, gone = meetings[1], meetings[2], meetings[3]
    with served(app) as base:
        phone = Vdirsyncer(tmp_path / "phone", feed_address(base))
        assert phone.sync()
        moved.starts_at += timedelta(days=1)
        moved.ends_at += timedelta(days=1)
        off.state = "cancelled"
        for one in (moved, off):
            one.sequence += 1
            one.modified_at = next_last_modified(one.modified_at, NOW)
        row = db.session.query(Invitation).filter_by(meeting_id=gone.id).one()
        row.removed_at = datetime.now(LOCAL)
        commit_noted(db)
        assert phone.sync()
    left = [one for one in meetings if one is not gone]
    assert phone.kept() == expected(left)
    assert_shown(phone, left, today)


def test_an_empty_feed_is_a_whole_calendar(
    app: Flask, world: World, db: SQLAlchemy, tmp_path: Path
) -> None:
    with served(app) as base:
        phone = Vdirsyncer(tmp_path / "phone", feed_address(base))
        phone.sync()
    assert phone.kept() == []


@pytest.fixture
def radicale(tmp_path: Path) -> Iterator[Radicale]:
    server = Radicale(tmp_path / "radicale")
    yield server
    server.stop()


def test_a_calendar_server_takes_a_whole_feed_and_gives_it_back(radicale: Radicale) -> None:
    blocks = [event_block(revised(FACTS, summary=f"Buổi {number}"), OFFICE) for number in range(1)]
    radicale.call("PUT", "", feed("Lịch học tập", blocks))
    assert by_icalendar(radicale.call("GET", "", b"")) == by_icalendar(feed("Lịch", blocks))


def test_a_calendar_server_takes_every_stage_of_an_invitation(radicale: Radicale) -> None:
    radicale.call("MKCALENDAR", "", b"", "application/xml")
    chi, facts = Attendee("chi@test.invalid", "Đỗ Thị Kim Chi"), FACTS
    for number, edit in enumerate(({}, *(edit for _, edit in LIFE))):
        facts = revised(facts, **edit)
        method = Method.CANCEL if facts.cancelled else Method.REQUEST
        sent = invitation(facts, OFFICE, chi, method=method, stamp=NOW + timedelta(hours=number))
        radicale.call("PUT", "one.ics", sent)
        assert by_icalendar(radicale.call("GET", "one.ics", b"")) == by_icalendar(sent)


def test_a_subscriber_keeps_everything_while_the_database_is_away(
    app: Flask, world: World, db: SQLAlchemy, tmp_path: Path, today: datetime
) -> None:
    meetings = invite(world, db, 5, today)
    with served(app) as base:
        phone = Vdirsyncer(tmp_path / "phone", feed_address(base))
        assert phone.sync()
        before = written(phone)
        with stopped(db):
            assert phone.sync()
            assert phone.kept() == expected(meetings)
            assert written(phone) == before, "nothing changed, so nothing is written"
        assert phone.sync()
    assert written(phone) == before
