"""Whatever staff do to a meeting, the guests' calendars end up showing what the rows say."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import Invitation, Meeting, MeetingUnit
from rules.calendar import neutral, next_last_modified, shown_title
from rules.permissions import SYSTEM
from services import invitations
from services.meeting_facts import OFF_STATES, facts_of
from services.transaction import writing
from tests.itip_client import ItipClient
from tests.services.post import Postman, deliver, publish
from tests.world import NOW, World, add_meeting, build_world

CHI = "chi@test.invalid"


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


def later(meeting: Meeting) -> None:
    meeting.starts_at += timedelta(minutes=30)
    meeting.ends_at += timedelta(minutes=30)


def elsewhere(meeting: Meeting) -> None:
    meeting.venue_id = None
    meeting.place = "Nhà văn hoá khối 3" if meeting.place != "Nhà văn hoá khối 3" else "Sân đình"


def reworded(meeting: Meeting) -> None:
    meeting.description += " Mang sổ tay."


def change(meeting: Meeting, at: datetime, edit: Callable[[Meeting], None]) -> None:
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        if row.state in OFF_STATES:
            return
        before = facts_of(row)
        edit(row)
        invitations.announce_changed(session, row, before, now=at, by=SYSTEM, tell=True)


def set_state(meeting: Meeting, at: datetime, state: str) -> None:
    """Cancel, or hold after all, as the meeting's own service does."""
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        if row.state == state:
            return
        before = facts_of(row)
        row.state = state
        if state == "cancelled":
            row.sequence += 1
            row.modified_at = next_last_modified(row.modified_at, at)
            invitations.announce_cancelled(session, row, now=at, by=SYSTEM)
        else:
            invitations.announce_changed(session, row, before, now=at, by=SYSTEM, tell=True)


def set_list(meeting: Meeting, at: datetime, world: World, *, with_chi: bool) -> None:
    def edit(row: Meeting) -> None:
        unit = world.units["cell-1" if with_chi else "cell-2"].id
        row.units[:] = [MeetingUnit(meeting_id=row.id, unit_id=unit)]

    change(meeting, at, edit)


@pytest.mark.parametrize("seed", range(6))
def test_calendars_end_up_as_the_rows_are(world: World, db: SQLAlchemy, seed: int) -> None:
    chance = random.Random(seed)
    meeting = add_meeting(world, at=NOW + timedelta(days=5))
    publish(meeting, NOW)
    postman, client, at, sequences = Postman(), ItipClient(), NOW, [0]
    steps: list[Callable[[], None]] = [
        lambda: change(meeting, at, later),
        lambda: change(meeting, at, elsewhere),
        lambda: change(meeting, at, reworded),
        lambda: set_state(meeting, at, "cancelled"),
        lambda: set_state(meeting, at, "published"),
        lambda: set_list(meeting, at, world, with_chi=False),
        lambda: set_list(meeting, at, world, with_chi=True),
    ]
    for _ in range(10):
        at += timedelta(minutes=1)
        chance.choice(steps)()
        db.session.rollback()
        sequences.append(db.session.scalars(select(Meeting.sequence)).one())
        if chance.random() < 0.6:
            deliver(postman, at + timedelta(seconds=10))
    deliver(postman, at + timedelta(seconds=20))
    mails = [calendar.to_ical() for calendar in postman.calendars(CHI)]
    chance.shuffle(mails)
    for mail in mails:
        client.receive(mail)
    assert sequences == sorted(sequences)
    assert client.face(meeting.uid) == expected_face(world, db)


def expected_face(world: World, db: SQLAlchemy) -> tuple[object, ...]:
    db.session.expire_all()
    meeting = db.session.scalars(select(Meeting)).one()
    row = db.session.scalar(
        select(Invitation).where(Invitation.person_id == world.people["chi"].id)
    )
    if row is None or row.removed_at is not None or meeting.state in OFF_STATES:
        return (False,)
    facts = neutral(facts_of(meeting))
    return (True, facts.starts_at, facts.ends_at, shown_title(facts), facts.location)
