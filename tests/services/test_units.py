"""Units in time: founding, renaming, moving and ending never rewrite what was."""

from datetime import date
from typing import Any

import pytest

from models import AuditEntry, Unit, UnitLink, UnitName, db
from rules.permissions import SYSTEM, Actor
from rules.refusals import Malformed, NotAllowed, NotFound, Refusal
from rules.unit_changes import Plan, Successor
from services import unit_changes, unit_decisions, units
from services.transaction import reading
from tests.services.test_accounts import actor
from tests.world import FOUNDED, NOW, TODAY, World, build_world

MERGED = date(2025, 7, 1)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def found(world: World, **values: Any) -> int:
    given: dict[str, Any] = {
        "code": "CB9",
        "kind_code": "cell",
        "name": "Chi bộ 9",
        "parent_id": world.units["ward-1"].id,
        "valid_from": MERGED,
    }
    return unit_changes.create_unit(**(given | {"now": NOW, "by": SYSTEM} | values))


def names_on(world: World, key: str, day: date) -> str:
    unit_id = world.units[key].id
    return units.unit_names_on(reading(), [unit_id], day)[unit_id]


def codes(nodes: list[units.UnitNode]) -> list[str]:
    return [node.code for node in nodes]


def test_the_tree_lists_each_unit_before_those_below_it_in_natural_order(world: World) -> None:
    found(world, code="CB10", name="Chi bộ 10")
    found(world, code="CB9", name="Chi bộ 9")
    nodes = units.unit_tree(on=TODAY, by=SYSTEM, tree="party")
    assert codes(nodes) == ["TU", "DB2", "CB3", "CB4", "DB1", "CB1", "CB2", "CB9", "CB10"]
    assert [node.depth for node in nodes][:4] == [0, 1, 2, 2]


def test_staff_see_their_ward_and_the_groups_it_answers_for(world: World) -> None:
    nodes = units.unit_tree(on=TODAY, by=actor(world, "dung"))
    assert codes(nodes) == ["DB2", "CB3", "CB4", "P2", "K2"]
    with pytest.raises(NotFound):
        units.unit_page(world.units["cell-1"].id, on=TODAY, by=actor(world, "dung"))


def test_options_for_a_select_can_be_the_reporting_units_or_those_with_people(world: World) -> None:
    by = actor(world, "an")
    reporting = units.unit_options(by, TODAY, grassroots_only=True, tree="party")
    assert [name for _id, name in reporting] == ["Đảng bộ phường Một"]
    cells = units.unit_options(by, TODAY, tree="party", holding_people=True)
    assert cells[0][1] == "Chi bộ 1 · Đảng bộ phường Một"


def test_the_reporting_unit_is_the_nearest_at_or_above(world: World) -> None:
    ids = {key: unit.id for key, unit in world.units.items()}
    asked = [ids["cell-1"], ids["ward-2"], ids["group-1"], ids["city"]]
    assert units.grassroots_of(reading(), asked, TODAY) == {
        ids["cell-1"]: ids["ward-1"],
        ids["ward-2"]: ids["ward-2"],
        ids["group-1"]: ids["group-1"],
        ids["city"]: ids["city"],
    }


def decide(kind: str, unit_id: int, on: date = MERGED, by: Actor = SYSTEM, **after: Any) -> None:
    """One unit changed by a confirmed decision."""
    successors = () if kind == "dissolve" else (Successor(unit_id, **after),)
    change = unit_decisions.draft_decision(
        Plan(kind, on, (unit_id,), successors), number="1-QĐ", decided_on=on, now=NOW, by=by
    )
    unit_decisions.confirm_decision(change, now=NOW, by=by)


def test_the_reporting_unit_is_that_of_the_day(world: World) -> None:
    cell, old, new = (world.units[key].id for key in ("cell-1", "ward-1", "ward-2"))
    decide("move", cell, parent_id=new)
    assert units.grassroots_of(reading(), [cell], date(2025, 6, 30)) == {cell: old}
    assert units.grassroots_of(reading(), [cell], MERGED) == {cell: new}


def test_a_new_name_holds_from_its_day_and_the_old_one_before(world: World) -> None:
    ward = world.units["ward-1"].id
    decide("rename", ward, name="Đảng bộ phường Tam Thanh")
    assert names_on(world, "ward-1", date(2025, 6, 30)) == "Đảng bộ phường Một"
    assert names_on(world, "ward-1", MERGED) == "Đảng bộ phường Tam Thanh"
    shown = db.session.get_one(Unit, ward)
    assert (shown.name, shown.fold) == ("Đảng bộ phường Tam Thanh", "dang bo phuong tam thanh")
    assert db.session.query(AuditEntry).filter_by(action="confirmed").count() == 1


def test_a_second_name_for_the_same_day_is_refused(world: World) -> None:
    ward = world.units["ward-1"].id
    decide("rename", ward, name="Tên thứ nhất")
    with pytest.raises(Refusal):
        decide("rename", ward, name="Tên thứ hai")
    db.session.rollback()
    assert names_on(world, "ward-1", TODAY) == "Tên thứ nhất"


def test_a_change_before_the_latest_one_or_before_the_unit_is_refused(world: World) -> None:
    ward = world.units["ward-1"].id
    decide("rename", ward, name="Mới")
    for day in (date(2024, 1, 1), date(2019, 12, 31)):
        with pytest.raises(Refusal):
            decide("rename", ward, day, name="Cũ hơn")
    assert db.session.query(UnitName).filter_by(unit_id=ward).count() == 2


def test_a_name_for_a_later_day_is_shown_once_that_day_has_come(world: World) -> None:
    ward = world.units["ward-1"].id
    decide("rename", ward, date(2027, 1, 1), name="Sang năm")
    assert db.session.get_one(Unit, ward).name == "Đảng bộ phường Một"
    later = NOW.replace(year=2027, month=1, day=2)
    assert unit_changes.show_units_of_today(later, now=later) == 1
    assert unit_changes.show_units_of_today(later, now=later) == 0
    assert db.session.get_one(Unit, ward).name == "Sang năm"


def test_a_unit_never_stands_below_itself_nor_under_another_tree_or_a_lower_level(
    world: World,
) -> None:
    ids = {key: unit.id for key, unit in world.units.items()}
    for unit, parent in (
        ("ward-1", "cell-1"),
        ("ward-1", "ward-1"),
        ("cell-1", "cell-2"),
        ("cell-1", "res-ward-1"),
    ):
        with pytest.raises(Refusal):
            decide("move", ids[unit], parent_id=ids[parent])


def test_a_unit_with_people_is_not_dissolved_and_an_empty_one_is(world: World) -> None:
    for key in ("cell-1", "group-1"):
        with pytest.raises(Refusal, match="Còn"):
            decide("dissolve", world.units[key].id)
        db.session.rollback()
    cell = found(world, valid_from=FOUNDED)
    decide("dissolve", cell)
    assert "CB9" in codes(units.unit_tree(on=date(2025, 6, 30), by=SYSTEM))
    assert "CB9" not in codes(units.unit_tree(on=MERGED, by=SYSTEM))
    assert units.unit_page(cell, on=TODAY, by=SYSTEM).valid_to == MERGED


@pytest.mark.parametrize(
    "values",
    [
        {"code": "CB1"},
        {"code": "cb1"},
        {"code": "có cách"},
        {"code": ""},
        {"name": " "},
        {"kind_code": "khác"},
        {"parent_id": None, "kind_code": "khác"},
        {"valid_from": date(2019, 1, 1)},
        {"parent_id": 999_999},
    ],
)
def test_a_wrong_new_unit_is_refused_and_nothing_is_written(
    world: World, values: dict[str, Any]
) -> None:
    before = db.session.query(Unit).count()
    with pytest.raises(Refusal):
        found(world, **values)
    assert db.session.query(Unit).count() == before


def test_staff_change_units_of_their_own_scope_only(world: World) -> None:
    dung, here = actor(world, "dung"), world.units["ward-1"].id
    with pytest.raises(NotFound):
        found(world, by=dung)
    with pytest.raises(NotFound):
        decide("rename", here, by=dung, name="Của tôi")
    with pytest.raises(NotAllowed):
        found(world, parent_id=None, by=dung)
    with pytest.raises(NotAllowed):
        found(world, by=actor(world, "doc"))
    with pytest.raises(NotFound):
        decide("move", world.units["cell-3"].id, by=dung, parent_id=here)
    assert found(world, parent_id=world.units["ward-2"].id, by=dung)


def test_another_party_unit_answers_for_a_group_from_a_day_on(world: World) -> None:
    group, ward = world.units["res-ward-1"].id, world.units["ward-2"].id
    unit_changes.link_unit(group, party_id=ward, from_on=MERGED, now=NOW, by=SYSTEM)
    rows = db.session.query(UnitLink).filter_by(residential_id=group).order_by(UnitLink.id).all()
    assert [(row.party_id, row.valid_to) for row in rows] == [
        (world.units["ward-1"].id, MERGED),
        (ward, None),
    ]
    assert "K1" in codes(units.unit_tree(on=TODAY, by=actor(world, "dung")))


def test_the_tree_counts_the_people_below_each_unit(world: World) -> None:
    (city,) = units.unit_branches(on=TODAY, by=SYSTEM, tree="party")
    assert (city.node.code, city.people) == ("TU", 6)
    assert [branch.people for branch in city.branches] == [2, 4]
    (town,) = units.unit_branches(on=TODAY, by=SYSTEM, tree="residential")
    assert town.people == 10


def test_a_large_tree_is_shown_in_parts(world: World) -> None:
    (city,) = units.unit_branches(on=TODAY, by=SYSTEM, tree="party", most=4)
    assert [branch.hidden for branch in city.branches] == [2, 2]
    (ward,) = units.unit_branches(
        on=TODAY, by=SYSTEM, tree="party", most=4, under=world.units["ward-1"].id
    )
    assert [branch.node.code for branch in ward.branches] == ["CB1", "CB2"]


def test_units_are_found_without_marks_and_by_code(world: World) -> None:
    def search(query: str) -> list[str]:
        return codes([node for node, _path in units.found_units(query, on=TODAY, by=SYSTEM)])

    assert search("phuong mot") == ["DB1", "P1"]
    assert search("cb3") == ["CB3"]
    assert units.found_units("chi bo 1", on=TODAY, by=SYSTEM)[0][1].endswith("Đảng bộ phường Một")


def test_the_page_of_a_unit_tells_its_history(world: World) -> None:
    cell, ward = world.units["cell-1"].id, world.units["ward-2"].id
    decide("move", cell, parent_id=ward)
    page = units.unit_page(cell, on=TODAY, by=SYSTEM)
    assert [name for _id, name in page.path] == ["Thành uỷ Thử nghiệm", "Đảng bộ phường Hai"]
    assert [fact.valid_to for fact in page.parents] == [MERGED, None]
    before = units.unit_page(cell, on=date(2024, 1, 1), by=SYSTEM)
    assert before.path[-1][1] == "Đảng bộ phường Một"
    assert page.members == 3


def test_levels_are_data_that_only_an_administrator_edits(world: World) -> None:
    facts = unit_changes.KindFacts("Tổ đảng", "Party group", 7, False, False)
    with pytest.raises(NotAllowed):
        unit_changes.save_kind("to_dang", facts, tree="party", now=NOW, by=actor(world, "an"))
    unit_changes.save_kind("to_dang", facts, tree="party", now=NOW, by=SYSTEM)
    assert "Tổ đảng" in [row.name for row in units.kind_rows()]
    wrong = unit_changes.KindFacts("", "x", 7, False, False)
    with pytest.raises(Malformed):
        unit_changes.save_kind("to_dang", wrong, now=NOW, by=SYSTEM)
