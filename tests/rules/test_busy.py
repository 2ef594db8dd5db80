"""Busy times out of other people's calendar files: what counts, and that nothing breaks it."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.busy import MOST_OCTETS, MOST_SPANS, busy_file
from rules.refusals import Malformed
from tests import busy_corpus

NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)


def calendar(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n".encode()


def spans(*events: str) -> list[tuple[str, str]]:
    found = busy_file(calendar(*events), now=NOW).spans
    return [(f"{start:%d.%H%M}", f"{end:%d.%H%M}") for start, end in found]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART:20261124T010000Z\r\nDTEND:20261124T030000Z", [("24.0100", "24.0300")]),
        ("DTSTART:20261124T080000\r\nDURATION:PT90M", [("24.0100", "24.0230")]),
        ("DTSTART;TZID=Asia/Tokyo:20261124T100000\r\nDURATION:PT1H", [("24.0100", "24.0200")]),
        ("DTSTART;VALUE=DATE:20261124", [("23.1700", "24.1700")]),
        ("DTSTART:20261124T010000Z\r\nSTATUS:CANCELLED", []),
        ("DTSTART:20261124T010000Z\r\nTRANSP:TRANSPARENT", []),
        ("DTSTART:20200101T010000Z", []),
        (
            "DTSTART:20261124T010000Z\r\nDTEND:20261124T020000Z\r\n"
            "RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=TU,TH\r\nEXDATE:20261126T010000Z",
            [("24.0100", "24.0200"), ("01.0100", "01.0200")],
        ),
        (
            "DTSTART:20261124T010000Z\r\nRRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261127T000000Z",
            [("24.0100", "24.0200"), ("26.0100", "26.0200")],
        ),
        (
            "BEGIN:VALARM\r\nDTSTART:20261125T010000Z\r\nEND:VALARM\r\nDTSTART:20261124T010000Z",
            [("24.0100", "24.0200")],
        ),
    ],
)
def test_what_takes_up_time(event: str, expected: list[tuple[str, str]]) -> None:
    assert spans(event) == expected


def test_spans_that_touch_are_one() -> None:
    first = "DTSTART:20261124T010000Z\r\nDTEND:20261124T030000Z"
    second = "DTSTART:20261124T023000Z\r\nDTEND:20261124T040000Z"
    assert spans(second, first) == [("24.0100", "24.0400")]


@pytest.mark.parametrize(
    "event",
    [
        "SUMMARY:no start",
        "DTSTART:19000101T000000Z\r\nRRULE:FREQ=WEEKLY",
        "DTSTART:20261124T010000Z\r\nRRULE:FREQ=SECONDLY",
        "DTSTART:20261124T010000Z\r\nRRULE:FREQ=DAILY;INTERVAL=0",
        "DTSTART:20261124T010000Z\r\nRRULE:FREQ=WEEKLY;BYDAY=2TU",
        "DTSTART:99999999T999999Z",
        "DTSTART:20261124T010000Z\r\nDTEND:20261123T010000Z",
        "DTSTART:99991231T230000Z\r\nDURATION:P9999W",
    ],
)
def test_what_is_not_understood_is_counted(event: str) -> None:
    assert busy_file(calendar(event), now=NOW).skipped == 1


@pytest.mark.parametrize("content", [b"", b"<html>", b"x" * (MOST_OCTETS + 1), b"\x00" * 99])
def test_what_is_no_calendar_or_too_large_is_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        busy_file(content, now=NOW)


def test_a_file_of_very_many_repetitions_is_refused_and_soon() -> None:
    each = "DTSTART:20170101T000000Z\r\nRRULE:FREQ=WEEKLY;UNTIL=20261101T000000Z"
    began = datetime.now(UTC)
    with pytest.raises(Malformed):
        busy_file(calendar(*[each] * 3000), now=NOW)
    assert datetime.now(UTC) - began < timedelta(seconds=20)


def test_mutated_files_are_read_or_refused_and_give_only_spans_that_make_sense() -> None:
    """MUTATIONS=100000 in `make fuzz`."""
    for content in busy_corpus.mutations(int(os.environ.get("MUTATIONS", "1000"))):
        try:
            found = busy_file(content, now=NOW)
        except Malformed:
            continue
        assert len(found.spans) <= MOST_SPANS
        assert all(start < end for start, end in found.spans)
        assert all(end > NOW for _, end in found.spans)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_file_never_breaks_it(data: st.DataObject) -> None:
    whole = calendar(
        "DTSTART;TZID=Asia/Ho_Chi_Minh:20261124T080000\r\nDURATION:PT2H\r\n"
        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=5;BYDAY=TU,TH\r\nEXDATE:20261126T010000Z"
    )
    place = data.draw(st.integers(0, len(whole)))
    junk = data.draw(st.binary(max_size=12))
    broken = whole[:place] + junk + whole[place + data.draw(st.integers(0, 8)) :]
    try:
        found = busy_file(broken, now=NOW)
    except Malformed:
        return
    assert all(start < end for start, end in found.spans)
