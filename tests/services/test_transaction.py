"""Taking SQLite's write lock while another process has it."""

import sqlite3
import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from models import Setting
from services.transaction import writing

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
