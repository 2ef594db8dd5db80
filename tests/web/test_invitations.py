"""The outbox, the call lists, the local mailbox and the answers behind a letter's links."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import CallListEntry, Invitation, Meeting, MeetingSpeaker, OutgoingMessage, Person
from rules.permissions import SYSTEM
from services import delivery, outbox, sending
from services.letters import opt_out_url, reply_url
from services.transaction import writing
from tests.services.post import Postman, publish
from tests.services.test_invitations import cancel
from tests.world import World, add_meeting, build_world, signed_in

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
def staff(app: Flask, world: World) -> FlaskClient:
    return signed_in(app.test_client(), world.accounts["an"])


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def chis(meeting: Meeting, world: World, db: SQLAlchemy) -> Invitation:
    db.session.rollback()
    row = db.session.scalar(
        select(Invitation).where(
            Invitation.meeting_id == meeting.id,
            Invitation.person_id == world.people["chi"].id,
        )
    )
    assert row is not None
    db.session.refresh(row)
    return row


def test_the_outbox_lists_what_waits_and_shows_each_letter(
    staff: FlaskClient, meeting: Meeting
) -> None:
    page = staff.get("/invitations/").get_data(as_text=True)
    assert "Đỗ Thị Kim Chi" in page
    assert "Chờ gửi" in page
    assert "Đỗ Thị Kim Chi" not in staff.get("/invitations/?state=sent").get_data(as_text=True)
    letter = staff.get("/invitations/1").get_data(as_text=True)
    assert "Kính gửi đồng chí" in letter
    assert "text/calendar" in letter


def test_a_dead_letter_is_sent_again_from_its_page(
    staff: FlaskClient, meeting: Meeting, db: SQLAlchemy
) -> None:
    row = db.session.get_one(OutgoingMessage, 1)
    row.state, row.last_error = "dead", "550 không có người này"
    db.session.commit()
    assert "550 không có người này" in staff.get("/invitations/1").get_data(as_text=True)
    assert staff.post("/invitations/1/sendings").status_code == 303
    db.session.rollback()
    db.session.refresh(row)
    assert row.state == "queued"
    assert staff.post("/invitations/999/sendings").status_code == 404


def test_staff_of_another_ward_see_neither_letters_nor_calls(
    app: Flask, world: World, meeting: Meeting
) -> None:
    client = signed_in(app.test_client(), world.accounts["dung"])
    assert "Chi" not in client.get("/invitations/").get_data(as_text=True)
    assert client.get("/invitations/1").status_code == 404
    assert "Hiền" not in client.get("/invitations/calls").get_data(as_text=True)
    assert client.post("/invitations/calls/1/tick").status_code == 404


def test_a_call_is_ticked_off_and_taken_back(
    staff: FlaskClient, meeting: Meeting, db: SQLAlchemy
) -> None:
    page = staff.get("/invitations/calls").get_data(as_text=True)
    assert "Nguyễn Thị Hiền" in page
    assert "tel:+84912345678" in page
    assert "MỜI DỰ: Học tập nghị quyết" in page
    entry = db.session.scalars(select(CallListEntry).order_by(CallListEntry.id)).first()
    assert entry is not None
    assert staff.post(f"/invitations/calls/{entry.id}/tick").status_code == 303
    db.session.rollback()
    db.session.refresh(entry)
    assert entry.done_at is not None
    assert staff.get("/invitations/calls?done=1").status_code == 200
    staff.post(f"/invitations/calls/{entry.id}/tick", data={"told": "0"})
    db.session.rollback()
    db.session.refresh(entry)
    assert entry.done_at is None


def test_the_instructor_sees_the_calls_of_their_own_meeting(
    app: Flask, world: World, meeting: Meeting
) -> None:
    client = signed_in(app.test_client(), world.accounts["binh"])
    assert "Hiền" in client.get("/invitations/calls").get_data(as_text=True)
    assert client.get("/invitations/").status_code == 403


def test_mail_kept_here_is_readable_with_its_calendar(staff: FlaskClient, meeting: Meeting) -> None:
    transport = delivery.transport()
    assert sending.send_due(transport, clock=lambda: NOW).sent == 2
    listing = staff.get("/mailbox/").get_data(as_text=True)
    assert "Mời: Học tập (" in listing
    mails = delivery.kept_mails(by=SYSTEM, now=NOW)
    shown = staff.get(f"/mailbox/{mails[0].key}").get_data(as_text=True)
    assert "REQUEST" in shown
    assert "Kính gửi đồng chí" in shown
    assert staff.get("/mailbox/nothing").status_code == 404


def test_a_letters_link_shows_the_meeting_and_changes_nothing(
    client: FlaskClient, meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    row = chis(meeting, world, db)
    page = client.get(path_of(reply_url(f"i{row.id}")) + "?answer=accepted")
    assert page.status_code == 200
    assert "Học tập nghị quyết" in page.get_data(as_text=True)
    assert chis(meeting, world, db).reply == "none"


def test_an_answer_is_kept_and_the_newest_counts(
    client: FlaskClient, meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    path = path_of(reply_url(f"i{chis(meeting, world, db).id}"))
    assert client.post(path, data={"answer": "declined", "excused": "1"}).status_code == 303
    row = chis(meeting, world, db)
    assert (row.reply, row.excused) == ("declined", True)
    client.post(path, data={"answer": "accepted", "excused": "1"})
    row = chis(meeting, world, db)
    assert (row.reply, row.excused) == ("accepted", False)
    assert client.post(path, data={"answer": "perhaps"}).status_code == 422


def test_a_speaker_answers_by_their_own_link(
    client: FlaskClient, meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    path = path_of(reply_url(f"s{meeting.id}-{world.speaker.id}"))
    assert client.post(path, data={"answer": "accepted"}).status_code == 303
    db.session.rollback()
    link = db.session.get_one(
        MeetingSpeaker, (meeting.id, world.speaker.id), populate_existing=True
    )
    assert link.reply == "accepted"


def test_an_altered_link_opens_nothing(
    client: FlaskClient, meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    row = chis(meeting, world, db)
    right = path_of(reply_url(f"i{row.id}"))
    for wrong in (right[:-1], right.replace(f"i{row.id}", f"i{row.id + 1}"), "/replies/i1"):
        assert client.get(wrong).status_code == 404
        assert client.post(wrong, data={"answer": "accepted"}).status_code == 404


def test_a_cancelled_meeting_takes_no_answers(
    client: FlaskClient, meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    path = path_of(reply_url(f"i{chis(meeting, world, db).id}"))
    cancel(meeting, minutes=1)
    assert "buổi đã huỷ" in client.get(path).get_data(as_text=True)
    assert client.post(path, data={"answer": "accepted"}).status_code == 409


def test_reminders_are_stopped_by_the_letters_link(
    client: FlaskClient, world: World, db: SQLAlchemy
) -> None:
    path = path_of(opt_out_url(world.people["chi"].id))
    assert client.get(path).status_code == 200
    assert client.post(path, data={"wants": "0"}).status_code == 303
    db.session.rollback()
    chi = db.session.get_one(Person, world.people["chi"].id, populate_existing=True)
    assert chi.wants_reminders is False
    assert "không nhận thư nhắc" in client.get(path).get_data(as_text=True)


def test_links_in_the_letter_lead_to_these_pages(
    client: FlaskClient, meeting: Meeting, staff: FlaskClient
) -> None:
    sending.send_due(delivery.transport(), clock=lambda: NOW)
    for kept in delivery.kept_mails(by=SYSTEM, now=NOW):
        full = delivery.kept_mail(kept.key, by=SYSTEM, now=NOW)
        if "Chi" not in full.recipient:
            continue
        message = message_from_bytes(full.source, policy=default)
        body = message.get_body(preferencelist=("plain",))
        assert body is not None
        text = body.get_content()
        links = [line for line in text.splitlines() if line.startswith("http")]
        assert len(links) == 2
        for link in links:
            assert client.get(path_of(link)).status_code == 200


def test_staff_never_read_a_sign_in_link_or_another_wards_mail(
    app: Flask, staff: FlaskClient, meeting: Meeting, world: World
) -> None:
    with writing() as session:
        outbox.enqueue_sign_in(
            session,
            address="quan@test.invalid",
            name="Phạm Quản",
            url="http://127.0.0.1:5000/sign-in/secret",
            now=NOW,
            expires_at=NOW + timedelta(minutes=10),
        )
    assert sending.send_due(delivery.transport(), clock=lambda: NOW).sent == 3
    mails = delivery.kept_mails(by=SYSTEM, now=NOW)
    (link,) = [mail for mail in mails if "đăng nhập" in mail.subject]
    assert len(mails) >= 3
    assert link.subject not in staff.get("/mailbox/").get_data(as_text=True)
    assert staff.get(f"/mailbox/{link.key}").status_code == 404
    stranger = signed_in(app.test_client(), world.accounts["dung"])
    for mail in mails:
        assert stranger.get(f"/mailbox/{mail.key}").status_code == 404
    administrator = signed_in(app.test_client(), world.accounts["quan"])
    assert administrator.get(f"/mailbox/{link.key}").status_code == 200


def test_the_guest_list_says_who_was_told_and_who_answered(
    app: Flask,
    staff: FlaskClient,
    client: FlaskClient,
    meeting: Meeting,
    world: World,
    db: SQLAlchemy,
) -> None:
    sending.send_due(delivery.transport(), clock=lambda: NOW)
    path = path_of(reply_url(f"i{chis(meeting, world, db).id}"))
    client.post(path, data={"answer": "declined", "excused": "1"})
    page = staff.get(f"/invitations/meetings/{meeting.id}").get_data(as_text=True)
    for word in ("Đỗ Thị Kim Chi", "qua thư", "xin phép", "cần gọi điện", "MỜI DỰ: Học tập"):
        assert word in page, word
    stranger = signed_in(app.test_client(), world.accounts["dung"])
    assert stranger.get(f"/invitations/meetings/{meeting.id}").status_code == 404


def test_the_progress_of_a_sending_is_counted_from_its_rows(
    staff: FlaskClient, meeting: Meeting, db: SQLAlchemy
) -> None:
    page = staff.get("/invitations/sendings").get_data(as_text=True)
    assert "<strong>0</strong>/2" in page
    assert "đang gửi" in page
    assert sending.send_due(Postman(), clock=lambda: NOW).sent == 2
    page = staff.get("/invitations/sendings").get_data(as_text=True)
    assert "<strong>2</strong>/2" in page
    assert "xong" in page


def test_a_message_in_doubt_says_what_to_do_and_can_be_stopped(
    staff: FlaskClient, meeting: Meeting, db: SQLAlchemy
) -> None:
    db.session.get_one(OutgoingMessage, 1).state = "in_doubt"
    db.session.commit()
    page = staff.get("/invitations/1").get_data(as_text=True)
    assert "Hãy hỏi người nhận" in page
    assert staff.post("/invitations/1/stop").status_code == 303
    db.session.rollback()
    assert db.session.get_one(OutgoingMessage, 1, populate_existing=True).state == "dropped"
    assert staff.post("/invitations/1/stop").status_code == 409
