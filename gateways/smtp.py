"""Sending by SMTP: one connection kept open, a total deadline per message, errors named."""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import Protocol

from gateways.deadlines import Deadline
from gateways.errors import GatewayError

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 20.0
DEADLINE_SECONDS = 50.0
GOODBYE_SECONDS = 2.0
IDLE_SECONDS = 5.0
MESSAGES_PER_CONNECTION = 200
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


class Transport(Protocol):
    """Whatever takes a finished message away: a mail server, or the local mailbox."""

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Deliver one message and give the server's answer.

        `before_data` is called once the recipient is accepted and before the first byte of the
        message leaves: from there on a broken connection leaves delivery in doubt.
        """

    def hurry(self, seconds: float) -> None:
        """Give what is being sent, and all after it, only so many seconds: the program stops."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True)
class SmtpSettings:
    """Where and how to hand over mail; `deadline_seconds` holds for a message with all it needs."""

    host: str
    port: int = 587
    user: str = ""
    password: str = ""
    starttls: bool = True
    connect_seconds: float = CONNECT_SECONDS
    reply_seconds: float = REPLY_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS


class SmtpTransport:
    """One SMTP connection, opened when first needed and opened again when it breaks."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._connection: smtplib.SMTP | None = None
        self._sent = 0
        self._used_at = 0.0
        self._hurry_seconds: float | None = None
        self._deadline = Deadline(lambda: _shut(self._connection))

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Deliver one message within the deadline, connecting included; see Transport."""
        with self._deadline.within(self._hurry_seconds or self._settings.deadline_seconds):
            return self._hand_over(sender, recipient, content, before_data)

    def _hand_over(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        whole: list[bool] = []
        try:
            connection = self._ready()
            _accepted(connection.mail(sender), "MAIL")
            _accepted(connection.rcpt(recipient), "RCPT")
            before_data()
            answer = _data(connection, content, whole)
            self._sent += 1
            return answer
        except GatewayError as error:
            if error.unavailable:
                self._drop()
            else:
                self._reset()
            raise
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            is_late = self._deadline.is_over
            raise _broken(error, is_late=is_late, in_doubt=bool(whole)) from error
        except BaseException:
            # The database failed at the mark: a conversation left half-way would confuse the next.
            self._drop()
            raise

    def hurry(self, seconds: float) -> None:
        """Give the message in hand, and any other, only so long from now on: the program stops."""
        self._hurry_seconds = seconds
        timer = Timer(seconds, lambda: _shut(self._connection))
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Say goodbye when the server still listens, and drop the connection."""
        self._goodbye()
        self._deadline.end()

    def _goodbye(self) -> None:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(GOODBYE_SECONDS)
            with suppress(OSError, smtplib.SMTPException):
                connection.quit()
        self._drop()

    def _drop(self) -> None:
        """Let go without a word: a server that fails may also never answer a goodbye."""
        connection, self._connection = self._connection, None
        self._sent = 0
        if connection is not None:
            connection.close()

    def _ready(self) -> smtplib.SMTP:
        if self._sent >= MESSAGES_PER_CONNECTION:
            self._goodbye()
        elif not self._alive():
            self._drop()
        if self._connection is None:
            self._connection = smtplib.SMTP(timeout=self._settings.connect_seconds)
            self._connect(self._connection)
        self._used_at = time.monotonic()
        return self._connection

    def _connect(self, connection: smtplib.SMTP) -> None:
        """Open, encrypt and sign in; any failure here is everyone's."""
        try:
            _open(connection, self._settings)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            where = f"{self._settings.host}:{self._settings.port}"
            raise GatewayError(
                f"Không kết nối được máy chủ thư {where}: {error}", permanent=False, everyone=True
            ) from error

    def _alive(self) -> bool:
        """Ask a connection that has been idle whether it still stands: servers drop idle ones."""
        if self._connection is None or time.monotonic() - self._used_at < IDLE_SECONDS:
            return True
        try:
            return self._connection.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _reset(self) -> None:
        if self._connection is not None:
            try:
                self._connection.rset()
            except (OSError, smtplib.SMTPException):
                self._drop()


def _open(connection: smtplib.SMTP, settings: SmtpSettings) -> None:
    connection.connect(settings.host, settings.port)
    # smtplib leaves the name that the certificate is checked against to its constructor.
    connection._host = settings.host  # type: ignore[attr-defined]  # its own for starttls
    connection.ehlo_or_helo_if_needed()
    if settings.starttls:
        connection.starttls(context=ssl.create_default_context())
    if settings.user:
        connection.login(settings.user, settings.password)
    if connection.sock is not None:
        connection.sock.settimeout(settings.reply_seconds)
        # Without this a message's last packet waits 40 ms for the server's acknowledgement.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.timeout = settings.reply_seconds


def _data(connection: smtplib.SMTP, content: bytes, whole: list[bool]) -> str:
    """Send the message; `whole` is filled once its last byte has left, when doubt begins."""
    code, text = connection.docmd("DATA")
    if code != 354:
        raise _refused(code, text, "DATA")
    ending = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    connection.send(_LEADING_DOT.sub(b"..", content) + ending)
    whole.append(True)
    return _accepted(connection.getreply(), "DATA")


def _broken(error: Exception, *, is_late: bool, in_doubt: bool) -> GatewayError:
    why = "quá hạn" if is_late else str(error) or type(error).__name__
    return GatewayError(
        f"Máy chủ thư ngắt kết nối: {why}.",
        permanent=False,
        in_doubt=in_doubt,
        unavailable=True,
    )


def _accepted(reply: tuple[int, bytes], command: str) -> str:
    code, text = reply
    if 200 <= code < 300:
        return f"{code} {text.decode(errors='replace')}"
    raise _refused(code, text, command)


def _refused(code: int, text: bytes | str, command: str) -> GatewayError:
    """Name a refusal: 4xx may pass later, 5xx at RCPT is a bad address, some are everyone's.

    554 counts as policy against us only before a recipient is named; at DATA it may be about one
    message, which must not hold up all the others.
    """
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    policy = code in (530, 535) or (code == 554 and command == "MAIL")
    return GatewayError(
        f"Máy chủ thư từ chối ({command}): {code} {said}",
        permanent=code >= 500 and not policy,
        everyone=policy,
        bad_address=command == "RCPT" and code >= 500,
        greylisted=command == "RCPT" and code in (450, 451),
        unavailable=code == 421,
    )


def _shut(connection: smtplib.SMTP | None) -> None:
    """Break a connection from outside: a timeout alone never ends a server that drips bytes."""
    if connection is not None and connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
