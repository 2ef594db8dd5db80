"""The paper register: printed in the phone's order, typed in again as facts of their own source."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Mark, WalkIn
from models import db as handle
from rules.paper import Typed, meeting_of_code
from rules.permissions import Actor, Grant
from rules.refusals import NotAllowed, NotFound
from services import attendance, attendance_shown, paper
from services.meeting_links import actor_of_link, create_meeting_link
from tests.services.test_attendance import mark, person
from tests.world import NOW, World, add_meeting, add_person, build_world

LATER = NOW + timedelta(hours=4)


@pytest.fixture
def world(db) -> World:
    return build_world()


@pytest.fixture
def an(world) -> Actor:
    account = world.accounts["an"]
    return Actor(account.name, account.id, (Grant("staff", world.units["ward-1"].id),))


def new(status: str) -> Typed:
    return Typed("not_marked", status)


def enter(meeting, typed, by, guests=(), **values):
    return paper.enter_paper(meeting.id, typed, guests, now=LATER, by=by, **values)


def marks() -> list[Mark]:
    handle.session.expire_all()
    return list(handle.session.scalars(select(Mark).order_by(Mark.subject)))


def test_the_sheet_has_the_phones_order_and_running_numbers(world, an):
    add_person("DV099", "Nguyễn Thị Hiền", world.units["cell-2"], birth_year=1980)
    handle.session.commit()
    meeting = add_meeting(world, invite=("cell-1", "cell-2"))
    sheet = paper.paper_sheet(meeting.id, now=NOW, by=an)
    rows = [(group.name, line.number, line.name) for group in sheet.groups for line in group.lines]
    register = attendance_shown.register(meeting.id, now=NOW, by=an)["subjects"]
    assert [name for _, _, name in rows] == [one["name"] for one in register]
    assert [number for _, number, _ in rows] == list(range(1, 6))
    assert [group.name for group in sheet.groups] == ["Chi bộ 1", "Chi bộ 2"]
    years = {line.name: line.birth_year for line in sheet.groups[1].lines}
    assert years["Nguyễn Thị Hiền"] == 1980
    assert (sheet.organiser, sheet.above) == ("Đảng bộ phường Một", "Thành uỷ Thử nghiệm")
    assert meeting_of_code(sheet.code) == meeting.id


def test_what_is_typed_is_kept_as_paper_by_the_one_who_typed_it_at_that_time(world, an):
    meeting = add_meeting(world)
    hien, chi = person(world, "hien"), person(world, "chi")
    done = enter(meeting, {hien: new("present"), chi: new("excused")}, an, device="ban-1")
    assert (done.saved, done.refused) == (2, [])
    found = marks()
    assert {one.source for one in found} == {"paper"}
    assert {one.marked_by_id for one in found} == {an.account_id}
    assert {one.tapped_at for one in found} == {one.received_at for one in found} == {LATER}
    counts = attendance_shown.register(meeting.id, now=LATER, by=an)["counts"]
    assert (counts["present"], counts["excused"], counts["not_marked"]) == (1, 1, 1)


def test_a_phones_marks_stay_phone_marks(world, an):
    meeting = add_meeting(world)
    attendance.record_marks(meeting.id, {"marks": [mark(person(world, "hien"))]}, now=LATER, by=an)
    assert [one.source for one in marks()] == ["phone"]


def test_typing_the_same_page_twice_counts_once(world, an):
    meeting = add_meeting(world)
    typed = {person(world, "hien"): new("present")}
    enter(meeting, typed, an)
    assert enter(meeting, typed, an).saved == 0
    assert len(marks()) == 1


def test_who_came_without_being_on_the_list_is_written_down_by_name(world, an):
    meeting = add_meeting(world)
    guests = [("Lê Văn Khách", "Khối 7"), ("  ", ""), ("\u200b", "")]
    assert enter(meeting, {}, an, guests).saved == 1
    guest = handle.session.scalars(select(WalkIn)).one()
    assert (guest.name, guest.unit_text) == ("Lê Văn Khách", "Khối 7")
    sheet = paper.paper_sheet(meeting.id, now=LATER, by=an)
    assert [(group.name, group.lines[0].unit) for group in sheet.groups][-1] == ("", "Khối 7")


def test_a_locked_register_takes_nothing_typed_and_says_why_for_each(world, an):
    meeting = add_meeting(world, register_state="locked")
    done = enter(meeting, {person(world, "hien"): new("present")}, an)
    assert done.saved == 0
    ((name, reason),) = done.refused
    assert name == "Nguyễn Thị Hiền"
    assert "khoá sổ" in str(reason)
    assert marks() == []


def test_more_rows_than_one_batch_are_all_kept(world, an, monkeypatch):
    monkeypatch.setattr(paper, "MARKS_PER_BATCH", 2)
    meeting = add_meeting(world)
    typed = {person(world, one): new("late") for one in ("hien", "chi", "anh")}
    assert enter(meeting, typed, an).saved == 3
    assert len(marks()) == 3


def test_the_meetings_link_types_too_and_readers_and_other_wards_do_not(world, an):
    meeting = add_meeting(world)
    made = create_meeting_link(meeting.id, now=NOW, by=an)
    link = actor_of_link(made.token, now=NOW)
    assert link is not None
    assert enter(meeting, {person(world, "hien"): new("present")}, link).saved == 1
    assert marks()[0].link_id == link.link_id
    doc, dung = world.accounts["doc"], world.accounts["dung"]
    reader = Actor(doc.name, doc.id, (Grant("reader", None),))
    other = Actor(dung.name, dung.id, (Grant("staff", world.units["ward-2"].id),))
    for by, refused in ((reader, NotAllowed), (other, NotFound)):
        with pytest.raises(refused):
            paper.paper_sheet(meeting.id, now=NOW, by=by)
        with pytest.raises(refused):
            enter(meeting, {}, by)
