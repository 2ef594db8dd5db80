"""Calendar files as programs export them, and the same broken in every way: for uploads."""

import random
from collections.abc import Iterator

from tests.reply_corpus import mutate

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Asia/Ho_Chi_Minh\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:+0700\r\nTZOFFSETTO:+0700\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
WEEKLY = (
    "BEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:Họp giao ban\r\n"
    "DTSTART;TZID=Asia/Ho_Chi_Minh:20261124T080000\r\nDURATION:PT2H\r\n"
    "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=50;BYDAY=TU,TH\r\nEXDATE:20261126T010000Z\r\n"
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
)
DAILY = (
    "BEGIN:VEVENT\r\nUID:2@x\r\nDTSTART:20261124T010000Z\r\nDTEND:20261124T030000Z\r\n"
    "RRULE:FREQ=DAILY;UNTIL=20271201T000000Z\r\nEND:VEVENT\r\n"
)
SINGLES = (
    "BEGIN:VEVENT\r\nUID:3@x\r\nDTSTART;VALUE=DATE:20261125\r\nDTEND;VALUE=DATE:20261127\r\n"
    "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:4@x\r\nDTSTART;TZID=Asia/Tokyo:20261128T100000\r\n"
    "DTEND;TZID=Asia/Tokyo:20261128T113000\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:5@x\r\nDTSTART:20261129T010000\r\nTRANSP:TRANSPARENT\r\n"
    "DESCRIPTION:một dòng dài bị gấp lại ở giữa chữ vì quá bảy mươi lăm byte trong một d\r\n òng\r\n"
    "END:VEVENT\r\n"
)
SEEDS = tuple(
    f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x\r\n{body}END:VCALENDAR\r\n".encode()
    for body in (ZONE + WEEKLY, DAILY, SINGLES, ZONE + WEEKLY + DAILY + SINGLES)
)
SPLICES = (
    b"\r\nRRULE:FREQ=DAILY\r\n", b"\r\nDTSTART:00010101T000000Z\r\n", b"\r\nDTEND:99991231T235959Z",
    b";TZID=/etc/passwd", b";TZID=../../zone", b";TZID=Asia", b"\x00", b"\r\n ", b"\xff\xfe",
    b"\r\nDURATION:P9999999999W", b"INTERVAL=99999999999999999999", b"COUNT=-1", b"BYDAY=,,,",
    b"\r\nBEGIN:VEVENT\r\n", b"\r\nEND:VEVENT\r\n", b"END:VCALENDAR", "\u2028ATTENDEE:x".encode(),
    b"20260230T250000Z", "٢٠٢٦١١٢٤T٠١٠٠٠٠Z".encode(), b"\r\nEXDATE:" + b"20261126T010000Z," * 500,
)  # fmt: skip


def mutations(how_many: int, seed: int = 1) -> Iterator[bytes]:
    """Files with bytes flipped, cut, doubled, moved and spliced."""
    chance = random.Random(seed)
    for _ in range(how_many):
        content = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 6)):
            mutate(content, chance, SEEDS, SPLICES)
        yield bytes(content)
