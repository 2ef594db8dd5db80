"""A unit's letterhead through its page: kept, bounded, and within scope."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import db
from services.letterheads import letterhead_of
from tests.world import NOW, World, build_world, signed_in

MARGINS = {"margin_top": 20, "margin_bottom": 20, "margin_left": 30, "margin_right": 15}


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def test_a_letterhead_follows_the_tree_until_it_is_chosen(
    client: FlaskClient, world: World
) -> None:
    an = signed_in(client, world.accounts["an"])
    ward = world.units["ward-1"].id
    head = letterhead_of(db.session(), ward, NOW)
    assert (head.superior, head.issuer) == ("THÀNH UỶ THỬ NGHIỆM", "ĐẢNG BỘ PHƯỜNG MỘT")
    path = f"/units/{ward}/letterhead"
    assert an.get(path).status_code == 200
    chosen = MARGINS | {"issuer": "BAN XÂY DỰNG ĐẢNG", "recipients": "Thường trực,\r\n\r\nLưu."}
    assert an.post(path, data=chosen).status_code == 303
    db.session.rollback()
    head = letterhead_of(db.session(), ward, NOW)
    assert (head.issuer, head.left) == ("BAN XÂY DỰNG ĐẢNG", 30)
    assert head.recipients == ("Thường trực,", "Lưu.")


def test_a_margin_out_of_bounds_and_another_wards_head_are_refused(
    client: FlaskClient, world: World
) -> None:
    an = signed_in(client, world.accounts["an"])
    own, other = (world.units[key].id for key in ("ward-1", "ward-2"))
    wrong = MARGINS | {"margin_left": 300}
    assert an.post(f"/units/{own}/letterhead", data=wrong).status_code == 422
    assert an.get(f"/units/{other}/letterhead").status_code == 404
    assert an.post(f"/units/{other}/letterhead", data=MARGINS).status_code in (404, 422)
