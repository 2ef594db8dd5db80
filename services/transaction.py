"""The one way in which facts are written: a transaction that takes its lock first and commits last."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from models import db
from services import audit

T = TypeVar("T")
_WRITING = "writing"
_REMEMBERED = "remembered"
_TURN = threading.Lock()
WAITS_SECONDS = 10
DATABASE_DOWN = OperationalError
DATABASE_FAILURES = (DATABASE_DOWN, ProgrammingError)
"""What the doors see when the database does not answer or has no tables yet."""


def is_disk_full(error: Exception) -> bool:
    """Whether the database had no room left to write (SQLITE_FULL; disk_full in PostgreSQL)."""
    cause = getattr(error, "orig", None)
    return "disk is full" in str(cause) or getattr(cause, "sqlstate", None) == "53100"


@contextmanager
def writing() -> Iterator[Session]:
    """Open a write transaction, commit it at the end, undo it whole when anything is raised.

    What was read before is let go first, so that SQLite can take its write lock at the start
    (BEGIN IMMEDIATE): a lock upgraded half-way fails at once. Public functions of services do not
    call each other inside one; what two of them share takes the session as an argument.
    """
    session: Session = db.session()
    if session.info.get(_WRITING):
        raise RuntimeError("a write transaction is already open here")
    session.rollback()
    session.info[_WRITING] = True
    is_my_turn = _takes_turns(session) and _TURN.acquire(timeout=WAITS_SECONDS)
    try:
        session.connection(execution_options={"begin": "IMMEDIATE"})
        yield session
        audit.seal_waiting(session)
        session.commit()
    except BaseException:
        audit.forget_waiting(session)
        session.rollback()
        raise
    finally:
        session.info.pop(_WRITING, None)
        if is_my_turn:
            _TURN.release()


def _takes_turns(session: Session) -> bool:
    """Whether the threads of this process queue for writing: SQLite has one writer, and whoever
    asks it while another writes only sleeps and asks again, ever longer."""
    return session.get_bind().dialect.name == "sqlite"


def reading() -> Session:
    """The session for look-ups: whatever it sees, it must not change."""
    session: Session = db.session()
    return session


def remembered(session: Session, key: Hashable, ask: Callable[[], T]) -> T:
    """What a look-up of the same key answered before in this reading transaction.

    For facts that one page asks for many times, such as the tree of units of a day. Nothing is
    remembered while writing, and all is forgotten when a transaction ends or rows are flushed.
    Whoever gets the answer must not change it.
    """
    if session.info.get(_WRITING):
        return ask()
    known: dict[Hashable, T] = session.info.setdefault(_REMEMBERED, {})
    if key not in known:
        known[key] = ask()
    return known[key]


def _forget(session: Session, *_: Any) -> None:
    session.info.pop(_REMEMBERED, None)


event.listen(db.session, "after_transaction_end", _forget)
event.listen(db.session, "after_flush", _forget)
