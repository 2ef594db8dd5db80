"""The weekly digest: who gets it, what it holds, and that it goes once."""

from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from flask_sqlalchemy import SQLAlchemy
from icalendar import Calendar
from sqlalchemy import select

from models import OutgoingMessage, db
from rules.days import LOCAL
from services import digests
from tests.ics_lint import faults
from tests.world import NOW, World, add_meeting, build_world


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


def letters() -> dict[str, EmailMessage]:
    rows = db.session.execute(
        select(OutgoingMessage.to_address, OutgoingMessage.body).where(
            OutgoingMessage.kind == "digest"
        )
    )
    found = {}
    for address, body in rows:
        message = message_from_bytes(body, policy=default)
        assert isinstance(message, EmailMessage)
        found[address] = message
    return found


def test_who_looks_after_a_unit_gets_its_week_as_a_table_and_a_file_once(world: World) -> None:
    mine = add_meeting(world, at=NOW + timedelta(days=3))
    add_meeting(world, at=NOW + timedelta(days=9))
    add_meeting(world, at=NOW + timedelta(days=2), state="draft")
    assert digests.send_weekly(NOW, now=NOW) == 2
    assert digests.send_weekly(NOW, now=NOW) == 0
    assert set(letters()) == {"an@test.invalid", "binh@test.invalid"}
    letter = letters()["an@test.invalid"]
    body = letter.get_body(("plain",))
    assert body is not None
    assert body.get_content().count(mine.topic) == 1
    (file,) = [part for part in letter.walk() if part.get_content_type() == "application/ics"]
    calendar = Calendar.from_ical(file.get_content())
    assert [str(one["UID"]) for one in calendar.events] == [mine.uid]
    assert faults(file.get_content()) == []


def test_a_week_without_meetings_says_nothing(world: World) -> None:
    assert digests.send_weekly(NOW, now=NOW) == 0
    assert letters() == {}


def test_the_table_can_be_hung_up_as_it_is(world: World) -> None:
    add_meeting(world, at=NOW + timedelta(days=3))
    digests.send_weekly(NOW, now=NOW)
    letter = letters()["binh@test.invalid"]
    page = letter.get_body(("html",))
    assert page is not None
    shown = page.get_content()
    _, _, table = shown.partition("<h1")
    assert "Lịch của " in table
    assert "Báo cáo viên: " in table
    before, _, _ = shown.partition("<h1")
    assert 'class="on-screen"' in before, "greeting and hints are not printed"
    assert ".on-screen { display: none }" in shown


def test_each_meeting_is_in_the_letter_of_one_week(world: World) -> None:
    """The days are whole: the evening of the letter's own day was in the letter before."""
    at = NOW.astimezone(LOCAL).replace(hour=19, minute=30)
    days = range(1, 15)
    told = [add_meeting(world, at=at + timedelta(days=day)) for day in days]
    digests.send_weekly(NOW, now=NOW)
    digests.send_weekly(NOW + timedelta(days=7), now=NOW + timedelta(days=7))
    rows = db.session.scalars(
        select(OutgoingMessage.body).where(OutgoingMessage.to_address == "binh@test.invalid")
    )
    found: list[str] = []
    for body in rows:
        message = message_from_bytes(body, policy=default)
        (file,) = [one for one in message.walk() if one.get_content_type() == "application/ics"]
        found += [str(one["UID"]) for one in Calendar.from_ical(file.get_content()).events]
    assert sorted(found) == sorted(one.uid for one in told)
