"""Mails as calendars, mail servers and strangers really send them back, made from a few facts."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

CHI = "chi@test.invalid"
OFFICE = "tuyenhuan@localhost"
STAMP = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Facts:
    """What a mail answers, and how."""

    uid: str = "buoi-1@test.invalid"
    attendee: str = CHI
    partstat: str = "ACCEPTED"
    sequence: int | None = 0
    stamp: datetime | None = STAMP
    sender: str = CHI
    to: str = OFFICE
    message_id: str = "<1@client.invalid>"
    method: str = "REPLY"


def calendar_object(facts: Facts, *, organizer: bool = True, more: str = "") -> str:
    """The REPLY as RFC 5546 3.2.3 has it, with what a client adds."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Some client//EN"]
    lines += [f"METHOD:{facts.method}", "BEGIN:VEVENT", f"UID:{facts.uid}"]
    if facts.sequence is not None:
        lines.append(f"SEQUENCE:{facts.sequence}")
    if facts.stamp is not None:
        lines.append(f"DTSTAMP:{facts.stamp.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    if organizer:
        lines.append(f"ORGANIZER;CN=Lịch học tập:mailto:{facts.to}")
    lines.append(f'ATTENDEE;CN="Chi, Đỗ Thị";PARTSTAT={facts.partstat}:mailto:{facts.attendee}')
    lines += [*more.splitlines(), "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(lines)


def headed(message: EmailMessage, facts: Facts, subject: str) -> bytes:
    message["From"] = f"Đỗ Thị Kim Chi <{facts.sender}>"
    message["To"] = facts.to
    message["Subject"] = subject
    message["Message-ID"] = facts.message_id
    return message.as_bytes()


def thunderbird(facts: Facts) -> bytes:
    """The same object twice in one mail, eight bit, without In-Reply-To."""
    lines = [
        f"From: =?UTF-8?Q?=C4=90=E1=BB=97_Th=E1=BB=8B_Chi?= <{facts.sender}>",
        f"To: {facts.to}",
        "Subject: Invitation Reply (Accepted): =?UTF-8?B?SOG7jWMgdOG6rXA=?=",
        f"Message-ID: {facts.message_id}",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="outer"',
        "",
        "--outer",
        'Content-Type: multipart/alternative; boundary="inner"',
        "",
        "--inner",
        "Content-Type: text/plain; charset=UTF-8; format=flowed",
        "Content-Transfer-Encoding: 8BIT",
        "",
        "Chi đã nhận lời mời.",
        "--inner",
        "Content-Type: text/calendar; method=REPLY; charset=UTF-8",
        "Content-Transfer-Encoding: 8BIT",
        "",
        calendar_object(facts),
        "--inner--",
        "--outer",
        'Content-Type: application/ics; name="invite.ics"',
        "Content-Transfer-Encoding: 8BIT",
        "Content-Disposition: attachment; filename=invite.ics",
        "",
        calendar_object(facts),
        "--outer--",
        "",
    ]
    return "\r\n".join(lines).encode()


def outlook(facts: Facts, more: str = "") -> bytes:
    """Exchange strips ORGANIZER and adds properties of its own."""
    own = f"X-MICROSOFT-CDO-APPT-SEQUENCE:0\nDTSTART;TZID=SE Asia Standard Time:20261128T080000\n{more}"
    part = EmailMessage()
    part.set_content(
        calendar_object(facts, organizer=False, more=own), subtype="calendar", cte="base64"
    )
    part.replace_header("Content-Type", 'text/calendar; charset="utf-8"; method=REPLY')
    return headed(part, facts, "Accepted: Học tập")


def bare_line_feeds(facts: Facts) -> bytes:
    return thunderbird(facts).replace(b"\r\n", b"\n")


def attached_only(facts: Facts) -> bytes:
    message = EmailMessage()
    message.set_content("Xem tệp kèm.")
    message.add_attachment(
        calendar_object(facts).encode(), maintype="application", subtype="ics", filename="a.ics"
    )
    return headed(message, facts, "Trả lời")


def two_attendees(facts: Facts) -> bytes:
    return outlook(facts, "ATTENDEE;PARTSTAT=DECLINED:mailto:hien@test.invalid")


def counter(facts: Facts) -> bytes:
    times = "DTSTART:20261129T010000Z\r\nDTEND:20261129T030000Z\r\nCOMMENT:Xin lùi một ngày"
    body = calendar_object(Facts(**(vars(facts) | {"method": "COUNTER"})), more=times)
    part = EmailMessage()
    part.set_content(body, subtype="calendar", cte="base64")
    return headed(part, facts, "Đề nghị giờ khác")


def out_of_office(facts: Facts) -> bytes:
    message = EmailMessage()
    message["Auto-Submitted"] = "auto-replied"
    message.set_content("Tôi đi vắng đến hết tháng.")
    return headed(message, facts, "Automatic reply: Mời: Học tập")


def handwritten(facts: Facts) -> bytes:
    message = EmailMessage()
    message.set_content("Tôi sẽ đến muộn 15 phút.")
    return headed(message, facts, "Re: Mời: Học tập")


def bounce(
    original_id: str, *, address: str = CHI, status: str = "5.1.1", action: str = "failed"
) -> bytes:
    """A delivery status as RFC 3464 has it."""
    original = (
        f"From: {OFFICE}\r\nTo: {address}\r\nMessage-ID: {original_id}\r\nSubject: Moi\r\n\r\n"
    )
    lines = [
        "From: Mail Delivery System <MAILER-DAEMON@mx.invalid>",
        f"To: {OFFICE}",
        "Subject: Undelivered Mail Returned to Sender",
        f"Message-ID: <{abs(hash((original_id, status)))}@mx.invalid>",
        "Auto-Submitted: auto-replied",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "This is the mail system. The user is unknown.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.invalid",
        "",
        f"Final-Recipient: rfc822; {address}",
        f"Action: {action}",
        f"Status: {status}",
        "Diagnostic-Code: smtp; 550 no such user",
        "",
        "--b",
        "Content-Type: message/rfc822",
        "",
        original,
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()


def bomb(facts: Facts) -> bytes:
    """Two hundred thousand bytes of one folded line."""
    return outlook(facts, "COMMENT:" + "A" * 100_000 + "\r\n B" * 10_000)[:250_000]


def garbage(facts: Facts) -> bytes:
    noise = random.Random(4).randbytes(3000)
    return b"From: " + facts.sender.encode() + b"\r\nContent-Type: text/calendar\r\n\r\n" + noise


SEEDS = (
    thunderbird(Facts()),
    outlook(Facts()),
    bare_line_feeds(Facts()),
    two_attendees(Facts()),
    counter(Facts()),
    out_of_office(Facts()),
    bounce("<x@localhost>"),
    garbage(Facts()),
)
SPLICES = (
    b"\x00",
    b"\r\n",
    b"\n ",
    b":",
    b";",
    b'"',
    b"BEGIN:VEVENT\r\n",
    b"END:VCALENDAR\r\n",
    b"TZID=Asia:",
    b"METHOD:CANCEL\r\n",
    b"ATTENDEE:mailto:evil@x.invalid\r\n",
    b"SEQUENCE:99999999999999999999\r\n",
    b"DTSTAMP:99999999T999999Z\r\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b"--b\r\n",
    b"=?utf-8?b?//8=?=",
    b"=?x-none?q?=00?=",
    b"Content-Transfer-Encoding: base64\r\n",
    b"charset=idna",
    b"\xff\xfe",
    "\u2028\u202e\ud55c".encode(),
)


def mutations(how_many: int, seed: int = 1) -> Iterator[bytes]:
    """Real mails with bytes flipped, cut, doubled, moved and spliced."""
    chance = random.Random(seed)
    for _ in range(how_many):
        content = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 6)):
            mutate(content, chance, SEEDS, SPLICES)
        yield bytes(content)


def mutate(
    content: bytearray, chance: random.Random, seeds: Sequence[bytes], splices: Sequence[bytes]
) -> None:
    """Break the content once, in one of six ways."""
    at = chance.randrange(len(content) + 1)
    length = chance.choice((1, 1, 4, 40, 400))
    how = chance.randrange(6)
    if how == 0:
        content[at : at + length] = b""
    elif how == 1:
        content[at:at] = chance.choice(splices)
    elif how == 2:
        content[at : at + 1] = bytes([chance.randrange(256)])
    elif how == 3:
        content[at:at] = content[at : at + length]
    elif how == 4:
        other = chance.choice(seeds)
        start = chance.randrange(len(other))
        content[at:at] = other[start : start + length]
    else:
        content[at : at + length] = content[at : at + length][::-1]
