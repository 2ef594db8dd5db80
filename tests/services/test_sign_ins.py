"""Ways in: what a password and a one-time link open, and what they never tell."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from gateways.passwords import place_to_check
from models import Account, Attempt, OutgoingMessage, SignIn
from rules.permissions import Actor
from rules.refusals import Malformed, NotFound, Refusal, TooBusy, TooManyAttempts
from services import accounts, sign_ins
from services.tokens import token_hash
from services.transaction import writing
from tests import world as worlds
from tests.world import NOW, World, build_world

PASSWORD = "hoa sữa đầu phố"
HOME = "192.0.2.1"


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def actor_of(account: Account) -> Actor:
    token = accounts.open_sign_in(account.id, now=NOW)
    actor = accounts.actor_of_sign_in(token, now=NOW)
    assert actor is not None
    return actor


def give_password(account: Account, password: str = PASSWORD) -> None:
    accounts.set_password(
        password, current="", is_vouched=True, token="", now=NOW, by=actor_of(account)
    )


def link_of(account: Account, *, lasts: timedelta = sign_ins.MAIL_LINK_LASTS) -> str:
    with writing() as session:
        return sign_ins.make_link(session, account.id, now=NOW, lasts=lasts)


def refusal_of(email: str, password: str) -> str:
    with pytest.raises(sign_ins.SignInFailed) as caught:
        sign_ins.check_password(email, password, address=HOME, now=NOW)
    return str(caught.value)


def test_a_right_password_names_its_account(world: World) -> None:
    give_password(world.accounts["an"])
    found = sign_ins.check_password(" AN@test.invalid ", PASSWORD, address=HOME, now=NOW)
    assert found == world.accounts["an"].id


def test_the_same_password_in_other_code_points_is_the_same(world: World) -> None:
    give_password(world.accounts["an"], "hoa sữa đầu phố")
    decomposed = "hoa su\u031b\u0303a đa\u0302\u0300u phô\u0301"
    assert sign_ins.check_password("an@test.invalid", decomposed, address=HOME, now=NOW)


def test_a_wrong_password_an_unknown_e_mail_and_a_locked_account_get_one_answer(
    world: World,
) -> None:
    give_password(world.accounts["an"])
    give_password(world.accounts["dung"])
    world.accounts["dung"].is_active = False
    worlds.db.session.commit()
    answers = {
        refusal_of("an@test.invalid", "sai rồi nhé"),
        refusal_of("khong-ai@test.invalid", PASSWORD),
        refusal_of("dung@test.invalid", PASSWORD),
        refusal_of("doc@test.invalid", ""),
    }
    assert len(answers) == 1


def test_the_eleventh_try_within_an_hour_is_refused_alike_for_known_and_unknown(
    world: World,
) -> None:
    give_password(world.accounts["an"])
    sentences = set()
    for email in ("an@test.invalid", "khong-ai@test.invalid"):
        for number in range(10):
            with pytest.raises(sign_ins.SignInFailed):
                sign_ins.check_password(email, "sai rồi", address=f"192.0.2.{number}", now=NOW)
        with pytest.raises(TooManyAttempts) as caught:
            sign_ins.check_password(email, PASSWORD, address=HOME, now=NOW)
        sentences.add(str(caught.value))
    assert len(sentences) == 1
    later = NOW + timedelta(minutes=61)
    assert sign_ins.check_password("an@test.invalid", PASSWORD, address=HOME, now=later)


def test_one_address_cannot_try_many_e_mails(world: World) -> None:
    for number in range(30):
        with pytest.raises(sign_ins.SignInFailed):
            sign_ins.check_password(f"{number}@test.invalid", "x", address=HOME, now=NOW)
    with pytest.raises(TooManyAttempts):
        sign_ins.check_password("an@test.invalid", "x", address=HOME, now=NOW)


def test_tries_are_kept_hashed_and_for_a_day(world: World) -> None:
    refusal_of("khong-ai@test.invalid", "x")
    kept = worlds.db.session.query(Attempt).all()
    assert {len(row.subject_hash) for row in kept} == {64}
    with pytest.raises(sign_ins.SignInFailed):
        sign_ins.check_password("b@test.invalid", "x", address=HOME, now=NOW + timedelta(days=2))
    assert worlds.db.session.query(Attempt).count() == 2


def test_a_flood_is_refused_at_once_and_uses_up_nobodys_tries(world: World) -> None:
    give_password(world.accounts["an"])
    with ExitStack() as others:
        assert all(others.enter_context(place_to_check()) for _ in range(4))
        for _ in range(20):
            with pytest.raises(TooBusy):
                sign_ins.check_password("an@test.invalid", PASSWORD, address=HOME, now=NOW)
    found = sign_ins.check_password("an@test.invalid", PASSWORD, address=HOME, now=NOW)
    assert found == world.accounts["an"].id


def test_a_right_password_forgets_the_wrong_ones(world: World) -> None:
    give_password(world.accounts["an"])
    for _ in range(9):
        refusal_of("an@test.invalid", "sai rồi")
    sign_ins.check_password("an@test.invalid", PASSWORD, address=HOME, now=NOW)
    for _ in range(9):
        refusal_of("an@test.invalid", "sai rồi")


def test_a_one_time_link_opens_once(world: World) -> None:
    token = link_of(world.accounts["an"])
    assert sign_ins.use_link(token, now=NOW) == world.accounts["an"].id
    with pytest.raises(sign_ins.LinkSpent):
        sign_ins.use_link(token, now=NOW)


def test_a_link_that_is_too_old_unknown_or_of_a_locked_account_opens_nothing(world: World) -> None:
    old = link_of(world.accounts["an"])
    with pytest.raises(sign_ins.LinkSpent):
        sign_ins.use_link(old, now=NOW + sign_ins.MAIL_LINK_LASTS)
    with pytest.raises(sign_ins.LinkSpent):
        sign_ins.use_link("không có", now=NOW)
    locked = link_of(world.accounts["dung"])
    world.accounts["dung"].is_active = False
    worlds.db.session.commit()
    with pytest.raises(sign_ins.LinkSpent):
        sign_ins.use_link(locked, now=NOW)


def test_of_fifty_parallel_uses_of_a_link_exactly_one_wins(app: Flask, world: World) -> None:
    token = link_of(world.accounts["an"])
    worlds.db.session.rollback()

    def use(_number: int) -> bool:
        with app.app_context():
            try:
                sign_ins.use_link(token, now=NOW)
            except sign_ins.LinkSpent:
                return False
            finally:
                worlds.db.session.remove()
            return True

    with ThreadPoolExecutor(50) as threads:
        wins = list(threads.map(use, range(50)))
    assert wins.count(True) == 1


def test_a_link_is_mailed_only_to_an_account(world: World) -> None:
    for email in ("an@test.invalid", "khong-ai@test.invalid"):
        sign_ins.request_link(email, address=HOME, now=NOW)
    mailed = worlds.db.session.query(OutgoingMessage).all()
    assert [(row.kind, row.to_address) for row in mailed] == [("sign_in", "an@test.invalid")]
    assert mailed[0].expires_at == NOW + timedelta(minutes=10)


def test_links_by_mail_are_limited_alike_for_known_and_unknown(world: World) -> None:
    for email in ("an@test.invalid", "khong-ai@test.invalid"):
        for _ in range(5):
            sign_ins.request_link(email, address=HOME, now=NOW)
        with pytest.raises(TooManyAttempts):
            sign_ins.request_link(email, address=HOME, now=NOW)


def test_a_password_of_nine_characters_or_of_one_letter_is_refused(world: World) -> None:
    for weak in ("chín ký t", "aaaaaaaaaaaa", "an@test.invalid"):
        with pytest.raises(Malformed):
            give_password(world.accounts["an"], weak)
    assert world.accounts["an"].password_hash is None


def test_changing_a_password_asks_for_the_old_one_and_ends_other_sign_ins(world: World) -> None:
    account = world.accounts["an"]
    give_password(account)
    here, elsewhere = (accounts.open_sign_in(account.id, now=NOW) for _ in range(2))
    actor = accounts.actor_of_sign_in(here, now=NOW)
    assert actor is not None
    change: dict[str, Any] = {"is_vouched": False, "token": here, "now": NOW, "by": actor}
    with pytest.raises(Malformed):
        accounts.set_password("một câu khác hẳn", current="sai rồi", **change)
    accounts.set_password("một câu khác hẳn", current=PASSWORD, **change)
    assert accounts.actor_of_sign_in(here, now=NOW) is not None
    assert accounts.actor_of_sign_in(elsewhere, now=NOW) is None


def test_a_sign_in_is_noted_as_seen_once_a_minute(world: World) -> None:
    token = accounts.open_sign_in(world.accounts["an"].id, now=NOW)

    def seen_at(moment: timedelta) -> datetime:
        accounts.actor_of_sign_in(token, now=NOW + moment)
        worlds.db.session.expire_all()
        row = worlds.db.session.query(SignIn).filter_by(token_hash=token_hash(token)).one()
        return row.last_seen_at

    assert seen_at(timedelta(seconds=59)) == NOW
    later = timedelta(seconds=61)
    assert seen_at(later) == NOW + later


def test_somebody_ends_only_their_own_sign_ins(world: World) -> None:
    an, dung = world.accounts["an"], world.accounts["dung"]
    token = accounts.open_sign_in(dung.id, now=NOW)
    row = worlds.db.session.query(SignIn).filter_by(token_hash=token_hash(token)).one()
    with pytest.raises(NotFound):
        sign_ins.end_one(row.id, now=NOW, by=actor_of(an))
    sign_ins.end_one(row.id, now=NOW, by=actor_of(dung))
    assert accounts.actor_of_sign_in(token, now=NOW) is None


def test_a_locked_account_is_signed_out_everywhere_at_once(world: World) -> None:
    an, quan = world.accounts["an"], world.accounts["quan"]
    token, link = accounts.open_sign_in(an.id, now=NOW), link_of(an)
    grants = actor_of(an).grants
    by = actor_of(quan)
    accounts.save_account(an.id, name=an.name, grants=grants, is_active=False, now=NOW, by=by)
    assert accounts.actor_of_sign_in(token, now=NOW) is None
    accounts.save_account(an.id, name=an.name, grants=grants, is_active=True, now=NOW, by=by)
    assert accounts.actor_of_sign_in(token, now=NOW) is None
    with pytest.raises(Refusal):
        sign_ins.use_link(link, now=NOW)
