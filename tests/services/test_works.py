"""The year's other work: one way for what is due, whoever owes it; overdue first; mail to its staff."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models import ActionPlan, AuditEntry, Commendation, OutgoingMessage, db
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound
from services import works
from tests import world
from tests.services import campaign_plans as plans

DUE = date(2026, 11, 22)


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


def staff_of(city: world.World, unit: str) -> Actor:
    return Actor(name="x", grants=(Grant("staff", city.units[unit].id),))


def ask(city: world.World, due_on: date = DUE, by: Actor = SYSTEM) -> int:
    return works.ask_for_action_plans("NQ01", due_on, now=world.NOW, by=by)


def test_every_reporting_unit_owes_a_plan_once(city: world.World) -> None:
    plans.opened(city)
    assert ask(city) == 2
    assert ask(city, DUE + timedelta(days=30)) == 0
    lines = works.dues("action_plan", today=world.TODAY, by=SYSTEM, campaign="NQ01")
    assert [(line.unit_name, line.state, line.due_on) for line in lines] == [
        ("Đảng bộ phường Hai", "overdue", DUE),
        ("Đảng bộ phường Một", "overdue", DUE),
    ]


def test_a_plan_is_issued_with_number_and_day_and_may_be_taken_back(city: world.World) -> None:
    plans.opened(city)
    ask(city)
    line = works.dues("action_plan", today=world.TODAY, by=SYSTEM)[0]

    def save(done_on: date | None, number: str) -> None:
        works.save_due(
            "action_plan",
            line.id,
            due_on=DUE,
            done_on=done_on,
            reference=number,
            now=world.NOW,
            by=SYSTEM,
        )

    with pytest.raises(Malformed, match="cả số và ngày"):
        save(DUE, "")
    with pytest.raises(Malformed, match="sau hôm nay"):
        save(world.TODAY + timedelta(days=1), "12-KH/ĐU")
    save(DUE, "12-KH/ĐU")
    done = works.dues("action_plan", today=world.TODAY, by=SYSTEM, state="done")
    assert [(one.id, one.reference) for one in done] == [(line.id, "12-KH/ĐU")]
    save(None, "")
    assert db.session.get_one(ActionPlan, line.id).issued_number is None


def test_a_leaders_visit_is_assigned_and_written_down_as_done(city: world.World) -> None:
    cells = [city.units[key].id for key in ("cell-1", "cell-3")]
    assert works.assign_leader("Đ/c Phó Bí thư", cells, DUE, now=world.NOW, by=SYSTEM) == 2
    [mine] = works.dues("leader_visit", today=world.TODAY, by=staff_of(city, "ward-1"))
    works.save_due(
        "leader_visit",
        mine.id,
        due_on=DUE,
        done_on=DUE,
        now=world.NOW,
        by=staff_of(city, "ward-1"),
    )
    states = [one.state for one in works.dues("leader_visit", today=world.TODAY, by=SYSTEM)]
    assert states == ["overdue", "done"]
    with pytest.raises(NotFound):
        works.assign_leader("X", cells, DUE, now=world.NOW, by=staff_of(city, "ward-1"))
    assert len(works.dues("leader_visit", today=world.TODAY, by=SYSTEM)) == 2


def test_a_history_has_steps_and_shows_how_many_are_done(city: world.World) -> None:
    ward = city.units["ward-1"].id
    plan = works.HistoryPlan(ward, "Lịch sử", date(2025, 1, 1))
    project = works.add_history(plan, now=world.NOW, by=SYSTEM)
    for name in ("Sưu tầm", "Viết bản thảo"):
        works.add_history_step(project, name, DUE, now=world.NOW, by=SYSTEM)
    first = works.dues("history_step", today=world.TODAY, by=SYSTEM)[0]
    works.save_due("history_step", first.id, due_on=DUE, done_on=DUE, now=world.NOW, by=SYSTEM)
    [line] = works.histories(today=world.TODAY, by=SYSTEM)
    assert (line.steps.done, line.steps.total, line.steps.overdue) == (1, 2, 1)
    with pytest.raises(Malformed):
        works.save_history(
            project,
            works.HistoryPlan(ward, "Lịch sử", date(2025, 1, 1), date(2024, 1, 1)),
            now=world.NOW,
            by=SYSTEM,
        )


def test_a_commendation_is_corrected_in_place_and_audited(city: world.World) -> None:
    plan = works.CommendationPlan(world.TODAY, "QĐ 1", "city", "collective", 3)
    works.add_commendation(plan, now=world.NOW, by=SYSTEM)
    [line] = works.commendations(today=world.TODAY, by=SYSTEM)
    better = works.CommendationPlan(world.TODAY, "QĐ 1", "city", "collective", 4)
    works.save_commendation(line.id, better, now=world.NOW, by=SYSTEM)
    assert db.session.scalars(select(Commendation.recipients)).all() == [4]
    entries = select(AuditEntry).where(AuditEntry.entity == "commendation")
    assert len(db.session.scalars(entries).all()) == 2
    with pytest.raises(NotFound):
        works.save_commendation(line.id, better, now=world.NOW, by=staff_of(city, "ward-1"))


def letters() -> list[tuple[str, str]]:
    rows = db.session.execute(
        select(OutgoingMessage.to_address, OutgoingMessage.subject).order_by(OutgoingMessage.id)
    )
    return [(row.to_address, row.subject) for row in rows]


def test_staff_are_reminded_once_a_day_of_what_is_theirs(city: world.World) -> None:
    plans.opened(city)
    ask(city)
    slot = datetime(2026, 11, 23, 0, 10, tzinfo=world.NOW.tzinfo)
    assert works.remind(slot, now=world.NOW) == 2
    assert works.remind(slot, now=world.NOW) == 0
    assert sorted(address for address, _ in letters()) == ["an@test.invalid", "dung@test.invalid"]
    assert letters()[0][1] == "Việc đến hạn: 1 (1 quá hạn)"


def test_nothing_due_writes_to_nobody(city: world.World) -> None:
    plans.opened(city)
    ask(city, world.TODAY + timedelta(days=3))
    slot = datetime(2026, 11, 23, 0, 10, tzinfo=world.NOW.tzinfo)
    assert works.remind(slot, now=world.NOW) == 0
