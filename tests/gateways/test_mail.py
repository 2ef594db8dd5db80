"""Letters read back from their bytes, and headers that try to break out."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.calendar import Attendee, Method, Organizer, invitation
from gateways.errors import GatewayError
from gateways.mail import (
    Button,
    Envelope,
    Letter,
    Mailbox,
    compose,
    is_address,
    message_id,
    subject_line,
)
from rules.calendar import MeetingFacts, clean_line
from tests.ics_lint import faults

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
ENVELOPE = Envelope(
    sender=Mailbox("moihop@thanhuy.example", "Ban Tuyên giáo Thành uỷ"),
    recipient=Mailbox("chi@nhanvien.example", "Trần Thị Chi"),
    subject="Mời: Học tập Nghị quyết Trung ương 4",
    message_id=message_id("request:1:2:0", "thanhuy.example"),
    sent_at=NOW,
)
LETTER = Letter(
    greeting="Kính gửi đồng chí Trần Thị Chi,",
    paragraphs=["Mời đồng chí dự buổi học <sau>:"],
    facts=[("Thời gian", "7h30, thứ Ba, 01/12/2026")],
    buttons=[Button("Tôi sẽ dự", "https://lich.example/r/abc?a=1&b=2")],
    closing="Trân trọng.",
)
FACTS = MeetingFacts(
    uid="7f3a@thanhuy.example",
    sequence=0,
    created_at=NOW,
    last_modified_at=NOW,
    starts_at=NOW + timedelta(days=8),
    ends_at=NOW + timedelta(days=8, hours=3),
    summary="Học tập Nghị quyết Trung ương 4",
)


def calendar(method: Method) -> bytes:
    office = Organizer(ENVELOPE.sender.address, ENVELOPE.sender.name)
    guest = Attendee(ENVELOPE.recipient.address, ENVELOPE.recipient.name)
    return invitation(FACTS, office, guest, method=method, stamp=NOW)


def read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    assert part is not None
    return str(part.get_content())


def decoded(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("method", list(Method))
def test_an_invitation_carries_its_object_twice_in_the_order_clients_need(method: Method) -> None:
    content = compose(ENVELOPE, LETTER, calendar(method), method)
    message = read(content)
    assert message.get_content_type() == "multipart/mixed"
    alternative, attachment = message.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    shown = list(alternative.iter_parts())[-1]
    assert shown["Content-Type"].params["method"] == method.value
    inside, attached = decoded(shown), decoded(attachment)
    assert inside == attached == calendar(method)
    assert faults(inside) == []
    assert f"METHOD:{method.value}\r\n".encode() in inside
    assert attachment.get_content_type() == "application/ics"


def test_the_attendee_the_recipient_and_the_organizer_are_who_the_envelope_says() -> None:
    message = read(compose(ENVELOPE, LETTER, calendar(Method.REQUEST), Method.REQUEST))
    content = calendar(Method.REQUEST).replace(b"\r\n ", b"").decode()
    assert message["To"].addresses[0].addr_spec in content
    assert f"mailto:{message['From'].addresses[0].addr_spec}" in content
    assert message["To"].addresses[0].display_name == "Trần Thị Chi"


def test_every_line_is_seven_bit_short_and_ends_in_crlf() -> None:
    content = compose(ENVELOPE, LETTER, calendar(Method.REQUEST), Method.REQUEST)
    assert re.search(rb"(?<!\r)\n", content) is None
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 200
    for part in read(content).walk():
        if not part.is_multipart():
            assert b"\n" not in decoded(part).replace(b"\r\n", b"")


def test_the_same_letter_has_the_same_bytes() -> None:
    first = compose(ENVELOPE, LETTER, calendar(Method.REQUEST), Method.REQUEST)
    assert first == compose(ENVELOPE, LETTER, calendar(Method.REQUEST), Method.REQUEST)


def test_both_bodies_say_the_facts_and_the_html_is_escaped() -> None:
    message = read(compose(ENVELOPE, LETTER))
    plain = body(message, "plain")
    html = body(message, "html")
    assert "Thời gian: 7h30, thứ Ba, 01/12/2026" in plain
    assert "Mời đồng chí dự buổi học <sau>:" in plain
    assert "https://lich.example/r/abc?a=1&b=2" in plain
    assert "&lt;sau&gt;" in html
    assert "https://lich.example/r/abc?a=1&amp;b=2" in html
    assert "src=" not in html


def test_machine_mail_says_that_it_is_machine_mail() -> None:
    message = read(compose(replace(ENVELOPE, in_reply_to="<1@x.example>"), LETTER))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["In-Reply-To"] == "<1@x.example>"
    assert message["Message-ID"] == ENVELOPE.message_id


@pytest.mark.parametrize(
    "subject",
    [
        "x\r\nBcc: evil@x.example",
        "x\nBcc: evil@x.example",
        "=?utf-8?q?a=0d=0aBcc:_evil@x.example?=",
        "=?utf-8?b?YQ0KQmNjOiBldmlsQHguZXhhbXBsZQ==?=",
        "x\u2028Bcc: evil@x.example",
        "x\x0bBcc: evil@x.example",
    ],
)
def test_a_header_that_hides_another_is_refused(subject: str) -> None:
    with pytest.raises(GatewayError) as refused:
        compose(replace(ENVELOPE, subject=subject), LETTER)
    assert refused.value.permanent
    with pytest.raises(GatewayError):
        compose(replace(ENVELOPE, recipient=Mailbox("a@b.example", subject)), LETTER)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "chi",
        "chi@",
        "a@b.example, c@d.example",
        "<a@b.example>",
        "a@b\r\nBcc:c@d",
        "đ@b.example",
    ],
)
def test_what_is_no_single_address_is_refused(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(GatewayError) as refused:
        compose(replace(ENVELOPE, recipient=Mailbox(address)), LETTER)
    assert refused.value.bad_address


WORDS = st.lists(
    st.text(
        st.sampled_from('aăâđêôơưộệửỵẫẮ()–:,.=?_ "<>@;0129h\u0323\u00a0e'), min_size=1, max_size=12
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(words=WORDS, name=WORDS)
def test_every_letter_and_space_of_subject_and_name_arrives(
    words: list[str], name: list[str]
) -> None:
    subject, shown = " ".join(words), " ".join(name)
    envelope = replace(ENVELOPE, subject=subject, recipient=Mailbox("a@b.example", shown))
    content = compose(envelope, LETTER)
    assert read(content)["Subject"] == subject_line(subject)
    to = str(make_header(decode_header(message_from_bytes(content)["To"])))
    expected = f"{clean_line(shown)} <a@b.example>" if clean_line(shown) else "a@b.example"
    assert " ".join(to.split()) == expected


def test_a_long_subject_is_cut_and_stays_one_line() -> None:
    long = "Học tập " * 60
    assert len(subject_line(long)) <= 180
    assert read(compose(replace(ENVELOPE, subject=long), LETTER))["Subject"].startswith("Học tập")
