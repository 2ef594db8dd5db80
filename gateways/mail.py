"""Mail as bytes: what a letter says, and how a calendar object travels inside it."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gateways import mime
from gateways.calendar import Method
from gateways.errors import GatewayError
from rules.calendar import clean_line

SUBJECT_CHARACTERS = 180
_CALENDAR = 'charset="UTF-8";\r\n component="VEVENT"'
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "mail"
_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,255}")
_PAGES = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
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
    digest = hashlib.sha256(envelope.message_id.encode()).hexdigest()[:24]
    texts = [
        mime.part('text/plain; charset="utf-8"', mime.text(plain_body(letter))),
        mime.part('text/html; charset="utf-8"', mime.text(html_body(letter))),
    ]
    files = []
    if calendar and method:
        texts.append(mime.part(f'text/calendar; method="{method.value}"; {_CALENDAR}', calendar))
        files.append(_file(calendar, "huy.ics" if method is Method.CANCEL else "moi.ics"))
    if attached:
        files.append(_file(attached, "lich.ics"))
    content = mime.parts("alternative", f"=_{len(files) and 1}_{digest}", texts)
    if files:
        content = mime.parts("mixed", f"=_0_{digest}", [content, *files])
    return mime.message(_headers(envelope), content)


def _file(content: bytes, name: str) -> bytes:
    return mime.part("application/ics", content, f'attachment; filename="{name}"')


def _headers(envelope: Envelope) -> list[tuple[str, str]]:
    headers = [
        ("From", _shown("From", envelope.sender)),
        ("To", _shown("To", envelope.recipient)),
        ("Subject", mime.encoded("Subject", subject_line(envelope.subject))),
        ("Date", format_datetime(envelope.sent_at)),
        ("Message-ID", envelope.message_id),
    ]
    if envelope.in_reply_to:
        headers += [
            ("In-Reply-To", envelope.in_reply_to),
            ("References", envelope.in_reply_to),
        ]
    headers += [("Auto-Submitted", "auto-generated")]
    headers += [("X-Auto-Response-Suppress", "OOF, AutoReply")]
    return headers


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
    lines += [envelope.message_id, envelope.in_reply_to]
    for line in lines:
        if mime.hides_a_line(line):
            raise GatewayError(f"Đầu thư chứa ký tự điều khiển: {line!r}.", permanent=True)


def _shown(header: str, mailbox: Mailbox) -> str:
    name = clean_line(mailbox.name)
    if not name:
        return mailbox.address
    return f"{mime.encoded(header, name)}\r\n <{mailbox.address}>"
