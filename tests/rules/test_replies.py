"""What an answer by mail is worth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.replies import (
    ANSWERS,
    REASONS,
    CalendarAnswer,
    GuestRecord,
    Judgement,
    Occasion,
    Proof,
    answer_address,
    judge_answer,
    token_in,
)

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
STAMP = NOW - timedelta(minutes=5)
CHI = "chi@test.invalid"
ANSWER = CalendarAnswer(
    method="REPLY",
    uid="buoi-1",
    events=1,
    attendees=(CHI,),
    partstat="ACCEPTED",
    sequence=2,
    stamped_at=STAMP,
)
MEETING = Occasion(sequence=2, starts_at=NOW + timedelta(days=3), is_off=False)
GUEST = GuestRecord(CHI, told_sequence=2)
PROOF = Proof(CHI)


def verdict(
    answer: CalendarAnswer = ANSWER,
    proof: Proof = PROOF,
    meeting: Occasion | None = MEETING,
    guest: GuestRecord | None = GUEST,
) -> tuple[str, str]:
    judged = judge_answer(answer, proof, meeting, guest, received_at=NOW)
    return judged.verdict, judged.reason


@pytest.mark.parametrize(("partstat", "reply"), ANSWERS.items())
def test_the_guests_own_answer_to_what_they_were_told_counts(partstat: str, reply: str) -> None:
    answer = replace(ANSWER, partstat=partstat)
    judged = judge_answer(answer, PROOF, MEETING, GUEST, received_at=NOW)
    assert judged == Judgement("accepted", reply=reply)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replace(ANSWER, method="COUNTER"), "counter"),
        (replace(ANSWER, method="REQUEST"), "method"),
        (replace(ANSWER, method=""), "method"),
        (replace(ANSWER, attendees=(CHI, "hien@test.invalid")), "attendees"),
        (replace(ANSWER, attendees=()), "attendees"),
        (replace(ANSWER, events=2), "attendees"),
        (replace(ANSWER, attendees=("em@test.invalid",)), "not_on_list"),
        (replace(ANSWER, partstat="DELEGATED"), "delegated"),
        (replace(ANSWER, partstat="NEEDS-ACTION"), "partstat"),
        (replace(ANSWER, sequence=3), "future"),
    ],
)
def test_what_a_person_could_make_sense_of_goes_to_review(
    answer: CalendarAnswer, reason: str
) -> None:
    assert verdict(answer) == ("for_review", reason)


def test_an_unknown_meeting_is_laid_by_and_an_unknown_guest_is_looked_at() -> None:
    assert verdict(meeting=None) == ("ignored", "unknown_meeting")
    assert verdict(guest=None) == ("for_review", "not_on_list")
    untold = replace(GUEST, told_sequence=None)
    assert verdict(guest=untold) == ("for_review", "never_asked")


def test_a_decline_from_another_sender_is_not_believed() -> None:
    decline = replace(ANSWER, partstat="DECLINED")
    assert verdict(decline, Proof("evil@x.invalid")) == ("for_review", "other_sender")
    assert verdict(decline, Proof("")) == ("for_review", "other_sender")


def test_the_token_proves_an_alias_and_its_lack_or_falsehood_is_a_doubt() -> None:
    assert verdict(proof=Proof("chi.do@other.invalid", "right")) == ("accepted", "")
    assert verdict(proof=Proof(CHI, "wrong")) == ("for_review", "forged")
    assert verdict(proof=Proof(CHI, "none", needs_token=True)) == ("for_review", "no_token")
    assert verdict(proof=Proof(CHI, "right", needs_token=True)) == ("accepted", "")


def test_an_answer_to_the_old_time_does_not_count_for_the_new() -> None:
    assert verdict(replace(ANSWER, sequence=1)) == ("stale", "old_time")


def test_a_revision_the_guest_was_not_told_of_does_not_make_their_answer_old() -> None:
    meeting = replace(MEETING, sequence=4)
    assert verdict(meeting=meeting) == ("accepted", "")


def test_the_newest_answer_wins_in_whatever_order_they_arrive() -> None:
    known = replace(GUEST, newest=(2, STAMP), answered_at=STAMP)
    assert verdict(guest=known) == ("duplicate", "again")
    older = replace(ANSWER, stamped_at=STAMP - timedelta(seconds=1))
    assert verdict(older, guest=known) == ("stale", "older")
    newer = replace(ANSWER, stamped_at=STAMP + timedelta(seconds=1))
    assert verdict(newer, guest=known) == ("accepted", "")


def test_an_answer_by_button_is_not_undone_by_an_older_mail() -> None:
    pressed = replace(GUEST, answered_at=STAMP + timedelta(minutes=1))
    assert verdict(guest=pressed) == ("stale", "older")


def test_a_clock_in_the_future_does_not_shut_out_later_answers() -> None:
    ahead = replace(ANSWER, stamped_at=NOW + timedelta(days=400))
    assert verdict(ahead) == ("accepted", "")
    after = replace(GUEST, newest=(2, NOW), answered_at=NOW)
    later = replace(ANSWER, stamped_at=NOW + timedelta(minutes=1))
    judged = judge_answer(later, PROOF, MEETING, after, received_at=NOW + timedelta(minutes=2))
    assert judged.verdict == "accepted"


def test_nothing_counts_once_a_meeting_is_off_or_has_begun() -> None:
    assert verdict(meeting=replace(MEETING, is_off=True)) == ("stale", "over")
    assert verdict(meeting=replace(MEETING, starts_at=NOW)) == ("stale", "over")


def test_a_guests_own_address_survives_folded_case_and_fits_only_them() -> None:
    address = answer_address("lich@thanhuy.example", "secret", "i7").lower()
    assert address.startswith("lich+i7.")
    assert token_in((address,), "secret", "i7") == "right"
    assert token_in(("x@y.example", address), "secret", "i7") == "right"
    assert token_in((address,), "secret", "i8") == "wrong"
    assert token_in((address,), "another secret", "i7") == "wrong"
    assert token_in(("lich@thanhuy.example",), "secret", "i7") == "none"


def test_every_reason_has_its_sentence() -> None:
    assert {"counter", "method", "attendees", "future", "old_time", "over"} <= set(REASONS)
    assert all(sentence.endswith(".") for sentence in REASONS.values())
