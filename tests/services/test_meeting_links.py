"""A meeting's link: opens that one register on its days, until revoked."""

from datetime import timedelta
from typing import Any

import pytest

from models import MeetingLink
from rules.permissions import SYSTEM
from rules.refusals import NotAllowed, NotFound, Refusal
from services import meeting_links
from tests import world as worlds
from tests.services.test_accounts import actor
from tests.world import NOW, World, add_meeting, build_world


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def test_a_link_stands_for_its_meeting_and_nothing_else(world: World) -> None:
    meeting = add_meeting(world)
    made = meeting_links.create_meeting_link(
        meeting.id, label="Cửa chính", can_submit=False, now=NOW, by=actor(world, "an")
    )
    found = meeting_links.actor_of_link(made.token, now=NOW)
    assert found is not None
    assert (found.meeting_id, found.grants, found.can_submit) == (meeting.id, (), False)
    assert found.name == "Cửa chính"
    kept = worlds.db.session.query(MeetingLink).one()
    assert made.token not in (kept.token_hash, kept.label)


def test_a_link_ends_after_the_day_after_its_meeting(world: World) -> None:
    meeting = add_meeting(world)
    made = meeting_links.create_meeting_link(meeting.id, now=NOW, by=SYSTEM)
    assert meeting_links.actor_of_link(made.token, now=made.expires_at - timedelta(seconds=1))
    assert meeting_links.actor_of_link(made.token, now=made.expires_at) is None
    assert made.expires_at - meeting.ends_at < timedelta(days=2)


def test_a_revoked_link_an_unknown_one_and_a_cancelled_meetings_open_nothing(world: World) -> None:
    meeting, other = add_meeting(world), add_meeting(world)
    made = meeting_links.create_meeting_link(meeting.id, now=NOW, by=SYSTEM)
    meeting_links.revoke_meeting_link(meeting.id, made.id, now=NOW, by=SYSTEM)
    assert meeting_links.actor_of_link(made.token, now=NOW) is None
    assert meeting_links.actor_of_link("không có", now=NOW) is None
    second = meeting_links.create_meeting_link(other.id, now=NOW, by=SYSTEM)
    other.state = "cancelled"
    worlds.db.session.commit()
    assert meeting_links.actor_of_link(second.token, now=NOW) is None
    with pytest.raises(Refusal):
        meeting_links.create_meeting_link(other.id, now=NOW, by=SYSTEM)


def test_another_wards_staff_can_neither_make_see_nor_revoke_a_link(world: World) -> None:
    meeting = add_meeting(world)
    made = meeting_links.create_meeting_link(meeting.id, now=NOW, by=SYSTEM)
    dung = actor(world, "dung")
    for act in (
        lambda: meeting_links.create_meeting_link(meeting.id, now=NOW, by=dung),
        lambda: meeting_links.revoke_meeting_link(meeting.id, made.id, now=NOW, by=dung),
        lambda: meeting_links.meeting_links(meeting.id, now=NOW, by=dung),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_link_bears_the_speakers_name_when_no_label_is_given(world: World) -> None:
    made = meeting_links.create_meeting_link(
        add_meeting(world).id, now=NOW, by=actor(world, "binh")
    )
    found = meeting_links.actor_of_link(made.token, now=NOW)
    assert found is not None
    assert found.name == "Trần Thanh Bình"


def holder(meeting: Any, *, can_submit: bool) -> Any:
    made = meeting_links.create_meeting_link(meeting.id, can_submit=can_submit, now=NOW, by=SYSTEM)
    return meeting_links.actor_of_link(made.token, now=NOW)


def test_the_instructors_link_invites_helpers_who_can_mark_but_not_hand_in(world: World) -> None:
    meeting = add_meeting(world)
    instructor = holder(meeting, can_submit=True)
    made = meeting_links.create_meeting_link(meeting.id, can_submit=False, now=NOW, by=instructor)
    helper = meeting_links.actor_of_link(made.token, now=NOW)
    assert helper is not None
    assert (helper.can_submit, helper.name) == (False, "Người giúp điểm danh")
    with pytest.raises(NotAllowed):
        meeting_links.create_meeting_link(meeting.id, now=NOW, by=instructor)
    with pytest.raises(NotFound):
        meeting_links.create_meeting_link(
            add_meeting(world).id, can_submit=False, now=NOW, by=instructor
        )


def test_the_instructors_link_sees_and_ends_helpers_links_only(world: World) -> None:
    meeting = add_meeting(world)
    instructor = holder(meeting, can_submit=True)
    made = meeting_links.create_meeting_link(
        meeting.id, label="Cửa 2", can_submit=False, now=NOW, by=instructor
    )
    rows = meeting_links.meeting_links(meeting.id, now=NOW, by=instructor)
    assert [row.label for row in rows] == ["Cửa 2"]
    meeting_links.revoke_meeting_link(meeting.id, made.id, now=NOW, by=instructor)
    assert meeting_links.actor_of_link(made.token, now=NOW) is None
    with pytest.raises(NotFound):
        meeting_links.revoke_meeting_link(meeting.id, instructor.link_id, now=NOW, by=instructor)


def test_a_helper_can_neither_invite_see_nor_end_anybody(world: World) -> None:
    meeting = add_meeting(world)
    helper = holder(meeting, can_submit=False)
    for act in (
        lambda: meeting_links.create_meeting_link(meeting.id, can_submit=False, now=NOW, by=helper),
        lambda: meeting_links.meeting_links(meeting.id, now=NOW, by=helper),
        lambda: meeting_links.revoke_meeting_link(meeting.id, 1, now=NOW, by=helper),
    ):
        with pytest.raises(NotAllowed):
            act()
