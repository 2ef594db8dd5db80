"""Two registers that mark one person at the same moment: neither forgets the other's mark."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import select

from models import Campaign, RollEntry, db
from rules.permissions import SYSTEM, Actor
from services import attendance, coverage_ledger
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import NOW, TODAY, World, add_meeting, build_world, invite_by_name


def _campaign_of_two_sittings(world: World, code: str) -> Campaign:
    campaign = Campaign(
        code=code,
        title="Học hai buổi",
        opens_on=TODAY - timedelta(days=9),
        deadline_on=TODAY + timedelta(days=9),
        cutoff_on=TODAY - timedelta(days=10),
        completion_rule="at_least",
        completion_count=2,
        state="open",
        created_at=NOW,
    )
    db.session.add(campaign)
    db.session.flush()
    for person in world.people.values():
        cell = world.units["cell-1"].id
        db.session.add(
            RollEntry(
                campaign_id=campaign.id,
                population="members",
                person_id=person.id,
                unit_id=cell,
                grassroots_id=world.units["ward-1"].id,
            )
        )
    db.session.commit()
    return campaign


def _mark(app: Flask, by: Actor, meeting_id: int, people: list[int], start: Barrier) -> None:
    marks: list[dict[str, Any]] = [
        {
            "id": str(uuid4()),
            "subject": f"m:{person}",
            "status": "present",
            "tapped_at": NOW.isoformat(),
        }
        for person in people
    ]
    with app.app_context():
        start.wait(10)
        attendance.record_marks(meeting_id, {"marks": marks}, now=NOW, by=by)


def _marker(meeting_id: int, number: int) -> Actor:
    """By turns somebody with an account and the holder of the meeting's link."""
    if number % 2:
        return SYSTEM
    made = create_meeting_link(meeting_id, now=NOW, by=SYSTEM)
    link = actor_of_link(made.token, now=NOW)
    assert link is not None
    return link


def test_two_meetings_at_once_both_count(app: Flask) -> None:
    with app.app_context():
        world = build_world()
        people = [world.people[name].id for name in ("chi", "hien", "anh")]
        rounds = []
        for number in range(12):
            campaign = _campaign_of_two_sittings(world, f"HAI{number}")
            made = [add_meeting(world, at=NOW, campaign_id=campaign.id) for _ in range(2)]
            ids = [invite_by_name(world, one, "chi", "hien", "anh").id for one in made]
            rounds.append((campaign.code, [(_marker(one, number), one) for one in ids]))
        db.session.remove()
    for code, both in rounds:
        start = Barrier(2)
        phones = [Thread(target=_mark, args=(app, *one, people, start)) for one in both]
        for phone in phones:
            phone.start()
        for phone in phones:
            phone.join(30)
        with app.app_context():
            assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=TODAY) == []
            covered = select(RollEntry.person_id).where(RollEntry.covered_on.is_not(None))
            assert set(db.session.scalars(covered)) == set(people)
