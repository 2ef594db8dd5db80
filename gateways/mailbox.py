"""The local mailbox: where mail is kept and read when no mail server is set."""

import mailbox
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from icalendar import Calendar

from rules.calendar import clean_text


@dataclass(frozen=True)
class KeptMail:
    """One message of the local mailbox as a page shows it."""

    key: str
    sender: str
    recipient: str
    subject: str
    sent_at: datetime | None
    message_id: str = ""
    text: str = ""
    calendar: tuple[tuple[str, str], ...] = ()
    source: bytes = b""


class LocalMailbox:
    """A Maildir: one file a message, readable by any mail program."""

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Keep one message; the file appears whole or not at all."""
        before_data()
        box = mailbox.Maildir(self._folder, factory=None, create=True)
        key = box.add(content)
        return f"250 kept as {key} for {recipient}"

    def hurry(self, seconds: float) -> None:
        """A file is written at once."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def listing(self, limit: int = 200) -> list[KeptMail]:
        """List the newest messages first, headers only."""
        newest = sorted(self._files(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [_read(path, with_body=False) for path in newest[:limit]]

    def message(self, key: str) -> KeptMail | None:
        """Read one message with its text and the facts of its calendar object."""
        for path in self._files():
            if path.name == key:
                return _read(path, with_body=True)
        return None

    def forget(self, texts: list[str]) -> int:
        """Delete every message that says one of the texts, in a header or a body; gives how many."""
        gone = 0
        for path in self._files():
            mail = _read(path, with_body=True)
            said = [mail.recipient, mail.subject, mail.text, *(value for _, value in mail.calendar)]
            if any(text in one for text in texts for one in said):
                path.unlink()
                gone += 1
        return gone

    def _files(self) -> list[Path]:
        return [path for part in ("new", "cur") for path in (self._folder / part).glob("*")]


def _read(path: Path, *, with_body: bool) -> KeptMail:
    content = path.read_bytes()
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    date = message["Date"]
    return KeptMail(
        key=path.name,
        sender=str(message["From"] or ""),
        recipient=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=parsedate_to_datetime(str(date)) if date else None,
        message_id=str(message["Message-ID"] or ""),
        text=_text(message) if with_body else "",
        calendar=_calendar(message) if with_body else (),
        source=content if with_body else b"",
    )


def _text(message: EmailMessage) -> str:
    body = message.get_body(preferencelist=("plain",))
    return clean_text(str(body.get_content())) if body is not None else ""


def _calendar(message: EmailMessage) -> tuple[tuple[str, str], ...]:
    for part in message.walk():
        if part.get_content_type() == "text/calendar":
            calendar = Calendar.from_ical(part.get_content())
            return (("METHOD", str(calendar.get("METHOD", ""))), *_facts(calendar))
    return ()


def _facts(calendar: Calendar) -> list[tuple[str, str]]:
    shown = ("UID", "SEQUENCE", "SUMMARY", "DTSTART", "DTEND", "LOCATION", "STATUS", "ATTENDEE")
    found = []
    for event in calendar.events:
        for name in shown:
            value = event.get(name)
            if value is not None:
                found.append((name, str(getattr(value, "dt", value))))
    return found
