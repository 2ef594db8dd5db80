"""Meetings made many at a time: by a rule, and from a proposal."""

from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models import AuditEntry, CalendarDay, Invitation, Meeting, MeetingSeries
from rules.days import instant, local_day
from rules.permissions import SYSTEM, Actor, Grant
from rules.recurrence import Rule
from rules.refusals import NotAllowed, NotFound, Refusal
from services import planning
from services.meeting_fields import MeetingFields
from services.planning import BulkPlan, proposed_key
from tests.services import campaign_plans as plans
from tests.world import NOW, World, build_world

FIRST = date(2026, 12, 3)
THURSDAYS = Rule(
    "weekly",
    from_on=FIRST,
    starts=time(19, 30),
    ends=time(21),
    weekdays=frozenset({3}),
    count=4,
)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def plan(world: World, **values: Any) -> BulkPlan:
    fields = MeetingFields(
        kind="outreach",
        topic="Tuyên truyền",
        starts_at=instant(FIRST, time(19, 30)),
        ends_at=instant(FIRST, time(21)),
        organiser_id=world.units["ward-1"].id,
        counting="heads",
    )
    values.setdefault("unit_ids", (world.units["cell-1"].id, world.units["cell-2"].id))
    return BulkPlan(fields, THURSDAYS, **values)


def staff(world: World) -> Actor:
    unit = world.units["ward-1"]
    return Actor("An", world.accounts["an"].id, (Grant("staff", unit.id),))


def test_every_unit_on_every_day_makes_its_own_meeting(world: World) -> None:
    rows = planning.bulk_preview(plan(world), now=NOW, by=staff(world)).rows
    assert len(rows) == 8
    assert {len(row.fields.unit_ids) for row in rows} == {1}
    assert {local_day(row.fields.starts_at).weekday() for row in rows} == {3}


def test_units_may_take_turns_or_come_together(world: World) -> None:
    turns = planning.bulk_preview(plan(world, in_turn=True), now=NOW, by=staff(world)).rows
    assert [row.unit for row in turns] == ["Chi bộ 1", "Chi bộ 2"] * 2
    together = planning.bulk_preview(plan(world, each_unit=False), now=NOW, by=staff(world)).rows
    assert len(together) == 4
    assert {len(row.fields.unit_ids) for row in together} == {2}


def test_a_unit_meets_in_its_own_hall(world: World, db: Any) -> None:
    world.venue.unit_id = world.units["cell-1"].id
    db.session.commit()
    rows = planning.bulk_preview(plan(world, own_venue=True), now=NOW, by=staff(world)).rows
    assert {(row.unit, row.fields.venue_id) for row in rows} == {
        ("Chi bộ 1", world.venue.id),
        ("Chi bộ 2", None),
    }


def test_holidays_are_passed_over_and_named(world: World, db: Any) -> None:
    db.session.add(CalendarDay(on=FIRST, kind="off", name="Nghỉ bù"))
    db.session.commit()
    preview = planning.bulk_preview(plan(world), now=NOW, by=staff(world))
    assert preview.passed_over[FIRST] == "Nghỉ bù"
    assert min(local_day(row.fields.starts_at) for row in preview.rows) == FIRST + timedelta(days=7)


def test_only_the_ticked_rows_are_made_as_one_series(world: World, db: Any) -> None:
    rows = planning.bulk_preview(plan(world), now=NOW, by=staff(world)).rows
    keys = frozenset(row.key for row in rows[:3])
    series, count = planning.create_in_bulk(plan(world), keys, now=NOW, by=staff(world))
    made = db.session.scalars(select(Meeting)).all()
    assert count == len(made) == 3
    assert {meeting.series_id for meeting in made} == {series}
    assert "weekly" in db.session.get_one(MeetingSeries, series).rule
    logged = select(AuditEntry).where(AuditEntry.action == "created")
    assert len(db.session.scalars(logged).all()) == 3
    with pytest.raises(Refusal):
        planning.create_in_bulk(plan(world), frozenset(), now=NOW, by=staff(world))


def test_one_wrong_row_makes_none(world: World, db: Any) -> None:
    wrong = plan(world, unit_ids=(world.units["cell-1"].id, world.units["cell-3"].id))
    rows = planning.bulk_preview(wrong, now=NOW, by=staff(world)).rows
    keys = frozenset(row.key for row in rows)
    with pytest.raises(Refusal):
        planning.create_in_bulk(wrong, keys, now=NOW, by=staff(world))
    assert db.session.scalars(select(Meeting)).all() == []


def test_a_proposal_seats_the_missing_and_becomes_drafts(world: World, db: Any) -> None:
    code = plans.opened(world)
    found = planning.proposal_for(code, now=NOW, by=SYSTEM)
    assert found.proposal.expected.covered == 6
    keys = frozenset(proposed_key(one) for one in found.proposal.meetings)
    count = planning.create_proposed(code, keys, is_makeup=False, now=NOW, by=SYSTEM)
    assert count == len(keys)
    assert len(db.session.scalars(select(Invitation)).all()) == 6
    assert {meeting.state for meeting in db.session.scalars(select(Meeting))} == {"draft"}


def test_a_proposal_gone_stale_makes_nothing(world: World, db: Any) -> None:
    code = plans.opened(world)
    with pytest.raises(Refusal, match="vừa thay đổi"):
        planning.create_proposed(code, frozenset({"cũ"}), is_makeup=True, now=NOW, by=SYSTEM)
    assert db.session.scalars(select(Meeting)).all() == []


def test_only_staff_propose_and_only_within_reach(world: World) -> None:
    plans.opened(world)
    reader = Actor("Đọc", None, (Grant("reader", world.units["city"].id),))
    with pytest.raises(NotAllowed):
        planning.proposal_for("NQ01", now=NOW, by=reader)
    with pytest.raises(NotFound):
        planning.proposal_for("KHONG", now=NOW, by=SYSTEM)
