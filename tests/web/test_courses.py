"""The courses' pages: opening a class, enrolling from anywhere, results, and who sees what."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from models import Course, CourseType, Enrolment, Invitation, Meeting, RegisterLine
from rules.days import instant, local_day
from tests.world import World, add_meeting, build_world, signed_in

TODAY = local_day(datetime.now(UTC))


@pytest.fixture
def world(db: Any) -> World:
    made = build_world()
    db.session.add(CourseType(code="NTVD", name="Nhận thức về Đảng", name_en="Party awareness"))
    db.session.commit()
    return made


def filled(world: World, **values: Any) -> dict[str, Any]:
    form = {
        "code": "NTVD-01",
        "title": "Lớp nhận thức về Đảng khoá 1",
        "type_code": "NTVD",
        "organiser_id": world.units["ward-1"].id,
        "opens_on": TODAY.isoformat(),
        "closes_on": (TODAY + timedelta(days=30)).isoformat(),
        "state": "open",
    }
    return form | values


@pytest.fixture
def course(client: FlaskClient, world: World) -> str:
    signed_in(client, world.accounts["an"])
    assert client.post("/courses/", data=filled(world)).status_code == 303
    return "/courses/NTVD-01"


def learners(db: Any) -> list[Enrolment]:
    db.session.rollback()
    return list(db.session.scalars(select(Enrolment).order_by(Enrolment.id)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": ""},
        {"code": "a/b"},
        {"title": ""},
        {"closes_on": "2001-01-01"},
        {"type_code": "KHONG"},
        {"capacity": "0"},
        {"organiser_id": "9999"},
    ],
)
def test_a_wrong_course_comes_back_with_422(
    client: FlaskClient, world: World, wrong: dict[str, Any]
) -> None:
    signed_in(client, world.accounts["an"])
    assert client.post("/courses/", data=filled(world, **wrong)).status_code == 422


def test_a_code_is_used_once(client: FlaskClient, world: World, course: str) -> None:
    assert client.post("/courses/", data=filled(world)).status_code == 422


def test_learners_come_from_any_ward_stamped_with_their_unit(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    codes = {"way": "codes", "people": "DV001 Đỗ Thị Kim Chi\nDV005"}
    assert client.post(f"{course}/enrolments", data=codes).status_code == 303
    assert [row.unit_id for row in learners(db)] == [
        world.units["cell-1"].id,
        world.units["cell-3"].id,
    ]
    assert client.post(f"{course}/enrolments", data=codes).status_code == 303
    assert len(learners(db)) == 2
    wrong = client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV002\nXX"})
    assert wrong.status_code == 422
    assert "XX" in wrong.text
    assert len(learners(db)) == 2


def test_whole_units_and_people_outside_the_roll(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    unit = {"way": "unit", "unit": world.units["cell-1"].id}
    assert client.post(f"{course}/enrolments", data=unit).status_code == 303
    assert len(learners(db)) == 3
    outside = {"way": "outsiders", "people": "Hoàng Thị Ngọc\nLê Văn Út"}
    assert client.post(f"{course}/enrolments", data=outside).status_code == 303
    assert len(learners(db)) == 5
    assert "ngoài danh sách đảng viên" in client.get(course).text


def test_who_sent_learners_sees_only_their_own(
    client: FlaskClient, world: World, course: str
) -> None:
    signed_in(client, world.accounts["dung"])
    assert client.get(course).status_code == 404
    signed_in(client, world.accounts["an"])
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV005"})
    signed_in(client, world.accounts["dung"])
    page = client.get(course).text
    assert "Trương Hoà" in page
    assert "Kim Chi" not in page
    assert client.get(f"{course}/edit").status_code in (200, 404)
    assert client.get(f"{course}/results").status_code == 404
    sent = {"was-1": "", "result-1": "good"}
    assert client.post(f"{course}/results", data=sent).status_code == 404


def test_learners_are_invited_to_published_meetings_and_withdrawn_ones_no_more(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001"})
    row = learners(db)[0]
    meeting = add_meeting(
        world,
        at=instant(TODAY + timedelta(days=3), time(8)),
        kind="class",
        course_id=row.course_id,
        invite=(),
    )
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV005"})
    db.session.rollback()
    invited = select(Invitation).where(Invitation.meeting_id == meeting.id)
    assert {one.source for one in db.session.scalars(invited)} == {"course"}
    assert len(db.session.scalars(invited).all()) == 2
    answer = client.post(f"{course}/enrolments/{row.person_id}/withdrawal")
    assert answer.status_code == 303
    db.session.rollback()
    left = db.session.scalars(invited.where(Invitation.removed_at.is_(None))).all()
    assert [one.person_id for one in left] == [world.people["hoa"].id]


def test_results_are_kept_and_nonsense_refused(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001"})
    person = world.people["chi"].id
    good = {
        f"was-{person}": "",
        f"result-{person}": "good",
        f"was-number-{person}": "",
        f"number-{person}": "01/GCN",
    }
    assert client.post(f"{course}/results", data=good).status_code == 303
    [row] = learners(db)
    assert (row.result, row.certificate_number) == ("good", "01/GCN")
    assert row.certificate_on == TODAY + timedelta(days=30)
    bad = client.post(f"{course}/results", data=good | {f"result-{person}": "tuyệt"})
    assert bad.status_code == 422


def entered(world: World, **results: tuple[str, str]) -> dict[str, str]:
    """What the page of results sends: what it showed and what was chosen, by person."""
    sent: dict[str, str] = {}
    for name, (was, result) in results.items():
        person = world.people[name].id
        sent |= {f"was-{person}": was, f"result-{person}": result}
    return sent


def test_results_are_entered_one_learner_a_row_without_script(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002\nDV005"})
    page = client.get(f"{course}/results").text
    assert page.count('data-rows="row"') == 3
    for key, word in enumerate(("Xuất sắc", "Giỏi", "Khá", "Đạt", "Không đạt"), 1):
        assert f"<kbd>{key}</kbd> {word}" in page
    sent = entered(world, chi=("", "excellent"), hien=("", ""), hoa=("", "failed"))
    answer = client.post(f"{course}/results", data=sent, follow_redirects=True)
    assert "Đã ghi kết quả của 2 học viên." in answer.text
    found = {row.person_id: row.result for row in learners(db)}
    assert found == {
        world.people["chi"].id: "excellent",
        world.people["hien"].id: None,
        world.people["hoa"].id: "failed",
    }
    assert "Đã có kết quả: 2/3" in client.get(course).text


def test_what_another_wrote_meanwhile_is_not_written_over_and_what_was_typed_stays(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002"})
    client.post(f"{course}/results", data=entered(world, chi=("", "good")))
    late = client.post(
        f"{course}/results", data=entered(world, chi=("", "fair"), hien=("", "passed"))
    )
    assert late.status_code == 409
    assert "Đỗ Thị Kim Chi" in late.text
    chi = world.people["chi"].id
    typed = f'name="result-{chi}" value="fair" checked'
    assert typed in late.text
    assert {row.person_id: row.result for row in learners(db)} == {
        chi: "good",
        world.people["hien"].id: "passed",
    }
    client.post(f"{course}/results", data=entered(world, chi=("good", "fair")))
    assert next(row.result for row in learners(db) if row.person_id == chi) == "fair"


def test_a_number_given_twice_writes_nothing(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002"})
    sent = entered(world, chi=("", "good"), hien=("", "good"))
    for name in ("chi", "hien"):
        person = world.people[name].id
        sent |= {f"was-number-{person}": "", f"number-{person}": "09/GCN"}
    answer = client.post(f"{course}/results", data=sent)
    assert answer.status_code == 409
    assert "đã cấp trong năm" in answer.text
    assert {row.result for row in learners(db)} == {None}


def test_a_full_class_takes_nobody_more(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(course, data=filled(world, capacity="1"))
    answer = client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002"})
    assert answer.status_code == 422
    assert learners(db) == []


def test_coming_meetings_move_together_by_days(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    meeting = add_meeting(world, at=datetime.now(UTC) + timedelta(days=5))
    meeting.course_id = db.session.scalar(select(Course.id))
    db.session.commit()
    before = meeting.starts_at
    assert client.post(f"{course}/shifts", data={"days": "0"}).status_code == 409
    assert client.post(f"{course}/shifts", data={"days": "7"}).status_code == 303
    db.session.rollback()
    db.session.refresh(meeting)
    assert meeting.starts_at == before + timedelta(days=7)


def test_pasted_results_are_written_all_or_none_and_certificates_numbered_once(
    client: FlaskClient, course: str, db: Any
) -> None:
    people = {"way": "codes", "people": "DV001\nDV002\nDV003"}
    client.post(f"{course}/enrolments", data=people)
    wrong = client.post(f"{course}/results/pasting", data={"lines": "DV001\tgiỏi\nDV009\tkhá"})
    assert wrong.status_code == 422
    assert "2 (DV009)" in wrong.text
    assert {row.result for row in learners(db)} == {None}
    lines = "DV001\tgiỏi\nNguyễn Thị Hiền\txs\nDV003\tkđ"
    assert client.post(f"{course}/results/pasting", data={"lines": lines}).status_code == 303
    numbers = {"first": "7", "suffix": "/GCN", "on": TODAY.isoformat()}
    assert client.post(f"{course}/certificates", data=numbers).status_code == 303
    given = {row.certificate_number for row in learners(db)}
    assert given == {"07/GCN", "08/GCN", None}
    again = client.post(f"{course}/certificates", data=numbers)
    assert again.status_code == 409
    doubled = client.post(f"{course}/results/pasting", data={"lines": "DV003\tđạt\t07/GCN"})
    assert doubled.status_code == 409
    register = client.get(f"/courses/years/{TODAY.year}/certificates").text
    assert "07/GCN" in register
    assert "Đỗ Thị Kim Chi" in register


def test_a_years_plan_stands_beside_what_was_opened(
    client: FlaskClient, world: World, course: str
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002"})
    line = {
        "organiser_id": world.units["ward-1"].id,
        "type_code": "NTVD",
        "classes": "3",
        "learners": "90",
    }
    path = f"/courses/years/{TODAY.year}/plan"
    assert client.post(path, data=line | {"classes": "-1"}).status_code == 422
    page = client.post(path, data=line, follow_redirects=True).text
    assert "1/3" in page
    assert "2/90" in page
    page = client.post(path, data=line | {"classes": "0"}, follow_redirects=True).text
    assert "1/0" in page
    other = line | {"organiser_id": world.units["ward-2"].id}
    assert client.post(path, data=other).status_code == 422
    assert client.get("/courses/years/9999/plan").status_code == 422


def test_who_was_absent_often_is_marked_and_may_still_pass(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    client.post(f"{course}/enrolments", data={"way": "codes", "people": "DV001\nDV002"})
    course_id = db.session.scalars(select(Course.id)).one()
    meeting = add_meeting(
        world, kind="class", course_id=course_id, state="held", register_state="submitted"
    )
    present = world.people["hien"].id
    db.session.add(
        RegisterLine(
            meeting_id=meeting.id,
            subject=f"m:{present}",
            person_id=present,
            status="present",
            mark_id="x",
        )
    )
    db.session.commit()
    page = client.get(course).text
    assert page.count("vắng nhiều") == 1
    assert "nửa ngày" in page


def sitting(world: World, course: str, **values: Any) -> dict[str, Any]:
    """A sitting of the class as the form of a meeting sends it."""
    day = TODAY + timedelta(days=4)
    form = {
        "kind": "class",
        "topic": "Bài 1",
        "course_id": course,
        "on": day.isoformat(),
        "starts": "08:00",
        "ends": "11:00",
        "mode": "in_person",
        "place": "Hội trường",
        "organiser_id": world.units["ward-1"].id,
        "counting": "roll",
    }
    return form | values


def test_a_sitting_says_its_periods_and_they_add_up_beside_the_plan(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    kind = db.session.get_one(CourseType, "NTVD")
    kind.periods, kind.sittings = 50, 10
    db.session.commit()
    client.post(course, data=filled(world, periods="12"))
    course_id = db.session.scalar(select(Course.id))
    usual = client.post("/meetings/", data=sitting(world, course_id))
    assert usual.status_code == 303
    said = client.post(
        "/meetings/", data=sitting(world, course_id, starts="13:30", ends="16:30", periods="4")
    )
    assert said.status_code == 303
    wrong = client.post("/meetings/", data=sitting(world, course_id, periods="25"))
    assert wrong.status_code == 422
    elsewhere = sitting(world, "", kind="outreach", counting="heads", periods="2")
    assert client.post("/meetings/", data=elsewhere).status_code == 422
    db.session.rollback()
    meetings = db.session.scalars(select(Meeting).order_by(Meeting.id)).all()
    assert [one.periods for one in meetings] == [5, 4]
    page = client.get(course).text
    assert "5 tiết" in page
    assert "Xếp vào các buổi: 9 tiết" in page
    assert "Chưa khớp kế hoạch" in page
    meetings[0].state = "held"
    db.session.commit()
    assert "5/12" in client.get(course).text
    assert "5/12" in client.get("/courses/").text
    sheet = client.get("/documents/class-list/NTVD-01").text
    assert "đã học 5/12 tiết" in sheet


def test_the_list_comes_in_pages_the_newest_first(
    client: FlaskClient, world: World, course: str, db: Any
) -> None:
    for number in range(25):
        opened = TODAY - timedelta(days=30 + number)
        db.session.add(
            Course(
                code=f"CU-{number:02}",
                type_code="NTVD",
                title=f"Lớp cũ {number:02}",
                organiser_id=world.units["ward-1"].id,
                opens_on=opened,
                closes_on=opened,
                state="finished",
                created_at=datetime.now(UTC),
            )
        )
    db.session.commit()
    first = client.get("/courses/").text
    assert first.count('<th scope="row"') == 20
    assert "NTVD-01" in first
    second = client.get("/courses/?page=2").text
    assert second.count('<th scope="row"') == 6
    assert "CU-24" in second
    found = client.get("/courses/?q=lop+24&page=9").text
    assert found.count('<th scope="row"') == 1
