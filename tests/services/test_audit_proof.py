"""The audit log cannot be changed unnoticed: the database refuses, and the chain tells."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from rules.permissions import SYSTEM
from services import audit
from services.audit_proof import head_now, verify_log, write_head
from services.office import office
from services.transaction import writing
from tests.world import NOW, build_world

ENTRIES = 12
TAMPERINGS = {
    "a changed name": "UPDATE audit_entry SET by_name = 'Ai khác' WHERE id = 5",
    "a changed time": "UPDATE audit_entry SET at = '2020-01-01 00:00:00' WHERE id = 5",
    "a changed action": "UPDATE audit_entry SET action = 'viewed' WHERE id = 1",
    "a changed detail": """UPDATE audit_entry SET details = '{"number": 99}' WHERE id = 7""",
    "a changed reason": "UPDATE audit_entry SET reason = 'vì thế' WHERE id = 12",
    "a changed entity": "UPDATE audit_entry SET entity_id = '77' WHERE id = 3",
    "a changed seal": "UPDATE audit_entry SET seal = (SELECT genesis FROM audit_head) WHERE id = 4",
    "a seal taken off": "UPDATE audit_entry SET seal = NULL WHERE id = 1",
    "an entry deleted": "DELETE FROM audit_entry WHERE id = 6",
    "the first deleted": "DELETE FROM audit_entry WHERE id = 1",
    "the last deleted": "DELETE FROM audit_entry WHERE id = 12",
    "all deleted": "DELETE FROM audit_entry",
    "the head deleted": "DELETE FROM audit_head",
    "one added": (
        "INSERT INTO audit_entry (at, by_name, action, entity, entity_id, details, reason, seal)"
        " SELECT at, by_name, action, entity, entity_id, details, reason, seal"
        " FROM audit_entry WHERE id = 2"
    ),
    "two exchanged": "UPDATE audit_entry SET id = CASE id WHEN 3 THEN 1004 ELSE 1003 END"
    " WHERE id IN (3, 4)",
    "the beginning moved": "UPDATE audit_head SET begun_after_id = 3",
}


def add_entry(number: int, *, lasts: int = 1) -> None:
    with writing() as session:
        audit.record(
            session,
            now=NOW + timedelta(minutes=number),
            by=SYSTEM,
            action="changed",
            entity="person",
            entity_id=number,
            number=number // lasts,
        )


@pytest.fixture
def log(db: Any) -> Iterator[Any]:
    build_world()
    for number in range(ENTRIES):
        add_entry(number)
    office().audit_heads.unlink(missing_ok=True)
    yield db
    office().audit_heads.unlink(missing_ok=True)


def tamper(db: Any, *statements: str) -> None:
    """Change the log as somebody who may do everything in the database: past its refusal."""
    db.session.remove()
    postgres = db.engine.dialect.name == "postgresql"
    with db.engine.begin() as connection:
        if postgres:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER audit_entry_no_update"))
            connection.execute(text("DROP TRIGGER audit_entry_no_delete"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_log_is_whole(log: Any) -> None:
    proof = verify_log()
    assert proof.is_whole, proof.faults
    assert (proof.entries, proof.before_chain) == (ENTRIES, 0)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_is_detected(log: Any, name: str) -> None:
    tamper(log, TAMPERINGS[name])
    assert not verify_log().is_whole


@pytest.mark.parametrize("verb", ["UPDATE audit_entry SET reason = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_to_change_an_entry(log: Any, verb: str) -> None:
    log.session.remove()
    with pytest.raises(DatabaseError, match="only ever added"), log.engine.begin() as connection:
        connection.execute(text(verb))


@pytest.mark.backends("postgresql")
def test_the_database_refuses_to_empty_the_log(log: Any) -> None:
    log.session.remove()
    with pytest.raises(DatabaseError, match="only ever added"), log.engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_entry"))


def test_a_log_cut_short_together_with_its_end_shows_in_the_heads_kept_elsewhere(
    log: Any, tmp_path: Path
) -> None:
    write_head(NOW, now=NOW)
    kept = tmp_path / "heads.txt"
    kept.write_text(office().audit_heads.read_text())
    assert verify_log(heads_file=kept).is_whole
    tamper(
        log,
        "DELETE FROM audit_entry WHERE id > 8",
        "UPDATE audit_head SET entries = 8,"
        " last_seal = (SELECT seal FROM audit_entry WHERE id = 8)",
    )
    assert not verify_log(heads_file=kept).is_whole


def test_a_head_is_written_once_a_slot(log: Any) -> None:
    write_head(NOW, now=NOW)
    write_head(NOW, now=NOW)
    end = head_now()
    assert end is not None
    assert office().audit_heads.read_text().split()[1:] == [str(ENTRIES), end.seal]
    assert office().audit_heads.stat().st_mode & 0o077 == 0


def test_entries_older_than_the_chain_are_closed_with_one_seal(log: Any) -> None:
    old = [f"UPDATE audit_entry SET seal = NULL WHERE id <= {ENTRIES}", "DELETE FROM audit_head"]
    tamper(log, *old)
    assert verify_log().is_whole, "a log without a chain yet"
    add_entry(1)
    proof = verify_log()
    assert proof.is_whole, proof.faults
    assert (proof.entries, proof.before_chain) == (1, ENTRIES)
    log.session.remove()
    with log.engine.begin() as connection:
        if log.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_entry SET reason = 'x' WHERE id = 2"))
    assert not verify_log().is_whole


def test_what_is_undone_leaves_no_entry(log: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        add_entry(1, lasts=0)
    with writing():
        pass
    assert verify_log().entries == ENTRIES


def test_the_command_says_whether_the_log_is_whole(app: Flask, log: Any) -> None:
    run = app.test_cli_runner()
    assert run.invoke(args=["audit", "verify"]).exit_code == 0
    assert run.invoke(args=["audit", "head"]).stdout.startswith(f"{ENTRIES} ")
    tamper(log, "UPDATE audit_entry SET by_name = 'Ai khác' WHERE id = 5")
    answer = run.invoke(args=["audit", "verify"])
    assert answer.exit_code == 1
    assert "mục số 5" in answer.stderr


def test_many_writers_at_once_make_one_chain(app: Flask, log: Any) -> None:
    def write(first: int) -> None:
        with app.app_context():
            for number in range(first, first + 10):
                add_entry(number)
            log.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, (100, 200, 300, 400)))
    proof = verify_log()
    assert proof.is_whole, proof.faults
    assert proof.entries == ENTRIES + 40
