"""A backup holds every row, is whole, and says so when it is not."""

import os
import stat
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from models import Base, Unit, db
from rules.permissions import SYSTEM
from rules.refusals import Malformed, Refusal
from services import backups
from tests.world import NOW, build_world


def test_a_backup_holds_every_row_and_only_its_owner_reads_it(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        world = build_world()
        facts = backups.create_backup(tmp_path / "copy.db", now=NOW, by=SYSTEM)
        assert facts.is_whole
        assert facts.rows["person"] == len(world.people)
        assert facts.rows["household"] == len(world.households)
        assert set(facts.rows) == set(Base.metadata.tables)
        assert backups.verify_backup(tmp_path / "copy.db") == facts
        assert stat.S_IMODE(os.stat(tmp_path / "copy.db").st_mode) == 0o600
        assert [file.name for file in tmp_path.iterdir()] == ["copy.db"], "nothing half-written"


def test_rows_that_point_at_later_ones_are_in_the_backup(app: Flask, tmp_path: Path) -> None:
    """A unit that came under one founded after it, as in every merger."""
    with app.app_context():
        older = build_world().units["cell-1"]
        newer = Unit(
            code="MOI", tree="party", kind_code=older.kind_code, name="Đảng bộ mới", fold="moi"
        )
        newer.valid_from, newer.parent_id = older.valid_from, older.parent_id
        db.session.add(newer)
        db.session.flush()
        older.parent_id = newer.id
        db.session.commit()
        assert newer.id > older.id
        if db.engine.dialect.name == "postgresql":
            db.session.execute(text("CLUSTER unit USING pk_unit"))  # rows in the order of their ids
            db.session.commit()
        assert backups.create_backup(tmp_path / "copy.db", now=NOW, by=SYSTEM).is_whole


def test_a_name_that_is_taken_is_refused(app: Flask, tmp_path: Path) -> None:
    taken = tmp_path / "taken.db"
    taken.write_text("mine")
    with app.app_context(), pytest.raises(Refusal, match="đã có"):
        backups.create_backup(taken, now=NOW, by=SYSTEM)
    assert taken.read_text() == "mine"


def test_a_folder_that_is_missing_is_refused(app: Flask, tmp_path: Path) -> None:
    with app.app_context(), pytest.raises(Refusal, match="thư mục"):
        backups.create_backup(tmp_path / "none" / "copy.db", now=NOW, by=SYSTEM)


def test_a_file_that_is_no_backup_is_told_apart(app: Flask, tmp_path: Path) -> None:
    other = tmp_path / "letter.db"
    other.write_bytes(b"Kinh gui dong chi" * 300)
    with app.app_context(), pytest.raises(Malformed, match="không phải"):
        backups.verify_backup(other)
    with app.app_context(), pytest.raises(Malformed, match="Không có tệp"):
        backups.verify_backup(tmp_path / "nothing.db")


def test_a_damaged_backup_does_not_pass(app: Flask, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with app.app_context():
        build_world()
        backups.create_backup(copy, now=NOW, by=SYSTEM)
        db.session.remove()
        damaged = bytearray(copy.read_bytes())
        middle = len(damaged) // 2
        damaged[middle : middle + 8_192] = b"\xff" * 8_192
        copy.write_bytes(damaged)
        try:
            whole = backups.verify_backup(copy).is_whole
        except Malformed:
            whole = False
        assert not whole
