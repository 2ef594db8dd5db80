"""Accounts: who may make them, with which roles, and what keeps an installation reachable."""

from typing import Any

import pytest

from models import Account, AuditEntry, RoleGrant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotAllowed, Refusal
from services import accounts, sign_ins
from tests import world as worlds
from tests.world import NOW, World, build_world


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def actor(world: World, name: str) -> Actor:
    token = accounts.open_sign_in(world.accounts[name].id, now=NOW)
    found = accounts.actor_of_sign_in(token, now=NOW)
    assert found is not None
    return found


def create(world: World, **values: Any) -> tuple[int, str]:
    given: dict[str, Any] = {
        "email": "moi@test.invalid",
        "name": "Người Mới",
        "grants": [Grant("staff")],
    }
    return accounts.create_account(**(given | {"now": NOW, "by": SYSTEM} | values))


def test_an_account_is_opened_with_its_roles_and_a_first_link(world: World) -> None:
    ward = world.units["ward-1"].id
    account_id, token = create(world, email=" Moi@Test.invalid ", grants=[Grant("reader", ward)])
    details = accounts.account_details(account_id, by=SYSTEM)
    assert (details.email, details.grants) == ("moi@test.invalid", (Grant("reader", ward),))
    assert sign_ins.use_link(token, now=NOW + sign_ins.FIRST_LINK_LASTS / 2) == account_id
    entry = worlds.db.session.query(AuditEntry).filter_by(entity="account").one()
    assert (entry.action, entry.entity_id) == ("created", str(account_id))


@pytest.mark.parametrize(
    "values",
    [
        {"email": "không phải thư"},
        {"email": ""},
        {"grants": []},
        {"grants": [Grant("chủ tịch")]},
        {"grants": [Grant("staff", 999_999)]},
        {"grants": [Grant("admin", 1)]},
        {"name": "x" * 181},
    ],
)
def test_a_wrong_account_is_refused_and_nothing_is_written(
    world: World, values: dict[str, Any]
) -> None:
    before = worlds.db.session.query(Account).count()
    with pytest.raises(Malformed):
        create(world, **values)
    assert worlds.db.session.query(Account).count() == before


def test_an_e_mail_has_one_account(world: World) -> None:
    with pytest.raises(Refusal):
        create(world, email="AN@test.invalid")


@pytest.mark.parametrize("name", ["an", "binh", "doc"])
def test_only_an_administrator_sees_or_makes_accounts(world: World, name: str) -> None:
    by = actor(world, name)
    for act in (
        lambda: create(world, by=by),
        lambda: accounts.account_rows(by=by),
        lambda: accounts.account_details(world.accounts["quan"].id, by=by),
        lambda: accounts.new_sign_in_link(world.accounts["quan"].id, now=NOW, by=by),
        lambda: accounts.save_account(
            by.account_id or 0, name="x", grants=[Grant("admin")], now=NOW, by=by
        ),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert worlds.db.session.query(RoleGrant).filter_by(role="admin").count() == 1


def test_an_administrator_cannot_lock_themselves_out(world: World) -> None:
    quan = world.accounts["quan"]
    by = actor(world, "quan")
    with pytest.raises(Refusal):
        accounts.save_account(
            quan.id, name=quan.name, grants=[Grant("admin")], is_active=False, now=NOW, by=by
        )
    with pytest.raises(Refusal):
        accounts.save_account(quan.id, name=quan.name, grants=[Grant("staff")], now=NOW, by=by)


def test_the_last_administrator_stays(world: World) -> None:
    quan = world.accounts["quan"]
    with pytest.raises(Refusal):
        accounts.save_account(quan.id, name=quan.name, grants=[Grant("staff")], now=NOW, by=SYSTEM)


def test_changed_roles_hold_at_once_and_are_logged(world: World) -> None:
    an, ward = world.accounts["an"], world.units["ward-2"].id
    accounts.save_account(
        an.id, name=an.name, grants=[Grant("reader", ward)], now=NOW, by=actor(world, "quan")
    )
    assert actor(world, "an").grants == (Grant("reader", ward),)
    entry = worlds.db.session.query(AuditEntry).filter_by(action="changed").one()
    before = [["staff", world.units["ward-1"].id]]
    assert entry.details["grants"] == {"before": before, "after": [["reader", ward]]}


def test_the_list_is_searched_without_marks(world: World) -> None:
    found = accounts.account_rows(by=SYSTEM, query="nguyen an")
    assert [row.email for row in found] == ["an@test.invalid"]
    assert found[0].grants == (("staff", "Đảng bộ phường Một"),)


def test_a_new_link_spends_the_earlier_one(world: World) -> None:
    _account_id, first = create(world)
    second = accounts.new_sign_in_link(_account_id, now=NOW, by=SYSTEM)
    with pytest.raises(sign_ins.LinkSpent):
        sign_ins.use_link(first, now=NOW)
    assert sign_ins.use_link(second, now=NOW) == _account_id
