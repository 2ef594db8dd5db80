"""Backups by the hour: each slot once, old ones go, and a failure is mailed to the administrators."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import BackupRun, OutgoingMessage
from rules.backups import Keep
from services import backups, scheduled_backups
from services.office import Backups, office, use
from tests.world import NOW, add_meeting, build_world

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """A folder for this test's backups, of which the newest three hours stay."""
    before = office()
    made = tmp_path / "backups"
    use(replace(before, backups=Backups(made, keep=Keep(hourly=3, daily=1, monthly=1))))
    yield made
    use(before)


def letters(db: SQLAlchemy) -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.execute(select(OutgoingMessage.to_address, OutgoingMessage.subject))
    return sorted((to, subject) for to, subject in rows)


def test_each_slot_has_one_backup_and_the_oldest_go(db: SQLAlchemy, folder: Path) -> None:
    build_world()
    for number in range(6):
        slot = NOW + number * HOUR
        assert scheduled_backups.make_scheduled(slot, now=slot)
        assert not scheduled_backups.make_scheduled(slot, now=slot)
    names = sorted(file.name for file in folder.glob("tuyenhuan-*"))
    assert names == [backups.scheduled_name(NOW + number * HOUR) for number in (3, 4, 5)]
    assert letters(db) == []
    facts = backups.verify_backup(folder / names[-1])
    assert facts.rows["person"] > 0


def test_a_failure_is_a_row_and_one_letter_a_day_to_each_administrator(
    db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    build_world()

    def full(*_args: object, **_values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "write_backup", full)
    for number in range(3):
        scheduled_backups.make_scheduled(NOW + number * HOUR, now=NOW + number * HOUR)
    assert letters(db) == [("quan@test.invalid", "Sao lưu theo lịch không thành công")]
    faults = list(db.session.scalars(select(BackupRun.fault)))
    assert len(faults) == 3
    assert "No space left" in faults[0]
    assert scheduled_backups.standing().last_good is None
    assert scheduled_backups.standing().is_late(NOW)


def test_a_rehearsal_of_a_changed_file_fails_and_is_told(db: SQLAlchemy, folder: Path) -> None:
    add_meeting(build_world())
    scheduled_backups.make_scheduled(NOW, now=NOW)
    assert scheduled_backups.rehearse_restore(NOW, now=NOW)
    good = scheduled_backups.standing().last_rehearsal
    assert good is not None
    assert (good.fault, good.rows > 0) == ("", True)

    with (folder / backups.scheduled_name(NOW)).open("r+b") as file:
        file.seek(5000)
        file.write(b"\0" * 64)
    week = NOW + timedelta(days=7)
    assert scheduled_backups.rehearse_restore(week, now=week)
    bad = scheduled_backups.standing().last_rehearsal
    assert bad is not None
    assert "SHA-256" in bad.fault
    assert letters(db) == [("quan@test.invalid", "Phục hồi thử không thành công")]
