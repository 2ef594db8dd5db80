"""Two registers that mark one person at the same moment: neither forgets the other's mark."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import select

from models import Campaign, RollEntry, db
from rules.permissions import SYSTEM
from services import attendance, coverage_ledger
from tests.world import NOW, TODAY, World, add_meeting, build_world


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


def _mark(app: Flask, meeting_id: int, people: list[int], start: threading.Barrier) -> None:
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
        attendance.record_marks(meeting_id, {"marks": marks}, now=NOW, by=SYSTEM)


def test_two_meetings_at_once_both_count(app: Flask) -> None:
    with app.app_context():
        world = build_world()
        people = [world.people[name].id for name in ("chi", "hien", "anh")]
        rounds = []
        for number in range(6):
            campaign = _campaign_of_two_sittings(world, f"HAI{number}")
            both = [add_meeting(world, at=NOW, campaign_id=campaign.id).id for _ in range(2)]
            rounds.append((campaign.code, both))
        db.session.remove()
    for code, both in rounds:
        start = threading.Barrier(2)
        phones = [threading.Thread(target=_mark, args=(app, one, people, start)) for one in both]
        for phone in phones:
            phone.start()
        for phone in phones:
            phone.join(30)
        with app.app_context():
            assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=TODAY) == []
            covered = select(RollEntry.person_id).where(RollEntry.covered_on.is_not(None))
            assert set(db.session.scalars(covered)) == set(people)
