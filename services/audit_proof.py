"""Proves that the audit log is whole: the chain walked from its beginning, and heads kept outside."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from models import AuditEntry, AuditHead
from rules.audit_chain import FIELDS, seal
from services.attendance_seal import broken_ledgers
from services.audit import genesis_of
from services.clock import first_run
from services.office import office
from services.transaction import reading, writing

_TABLE: Any = inspect(AuditEntry).local_table
PAGE = 2_000


@dataclass(frozen=True)
class Head:
    """The chain's end at one moment: how many entries it has and the seal of the last."""

    entries: int
    seal: str


@dataclass(frozen=True)
class LogProof:
    """What a check of the log found: its length, the entries older than the chain, the faults."""

    entries: int
    before_chain: int
    heads: int
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return not self.faults


def verify_log(*, heads_file: Path | None = None) -> LogProof:
    """Walk the whole chain and compare it with its kept end and with the heads written elsewhere.

    `heads_file` holds lines "time entries seal", as `write_head` writes them; by default the one
    beside the database, if it is there. A log cut short together with the kept end shows only in
    a file that whoever did it could not reach.
    """
    session = reading()
    heads = _heads_in(heads_file or office().audit_heads, needed=heads_file is not None)
    head = session.get(AuditHead, 1)
    if head is None:
        return _without_chain(session, heads)
    key = office().audit_key
    faults = []
    if genesis_of(session, key, head.begun_after_id) != head.genesis:
        faults.append(
            f"một mục trong số {head.begun_after_id} mục đầu tiên (trước khi có chuỗi) đã bị sửa"
        )
    count, before = 0, head.genesis
    wanted = dict(heads)
    for number, row in _sealed(session, head.begun_after_id):
        expected = seal(key, before, row)
        if row["seal"] != expected:
            faults.append(f"mục số {number}: dấu niêm không khớp (mục bị sửa, bị chèn hay bị bỏ)")
            break
        count, before = count + 1, expected
        if wanted.get(count) == expected:
            del wanted[count]
    else:
        if (count, before) != (head.entries, head.last_seal):
            faults.append(f"chuỗi có {count} mục, lẽ ra {head.entries}: các mục cuối đã bị bỏ")
    wanted.pop(0, None)
    faults += [f"đầu chuỗi đã lưu ở mục thứ {number} không còn khớp" for number in sorted(wanted)]
    faults += [
        f"sổ điểm danh của buổi số {meeting} không còn như lúc nộp hay khoá"
        for meeting in broken_ledgers(session)
    ]
    session.rollback()
    return LogProof(count, head.begun_after_id, len(heads), tuple(faults))


def _without_chain(session: Session, heads: dict[int, str]) -> LogProof:
    sealed = session.scalar(select(AuditEntry.id).where(AuditEntry.seal.is_not(None)).limit(1))
    faults = []
    if sealed is not None or any(heads):
        faults.append("đầu chuỗi đã bị xoá khỏi cơ sở dữ liệu")
    return LogProof(0, 0, len(heads), tuple(faults))


def _sealed(session: Session, after_id: int) -> Iterator[tuple[int, Any]]:
    columns = [_TABLE.c[name] for name in (*FIELDS, "seal", "id")]
    page = select(*columns).order_by(_TABLE.c.id).limit(PAGE)
    while rows := session.execute(page.where(_TABLE.c.id > after_id)).mappings().all():
        for row in rows:
            yield row["id"], dict(row)
        after_id = rows[-1]["id"]


def _heads_in(file: Path, *, needed: bool) -> dict[int, str]:
    if not needed and not file.exists():
        return {}
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    return {int(entries): last for _at, entries, last in filter(None, lines)}


def head_now() -> Head | None:
    """The chain's end; None before the first entry."""
    head = reading().get(AuditHead, 1)
    return Head(head.entries, head.last_seal) if head is not None else None


def write_head(slot: datetime, *, now: datetime) -> None:
    """Once a day, add the chain's end to the file that the operator's backup carries away."""
    with writing() as session:
        if not first_run(session, "write_audit_head", slot, now=now):
            return
        head = session.get(AuditHead, 1)
        if head is not None:
            _append(office().audit_heads, f"{now.isoformat()} {head.entries} {head.last_seal}\n")


def _append(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(line)
