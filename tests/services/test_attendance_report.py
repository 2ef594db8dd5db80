"""The message's numbers are the register's own."""

from datetime import timedelta

import pytest

from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotFound
from services import attendance, attendance_report
from tests.services.test_attendance import mark, person
from tests.world import NOW, add_meeting, build_world

AT = NOW + timedelta(minutes=30)


def test_the_message_has_the_registers_counts_and_no_name(db):
    world = build_world()
    meeting = add_meeting(world)
    marks = [mark(person(world, "hien")), mark(person(world, "chi"), "excused")]
    attendance.record_marks(meeting.id, {"marks": marks}, now=AT, by=SYSTEM)
    found = attendance_report.share_text(meeting.id, now=AT, by=SYSTEM)
    assert found.register_state == "draft"
    assert found.text.splitlines()[2:] == [
        "Có mặt: 1/3",
        "Vắng có lý do: 1",
        "Vắng không lý do: 0",
        "Chưa điểm danh: 1",
    ]
    assert all(one.full_name not in found.text for one in world.people.values())


def test_another_ward_is_told_nothing(db):
    world = build_world()
    meeting = add_meeting(world)
    dung = world.accounts["dung"]
    staff = Actor(dung.name, dung.id, (Grant("staff", world.units["ward-2"].id),))
    with pytest.raises(NotFound):
        attendance_report.share_text(meeting.id, now=AT, by=staff)
