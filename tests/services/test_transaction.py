"""SQLite's write lock while another process has it, and the connections that taps leave open."""

import os
import sqlite3
import subprocess
import sys
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


def test_taps_leave_their_connection_open_for_each_other_whatever_their_thread(db, app):
    used, both = [], threading.Barrier(2)

    def tap() -> None:
        with app.app_context(), one_connection(), glance() as wire:
            used.append(wire.driver)

    def tap_beside_another() -> None:
        with app.app_context(), one_connection(), glance() as wire:
            used.append(wire.driver)
            both.wait(10)

    def in_threads(*taps) -> None:
        threads = [threading.Thread(target=one) for one in taps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    in_threads(tap)
    in_threads(tap)
    in_threads(tap_beside_another, tap_beside_another)
    first, second, *at_once = used
    assert first is second
    assert len({id(one) for one in at_once}) == 2
    assert first in at_once


IDLE_THREADS = """
import ctypes
from app import create_app
from models import db
from services.transaction import glance, one_connection

app, system = create_app(), ctypes.CDLL(None)


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def tap(_):
    with app.app_context():
        held = [db.engine.connect() for _ in range(db.engine.pool.size())]
        with one_connection(), glance():
            pass
        for one in held:
            one.close()


for _ in range(20):
    thread = ctypes.c_ulong()
    system.pthread_create(ctypes.byref(thread), None, tap, None)
    system.pthread_join(thread, None)
print("alive")
"""


def test_a_thread_of_the_web_server_ends_without_the_process(db):
    """Its threads are not Python's own: what such a thread alone holds is closed while it ends."""
    environment = {**os.environ, "DATABASE_URL": str(db.engine.url)}
    done = subprocess.run(
        [sys.executable, "-c", IDLE_THREADS], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"alive\n"), done.stderr[-2000:]


def test_an_emptied_pool_takes_the_kept_connection_with_it(db):
    with one_connection(), glance() as wire:
        earlier = wire.driver
    db.engine.dispose()
    with one_connection(), glance() as wire:
        assert wire.driver is not earlier
