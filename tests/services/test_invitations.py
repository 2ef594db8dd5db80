"""Who is told of a meeting, when, and what their calendar is left with."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import (
    CallListEntry,
    Exemption,
    Invitation,
    Meeting,
    MeetingUnit,
    OutgoingMessage,
    Person,
)
from rules.calendar import next_last_modified
from rules.permissions import SYSTEM
from services import invitations
from services.meeting_facts import facts_of
from services.transaction import writing
from tests.ics_lint import faults
from tests.services.post import Postman, calls, deliver, messages, publish
from tests.world import NOW, TODAY, World, add_meeting, build_world

CHI, BINH = "chi@test.invalid", "binh@test.invalid"


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


def planned(world: World, **values: object) -> Meeting:
    return add_meeting(world, at=NOW + timedelta(days=5), **values)  # type: ignore[arg-type]  # any field of it


def change(meeting: Meeting, edit: Callable[[Meeting], None], *, tell: bool, minutes: int) -> None:
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        before = facts_of(row)
        edit(row)
        now = NOW + timedelta(minutes=minutes)
        invitations.announce_changed(session, row, before, now=now, by=SYSTEM, tell=tell)


def cancel(meeting: Meeting, *, minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        row.state, row.sequence = "cancelled", row.sequence + 1
        row.modified_at = next_last_modified(row.modified_at, now)
        invitations.announce_cancelled(session, row, now=now, by=SYSTEM)


def later(meeting: Meeting) -> None:
    meeting.starts_at += timedelta(hours=1)
    meeting.ends_at += timedelta(hours=1)


def test_publishing_mails_those_with_an_address_and_lists_the_others_for_a_call(
    world: World,
) -> None:
    meeting = planned(world)
    told = publish(meeting, NOW)
    assert (told.mails, told.calls) == (2, 2)
    assert messages(meeting) == [("request", CHI, "queued"), ("request", BINH, "queued")]
    assert len(calls(meeting)) == 2


def test_the_same_cause_told_twice_neither_doubles_nor_loses_a_letter(world: World) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    publish(meeting, NOW)
    assert [state for _, _, state in messages(meeting)] == ["queued", "queued"]
    assert len(calls(meeting)) == 2
    postman = Postman()
    deliver(postman, NOW)
    publish(meeting, NOW)
    assert deliver(postman, NOW).sent == 0


def test_a_request_reaches_each_calendar_once_with_only_its_own_guest(world: World) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    postman = Postman()
    assert deliver(postman, NOW).sent == 2
    (calendar,) = postman.calendars(CHI)
    event = calendar.events[0]
    assert calendar["METHOD"] == "REQUEST"
    assert str(event["ATTENDEE"]) == f"mailto:{CHI}"
    assert str(event["UID"]) == meeting.uid
    assert str(event["SUMMARY"]) == "Học tập"
    (to_speaker,) = postman.calendars(BINH)
    assert str(to_speaker.events[0]["SUMMARY"]) == meeting.topic
    (mail,) = postman.mails(CHI)
    for part in mail.walk():
        if part.get_content_type() in ("text/calendar", "application/ics"):
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            assert faults(content) == []


def test_a_moved_meeting_asks_again_with_a_higher_sequence_and_forgets_answers(
    world: World, db: SQLAlchemy
) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    postman = Postman()
    deliver(postman, NOW)
    row = db.session.scalar(
        select(Invitation).where(Invitation.person_id == world.people["chi"].id)
    )
    assert row is not None
    assert row.last_sent_sequence == 0
    row.reply = "accepted"
    db.session.commit()
    change(meeting, later, tell=False, minutes=10)
    deliver(postman, NOW + timedelta(minutes=11))
    first, second = postman.calendars(CHI)
    assert (first.events[0]["SEQUENCE"], second.events[0]["SEQUENCE"]) == (0, 1)
    assert first.events[0]["UID"] == second.events[0]["UID"]
    assert "NEEDS-ACTION" in second.to_ical().decode()
    one, two = postman.mails(CHI)
    assert two["In-Reply-To"] == one["Message-ID"]
    assert two["Subject"].startswith("Thay đổi:")


def test_a_corrected_word_keeps_the_sequence_and_is_told_only_on_request(
    world: World, db: SQLAlchemy
) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    postman = Postman()
    deliver(postman, NOW)

    def reword(row: Meeting) -> None:
        row.topic += "."

    change(meeting, reword, tell=False, minutes=1)
    assert deliver(postman, NOW + timedelta(minutes=2)).sent == 0
    change(meeting, reword, tell=True, minutes=3)
    assert deliver(postman, NOW + timedelta(minutes=4)).sent == 2
    old, new = postman.calendars(BINH)
    assert (old.events[0]["SEQUENCE"], new.events[0]["SEQUENCE"]) == (0, 0)
    assert new.events[0].DTSTAMP > old.events[0].DTSTAMP


def test_a_cancel_follows_its_request_and_never_comes_without_one(world: World) -> None:
    told, untold = planned(world), planned(world)
    publish(told, NOW)
    postman = Postman()
    deliver(postman, NOW)
    publish(untold, NOW)
    cancel(told, minutes=5)
    cancel(untold, minutes=5)
    deliver(postman, NOW + timedelta(minutes=6))
    request, off = postman.calendars(CHI)
    assert (request["METHOD"], off["METHOD"]) == ("REQUEST", "CANCEL")
    assert off.events[0]["SEQUENCE"] == 1
    assert off.events[0]["STATUS"] == "CANCELLED"
    assert [state for _, _, state in messages(untold)] == ["dropped", "dropped"]
    assert calls(untold) == []


def test_a_cancel_waits_while_its_request_is_still_on_its_way(world: World, db: SQLAlchemy) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    request = db.session.scalar(select(OutgoingMessage).where(OutgoingMessage.to_address == CHI))
    assert request is not None
    request.state, request.attempts = "sending", 1
    request.lease_until, request.lease_token = NOW + timedelta(minutes=5), "dead sender"
    db.session.commit()
    cancel(meeting, minutes=1)
    postman = Postman()
    deliver(postman, NOW + timedelta(minutes=2))
    assert postman.calendars(CHI) == []
    deliver(postman, NOW + timedelta(minutes=10))
    assert [calendar["METHOD"] for calendar in postman.calendars(CHI)] == ["CANCEL"]


def test_one_added_late_is_asked_and_one_removed_is_told_so_alone(
    world: World, db: SQLAlchemy
) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    postman = Postman()
    deliver(postman, NOW)

    def other_cell(row: Meeting) -> None:
        db.session.delete(db.session.get_one(MeetingUnit, (row.id, world.units["cell-1"].id)))
        db.session.add(MeetingUnit(meeting_id=row.id, unit_id=world.units["cell-3"].id))

    change(meeting, other_cell, tell=False, minutes=5)
    deliver(postman, NOW + timedelta(minutes=6))
    _, off = postman.calendars(CHI)
    assert off["METHOD"] == "CANCEL"
    assert "STATUS" not in off.events[0]
    assert off.events[0]["SEQUENCE"] == 1
    (asked,) = postman.calendars("hoa@test.invalid")
    assert asked["METHOD"] == "REQUEST"
    assert len(postman.calendars(BINH)) == 1


def test_a_replaced_speaker_is_told_and_the_new_one_asked(world: World, db: SQLAlchemy) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    postman = Postman()
    deliver(postman, NOW)

    def nobody(row: Meeting) -> None:
        row.speakers.clear()

    change(meeting, nobody, tell=False, minutes=5)
    deliver(postman, NOW + timedelta(minutes=6))
    assert [calendar["METHOD"] for calendar in postman.calendars(BINH)] == ["REQUEST", "CANCEL"]
    change(meeting, lambda row: None, tell=False, minutes=9)
    assert deliver(postman, NOW + timedelta(minutes=10)).sent == 0


def test_the_exempt_and_the_dead_are_not_invited(world: World, db: SQLAlchemy) -> None:
    db.session.add(Exemption(person_id=world.people["chi"].id, valid_from=TODAY))
    db.session.get_one(Person, world.people["anh"].id).died_on = TODAY
    db.session.commit()
    meeting = planned(world)
    with writing() as session:
        expected = invitations.expected_recipients(session, session.get_one(Meeting, meeting.id))
    assert [one.name for one in expected.people] == ["Nguyễn Thị Hiền"]
    assert (expected.by_mail, expected.by_phone) == (1, 1)


def test_a_make_up_invites_exactly_the_people_on_it(world: World, db: SQLAlchemy) -> None:
    meeting = planned(world, is_makeup=True)
    db.session.add(
        Invitation(
            meeting_id=meeting.id,
            person_id=world.people["hoa"].id,
            unit_id=world.units["cell-3"].id,
            source="makeup",
            created_at=NOW,
        )
    )
    db.session.commit()
    publish(meeting, NOW)
    assert [address for _, address, _ in messages(meeting)] == ["hoa@test.invalid", BINH]
    assert calls(meeting) == []


def test_a_call_not_made_yet_is_replaced_and_one_made_is_followed_by_another(
    world: World, db: SQLAlchemy
) -> None:
    meeting = planned(world)
    publish(meeting, NOW)
    first = db.session.scalars(select(CallListEntry).order_by(CallListEntry.id)).first()
    assert first is not None
    first.done_at = NOW
    db.session.commit()
    change(meeting, later, tell=False, minutes=5)
    assert sorted(kind for kind, _ in calls(meeting)) == ["request", "update"]
    cancel(meeting, minutes=9)
    assert [kind for kind, _ in calls(meeting)] == ["cancel"]


def test_the_zalo_text_says_what_when_and_where(world: World, db: SQLAlchemy) -> None:
    text = invitations.zalo_text(db.session.get_one(Meeting, planned(world).id))
    assert text.splitlines() == [
        "MỜI DỰ: Học tập nghị quyết",
        "Thời gian: 15h00–17h00, thứ Bảy, 28/11/2026",
        "Địa điểm: Hội trường phường Một",
        "Báo cáo viên: Trần Thanh Bình",
    ]
