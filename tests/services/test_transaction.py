"""SQLite's write lock while another process has it, and the connections that threads keep."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from models import Setting
from services.transaction import glance, one_connection, writing

pytestmark = pytest.mark.backends("sqlite")


@pytest.fixture
def other(db):
    """A connection of another program to the same database."""
    connection = sqlite3.connect(
        db.engine.url.database, isolation_level=None, check_same_thread=False, timeout=0
    )
    yield connection
    connection.close()


def write(value: str) -> None:
    with writing() as session:
        session.merge(Setting(key="tried", value=value))


def test_a_writer_waits_for_another_program_and_then_writes(db, other):
    other.execute("BEGIN IMMEDIATE")
    begins = threading.Timer(0.3, other.execute, ("COMMIT",))
    began = time.monotonic()
    begins.start()
    write("after the other")
    assert time.monotonic() - began >= 0.25
    begins.join()
    assert db.session.get(Setting, "tried").value == "after the other"


def test_a_lock_that_is_kept_is_told_after_the_set_wait_and_reads_still_wait_as_long(
    db, other, monkeypatch
):
    monkeypatch.setattr("models.base.WAITS_SECONDS", 0.2)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(OperationalError, match="database is locked"):
        write("never")
    assert 0.2 <= time.monotonic() - began < 5
    other.execute("ROLLBACK")
    write("afterwards")
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


def test_a_thread_keeps_its_connection_while_it_lives_and_the_pool_has_it_back_after(db, app):
    pool, kept = db.engine.pool, []

    def tap() -> None:
        with app.app_context(), one_connection(), glance() as wire:
            kept.append(id(wire.driver))

    def taps() -> None:
        tap()
        tap()
        kept.append(pool.checkedout())

    before = pool.checkedout()
    thread = threading.Thread(target=taps)
    thread.start()
    thread.join()
    first, second, while_alive = kept
    assert first == second
    assert (while_alive, pool.checkedout()) == (before + 1, before)


def test_an_emptied_pool_takes_the_kept_connection_with_it(db):
    with one_connection(), glance() as wire:
        earlier = wire.driver
    db.engine.dispose()
    with one_connection(), glance() as wire:
        assert wire.driver is not earlier
