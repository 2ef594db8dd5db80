"""Mail as bytes: what a letter says, and how a calendar object travels inside it."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.header import Header, decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gateways.calendar import Method
from gateways.errors import GatewayError
from rules.calendar import clean_line

SUBJECT_CHARACTERS = 180
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "mail"
_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,255}")
_PAGES = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Mailbox:
    """An address and the name beside it."""

    address: str
    name: str = ""


@dataclass(frozen=True)
class Button:
    """One link of a letter: what it says and where it leads."""

    label: str
    url: str


@dataclass(frozen=True)
class Sitting:
    """One meeting in a letter about several: when, where, what, who speaks, where to answer."""

    when: str
    place: str
    topic: str
    note: str = ""
    url: str = ""
    url_label: str = ""


@dataclass(frozen=True)
class Letter:
    """What one letter says, in plain values; the templates give it its two bodies.

    `facts` are label and value pairs set as a small table; `sittings` are a table that is also
    printed and hung up, under `table_title`; `opt_out_url` stands at the foot.
    """

    greeting: str
    paragraphs: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    sittings: Sequence[Sitting] = ()
    table_title: str = ""
    buttons: Sequence[Button] = ()
    closing: str = ""
    opt_out_url: str = ""
    opt_out_label: str = ""
    language: str = "vi"


@dataclass(frozen=True)
class Envelope:
    """Who writes to whom, about what, and when; one recipient, so that lists stay hidden."""

    sender: Mailbox
    recipient: Mailbox
    subject: str
    message_id: str
    sent_at: datetime
    in_reply_to: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def compose(
    envelope: Envelope,
    letter: Letter,
    calendar: bytes = b"",
    method: Method | None = None,
    attached: bytes = b"",
) -> bytes:
    """Give the whole message; equal arguments give equal bytes, so that a resend is the same mail.

    With a calendar object it is mixed(alternative(plain, html, text/calendar), application/ics),
    both copies of the object identical (calendar.md I1-I3); every part is base64 with CRLF ends.
    `attached` is a calendar file of several meetings, to be opened by the reader.
    Raises GatewayError when an address is no address or a header hides a second one.
    """
    _check_headers(envelope)
    message = EmailMessage(policy=SMTP)
    message.set_raw("From", _shown("From", envelope.sender))
    message.set_raw("To", _shown("To", envelope.recipient))
    message.set_raw("Subject", _encoded("Subject", subject_line(envelope.subject)))
    message["Date"] = format_datetime(envelope.sent_at)
    message["Message-ID"] = envelope.message_id
    if envelope.in_reply_to:
        message["In-Reply-To"] = envelope.in_reply_to
        message["References"] = envelope.in_reply_to
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    for name, value in envelope.headers.items():
        message[name] = value
    message.set_content(plain_body(letter), cte="base64")
    message.add_alternative(html_body(letter), subtype="html", cte="base64")
    if calendar and method:
        _add_calendar(message, calendar, method)
    if attached:
        message.add_attachment(
            attached, maintype="application", subtype="ics", cte="base64", filename="lich.ics"
        )
    _fix_boundaries(message, envelope.message_id)
    content = message.as_bytes()
    _read_back(content, message, subject_line(envelope.subject))
    return content


def plain_body(letter: Letter) -> str:
    """Give the letter as text."""
    return _PAGES.get_template("letter.txt").render(letter=letter)


def html_body(letter: Letter) -> str:
    """Give the letter as HTML that needs neither pictures nor a style sheet."""
    return _PAGES.get_template("letter.html").render(letter=letter)


def subject_line(subject: str) -> str:
    """Give the subject on one clean line of bounded length; never empty."""
    line = clean_line(subject) or "Thông báo"
    return line if len(line) <= SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 1] + "…"


def message_id(key: str, domain: str) -> str:
    """Give our own Message-ID: the same key always has the same one."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}@{domain or 'localhost'}>"


def is_address(text: str) -> bool:
    """Say whether `text` is one plain mail address and nothing more."""
    return bool(_ADDRESS.fullmatch(text)) and text.isascii()


def _check_headers(envelope: Envelope) -> None:
    for mailbox in (envelope.sender, envelope.recipient):
        if not is_address(mailbox.address):
            raise GatewayError(
                f"Địa chỉ thư không hợp lệ: {mailbox.address!r}.", permanent=True, bad_address=True
            )
    lines = [envelope.subject, envelope.sender.name, envelope.recipient.name]
    lines += [envelope.message_id, envelope.in_reply_to, *envelope.headers.values()]
    for line in lines:
        if _hides_a_line(line):
            raise GatewayError(f"Đầu thư chứa ký tự điều khiển: {line!r}.", permanent=True)


def _hides_a_line(line: str) -> bool:
    """Say whether the line, or what it says once decoded, breaks out of its header.

    Python 3.11.7 turns an encoded word with a line end in it into a second header (CVE-2024-6923).
    """
    try:
        decoded = str(make_header(decode_header(line)))
    except (MessageError, LookupError, ValueError):
        return True
    return any(unicodedata.category(mark) in ("Cc", "Zl", "Zp") for mark in line + decoded)


def _shown(header: str, mailbox: Mailbox) -> str:
    name = clean_line(mailbox.name)
    return f"{_encoded(header, name)}\r\n <{mailbox.address}>" if name else mailbox.address


def _encoded(header: str, text: str) -> str:
    """Write a header's text in encoded words of our own cutting.

    Python 3.11.7's way of folding a long header loses the space between two of them.
    """
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _add_calendar(message: EmailMessage, calendar: bytes, method: Method) -> None:
    message.add_alternative(calendar, maintype="text", subtype="calendar", cte="base64")
    part = list(message.iter_parts())[-1]
    kind = f"text/calendar; method={method.value}; charset=UTF-8; component=VEVENT"
    part.replace_header("Content-Type", kind)
    name = "huy.ics" if method is Method.CANCEL else "moi.ics"
    message.add_attachment(
        calendar, maintype="application", subtype="ics", cte="base64", filename=name
    )


def _fix_boundaries(message: EmailMessage, key: str) -> None:
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{number}_{digest}")


def _read_back(content: bytes, message: EmailMessage, subject: str) -> None:
    """Refuse a message whose headers, read again, are not the headers that were meant."""
    read = BytesHeaderParser(policy=SMTP).parsebytes(content)
    if read.keys() != message.keys() or str(read["Subject"]) != subject:
        raise GatewayError("Đầu thư đọc lại không khớp: có thể bị chèn dòng.", permanent=True)
