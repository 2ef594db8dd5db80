"""Why a letter must not leave, decided on plain values."""

from datetime import UTC, date, datetime, timedelta

import pytest

from rules.letters import Grounds, guest_of, why_not

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
REQUEST = Grounds(
    id=1,
    kind="request",
    to_address="chi@test.invalid",
    to_name="Chi",
    message_id="<1@test.invalid>",
    sequence=0,
    expires_at=NOW + timedelta(days=5),
    bundle=None,
    is_written=False,
    was_asked=True,
    has_nearer=False,
    first_message_id="",
    meeting_id=7,
    meeting_state="published",
    meeting_sequence=0,
    meeting_modified_at=NOW,
    meeting_starts_at=NOW + timedelta(days=5),
    person_id=3,
    person_name="Trần Thị Chi",
    person_died_on=None,
    wants_mail=None,
    wants_reminders=True,
    neutral_titles=True,
    language="vi",
    invitation_id=9,
    removed_at=None,
    point_id=None,
    person_reply="accepted",
    speaker_id=None,
    speaker_reply=None,
)
SPEAKER = REQUEST._replace(
    person_id=None, person_name=None, invitation_id=None, speaker_id=4, speaker_reply="none"
)
REMINDER = REQUEST._replace(kind="reminder")
CANCEL = REQUEST._replace(kind="cancel", meeting_state="cancelled", expires_at=None)
NOTICE = REQUEST._replace(kind="chase", meeting_state="cancelled", person_name=None)


@pytest.mark.parametrize("grounds", [REQUEST, SPEAKER, REMINDER, CANCEL, NOTICE])
def test_what_still_holds_may_leave(grounds: Grounds) -> None:
    assert why_not(grounds, NOW) == ""


@pytest.mark.parametrize(
    ("grounds", "said"),
    [
        (NOTICE._replace(expires_at=NOW), "Quá hạn"),
        (REQUEST._replace(expires_at=NOW), "Quá hạn"),
        (REQUEST._replace(person_died_on=date(2026, 11, 1)), "không còn trong danh sách"),
        (REQUEST._replace(person_name=None), "không còn trong danh sách"),
        (REQUEST._replace(wants_mail=False), "không nhận thư qua e-mail"),
        (REQUEST._replace(meeting_state="cancelled"), "đã huỷ"),
        (REQUEST._replace(meeting_state="not_held"), "đã huỷ"),
        (REQUEST._replace(meeting_state="draft"), "chưa công bố"),
        (REQUEST._replace(removed_at=NOW), "ra khỏi danh sách"),
        (REQUEST._replace(invitation_id=None), "ra khỏi danh sách"),
        (SPEAKER._replace(speaker_reply=None), "ra khỏi danh sách"),
        (REQUEST._replace(expires_at=None, meeting_starts_at=NOW), "đã bắt đầu"),
        (CANCEL._replace(meeting_state="published"), "vẫn diễn ra"),
        (CANCEL._replace(was_asked=False), "chưa từng được gửi"),
        (REMINDER._replace(meeting_sequence=1), "đổi giờ"),
        (REMINDER._replace(wants_reminders=False), "không nhận thư nhắc"),
        (REMINDER._replace(has_nearer=True), "gần giờ họp hơn"),
    ],
)
def test_what_does_not_hold_any_more_stays_with_its_reason(grounds: Grounds, said: str) -> None:
    assert said in why_not(grounds, NOW)


def test_a_cancellation_reaches_who_was_taken_off_the_list_or_wants_no_mail() -> None:
    off = CANCEL._replace(meeting_state="published", removed_at=NOW, wants_mail=False)
    assert why_not(off, NOW) == ""


def test_the_guest_is_the_person_or_the_speaker() -> None:
    chi, speaker = guest_of(REQUEST), guest_of(SPEAKER)
    assert (chi.name, chi.key, chi.answer, chi.is_neutral) == (
        "Trần Thị Chi",
        "i9",
        "accepted",
        True,
    )
    assert (speaker.name, speaker.key, speaker.is_speaker) == ("Chi", "s7-4", True)
    assert not speaker.is_neutral
