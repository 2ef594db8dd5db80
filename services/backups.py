"""Backups: one SQLite file with every row, whatever database is in use, and proof that it is whole."""

import hashlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import OperationalError

from gateways import sealing
from gateways.errors import GatewayError
from models import BackupRun, db
from rules.backups import superfluous
from rules.permissions import Actor
from rules.refusals import N_, Malformed, Refusal
from services import audit, schema
from services.database_copies import (
    LostRows,
    copy_to_file,
    facts_of_file,
    faults_of_file,
    rows_of_file,
)
from services.office import office
from services.transaction import writing

SEALED_MAGIC = b"age-encryption.org/v1"
STAMP = "%Y%m%dT%H%M%SZ"
_SCHEDULED = re.compile(r"tuyenhuan-(\d{8}T\d{6}Z)\.db(?:\.age)?")
_BEFORE_UPGRADE = re.compile(r"before-upgrade-[\w-]+-(\d{8}T\d{6}Z)\.db(?:\.age)?")
UPGRADES_KEPT = 5


@dataclass(frozen=True)
class BackupFacts:
    """What a backup holds: its size in bytes, rows by table, and whether it is whole.

    `taken_at` and `revision` are what was written down with it; older files know neither moment.
    """

    size: int
    rows: dict[str, int]
    faults: tuple[str, ...]
    taken_at: datetime | None = None
    revision: str | None = None

    @property
    def is_whole(self) -> bool:
        return not self.faults


def create_backup(target: Path, *, now: datetime, by: Actor, kind: str = "manual") -> BackupFacts:
    """Write everything into a new file beside running writers, check it, and only then name it.

    Readable by its owner only, and sealed when the installation has a public key. Refuses a name
    that is taken. On PostgreSQL the rows are those of one moment (repeatable read).
    """
    facts = write_backup(target, now=now)
    with writing() as session:
        session.add(
            BackupRun(
                kind=kind,
                file_name=target.name[:200],
                at=now,
                size=facts.size,
                rows=sum(facts.rows.values()),
                sha256=digest(target),
                fault="",
            )
        )
        audit.record(
            session,
            now=now,
            by=by,
            action="backed_up",
            entity="database",
            entity_id=target.name[:40],
            rows=sum(facts.rows.values()),
        )
    return facts


def write_backup(target: Path, *, now: datetime) -> BackupFacts:
    """Do the same without a trace in the database, which may be one of an earlier version."""
    if target.exists():
        raise Refusal(N_("Tệp “%(file)s” đã có. Hãy chọn tên khác."), file=target.name)
    if not target.parent.is_dir():
        raise Refusal(
            N_("Không có thư mục “%(folder)s”. Hãy tạo trước."), folder=str(target.parent)
        )
    partial = target.with_name(f".{target.name}.partial")
    with _private_file(partial):
        facts = _copied(partial, now)
        if public_key := office().backups.public_key:
            sealed = target.with_name(f".{target.name}.sealed")
            with _private_file(sealed):
                sealing.seal(partial, sealed, public_key)
                _settle(sealed, target)
        else:
            _settle(partial, target)
    return facts


def write_plain(target: Path, *, now: datetime) -> BackupFacts:
    """Write a copy that is not sealed into a folder that will not last."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return _copied(target, now)


def _copied(partial: Path, now: datetime) -> BackupFacts:
    try:
        copy_to_file(db.engine, partial, {"taken_at": now.astimezone(UTC).isoformat()})
    except (sqlite3.OperationalError, OperationalError, LostRows) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        raise Refusal(
            N_("Không ghi được bản sao lưu (%(reason)s). Hãy kiểm tra chỗ trống của ổ đĩa."),
            reason=reason,
        ) from error
    facts = _facts(partial)
    if not facts.is_whole:
        raise Refusal(N_("Bản sao lưu không toàn vẹn: %(faults)s"), faults="; ".join(facts.faults))
    return facts


@contextmanager
def _private_file(path: Path) -> Iterator[None]:
    """An empty file that its owner alone may read; gone again unless it was given its name."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield
    finally:
        for leftover in (path, *path.parent.glob(f"{path.name}-*")):
            leftover.unlink(missing_ok=True)


def _settle(file: Path, target: Path) -> None:
    """Give the file its name once its bytes are on the disk."""
    for place in (file, file.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place is file:
            file.rename(target)


def backup_before_upgrade(revision: str, *, now: datetime) -> Path:
    """Keep a copy of what an upgrade is about to change, beside the scheduled ones."""
    folder = backup_folder()
    target = folder / f"before-upgrade-{revision}-{now.astimezone(UTC):{STAMP}}.db"
    if office().backups.public_key:
        target = target.with_name(target.name + sealing.SEALED)
    if not target.exists():
        write_backup(target, now=now)
    for old in sorted(_named(folder, _BEFORE_UPGRADE).values())[:-UPGRADES_KEPT]:
        old.unlink()
    return target


def backup_folder() -> Path:
    """The folder of the installation's backups, made when it is not there."""
    folder = office().backups.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def scheduled_name(slot: datetime) -> str:
    """The file name of a slot's backup."""
    ending = sealing.SEALED if office().backups.public_key else ""
    return f"tuyenhuan-{slot.astimezone(UTC):{STAMP}}.db{ending}"


def delete_superfluous() -> list[str]:
    """Delete scheduled backups that retention does not ask for; gives their names."""
    files = _named(backup_folder(), _SCHEDULED)
    gone = [files[moment] for moment in sorted(superfluous(files, office().backups.keep))]
    for file in gone:
        file.unlink()
    return [file.name for file in gone]


def _named(folder: Path, pattern: re.Pattern[str]) -> dict[datetime, Path]:
    """The files of a kind by the moment in their names."""
    found = {}
    for file in folder.iterdir():
        if match := pattern.fullmatch(file.name):
            found[datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)] = file
    return found


def verify_backup(file: Path, *, identity: Path | None = None) -> BackupFacts:
    """Open a backup read-only: integrity, references and rows by table; nothing is changed.

    A sealed one needs the file of its private key (`identity`).
    """
    with opened(file, identity) as plain:
        return _facts(plain)


@contextmanager
def opened(file: Path, identity: Path | None) -> Iterator[Path]:
    """The backup as a plain file, which for a sealed one exists only while this is open."""
    if not file.is_file():
        raise Malformed(N_("Không có tệp “%(file)s”."), file=str(file))
    with file.open("rb") as stream:
        is_sealed = stream.read(len(SEALED_MAGIC)) == SEALED_MAGIC
    if not is_sealed:
        yield file
        return
    if identity is None:
        raise Malformed(
            N_("“%(file)s” đã được mã hoá. Hãy thêm --identity và tệp khoá riêng."), file=file.name
        )
    with tempfile.TemporaryDirectory(prefix="tuyenhuan-") as folder:
        plain = Path(folder) / "plain.db"
        try:
            sealing.unseal(file, plain, identity)
        except GatewayError as error:
            raise Malformed(N_("%(why)s"), why=str(error)) from None
        yield plain


def _facts(file: Path) -> BackupFacts:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
            noted = facts_of_file(connection)
            rows = rows_of_file(connection)
            if "audit_entry" not in rows:
                raise sqlite3.DatabaseError("no such table: audit_entry")
            taken_at = noted.get("taken_at")
            return BackupFacts(
                size=file.stat().st_size,
                rows=rows,
                faults=tuple(faults_of_file(connection)),
                taken_at=datetime.fromisoformat(taken_at) if taken_at else None,
                revision=noted.get("revision"),
            )
    except sqlite3.DatabaseError as error:
        raise Malformed(
            N_("“%(file)s” không phải bản sao lưu của chương trình này, hoặc đã hỏng (%(error)s)."),
            file=file.name,
            error=error,
        ) from None


def digest(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def make_keys(identity_file: Path) -> str:
    """Write a new private key into a file that only its owner reads; give the public key."""
    if identity_file.exists():
        raise Refusal(N_("Tệp “%(file)s” đã có. Hãy chọn tên khác."), file=identity_file.name)
    private, public = sealing.new_key_pair()
    descriptor = os.open(identity_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"# public key: {public}\n{private}\n")
    return public


def refuse_unusable(facts: BackupFacts) -> None:
    """Raise when a backup must not be restored: damaged, or of a newer program."""
    if not facts.is_whole:
        raise Refusal(N_("Bản sao lưu không toàn vẹn: %(faults)s"), faults="; ".join(facts.faults))
    schema.refuse_unknown(facts.revision, what="Bản sao lưu")
