"""The board tells whether what is planned can close the gap, for each population apart."""

from datetime import date, time, timedelta

import pytest
from sqlalchemy import event

from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from services import coverage_board, makeup
from tests import world
from tests.services import campaign_plans as plans

LATER = instant(date(2026, 12, 1), time(8))


@pytest.fixture
def city(db):
    return world.build_world()


def only_line(by=SYSTEM):
    [line] = coverage_board.board(now=world.NOW, by=by)
    return line


def test_no_seats_cannot_close_a_gap(city):
    plans.opened(city)
    line = only_line()
    assert (line.members.missing, line.members.seats_planned, line.members.days_left) == (6, 0, 22)
    assert line.is_at_risk


def test_seats_to_come_before_the_deadline_close_it(city):
    code = plans.opened(city)
    plans.sitting(city, code, at=LATER, capacity=6, invite=("city",))
    plans.sitting(city, code, at=LATER, capacity=9, invite=("group-1", "group-2"))
    line = only_line()
    assert (line.members.seats_planned, line.households.seats_planned) == (6, 9)
    assert not line.is_at_risk


@pytest.mark.parametrize(
    "values",
    [
        {"at": instant(date(2026, 11, 20), time(8))},
        {"at": instant(date(2026, 12, 20), time(8))},
        {"state": "cancelled"},
        {"counting": "heads"},
    ],
)
def test_meetings_that_are_over_or_late_or_called_off_bring_no_seats(city, values):
    code = plans.opened(city)
    plans.sitting(city, code, **({"at": LATER, "capacity": 50} | values))
    assert only_line().members.seats_planned == 0


def test_a_make_up_brings_as_many_seats_as_people_it_invites(city):
    code = plans.opened(city)
    call = makeup.MakeupCall(
        LATER,
        LATER + timedelta(hours=2),
        organiser_id=city.units["ward-1"].id,
        topic="Học bù",
        venue_id=city.venue.id,
        unit="CB1",
    )
    makeup.call_makeup(code, call, now=world.NOW, by=SYSTEM)
    assert only_line().members.seats_planned == 3


def test_progress_adds_up_day_by_day(city):
    code = plans.opened(city)
    for day, name in ((5, "chi"), (5, "hien"), (9, "anh")):
        meeting = plans.sitting(city, code, at=instant(date(2026, 11, day), time(8)))
        plans.attend(meeting, city.people[name])
    board = coverage_board.campaign_board(code, now=world.NOW, by=SYSTEM)
    assert [(day.on.day, day.covered) for day in board.members_progress] == [(5, 2), (9, 3)]


def test_units_without_a_sitting_are_told_apart(city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    plans.sitting(city, code, at=LATER, invite=("cell-3",))
    board = coverage_board.campaign_board(code, now=world.NOW, by=SYSTEM)
    by_code = {unit.code: board.sittings[unit.unit_id] for unit in board.line.figures.units}
    assert by_code == {"DB1": "held", "DB2": "planned"}
    groups = {group.code: board.sittings[group.unit_id] for group in board.line.figures.groups}
    assert groups == {"K1": "none", "K2": "none"}
    assert set(board.areas.values()) == {"Phường Một", "Phường Hai"}


def test_seats_of_other_wards_are_not_promised_to_mine(city):
    code = plans.opened(city)
    plans.sitting(city, code, at=LATER, capacity=6)
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    assert only_line(dung).members.seats_planned == 0


def test_the_boards_queries_do_not_grow_with_meetings(city, db):
    code = plans.opened(city)
    statements = []
    listen = lambda *args: statements.append(args[2])  # noqa: E731  # removed again by its name

    def queries():
        statements.clear()
        event.listen(db.engine, "before_cursor_execute", listen)
        coverage_board.campaign_board(code, now=world.NOW, by=SYSTEM)
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(statements)

    before = queries()
    for _ in range(6):
        plans.sitting(city, code, at=LATER)
    assert queries() <= before + 1
