"""Units change by decision: drafted, looked at, confirmed whole; the past keeps its units."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from models import (
    AuditEntry,
    Meeting,
    Membership,
    RoleGrant,
    RollEntry,
    Unit,
    UnitChange,
    UnitParent,
    UnitSuccession,
    db,
)
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal
from rules.unit_changes import Plan, Successor
from services import coverage, successions, unit_decisions, units
from services.transaction import reading
from tests import world as small
from tests.services import campaign_plans as plans
from tests.services.test_accounts import actor
from tests.world import NOW, TODAY, World, build_world

ON = date(2026, 11, 20)
BEFORE = ON - timedelta(days=1)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def ids(world: World) -> dict[str, int]:
    return {key: unit.id for key, unit in world.units.items()}


def draft(plan: Plan, by: Actor = SYSTEM, number: str = "12-QĐ/TU") -> int:
    return unit_decisions.draft_decision(plan, number=number, decided_on=ON, now=NOW, by=by)


def carry_out(plan: Plan) -> int:
    change = draft(plan)
    unit_decisions.confirm_decision(change, now=NOW, by=SYSTEM)
    return change


def new_ward(world: World, name: str = "Đảng bộ phường Một", code: str = "DB9") -> Successor:
    return Successor(None, code, name, "grassroots_org", world.units["city"].id)


def merge_wards(world: World, name: str = "Đảng bộ phường Một") -> Unit:
    known = ids(world)
    carry_out(Plan("merge", ON, (known["ward-1"], known["ward-2"]), (new_ward(world, name),)))
    return db.session.scalars(select(Unit).where(Unit.code == "DB9")).one()


def cells_under(unit_id: int, on: date) -> set[str]:
    parents = units.parents_on(reading(), on)
    below = [unit for unit, above in parents.items() if above == unit_id]
    return set(db.session.scalars(select(Unit.code).where(Unit.id.in_(below))))


def test_a_draft_changes_nothing_and_can_be_thrown_away(world: World) -> None:
    known = ids(world)
    change = draft(Plan("merge", ON, (known["ward-1"], known["ward-2"]), (new_ward(world),)))
    assert db.session.scalar(select(func.count()).select_from(Unit)) == len(known)
    unit_decisions.discard_decision(change, now=NOW, by=SYSTEM)
    assert db.session.get(UnitChange, change) is None
    actions = set(db.session.scalars(select(AuditEntry.action)))
    assert {"drafted", "draft_discarded"} <= actions


def test_two_wards_become_one_from_the_day_on_and_the_past_keeps_both(world: World) -> None:
    known = ids(world)
    merged = merge_wards(world)
    assert cells_under(known["ward-1"], BEFORE) == {"CB1", "CB2"}
    assert cells_under(merged.id, ON) == {"CB1", "CB2", "CB3", "CB4"}
    assert db.session.get_one(Unit, known["ward-2"]).valid_to == ON
    party = units.unit_tree(on=ON, by=SYSTEM, tree="party")
    assert [node.code for node in party] == ["TU", "DB9", "CB1", "CB2", "CB3", "CB4"]
    rows = db.session.scalars(select(UnitSuccession).order_by(UnitSuccession.predecessor_id)).all()
    assert [(row.people, row.is_part) for row in rows] == [(4, False), (2, False)]


def test_the_old_unit_of_the_same_name_is_told_apart(world: World) -> None:
    known = ids(world)
    merged = merge_wards(world)
    names = units.unit_names_on(reading(), [known["ward-1"], known["ward-2"], merged.id], TODAY)
    assert names[merged.id] == "Đảng bộ phường Một"
    assert names[known["ward-1"]] == "Đảng bộ phường Một (trước 20/11/2026)"
    assert names[known["ward-2"]] == "Đảng bộ phường Hai"
    assert units.unit_names_on(reading(), [known["ward-1"]], BEFORE)[known["ward-1"]] == (
        "Đảng bộ phường Một"
    )


def test_the_open_make_up_list_passes_to_the_successor_and_the_roll_stays(world: World) -> None:
    code = plans.opened(world)
    meeting = plans.sitting(world, code)
    plans.attend(meeting, world.people["chi"])
    before = coverage.campaign_figures(code, by=SYSTEM, today=TODAY)
    stamps = list(
        db.session.execute(select(RollEntry.id, RollEntry.unit_id, RollEntry.grassroots_id))
    )
    merged = merge_wards(world)
    after = coverage.campaign_figures(code, by=SYSTEM, today=TODAY)
    assert [(one.name, one.members) for one in after.units] == [
        (one.name, one.members) for one in before.units
    ]
    assert stamps == list(
        db.session.execute(select(RollEntry.id, RollEntry.unit_id, RollEntry.grassroots_id))
    )
    staff = Actor(name="x", grants=(Grant("staff", merged.id),))
    missing = coverage.missing_people(code, by=staff, today=TODAY, unit="DB9")
    assert {one.code for one in missing} == {"DV002", "DV003", "DV004", "DV005", "DV006"}
    seen = coverage.campaign_figures(code, by=staff, today=TODAY)
    assert (seen.members.covered, seen.members.eligible) == (1, 6)


def test_who_answered_for_an_old_ward_answers_for_the_new_one(world: World) -> None:
    merged = merge_wards(world)
    grants = db.session.execute(
        select(RoleGrant.account_id, RoleGrant.role).where(RoleGrant.unit_id == merged.id)
    )
    assert {row.account_id for row in grants} == {
        world.accounts["an"].id,
        world.accounts["dung"].id,
    }
    assert units.unit_page(world.units["cell-3"].id, on=TODAY, by=actor(world, "an"))


def test_meetings_to_come_invite_the_old_units_cells_and_pass_to_the_new_unit(world: World) -> None:
    known = ids(world)
    meeting = small.add_meeting(world, at=NOW + timedelta(days=5), invite=("ward-1",))
    held = small.add_meeting(world, at=NOW - timedelta(days=30), invite=("ward-1",), state="held")
    merged = merge_wards(world)
    db.session.expire_all()
    assert {row.unit_id for row in db.session.get_one(Meeting, meeting.id).units} == {
        known["cell-1"],
        known["cell-2"],
    }
    assert db.session.get_one(Meeting, meeting.id).organiser_id == merged.id
    assert db.session.get_one(Meeting, held.id).organiser_id == known["ward-1"]


def test_one_cell_is_split_person_by_person_and_each_part_sees_its_own_missing(
    world: World,
) -> None:
    known = ids(world)
    code = plans.opened(world)
    parts = tuple(
        Successor(None, f"CB1{letter}", f"Chi bộ 1{letter}", "cell", known["ward-1"])
        for letter in "AB"
    )
    change = draft(Plan("split", ON, (known["cell-1"],), parts))
    unit_decisions.allot(
        change,
        units={},
        people={world.people["hien"].id: 1},
        households={},
        now=NOW,
        by=SYSTEM,
    )
    view = unit_decisions.decision_view(change, now=NOW, by=SYSTEM)
    assert view.follows is not None
    assert view.follows.people == (("Chi bộ 1A", 2), ("Chi bộ 1B", 1))
    unit_decisions.confirm_decision(change, now=NOW, by=SYSTEM)
    second = db.session.scalars(select(Unit).where(Unit.code == "CB1B")).one()
    keeper = Actor(name="x", grants=(Grant("instructor", second.id),))
    missing = coverage.missing_people(code, by=keeper, today=TODAY)
    assert [one.code for one in missing] == ["DV002"]
    named = coverage.missing_people(code, by=SYSTEM, today=TODAY, unit="CB1A")
    assert {one.code for one in named} == {"DV001", "DV003"}


def test_a_part_goes_to_another_unit_and_the_rest_stays(world: World) -> None:
    known = ids(world)
    carry_out(
        Plan(
            "split",
            ON,
            (known["ward-1"],),
            (Successor(known["ward-1"]), Successor(known["ward-2"])),
            units={known["cell-2"]: 1},
        )
    )
    assert cells_under(known["ward-1"], ON) == {"CB1"}
    assert cells_under(known["ward-2"], ON) == {"CB2", "CB3", "CB4"}
    assert db.session.get_one(Unit, known["ward-1"]).valid_to is None


def test_renaming_moving_founding_and_dissolving_by_decision(world: World) -> None:
    known = ids(world)
    carry_out(Plan("rename", ON, (known["ward-2"],), (Successor(known["ward-2"], name="Hai mới"),)))
    cell = Successor(known["cell-3"], parent_id=known["ward-1"])
    carry_out(Plan("move", ON, (known["cell-3"],), (cell,)))
    carry_out(Plan("found", ON, (), (Successor(None, "CB7", "Chi bộ 7", "cell", known["ward-1"]),)))
    names = units.unit_names_on(reading(), [known["ward-2"]], TODAY)
    assert names[known["ward-2"]] == "Hai mới"
    assert cells_under(known["ward-1"], ON) == {"CB1", "CB2", "CB3", "CB7"}
    founded = db.session.scalars(select(Unit).where(Unit.code == "CB7")).one()
    carry_out(Plan("dissolve", ON + timedelta(days=1), (founded.id,)))
    assert db.session.get_one(Unit, founded.id).valid_to == ON + timedelta(days=1)


def test_a_unit_with_people_is_not_dissolved(world: World) -> None:
    change = draft(Plan("dissolve", ON, (world.units["cell-1"].id,)))
    with pytest.raises(Refusal, match="Còn 3 đảng viên"):
        unit_decisions.confirm_decision(change, now=NOW, by=SYSTEM)
    assert db.session.get_one(Unit, world.units["cell-1"].id).valid_to is None
    assert db.session.scalar(select(func.count()).select_from(UnitSuccession)) == 0


@pytest.mark.parametrize(
    ("kind", "on", "sources", "into", "sentence"),
    [
        ("merge", ON, ("ward-1",), "ward-1", "vào chính nó"),
        ("merge", ON, ("ward-1", "ward-1"), "", "ít nhất hai đơn vị"),
        ("merge", ON, ("ward-1", "cell-1"), "cell-1", "không thể đứng trên đơn vị nhận"),
        ("merge", ON, ("ward-1", "res-ward-1"), "", "cùng một cây"),
        ("merge", date(2020, 1, 1), ("ward-1", "ward-2"), "", "mới thành lập ngày 01/01/2020"),
        ("merge", date(2019, 1, 1), ("ward-1", "ward-2"), "", "trước khi"),
        ("move", ON, ("ward-1",), "cell-1", "dưới chính nó"),
    ],
)
def test_what_no_decision_can_do_is_refused_and_nothing_is_written(
    world: World, kind: str, on: date, sources: tuple[str, ...], into: str, sentence: str
) -> None:
    known = ids(world)
    successor = new_ward(world)
    if into and kind == "merge":
        successor = Successor(known[into])
    elif into:
        successor = Successor(known[sources[0]], parent_id=known[into])
    with pytest.raises(Refusal, match=sentence):
        draft(Plan(kind, on, tuple(known[key] for key in sources), (successor,)))
    assert db.session.scalar(select(func.count()).select_from(UnitChange)) == 0


def test_a_new_unit_under_one_that_ends_is_refused(world: World) -> None:
    known = ids(world)
    below = Successor(None, "DB9", "Mới", "grassroots_org", known["ward-1"])
    with pytest.raises(Refusal):
        draft(Plan("merge", ON, (known["ward-1"], known["ward-2"]), (below,)))


def test_a_decision_needs_its_number_and_a_unit_within_scope(world: World) -> None:
    known = ids(world)
    plan = Plan("merge", ON, (known["ward-1"], known["ward-2"]), (new_ward(world),))
    with pytest.raises(Malformed, match="số quyết định"):
        draft(plan, number=" ")
    with pytest.raises(NotFound):
        draft(plan, by=actor(world, "an"))


def test_a_confirmed_decision_is_not_confirmed_or_thrown_away_again(world: World) -> None:
    known = ids(world)
    change = carry_out(Plan("merge", ON, (known["ward-1"], known["ward-2"]), (new_ward(world),)))
    for act in (unit_decisions.confirm_decision, unit_decisions.discard_decision):
        with pytest.raises(Refusal, match="đã được xác nhận"):
            act(change, now=NOW, by=SYSTEM)


def test_a_roll_is_restated_to_todays_reporting_units(world: World) -> None:
    code = plans.opened(world)
    merged = merge_wards(world)
    lines = successions.restated_roll(reading(), plans.campaign_id(code), date(2026, 11, 1), TODAY)
    members = Counter(
        line.grassroots_id
        for line in lines
        if db.session.get_one(RollEntry, line.id).population == "members"
    )
    assert members == {merged.id: 6}


STEPS = st.lists(
    st.tuples(st.sampled_from(["merge", "split", "part"]), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=4,
)


@pytest.mark.backends("sqlite")
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_whatever_is_merged_or_split_the_past_stays_and_everybody_counts_once(
    app: Any, steps: list[tuple[str, int, int]]
) -> None:
    with app.app_context():
        db.drop_all()
        db.create_all()
        city = build_world()
        code = plans.opened(city)
        people = {person.id for person in city.people.values()}
        as_it_was = _as_it_was(code)
        for number, (kind, first, second) in enumerate(steps):
            _change_cells(city, kind, first, second, date(2026, 11, 3) + timedelta(days=number))
            assert _as_it_was(code) == as_it_was
        lines = successions.restated_roll(
            reading(), plans.campaign_id(code), date(2026, 11, 1), TODAY
        )
        assert len({line.id for line in lines}) == len(lines) == len(_as_it_was(code)[0])
        assert not any(line.is_estimate for line in lines)
        entries = {row.id: row.person_id for row in db.session.scalars(select(RollEntry))}
        placed = {entries[line.id]: line.unit_id for line in lines if entries[line.id]}
        living = dict(
            db.session.execute(
                select(Membership.person_id, Membership.unit_id).where(
                    units.on_day(Membership, TODAY)
                )
            ).all()
        )
        assert placed == living
        assert set(living) == people
        db.session.remove()


def _as_it_was(code: str) -> tuple[list[Any], list[Any], list[Any]]:
    """The frozen roll, the tree and the memberships of the cut-off day."""
    day = date(2026, 11, 1)
    roll = db.session.execute(
        select(RollEntry.id, RollEntry.unit_id, RollEntry.grassroots_id).order_by(RollEntry.id)
    ).all()
    tree = sorted(units.parents_on(reading(), day).items())
    members = db.session.execute(
        select(Membership.person_id, Membership.unit_id)
        .where(units.on_day(Membership, day))
        .order_by(Membership.person_id)
    ).all()
    return list(roll), tree, list(members)


def _change_cells(city: World, kind: str, first: int, second: int, on: date) -> None:
    cells = db.session.scalars(
        select(Unit)
        .where(Unit.kind_code == "cell", units.on_day(Unit, on), Unit.valid_from < on)
        .order_by(Unit.id)
    ).all()
    one, other = cells[first % len(cells)], cells[second % len(cells)]
    above = db.session.scalars(
        select(UnitParent.parent_id).where(
            UnitParent.unit_id == one.id, units.on_day(UnitParent, on)
        )
    ).one()

    def new(letter: str) -> Successor:
        return Successor(None, f"N{on:%d}{letter}", f"Chi bộ mới {on:%d}{letter}", "cell", above)

    if kind == "merge" and one.id != other.id:
        carry_out(Plan("merge", on, (one.id, other.id), (new("M"),)))
    elif kind != "merge":
        parts = (Successor(one.id) if kind == "part" else new("A"), new("B"))
        members = db.session.scalars(
            select(Membership.person_id).where(
                Membership.unit_id == one.id, units.on_day(Membership, on)
            )
        )
        places = {person: (person + second) % 2 for person in members}
        carry_out(Plan("split", on, (one.id,), parts, people=places))
