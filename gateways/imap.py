"""The replies' mailbox over IMAP: new mails are fetched without a mark, marked as read when taken in,
and never deleted."""

import imaplib
import ipaddress
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from threading import Timer
from typing import Any, Protocol

from gateways.errors import GatewayError
from gateways.replies import MAIL_BYTES

TLS_PORT = 993
REPLY_SECONDS = 20.0
DEADLINE_SECONDS = 60.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class ImapSettings:
    """Where the replies arrive."""

    host: str
    port: int = TLS_PORT
    user: str = ""
    password: str = ""
    folder: str = "INBOX"
    reply_seconds: float = REPLY_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS


@dataclass(frozen=True)
class FetchedMail:
    """One mail as it lies in the mailbox; of one that is too large only the headers."""

    uid: int
    content: bytes
    is_whole: bool = True


class Mailroom(Protocol):
    """Whatever holds incoming mail."""

    def new_mails(self, most: int, since: date) -> list[FetchedMail]:
        """Give the oldest mails, arrived on that day or later, that nobody has marked as read, and
        leave them unmarked."""

    def mark_read(self, uid: int) -> None:
        """Mark a mail as read, once what it said is kept."""

    def close(self) -> None:
        """Let go of the connection."""


class ImapMailroom:
    """One IMAP connection with a deadline for everything it is used for."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._connection: imaplib.IMAP4 | None = None
        self._timer: Timer | None = None

    def new_mails(self, most: int, since: date) -> list[FetchedMail]:
        """See Mailroom; raises GatewayError when the server cannot be reached or used."""
        try:
            connection = self._ready()
            found = _said(connection.uid("SEARCH", "UNSEEN", "SINCE", _imap_day(since)))
            ids = [int(word) for line in found if line for word in line.split()]
            return [mail for uid in ids[:most] if (mail := _fetch(connection, uid))]
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            raise self._lost(error) from error

    def mark_read(self, uid: int) -> None:
        """See Mailroom."""
        try:
            _said(self._ready().uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)"))
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Say goodbye; the folder is not closed by command, since that would expunge."""
        connection, self._connection = self._connection, None
        if self._timer is not None:
            self._timer.cancel()
        if connection is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                connection.logout()

    def _ready(self) -> imaplib.IMAP4:
        if self._connection is None:
            self._connection = _connect(self._settings)
            self._timer = Timer(self._settings.deadline_seconds, _shut, [self._connection])
            self._timer.daemon = True
            self._timer.start()
            _sign_in(self._connection, self._settings)
        return self._connection

    def _lost(self, error: Exception) -> GatewayError:
        self.close()
        where = f"{self._settings.host}:{self._settings.port}"
        return GatewayError(f"Không đọc được hộp thư {where}: {error}", permanent=False)


def _imap_day(day: date) -> str:
    """A day as RFC 3501 writes it, in English whatever the machine speaks."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def _connect(settings: ImapSettings) -> imaplib.IMAP4:
    """Connect by TLS; elsewhere than on this machine, never without."""
    secure = ssl.create_default_context()
    if settings.port == TLS_PORT:
        return imaplib.IMAP4_SSL(
            settings.host, settings.port, ssl_context=secure, timeout=settings.reply_seconds
        )
    connection = imaplib.IMAP4(settings.host, settings.port, timeout=settings.reply_seconds)
    if not _is_this_machine(settings.host):
        connection.starttls(secure)
    return connection


def _sign_in(connection: imaplib.IMAP4, settings: ImapSettings) -> None:
    connection.login(settings.user, settings.password)
    folder = settings.folder.replace("\\", "\\\\").replace('"', '\\"')
    _said(connection.select(f'"{folder}"'))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fetch(connection: imaplib.IMAP4, uid: int) -> FetchedMail | None:
    """Look at the size first: a bomb is never brought here whole."""
    sizes = _said(connection.uid("FETCH", str(uid), "(RFC822.SIZE)"))
    size = next((re.search(rb"RFC822\.SIZE (\d+)", line) for line in sizes if line), None)
    if size is None:
        return None
    is_whole = int(size[1]) <= MAIL_BYTES
    wanted = "(BODY.PEEK[])" if is_whole else f"(BODY.PEEK[HEADER]<0.{MAIL_BYTES}>)"
    answer = connection.uid("FETCH", str(uid), wanted)
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(f"FETCH: {answer[0]}")
    for line in answer[1]:
        if isinstance(line, tuple):
            return FetchedMail(uid, bytes(line[1]), is_whole)
    return None


def _said(answer: tuple[str, Any]) -> list[bytes]:
    """The lines of an answer that says OK."""
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(f"{answer[0]}: {answer[1]!r}"[:300])
    return [line for line in answer[1] if isinstance(line, bytes)]


def _shut(connection: imaplib.IMAP4) -> None:
    """Break a connection from outside: a timeout alone never ends a server that drips bytes."""
    with suppress(OSError):
        connection.sock.shutdown(socket.SHUT_RDWR)
