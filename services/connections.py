"""Connections to PostgreSQL that no longer answer: noticed in seconds, given up, opened anew."""

import os
import select
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import InvalidatePoolError, SQLAlchemyError

ANSWER_SECONDS = 5.0
"""A server that is well answers an empty question in a millisecond."""
FRESH_SECONDS = 1.0
"""One that answered so short a time ago is used without being asked again."""
DOUBT_SECONDS = 6.0
"""A statement that has taken so long is asked after, on another connection."""
HOPELESS_SECONDS = 75.0
"""The server itself ends a statement after 60 s: past this, no answer will come."""
LOOK_SECONDS = 1.0
TCP = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What the system does about a peer that is gone: 25 s of silence, or 20 s without a receipt, end it.

Without the last, a statement sent to a machine that has vanished waits a quarter of an hour.
"""
SERVER = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
    "-c tcp_user_timeout=20000 -c idle_in_transaction_session_timeout=300000"
)
"""The same seen from the server: what a machine that is gone had locked is free again soon."""
_ANSWERED = "answered"
_END = text("SELECT pg_terminate_backend(:pid)")
_STATE = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")


def give_up_on_silent(engine: Engine) -> None:
    """Ask each connection before it is used, unless it has just answered, and ask after each
    statement that takes long.

    SQLAlchemy's own question, and any statement, waits for ever when whatever lies between takes
    bytes and gives none back: a machine that vanished, a firewall that forgot. A thread that waits
    so, holding what others wait for, would stop a whole process.
    """
    guard = _Guard(engine)
    event.listen(engine, "checkout", _ask)
    event.listen(engine, "before_cursor_execute", guard.begins)
    event.listen(engine, "after_cursor_execute", guard.ends)
    event.listen(engine, "commit", guard.begins)
    event.listen(engine, "rollback", guard.begins)
    event.listen(engine, "reset", guard.is_reset)
    event.listen(engine, "checkin", guard.is_back)


def _ask(connection: Any, record: Any, _proxy: Any) -> None:
    """One connection that is silent condemns all that were opened before it."""
    now = time.monotonic()
    if now - record.info.get(_ANSWERED, -FRESH_SECONDS) < FRESH_SECONDS:
        return
    if not answers(connection, ANSWER_SECONDS):
        raise InvalidatePoolError
    record.info[_ANSWERED] = now


def answers(connection: Any, seconds: float) -> bool:
    """Whether the server at the other end answers an empty question in time."""
    server, until = connection.pgconn, time.monotonic() + seconds
    try:
        server.send_query(b"")
        server.flush()
        arrived = select.poll()
        arrived.register(server.socket, select.POLLIN)
        while True:
            while not server.is_busy():
                if server.get_result() is None:
                    return True
            if not arrived.poll(max(0.0, until - time.monotonic()) * 1000):
                return False
            server.consume_input()
    except Exception:  # noqa: BLE001  # however it is broken, it is broken
        return False


@dataclass
class _Asked:
    """A statement whose answer is awaited: since when, and at which descriptor and backend."""

    descriptor: int
    pid: int
    since: float = field(default_factory=time.monotonic)
    was_idle: bool = False


class _Guard:
    """Knows which statements of this process wait for an answer, and cuts those that wait in vain."""

    def __init__(self, engine: Engine) -> None:
        # Nothing of the watched engine is used: what is asked here must not wait for what hangs.
        self._other = create_engine(engine.url, poolclass=NullPool, connect_args=TCP)
        self._asked: dict[int, _Asked] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begins(self, connection: Connection, *_: Any) -> None:
        """A statement, a commit or a rollback leaves for the server, unless it is cut off already."""
        if not connection.invalidated:
            self._note(connection.connection.dbapi_connection)

    def is_reset(self, connection: Any, _record: Any, _state: Any) -> None:
        """The pool undoes what a connection had begun, before it is used again."""
        self._note(connection)

    def ends(self, connection: Connection, *_: Any) -> None:
        """The answer to a statement is here."""
        self.is_back(connection.connection.dbapi_connection, None)

    def is_back(self, connection: Any, _record: Any) -> None:
        """The connection is in the pool again, or closed: nothing of it is awaited."""
        if connection is not None:
            self._asked.pop(id(connection.pgconn), None)

    def _note(self, connection: Any) -> None:
        server = connection.pgconn
        with suppress(Exception):  # one that is closed already waits for nothing
            self._asked[id(server)] = _Asked(server.socket, server.backend_pid)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True, name="connections")
                self._thread.start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            for key, one in list(self._asked.items()):
                if time.monotonic() - one.since > DOUBT_SECONDS and self._is_vain(one):
                    self._cut(key, one)

    def _is_vain(self, one: _Asked) -> bool:
        """Whether the server has been idle, at two looks, about what this process waits for.

        A server that does not know the connection says nothing: something in between may number
        connections its own way.
        """
        if time.monotonic() - one.since > HOPELESS_SECONDS:
            return True
        try:
            with self._other.connect() as asking:
                state = asking.scalar(_STATE, {"pid": one.pid})
        except SQLAlchemyError:
            return False
        was_idle, one.was_idle = one.was_idle, state is not None and state != "active"
        return was_idle and one.was_idle

    def _cut(self, key: int, one: _Asked) -> None:
        """End the conversation: whoever waits for its answer gets an error, as after a crash.

        At the server's end first: it knows nothing yet, and keeps what the transaction has locked.
        """
        if self._asked.get(key) is one:
            self._asked.pop(key, None)
            if one.was_idle:
                with suppress(SQLAlchemyError), self._other.connect() as asking:
                    asking.scalar(_END, {"pid": one.pid})
            with suppress(OSError), socket.socket(fileno=os.dup(one.descriptor)) as theirs:
                theirs.shutdown(socket.SHUT_RDWR)
