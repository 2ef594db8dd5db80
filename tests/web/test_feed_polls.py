"""The quick "unchanged" of a feed: the same answer as the page's own, and silent when in doubt."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask, Response
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from werkzeug.test import TestResponse

from models import FeedToken, Meeting
from rules.permissions import SYSTEM
from services import feed_memory, feeds
from tests.services.post import publish
from tests.services.test_invitations import change, later
from tests.web.test_feeds import stopped
from tests.world import World, add_meeting, build_world
from web import feeds as pages
from web.feed_polls import holds

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def meeting(world: World) -> Meeting:
    planned = add_meeting(world, at=NOW + timedelta(days=5))
    publish(planned, NOW)
    return planned


@pytest.fixture
def path(meeting: Meeting) -> str:
    url = feeds.create_member_feed("DV001", now=NOW, by=SYSTEM)
    return "/" + url.split("/", 3)[3]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Long enough after what was written down that a state is remembered."""
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False) as traveller:
        yield traveller


@pytest.fixture
def page_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the page itself was asked."""
    calls: list[str] = []
    answer = pages._answer

    def counted(token: str, kind: str) -> Response:
        calls.append(kind)
        return answer(token, kind)

    monkeypatch.setattr(pages, "_answer", counted)
    return calls


def said(answer: TestResponse) -> dict[str, str]:
    """The headers, but for the one word that is drawn anew for each answer."""
    headers = dict(answer.headers)
    headers["Content-Security-Policy"] = re.sub(
        r"nonce-[\w-]+", "nonce", headers["Content-Security-Policy"]
    )
    return headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_the_quick_answer_is_the_page_s_own(
    client: FlaskClient,
    path: str,
    clock: time_machine.Traveller,
    page_calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    coding: str,
    method: str,
) -> None:
    accepts = {"Accept-Encoding": coding}
    tag = client.get(path, headers=accepts).headers["ETag"]
    asked = {**accepts, "If-None-Match": f'W/{tag}, "other"'}
    page_calls.clear()
    quick = client.open(path, method=method, headers=asked)
    assert page_calls == []
    monkeypatch.setattr(feeds, "polled_state", lambda *_, **__: None)
    slow = client.open(path, method=method, headers=asked)
    assert page_calls == ["member"]
    assert (quick.status, quick.data) == (slow.status, slow.data)
    assert said(quick) == said(slow)
    assert quick.status_code == 304


def test_the_quick_answer_costs_one_statement_and_no_session(
    client: FlaskClient, path: str, clock: time_machine.Traveller, db: SQLAlchemy
) -> None:
    tag = client.get(path).headers["ETag"]
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        answer = client.get(path, headers={"If-None-Match": tag})
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert answer.status_code == 304
    assert len(statements) == 1
    assert statements[0].startswith("SELECT feed_token.id")


def test_while_others_write_things_down_it_costs_three_and_still_no_session(
    client: FlaskClient,
    path: str,
    meeting: Meeting,
    clock: time_machine.Traveller,
    page_calls: list[str],
    db: SQLAlchemy,
) -> None:
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    feeds.create_unit_feed("CB1", now=datetime.now(UTC), by=SYSTEM)
    page_calls.clear()
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    db.session.rollback()
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        answers = [client.get(path, headers=known).status_code for _ in range(2)]
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert answers == [304, 304]
    assert page_calls == []
    assert len(statements) == 6


def test_whatever_changed_reaches_the_page(
    client: FlaskClient,
    path: str,
    meeting: Meeting,
    clock: time_machine.Traveller,
    db: SQLAlchemy,
) -> None:
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    assert client.get(path, headers=known).status_code == 304
    change(meeting, later, tell=False, minutes=6)
    assert client.get(path, headers=known).status_code == 200
    other = path.replace("/feeds/", "/feeds/units/")
    assert client.get(other, headers=known).status_code == 404
    feeds.revoke_feed(db.session.query(FeedToken).one().id, now=NOW, by=SYSTEM)
    unknown = client.get("/feeds/unknown.ics", headers=known)
    ended = client.get(path, headers=known)
    assert (ended.status_code, ended.data) == (404, unknown.data)


def test_the_first_poll_of_a_day_is_noted(
    client: FlaskClient, path: str, clock: time_machine.Traveller, db: SQLAlchemy
) -> None:
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    before = db.session.query(FeedToken).one().last_used_on
    db.session.rollback()
    db.session.expire_all()
    clock.shift(timedelta(days=1))
    client.get(path, headers=known)
    after = db.session.query(FeedToken).one().last_used_on
    assert before is not None
    assert after == before + timedelta(days=1)


@pytest.mark.backends("sqlite")
def test_while_the_database_is_away_the_page_gives_what_was_last_good(
    client: FlaskClient,
    path: str,
    clock: time_machine.Traveller,
    page_calls: list[str],
    db: SQLAlchemy,
) -> None:
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    page_calls.clear()
    with stopped(db):
        assert client.get(path, headers=known).status_code == 304
    assert page_calls == ["member"]


def test_a_host_that_is_not_ours_is_refused_as_everywhere(
    app: Flask, path: str, clock: time_machine.Traveller
) -> None:
    client = app.test_client()
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    assert client.get(path, headers=known).status_code == 304
    assert client.get(path, headers=known, base_url="http://evil.example").status_code == 400


def test_who_polls_all_the_time_is_counted_here_too(
    client: FlaskClient,
    path: str,
    clock: time_machine.Traveller,
    page_calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_memory, "MOST_ASKS_A_MINUTE", 4)
    monkeypatch.setattr(feed_memory, "_minute", [-1])
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    page_calls.clear()
    for _ in range(6):
        assert client.get(path, headers=known).status_code == 304
    assert page_calls == ["member"] * 3, "from the fifth ask on the stored bytes speak"


def test_the_log_names_the_route_and_never_the_address(
    app: Flask, path: str, clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], log_format="json")
    client = app.test_client()
    known = {"If-None-Match": client.get(path).headers["ETag"]}
    with caplog.at_level(logging.INFO, "web.requests"):
        client.get(path, headers=known)
    (line,) = [one for one in caplog.records if one.name == "web.requests"]
    assert (line.__dict__["endpoint"], line.__dict__["status"]) == ("feeds.member_feed", 304)
    assert path.rpartition("/")[2] not in str(line.__dict__)


@pytest.mark.parametrize(
    ("sent", "does"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("", False)],
)
def test_every_form_of_the_tag_is_read(sent: str, does: bool) -> None:
    assert holds(sent, "a") is does
