"""Mails written straight into bytes, compared with what Python's own `email` writes."""

import hashlib
from dataclasses import replace
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import mime
from gateways.calendar import Method
from gateways.errors import GatewayError
from gateways.mail import Envelope, Letter, Mailbox, compose, html_body, plain_body, subject_line
from rules.calendar import clean_line
from tests.gateways.test_mail import ENVELOPE, LETTER, calendar, read

FAMILIES = ("Nguyễn", "Trần", "Đặng", "Ưng", "Lý", "Tôn Nữ", "H'Bia", "O’Neil", "")
MIDDLES = ("Thị", "Văn", "Ngọc Ánh", "“Tý”", "(cán bộ)", "<b>", "&amp;", ",;:", '"quoted"', "@")
GIVEN = (
    "Huyền",
    "=?utf-8?b?%%%?=",
    "Ẩn",
    "Yên",
    "Ổn",
    "x" * 90,
    "ễ" * 80,
    "=?utf-8?q?An?=",
    "%(name)s",
    "{{ 7*7 }}",
)
NAMES = [f"{a} {b} {c}".strip() for a in FAMILIES for b in MIDDLES for c in GIVEN]
PAYLOADS = [
    f"An{end}{header}"
    for end in ("\r\n", "\n", "\r", "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\r\n\r\n")
    for header in ("Bcc: evil@x.example", "Content-Type: text/html", "<script>", ".", "\r\n.\r\n")
] + [
    "=?utf-8?q?a=0d=0aBcc:_evil@x?=",
    "=?utf-8?b?YQ0KQmNjOiBldmlsQHguZXhhbXBsZQ==?=",
    "=?utf-8?b?YQ0K?= =?utf-8?b?QmNjOiBldmlsQHg=?=",
    "=?unknown-charset?q?a?=",
]


def written_by_the_library(
    envelope: Envelope, letter: Letter, content: bytes, method: Method | None
) -> bytes:
    """The same mail by `EmailMessage`, but for MIME-Version, which a part inside a mail needs not."""
    message = EmailMessage(policy=SMTP)
    for header, mailbox in (("From", envelope.sender), ("To", envelope.recipient)):
        name = Header(clean_line(mailbox.name), "utf-8", header_name=header).encode(linesep="\r\n")
        message.set_raw(header, f"{name}\r\n <{mailbox.address}>")
    subject = Header(subject_line(envelope.subject), "utf-8", header_name="Subject")
    message.set_raw("Subject", subject.encode(linesep="\r\n"))
    message["Date"] = format_datetime(envelope.sent_at)
    message["Message-ID"] = envelope.message_id
    if envelope.in_reply_to:
        message["In-Reply-To"] = message["References"] = envelope.in_reply_to
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    message.set_content(plain_body(letter), cte="base64")
    message.add_alternative(html_body(letter), subtype="html", cte="base64")
    if method:
        message.add_alternative(content, maintype="text", subtype="calendar", cte="base64")
        kind = f"text/calendar; method={method.value}; charset=UTF-8; component=VEVENT"
        list(message.iter_parts())[-1].replace_header("Content-Type", kind)
    if content:
        name = {Method.REQUEST: "moi.ics", Method.CANCEL: "huy.ics", None: "lich.ics"}[method]
        message.add_attachment(
            content, maintype="application", subtype="ics", cte="base64", filename=name
        )
    digest = hashlib.sha256(envelope.message_id.encode()).hexdigest()[:24]
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{number}_{digest}")
        if number:
            del part["MIME-Version"]
    return message.as_bytes()


def written(envelope: Envelope, content: bytes = b"", method: Method | None = None) -> bytes:
    if content and not method:
        return compose(envelope, LETTER, attached=content)
    return compose(envelope, LETTER, content, method)


@pytest.mark.parametrize(("place", "method"), list(enumerate([None, *Method])))
def test_the_bytes_are_the_librarys_for_hundreds_of_names(
    place: int, method: Method | None
) -> None:
    for name in NAMES[place::3]:
        if mime.hides_a_line(name):
            continue
        content = calendar(method) if method else (b"BEGIN:VCALENDAR\r\n" if name > "Đ" else b"")
        envelope = replace(
            ENVELOPE, recipient=Mailbox("an@x.example", name), subject=f"Mời: {name}"
        )
        expected = written_by_the_library(envelope, LETTER, content, method)
        assert written(envelope, content, method) == expected, name


def test_a_letter_in_a_thread_is_the_librarys_too() -> None:
    envelope = replace(ENVELOPE, in_reply_to="<e55986a8c84bfd6a1129e5a05cf1f037@thanhuy.example>")
    assert written(envelope) == written_by_the_library(envelope, LETTER, b"", None)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_a_header_a_recipient_or_a_part(payload: str) -> None:
    usual = read(written(ENVELOPE, calendar(Method.REQUEST), Method.REQUEST))
    for envelope in (
        replace(ENVELOPE, subject=payload),
        replace(ENVELOPE, recipient=Mailbox("an@x.example", payload)),
        replace(ENVELOPE, sender=Mailbox("an@x.example", payload)),
        replace(ENVELOPE, in_reply_to=payload),
    ):
        with pytest.raises(GatewayError) as refused:
            written(envelope)
        assert refused.value.permanent
    letter = replace(LETTER, greeting=payload, facts=[(payload, payload)], closing=payload)
    content = compose(ENVELOPE, letter, calendar(Method.REQUEST), Method.REQUEST)
    assert read(content).keys() == usual.keys()
    kinds = [part.get_content_type() for part in read(content).walk()]
    assert kinds == [part.get_content_type() for part in usual.walk()]


def test_a_header_that_slips_past_the_checks_is_seen_when_read_back() -> None:
    for value in ("a\r\nBcc: evil@x.example", "a\r\n\r\nbody", "a\r\nno header"):
        with pytest.raises(GatewayError, match="đọc lại"):
            mime.message([("Subject", value)], b"")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_a_text_keeps_every_line_and_ends_each_in_crlf(content: str) -> None:
    lines = mime.text(content)
    bare = lines.replace(b"\r\n", b"")
    assert not {b"\r"[0], b"\n"[0]} & set(bare)
    assert lines.decode().replace("\r\n", "\n").rstrip("\n") == (
        content.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    )
