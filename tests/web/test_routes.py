"""Every address that names a row by its number: a number no database could hold is an unknown page."""

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.world import build_world, signed_in
from web.fields import LARGEST_ID


def test_a_number_beyond_any_database_is_an_unknown_page(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        world = build_world()
        signed_in(client, world.accounts["quan"])
    numbered = [rule for rule in app.url_map.iter_rules() if "<int:" in rule.rule]
    assert len(numbered) > 20
    unknown = {}
    for rule in numbered:
        address = re.sub(r"<int:[^>]+>", str(LARGEST_ID + 1), rule.rule)
        address = re.sub(r"<[^>]+>", "x", address)
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        unknown[rule.rule] = client.open(address, method=method).status_code
    assert {rule: status for rule, status in unknown.items() if status not in (400, 404, 405)} == {}


def test_a_nul_letter_is_refused_wherever_it_stands(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        signed_in(client, build_world().accounts["quan"])
    assert client.get("/subscriptions/members/%00").status_code == 400
    assert client.get("/people/?q=%00").status_code == 400
    assert client.post("/accounts/", data={"name": "a\0"}).status_code == 400
