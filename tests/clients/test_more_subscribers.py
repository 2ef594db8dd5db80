"""Thunderbird and Evolution subscribed to the application's own feed over HTTP."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.wrappers import Response

from models import Invitation, Meeting
from rules.calendar import next_last_modified
from rules.days import LOCAL
from services import feeds
from tests.clients.evolution import Evolution, is_here
from tests.clients.programs import needs
from tests.clients.readers import Told, by_icalendar
from tests.clients.subscribers import Between, served
from tests.clients.test_more_programs import OBJECTS
from tests.clients.test_subscriptions import commit_noted, expected, feed_address, invite
from tests.clients.thunderbird import Thunderbird, program
from tests.web.test_feeds import stopped
from tests.world import NOW, World, build_world

pytestmark = [pytest.mark.clients, pytest.mark.full, pytest.mark.backends("sqlite")]
PATIENCE = 40.0
PATIENCE_PER_MEETING = 0.2
HTML = "<!doctype html><title>Đăng nhập</title>"


class Subscriber(Protocol):
    """A calendar program with one subscription."""

    def subscribe(self, url: str) -> None: ...
    def refresh(self) -> None: ...
    def kept(self) -> list[Told]: ...
    def stop(self) -> None: ...


@contextmanager
def running(make: Callable[[], Subscriber]) -> Iterator[Subscriber]:
    program = make()
    try:
        yield program
    finally:
        program.stop()


def thunderbird() -> Thunderbird:
    needs(program(), "thunderbird")
    return Thunderbird()


def evolution() -> Evolution:
    needs(is_here(), "evolution-data-server (with gir1.2-ecal-2.0 and dbus-run-session)")
    return Evolution()


PROGRAMS = pytest.mark.parametrize("make", [thunderbird, evolution], ids=lambda one: one.__name__)


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def today() -> datetime:
    return datetime.now(LOCAL).replace(hour=8, minute=0, second=0, microsecond=0)


def comes_to_hold(subscriber: Subscriber, wanted: list[Told]) -> bool:
    """Whether the program holds exactly these meetings within some seconds.

    Listing a thousand of them keeps the program from taking them in, so it is given twice as long to
    work as it is asked; how long it needs in all grows with their number.
    """
    ends = time.monotonic() + PATIENCE + len(wanted) * PATIENCE_PER_MEETING
    while time.monotonic() < ends:
        began = time.monotonic()
        if sorted(replace(one, uid="") for one in subscriber.kept()) == wanted:
            return True
        time.sleep(max(0.2, 2 * (time.monotonic() - began)))
    return False


def asks_again(subscriber: Subscriber, between: Between) -> None:
    """Refresh, and give the program time for what it makes of the answer."""
    before = between.asked
    subscriber.refresh()
    ends = time.monotonic() + PATIENCE
    while between.asked == before and time.monotonic() < ends:
        time.sleep(0.05)
    assert between.asked > before, "it did not ask"
    time.sleep(1)


def revise(meeting: Meeting, **values: object) -> None:
    for name, value in values.items():
        setattr(meeting, name, value)
    meeting.sequence += 1
    meeting.modified_at = next_last_modified(meeting.modified_at, NOW)


@PROGRAMS
@pytest.mark.parametrize("count", [0, 1, 200, 1000])
def test_it_holds_the_rows_meetings_and_times(
    make: Callable[[], Subscriber],
    app: Flask,
    world: World,
    db: SQLAlchemy,
    today: datetime,
    count: int,
) -> None:
    meetings = invite(world, db, count, today)
    between = Between(app)
    with served(between) as base, running(make) as subscriber:
        subscriber.subscribe(feed_address(base))
        assert comes_to_hold(subscriber, expected(meetings))
        asks_again(subscriber, between)
        assert comes_to_hold(subscriber, expected(meetings))


@PROGRAMS
def test_it_follows_moves_cancellations_and_removals(
    make: Callable[[], Subscriber], app: Flask, world: World, db: SQLAlchemy, today: datetime
) -> None:
    meetings = invite(world, db, 6, today)
    moved, off, gone = meetings[1], meetings[2], meetings[3]
    between = Between(app)
    with served(between) as base, running(make) as subscriber:
        subscriber.subscribe(feed_address(base))
        assert comes_to_hold(subscriber, expected(meetings))
        day = timedelta(days=1)
        revise(moved, starts_at=moved.starts_at + day, ends_at=moved.ends_at + day)
        revise(off, state="cancelled")
        row = db.session.query(Invitation).filter_by(meeting_id=gone.id).one()
        row.removed_at = datetime.now(LOCAL)
        commit_noted(db)
        asks_again(subscriber, between)
        left = [one for one in meetings if one is not gone]
        assert comes_to_hold(subscriber, expected(left))
        revise(off, state="published")
        commit_noted(db)
        asks_again(subscriber, between)
        assert comes_to_hold(subscriber, expected(left))


@PROGRAMS
def test_it_keeps_everything_while_the_database_is_away_or_a_feed_cannot_be_built(
    make: Callable[[], Subscriber],
    app: Flask,
    world: World,
    db: SQLAlchemy,
    today: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meetings = invite(world, db, 5, today)
    between = Between(app)
    with served(between) as base, running(make) as subscriber:
        subscriber.subscribe(feed_address(base))
        assert comes_to_hold(subscriber, expected(meetings))
        with stopped(db):
            asks_again(subscriber, between)
            assert comes_to_hold(subscriber, expected(meetings))
        db.session.add_all(meetings)
        before = expected(meetings)
        revise(meetings[0], state="cancelled")
        commit_noted(db)
        with monkeypatch.context() as broken:
            broken.setattr(feeds, "feed", lambda *_: b"BEGIN:VCALENDAR\r\n")
            asks_again(subscriber, between)
            assert comes_to_hold(subscriber, before)
        asks_again(subscriber, between)
        assert comes_to_hold(subscriber, expected(meetings))


@PROGRAMS
@pytest.mark.parametrize("bad", ["html", "truncated", "empty"])
def test_after_one_bad_answer_of_something_between_the_next_change_mends_it(
    make: Callable[[], Subscriber],
    app: Flask,
    world: World,
    db: SQLAlchemy,
    today: datetime,
    bad: str,
) -> None:
    meetings = invite(world, db, 5, today)
    whole = OBJECTS["feed of 200"]
    body = {"html": HTML.encode(), "truncated": whole[:9000], "empty": b""}[bad]
    between = Between(app)
    with served(between) as base, running(make) as subscriber:
        subscriber.subscribe(feed_address(base))
        assert comes_to_hold(subscriber, expected(meetings))
        between.bad = Response(body, content_type="text/calendar")
        asks_again(subscriber, between)
        between.bad = None
        asks_again(subscriber, between)
        print(bad, make.__name__, len(subscriber.kept()), "after the next good answer")
        revise(meetings[0], state="cancelled")
        commit_noted(db)
        asks_again(subscriber, between)
        assert comes_to_hold(subscriber, expected(meetings))


@PROGRAMS
def test_an_error_of_something_between_loses_no_meeting(
    make: Callable[[], Subscriber], app: Flask, world: World, db: SQLAlchemy, today: datetime
) -> None:
    meetings = invite(world, db, 5, today)
    between = Between(app)
    with served(between) as base, running(make) as subscriber:
        subscriber.subscribe(feed_address(base))
        assert comes_to_hold(subscriber, expected(meetings))
        between.bad = Response("Bad gateway", 502, content_type="text/plain")
        asks_again(subscriber, between)
        assert comes_to_hold(subscriber, expected(meetings))


def test_thunderbird_reads_every_object_as_the_others_do() -> None:
    with running(thunderbird) as subscriber:
        assert isinstance(subscriber, Thunderbird)
        for name, content in OBJECTS.items():
            assert subscriber.read(content) == by_icalendar(content), name
