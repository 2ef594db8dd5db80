"""Feeds over HTTP as calendar programs ask for them."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from models import FeedToken, Meeting, Setting
from rules.permissions import SYSTEM
from services import feed_memory, feeds
from tests.ics_lint import faults
from tests.services.post import publish
from tests.services.test_invitations import change, later
from tests.world import World, add_meeting, build_world, signed_in

NOW = datetime.now(UTC).replace(microsecond=0)
PLAIN = "text/plain; charset=utf-8"


def stamps(content: bytes) -> list[str]:
    return re.findall(r"\r\n(?:DTSTAMP|LAST-MODIFIED):(\d{8}T\d{6}Z)", content.decode())


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


def test_a_feed_is_a_calendar_that_may_be_kept_by_its_owner_alone(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Content-Disposition"] == 'inline; filename="lich.ics"'
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["ETag"].startswith('"')
    assert "Set-Cookie" not in answer.headers
    assert faults(answer.data) == []


FORMS = ["{}", "W/{}", '"x", {}', "*", '"x",W/{}', '{}, "y"', ' W/"x" , {} ']
OTHERS = ['"x"', 'W/"x", "y"', '""', "", "x", '"*"']


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("form", FORMS)
def test_an_unchanged_feed_is_304_for_every_form_of_its_tag(
    client: FlaskClient, path: str, form: str, coding: str, method: str
) -> None:
    accepts = {"Accept-Encoding": coding}
    tag = client.get(path, headers=accepts).headers["ETag"]
    assert tag.endswith('-gz"') == (coding == "gzip")
    asked = {**accepts, "If-None-Match": form.format(tag)}
    answer = client.open(path, method=method, headers=asked)
    assert answer.status_code == 304
    assert answer.data == b""
    assert answer.headers["ETag"] == tag
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("form", OTHERS)
def test_another_tag_is_a_whole_answer_whatever_the_date(
    client: FlaskClient, path: str, form: str
) -> None:
    date = client.get(path).headers["Last-Modified"]
    asked = {"If-None-Match": form, "If-Modified-Since": date}
    assert client.get(path, headers=asked).status_code == 200


def test_the_tag_of_one_coding_says_nothing_about_the_other(client: FlaskClient, path: str) -> None:
    plain = client.get(path).headers["ETag"]
    packed = client.get(path, headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    asked = {"If-None-Match": plain, "Accept-Encoding": "gzip"}
    assert client.get(path, headers=asked).status_code == 200
    assert client.get(path, headers={"If-None-Match": packed}).status_code == 200
    both = {"If-None-Match": f"{packed}, W/{plain}"}
    assert client.get(path, headers=both).status_code == 304


def test_the_date_counts_only_when_no_tag_is_given(client: FlaskClient, path: str) -> None:
    first = client.get(path)
    date = first.headers["Last-Modified"]
    assert client.get(path, headers={"If-Modified-Since": date}).status_code == 304
    both = {"If-Modified-Since": date, "If-None-Match": '"other"'}
    assert client.get(path, headers=both).status_code == 200
    early = format_datetime(NOW - timedelta(days=400), usegmt=True)
    assert client.get(path, headers={"If-Modified-Since": early}).status_code == 200
    assert client.get(path, headers={"If-Modified-Since": "nonsense"}).status_code == 200


def test_a_changed_meeting_is_a_new_answer(
    client: FlaskClient, path: str, meeting: Meeting
) -> None:
    tag = client.get(path).headers["ETag"]
    change(meeting, later, tell=False, minutes=1)
    answer = client.get(path, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert b"SEQUENCE:1" in answer.data


def test_head_says_what_get_says(client: FlaskClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == 200
    assert head.data == b""
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Length"):
        assert head.headers[name] == got.headers[name], name


def test_gzip_is_for_those_who_ask_and_has_a_tag_of_its_own(client: FlaskClient, path: str) -> None:
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "gzip, deflate"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    outlook = {"Accept-Encoding": "gzip", "User-Agent": "Microsoft Outlook 16.0"}
    assert "Content-Encoding" not in client.get(path, headers=outlook).headers


def test_unknown_and_revoked_are_the_same_404_and_never_a_page(
    client: FlaskClient, path: str, db: SQLAlchemy
) -> None:
    unknown = client.get("/feeds/unknown.ics")
    db.session.query(FeedToken).update({"revoked_at": NOW})
    db.session.commit()
    revoked = client.get(path)
    wrong_kind = client.get(path.replace("/feeds/", "/feeds/units/"))
    for answer in (unknown, revoked, wrong_kind):
        assert answer.status_code == 404
        assert answer.data == unknown.data
        assert answer.content_type == "text/plain; charset=utf-8"
    assert client.open(path, method="PROPFIND").status_code == 405


def test_a_unit_feed_answers_alike(client: FlaskClient, meeting: Meeting) -> None:
    url = feeds.create_unit_feed("CB1", now=NOW, by=SYSTEM)
    answer = client.get("/" + url.split("/", 3)[3])
    assert answer.status_code == 200
    assert meeting.uid.encode() in answer.data.replace(b"\r\n ", b"")


def test_staff_make_an_address_once_and_take_it_back(
    app: Flask, world: World, db: SQLAlchemy
) -> None:
    client = signed_in(app.test_client(), world.accounts["an"])
    for path in ("/subscriptions/members/DV001", "/subscriptions/units/CB1"):
        assert client.get(path).status_code == 200
        made = client.post(path)
        assert made.status_code == 201
        page = made.get_data(as_text=True)
        assert "webcal://" in page
        assert "<svg" in page
        assert ".ics" not in client.get(path).get_data(as_text=True)
    for row in db.session.query(FeedToken):
        ended = client.post(f"/subscriptions/{row.id}/revocation")
        assert ended.status_code == 303
        assert client.get(ended.headers["Location"]).status_code == 200
    db.session.rollback()
    db.session.expire_all()
    assert all(row.revoked_at is not None for row in db.session.query(FeedToken))


def test_staff_of_another_ward_find_nothing(app: Flask, world: World, path: str) -> None:
    client = signed_in(app.test_client(), world.accounts["dung"])
    assert client.get("/subscriptions/members/DV001").status_code == 404
    assert client.post("/subscriptions/members/DV001").status_code == 404
    assert client.post("/subscriptions/1/revocation").status_code == 404


@contextmanager
def stopped(db: SQLAlchemy) -> Iterator[None]:
    """The database out of reach: its file is gone and nothing can be opened in its place."""
    db.session.remove()
    db.engine.dispose()
    assert db.engine.url.database is not None
    file = Path(db.engine.url.database)
    away = file.rename(file.with_suffix(".away"))
    file.mkdir()
    yield
    file.rmdir()
    away.rename(file)


@pytest.mark.backends("sqlite")
def test_a_feed_goes_on_with_its_last_good_answer_while_the_database_is_away(
    client: FlaskClient, path: str, db: SQLAlchemy
) -> None:
    good = client.get(path)
    with stopped(db):
        kept = client.get(path)
        assert (kept.status_code, kept.data) == (200, good.data)
        assert kept.headers["ETag"] == good.headers["ETag"]
        assert kept.content_type == good.content_type
        assert client.head(path).headers["ETag"] == good.headers["ETag"]
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(packed.data) == good.data
        asked = {"If-None-Match": good.headers["ETag"]}
        assert client.get(path, headers=asked).status_code == 304
        other = path.replace("/feeds/", "/feeds/units/")
        assert client.get(other).status_code == 503
    assert client.get(path).status_code == 200


@pytest.mark.backends("sqlite")
def test_an_address_taken_back_gives_nothing_even_while_the_database_is_away(
    client: FlaskClient, path: str, db: SQLAlchemy
) -> None:
    assert client.get(path).status_code == 200
    row = db.session.query(FeedToken).one()
    feeds.revoke_feed(row.id, now=NOW, by=SYSTEM)
    with stopped(db):
        answer = client.get(path)
        assert (answer.status_code, answer.content_type) == (503, PLAIN)
    assert client.get(path).status_code == 404


def test_a_build_that_fails_leaves_subscribers_with_the_last_good_answer(
    client: FlaskClient,
    path: str,
    db: SQLAlchemy,
    meeting: Meeting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = client.get(path)
    row = db.session.get_one(Meeting, meeting.id)
    row.modified_at += timedelta(seconds=5)
    db.session.commit()
    feed_memory._known.clear()  # services would have written their change down

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(feeds, "feed", broken)
    kept = client.get(path)
    assert (kept.status_code, kept.data) == (200, good.data)
    assert kept.headers["ETag"] == good.headers["ETag"]
    monkeypatch.undo()
    assert client.get(path).headers["ETag"] != good.headers["ETag"]


def test_the_board_names_the_programs_that_are_not_sent_gzip(
    client: FlaskClient, path: str, db: SQLAlchemy
) -> None:
    db.session.add(Setting(key="feed_plain_agents", value="ICSx5, Lightning"))
    db.session.commit()
    for program, packed in (("icsx5/2.2", False), ("lightning", False), ("Outlook", True)):
        headers = {"Accept-Encoding": "gzip", "User-Agent": program}
        assert ("Content-Encoding" in client.get(path, headers=headers).headers) is packed


def test_speakers_and_venues_have_feeds_of_their_own(
    app: Flask, world: World, meeting: Meeting, db: SQLAlchemy
) -> None:
    client = signed_in(app.test_client(), world.accounts["quan"])
    stranger = app.test_client()
    for what, one in (("speakers", world.speaker.id), ("venues", world.venue.id)):
        assert client.get(f"/subscriptions/{what}/{one}").status_code == 200
        made = client.post(f"/subscriptions/{what}/{one}")
        assert made.status_code == 201
        found = re.search(rf"/feeds/{what}/[\w-]+\.ics", made.get_data(as_text=True))
        assert found is not None
        answer = stranger.get(found[0])
        assert answer.status_code == 200
        assert meeting.uid.encode() in answer.data.replace(b"\r\n ", b"")
        assert faults(answer.data) == []
        assert stranger.get(found[0].replace(f"{what}/", "")).status_code == 404
        assert stranger.get(f"/subscriptions/{what}/{one}").status_code == 302


def test_the_holder_of_an_address_chooses_an_alarm_and_titles(
    client: FlaskClient, path: str, meeting: Meeting
) -> None:
    page = path.replace("/feeds/", "/subscriptions/").removesuffix(".ics")
    before = client.get(path)
    assert b"VALARM" not in before.data
    shown = client.get(page).get_data(as_text=True)
    assert "webcal://" in shown
    assert shown.count("<ol>") == 5
    assert client.post(page, data={"alarm": "120"}).status_code == 303
    after = client.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert b"TRIGGER:-PT2H\r\n" in after.data
    assert b"SUMMARY:H\xe1\xbb\x8dc t\xe1\xba\xadp ngh" in after.data
    assert faults(after.data) == []
    assert client.post(page, data={"alarm": "7"}).status_code == 422
    assert client.post(page, data={"alarm": "", "is_neutral": "y"}).status_code == 303
    again = client.get(path)
    assert b"VALARM" not in again.data
    assert again.headers["ETag"] != before.headers["ETag"]
    for program in (before, again):
        assert b"SUMMARY:H\xe1\xbb\x8dc t\xe1\xba\xadp\r\n" in program.data
    # ICSx5 takes over only what is strictly newer, Evolution only what has another stamp.
    assert stamps(before.data) < stamps(after.data) <= stamps(again.data)
    assert client.get("/subscriptions/unknown").status_code == 404
    assert client.post("/subscriptions/unknown", data={"alarm": ""}).status_code == 404


def test_who_asks_all_the_time_gets_the_stored_bytes_and_never_an_error(
    client: FlaskClient,
    path: str,
    meeting: Meeting,
    db: SQLAlchemy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_memory, "MOST_ASKS_A_MINUTE", 3)
    monkeypatch.setattr(feed_memory, "_minute", [-1])
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False) as clock:
        good = client.get(path)
        change(meeting, later, tell=False, minutes=5)
        for _ in range(2):
            assert client.get(path).headers["ETag"] != good.headers["ETag"]
        newer = client.get(path)
        change(meeting, later, tell=False, minutes=6)
        again = client.get(path)
        assert (again.status_code, again.data) == (200, newer.data)
        asked = {"If-None-Match": again.headers["ETag"]}
        assert client.get(path, headers=asked).status_code == 304
        clock.shift(60)
        assert client.get(path, headers=asked).status_code == 200
        for _ in range(4):
            client.get(path)
        feeds.revoke_feed(db.session.query(FeedToken).one().id, now=NOW, by=SYSTEM)
        assert client.get(path).status_code == 404
