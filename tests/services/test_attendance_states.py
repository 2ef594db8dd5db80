"""A register as a whole: handed in, locked in time, opened again for a reason, and told of."""

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models import AuditEntry, Invitation, Mark
from models import db as handle
from rules.permissions import Actor, Grant
from rules.refusals import NotAllowed, NotFound, Refusal
from services import attendance, attendance_shown, attendance_states
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import NOW, World, add_meeting, build_world

AT = NOW + timedelta(minutes=30)
AFTER = NOW + timedelta(hours=3)


@pytest.fixture
def world(db) -> World:
    return build_world()


@pytest.fixture
def an(world) -> Actor:
    account = world.accounts["an"]
    return Actor(account.name, account.id, (Grant("staff", world.units["ward-1"].id),))


def marks(world: World, *names: str, status: str = "present", at: datetime = AT) -> dict:
    return {
        "marks": [
            {
                "id": str(uuid.uuid4()),
                "subject": f"m:{world.people[name].id}",
                "status": status,
                "tapped_at": at.isoformat(),
            }
            for name in names
        ]
    }


def taken(world: World, by: Actor):
    meeting = add_meeting(world)
    attendance.record_marks(meeting.id, marks(world, "hien", "chi"), now=AT, by=by)
    return meeting


def state_of(meeting) -> tuple[str, str]:
    handle.session.expire_all()
    return meeting.register_state, meeting.state


def test_handing_in_after_the_end_says_that_the_meeting_was_held(world, an):
    early, late = taken(world, an), taken(world, an)
    attendance_states.submit_register(early.id, now=AT, by=an)
    attendance_states.submit_register(late.id, now=AFTER, by=an)
    assert state_of(early) == ("submitted", "published")
    assert state_of(late) == ("submitted", "held")


def test_registers_handed_in_lock_themselves_after_the_set_days(world, an):
    meeting, draft = taken(world, an), taken(world, an)
    attendance_states.submit_register(meeting.id, now=AT, by=an)
    assert attendance_states.lock_due_registers(now=AFTER + timedelta(days=1)) == 0
    assert attendance_states.lock_due_registers(now=AFTER + timedelta(days=3)) == 1
    assert attendance_states.lock_due_registers(now=AFTER + timedelta(days=3)) == 0
    assert state_of(meeting) == ("locked", "held")
    assert state_of(draft)[0] == "draft"


def test_a_mark_made_before_the_lock_and_arriving_after_is_kept_and_flagged(world, an):
    meeting = taken(world, an)
    attendance_states.submit_register(meeting.id, now=AT, by=an)
    attendance_states.lock_register(meeting.id, now=AFTER, by=an)
    late = AFTER + timedelta(minutes=5)
    done = attendance.record_marks(meeting.id, marks(world, "anh"), now=late, by=an)
    assert [verdict.kind for _, verdict in done.verdicts] == ["flagged"]
    flag = select(Mark.flag).where(Mark.person_id == world.people["anh"].id)
    assert handle.session.scalar(flag) == "after_lock"


def test_a_helper_marks_but_does_not_hand_in(world, an):
    meeting = taken(world, an)
    made = create_meeting_link(meeting.id, can_submit=False, now=NOW, by=an)
    helper = actor_of_link(made.token, now=AT)
    assert helper is not None
    with pytest.raises(NotAllowed):
        attendance_states.submit_register(meeting.id, now=AT, by=helper)
    own = create_meeting_link(meeting.id, now=NOW, by=an)
    instructor = actor_of_link(own.token, now=AT)
    assert instructor is not None
    attendance_states.submit_register(meeting.id, now=AT, by=instructor)
    assert state_of(meeting)[0] == "submitted"


def test_a_locked_register_opens_for_a_reason_that_somebody_granted(world, an):
    meeting = taken(world, an)
    with pytest.raises(Refusal):
        attendance_states.request_unlock(meeting.id, "Sai", now=AT, by=an)
    attendance_states.submit_register(meeting.id, now=AT, by=an)
    attendance_states.lock_register(meeting.id, now=AFTER, by=an)
    with pytest.raises(Refusal):
        attendance_states.request_unlock(meeting.id, "   ", now=AFTER, by=an)
    request = attendance_states.request_unlock(meeting.id, "Ghi nhầm", now=AFTER, by=an)
    with pytest.raises(Refusal):
        attendance_states.request_unlock(meeting.id, "Ghi nhầm nữa", now=AFTER, by=an)
    dung = Actor("Dũng", 3, (Grant("staff", world.units["ward-2"].id),))
    with pytest.raises(NotFound):
        attendance_states.answer_unlock(request, granted=True, now=AFTER, by=dung)
    attendance_states.answer_unlock(request, granted=True, now=AFTER, by=an)
    assert state_of(meeting)[0] == "draft"
    actions = set(handle.session.scalars(select(AuditEntry.action)))
    assert actions >= {"register_locked", "unlock_requested", "unlock_granted"}


def test_the_history_tells_old_and_new_value_by_whom(world, an):
    meeting = taken(world, an)
    attendance.record_marks(
        meeting.id, marks(world, "hien", status="excused"), now=AT + timedelta(minutes=1), by=an
    )
    attendance_states.submit_register(meeting.id, now=AFTER, by=an)
    events = attendance_states.history(meeting.id, now=AFTER, by=an)
    assert events[0].action == "register_submitted"
    change = events[1]
    assert (change.subject, change.before, change.after, change.by) == (
        "Nguyễn Thị Hiền",
        "present",
        "excused",
        "Nguyễn Văn An",
    )


def test_a_correction_after_handing_in_says_why(world, an):
    meeting = taken(world, an)
    attendance_states.submit_register(meeting.id, now=AFTER, by=an)
    with pytest.raises(Refusal):
        attendance_states.reopen_register(meeting.id, "  ", now=AFTER, by=an)
    assert state_of(meeting)[0] == "submitted"
    reopened = AFTER + timedelta(minutes=1)
    attendance_states.reopen_register(meeting.id, "Ghi nhầm chị Hiền", now=reopened, by=an)
    later = AFTER + timedelta(minutes=2)
    body = marks(world, "hien", status="excused", at=later)
    attendance.record_marks(meeting.id, body, now=later, by=an)
    newest, step, *_, first = attendance_states.history(meeting.id, now=later, by=an)
    assert (newest.before, newest.after, newest.by, newest.at, newest.reason) == (
        "present",
        "excused",
        "Nguyễn Văn An",
        later,
        "Ghi nhầm chị Hiền",
    )
    assert (step.action, step.reason) == ("register_reopened", "Ghi nhầm chị Hiền")
    assert (first.action, first.reason) == ("mark", "")


def test_somebody_taken_off_the_list_keeps_the_mark_and_can_be_corrected(world, an):
    meeting = add_meeting(world)
    subject = attendance_states.add_guest(meeting.id, world.people["dat"].id, now=AT, by=an)
    attendance.record_marks(meeting.id, marks(world, "dat"), now=AT, by=an)
    invitation = handle.session.scalars(select(Invitation)).one()
    invitation.removed_at = AT
    handle.session.commit()
    later = AT + timedelta(minutes=1)
    body = marks(world, "dat", status="late", at=later)
    done = attendance.record_marks(meeting.id, body, now=later, by=an)
    assert [verdict.kind for _, verdict in done.verdicts] == ["stored"]
    shown = attendance_shown.register(meeting.id, now=AT, by=an)
    line = next(one for one in shown["subjects"] if one["subject"] == subject)
    assert (line["status"], line["unit"]) == ("late", "Chi bộ 2")


def test_today_comes_with_the_wish_to_open_a_register(world, an):
    meeting = taken(world, an)
    attendance_states.submit_register(meeting.id, now=AT, by=an)
    attendance_states.lock_register(meeting.id, now=AFTER, by=an)
    attendance_states.request_unlock(meeting.id, "Ghi nhầm", now=AFTER, by=an)
    listed = attendance_states.todays_meetings(now=AFTER, by=an)
    assert [(one.id, one.open_request, one.visits) for one in listed] == [(meeting.id, True, 2)]
    dung = Actor("Dũng", 3, (Grant("staff", world.units["ward-2"].id),))
    assert attendance_states.todays_meetings(now=AFTER, by=dung) == []


def test_the_list_of_registers_names_the_hall_and_a_room_before_it(world, an):
    in_the_hall, in_a_room = add_meeting(world, at=AT), add_meeting(world, at=AT)
    in_the_hall.place, in_a_room.place = "", "Phòng 2"
    handle.session.commit()
    listed = attendance_states.todays_meetings(now=AFTER, by=an)
    assert {one.id: one.place for one in listed} == {
        in_the_hall.id: world.venue.name,
        in_a_room.id: "Phòng 2",
    }
