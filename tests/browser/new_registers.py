"""Makes meetings that are about to begin, in the running demonstration; prints their links as JSON.

python -m tests.browser.new_registers MEMBERS roll|heads [HOW_MANY]
"""

import json
import sys
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from app import create_app
from models import Invitation, Meeting, MeetingUnit, Membership, Unit, db
from rules.permissions import SYSTEM
from services.meeting_links import create_meeting_link


def _units(at_least: int) -> list[int]:
    """Enough cells, in their order, to bring so many members."""
    sizes = db.session.execute(
        select(Membership.unit_id, func.count())
        .where(Membership.valid_to.is_(None))
        .group_by(Membership.unit_id)
        .order_by(Membership.unit_id)
    )
    chosen: list[int] = []
    members = 0
    for unit, size in sizes:
        chosen.append(unit)
        members += size
        if members >= at_least:
            break
    return chosen


def _invite(meeting_id: int, units: list[int], now: datetime) -> None:
    members = db.session.execute(
        select(Membership.person_id, Membership.unit_id).where(
            Membership.unit_id.in_(units), Membership.valid_to.is_(None)
        )
    )
    db.session.add_all(
        Invitation(meeting_id=meeting_id, person_id=person, unit_id=unit, created_at=now)
        for person, unit in members
    )


def make(members: int, counting: str, now: datetime) -> dict[str, object]:
    """A published meeting of cells with so many members, and the links to its register."""
    root = db.session.scalar(
        select(Unit.id).where(Unit.parent_id.is_(None), Unit.tree == "party").limit(1)
    )
    meeting = Meeting(
        uid=f"{uuid.uuid4()}@test.invalid",
        kind="study" if counting == "roll" else "outreach",
        topic="Buổi thử điểm danh",
        organiser_id=root,
        starts_at=now + timedelta(minutes=10),
        ends_at=now + timedelta(hours=3),
        place="Hội trường thử",
        counting=counting,
        state="published",
        created_at=now,
        modified_at=now,
    )
    db.session.add(meeting)
    db.session.flush()
    if members:
        db.session.add_all(
            MeetingUnit(meeting_id=meeting.id, unit_id=unit) for unit in _units(members)
        )
        _invite(meeting.id, _units(members), now)
    db.session.commit()
    links = {}
    for name, can_submit in (("link", True), ("helper_link", False)):
        made = create_meeting_link(meeting.id, can_submit=can_submit, now=now, by=SYSTEM)
        links[name] = f"/attendance/link/{made.token}"
        links[f"{name}_token"] = made.token
    return {"id": meeting.id, **links}


if __name__ == "__main__":
    with create_app().app_context():
        for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
            made = make(int(sys.argv[1]), sys.argv[2], datetime.now(UTC))
            print(json.dumps(made))
