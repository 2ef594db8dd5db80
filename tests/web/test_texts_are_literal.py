"""What people type is never a template: names, topics and notes come out as they went in (attack A15)."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from markupsafe import escape
from sqlalchemy import select

from models import Account, Meeting, Person
from tests.services.post import Postman, deliver, publish
from tests.world import NOW, add_meeting, add_person, add_unit, build_world, signed_in

PAYLOAD = "{{71*73}} ${71*73} #{71*73} <%=71*73%> {0.__class__} {name} %(name)s %s %d"
CALCULATED = "5183"


@pytest.fixture
def meeting(db: SQLAlchemy) -> Meeting:
    """A published meeting whose every text is the payload, of a cell and a member named by it."""
    world = build_world()
    cell = add_unit("cell-x", "cell", f"Chi bộ {PAYLOAD}", world.units["ward-1"])
    world.units["cell-x"] = cell
    add_person("X1", f"Nguyễn {PAYLOAD} An", cell, email="an.x@test.invalid")
    world.venue.name = world.speaker.name = PAYLOAD
    db.session.commit()
    return add_meeting(
        world, invite=("cell-x",), topic=PAYLOAD, description=PAYLOAD, published_at=NOW
    )


def test_pages_show_the_texts_as_they_were_typed(
    app: Flask, client: FlaskClient, db: SQLAlchemy, meeting: Meeting
) -> None:
    boss = db.session.scalars(select(Account).where(Account.email == "quan@test.invalid")).one()
    person = db.session.scalars(select(Person).where(Person.code == "X1")).one()
    signed_in(client, boss)
    places = [
        f"/meetings/{meeting.id}",
        f"/attendance/{meeting.id}",
        f"/attendance/{meeting.id}/paper",
        f"/people/{person.id}",
        "/people?q=Nguyen",
    ]
    db.session.rollback()
    for place in places:
        answer = client.get(place, follow_redirects=True)
        assert answer.status_code == 200, place
        assert CALCULATED not in answer.text, place
        assert str(escape(PAYLOAD)) in answer.text, place


def test_letters_and_calendars_carry_them_as_they_were_typed(
    app: Flask, db: SQLAlchemy, meeting: Meeting
) -> None:
    postman = Postman()
    publish(meeting, NOW)
    deliver(postman, NOW + timedelta(minutes=1))
    (mail,) = postman.mails("an.x@test.invalid")
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    (calendar,) = postman.calendars("an.x@test.invalid")
    (event,) = calendar.walk("VEVENT")
    # The topic stays out of both: where a calendar is read by others it would tell too much.
    assert " ".join(text.split()).count(PAYLOAD) >= 2
    assert str(event["LOCATION"]) == PAYLOAD
    assert CALCULATED not in mail.as_string()
