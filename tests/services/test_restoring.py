"""A backup comes back whole, into the right place only, and mails nobody a second time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from models import Base, OutgoingMessage, Person, Unit, UnitParent, Venue, db
from rules.permissions import SYSTEM
from rules.refusals import Malformed, Refusal
from services import backups, clock, reminders, restoring, schema
from services.office import Backups, office, use
from tests.world import NOW, add_meeting, build_world


@pytest.fixture(autouse=True)
def own_folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """A folder for this test's backups."""
    before = office()
    folder = tmp_path / "backups"
    use(replace(before, backups=Backups(folder)))
    yield folder
    use(before)


def message(state: str, number: int) -> OutgoingMessage:
    return OutgoingMessage(
        kind="request",
        to_address=f"{number}@test.invalid",
        subject="Giấy mời",
        body=b"",
        message_id=f"<{number}@test.invalid>",
        dedup_key=str(number),
        state=state,
        due_at=NOW,
        created_at=NOW,
    )


def empty(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "audit_entry":  # the database itself refuses
                connection.execute(table.delete())


def test_a_backup_comes_back_with_every_row(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with app.app_context():
        build_world()
        taken = backups.create_backup(file, now=NOW, by=SYSTEM)
        db.session.remove()
    empty(app)
    with app.app_context():
        done = restoring.restore(file, now=NOW, by=SYSTEM)
        assert done.facts.rows == taken.rows
        assert db.session.scalar(select(func.count()).select_from(Person)) == taken.rows["person"]
        assert db.session.scalar(select(func.count(UnitParent.unit_id)))
        unit_id = db.session.scalar(select(func.min(Unit.id)))
        # What comes next gets a number that is free.
        db.session.add(Venue(name="Nhà văn hoá", fold="nha van hoa", unit_id=unit_id))
        db.session.commit()


def test_a_database_that_holds_something_is_not_overwritten(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with app.app_context():
        world = build_world()
        backups.create_backup(file, now=NOW, by=SYSTEM)
        chi = world.people["chi"].id
        world.people["chi"].full_name = "Tên mới"
        db.session.commit()
        with pytest.raises(Refusal, match="replace-everything"):
            restoring.restore(file, now=NOW, by=SYSTEM)
        assert db.session.get_one(Person, chi).full_name == "Tên mới"
        restoring.restore(file, now=NOW, by=SYSTEM, replace=True)
        db.session.expire_all()
        assert db.session.get_one(Person, chi).full_name == "Đỗ Thị Kim Chi"
        assert list(backups.backup_folder().glob("before-upgrade-restore-*"))


def test_mail_that_waited_comes_back_held(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    states = ("queued", "failed", "claimed", "sending", "sent")
    with app.app_context():
        db.session.add_all(message(state, number) for number, state in enumerate(states))
        db.session.commit()
        backups.create_backup(file, now=NOW, by=SYSTEM)
        done = restoring.restore(file, now=NOW, by=SYSTEM, replace=True)
        assert done.held == 4
        found = select(OutgoingMessage.state).order_by(OutgoingMessage.id)
        assert db.session.scalars(found).all() == [restoring.HELD] * 4 + ["sent"]


def test_what_was_due_before_the_restore_is_not_told_again_by_the_clock(
    app: Flask, tmp_path: Path
) -> None:
    """The reminder was sent after the backup was taken: the restored rows know nothing of it."""
    file = tmp_path / "copy.db"
    starts_at = NOW + timedelta(days=7, hours=-2)
    with app.app_context():
        world = build_world()
        reminders.make_usual_rules(now=NOW - timedelta(days=2))
        add_meeting(world, at=starts_at, published_at=NOW - timedelta(days=5))
        backups.create_backup(file, now=NOW - timedelta(hours=3), by=SYSTEM)
        restoring.restore(file, now=NOW, by=SYSTEM, replace=True)
        assert reminders.remind(now=NOW + timedelta(minutes=1)) > 0
        week = select(OutgoingMessage.state).where(OutgoingMessage.kind == "reminder")
        assert set(db.session.scalars(week)) == {"in_doubt"}
        later = starts_at - timedelta(days=1)
        assert reminders.remind(now=later) > 0
        day = week.where(OutgoingMessage.due_at >= later)
        assert set(db.session.scalars(day)) == {"queued"}


def test_nothing_is_restored_under_a_running_clock(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with app.app_context():
        backups.create_backup(file, now=NOW, by=SYSTEM)
        clock.record_tick("here:1", now=NOW)
        with pytest.raises(Refusal, match="đang chạy"):
            restoring.restore(file, now=NOW, by=SYSTEM, replace=True)


def test_a_backup_of_a_newer_program_is_refused(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'tomorrow'")
        backups.create_backup(file, now=NOW, by=SYSTEM)
        with pytest.raises(Refusal, match="mới hơn"):
            schema.refuse_other(db.engine)
        with db.engine.begin() as connection:
            connection.exec_driver_sql(
                f"UPDATE alembic_version SET version_num = '{schema.newest()}'"
            )
        schema.refuse_other(db.engine)
        with pytest.raises(Refusal, match="tomorrow, mới hơn"):
            restoring.restore(file, now=NOW, by=SYSTEM, replace=True)


def test_a_sealed_backup_needs_the_private_key(
    app: Flask, tmp_path: Path, own_folder: Path
) -> None:
    file, keys = tmp_path / "copy.db.age", tmp_path / "identity"
    with app.app_context():
        build_world()
        use(replace(office(), backups=Backups(own_folder, backups.make_keys(keys))))
        taken = backups.create_backup(file, now=NOW, by=SYSTEM)
        assert b"SQLite" not in file.read_bytes()
        assert "Đỗ Thị Kim Chi".encode() not in file.read_bytes()
        with pytest.raises(Malformed, match="identity"):
            backups.verify_backup(file)
        assert backups.verify_backup(file, identity=keys) == taken
        backups.make_keys(tmp_path / "other")
        with pytest.raises(Malformed, match="khoá này"):
            backups.verify_backup(file, identity=tmp_path / "other")
        assert restoring.rehearse(file, now=NOW, identity=keys) == taken
        assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_rehearsal_leaves_the_database_alone(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    with app.app_context():
        build_world()
        db.session.add(message("queued", 1))
        db.session.commit()
        taken = backups.create_backup(file, now=NOW, by=SYSTEM)
        assert restoring.rehearse(file, now=NOW) == taken
        db.session.rollback()
        assert db.session.scalar(select(OutgoingMessage.state)) == "queued"
