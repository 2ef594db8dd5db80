"""Sending by SMTP: one connection kept open, a total deadline per message, errors named."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import Protocol

from gateways.errors import GatewayError

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 20.0
DEADLINE_SECONDS = 45.0
MESSAGES_PER_CONNECTION = 200


class Transport(Protocol):
    """Whatever takes a finished message away: a mail server, or the local mailbox."""

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Deliver one message and give the server's answer.

        `before_data` is called once the recipient is accepted and before the first byte of the
        message leaves: from there on a broken connection leaves delivery in doubt.
        """

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True)
class SmtpSettings:
    """Where and how to hand over mail."""

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

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Deliver one message within the deadline; see Transport."""
        connection = self._ready()
        expired: list[bool] = []

        def cut() -> None:
            expired.append(True)
            _shut(connection)

        timer = Timer(self._settings.deadline_seconds, cut)
        timer.daemon = True
        timer.start()
        data_begun = False
        try:
            _accepted(connection.mail(sender), "MAIL")
            _accepted(connection.rcpt(recipient), "RCPT")
            before_data()
            data_begun = True
            answer = _accepted(connection.data(content), "DATA")
            self._sent += 1
            return answer
        except GatewayError:
            self._reset()
            raise
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            if isinstance(error, smtplib.SMTPResponseException):
                raise _refused(error.smtp_code, error.smtp_error, "DATA") from error
            why = "quá hạn" if expired else str(error) or type(error).__name__
            raise GatewayError(
                f"Máy chủ thư ngắt kết nối: {why}.", permanent=False, in_doubt=data_begun
            ) from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """Say goodbye when the server still listens, and drop the connection."""
        connection, self._connection = self._connection, None
        self._sent = 0
        if connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()

    def _ready(self) -> smtplib.SMTP:
        if self._sent >= MESSAGES_PER_CONNECTION or not self._alive():
            self.close()
        if self._connection is None:
            self._connection = _connect(self._settings)
        return self._connection

    def _alive(self) -> bool:
        """Ask a connection that has been used whether it still stands: servers drop idle ones."""
        if self._connection is None or self._sent == 0:
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
                self.close()


def _connect(settings: SmtpSettings) -> smtplib.SMTP:
    """Open, encrypt and sign in, all within one deadline; any failure here is everyone's."""
    connection = smtplib.SMTP(timeout=settings.connect_seconds)
    timer = Timer(settings.deadline_seconds, lambda: _shut(connection))
    timer.daemon = True
    timer.start()
    try:
        connection.connect(settings.host, settings.port)
        # smtplib leaves the name that the certificate is checked against to its constructor.
        connection._host = settings.host  # type: ignore[attr-defined]
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
        return connection
    except (OSError, smtplib.SMTPException) as error:
        connection.close()
        raise GatewayError(
            f"Không kết nối được máy chủ thư {settings.host}:{settings.port}: {error}",
            permanent=False,
            everyone=True,
        ) from error
    finally:
        timer.cancel()


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
    )


def _shut(connection: smtplib.SMTP) -> None:
    """Break a connection from outside: a timeout alone never ends a server that drips bytes."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
