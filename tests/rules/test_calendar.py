"""A meeting's revisions and the text a calendar may carry."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.calendar import (
    CANCELLED_PREFIX,
    Change,
    MeetingFacts,
    change_between,
    clean_line,
    clean_text,
    cut,
    feed_window,
    neutral,
    next_last_modified,
    next_sequence,
    shown_title,
)
from rules.refusals import Malformed

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
FACTS = MeetingFacts(
    uid="7f3a@tuyenhuan",
    sequence=2,
    created_at=NOW,
    last_modified_at=NOW,
    starts_at=NOW,
    ends_at=NOW + timedelta(hours=3),
    summary="Học tập Nghị quyết Trung ương 4",
    location="Hội trường Thành uỷ",
    place_key="v:1",
)


@pytest.mark.parametrize(
    "after",
    [
        replace(FACTS, starts_at=NOW + timedelta(minutes=30)),
        replace(FACTS, ends_at=NOW + timedelta(hours=4)),
        replace(FACTS, place_key="v:2"),
        replace(FACTS, online_url="https://hop.vn/1"),
        replace(FACTS, cancelled=True),
    ],
)
def test_time_place_way_in_and_state_raise_the_sequence(after: MeetingFacts) -> None:
    change = change_between(FACTS, after)
    assert change is Change.SUBSTANCE
    assert next_sequence(FACTS.sequence, change) == 3


@pytest.mark.parametrize(
    "after",
    [
        replace(FACTS, summary="Học tập Nghị quyết Trung ương 4 (khoá XI)"),
        replace(FACTS, location="Hội trường Thành ủy"),
        replace(FACTS, description="Mang theo sổ tay"),
    ],
)
def test_a_corrected_word_leaves_the_sequence(after: MeetingFacts) -> None:
    change = change_between(FACTS, after)
    assert change is Change.WORDING
    assert next_sequence(FACTS.sequence, change) == 2


def test_an_edit_that_changes_nothing_visible_is_no_change() -> None:
    later = replace(FACTS, last_modified_at=NOW + timedelta(days=1))
    assert change_between(FACTS, later) is Change.NONE


def test_last_modified_rises_by_a_second_even_within_one_second() -> None:
    first = next_last_modified(None, NOW)
    second = next_last_modified(first, NOW + timedelta(milliseconds=300))
    third = next_last_modified(second, NOW - timedelta(hours=1))
    assert first < second < third
    assert third - first == timedelta(seconds=2)


def test_times_without_a_zone_are_a_bug() -> None:
    with pytest.raises(ValueError, match="aware"):
        replace(FACTS, starts_at=NOW.replace(tzinfo=None))


def test_an_end_before_the_start_is_refused_in_words() -> None:
    with pytest.raises(Malformed, match="Giờ kết thúc"):
        replace(FACTS, ends_at=NOW - timedelta(hours=1))


def test_a_neutral_object_tells_only_time_and_place() -> None:
    told = neutral(replace(FACTS, description="Đảng uỷ", categories=("Nghị quyết",)))
    assert (told.summary, told.description, told.categories) == ("Học tập", "", ())
    assert told.location == FACTS.location


def test_a_cancelled_meeting_says_so_in_its_title() -> None:
    assert shown_title(replace(FACTS, cancelled=True)) == CANCELLED_PREFIX + FACTS.summary


def test_the_feed_window_holds_still_within_a_local_day() -> None:
    assert feed_window(NOW, 30, 365) == feed_window(NOW + timedelta(hours=16), 30, 365)
    start, end = feed_window(NOW, 30, 365)
    assert start <= NOW - timedelta(days=30)
    assert end >= NOW + timedelta(days=365)


@given(st.text())
def test_cleaned_text_is_one_line_by_every_idea_of_a_line(text: str) -> None:
    cleaned = clean_line(text)
    assert len(cleaned.splitlines()) <= 1
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean_line(cleaned) == cleaned


@given(st.text())
def test_cleaned_text_breaks_lines_only_at_line_feeds(text: str) -> None:
    cleaned = clean_text(text) + "."
    assert cleaned.splitlines() == cleaned.split("\n")


def test_a_typed_backslash_n_does_not_become_a_new_line() -> None:
    assert clean_text("C:\\New") == "C:/New"


def test_a_long_title_is_cut_with_an_ellipsis() -> None:
    assert cut("nghị quyết", 5) == "nghị…"
    assert cut("nghị", 5) == "nghị"
