"""Every address of the program, taken from its own map: who may open it, and that strangers may not.

A new address without a guard fails here until it is guarded or named as public.
"""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule

from models import db
from tests.world import World, add_meeting, build_world, signed_in

PUBLIC = {
    "static": "styles, scripts and pictures hold no data",
    "home.index": "sends everybody to their first page",
    "monitoring.metrics": "figures without data, and only for this machine or the token's bearer",
    "health.show": "tells machines whether the program is well, without data",
    "accounts.sign_in_form": "the way in",
    "accounts.sign_in": "the way in",
    "accounts.sign_out": "signing out twice does no harm",
    "accounts.request_link": "asks for a one-time link",
    "accounts.link": "a one-time link is its own key",
    "accounts.use_link": "a one-time link is its own key",
    "preferences.save": "language and theme of this browser",
    "feeds.member_feed": "a feed's secret address is its own key",
    "feeds.unit_feed": "a feed's secret address is its own key",
    "feeds.speaker_feed": "a feed's secret address is its own key",
    "feeds.venue_feed": "a feed's secret address is its own key",
    "feeds.show": "a feed's secret address is its own key",
    "feeds.save": "a feed's secret address is its own key",
    "attendance.link": "a meeting's link is its own key",
    "attendance.open_link": "a meeting's link is its own key",
    "replies.show": "a signed link in a mail is its own key",
    "replies.save": "a signed link in a mail is its own key",
    "reminders.show": "a signed link in a mail is its own key",
    "reminders.save": "a signed link in a mail is its own key",
    "offline.worker": "a script that holds no data",
    "offline.index": "an empty page; what it lists is on the phone",
    "door.enter": "the code on the door's screen is its own key",
    "door.claim": "the code on the door's screen is its own key",
    "door.forget": "the code on the door's screen is its own key",
    "door.card": "a feed's secret address is its own key",
    "privacy.own": "a person's secret link is its own key",
    "privacy.ask": "a person's secret link is its own key",
    "privacy.choose": "a person's secret link is its own key",
    "privacy.close": "a person's secret link is its own key",
    "privacy.mail_link": "a feed's secret address is its own key, and only the mail on file gets it",
    "privacy.notice": "says what data is used for, to everybody",
    "paper.find": "turns a printed code into an address that checks for itself",
}
AT_A_REGISTER = "/attendance/<int:meeting_id>"
"""Pages of one meeting's register: open to its link as well as to a sign-in, so they ask for
either themselves. What they must do with everybody else is tested below."""
OUTSIDERS = ("dung", "doc", "binh")


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with app.app_context():
        built = build_world()
        add_meeting(built)
        yield built
        db.session.remove()


def rules(app: Flask, method: str) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]


def address(rule: Rule) -> str:
    """The rule's address with the first row's id, code or a word in every place."""
    values: dict[str, object] = {}
    for name in rule.arguments:
        values[name] = 1 if isinstance(rule._converters.get(name), IntegerConverter) else "x"
    built = rule.build(values)
    assert built is not None, rule
    return built[1]


def guard(app: Flask, endpoint: str) -> bool:
    return hasattr(app.view_functions[endpoint], "required_roles")


def test_every_address_is_guarded_or_named_as_public(app: Flask) -> None:
    unguarded = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not guard(app, rule.endpoint)
        and rule.endpoint not in PUBLIC
        and not rule.rule.startswith(AT_A_REGISTER)
    }
    assert unguarded == set()


def test_strangers_are_sent_to_the_sign_in_page(app: Flask, world: World) -> None:
    client = app.test_client()
    for rule in rules(app, "GET"):
        if guard(app, rule.endpoint):
            answer = client.get(address(rule))
            assert answer.status_code in (302, 401), rule
            assert "/sign-in" in answer.headers.get("Location", "/sign-in"), rule


def test_no_write_is_done_for_a_stranger(app: Flask, world: World) -> None:
    client = app.test_client()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for rule in rules(app, method):
            if guard(app, rule.endpoint):
                answer = client.open(address(rule), method=method, data={})
                assert answer.status_code in (302, 401, 405), rule


@pytest.mark.parametrize("who", [None, "dung"])
def test_a_register_is_closed_to_strangers_and_to_other_units(
    app: Flask, world: World, who: str | None
) -> None:
    client = app.test_client()
    if who is not None:
        signed_in(client, world.accounts[who])
    for method in ("GET", "POST"):
        for rule in rules(app, method):
            if rule.rule.startswith(AT_A_REGISTER):
                here = client.open(address(rule), method=method, json={"marks": []})
                nowhere = address(rule).replace("/attendance/1", "/attendance/999999")
                there = client.open(nowhere, method=method, json={"marks": []})
                assert here.status_code in (302, 303, 401, 404, 422), (rule, method)
                assert here.status_code == there.status_code, (rule, method)


def test_every_write_without_the_page_token_is_refused(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    client = signed_in(app.test_client(), world.accounts["quan"])
    for rule in rules(app, "POST"):
        answer = client.post(address(rule), data={})
        assert answer.status_code == 400, (rule, answer.status_code)


@pytest.mark.parametrize("who", OUTSIDERS)
def test_no_address_fails_whoever_asks(app: Flask, world: World, who: str) -> None:
    client: FlaskClient = signed_in(app.test_client(), world.accounts[who])
    for rule in rules(app, "GET"):
        answer = client.get(address(rule))
        assert answer.status_code < 500, (rule, who)


def test_the_administrator_may_open_every_page_without_a_fault(app: Flask, world: World) -> None:
    client = signed_in(app.test_client(), world.accounts["quan"])
    for rule in rules(app, "GET"):
        answer = client.get(address(rule))
        assert answer.status_code < 500, rule
        assert answer.status_code != 403, rule


def test_empty_forms_get_a_sentence_and_never_a_fault(app: Flask, world: World) -> None:
    client = signed_in(app.test_client(), world.accounts["quan"])
    for rule in rules(app, "POST"):
        if rule.endpoint.startswith("accounts.") and "sign_out" in rule.endpoint:
            continue
        answer = client.post(address(rule), data={})
        assert answer.status_code < 500, rule
