"""Calendar objects read back as raw bytes and by two other parsers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import vobject  # type: ignore[import-untyped]  # has no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event, vCalAddress

from gateways.calendar import (
    Attendee,
    EventBlock,
    Method,
    Organizer,
    checked_feed,
    event_block,
    feed,
    feed_calendar,
    invitation,
)
from gateways.errors import GatewayError
from rules.calendar import MeetingFacts, clean_line
from tests.ics_lint import faults

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
OFFICE = Organizer("moihop@thanhuy.example", "Ban Tuyên giáo Thành uỷ")
CHI = Attendee("chi@nhanvien.example", "Trần Thị Chi")
FACTS = MeetingFacts(
    uid="7f3a2c@thanhuy.example",
    sequence=0,
    created_at=NOW - timedelta(days=3),
    last_modified_at=NOW,
    starts_at=datetime(2026, 12, 1, 0, 30, tzinfo=UTC),
    ends_at=datetime(2026, 12, 1, 4, 0, tzinfo=UTC),
    summary="Học tập, quán triệt Nghị quyết Trung ương 4; chuyên đề 1",
    location="Hội trường số 2, trụ sở Thành uỷ",
    description="Mang theo sổ tay.\nCó mặt trước 15 phút.",
    url="https://lich.example/m/7f3a2c",
    categories=("Học nghị quyết",),
)


def many(count: int) -> list[EventBlock]:
    return [
        event_block(
            replace(
                FACTS,
                uid=f"{number:05d}@thanhuy.example",
                starts_at=FACTS.starts_at + timedelta(days=number % 97),
                ends_at=FACTS.ends_at + timedelta(days=number % 97),
                cancelled=number % 11 == 0,
            ),
            OFFICE,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_a_feed_is_clean_and_read_alike_by_two_parsers(count: int) -> None:
    content = feed("Lịch học tập", many(count))
    assert faults(content) == []
    assert len(Calendar.from_ical(content).events) == count
    read = vobject.readOne(content.decode())
    assert len(read.contents.get("vevent", [])) == count
    checked_feed(content, count)


def test_joined_blocks_are_what_the_library_would_write() -> None:
    blocks = many(40)
    whole = feed_calendar("Lịch học tập")
    for block in sorted(blocks):
        whole.add_component(Event.from_ical(block.content))
    assert feed("Lịch học tập", reversed(blocks)) == whole.to_ical()


def test_the_same_facts_give_the_same_bytes() -> None:
    assert event_block(FACTS, OFFICE) == event_block(replace(FACTS), OFFICE)
    assert feed("Lịch", many(5)) == feed("Lịch", many(5))


def test_a_feed_names_no_guest_and_has_no_name_of_its_own() -> None:
    content = feed("Lịch học tập", many(2))
    assert b"ATTENDEE" not in content
    assert Calendar.from_ical(content).get("UID") is None
    assert b"METHOD:PUBLISH" in content
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT1H" in content


def test_a_cancelled_meeting_stays_in_the_feed_and_says_so() -> None:
    event = Event.from_ical(event_block(replace(FACTS, cancelled=True), OFFICE).content)
    assert event["STATUS"] == "CANCELLED"
    assert event["TRANSP"] == "TRANSPARENT"
    assert str(event["SUMMARY"]).startswith("ĐÃ HUỶ: ")


def test_a_meeting_is_at_half_past_seven_in_both_parsers() -> None:
    content = feed("Lịch", [event_block(FACTS, OFFICE)])
    mine = Calendar.from_ical(content).events[0].DTSTART
    other = vobject.readOne(content.decode()).vevent.dtstart.value
    assert f"{mine:%H:%M}" == "07:30"
    assert mine == other == FACTS.starts_at


def test_a_cut_feed_never_goes_out() -> None:
    content = feed("Lịch", many(3))
    for bad in (content[:-200], b"", b"<html></html>", content.replace(b"END:VEVENT\r\n", b"", 1)):
        with pytest.raises(GatewayError):
            checked_feed(bad, 3)
    with pytest.raises(GatewayError, match="cần 4"):
        checked_feed(content, 4)


def test_a_request_asks_exactly_one_person() -> None:
    content = invitation(FACTS, OFFICE, CHI, method=Method.REQUEST, stamp=NOW)
    assert faults(content) == []
    event = Calendar.from_ical(content).events[0]
    attendee = event["ATTENDEE"]
    assert isinstance(attendee, vCalAddress)
    assert attendee == "mailto:chi@nhanvien.example"
    assert attendee.params["RSVP"] == "TRUE"
    assert attendee.params["PARTSTAT"] == "NEEDS-ACTION"
    assert attendee.params["CN"] == "Trần Thị Chi"
    assert event["ORGANIZER"] == "mailto:moihop@thanhuy.example"
    assert vobject.readOne(content.decode()).vevent.attendee.value == str(attendee)


def test_the_objects_of_two_guests_differ_in_their_own_lines_alone() -> None:
    others = Organizer("moihop+i7.ab@thanhuy.example", OFFICE.name)
    an = Attendee("an@nhanvien.example", "Nguyễn Thị Ngọc Ánh Tuyết Mai Hương", "DECLINED")
    later = NOW + timedelta(minutes=3)
    first = invitation(FACTS, OFFICE, CHI, method=Method.REQUEST, stamp=NOW)
    second = invitation(FACTS, others, an, method=Method.REQUEST, stamp=later)
    assert Calendar.from_ical(second).to_ical() == second
    one, two = (Calendar.from_ical(content).events[0] for content in (first, second))
    own = {name for name in one if one[name].to_ical() != two[name].to_ical()}
    assert own == {"DTSTAMP", "ATTENDEE", "ORGANIZER"}
    assert (two["ATTENDEE"], two["ORGANIZER"]) == (
        "mailto:an@nhanvien.example",
        "mailto:moihop+i7.ab@thanhuy.example",
    )
    assert two["ATTENDEE"].params["PARTSTAT"] == "DECLINED"
    assert later == two.DTSTAMP


def test_a_cancelled_meeting_and_a_removed_person_get_different_cancels() -> None:
    off = invitation(
        replace(FACTS, cancelled=True, sequence=1), OFFICE, CHI, method=Method.CANCEL, stamp=NOW
    )
    taken_off = invitation(FACTS, OFFICE, CHI, method=Method.CANCEL, stamp=NOW, removed=True)
    assert faults(off) == faults(taken_off) == []
    assert b"STATUS:CANCELLED" in off
    assert b"STATUS" not in taken_off
    assert b"RSVP" not in off + taken_off


WILD = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("\r\n\t\\;,:\"'^\x00\x0b\x0c\x1b\x85\u2028\u2029\u202e\ufeffạ̣ộ🎓Nn=?"),
    ),
    max_size=120,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(title=WILD, place=WILD, note=WILD, name=WILD)
def test_nothing_typed_can_add_a_property(title: str, place: str, note: str, name: str) -> None:
    facts = replace(FACTS, summary=f"x{title}", location=place, description=note)
    guest = replace(CHI, name=name)
    content = invitation(facts, OFFICE, guest, method=Method.REQUEST, stamp=NOW)
    assert faults(content) == []
    event = Calendar.from_ical(content).events[0]
    assert str(event["SUMMARY"]) == clean_line(f"x{title}")
    assert str(event.get("LOCATION", "")) == clean_line(place)
    assert str(event["ATTENDEE"].params.get("CN", "")) == clean_line(name).replace('"', "'")
    assert Calendar.from_ical(content).to_ical() == content
    by_unicode_lines = content.decode().replace("\r\n ", "").splitlines()
    assert sum(line.startswith("ATTENDEE") for line in by_unicode_lines) == 1


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85", "\r", "\r\n", "\n"])
def test_a_title_cannot_invite_a_stranger(separator: str) -> None:
    facts = replace(FACTS, summary=f"x{separator}ATTENDEE:mailto:evil@x.example")
    content = invitation(facts, OFFICE, CHI, method=Method.REQUEST, stamp=NOW)
    lines = content.decode().replace("\r\n ", "").splitlines()
    assert [line for line in lines if line.startswith("ATTENDEE:")] == []
    assert faults(content) == []


def test_the_lint_notices_what_parsers_let_pass() -> None:
    good = feed("Lịch", many(1))
    broken = {
        "bare": good.replace(b"\r\n", b"\n"),
        "VTIMEZONE": good.replace(b"TZID:Asia/Ho_Chi_Minh", b"TZID:Asia/Other", 1),
        "without VALUE": good.replace(b";VALUE=DURATION", b""),
        "ATTENDEE": good.replace(b"STATUS:", b"ATTENDEE:mailto:a@b.vn\r\nSTATUS:", 1),
        "calendar-level UID": good.replace(b"CALSCALE", b"UID:1\r\nCALSCALE"),
        "without UID": good.replace(b"\r\nUID:", b"\r\nX-UID:"),
        "octets": good.replace(b"\r\n ", b""),
        "unescaped": good.replace(b"\\,", b","),
        "control": good.replace(b"STATUS", "X-A:\u2028\r\nSTATUS".encode(), 1),
        "end with VCALENDAR": good[:-30],
        "floating": good.replace(b"DTSTART;TZID=Asia/Ho_Chi_Minh", b"DTSTART"),
    }
    for expected, content in broken.items():
        assert any(expected in fault for fault in faults(content)), expected
