"""Marks become facts, facts a register; nothing is lost, nothing counted twice."""

import uuid
from datetime import datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from models import AuditEntry, Campaign, Invitation, Mark, Meeting, RegisterLine, RollEntry, WalkIn
from models import db as handle
from rules.attendance import Mark as Fact
from rules.attendance import Status, current_statuses
from rules.permissions import Actor, Grant
from rules.refusals import Malformed, NotAllowed, NotFound
from services import attendance, attendance_shown, attendance_states
from services.attendance_ledger import new_mark_id
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import NOW, TODAY, World, add_meeting, build_world

AT = NOW + timedelta(minutes=30)


@pytest.fixture
def world(db) -> World:
    return build_world()


def staff(world: World, name: str = "an", ward: str | None = "ward-1") -> Actor:
    account = world.accounts[name]
    return Actor(
        account.name, account.id, (Grant("staff", world.units[ward].id if ward else None),)
    )


def mark(subject: str, status: str = "present", at: datetime = AT, **values) -> dict:
    return {
        "id": str(uuid.uuid4()),
        "subject": subject,
        "status": status,
        "tapped_at": at.isoformat(),
        **values,
    }


def send(meeting: Meeting, *marks: dict, by: Actor, now: datetime = AT, device: str = "phone-1"):
    return attendance.record_marks(
        meeting.id, {"marks": list(marks)}, now=now, by=by, device=device
    )


def kinds(recorded: attendance.Recorded) -> list[str]:
    return [verdict.kind for _, verdict in recorded.verdicts]


def statuses(register: dict) -> dict[str, str]:
    return {one["subject"]: one["status"] for one in register["subjects"]}


def person(world: World, name: str) -> str:
    return f"m:{world.people[name].id}"


def test_a_mark_is_kept_and_counted_with_the_unit_of_the_day(world):
    meeting = add_meeting(world)
    done = send(meeting, mark(person(world, "hien")), by=staff(world))
    assert kinds(done) == ["stored"]
    handle.session.expire_all()
    row = handle.session.scalars(select(Mark)).one()
    assert row.unit_id == world.units["cell-1"].id
    assert row.corrected_at == row.tapped_at == AT
    assert (meeting.register_state, meeting.register_version) == ("draft", 1)
    assert (meeting.present_count, meeting.visits_count) == (1, 1)
    assert done.register["counts"]["present"] == 1
    assert done.register["counts"]["not_marked"] == 2


def test_a_phone_that_sends_twice_is_counted_once(world):
    meeting = add_meeting(world)
    marks = [mark(person(world, "hien")), mark(person(world, "chi"), "late")]
    first = send(meeting, *marks, by=staff(world))
    again = send(meeting, *marks, by=staff(world), now=AT + timedelta(hours=1))
    assert kinds(again) == ["known", "known"]
    assert statuses(first.register) == statuses(again.register)
    handle.session.expire_all()
    assert handle.session.scalar(select(func.count()).select_from(Mark)) == 2
    assert meeting.register_version == 1
    written = select(func.count()).where(AuditEntry.action == "marked")
    assert handle.session.scalar(written) == 1


def test_the_same_id_with_another_body_is_refused_and_the_first_stands(world):
    meeting, other = add_meeting(world), add_meeting(world)
    first = mark(person(world, "hien"))
    send(meeting, first, by=staff(world))
    changed = send(meeting, first | {"status": "unexcused"}, by=staff(world))
    assert kinds(changed) == ["refused"]
    assert kinds(send(other, first, by=staff(world))) == ["refused"]
    assert statuses(changed.register)[person(world, "hien")] == "present"


def test_one_bad_mark_does_not_hold_back_the_others(world):
    meeting = add_meeting(world)
    done = send(
        meeting,
        mark("m:99999999999999999999"),
        mark("m:abc"),
        mark("h:0"),
        mark(person(world, "hoa")),
        {"id": "x"},
        mark(person(world, "hien")),
        by=staff(world),
    )
    assert kinds(done) == ["refused"] * 5 + ["stored"]
    assert all(verdict.reason for _, verdict in done.verdicts[:5])


def test_taking_back_leaves_the_fact_and_clears_the_line(world):
    meeting = add_meeting(world)
    tapped = mark(person(world, "hien"))
    send(meeting, tapped, by=staff(world))
    undo = mark(person(world, "hien"), "none", AT + timedelta(seconds=5), annuls=tapped["id"])
    done = send(meeting, undo, by=staff(world), now=AT + timedelta(minutes=1))
    assert statuses(done.register)[person(world, "hien")] == "not_marked"
    handle.session.expire_all()
    assert handle.session.scalar(select(func.count()).select_from(Mark)) == 2
    assert handle.session.scalar(select(func.count()).select_from(RegisterLine)) == 0
    assert meeting.present_count == 0


def test_a_walk_in_is_written_down_with_the_first_mark(world):
    meeting = add_meeting(world)
    subject = f"w:{uuid.uuid4()}"
    nameless = send(meeting, mark(subject), by=staff(world))
    assert kinds(nameless) == ["refused"]
    done = send(meeting, mark(subject, name="Lê  Văn Khách", unit="Khối 9"), by=staff(world))
    assert kinds(done) == ["stored"]
    guest = next(one for one in done.register["subjects"] if one["subject"] == subject)
    assert (guest["name"], guest["unit"], guest["status"]) == ("Lê Văn Khách", "Khối 9", "present")
    handle.session.expire_all()
    assert meeting.visits_count == 1
    other = add_meeting(world)
    assert kinds(send(other, mark(subject, name="Ai đó"), by=staff(world))) == ["refused"]


def test_a_walk_in_whose_undo_came_first_gets_its_name_later(world):
    meeting = add_meeting(world)
    subject = f"w:{uuid.uuid4()}"
    tapped = mark(subject, name="Lê Văn Khách")
    undo = mark(subject, "none", annuls=tapped["id"])
    send(meeting, undo, by=staff(world))
    done = send(meeting, tapped, by=staff(world))
    assert statuses(done.register)[subject] == "not_marked"
    handle.session.expire_all()
    assert handle.session.scalars(select(WalkIn.name)).all() == ["Lê Văn Khách"]


def test_two_phones_that_disagree_are_flagged_and_a_knowing_correction_is_not(world):
    meeting = add_meeting(world)
    hien = person(world, "hien")
    first = mark(hien)
    send(meeting, first, by=staff(world))
    later = AT + timedelta(minutes=1)
    second = mark(hien, "excused", later)
    blind = send(meeting, second, by=staff(world), now=later, device="phone-2")
    assert kinds(blind) == ["flagged"]
    shown = next(one for one in blind.register["subjects"] if one["subject"] == hien)
    assert shown["status"] == "excused"
    assert len(shown["others"]) == 2
    assert [(one["status"], one["by"]) for one in shown["said"]] == [
        ("excused", "Nguyễn Văn An"),
        ("present", "Nguyễn Văn An"),
    ]
    chi = mark(person(world, "chi"))
    send(meeting, chi, by=staff(world))
    knowing = mark(person(world, "chi"), "late", annuls=chi["id"])
    assert kinds(send(meeting, knowing, by=staff(world), device="phone-2")) == ["stored"]


def test_two_phones_that_agree_leave_nothing_to_settle(world):
    meeting = add_meeting(world)
    hien = person(world, "hien")
    send(meeting, mark(hien), by=staff(world))
    again = send(meeting, mark(hien), by=staff(world), device="phone-2")
    assert kinds(again) == ["stored"]
    shown = next(one for one in again.register["subjects"] if one["subject"] == hien)
    assert len(shown["others"]) == 2
    assert "said" not in shown


def test_one_fact_that_takes_both_back_settles_a_disagreement(world):
    meeting = add_meeting(world)
    hien = person(world, "hien")
    first, second = mark(hien), mark(hien, "excused", AT + timedelta(seconds=1))
    later = AT + timedelta(minutes=1)
    send(meeting, first, by=staff(world))
    send(meeting, second, by=staff(world), now=later, device="phone-2")
    chosen = [
        mark(hien, "present", later, annuls=second["id"]),
        mark(hien, "none", later, annuls=first["id"]),
    ]
    settled = send(meeting, *chosen, by=staff(world), now=later, device="phone-3")
    shown = next(one for one in settled.register["subjects"] if one["subject"] == hien)
    assert shown["status"] == "present"
    assert not {"said", "others"} & shown.keys()


def test_a_phone_whose_clock_is_a_day_off_is_corrected_by_its_own_clock(world):
    meeting = add_meeting(world)
    wrong = AT + timedelta(days=1)
    body = {"marks": [mark(person(world, "hien"), at=wrong)], "sent_at": wrong.isoformat()}
    done = attendance.record_marks(meeting.id, body, now=AT, by=staff(world))
    assert kinds(done) == ["flagged"]
    row = handle.session.scalars(select(Mark)).one()
    assert (row.tapped_at, row.corrected_at, row.flag) == (wrong, AT, "clock")


def test_invited_people_are_the_register_and_removed_ones_are_not(world):
    meeting = add_meeting(world)
    for name in ("hien", "hoa"):
        handle.session.add(
            Invitation(
                meeting_id=meeting.id,
                person_id=world.people[name].id,
                unit_id=world.units["cell-1"].id,
                created_at=NOW,
                removed_at=NOW if name == "hoa" else None,
            )
        )
    handle.session.commit()
    shown = attendance_shown.register(meeting.id, now=AT, by=staff(world))
    assert list(statuses(shown)) == [person(world, "hien")]


def test_names_stand_by_given_name_within_their_cell(world):
    meeting = add_meeting(world, invite=("ward-1",))
    shown = attendance_shown.register(meeting.id, now=AT, by=staff(world))
    assert [one["name"] for one in shown["subjects"]] == [
        "Vũ Ánh",
        "Đỗ Thị Kim Chi",
        "Nguyễn Thị Hiền",
        "Lò Văn Đạt",
    ]
    assert [group["name"] for group in shown["groups"]] == ["Chi bộ 1", "Chi bộ 2"]


def test_households_of_an_invited_group_are_a_checklist_by_number(world):
    meeting = add_meeting(world, invite=("group-1",), kind="outreach")
    household = f"h:{world.households[0].id}"
    done = send(meeting, mark(household), mark(f"h:{world.households[9].id}"), by=staff(world))
    assert kinds(done) == ["stored", "refused"]
    assert [one["name"] for one in done.register["subjects"]] == [f"Hộ {n}" for n in range(1, 6)]
    row = handle.session.scalars(select(Mark)).one()
    assert row.unit_id == world.units["group-1"].id


def open_campaign(world: World) -> Campaign:
    campaign = Campaign(
        code="NQ",
        title="Học nghị quyết",
        opens_on=TODAY - timedelta(days=10),
        deadline_on=TODAY + timedelta(days=10),
        cutoff_on=TODAY - timedelta(days=10),
        owner_unit_id=world.units["ward-1"].id,
        state="open",
        created_at=NOW,
    )
    handle.session.add(campaign)
    handle.session.flush()
    for name in ("chi", "hien", "anh"):
        handle.session.add(
            RollEntry(
                campaign_id=campaign.id,
                population="members",
                person_id=world.people[name].id,
                unit_id=world.units["cell-1"].id,
                grassroots_id=world.units["ward-1"].id,
            )
        )
    handle.session.commit()
    return campaign


def test_a_member_off_the_roll_is_found_and_counts_as_a_visit_only(world):
    campaign = open_campaign(world)
    meeting = add_meeting(world, campaign_id=campaign.id)
    by, search = staff(world), attendance_states.known_people
    [dat] = search(meeting.id, "dat", now=AT, by=by)
    assert (dat.name, dat.on_roll) == ("Lò Văn Đạt", False)
    assert search(meeting.id, "hoa", now=AT, by=by) == []
    subject = attendance_states.add_guest(meeting.id, dat.id, now=AT, by=by)
    assert kinds(send(meeting, mark(subject), by=by)) == ["stored"]
    covered = select(RollEntry.id).where(RollEntry.covered_on.is_not(None))
    assert handle.session.scalars(covered).all() == []
    assert handle.session.get_one(Meeting, meeting.id).visits_count == 1


def test_coverage_moves_in_the_marks_own_transaction(world):
    campaign = open_campaign(world)
    meeting = add_meeting(world, campaign_id=campaign.id)
    covered = select(func.count()).where(RollEntry.covered_on.is_not(None))
    tapped = [mark(person(world, name)) for name in ("chi", "hien")]
    send(meeting, *tapped, mark(person(world, "anh"), "excused"), by=staff(world))
    assert handle.session.scalar(covered) == 2
    undo = mark(person(world, "chi"), "none", annuls=tapped[0]["id"])
    send(meeting, undo, by=staff(world))
    assert handle.session.scalar(covered) == 1


def test_another_wards_staff_finds_no_such_register(world):
    meeting = add_meeting(world)
    dung = staff(world, "dung", "ward-2")
    with pytest.raises(NotFound):
        send(meeting, mark(person(world, "hien")), by=dung)
    with pytest.raises(NotFound):
        attendance_shown.register(meeting.id, now=AT, by=dung)


def test_a_reader_sees_figures_but_no_names(world):
    meeting = add_meeting(world)
    reader = Actor("Đọc", 5, (Grant("reader"),))
    with pytest.raises(NotAllowed):
        attendance_shown.register(meeting.id, now=AT, by=reader)


def test_a_link_reaches_its_own_meeting_only(world):
    meeting, other = add_meeting(world), add_meeting(world)
    made = create_meeting_link(meeting.id, can_submit=False, now=NOW, by=staff(world))
    helper = actor_of_link(made.token, now=AT)
    assert helper is not None
    assert kinds(send(meeting, mark(person(world, "hien")), by=helper)) == ["stored"]
    row = handle.session.scalars(select(Mark)).one()
    assert (row.link_id, row.marked_by_id) == (made.id, None)
    with pytest.raises(NotFound):
        send(other, mark(person(world, "hien")), by=helper)


@pytest.mark.parametrize("state", ["draft", "cancelled", "not_held"])
def test_a_meeting_that_does_not_take_place_takes_no_marks(world, state):
    meeting = add_meeting(world, state=state)
    assert kinds(send(meeting, mark(person(world, "hien")), by=staff(world))) == ["refused"]


@pytest.mark.parametrize("body", [None, [], {}, {"marks": {}}, {"marks": [{}] * 1001}])
def test_a_body_of_another_shape_is_refused_whole(world, body):
    meeting = add_meeting(world)
    with pytest.raises(Malformed):
        attendance.record_marks(meeting.id, body, now=AT, by=staff(world))


def test_a_register_can_be_rebuilt_from_its_marks(world):
    campaign = open_campaign(world)
    meeting = add_meeting(world, campaign_id=campaign.id)
    send(meeting, mark(person(world, "hien")), mark(person(world, "chi"), "late"), by=staff(world))
    handle.session.query(RegisterLine).filter_by(subject=person(world, "hien")).delete()
    meeting.present_count = 7
    handle.session.commit()
    assert attendance.register_differences(meeting.id) == [person(world, "hien")]
    assert attendance.rebuild_register(meeting.id, now=AT) == 1
    assert attendance.register_differences(meeting.id) == []
    handle.session.expire_all()
    assert meeting.present_count == 2


def test_the_number_of_queries_does_not_grow_with_the_batch(world, count_queries):
    meeting = add_meeting(world, invite=("ward-1",))
    by, meeting_id = staff(world), meeting.id
    people = [person(world, name) for name in ("chi", "hien", "anh", "dat")]

    def queries(*marks: dict) -> int:
        with count_queries() as seen:
            attendance.record_marks(meeting_id, {"marks": list(marks)}, now=AT, by=by)
        return seen.count

    one = queries(mark(people[0]))
    assert one > 5
    assert queries(*[mark(subject, "late") for subject in people]) <= one + 2


@pytest.fixture
def count_queries(db):
    from contextlib import contextmanager
    from types import SimpleNamespace

    from sqlalchemy import event

    @contextmanager
    def counting():
        seen = SimpleNamespace(count=0)

        def note(*_arguments):
            seen.count += 1

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return counting


@st.composite
def histories(draw):
    """Marks of three people by three phones, some taken back, cut into batches and replayed."""
    marks: list[tuple] = []
    for _ in range(draw(st.integers(1, 12))):
        earlier = [one for one in marks if one[0] != "none"]
        subject = draw(st.integers(0, 2))
        annuls = None
        status = draw(st.sampled_from(["present", "late", "left_early", "excused", "unexcused"]))
        if earlier and draw(st.booleans()):
            target = draw(st.sampled_from(earlier))
            subject, annuls = target[1], target[4]
            status = draw(st.sampled_from(["none", status]))
        seconds = draw(st.integers(-1800, 0))
        marks.append((status, subject, seconds, annuls, str(draw(st.uuids()))))
    order = draw(st.permutations(marks * draw(st.integers(1, 2))))
    sizes = draw(st.lists(st.integers(1, 5), min_size=24, max_size=24))
    return marks, list(order), sizes


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(histories())
def test_any_order_and_any_replay_of_batches_gives_the_register_of_the_rule(world, history):
    marks, order, sizes = history
    people = [person(world, name) for name in ("chi", "hien", "anh")]
    meeting = add_meeting(world)

    def body(one) -> dict:
        status, subject, seconds, annuls, own = one
        own = str(uuid.uuid5(uuid.UUID(own), str(meeting.id)))
        back = str(uuid.uuid5(uuid.UUID(annuls), str(meeting.id))) if annuls else None
        at = AT + timedelta(seconds=seconds)
        return mark(people[subject], status, at, annuls=back) | {"id": own}

    rest = list(order)
    for size in sizes:
        batch, rest = rest[:size], rest[size:]
        if batch:
            send(meeting, *map(body, batch), by=staff(world), device=f"phone-{size}")
    facts = [
        Fact(
            one["id"],
            one["subject"],
            Status(one["status"]),
            datetime.fromisoformat(one["tapped_at"]),
            AT,
            annuls=one["annuls"],
        )
        for one in map(body, marks)
    ]
    expected = {subject: status.value for subject, status in current_statuses(facts).items()}
    shown = statuses(attendance_shown.register(meeting.id, now=AT, by=staff(world)))
    assert {one: status for one, status in shown.items() if status != "not_marked"} == expected
    assert attendance.register_differences(meeting.id) == []


def test_marks_made_here_have_ids_in_the_order_of_their_moments():
    moments = [NOW + timedelta(milliseconds=number) for number in range(40)]
    made = [new_mark_id(moment) for moment in moments]
    assert made == sorted(made)
    assert {UUID(one).version for one in made} == {7}
    assert {UUID(one).variant for one in made} == {RFC_4122}
    assert int(made[0].replace("-", "")[:12], 16) == int(NOW.timestamp() * 1000)
    assert len({new_mark_id(NOW) for _ in range(100)}) == 100
