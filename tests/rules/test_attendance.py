"""The register is a ledger of facts: nothing is lost, doubled or decided by order of arrival."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.attendance import (
    BadMark,
    GroupCount,
    Mark,
    MarkCandidate,
    MeetingWindow,
    RegisterState,
    Status,
    count_groups,
    count_statuses,
    counts_as_attended,
    current_status,
    current_statuses,
    is_contradicted,
    next_state,
    parse_marks,
    state_after_mark,
    verdict,
)
from rules.refusals import Malformed, NotAllowed, Refusal

START = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)
END = START + timedelta(hours=4)
MEETING = MeetingWindow("Nghị quyết", "published", RegisterState.DRAFT, START, END)
ROLL = {"m:1", "m:2", "h:9"}


def mark_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def mark(
    number: int,
    status: Status = Status.PRESENT,
    minutes: int = 0,
    *,
    subject: str = "m:1",
    received_after: int = 0,
    annuls: int | None = None,
    device: str = "cửa 1",
    name: str = "",
) -> Mark:
    tapped_at = START + timedelta(minutes=minutes)
    return Mark(
        id=mark_id(number),
        subject=subject,
        status=status,
        tapped_at=tapped_at,
        received_at=tapped_at + timedelta(minutes=received_after),
        device=device,
        annuls=None if annuls is None else mark_id(annuls),
        name=name,
    )


def test_nobody_marked_is_not_an_absence() -> None:
    assert current_status([]) is None


def test_the_later_mark_wins_whichever_arrives_first() -> None:
    early, late = mark(1, Status.PRESENT, 1), mark(2, Status.LEFT_EARLY, 90)
    assert current_status([late, early]) == current_status([early, late]) == Status.LEFT_EARLY


def test_marks_of_the_same_moment_are_decided_by_their_ids() -> None:
    one, two = mark(1, Status.PRESENT), mark(2, Status.LATE)
    assert current_status([two, one]) == current_status([one, two]) == Status.LATE


def test_taking_a_mark_back_restores_the_one_before() -> None:
    present, late = mark(1, Status.PRESENT, 1), mark(2, Status.LATE, 2)
    undo = mark(3, Status.NONE, 3, annuls=2)
    assert current_status([undo, late, present]) == Status.PRESENT
    assert current_status([mark(4, Status.NONE, 4, annuls=1), undo, late, present]) is None


def test_one_fact_can_take_back_and_say_otherwise() -> None:
    instead = mark(2, Status.EXCUSED, 2, annuls=1)
    assert current_status([mark(1), instead]) == Status.EXCUSED


def test_a_phone_whose_clock_runs_ahead_does_not_win_for_ever() -> None:
    ahead = mark(1, Status.UNEXCUSED, 7 * 24 * 60)._replace(received_at=START)
    honest = mark(2, Status.PRESENT, 5)
    assert current_status([ahead, honest]) == Status.PRESENT


marks_of_one = st.lists(
    st.builds(
        mark,
        st.integers(1, 6),
        st.sampled_from(list(Status)),
        st.integers(0, 5),
        received_after=st.integers(0, 3),
        annuls=st.none() | st.integers(1, 6),
        device=st.sampled_from(["cửa 1", "cửa 2"]),
    ),
    max_size=6,
    unique_by=lambda made: made.id,
)


@settings(max_examples=60)
@given(marks_of_one, st.data())
def test_two_phones_merge_alike_in_every_order_and_under_replays(
    marks: list[Mark], data: st.DataObject
) -> None:
    replays = data.draw(st.lists(st.sampled_from(marks), max_size=4)) if marks else []
    resent = [
        again._replace(received_at=again.received_at + timedelta(days=1)) for again in replays
    ]
    shuffled = data.draw(st.permutations([*marks, *resent]))
    assert current_status(shuffled) == current_status(marks)
    assert is_contradicted(shuffled) == is_contradicted(marks)


@settings(max_examples=30)
@given(marks_of_one)
def test_a_status_is_never_none_the_word(marks: list[Mark]) -> None:
    assert current_status(marks) != Status.NONE


def test_each_subject_has_its_own_status() -> None:
    marks = [mark(1), mark(2, Status.LATE, subject="m:2"), mark(3, Status.NONE, annuls=2)]
    assert current_statuses(marks) == {"m:1": Status.PRESENT, "m:2": Status.LATE}


def test_two_doors_that_disagree_are_noticed() -> None:
    here, there = mark(1), mark(2, Status.EXCUSED, 1, device="cửa 2")
    assert is_contradicted([here, there])
    assert not is_contradicted([here, there._replace(device="cửa 1")])
    assert not is_contradicted([here, there._replace(status=Status.PRESENT)])


def test_late_and_early_leaving_count_as_attended_unless_the_campaign_says_otherwise() -> None:
    assert all(counts_as_attended(status) for status in ("present", "late", "left_early"))
    assert not any(counts_as_attended(status) for status in ("excused", "unexcused", None))
    assert not counts_as_attended("left_early", left_early_counts=False)
    assert not counts_as_attended("late", late_counts=False)


def test_a_first_mark_is_stored_and_its_replay_is_known() -> None:
    first = mark(1)
    assert verdict(first, MEETING, ROLL, {}).kind == "stored"
    again = first._replace(received_at=END)
    assert verdict(again, MEETING, ROLL, {first.id: first}).kind == "known"


def test_a_replay_stays_known_after_the_meeting_is_cancelled_or_locked() -> None:
    first = mark(1)
    for meeting in (
        replace(MEETING, state="cancelled"),
        replace(MEETING, register=RegisterState.LOCKED, locked_at=START - timedelta(hours=1)),
    ):
        assert verdict(first, meeting, ROLL, {first.id: first}).kind == "known"


def test_the_same_id_with_another_body_is_refused() -> None:
    first = mark(1)
    other = first._replace(status=Status.UNEXCUSED)
    answer = verdict(other, MEETING, ROLL, {first.id: first})
    assert answer.kind == "refused"
    assert answer.reason is not None
    assert not answer.is_kept


@pytest.mark.parametrize("state", ["draft", "cancelled", "not_held"])
def test_a_meeting_that_is_not_on_takes_no_marks(state: str) -> None:
    answer = verdict(mark(1), replace(MEETING, state=state), ROLL, {})
    assert answer.kind == "refused"
    assert "Nghị quyết" in str(answer.reason)


def test_a_meeting_that_was_held_still_takes_marks() -> None:
    assert verdict(mark(1), replace(MEETING, state="held"), ROLL, {}).kind == "stored"


def test_nobody_is_marked_before_the_doors_open() -> None:
    assert verdict(mark(1, minutes=-60), MEETING, ROLL, {}).kind == "stored"
    assert verdict(mark(1, minutes=-61), MEETING, ROLL, {}).kind == "refused"
    sent_later = mark(1, minutes=-61, received_after=120)
    assert verdict(sent_later, MEETING, ROLL, {}).kind == "refused"


def test_a_slow_clock_is_put_right_and_flagged_when_the_phone_says_its_time() -> None:
    slow = MarkCandidate(
        id=mark_id(1),
        subject="m:1",
        status=Status.PRESENT,
        tapped_at=START - timedelta(days=1),
        sent_at=START - timedelta(days=1) + timedelta(minutes=2),
    )
    received = slow.received(START + timedelta(minutes=3), marker="Bình")
    assert received.counted_at == START + timedelta(minutes=1)
    found = verdict(received, MEETING, ROLL, {})
    assert (found.kind, found.flag) == ("flagged", "clock")
    nearly_right = slow._replace(tapped_at=START, sent_at=START + timedelta(minutes=2))
    found = verdict(nearly_right.received(START + timedelta(minutes=3)), MEETING, ROLL, {})
    assert (found.kind, found.flag) == ("stored", None)


def test_a_clock_far_ahead_is_kept_and_flagged() -> None:
    ahead = mark(1, minutes=60)._replace(received_at=START)
    assert verdict(ahead, MEETING, ROLL, {}).kind == "flagged"


def test_a_mark_made_before_the_lock_is_flagged_and_one_made_after_is_refused() -> None:
    locked = replace(MEETING, register=RegisterState.LOCKED, locked_at=END)
    before = mark(1, minutes=30, received_after=600)
    flagged = verdict(before, locked, ROLL, {})
    assert flagged.kind == "flagged"
    assert flagged.is_kept
    after = mark(2, minutes=300)
    assert verdict(after, locked, ROLL, {}).kind == "refused"


def test_a_mark_that_arrives_days_later_is_kept_and_flagged() -> None:
    late = mark(1, received_after=3 * 24 * 60)
    assert verdict(late, MEETING, ROLL, {}).kind == "flagged"


def test_somebody_off_the_roll_is_refused() -> None:
    assert verdict(mark(1, subject="m:77"), MEETING, ROLL, {}).kind == "refused"


def test_a_walk_in_needs_a_name_the_first_time_only() -> None:
    walk_in = f"w:{mark_id(50)}"
    nameless = mark(1, subject=walk_in)
    assert verdict(nameless, MEETING, ROLL, {}).kind == "refused"
    assert verdict(nameless._replace(name="Bà Tư"), MEETING, ROLL, {}).kind == "stored"
    assert verdict(nameless, MEETING, {*ROLL, walk_in}, {}).kind == "stored"


def test_a_mark_of_another_person_cannot_be_taken_back() -> None:
    theirs = mark(1, subject="m:2")
    undo = mark(2, Status.NONE, 1, annuls=1)
    assert verdict(undo, MEETING, ROLL, {theirs.id: theirs}).kind == "refused"


def test_an_undo_may_arrive_before_what_it_undoes() -> None:
    undo = mark(2, Status.NONE, 1, annuls=1)
    assert verdict(undo, MEETING, ROLL, {}).kind == "stored"


def item(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "id": mark_id(1),
        "subject": "m:1",
        "status": "present",
        "tapped_at": "2026-03-05T07:30:00+07:00",
    }
    return {**whole, **changes}


def test_a_well_formed_mark_is_read_with_its_time_in_utc() -> None:
    [read] = parse_marks({"marks": [item(name="  Bà  Tư ", unit="Khối 3", annuls=mark_id(2))]})
    assert read == MarkCandidate(
        id=mark_id(1),
        subject="m:1",
        status=Status.PRESENT,
        tapped_at=START,
        annuls=mark_id(2),
        name="Bà Tư",
        unit="Khối 3",
    )


def test_ids_are_read_in_small_letters() -> None:
    capital = "ABCDEF01-0000-0000-0000-000000000000"
    [read] = parse_marks({"marks": [item(id=capital, subject=f"w:{capital}", name="Tư")]})
    assert isinstance(read, MarkCandidate)
    assert (read.id, read.subject) == (capital.lower(), f"w:{capital.lower()}")


@pytest.mark.parametrize("body", [None, [], "x", {}, {"marks": None}, {"marks": {}}])
def test_a_body_of_another_shape_is_malformed(body: object) -> None:
    with pytest.raises(Malformed):
        parse_marks(body)


def test_too_large_a_batch_is_malformed() -> None:
    assert len(parse_marks({"marks": [item()] * 1000})) == 1000
    with pytest.raises(Malformed, match="1000"):
        parse_marks({"marks": [item()] * 1001})


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 7},
        {"id": "not-a-uuid"},
        {"id": "{00000000-0000-0000-0000-000000000001}"},
        {"subject": "x:1"},
        {"subject": "m:"},
        {"subject": "w:7"},
        {"subject": "m:1\n"},
        {"subject": 1},
        {"status": "not_marked"},
        {"status": "none"},
        {"status": ["present"]},
        {"tapped_at": "2026-03-05T07:30:00"},
        {"tapped_at": "hôm qua"},
        {"tapped_at": 1772670600},
        {"tapped_at": "0001-01-01T00:00:00+14:00"},
        {"tapped_at": "2026-02-30T00:00:00Z"},
        {"annuls": "x"},
        {"annuls": mark_id(1)},
        {"name": "x" * 201},
        {"name": {}},
        {"unit": 5},
    ],
)
def test_one_bad_mark_is_answered_alone(wrong: dict[str, object]) -> None:
    good = item(id=mark_id(9))
    bad, read = parse_marks({"marks": [item(**wrong), good]})
    assert isinstance(bad, BadMark)
    assert bad.id == (None if "id" in wrong else mark_id(1))
    assert isinstance(read, MarkCandidate)


@pytest.mark.parametrize("thing", [None, 5, "x", []])
def test_a_mark_that_is_no_object_is_answered_without_an_id(thing: object) -> None:
    [bad] = parse_marks({"marks": [thing]})
    assert isinstance(bad, BadMark)
    assert bad.id is None


MARK_FIELDS = ("id", "subject", "status", "tapped_at", "annuls", "name", "unit")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("id", "subject", "status", "tapped_at", "annuls", "name", "unit"), json_values
        ),
    )
)
def test_no_item_breaks_the_reading_of_a_batch(thing: dict[str, object]) -> None:
    assert len(parse_marks({"marks": [thing, item(**thing)]})) == 2


def test_the_phones_own_time_is_read_with_the_batch() -> None:
    [read] = parse_marks({"marks": [item()], "sent_at": "2026-03-05T00:31:00Z"})
    assert isinstance(read, MarkCandidate)
    assert read.sent_at == START + timedelta(minutes=1)


def test_a_register_goes_from_the_first_mark_to_the_lock() -> None:
    state = state_after_mark(RegisterState.NOT_TAKEN)
    assert state == RegisterState.DRAFT
    state = next_state(state, "submit", "instructor")
    assert state == state_after_mark(state) == RegisterState.SUBMITTED
    assert next_state(state, "reopen", "instructor") == RegisterState.DRAFT
    assert next_state(state, "lock", "staff") == RegisterState.LOCKED


def test_an_empty_register_is_not_submitted() -> None:
    with pytest.raises(Refusal, match="chưa điểm danh"):
        next_state(RegisterState.NOT_TAKEN, "submit", "instructor", topic="Nghị quyết")


def test_a_locked_register_says_how_to_have_it_opened() -> None:
    with pytest.raises(Refusal, match="Hãy gửi yêu cầu mở sổ"):
        next_state(RegisterState.LOCKED, "submit", "instructor", topic="Nghị quyết")


def test_only_the_board_locks_and_unlocks() -> None:
    for action, state in (("lock", RegisterState.SUBMITTED), ("unlock", RegisterState.LOCKED)):
        with pytest.raises(NotAllowed):
            next_state(state, action, "instructor", topic="Nghị quyết", reason="nhầm")


def test_a_reader_changes_nothing() -> None:
    for action in ("submit", "reopen", "lock", "unlock"):
        with pytest.raises(NotAllowed):
            next_state(RegisterState.DRAFT, action, "reader", topic="Nghị quyết")


def test_unlocking_needs_a_reason() -> None:
    for blank in ("", "  ", "\u200b"):
        with pytest.raises(Refusal, match="lý do"):
            next_state(RegisterState.LOCKED, "unlock", "staff", topic="A", reason=blank)
    opened = next_state(RegisterState.LOCKED, "unlock", "staff", topic="A", reason="Sót một người")
    assert opened == RegisterState.DRAFT


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("submit", RegisterState.SUBMITTED),
        ("reopen", RegisterState.DRAFT),
        ("lock", RegisterState.DRAFT),
        ("lock", RegisterState.LOCKED),
        ("unlock", RegisterState.SUBMITTED),
    ],
)
def test_a_step_from_the_wrong_state_is_refused(action: str, state: RegisterState) -> None:
    with pytest.raises(Refusal):
        next_state(state, action, "admin", topic="A", reason="x")


def test_the_counts_show_the_not_marked_apart_from_the_absent() -> None:
    whole = count_statuses(["present", "late", "excused", "not_marked"])
    assert whole == GroupCount(present=1, late=1, excused=1, not_marked=1)
    assert (whole.attended, whole.total) == (2, 4)
    assert whole.as_json()["not_marked"] == 1


def test_groups_are_counted_in_the_order_they_appear() -> None:
    subjects = [("m:1", "Chi bộ 2"), ("m:2", "Chi bộ 1"), ("m:3", "Chi bộ 2")]
    statuses = {"m:1": Status.PRESENT, "m:3": Status.UNEXCUSED}
    assert count_groups(subjects, statuses) == [
        GroupCount("Chi bộ 2", present=1, unexcused=1),
        GroupCount("Chi bộ 1", not_marked=1),
    ]
