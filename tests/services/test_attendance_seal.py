"""Handing a register in seals its ledger: the proof of the log finds every later change of a mark."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from models import AuditEntry, Mark, Meeting, db
from rules.permissions import Actor, Grant
from services import attendance, attendance_states
from services.audit_proof import verify_log
from tests.world import NOW, World, add_meeting, build_world

AT = NOW + timedelta(minutes=30)
AFTER = NOW + timedelta(hours=5)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def an(world: World) -> Actor:
    account = world.accounts["an"]
    return Actor(account.name, account.id, (Grant("staff", None),))


def tap(world: World, meeting: Meeting, by: Actor, *names: str, now: Any = AT) -> None:
    body = {
        "marks": [
            {
                "id": str(uuid.uuid4()),
                "subject": f"m:{world.people[name].id}",
                "status": "present",
                "tapped_at": AT.isoformat(),
            }
            for name in names
        ]
    }
    attendance.record_marks(meeting.id, body, now=now, by=by, device="phone-1")


@pytest.fixture
def handed_in(world: World, an: Actor) -> Meeting:
    meeting = add_meeting(world)
    tap(world, meeting, an, "hien", "chi")
    attendance_states.submit_register(meeting.id, now=AFTER, by=an)
    db.session.commit()
    return meeting


def test_a_register_as_it_was_handed_in_is_whole(handed_in: Meeting) -> None:
    proof = verify_log()
    assert proof.is_whole, proof.faults


@pytest.mark.parametrize(
    "change",
    [
        update(Mark).values(status="unexcused"),
        update(Mark).values(received_at=AT - timedelta(minutes=1)),
        delete(Mark).where(Mark.id == select(func.max(Mark.id)).scalar_subquery()),
    ],
    ids=["changed", "dated back", "deleted"],
)
def test_a_mark_changed_after_handing_in_is_found(handed_in: Meeting, change: Any) -> None:
    db.session.execute(change)
    db.session.commit()
    (fault,) = verify_log().faults
    assert f"buổi số {handed_in.id}" in fault


def test_a_mark_slipped_in_behind_the_log_is_found(handed_in: Meeting, world: World) -> None:
    one = dict(db.session.execute(select(Mark.__table__).limit(1)).mappings().one())
    db.session.execute(insert(Mark), [one | {"id": str(uuid.uuid4())}])
    db.session.commit()
    assert not verify_log().is_whole


def test_a_mark_that_waited_for_its_turn_while_the_register_was_handed_in_is_no_fault(
    handed_in: Meeting, world: World, an: Actor
) -> None:
    tap(world, handed_in, an, "anh", now=AFTER - timedelta(seconds=1))
    proof = verify_log()
    assert proof.is_whole, proof.faults


def test_a_correction_after_handing_in_is_no_fault_and_has_its_line_in_the_log(
    handed_in: Meeting, world: World, an: Actor
) -> None:
    marked = select(func.count()).where(AuditEntry.action == "marked")
    before = db.session.scalar(marked)
    tap(world, handed_in, an, "anh", now=AFTER + timedelta(minutes=1))
    assert db.session.scalar(marked) == (before or 0) + 1
    assert verify_log().is_whole


def test_taps_of_an_open_register_leave_one_line_in_the_log(world: World, an: Actor) -> None:
    meeting = add_meeting(world)
    for name in ("hien", "chi", "anh"):
        tap(world, meeting, an, name)
    marked = select(func.count()).where(AuditEntry.action == "marked")
    assert db.session.scalar(marked) == 1
