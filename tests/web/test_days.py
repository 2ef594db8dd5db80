"""A day in an address that no calendar of ours holds is answered with a sentence, not a fault."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.world import build_world, signed_in

PLACES = [
    "/log?first=",
    "/log?last=",
    "/meetings/?first=",
    "/meetings/?last=",
    "/planning/?on=",
    "/planning/week?on=",
    "/units/?on=",
    "/reports/?first=2010-01-01&last=",
]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-31", "31/02/2026", "x"])
def test_an_impossible_day_is_refused_everywhere(app: Flask, client: FlaskClient, day: str) -> None:
    with app.app_context():
        signed_in(client, build_world().accounts["quan"])
    answers = {place: client.get(place + day).status_code for place in PLACES}
    assert {place: status for place, status in answers.items() if status >= 500} == {}
    assert answers["/log?last="] == 422
