"""The log: everything for the administrator, one's own units for staff."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from rules.permissions import SYSTEM
from services import people
from services.people import PersonFacts
from tests.services.test_accounts import actor
from tests.world import NOW, World, build_world, signed_in
from web.audit import ACTION_NAMES, ENTITY_NAMES

SERVICES = Path(__file__).resolve().parent.parent.parent / "services"


@pytest.fixture
def world(db: Any) -> World:
    built = build_world()
    people.save_person(
        built.people["chi"].id, PersonFacts("Đỗ Thị Kim Chi"), now=NOW, by=actor(built, "an")
    )
    people.save_person(built.people["hoa"].id, PersonFacts("Trương Hoà"), now=NOW, by=SYSTEM)
    return built


def test_staff_read_what_concerns_their_units_and_the_administrator_all(
    client: FlaskClient, world: World
) -> None:
    an = signed_in(client, world.accounts["an"]).get("/log").text
    assert "Đỗ Thị Kim Chi" in an
    assert "Trương Hoà" not in an
    quan = signed_in(client.application.test_client(), world.accounts["quan"]).get("/log").text
    assert "Trương Hoà" in quan


def test_the_log_is_narrowed_by_day_person_and_thing(client: FlaskClient, world: World) -> None:
    quan = signed_in(client, world.accounts["quan"])
    assert "Kim Chi" in quan.get("/log?first=2026-11-23&last=2026-11-23&entity=person").text
    assert "Không có mục nào" in quan.get("/log?first=2026-11-24").text
    assert "Không có mục nào" in quan.get("/log?entity=unit").text
    narrowed = quan.get("/log?by=Nguyễn+Văn+An").text
    assert "Kim Chi" in narrowed
    assert "Trương Hoà" not in narrowed
    assert quan.get("/log?first=hôm-qua").status_code == 422


def test_readers_and_instructors_do_not_read_the_log(client: FlaskClient, world: World) -> None:
    for name in ("doc", "binh"):
        someone = signed_in(client.application.test_client(), world.accounts[name])
        assert someone.get("/log").status_code == 403


@pytest.mark.parametrize(("word", "names"), [("action", ACTION_NAMES), ("entity", ENTITY_NAMES)])
def test_whatever_is_logged_has_words_for_readers(word: str, names: dict[str, Any]) -> None:
    written = {
        name
        for path in SERVICES.glob("*.py")
        for name in re.findall(rf'\b{word}="(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert written - set(names) == set()
