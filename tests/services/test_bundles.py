"""Several meetings told at once reach each person as one letter."""

from datetime import timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from icalendar import Calendar
from sqlalchemy import select

from gateways.errors import GatewayError
from models import Course, CourseType, Enrolment, Invitation, Meeting, OutgoingMessage, db
from rules.permissions import SYSTEM
from services import courses, meetings
from tests.ics_lint import faults
from tests.services.post import Postman, deliver
from tests.world import NOW, TODAY, World, add_meeting, build_world

CHI = "chi@test.invalid"


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def sittings(world: World, db: SQLAlchemy) -> list[Meeting]:
    """A course of three meetings, with Chi as its one learner."""
    db.session.add(CourseType(code="SC", name="Sơ cấp", name_en="Elementary"))
    course = Course(
        code="L1",
        type_code="SC",
        title="Lớp sơ cấp",
        organiser_id=world.units["ward-1"].id,
        opens_on=TODAY,
        closes_on=TODAY + timedelta(days=60),
        created_at=NOW,
        state="open",
    )
    db.session.add(course)
    db.session.flush()
    chi = world.people["chi"]
    chi.neutral_titles = False
    cell = world.units["cell-1"].id
    db.session.add(
        Enrolment(course_id=course.id, person_id=chi.id, unit_id=cell, enrolled_on=TODAY)
    )
    made = [add_meeting(world, at=NOW + timedelta(days=7 * week)) for week in (1, 2, 3)]
    for meeting in made:
        meeting.kind, meeting.course_id, meeting.state = "class", course.id, "draft"
    db.session.commit()
    return made


def attached(postman: Postman) -> list[Calendar]:
    return [
        Calendar.from_ical(part.get_content())
        for message in postman.mails(CHI)
        for part in message.walk()
        if part.get_content_type() == "application/ics"
    ]


def publish_all(sittings: list[Meeting]) -> None:
    meetings.publish_meetings([one.id for one in sittings], now=NOW, by=SYSTEM)


def test_a_course_published_is_one_letter_with_every_sitting(sittings: list[Meeting]) -> None:
    publish_all(sittings)
    postman = Postman()
    deliver(postman, NOW)
    (mail,) = postman.mails(CHI)
    assert str(mail["Subject"]) == "Mời: 3 buổi, Học tập nghị quyết"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().count("/replies/") == 3
    (calendar,) = attached(postman)
    assert calendar["METHOD"] == "PUBLISH"
    assert {str(one["UID"]) for one in calendar.events} == {one.uid for one in sittings}
    assert faults(calendar.to_ical()) == []
    rows = db.session.scalars(select(Invitation.last_sent_sequence)).all()
    assert rows == [0, 0, 0]


def test_a_course_moved_is_told_to_each_person_once(sittings: list[Meeting]) -> None:
    publish_all(sittings)
    deliver(Postman(), NOW)
    starts = [one.starts_at for one in sittings]
    postman, later = Postman(), NOW + timedelta(hours=1)
    assert meetings.shift_course(sittings[0].course_id or 0, 7, now=later, by=SYSTEM) == 3
    deliver(postman, later)
    (mail,) = postman.mails(CHI)
    assert str(mail["Subject"]).startswith("Thay đổi: 3 buổi")
    (calendar,) = attached(postman)
    assert [one["SEQUENCE"] for one in calendar.events] == [1, 1, 1]
    moved = sorted(one.start for one in calendar.events)
    assert moved == [one + timedelta(days=7) for one in starts]


def test_a_learner_who_leaves_is_told_once_and_nothing_stays_in_the_calendar(
    world: World, sittings: list[Meeting]
) -> None:
    publish_all(sittings)
    deliver(Postman(), NOW)
    postman, later = Postman(), NOW + timedelta(hours=1)
    courses.withdraw("L1", world.people["chi"].id, now=later, by=SYSTEM)
    deliver(postman, later)
    (mail,) = postman.mails(CHI)
    assert str(mail["Subject"]).startswith("Huỷ: 3 buổi")
    (calendar,) = attached(postman)
    assert {str(one["STATUS"]) for one in calendar.events} == {"CANCELLED"}
    assert [one["SEQUENCE"] for one in calendar.events] == [1, 1, 1]


def test_what_is_called_off_before_the_letter_leaves_is_not_in_it(
    sittings: list[Meeting],
) -> None:
    publish_all(sittings)
    for meeting in sittings[:2]:
        meetings.cancel_meeting(meeting.id, "mưa bão", now=NOW + timedelta(minutes=1), by=SYSTEM)
    postman = Postman()
    deliver(postman, NOW + timedelta(minutes=2))
    (calendar,) = postman.calendars(CHI)
    assert calendar["METHOD"] == "REQUEST"
    assert str(calendar.events[0]["UID"]) == sittings[2].uid


def test_a_letter_that_may_have_arrived_is_sent_again_whole(
    sittings: list[Meeting],
) -> None:
    publish_all(sittings)
    postman = Postman()
    postman.trouble[CHI] = GatewayError("đứt", permanent=False, in_doubt=True)
    deliver(postman, NOW)
    waiting = select(OutgoingMessage.state).where(OutgoingMessage.to_address == CHI)
    # It went again at once, broke again, and now waits a little.
    assert set(db.session.scalars(waiting)) == {"failed"}
    db.session.rollback()
    del postman.trouble[CHI]
    deliver(postman, NOW + timedelta(minutes=1))
    sent = [content for to, content in postman.kept if to == CHI]
    assert len(sent) == 1
    db.session.rollback()
    db.session.expire_all()
    assert db.session.scalars(waiting).all() == ["sent", "sent", "sent"]
