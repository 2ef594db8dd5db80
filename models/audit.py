"""The audit log, the clock's own rows, and the few settings kept as data."""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, JSON, BigInteger, ForeignKey, Index, Integer, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, UtcDateTime, one_of


class AuditEntry(Model):
    """Who did what to what, when and why; rows are only ever added. People stand by id, not name.

    The database itself refuses to change or delete an entry. `seal` covers the entry and the seal
    before it, None for entries older than the chain.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_entity_entity_id", "entity", "entity_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by_account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    by_name: Mapped[str] = mapped_column(String(180))
    action: Mapped[str] = mapped_column(String(60))
    entity: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[str] = mapped_column(String(40))
    unit_id: Mapped[int | None] = mapped_column(
        ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )
    details: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    reason: Mapped[str] = mapped_column(String(300), default="")
    seal: Mapped[str | None] = mapped_column(String(64))


class AuditHead(Model):
    """Where the chain of the log begins and ends: the one row that writers queue at.

    `begun_after_id` is the last entry older than the chain (0 for none) and `genesis` the seal
    over all of those; `last_seal` and `entries` are the chain's end and length.
    """

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    begun_after_id: Mapped[int] = mapped_column(Integer, default=0)
    genesis: Mapped[str] = mapped_column(String(64))
    last_seal: Mapped[str] = mapped_column(String(64))
    entries: Mapped[int] = mapped_column(Integer, default=0)


_SQLITE = (
    "CREATE TRIGGER audit_entry_no_{verb} BEFORE {verb} ON audit_entry "
    "BEGIN SELECT RAISE(ABORT, 'audit entries are only ever added'); END"
)
_FUNCTION = (
    "CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'audit entries are only ever added'; END $$"
)
_POSTGRESQL = (
    "CREATE TRIGGER audit_entry_no_{verb} BEFORE {verb} ON audit_entry "
    "FOR EACH {each} EXECUTE FUNCTION audit_entry_refuse()"
)


def _guarded_by(dialect: str, statement: str) -> None:
    """A database made from these models refuses changes, as one made by the migrations does."""
    ddl: Any = DDL(statement)  # type: ignore[no-untyped-call]  # the library has no types here
    event.listen(AuditEntry.__table__, "after_create", ddl.execute_if(dialect=dialect))


for _verb in ("update", "delete"):
    _guarded_by("sqlite", _SQLITE.format(verb=_verb))
_guarded_by("postgresql", _FUNCTION)
for _verb, _each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
    _guarded_by("postgresql", _POSTGRESQL.format(verb=_verb, each=_each))


class JobRun(Model):
    """A slot of a scheduled job that has happened; the unique key makes it happen once."""

    __tablename__ = "job_run"

    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    ran_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ClockTick(Model):
    """When the scheduler last ticked, one row a clock; read by /healthz and the banner.

    `trouble` says what is wrong with it: a job that hangs or keeps failing, a clock set wrongly.
    """

    __tablename__ = "clock_tick"

    clock: Mapped[str] = mapped_column(String(80), primary_key=True)
    ticked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    trouble: Mapped[str] = mapped_column(String(500), default="", server_default="")


class Setting(Model):
    """A choice of the board's that is data, not configuration (travel minutes, early window …)."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(String(500))


class BackupRun(Model):
    """A backup that was made, or a rehearsal of a restore; `fault` says why it failed.

    `sha256` is of the file as it lies on the disk, so that a later look can tell it was not touched.
    """

    __tablename__ = "backup_run"
    __table_args__ = (Index("ix_backup_run_kind_at", "kind", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(one_of("backup_kind", "scheduled", "manual", "rehearsal"))
    file_name: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    fault: Mapped[str] = mapped_column(Text, default="")
