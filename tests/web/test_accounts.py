"""Signing in and the accounts' pages, as a browser meets them."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from models import Account, SignIn, db
from services import accounts
from tests.services.test_accounts import actor
from tests.services.test_sign_ins import PASSWORD, give_password, link_of
from tests.world import NOW, World, build_world, signed_in
from web import identity


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doors' clock stands still where the world's links and sign-ins were made."""
    monkeypatch.setattr(identity, "now", lambda: NOW)
    monkeypatch.setattr("web.accounts.now", lambda: NOW)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>|[0-9a-f]{12,}", " ", answer.text))


def test_a_stranger_is_sent_to_sign_in_and_then_on_to_the_page_asked_for(
    client: FlaskClient, world: World
) -> None:
    give_password(world.accounts["an"])
    sent = client.get("/me")
    assert sent.location.startswith("/sign-in?next=")
    form = {"email": "an@test.invalid", "password": PASSWORD, "next": "/me"}
    entered = client.post("/sign-in", data=form)
    assert (entered.status_code, entered.location) == (303, "/me")
    assert "an@test.invalid" in client.get("/me").text


def test_who_was_invited_and_has_no_account_is_told_how_to_answer(client: FlaskClient) -> None:
    sent = client.get("/meetings/7")
    assert sent.status_code == 302
    shown = client.get(sent.headers["Location"]).get_data(as_text=True)
    assert "Người được mời không cần tài khoản" in shown
    for other in (
        "/sign-in",
        "/sign-in?next=/meetings/7/edit",
        "/sign-in?next=//x.example/meetings/7",
    ):
        assert "Người được mời" not in client.get(other).get_data(as_text=True)


@pytest.mark.parametrize("address", ["//evil.test/", "https://evil.test", "/\\evil.test", "x"])
def test_signing_in_never_leads_to_another_site(
    client: FlaskClient, world: World, address: str
) -> None:
    give_password(world.accounts["an"])
    form = {"email": "an@test.invalid", "password": PASSWORD, "next": address}
    assert client.post("/sign-in", data=form).location == "/"


def test_a_wrong_password_and_an_unknown_e_mail_get_the_same_page(
    client: FlaskClient, world: World
) -> None:
    give_password(world.accounts["an"])
    pages = []
    for email in ("an@test.invalid", "xx@test.invalid"):
        answer = client.post("/sign-in", data={"email": email, "password": "sai rồi nhé"})
        assert answer.status_code == 422
        pages.append(answer.text.replace(email, "E"))
    hidden = [re.sub(r"nonce=\"[^\"]+\"", "", page) for page in pages]
    assert words_of(hidden[0]) == words_of(hidden[1])


def words_of(page: str) -> list[str]:
    return [word for word in page.split() if "csrf" not in word and len(word) < 60]


def test_asking_for_a_link_says_the_same_to_everybody(client: FlaskClient, world: World) -> None:
    pages = []
    for email in ("an@test.invalid", "khong-ai@test.invalid"):
        client = client.application.test_client()
        sent = client.post("/sign-in/links", data={"email": email})
        assert sent.status_code == 303
        pages.append(words(client.get(sent.location)))
    assert pages[0] == pages[1]
    assert "đã được gửi tới đó" in pages[0]


def test_too_many_tries_are_429(client: FlaskClient, world: World) -> None:
    for _ in range(10):
        client.post("/sign-in", data={"email": "an@test.invalid", "password": "sai rồi"})
    refused = client.post("/sign-in", data={"email": "an@test.invalid", "password": "sai rồi"})
    assert refused.status_code == 429
    assert "quá nhiều lần" in refused.text


def test_opening_a_link_shows_a_button_and_only_pressing_it_spends_it(
    client: FlaskClient, world: World
) -> None:
    token = link_of(world.accounts["an"])
    for _ in range(3):
        assert client.get(f"/sign-in/{token}").status_code == 200
    entered = client.post(f"/sign-in/{token}")
    assert (entered.status_code, entered.location) == (303, "/")
    spent = client.application.test_client().post(f"/sign-in/{token}")
    assert spent.status_code == 410
    assert "đã dùng hoặc đã hết hạn" in spent.text


def test_signing_in_again_starts_a_new_session_and_ends_the_old(
    client: FlaskClient, world: World
) -> None:
    signed_in(client, world.accounts["dung"], now=NOW)
    client.post(f"/sign-in/{link_of(world.accounts['an'])}")
    alive = db.session.query(SignIn).filter(SignIn.ended_at.is_(None)).all()
    assert [row.account_id for row in alive] == [world.accounts["an"].id]


def test_signing_out_makes_a_copied_cookie_worthless(client: FlaskClient, world: World) -> None:
    signed_in(client, world.accounts["an"], now=NOW)
    with client.session_transaction() as session:
        kept = dict(session)
    assert client.post("/sign-out").status_code == 303
    with client.session_transaction() as session:
        session.update(kept)
    assert client.get("/me").status_code == 302


def test_after_a_link_a_password_is_set_without_the_old_one(
    client: FlaskClient, world: World
) -> None:
    give_password(world.accounts["an"])
    client.post(f"/sign-in/{link_of(world.accounts['an'])}")
    assert client.post("/me/password", data={"new": "ngắn"}).status_code == 422
    assert client.post("/me/password", data={"new": "một câu dài khác"}).status_code == 303
    again = client.post("/me/password", data={"new": "lại một câu nữa"})
    assert again.status_code == 422
    assert "Mật khẩu đang dùng chưa đúng" in again.text


def test_only_an_administrator_opens_the_accounts(client: FlaskClient, world: World) -> None:
    for name, status in (("an", 403), ("binh", 403), ("doc", 403), ("quan", 200)):
        fresh = signed_in(client.application.test_client(), world.accounts[name], now=NOW)
        assert fresh.get("/accounts").status_code == status
        assert fresh.get("/accounts/new").status_code == status


def test_an_administrator_adds_and_locks_an_account(client: FlaskClient, world: World) -> None:
    signed_in(client, world.accounts["quan"], now=NOW)
    ward = world.units["ward-1"].id
    form: dict[str, Any] = {"email": "moi@test.invalid", "name": "Người Mới", "is_active": "y"}
    form |= {"grants-0-role": "staff", "grants-0-unit": str(ward), "grants-1-role": ""}
    made = client.post("/accounts", data=form)
    assert made.status_code == 200
    assert "/sign-in/" in made.text
    account = db.session.query(Account).filter_by(email="moi@test.invalid").one()
    page = client.get(f"/accounts/{account.id}")
    assert f'selected value="{ward}"' in page.text
    del form["is_active"]
    assert client.post(f"/accounts/{account.id}", data=form).status_code == 303
    assert not accounts.account_details(account.id, by=_quan(world)).is_active


def _quan(world: World) -> Any:
    return actor(world, "quan")


@pytest.mark.parametrize(
    "change", [{"email": "x"}, {"name": ""}, {"grants-0-role": "vua"}, {"grants-0-unit": "9999"}]
)
def test_a_wrong_account_form_comes_back_and_writes_nothing(
    client: FlaskClient, world: World, change: dict[str, str]
) -> None:
    signed_in(client, world.accounts["quan"], now=NOW)
    before = db.session.query(Account).count()
    form = {"email": "moi@test.invalid", "name": "Mới", "grants-0-role": "staff"} | change
    answer = client.post("/accounts", data=form)
    assert answer.status_code == 422
    assert "Cần sửa trước khi lưu" in answer.text
    db.session.rollback()
    assert db.session.query(Account).count() == before


def test_a_program_that_is_not_signed_in_gets_json(client: FlaskClient, world: World) -> None:
    answer = client.get("/me", headers={"Accept": "application/json"})
    assert answer.json is not None
    assert (answer.status_code, answer.json["ok"]) == (401, False)
