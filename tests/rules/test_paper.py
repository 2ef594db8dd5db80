"""The paper register: its columns, its rows, its code, and what typing it in changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.attendance import Status
from rules.paper import (
    Change,
    Typed,
    meeting_of_code,
    paper_changes,
    sheet_code,
    signature_columns,
    spare_rows,
)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


@pytest.mark.parametrize(
    ("starts", "ends", "columns"),
    [
        (at(7, 30), at(11), ("Sáng",)),
        (at(7, 30), at(12, 30), ("Sáng",)),
        (at(13, 30), at(17), ("Chiều",)),
        (at(12, 30), at(13, 15), ("Chiều",)),
        (at(7, 30), at(17), ("Sáng", "Chiều")),
        (at(19), at(21), ("Tối",)),
        (at(15), at(20), ("Chiều", "Tối")),
        (at(19), at(10, day=24), ("Sáng", "Chiều")),
    ],
)
def test_there_is_a_column_to_sign_for_each_half_of_the_day(starts, ends, columns):
    assert signature_columns(starts, ends) == columns


def test_a_twentieth_of_the_rows_stands_empty_and_never_fewer_than_eight():
    assert spare_rows(0) == spare_rows(160) == 8
    assert spare_rows(161) == 9
    assert spare_rows(400) == 20


@given(st.integers(min_value=1, max_value=999_999_999))
def test_every_meetings_code_leads_back_to_it(meeting_id):
    code = sheet_code(meeting_id)
    assert meeting_of_code(code) == meeting_id
    assert meeting_of_code(f" {code.replace('-', ' ')} ") == meeting_id


@given(st.integers(min_value=1, max_value=999_999), st.data())
def test_one_wrong_digit_is_noticed(meeting_id, data):
    code = sheet_code(meeting_id)
    place = data.draw(st.sampled_from([n for n, one in enumerate(code) if one.isdecimal()]))
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != code[place]]))
    assert meeting_of_code(code[:place] + digit + code[place + 1 :]) != meeting_id


@pytest.mark.parametrize("text", ["", "12", "abc", "0-98", "-", "１２-３４", "9" * 50, "1--95"])
def test_what_is_no_code_leads_nowhere(text):
    assert meeting_of_code(text) is None


def row(subject: str, status: str, mark: str | None = None) -> dict[str, str]:
    return {"subject": subject, "status": status} | ({"mark": mark} if mark else {})


REGISTER = [row("m:1", "not_marked"), row("m:2", "present", "a"), row("m:3", "late", "b")]


def test_rows_left_as_they_were_shown_change_nothing():
    typed = {one["subject"]: Typed(one["status"], one["status"]) for one in REGISTER}
    assert paper_changes(REGISTER, typed) == []
    assert paper_changes(REGISTER, {"m:1": Typed("present", "present")}) == []


def test_a_new_row_is_marked_and_a_changed_one_put_right():
    typed = {"m:1": Typed("not_marked", "excused"), "m:2": Typed("present", "late")}
    assert paper_changes(REGISTER, typed) == [
        Change("m:1", Status.EXCUSED),
        Change("m:2", Status.LATE, "a"),
    ]


def test_a_row_cleared_takes_its_mark_back():
    assert paper_changes(REGISTER, {"m:3": Typed("late", "not_marked")}) == [
        Change("m:3", Status.NONE, "b")
    ]


def test_a_row_marked_otherwise_since_is_added_to_and_never_taken_back():
    typed = {
        "m:2": Typed("not_marked", "unexcused"),
        "m:3": Typed("present", "not_marked"),
    }
    assert paper_changes(REGISTER, typed) == [Change("m:2", Status.UNEXCUSED)]


def test_a_row_typed_as_it_stands_by_now_changes_nothing():
    assert paper_changes(REGISTER, {"m:2": Typed("not_marked", "present")}) == []


def test_words_that_are_no_choice_and_rows_of_nobody_are_left_out():
    typed = {"m:1": Typed("not_marked", "hỏng"), "m:9": Typed("not_marked", "present")}
    assert paper_changes(REGISTER, typed) == []
