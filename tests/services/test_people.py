"""Members and households: every change is dated, logged, and within one's own scope."""

from datetime import date
from typing import Any

import pytest

from models import AuditEntry, Exemption, FeedToken, Household, Membership, Person, db
from rules.permissions import SYSTEM, Actor
from rules.refusals import Malformed, NotFound, Refusal
from services import households, people, people_lists
from services.households import HouseholdFacts
from services.people import PersonFacts
from services.people_lists import Filters
from tests.services.test_accounts import actor
from tests.world import FOUNDED, NOW, TODAY, World, build_world

MOVED = date(2026, 6, 1)
WHEN: dict[str, Any] = {"now": NOW, "by": SYSTEM}


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def add(world: World, **values: Any) -> int:
    facts = PersonFacts(values.pop("name", "Nguyễn Văn Mới"), **values.pop("facts", {}))
    given: dict[str, Any] = {
        "unit_id": world.units["cell-1"].id,
        "standing": "full",
        "joined_on": MOVED,
    }
    return people.add_person(facts, **(given | WHEN | values))


def names(by: Actor = SYSTEM, **filters: Any) -> list[str]:
    page = people_lists.people_page(Filters(**filters), page=1, on=TODAY, by=by)
    return [row.full_name for row in page.rows]


def test_the_list_is_sorted_by_given_name_and_searched_in_any_order(world: World) -> None:
    everybody = names()
    assert everybody == [
        "Vũ Ánh",
        "Đỗ Thị Kim Chi",
        "Lò Văn Đạt",
        "Hoàng Em",
        "Nguyễn Thị Hiền",
        "Trương Hoà",
    ]
    assert names(query="hien ng") == ["Nguyễn Thị Hiền"]
    assert names(query="dat") == ["Lò Văn Đạt"]
    assert names(query="%") == []


def test_another_wards_staff_see_nobody_of_this_ward(world: World) -> None:
    dung, chi = actor(world, "dung"), world.people["chi"]
    assert names(dung) == ["Hoàng Em", "Trương Hoà"]
    assert names(dung, unit_id=world.units["cell-1"].id) == []
    with pytest.raises(NotFound):
        people_lists.person_page(chi.id, on=TODAY, by=dung)
    for act in (
        lambda: people.save_person(chi.id, PersonFacts("Tên Khác"), now=NOW, by=dung),
        lambda: people.leave(chi.id, on=TODAY, died=True, reason="", now=NOW, by=dung),
        lambda: people.transfer_person(
            chi.id, unit_id=world.units["cell-3"].id, from_on=TODAY, now=NOW, by=dung
        ),
        lambda: add(world, by=dung),
    ):
        with pytest.raises(NotFound):
            act()
    assert db.session.get_one(Person, chi.id).full_name == "Đỗ Thị Kim Chi"


def test_the_list_is_narrowed_by_unit_exemption_and_missing_e_mail(world: World) -> None:
    people.exempt_person(
        world.people["anh"].id, decision_number="", from_on=MOVED, until_on=None, **WHEN
    )
    assert names(unit_id=world.units["ward-2"].id) == ["Hoàng Em", "Trương Hoà"]
    assert names(exempt="yes") == ["Vũ Ánh"]
    assert "Vũ Ánh" not in names(exempt="no")
    assert names(contact="no_contact") == ["Vũ Ánh", "Lò Văn Đạt", "Hoàng Em"]
    assert names(standing="probationary") == []


def test_namesakes_are_told_apart(world: World) -> None:
    add(world, name="Vũ Ánh", facts={"birth_year": 1990})
    page = people_lists.people_page(Filters(query="vu anh"), page=1, on=TODAY, by=SYSTEM)
    assert [(row.birth_year, row.namesakes) for row in page.rows] == [(1948, 1), (1990, 1)]


def test_a_new_member_gets_a_code_clean_names_and_a_number_in_one_form(world: World) -> None:
    person_id = add(world, name="  Trần  Văn Ân ", facts={"phone": "0912 345 678"})
    person = db.session.get_one(Person, person_id)
    assert (person.full_name, person.fold, person.phone) == (
        "Trần Văn Ân",
        "tran van an",
        "+84912345678",
    )
    assert person.code.startswith("DV-")
    entry = db.session.query(AuditEntry).filter_by(entity="person").one()
    assert "Trần" not in str(entry.details)


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "Nguyễn 2"},
        {"facts": {"code": "dv001"}},
        {"facts": {"phone": "123"}},
        {"facts": {"email": "không phải"}},
        {"facts": {"birth_year": 70}},
        {"standing": "khác"},
        {"unit_id": 999_999},
        {"joined_on": date(2019, 1, 1)},
    ],
)
def test_a_wrong_member_is_refused_and_nothing_is_written(
    world: World, values: dict[str, Any]
) -> None:
    before = db.session.query(Person).count()
    with pytest.raises(Refusal):
        add(world, **values)
    assert db.session.query(Person).count() == before


def test_a_member_joins_a_cell_and_not_a_ward_or_a_residential_group(world: World) -> None:
    for key in ("ward-1", "group-1"):
        with pytest.raises(Refusal):
            add(world, unit_id=world.units[key].id)


def test_a_transfer_keeps_where_the_member_was_before(world: World) -> None:
    chi, cell = world.people["chi"].id, world.units["cell-2"].id
    people.transfer_person(chi, unit_id=cell, from_on=MOVED, **WHEN)
    rows = db.session.query(Membership).filter_by(person_id=chi).order_by(Membership.valid_from)
    assert [(row.unit_id, row.valid_from, row.valid_to) for row in rows] == [
        (world.units["cell-1"].id, FOUNDED, MOVED),
        (cell, MOVED, None),
    ]
    page = people_lists.person_page(chi, on=TODAY, by=SYSTEM)
    assert page.unit_name == "Chi bộ 2 · Đảng bộ phường Một"
    with pytest.raises(Refusal):
        people.transfer_person(
            chi, unit_id=world.units["cell-1"].id, from_on=date(2026, 5, 1), **WHEN
        )


def test_a_transfer_on_the_day_of_the_last_one_sets_it_right(world: World) -> None:
    chi = world.people["chi"].id
    for key in ("cell-3", "cell-2"):
        people.transfer_person(chi, unit_id=world.units[key].id, from_on=MOVED, **WHEN)
    assert db.session.query(Membership).filter_by(person_id=chi).count() == 2


def test_staff_cannot_send_a_member_to_a_ward_they_do_not_see(world: World) -> None:
    with pytest.raises(NotFound):
        people.transfer_person(
            world.people["chi"].id,
            unit_id=world.units["cell-3"].id,
            from_on=MOVED,
            now=NOW,
            by=actor(world, "an"),
        )


def test_a_probationary_member_becomes_full_from_a_day_on(world: World) -> None:
    person_id = add(world, standing="probationary", joined_on=FOUNDED)
    people.change_standing(person_id, standing="full", from_on=MOVED, **WHEN)
    page = people_lists.person_page(person_id, on=TODAY, by=SYSTEM)
    assert [span.standing for span in page.memberships] == ["full", "probationary"]
    with pytest.raises(Refusal):
        people.change_standing(person_id, standing="full", from_on=TODAY, **WHEN)


def test_exemptions_of_one_member_never_overlap(world: World) -> None:
    anh = world.people["anh"].id
    until = date(2026, 12, 31)
    people.exempt_person(anh, decision_number="12-QĐ", from_on=MOVED, until_on=until, **WHEN)
    with pytest.raises(Refusal):
        people.exempt_person(anh, decision_number="", from_on=until, until_on=None, **WHEN)
    after = date(2027, 1, 1)
    people.exempt_person(anh, decision_number="", from_on=after, until_on=None, **WHEN)
    with pytest.raises(Malformed):
        people.exempt_person(
            world.people["chi"].id, decision_number="", from_on=until, until_on=MOVED, **WHEN
        )
    first = db.session.query(Exemption).order_by(Exemption.valid_from).first()
    assert first is not None
    people.end_exemption(anh, first.id, on=TODAY, **WHEN)
    assert not people_lists.person_page(anh, on=TODAY, by=SYSTEM).is_exempt


def test_who_died_leaves_the_list_and_their_calendar_address_ends(world: World) -> None:
    chi = world.people["chi"].id
    db.session.add(FeedToken(token_hash="x" * 64, person_id=chi, created_at=NOW))
    db.session.commit()
    people.leave(chi, on=MOVED, died=True, reason="", **WHEN)
    assert "Đỗ Thị Kim Chi" not in names()
    assert names(state="left") == ["Đỗ Thị Kim Chi"]
    assert db.session.query(FeedToken).one().revoked_at == NOW
    page = people_lists.person_page(chi, on=TODAY, by=actor(world, "an"))
    assert page.died_on == MOVED
    with pytest.raises(Refusal):
        people.transfer_person(chi, unit_id=world.units["cell-2"].id, from_on=TODAY, **WHEN)


def test_who_leaves_needs_a_reason_and_a_day_that_has_come(world: World) -> None:
    chi = world.people["chi"].id
    with pytest.raises(Malformed):
        people.leave(chi, on=TODAY, died=False, reason=" ", **WHEN)
    with pytest.raises(Malformed):
        people.leave(chi, on=date(2027, 1, 1), died=False, reason="Chuyển", **WHEN)


def test_a_household_is_added_renumbered_and_moved(world: World) -> None:
    group, other = world.units["group-1"].id, world.units["group-2"].id
    made = households.add_household(HouseholdFacts("77"), unit_id=group, from_on=MOVED, **WHEN)
    row = db.session.get_one(Household, made)
    assert row.code == "K1-077"
    households.save_household(made, HouseholdFacts("78", representative="Bà Hoà"), **WHEN)
    found = households.households_page(query="hoa", unit_id=None, page=1, on=TODAY, by=SYSTEM)
    assert [(item.number, item.unit_name) for item in found.rows] == [("78", "Khối 1")]
    households.move_household(made, unit_id=other, from_on=date(2026, 7, 1), **WHEN)
    page = households.household_page(made, on=TODAY, by=SYSTEM)
    assert (page.unit_name, len(page.residences)) == ("Khối 2", 2)


def test_a_number_is_one_household_of_its_group(world: World) -> None:
    group = world.units["group-1"].id
    with pytest.raises(Refusal, match="đã có hộ số 3"):
        households.add_household(HouseholdFacts("3"), unit_id=group, from_on=TODAY, **WHEN)
    with pytest.raises(Refusal):
        households.move_household(
            world.households[2].id, unit_id=world.units["group-2"].id, from_on=TODAY, **WHEN
        )


def test_another_wards_staff_see_no_household_of_this_ward(world: World) -> None:
    dung = actor(world, "dung")
    page = households.households_page(query="", unit_id=None, page=1, on=TODAY, by=dung)
    assert {row.unit_name for row in page.rows} == {"Khối 2"}
    with pytest.raises(NotFound):
        households.household_page(world.households[0].id, on=TODAY, by=dung)
    with pytest.raises(NotFound):
        households.save_household(world.households[0].id, HouseholdFacts("9"), now=NOW, by=dung)
