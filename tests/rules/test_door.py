"""The door's code lives half a minute, and each scan gets its own answer."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.door import (
    CODE_DIGITS,
    MEMBER_SENTENCES,
    STEP_SECONDS,
    TAKER_SENTENCES,
    Doorway,
    Outcome,
    Scanned,
    accepts,
    door_code,
    door_secret,
    names_agree,
    outcome,
    seconds_left,
)

START = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
SECRET = door_secret("bí mật của văn phòng", "buoi-1@test.invalid")
STEP = timedelta(seconds=STEP_SECONDS)
OPEN = Doorway("Học nghị quyết", "published", "draft", START - timedelta(hours=2))


def test_the_code_is_taken_in_its_own_step_and_the_next_and_then_no_more():
    code = door_code(SECRET, START)
    assert accepts(SECRET, code, START)
    assert accepts(SECRET, code, START + 2 * STEP - timedelta(seconds=1))
    assert not accepts(SECRET, code, START + 2 * STEP)
    assert not accepts(SECRET, code, START - timedelta(seconds=1))


def test_the_code_is_eight_digits_and_may_be_typed_with_a_space():
    code = door_code(SECRET, START)
    assert len(code) == CODE_DIGITS
    assert code.isdecimal()
    assert accepts(SECRET, f" {code[:4]} {code[4:]} ", START)


def test_the_code_of_another_meeting_or_another_office_is_not_taken():
    others = (
        door_secret("bí mật của văn phòng", "buoi-2@test.invalid"),
        door_secret("bí mật khác", "buoi-1@test.invalid"),
    )
    for other in others:
        assert not accepts(SECRET, door_code(other, START), START)


@pytest.mark.parametrize("code", ["", "0", "１２３４５６７８", "đđđđđđđđ", "0" * 500])
def test_nonsense_is_not_taken_and_does_no_harm(code):
    assert not accepts(SECRET, code, START)


def test_the_seconds_left_go_from_a_whole_step_down_to_one():
    assert seconds_left(START) == STEP_SECONDS
    assert seconds_left(START + STEP - timedelta(seconds=1)) == 1


@pytest.mark.parametrize(
    ("door", "scanned", "expected"),
    [
        (OPEN, Scanned(True), Outcome.CONFIRMED),
        (OPEN, Scanned(True, is_known=True), Outcome.ALREADY),
        (OPEN, Scanned(False, elsewhere="“Lớp chiều”"), Outcome.OTHER_MEETING),
        (OPEN, Scanned(False), Outcome.NOT_ON_ROLL),
        (Doorway("x", "cancelled", "draft", START), Scanned(True), Outcome.CANCELLED),
        (Doorway("x", "not_held", "draft", START), Scanned(True), Outcome.CANCELLED),
        (
            Doorway("x", "published", "draft", START + timedelta(minutes=1)),
            Scanned(True),
            Outcome.NOT_YET_OPEN,
        ),
        (Doorway("x", "held", "locked", START), Scanned(True, is_known=True), Outcome.OVER),
        (
            Doorway("x", "held", "draft", START - STEP, closes_at=START - timedelta(seconds=1)),
            Scanned(True),
            Outcome.OVER,
        ),
    ],
)
def test_each_scan_has_its_own_answer(door, scanned, expected):
    assert outcome(door, scanned, START) == expected


def test_every_answer_is_a_different_sentence_for_members_and_for_takers():
    for sentences in (MEMBER_SENTENCES, TAKER_SENTENCES):
        assert set(sentences) == set(Outcome)
        assert len(set(sentences.values())) == len(Outcome)


def test_the_given_name_is_enough_with_or_without_its_marks():
    assert names_agree("hiền", "Nguyễn Thị Hiền")
    assert names_agree(" HIEN ", "Nguyễn Thị Hiền")
    assert not names_agree("Nguyễn", "Nguyễn Thị Hiền")
    assert not names_agree("", "Nguyễn Thị Hiền")
    assert not names_agree("\u200b", "Nguyễn Thị Hiền")


def test_a_taker_is_told_the_names_of_their_own_list_only():
    named = {one for one, sentence in TAKER_SENTENCES.items() if "%(name)s" in sentence}
    assert named == {Outcome.CONFIRMED, Outcome.ALREADY}
    assert not any("%(name)s" in sentence for sentence in MEMBER_SENTENCES.values())
