"""A scan at the door is a claim; only a confirmed one reaches the register."""

from datetime import UTC, timedelta

import pytest
from sqlalchemy import func, select

from models import Attempt, AuditEntry, Claim, Mark, RegisterLine
from models import db as handle
from rules.door import Outcome
from rules.permissions import Actor, Grant
from rules.refusals import Malformed, NotAllowed, NotFound, Refusal, TooManyAttempts
from services import attendance, attendance_shown, door, feeds
from services.attendance_ledger import new_mark
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import NOW, World, add_meeting, build_world

AT = NOW + timedelta(minutes=30)


@pytest.fixture
def world(db) -> World:
    return build_world()


@pytest.fixture
def meeting(world):
    return add_meeting(world)


@pytest.fixture
def an(world) -> Actor:
    account = world.accounts["an"]
    return Actor(account.name, account.id, (Grant("staff", world.units["ward-1"].id),))


def passed(meeting, an, now=AT) -> str:
    found = door.entry_pass(meeting.id, door.screen(meeting.id, now=now, by=an).code, now=now)
    assert found is not None
    return found.text


def claim(meeting, text, code="DV002", given_name="Hiền", now=AT, **values):
    return door.claim(meeting.id, text, code=code, given_name=given_name, now=now, **values)


def count(table) -> int:
    handle.session.expire_all()
    return handle.session.scalar(select(func.count()).select_from(table)) or 0


def test_a_scan_is_kept_as_a_claim_and_leaves_the_register_alone(world, meeting, an):
    answer = claim(meeting, passed(meeting, an), device="may-1")
    assert answer.outcome == Outcome.CONFIRMED
    assert count(Claim) == 1
    assert count(Mark) == count(RegisterLine) == 0
    waiting = door.claims(meeting.id, now=AT, by=an).waiting
    assert [(one.name, one.unit, one.status) for one in waiting] == [
        ("Nguyễn Thị Hiền", "Chi bộ 1", "")
    ]


def test_scanning_twice_is_told_and_kept_once(world, meeting, an):
    text = passed(meeting, an)
    claim(meeting, text)
    assert claim(meeting, text).outcome == Outcome.ALREADY
    assert count(Claim) == 1


def test_confirming_writes_a_mark_by_the_one_who_confirms(world, meeting, an):
    claim(meeting, passed(meeting, an))
    (row,) = door.claims(meeting.id, now=AT, by=an).waiting
    done = door.confirm_claims(meeting.id, [row.id], now=AT, by=an, device="cua-1")
    assert (done.confirmed, done.left, done.reason) == (1, 0, None)
    mark = handle.session.scalars(select(Mark)).one()
    assert (mark.status, mark.marked_by_id, mark.device) == ("present", an.account_id, "cua-1")
    kept = handle.session.scalars(select(Claim)).one()
    assert (kept.state, kept.settled_by_id) == ("confirmed", an.account_id)
    actions = handle.session.scalars(select(AuditEntry.action)).all()
    assert {"claimed", "claims_confirmed", "marked"} <= set(actions)


def test_confirming_all_leaves_whom_somebody_marked_as_absent(world, meeting, an):
    text = passed(meeting, an)
    claim(meeting, text)
    claim(meeting, text, "DV003", "Ánh")
    absent = f"m:{world.people['anh'].id}"
    attendance.record_marks(
        meeting.id, {"marks": [new_mark(absent, "unexcused", AT)]}, now=AT, by=an
    )
    done = door.confirm_claims(meeting.id, None, now=AT, by=an)
    assert (done.confirmed, done.left) == (1, 1)
    (left,) = door.claims(meeting.id, now=AT, by=an).waiting
    assert (left.name, left.status) == ("Vũ Ánh", "unexcused")
    later = AT + timedelta(minutes=1)
    door.confirm_claims(meeting.id, [left.id], status="late", now=later, by=an)
    found = attendance_shown.register(meeting.id, now=later, by=an)["subjects"]
    assert {one["subject"]: one["status"] for one in found}[absent] == "late"


def test_confirming_again_after_a_stop_half_way_gives_no_second_mark(world, meeting, an):
    claim(meeting, passed(meeting, an))
    subject = f"m:{world.people['hien'].id}"
    attendance.record_marks(meeting.id, {"marks": [new_mark(subject, "late", AT)]}, now=AT, by=an)
    done = door.confirm_claims(meeting.id, None, now=AT, by=an)
    assert (done.confirmed, done.left) == (1, 0)
    assert count(Mark) == 1


def test_a_claim_the_register_refuses_waits_on_with_its_reason(world, meeting, an):
    claim(meeting, passed(meeting, an))
    meeting.register_state = "locked"
    handle.session.commit()
    done = door.confirm_claims(meeting.id, None, now=AT, by=an)
    assert (done.confirmed, done.left) == (0, 1)
    assert done.reason is not None
    assert "khoá sổ" in str(done.reason)


def test_a_refused_claim_is_put_aside_and_may_be_made_again(world, meeting, an):
    text = passed(meeting, an)
    claim(meeting, text)
    (row,) = door.claims(meeting.id, now=AT, by=an).waiting
    door.refuse_claim(meeting.id, row.id, now=AT, by=an)
    found = door.claims(meeting.id, now=AT, by=an)
    assert (len(found.waiting), len(found.refused)) == (0, 1)
    assert claim(meeting, text).outcome == Outcome.CONFIRMED
    assert len(door.claims(meeting.id, now=AT, by=an).waiting) == 1


def test_a_wrong_name_and_a_person_not_expected_look_alike(world, meeting, an):
    text = passed(meeting, an)
    wrong_name = claim(meeting, text, given_name="Hoa")
    unknown = claim(meeting, text, code="DV999")
    stranger = claim(meeting, text, code="DV006", given_name="Em")
    assert {one.outcome for one in (wrong_name, unknown, stranger)} == {Outcome.NOT_ON_ROLL}
    assert count(Claim) == 0


def test_whoever_is_expected_elsewhere_that_day_is_sent_there(world, meeting, an):
    add_meeting(world, invite=("cell-4",), topic="Lớp của phường Hai", at=AT)
    answer = claim(meeting, passed(meeting, an), code="dv006", given_name="em")
    assert answer.outcome == Outcome.OTHER_MEETING
    assert "Lớp của phường Hai" in answer.words["elsewhere"]


def test_before_the_doors_open_and_after_they_close_the_screen_shows_no_code(world, meeting, an):
    early = meeting.starts_at - timedelta(hours=3)
    late = meeting.ends_at + timedelta(hours=1, seconds=1)
    assert door.screen(meeting.id, now=early, by=an).outcome == Outcome.NOT_YET_OPEN
    assert door.screen(meeting.id, now=late, by=an).outcome == Outcome.OVER
    assert door.screen(meeting.id, now=early, by=an).code == ""
    assert door.screen(meeting.id, now=late - timedelta(seconds=2), by=an).code


def test_a_cancelled_meeting_says_so_to_whoever_scanned_just_before(world, meeting, an):
    text = passed(meeting, an)
    meeting.state = "cancelled"
    handle.session.commit()
    assert claim(meeting, text).outcome == Outcome.CANCELLED


def test_a_pass_ends_after_ten_minutes_and_opens_no_other_meeting(world, meeting, an):
    text = passed(meeting, an)
    with pytest.raises(Refusal):
        claim(meeting, text, now=AT + timedelta(minutes=10, seconds=1))
    other = add_meeting(world)
    for wrong in (text, "", "abc", f"{other.id}:9.{'x' * 22}", text[:-1]):
        with pytest.raises(Refusal):
            claim(other, wrong)


def test_a_draft_has_no_door(world, an):
    draft = add_meeting(world, state="draft")
    assert door.screen(draft.id, now=AT, by=an).code == ""
    assert door.entry_pass(draft.id, "12345678", now=AT) is None
    assert door.entry_pass(999_999, "12345678", now=AT) is None


def test_one_member_code_can_only_be_tried_a_few_times(world, meeting, an):
    text = passed(meeting, an)
    for _ in range(door.TRIES_OF_ONE_MEMBER):
        claim(meeting, text, given_name="Sai")
    with pytest.raises(TooManyAttempts):
        claim(meeting, text)
    assert claim(meeting, text, "DV003", "Ánh").outcome == Outcome.CONFIRMED
    assert count(Attempt) > 0


def test_a_browser_that_is_known_needs_no_code(world, meeting, an):
    person = world.people["hien"]
    answer = door.claim(meeting.id, passed(meeting, an), person_id=person.id, now=AT)
    assert (answer.outcome, answer.person_id) == (Outcome.CONFIRMED, person.id)
    assert door.given_name_of(person.id) == "Hiền"
    assert door.given_name_of(999_999) == ""


def test_scanning_a_members_own_code_marks_them_at_once_and_ends_their_claim(world, meeting, an):
    claim(meeting, passed(meeting, an))
    assert door.scan(meeting.id, " dv002 ", now=AT, by=an).outcome == Outcome.CONFIRMED
    assert door.scan(meeting.id, "DV002", now=AT, by=an).outcome == Outcome.ALREADY
    assert count(Mark) == 1
    assert door.claims(meeting.id, now=AT, by=an).confirmed == 1
    assert door.scan(meeting.id, "DV006", now=AT, by=an).outcome == Outcome.NOT_ON_ROLL
    assert door.scan(meeting.id, "không có", now=AT, by=an).outcome == Outcome.NOT_ON_ROLL
    with pytest.raises(Malformed):
        door.scan(meeting.id, " \u200b", now=AT, by=an)


def test_several_claims_from_one_phone_are_shown_as_such(world, meeting, an):
    text = passed(meeting, an)
    claim(meeting, text, device="may-1")
    claim(meeting, text, "DV003", "Ánh", device="may-1")
    assert [one.same_device for one in door.claims(meeting.id, now=AT, by=an).waiting] == [2, 2]


def test_a_helpers_link_confirms_but_only_at_its_own_meeting(world, meeting, an):
    claim(meeting, passed(meeting, an))
    made = create_meeting_link(meeting.id, can_submit=False, now=AT, by=an)
    helper = actor_of_link(made.token, now=AT)
    assert helper is not None
    assert door.confirm_claims(meeting.id, None, now=AT, by=helper).confirmed == 1
    other = add_meeting(world)
    for act in (
        lambda: door.screen(other.id, now=AT, by=helper),
        lambda: door.claims(other.id, now=AT, by=helper),
        lambda: door.scan(other.id, "DV002", now=AT, by=helper),
        lambda: door.confirm_claims(other.id, None, now=AT, by=helper),
        lambda: door.refuse_claim(other.id, 1, now=AT, by=helper),
    ):
        with pytest.raises(NotFound):
            act()


def test_readers_and_other_wards_see_neither_code_nor_claims(world, meeting):
    doc = world.accounts["doc"]
    reader = Actor(doc.name, doc.id, (Grant("reader", world.units["city"].id),))
    with pytest.raises(NotAllowed):
        door.screen(meeting.id, now=AT, by=reader)
    dung = world.accounts["dung"]
    staff = Actor(dung.name, dung.id, (Grant("staff", world.units["ward-2"].id),))
    with pytest.raises(NotFound):
        door.claims(meeting.id, now=AT, by=staff)


def test_a_member_card_is_behind_their_calendar_address_until_it_is_revoked(world, meeting, an):
    address = feeds.create_member_feed("DV001", now=NOW, by=an)
    token = address.rpartition("/")[2].removesuffix(".ics")
    card = door.member_card(token)
    assert (card.code, card.given_name) == ("DV001", "Chi")
    feeds.create_member_feed("DV001", now=NOW.astimezone(UTC), by=an, rotate=True)
    with pytest.raises(NotFound):
        door.member_card(token)
