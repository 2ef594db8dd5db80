"""The people's pages: lists, one person, and forms that come back when wrong."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from models import Household, Membership, Person, db
from tests.world import World, add_person, build_world, signed_in


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def an(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["an"])


def test_the_list_shows_the_ward_and_finds_by_one_letter(an: FlaskClient) -> None:
    page = an.get("/people").text
    assert "Đỗ Thị Kim Chi" in page
    assert "Trương Hoà" not in page
    found = an.get("/people?q=h").text
    assert "Nguyễn Thị Hiền" in found
    assert "Kim Chi" not in found


def test_the_list_asks_as_many_questions_for_many_as_for_few(an: FlaskClient, world: World) -> None:
    def questions() -> int:
        asked: list[str] = []

        def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
            asked.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        an.get("/people")
        event.remove(db.engine, "before_cursor_execute", note)
        return len(asked)

    # The least of three times: what is asked once in a while (the banners) falls into one.
    few = min(questions() for _ in range(3))
    for number in range(40):
        add_person(f"X{number}", f"Người Thứ{'a' * number}", world.units["cell-1"])
    db.session.commit()
    assert min(questions() for _ in range(3)) == few
    assert few < 25


def test_a_member_of_another_ward_is_not_found(an: FlaskClient, world: World) -> None:
    person_id = world.people["hoa"].id
    for path in ("", "/edit"):
        assert an.get(f"/people/{person_id}{path}").status_code == 404
    sent = an.post(f"/people/{person_id}", data={"full_name": "Tên Khác", "language": "vi"})
    assert sent.status_code == 404


def test_a_member_is_added_changed_and_moved_through_the_forms(
    an: FlaskClient, world: World
) -> None:
    cell, other = world.units["cell-1"].id, world.units["cell-2"].id
    form = {"full_name": "Lê Thị Mới", "unit": str(cell), "standing": "full", "language": "vi"}
    made = an.post("/people", data=form | {"joined_on": "2026-06-01", "birth_year": ""})
    assert made.status_code == 303
    page = made.location
    changed = an.post(
        page, data={"full_name": "Lê Thị Mới", "language": "vi", "phone": "0912345678"}
    )
    assert changed.status_code == 303
    assert "0912 345 678" in an.get(page).text
    moved = {"transfer-unit": str(other), "transfer-from_on": "2026-07-01"}
    assert an.post(f"{page}/memberships", data=moved).status_code == 303
    assert "Chi bộ 2" in an.get(page).text


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("/memberships", {"transfer-unit": "", "transfer-from_on": "2026-07-01"}, "chi bộ|phạm vi"),
        ("/memberships", {"transfer-unit": "99999", "transfer-from_on": "x"}, "danh sách"),
        (
            "/exemptions",
            {"exemption-from_on": "2026-07-02", "exemption-until_on": "2026-07-01"},
            "Ngày cuối được miễn",
        ),
        ("/leaving", {"leaving-kind": "left", "leaving-on": "2026-07-01"}, "ghi lý do"),
        ("/leaving", {"leaving-kind": "khác", "leaving-on": "2026-07-01"}, "danh sách"),
        ("", {"full_name": "", "language": "vi"}, "Hãy điền ô này."),
        ("", {"full_name": "Chi", "email": "x", "language": "vi"}, "không phải địa chỉ thư"),
    ],
)
def test_a_wrong_form_comes_back_with_a_sentence_and_writes_nothing(
    an: FlaskClient, world: World, path: str, form: dict[str, str], said: str
) -> None:
    chi = world.people["chi"].id
    answer = an.post(f"/people/{chi}{path}", data=form)
    assert answer.status_code == 422
    assert any(part in answer.text for part in said.split("|"))
    db.session.rollback()
    assert db.session.get_one(Person, chi).full_name == "Đỗ Thị Kim Chi"
    assert [row.valid_to for row in db.session.query(Membership).filter_by(person_id=chi)] == [None]


def test_readers_see_people_and_change_nothing(client: FlaskClient, world: World) -> None:
    doc = signed_in(client, world.accounts["doc"])
    page = doc.get(f"/people/{world.people['chi'].id}")
    assert page.status_code == 200
    assert "Ghi thay đổi" not in page.text
    assert doc.post(f"/people/{world.people['chi'].id}", data={}).status_code == 403


def test_households_are_listed_added_and_moved(an: FlaskClient, world: World) -> None:
    group = world.units["group-1"].id
    page = an.get("/households").text
    assert "Khối 1" in page
    assert "Khối 2" not in page
    form = {"unit": str(group), "number": "40", "joined_on": "2026-06-01"}
    made = an.post("/households", data=form)
    assert made.status_code == 303
    assert an.get(made.location).status_code == 200
    assert an.get(f"{made.location}/edit").status_code == 200
    gone = {"move-unit": "", "move-from_on": "2026-07-01"}
    assert an.post(f"{made.location}/residences", data=gone).status_code == 303
    assert "Đã chuyển khỏi địa bàn" in an.get(made.location).text
    assert an.post("/households", data=form | {"number": "3"}).status_code == 422
    assert db.session.query(Household).filter_by(number="40").count() == 1
