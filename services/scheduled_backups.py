"""The backups that are made without being asked for, how long they stay, and the weekly rehearsal."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from gateways.mail import Letter, Mailbox, is_address
from models import Account, BackupRun, JobRun, RoleGrant
from rules.permissions import Actor
from rules.refusals import Refusal
from services import backups, outbox, restoring
from services.access import require_role
from services.clock import first_run
from services.office import office
from services.transaction import reading, writing

BACKUP_JOB = "backup"
REHEARSAL_JOB = "rehearse_restore"
LATE_AFTER = timedelta(hours=3)


@dataclass(frozen=True)
class Standing:
    """How the backups stand: the newest good one, the last try and the last rehearsal."""

    last_good: BackupRun | None
    last_try: BackupRun | None
    last_rehearsal: BackupRun | None

    def is_late(self, now: datetime) -> bool:
        """Whether the newest good backup is older than three hours, or there is none."""
        return self.last_good is None or now - self.last_good.at > LATE_AFTER


def make_scheduled(slot: datetime, *, now: datetime) -> bool:
    """Make the backup of a slot once, and delete those that retention does not ask for.

    The slot is claimed with the row that names the file, so a process killed half-way leaves the
    slot to the next one. A failure is a row, too, and is told to the administrators once a day.
    """
    if _has_run(BACKUP_JOB, slot):
        return False
    with _alone() as alone:
        if not alone:
            return False
        target = backups.backup_folder() / backups.scheduled_name(slot)
        target.unlink(missing_ok=True)
        started, fault, run = time.monotonic(), "", BackupRun(kind="scheduled")
        try:
            facts = backups.write_backup(target, now=now)
            run.size, run.rows = facts.size, sum(facts.rows.values())
            run.sha256 = backups.digest(target)
            backups.delete_superfluous()
        except (OSError, Refusal) as error:
            fault = str(error)
        return _note(run, BACKUP_JOB, slot, target, fault, started, now)


def rehearse_restore(slot: datetime, *, now: datetime) -> bool:
    """Restore a backup into a passing database, once a week, and keep what came of it as a row.

    The newest scheduled file is taken. A sealed one cannot be opened here (its private key lies
    elsewhere): then a fresh copy is rehearsed, and the sealed file's bytes are compared with the
    sum that was noted when it was written.
    """
    if _has_run(REHEARSAL_JOB, slot):
        return False
    with _alone() as alone:
        if not alone:
            return False
        started, fault = time.monotonic(), ""
        run = BackupRun(kind="rehearsal")
        file = _newest_file()
        try:
            facts = _rehearsed(file, now)
            run.size, run.rows = facts.size, sum(facts.rows.values())
        except (OSError, Refusal) as error:
            fault = str(error)
        return _note(run, REHEARSAL_JOB, slot, file, fault, started, now)


def _rehearsed(file: Path | None, now: datetime) -> backups.BackupFacts:
    if file is not None:
        _refuse_a_changed_file(file)
        if not office().backups.public_key:
            return restoring.rehearse(file, now=now)
    with tempfile.TemporaryDirectory(prefix="tuyenhuan-") as folder:
        copy = Path(folder) / "rehearsed.db"
        backups.write_plain(copy, now=now)
        return restoring.rehearse(copy, now=now)


def _newest_file() -> Path | None:
    """The newest scheduled backup that is still there."""
    good = _last(BackupRun.kind == "scheduled", BackupRun.fault == "")
    file = backups.backup_folder() / good.file_name if good is not None else None
    return file if file is not None and file.is_file() else None


def _refuse_a_changed_file(file: Path) -> None:
    noted = _last(BackupRun.file_name == file.name, BackupRun.fault == "")
    if noted is not None and noted.sha256 != backups.digest(file):
        raise Refusal(f"“{file.name}” không còn như lúc được ghi (sai SHA-256).")


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this process alone works in the folder; the lock ends with the process."""
    lock = os.open(backups.backup_folder() / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _has_run(job: str, slot: datetime) -> bool:
    session = reading()
    found = session.get(JobRun, (job, slot))
    session.rollback()
    return found is not None


def _note(
    run: BackupRun,
    job: str,
    slot: datetime,
    file: Path | None,
    fault: str,
    started: float,
    now: datetime,
) -> bool:
    """Write what came of it, claim the slot, and tell the administrators of a failure."""
    run.file_name = file.name if file is not None else ""
    run.at, run.fault = now, fault[:2000]
    run.seconds = round(time.monotonic() - started)
    with writing() as session:
        if not first_run(session, job, slot, now=now):
            return False
        session.add(run)
        if fault:
            _tell_administrators(session, run, now)
    return True


def _tell_administrators(session: Session, run: BackupRun, now: datetime) -> None:
    what = "Phục hồi thử" if run.kind == "rehearsal" else "Sao lưu theo lịch"
    admins = select(RoleGrant.account_id).where(RoleGrant.role == "admin")
    for account in session.scalars(
        select(Account).where(Account.is_active, Account.id.in_(admins)).order_by(Account.id)
    ):
        if is_address(account.email):
            outbox.enqueue_letter(
                session,
                Letter(
                    greeting=f"Kính gửi đồng chí {account.name},",
                    paragraphs=[
                        f"{what} không thành công: {run.fault}",
                        "Đề nghị đồng chí xem trang “Tình trạng hệ thống” và xử lý trong ngày.",
                    ],
                ),
                kind="notice",
                to=Mailbox(account.email, account.name),
                subject=f"{what} không thành công",
                dedup_key=f"{run.kind}_failed:{now:%Y%m%d}:a{account.id}",
                now=now,
                account_id=account.id,
            )


def _last(*conditions: ColumnElement[bool]) -> BackupRun | None:
    session = reading()
    return session.scalar(
        select(BackupRun).where(*conditions).order_by(BackupRun.id.desc()).limit(1)
    )


def standing() -> Standing:
    """How the backups stand now."""
    made = BackupRun.kind.in_(("scheduled", "manual"))
    return Standing(
        last_good=_last(made, BackupRun.fault == ""),
        last_try=_last(made),
        last_rehearsal=_last(BackupRun.kind == "rehearsal"),
    )


def runs(*, by: Actor, most: int = 30) -> list[BackupRun]:
    """The newest backups and rehearsals, for the administrators' page."""
    require_role(by, "admin")
    return list(reading().scalars(select(BackupRun).order_by(BackupRun.id.desc()).limit(most)))
