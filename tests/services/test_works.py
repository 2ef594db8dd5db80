"""The year's other work: one way for what is due, whoever owes it; overdue first; mail to its staff."""

from datetime import date, datetime, timedelta
from email.parser import BytesParser
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import select

from models import (
    ActionPlan,
    AuditEntry,
    Commendation,
    LeaderVisit,
    OutgoingMessage,
    db,
)
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound
from rules.works import SOON_DAYS, STATES, Progress, state_of
from services import work_lists, work_reminders, works
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


def dues(kind: str, by: Actor = SYSTEM, **narrowed: str) -> list[work_lists.Due]:
    wanted = work_lists.Wanted(**narrowed)
    return work_lists.due_page(kind, wanted, page=1, today=world.TODAY, by=by).rows


def test_every_reporting_unit_owes_a_plan_once(city: world.World) -> None:
    plans.opened(city)
    assert ask(city) == 2
    assert ask(city, DUE + timedelta(days=30)) == 0
    lines = dues("action_plan", SYSTEM, campaign="NQ01")
    assert [(line.unit_name, line.state, line.due_on) for line in lines] == [
        ("Đảng bộ phường Hai", "overdue", DUE),
        ("Đảng bộ phường Một", "overdue", DUE),
    ]


def test_a_plan_is_issued_with_number_and_day_and_may_be_taken_back(city: world.World) -> None:
    plans.opened(city)
    ask(city)
    line = dues("action_plan")[0]

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
    done = dues("action_plan", state="done")
    assert [(one.id, one.reference) for one in done] == [(line.id, "12-KH/ĐU")]
    save(None, "")
    assert db.session.get_one(ActionPlan, line.id).issued_number is None


def test_a_leaders_visit_is_assigned_and_written_down_as_done(city: world.World) -> None:
    cells = [city.units[key].id for key in ("cell-1", "cell-3")]
    assert works.assign_leader("Đ/c Phó Bí thư", cells, DUE, now=world.NOW, by=SYSTEM) == 2
    [mine] = dues("leader_visit", staff_of(city, "ward-1"))
    works.save_due(
        "leader_visit",
        mine.id,
        due_on=DUE,
        done_on=DUE,
        now=world.NOW,
        by=staff_of(city, "ward-1"),
    )
    states = [one.state for one in dues("leader_visit")]
    assert states == ["overdue", "done"]
    with pytest.raises(NotFound):
        works.assign_leader("X", cells, DUE, now=world.NOW, by=staff_of(city, "ward-1"))
    assert len(dues("leader_visit")) == 2


def test_a_history_has_steps_and_shows_how_many_are_done(city: world.World) -> None:
    ward = city.units["ward-1"].id
    plan = works.HistoryPlan(ward, "Lịch sử", date(2025, 1, 1))
    project = works.add_history(plan, now=world.NOW, by=SYSTEM)
    for name in ("Sưu tầm", "Viết bản thảo"):
        works.add_history_step(project, name, DUE, now=world.NOW, by=SYSTEM)
    first = dues("history_step")[0]
    works.save_due("history_step", first.id, due_on=DUE, done_on=DUE, now=world.NOW, by=SYSTEM)
    [line] = work_lists.histories(page=1, today=world.TODAY, by=SYSTEM).rows
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
    [line] = work_lists.commendations(page=1, today=world.TODAY, by=SYSTEM).rows
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
    assert work_reminders.remind(slot, now=world.NOW) == 2
    assert work_reminders.remind(slot, now=world.NOW) == 0
    assert sorted(address for address, _ in letters()) == ["an@test.invalid", "dung@test.invalid"]
    assert letters()[0][1] == "Việc đến hạn: 1 (1 quá hạn)"


def test_nothing_due_writes_to_nobody(city: world.World) -> None:
    plans.opened(city)
    ask(city, world.TODAY + timedelta(days=3))
    slot = datetime(2026, 11, 23, 0, 10, tzinfo=world.NOW.tzinfo)
    assert work_reminders.remind(slot, now=world.NOW) == 0


def test_the_letter_is_in_its_readers_language(city: world.World) -> None:
    plans.opened(city)
    ask(city)
    city.accounts["an"].language = "en"
    db.session.commit()
    slot = datetime(2026, 11, 23, 0, 10, tzinfo=world.NOW.tzinfo)
    work_reminders.remind(slot, now=world.NOW)
    found = {
        row.to_address: (row.subject, BytesParser(policy=default).parsebytes(row.body))
        for row in db.session.scalars(select(OutgoingMessage))
    }
    subject, letter = found["an@test.invalid"]
    assert subject == "Work that is due: 1 (1 overdue)"
    part = letter.get_body(("plain",))
    assert part is not None
    said = part.get_content()
    assert "Dear Comrade" in said
    assert "due on 22/11/2026" in said
    assert "Open the list" in said
    assert "hạn" not in said.replace("Đảng bộ", "")
    assert found["dung@test.invalid"][0] == "Việc đến hạn: 1 (1 quá hạn)"


def many_visits(city: world.World) -> list[tuple[date, date | None]]:
    """Sixty visits, each state among them, in no order."""
    cell = city.units["cell-1"].id
    days = []
    for number in range(60):
        due_on = world.TODAY + timedelta(days=(number * 7) % 60 - 25)
        done_on = world.TODAY - timedelta(days=number) if number % 3 == 0 else None
        days.append((due_on, done_on))
        db.session.add(
            LeaderVisit(unit_id=cell, leader=f"Đ/c {number}", due_on=due_on, done_on=done_on)
        )
    db.session.commit()
    return days


def test_what_is_overdue_stands_first_then_what_is_due_next_then_what_was_done_last(
    city: world.World,
) -> None:
    many_visits(city)
    pages = [
        work_lists.due_page(
            "leader_visit", work_lists.Wanted(), page=number, today=world.TODAY, by=SYSTEM
        )
        for number in (1, 2, 3)
    ]
    assert [(len(page.rows), page.page, page.pages, page.total) for page in pages] == [
        (20, 1, 3, 60),
        (20, 2, 3, 60),
        (20, 3, 3, 60),
    ]
    lines = [line for page in pages for line in page.rows]
    assert len({line.id for line in lines}) == 60
    waiting = [line for line in lines if line.done_on is None]
    assert lines[: len(waiting)] == sorted(waiting, key=lambda line: line.due_on)
    done = [line.done_on for line in lines[len(waiting) :]]
    assert done == sorted(done, reverse=True)  # type: ignore[type-var]  # all of them are done


def test_the_databases_counts_are_those_of_the_rule(city: world.World) -> None:
    days = many_visits(city)
    states = [state_of(due_on, done_on, world.TODAY) for due_on, done_on in days]
    soon = sum(
        state == "due" and (due_on - world.TODAY).days <= SOON_DAYS
        for state, (due_on, _) in zip(states, days, strict=True)
    )
    expected = {"": 60, "soon": soon} | {state: states.count(state) for state in STATES}
    for state, count in expected.items():
        wanted = work_lists.Wanted(state=state)
        page = work_lists.due_page("leader_visit", wanted, page=1, today=world.TODAY, by=SYSTEM)
        assert page.total == count > 0, state
        if state in STATES:
            assert {line.state for line in page.rows} == {state}
        assert page.progress == Progress(states.count("done"), 60, states.count("overdue"), soon)


def test_works_are_found_by_their_units_name_without_marks(city: world.World) -> None:
    plans.opened(city)
    ask(city)
    [line] = dues("action_plan", query="hai phuong")
    assert line.unit_name == "Đảng bộ phường Hai"
    assert dues("action_plan", query="không có") == []
