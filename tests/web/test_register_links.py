"""Inviting helpers over HTTP: by staff and by the meeting's own link, never by a helper."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from models import db as handle
from rules.permissions import SYSTEM
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import add_meeting, build_world, signed_in


@pytest.fixture
def world(db):
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world, at=datetime.now(UTC) + timedelta(minutes=20))


def opened(app, meeting, *, can_submit: bool):
    made = create_meeting_link(meeting.id, can_submit=can_submit, now=datetime.now(UTC), by=SYSTEM)
    phone = app.test_client()
    phone.post(f"/attendance/link/{made.token}")
    return phone


def invited(page: str) -> str:
    found = re.search(r"/attendance/link/([\w-]{40,})", page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("by_link", [True, False])
def test_a_helper_is_invited_with_a_picture_and_may_be_sent_away(app, world, meeting, by_link):
    staff = signed_in(app.test_client(), world.accounts["an"])
    inviter = opened(app, meeting, can_submit=True) if by_link else staff
    address = f"/attendance/{meeting.id}/helpers"
    page = inviter.post(address, data={"label": "Cửa 2 – chị Lan"})
    assert page.status_code == 200
    assert "<svg" in page.text
    token = invited(page.text)
    helper = actor_of_link(token, now=datetime.now(UTC))
    assert helper is not None
    assert (helper.name, helper.can_submit) == ("Cửa 2 – chị Lan", False)
    again = inviter.get(address).text
    assert "Cửa 2 – chị Lan" in again
    assert token not in again
    ended = inviter.post(f"{address}/{helper.link_id}/revocation")
    assert ended.status_code == 303
    handle.session.rollback()
    assert actor_of_link(token, now=datetime.now(UTC)) is None


def test_a_helper_invites_nobody(app, meeting):
    helper = opened(app, meeting, can_submit=False)
    address = f"/attendance/{meeting.id}/helpers"
    assert helper.get(address).status_code == 403
    assert helper.post(address, data={}).status_code == 403


def test_strangers_and_other_wards_are_kept_out(app, world, meeting):
    address = f"/attendance/{meeting.id}/helpers"
    assert app.test_client().get(address).status_code == 302
    dung = signed_in(app.test_client(), world.accounts["dung"])
    assert dung.get(address).status_code == 404
    assert dung.post(address, data={}).status_code == 404


def test_a_label_that_is_too_long_is_told_at_the_form(app, world, meeting):
    staff = signed_in(app.test_client(), world.accounts["an"])
    page = staff.post(f"/attendance/{meeting.id}/helpers", data={"label": "x" * 121})
    assert page.status_code == 422
    assert "120" in page.text
