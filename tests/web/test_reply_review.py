"""The page of mails that a person must look at."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from models import IncomingReply, Invitation
from services.incoming_replies import take_replies
from tests import reply_corpus
from tests.reply_corpus import Facts
from tests.services.post import Postman, deliver, publish
from tests.services.test_incoming_replies import Box
from tests.world import World, add_meeting, build_world, signed_in

PAGE = "/invitations/incoming"


@pytest.fixture
def world(app: Flask, db: SQLAlchemy) -> World:
    """A coming meeting, an alias' decline and a proposal that wait."""
    world, now = build_world(), datetime.now(UTC)
    meeting = add_meeting(world, at=now + timedelta(days=5))
    publish(meeting, now)
    deliver(Postman(), now)
    alias = Facts(uid=meeting.uid, stamp=now, sender="chi@<b>alias.invalid", partstat="DECLINED")
    counter = Facts(uid=meeting.uid, stamp=now, message_id="<2@x>")
    box = Box([reply_corpus.thunderbird(alias), reply_corpus.counter(counter)])
    assert take_replies(box, now=now) == 2
    db.session.rollback()
    return world


def test_staff_see_why_and_what_was_proposed(client: FlaskClient, world: World) -> None:
    page = signed_in(client, world.accounts["an"]).get(PAGE).get_data(as_text=True)
    assert "Người gửi thư khác người trả lời." in page
    assert "Người dự đề nghị giờ khác." in page
    assert "29/11/2026" in page
    assert "Xin lùi một ngày" in page
    assert "<b>alias" not in page
    assert "IMAP_HOST" in page


def test_a_click_counts_a_doubtful_answer_and_the_line_is_gone(
    client: FlaskClient, world: World, db: SQLAlchemy
) -> None:
    row = db.session.query(IncomingReply).filter_by(reason="other_sender").one()
    signed_in(client, world.accounts["an"])
    answer = client.post(f"{PAGE}/{row.id}/settlement", data={"use": "1"})
    assert answer.status_code == 303
    db.session.rollback()
    chi = db.session.query(Invitation).filter_by(person_id=world.people["chi"].id).one()
    assert chi.reply == "declined"
    assert "Người gửi thư khác" not in client.get(PAGE).get_data(as_text=True)
    assert client.post(f"{PAGE}/{row.id}/settlement").status_code == 404


def test_another_ward_sees_and_settles_nothing(
    client: FlaskClient, world: World, db: SQLAlchemy
) -> None:
    row = db.session.query(IncomingReply).first()
    assert row is not None
    signed_in(client, world.accounts["dung"])
    assert "Không có thư nào cần xem" in client.get(PAGE).get_data(as_text=True)
    assert client.post(f"{PAGE}/{row.id}/settlement", data={"use": "1"}).status_code == 404
    signed_in(client, world.accounts["binh"])
    assert client.get(PAGE).status_code == 403
