"""The one way in which facts are written: a transaction that takes its lock first and commits last."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from models import db
from models.base import WAITS_SECONDS
from services import audit
from services.prepared import Wire

T = TypeVar("T")
_WRITING = "writing"
_REMEMBERED = "remembered"
_TURN = threading.Lock()
_SHARED = threading.local()
_LEFT_OPEN: deque[tuple[Pool, Connection]] = deque()
_WRITER_OF: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()
_READER_OF: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()
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


class _Lane:
    """What stands for a session while a tap is written down: one connection whose transaction
    somebody else begins and ends.

    Prepared statements go straight to that connection; a session proper is made only when a rare
    path needs the ORM, and then joins the same transaction.
    """

    def __init__(self, wire: Wire, begin: Callable[[], object] | None = None) -> None:
        self.wire, self._begin = wire, begin
        self.info: dict[Any, Any] = {_WRITING: True}
        self._session: Session | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._awake(), name)

    def begin(self) -> None:
        """Let what follows be one transaction; nothing happens when it is one already."""
        if self._begin is not None:
            self._begin()
            self._begin = None

    def in_transaction(self) -> bool:
        """Whether what is written is one transaction, and not each statement for itself."""
        return self._begin is None

    def _awake(self) -> Session:
        if self._session is None:
            self.begin()
            self._session = Session(bind=self.connection(), expire_on_commit=False)
            self._session.info[_WRITING] = True
        return self._session

    def connection(self) -> Connection:
        """The lane's own connection, without asking which of many it is."""
        return self.wire.connection()

    def flush(self) -> None:
        """Write what the session holds back, if one was made."""
        if self._session is not None:
            self._session.flush()

    def finish(self) -> None:
        """Write what still waits, before the transaction is committed."""
        audit.seal_waiting(cast(Session, self))
        self.flush()

    def close(self) -> None:
        """Let the session go, if there was one; the connection is its owner's."""
        if self._session is not None:
            self._session.close()


@contextmanager
def writing_in_lane(*, late: bool = False) -> Iterator[Session]:
    """`writing()` for the few prepared statements of a tap, at a sixth of its cost.

    The ORM's own session takes part only when asked; it is new, so nothing that was read before is
    known to it. What the request's session has read is let go, and read again when asked for.

    With `late`, PostgreSQL begins the transaction only when asked to (`begin`), or when the ORM is
    needed; until then each statement stands for itself. Whoever writes must then see to it that
    what was looked at still holds, and nothing is locked while they look and judge.
    """
    if db.session.registry.has():
        before: Session = db.session()
        if before.info.get(_WRITING):
            raise RuntimeError("a write transaction is already open here")
        before.rollback()
        before.expire_all()
    with _connected(_writers) as wire, ExitStack() as ends:
        lane = _Lane(wire, lambda: ends.enter_context(_transaction(wire)))
        if late and wire.dialect.name == "postgresql":
            wire.driver.autocommit = True
        else:
            lane.begin()
        try:
            yield cast(Session, lane)
            lane.finish()
        finally:
            lane.close()


@contextmanager
def _transaction(wire: Wire) -> Iterator[None]:
    """One transaction of a lane's connection; the threads of a process take turns on SQLite."""
    if wire.dialect.name == "postgresql":
        wire.driver.autocommit = False
        try:
            with wire.connection().begin():
                yield
        finally:
            if not wire.driver.closed:
                wire.driver.autocommit = True
        return
    is_my_turn = _TURN.acquire(timeout=WAITS_SECONDS)
    try:
        with wire.connection().begin():
            yield
    finally:
        if is_my_turn:
            _TURN.release()


@contextmanager
def one_connection() -> Iterator[None]:
    """Let the look-ups and the writing of one tap share a connection: taking one, and giving it
    back, costs as much as several statements. Only `glance` and `writing_in_lane` use it.

    SQLite's is one of those that earlier taps left open, never a thread's own: threads of the web
    server end when they are idle, and a connection that ends with its thread takes the whole
    process along (Python before 3.12.4: closing it lets go of the thread, which is being let go).
    PostgreSQL's pool asks each whether it still answers.
    """
    engine = db.engine
    if engine.dialect.name == "sqlite":
        with _left_open(engine) as connection, _sharing(connection):
            yield
        return
    with _writers(engine).connect() as connection, _sharing(connection):
        yield


@contextmanager
def _left_open(engine: Engine) -> Iterator[Connection]:
    """A connection that is left open for the next tap; as many are as ever were in use at once."""
    pool, connection = engine.pool, _one_left_open(engine)
    try:
        yield connection
    finally:
        _LEFT_OPEN.append((pool, connection))


def _one_left_open(engine: Engine) -> Connection:
    """Opened anew where none is left, or what is left is broken or of a pool that was emptied."""
    while _LEFT_OPEN:
        try:
            pool, connection = _LEFT_OPEN.pop()
        except IndexError:  # another thread was quicker
            break
        if pool is engine.pool and not connection.invalidated:
            return connection
        connection.close()
    return _writers(engine).connect()


@contextmanager
def one_look() -> Iterator[None]:
    """The same for what is only looked up: `glance` and `looking` see one state of the database."""
    with _readers(db.engine).connect() as connection, connection.begin(), _sharing(connection):
        yield


@contextmanager
def _sharing(connection: Connection) -> Iterator[None]:
    _SHARED.wire = Wire(connection)
    try:
        yield
    finally:
        _SHARED.wire = None


@contextmanager
def _connected(make: Callable[[Engine], Engine]) -> Iterator[Wire]:
    """The connection that this thread shares, else one taken for this alone."""
    shared: Wire | None = getattr(_SHARED, "wire", None)
    if shared is not None:
        yield shared
        return
    with make(db.engine).connect() as connection:
        yield Wire(connection)


def _writers(engine: Engine) -> Engine:
    """The same engine and pool, beginning every transaction with the write lock on SQLite; on
    PostgreSQL it begins when a lane says so."""
    if engine.dialect.name == "postgresql":
        return _readers(engine)
    found = _WRITER_OF.get(engine)
    if found is None:
        found = _WRITER_OF[engine] = engine.execution_options(begin="IMMEDIATE")
    return found


def _readers(engine: Engine) -> Engine:
    """The same engine and pool for look-ups alone; on PostgreSQL each statement sees its own state
    anyway, and beginning and ending a transaction would cost as much as two more."""
    if engine.dialect.name != "postgresql":
        return engine
    found = _READER_OF.get(engine)
    if found is None:
        found = _READER_OF[engine] = engine.execution_options(isolation_level="AUTOCOMMIT")
    return found


def _takes_turns(session: Session) -> bool:
    """Whether the threads of this process queue for writing: SQLite has one writer, and whoever
    asks it while another writes only sleeps and asks again, ever longer."""
    return session.get_bind().dialect.name == "sqlite"


def reading() -> Session:
    """The session for look-ups: whatever it sees, it must not change."""
    session: Session = db.session()
    return session


def glance() -> AbstractContextManager[Wire]:
    """A connection for one prepared look-up, in a twentieth of the time that a session takes."""
    return _connected(_readers)


def looking() -> Session:
    """`reading()` for the few prepared look-ups of a register: within `one_look`, its connection."""
    shared: Wire | None = getattr(_SHARED, "wire", None)
    return reading() if shared is None else cast(Session, _Lane(shared))


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
