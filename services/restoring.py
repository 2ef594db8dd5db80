"""Putting a backup back: into this database, or, to see that it can be done, into a passing one.

The backup is first brought to this program's version in a file of its own. Mail that was waiting
in it may have left since it was taken, so it comes back held: an administrator releases it.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, create_engine, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from models import BackupRun, Base, ClockTick, OutgoingMessage, Setting, db
from rules.permissions import Actor
from rules.refusals import N_, Refusal
from services import audit, backups, schema
from services.backups import BackupFacts
from services.database_copies import LostRows, pour_file, rows_of_database, rows_of_file
from services.transaction import reading, writing

RESTORED_AT = "restored_at"
UNFINISHED = ("queued", "failed", "claimed", "sending")
RUNNING = timedelta(minutes=1)
CHANGED_BY_RESTORE = ("setting",)
HELD = "in_doubt"


@dataclass(frozen=True)
class Restored:
    """What a restore did: the backup's facts, and how many messages came back held."""

    facts: BackupFacts
    held: int


def restore(
    file: Path, *, now: datetime, by: Actor, identity: Path | None = None, replace: bool = False
) -> Restored:
    """Put a backup into this database, which must be empty unless `replace` is said.

    With `replace` what was there is backed up first. One transaction: afterwards the database holds
    either what it held or what the backup holds. Refuses while a clock is running on it.
    """
    schema.refuse_other(db.engine)
    _refuse_a_full_database(replace)
    _refuse_a_running_clock(now)
    with _prepared(file, identity, now) as (copy, facts, held):
        if replace:
            _keep_what_is_there(now)
        db.session.remove()
        try:
            pour_file(copy, db.engine)
        except LostRows as error:
            raise Refusal(
                N_("Phục hồi sẽ thiếu dữ liệu ở “%(table)s” nên không đổi gì."), table=str(error)
            ) from error
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="restored",
            entity="database",
            entity_id=file.name[:40],
            rows=sum(facts.rows.values()),
            held=held,
        )
    return Restored(facts, held)


def rehearse(file: Path, *, now: datetime, identity: Path | None = None) -> BackupFacts:
    """Restore a backup into a passing database and read it with the program; raises what is wrong.

    Every table must have as many rows as in the backup (the settings one more: the restore itself
    writes there), and a row of every table must be readable.
    """
    with _prepared(file, identity, now) as (copy, facts, _):
        engine = _engine(copy)
        found = rows_of_database(engine)
        wrong = [
            f"{table}: {found[table]} ≠ {count}"
            for table, count in facts.rows.items()
            if table in found and found[table] != count and table not in CHANGED_BY_RESTORE
        ]
        if wrong:
            raise Refusal(N_("Bản phục hồi thử thiếu dòng: %(tables)s"), tables="; ".join(wrong))
        with Session(engine) as session:
            for mapper in Base.registry.mappers:
                session.scalars(select(mapper.class_).limit(1)).all()
        engine.dispose()
        return facts


@contextmanager
def _prepared(
    file: Path, identity: Path | None, now: datetime
) -> Iterator[tuple[Path, BackupFacts, int]]:
    """The backup as a database of this program's version whose waiting mail is held."""
    with (
        backups.opened(file, identity) as plain,
        tempfile.TemporaryDirectory(prefix="tuyenhuan-") as folder,
    ):
        facts = backups.verify_backup(plain)
        backups.refuse_unusable(facts)
        copy = Path(folder) / "restored.db"
        shutil.copyfile(plain, copy)
        schema.upgrade_copy(copy)
        engine = _engine(copy)
        with Session(engine) as session:
            held = _hold_mail(session, now)
            session.commit()
        engine.dispose()
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            after = rows_of_file(connection)
        if fewer := [name for name, rows in facts.rows.items() if after.get(name, rows) < rows]:
            raise Refusal(
                N_("Bản sao lưu mất dòng khi nâng cấp: %(tables)s"), tables=", ".join(fewer)
            )
        yield copy, facts, held


def _engine(copy: Path) -> Engine:
    return create_engine(f"sqlite:///{copy}", poolclass=NullPool, hide_parameters=True)


def _hold_mail(session: Session, now: datetime) -> int:
    """Whatever waited when the backup was taken may have been sent since: nobody can know."""
    held = session.scalar(select(func.count()).where(OutgoingMessage.state.in_(UNFINISHED)))
    session.execute(
        update(OutgoingMessage)
        .where(OutgoingMessage.state.in_(UNFINISHED))
        .values(
            state=HELD,
            lease_token=None,
            lease_until=None,
            last_error="Phục hồi từ bản sao lưu: không rõ thư đã gửi chưa.",
        )
    )
    row = session.get(Setting, RESTORED_AT)
    if row is None:
        session.add(Setting(key=RESTORED_AT, value=now.astimezone(UTC).isoformat()))
    else:
        row.value = now.astimezone(UTC).isoformat()
    return held or 0


def _refuse_a_full_database(replace: bool) -> None:
    session = reading()
    # The clock fills these by itself, even where nobody has entered anything yet.
    own = {"alembic_version", "clock_tick", "job_run", "reminder_rule", "setting"}
    own |= {"audit_entry", "audit_head"}
    full = [
        table.name
        for table in Base.metadata.sorted_tables
        if table.name not in own and session.execute(select(table).limit(1)).first()
    ]
    session.rollback()
    if full and not replace:
        raise Refusal(
            N_(
                "Cơ sở dữ liệu đang có dữ liệu nên không ghi đè. "
                "Hãy dùng cơ sở dữ liệu trống, hoặc thêm --replace-everything."
            )
        )


def _refuse_a_running_clock(now: datetime) -> None:
    session = reading()
    ticked_at = session.scalar(select(func.max(ClockTick.ticked_at)))
    session.rollback()
    if ticked_at is not None and now - ticked_at < RUNNING:
        raise Refusal(
            N_("Bộ lập lịch đang chạy trên cơ sở dữ liệu này. Hãy dừng mọi dịch vụ, đợi một phút.")
        )


def _keep_what_is_there(now: datetime) -> None:
    name = f"before-upgrade-restore-{now.astimezone(UTC):{backups.STAMP}}.db"
    backups.write_backup(backups.backup_folder() / name, now=now)


def restored_at(session: Session) -> datetime | None:
    """Until when causes of mail may have been told by an earlier life of this database."""
    row = session.get(Setting, RESTORED_AT)
    return datetime.fromisoformat(row.value) if row is not None else None


def last_rehearsal() -> BackupRun | None:
    """The newest rehearsal of a restore."""
    return reading().scalar(
        select(BackupRun)
        .where(BackupRun.kind == "rehearsal")
        .order_by(BackupRun.id.desc())
        .limit(1)
    )
