"""A meeting moves from draft to held, and its guests hear of what concerns them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.meetings import (
    MeetingDetails,
    MeetingState,
    changes_that_matter,
    check_editable,
    check_times,
    must_tell_guests,
    next_meeting_state,
)
from rules.refusals import NotAllowed, Refusal

START = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)
BEFORE = START - timedelta(days=3)
AFTER = START + timedelta(hours=5)
DETAILS = MeetingDetails("Nghị quyết", START, START + timedelta(hours=4), place="Hội trường")


def step(state: MeetingState, action: str, now: datetime, reason: str = "") -> MeetingState:
    return next_meeting_state(state, action, now=now, details=DETAILS, reason=reason)


def test_a_draft_is_published_and_then_held() -> None:
    published = step(MeetingState.DRAFT, "publish", BEFORE)
    assert published == MeetingState.PUBLISHED
    assert step(published, "hold", AFTER) == MeetingState.HELD


def test_a_meeting_that_did_not_happen_says_why() -> None:
    with pytest.raises(Refusal, match="lý do"):
        step(MeetingState.PUBLISHED, "not_hold", AFTER, " ")
    assert step(MeetingState.PUBLISHED, "not_hold", AFTER, "Mưa lũ") == MeetingState.NOT_HELD


def test_a_published_meeting_is_cancelled_with_a_reason_and_a_draft_without() -> None:
    with pytest.raises(Refusal, match="lý do"):
        step(MeetingState.PUBLISHED, "cancel", BEFORE)
    assert step(MeetingState.PUBLISHED, "cancel", BEFORE, "Trùng lịch") == MeetingState.CANCELLED
    assert step(MeetingState.DRAFT, "cancel", BEFORE) == MeetingState.CANCELLED


@pytest.mark.parametrize("action", ["hold", "not_hold"])
def test_the_outcome_is_not_told_before_the_start(action: str) -> None:
    with pytest.raises(Refusal):
        step(MeetingState.PUBLISHED, action, BEFORE, "x")


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("published", "publish"),
        ("cancelled", "publish"),
        ("draft", "hold"),
        ("held", "hold"),
        ("draft", "not_hold"),
        ("held", "cancel"),
        ("cancelled", "cancel"),
    ],
)
def test_a_step_from_the_wrong_state_is_refused(state: str, action: str) -> None:
    with pytest.raises(Refusal):
        step(MeetingState(state), action, AFTER, "x")


def test_nobody_is_invited_to_the_past() -> None:
    with pytest.raises(Refusal, match="đã qua giờ"):
        step(MeetingState.DRAFT, "publish", AFTER)


@pytest.mark.parametrize("gone", [{"place": ""}, {"topic": ""}])
def test_what_a_guest_must_know_is_there_before_publishing(gone: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        next_meeting_state(
            MeetingState.DRAFT,
            "publish",
            now=BEFORE,
            details=MeetingDetails(
                gone.get("topic", "A"), START, START + timedelta(hours=1), gone.get("place", "B")
            ),
        )


def test_an_instructor_tells_that_it_was_held_and_no_more() -> None:
    held = next_meeting_state(
        MeetingState.PUBLISHED, "hold", now=AFTER, details=DETAILS, role="instructor"
    )
    assert held == MeetingState.HELD
    with pytest.raises(NotAllowed):
        next_meeting_state(
            MeetingState.PUBLISHED, "cancel", now=BEFORE, details=DETAILS, role="instructor"
        )


def test_only_a_draft_or_a_published_meeting_is_edited() -> None:
    check_editable(MeetingState.DRAFT, "A")
    check_editable(MeetingState.PUBLISHED, "A")
    for state in (MeetingState.HELD, MeetingState.NOT_HELD, MeetingState.CANCELLED):
        with pytest.raises(Refusal):
            check_editable(state, "A")


@pytest.mark.parametrize("hours", [0, -1, 17])
def test_times_that_no_sitting_has_are_refused(hours: int) -> None:
    with pytest.raises(Refusal):
        check_times(START, START + timedelta(hours=hours))


def test_a_mistyped_year_is_refused() -> None:
    typed = START.replace(year=2206)
    with pytest.raises(Refusal, match="2206"):
        check_times(typed, typed + timedelta(hours=1))


def test_a_whole_day_is_a_sitting() -> None:
    check_times(START, START + timedelta(hours=16))


def test_the_dialog_lists_what_changed_in_words() -> None:
    moved = replace(
        DETAILS, starts_at=START + timedelta(hours=1), place="Nhà văn hoá", speakers=("An", "Bình")
    )
    changes = changes_that_matter(DETAILS, moved)
    assert [(change.label, change.before, change.after) for change in changes] == [
        ("Bắt đầu", "7h30 05/03/2026", "8h30 05/03/2026"),
        ("Địa điểm", "Hội trường", "Nhà văn hoá"),
        ("Báo cáo viên", "", "An, Bình"),
    ]
    assert must_tell_guests(changes)


def test_the_organisers_own_figures_trouble_no_guest() -> None:
    changes = changes_that_matter(DETAILS, replace(DETAILS, capacity=200))
    assert [change.field for change in changes] == ["capacity"]
    assert not must_tell_guests(changes)
    assert changes_that_matter(DETAILS, DETAILS) == []
