"""How learners attended the meeting before stands beside their names."""

from datetime import date, timedelta

import pytest

from models import Course, CourseType, Meeting, Person, RegisterLine, db
from rules.permissions import Actor, Grant
from services import attendance_previous
from tests import world


@pytest.fixture
def db_city(db) -> tuple[world.World, int]:
    city = world.build_world()
    db.session.add(CourseType(code="DVM", name="Đảng viên mới", name_en="New members"))
    db.session.flush()
    course = Course(
        code="L1",
        type_code="DVM",
        title="Lớp thử",
        organiser_id=city.units["ward-1"].id,
        opens_on=date(2026, 10, 5),
        closes_on=date(2026, 12, 9),
        state="open",
        created_at=world.NOW,
    )
    db.session.add(course)
    db.session.commit()
    return city, course.id


def attend(meeting: Meeting, person: Person, status: str = "present") -> None:
    line = RegisterLine(meeting_id=meeting.id, subject=f"m:{person.id}", status=status)
    line.person_id, line.mark_id = person.id, "x"
    db.session.add(line)
    db.session.commit()


def previous(city: world.World, meeting: Meeting) -> dict[str, str]:
    account = city.accounts["an"]
    by = Actor(account.name, account.id, (Grant("staff", None),))
    return attendance_previous.previous_statuses(meeting.id, now=world.NOW, by=by)


def test_the_last_meeting_of_the_class_that_was_taken_is_shown(db_city):
    city, course = db_city
    first, second, untaken, now = (
        world.add_meeting(city, at=world.NOW + timedelta(days=day), course_id=course)
        for day in (-3, -2, -1, 0)
    )
    chi = city.people["chi"]
    attend(first, chi, "late")
    assert previous(city, second) == {f"m:{chi.id}": "late"}
    attend(second, chi, "excused")
    assert previous(city, now) == {f"m:{chi.id}": "excused"}
    untaken.state = second.state = "cancelled"
    db.session.commit()
    assert previous(city, now) == {f"m:{chi.id}": "late"}
    assert previous(city, first) == {}


def test_meetings_outside_a_class_show_nothing(db_city):
    city, _ = db_city
    earlier = world.add_meeting(city, at=world.NOW - timedelta(days=1))
    attend(earlier, city.people["chi"])
    assert previous(city, world.add_meeting(city)) == {}
