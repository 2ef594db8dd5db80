"""Closed reports: frozen with their rows and units, never changed; corrections make a supplement."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import ReportSnapshot, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.report_tables import (
    Changed,
    ReportTable,
    changes,
    changes_table,
    comparable,
    frozen,
    thawed,
)
from rules.reports import Period
from rules.text import clean
from rules.version import VERSION
from services import audit
from services.access import require_role, require_unit, within_scope
from services.document_templates import Written, write_document
from services.report_documents import issuing_unit, report_paper
from services.report_files import exported_note, tables_workbook
from services.report_places import RESTATED, VIEWS
from services.report_tables import gathered_report
from services.transaction import reading, writing
from services.units import on_day, parents_on, unit_names_on

ROUNDING = "cut to one decimal, compared as integers"


@dataclass(frozen=True)
class SnapshotLine:
    """A closed report in a list; `is_whole` says that its contents are what was closed."""

    id: int
    title: str
    period: Period
    view: str
    closed_at: datetime
    by_name: str
    supplements_id: int | None
    reason: str
    digest: str
    is_whole: bool


@dataclass(frozen=True)
class Snapshot:
    """A closed report with its tables, and what its supplement changed against it."""

    line: SnapshotLine
    tables: tuple[ReportTable, ...]
    units: int
    software: str
    changed: tuple[Changed, ...]
    supplement_ids: tuple[int, ...]


def close_report(
    title: str, first_on: date, last_on: date, view: str, *, now: datetime, by: Actor
) -> int:
    """Freeze the report of these days; its id. A period that is not over yet is refused."""
    if last_on > local_day(now):
        raise Refusal(N_("Kỳ báo cáo chưa hết nên chưa chốt được. Hãy chọn ngày cuối đã qua."))
    if not clean(title):
        raise Malformed(N_("Báo cáo chưa có tên. Hãy đặt tên để tìm lại."))
    return _keep(clean(title), Period(first_on, last_on), view, None, "", now=now, by=by)


def supplement_report(snapshot_id: int, reason: str, *, now: datetime, by: Actor) -> int:
    """Close a supplementary report of the same days; refused when no figure differs."""
    if not clean(reason):
        raise Malformed(N_("Báo cáo bổ sung cần lý do. Hãy ghi vì sao số liệu thay đổi."))
    kept = _snapshot_for(reading(), snapshot_id, local_day(now), by)
    period = Period(kept.first_on, kept.last_on)
    title = f"{kept.title} (bổ sung)"[:200]
    return _keep(title, period, kept.view, kept, clean(reason), now=now, by=by)


def _keep(
    title: str,
    period: Period,
    view: str,
    before: ReportSnapshot | None,
    reason: str,
    *,
    now: datetime,
    by: Actor,
) -> int:
    """Count and keep in one transaction: nothing may change between the two."""
    require_role(by, "admin", "staff")
    if view not in VIEWS:
        raise Malformed(N_("Cách xem không có. Hãy chọn theo thời điểm hoặc quy đổi."))
    today = local_day(now)
    with writing() as session:
        unit = before.unit_id if before else issuing_unit(session, by, today)
        require_unit(session, by, unit, today, "staff")
        tables = gathered_report(session, period, view=view, today=today, by=by)
        content = _content(session, tables, today if view == RESTATED else period.last_on)
        if before is not None and not changes(_tables(before), comparable(tables, before.software)):
            raise Refusal(N_("Không có con số nào khác bản đã chốt nên không cần bổ sung."))
        row = ReportSnapshot(
            title=title,
            first_on=period.first_on,
            last_on=period.last_on,
            view=view,
            unit_id=unit,
            content=content,
            digest=digest_of(content),
            supplements_id=before.id if before else None,
            reason=reason,
            software=VERSION,
            closed_at=now,
            by_account_id=by.account_id,
            by_name=by.name,
        )
        return _kept(session, row, now, by)


def _kept(session: Session, row: ReportSnapshot, now: datetime, by: Actor) -> int:
    """Write the row and its audit entry; its id."""
    session.add(row)
    session.flush()
    audit.record(
        session,
        now=now,
        by=by,
        action="closed",
        entity="report",
        entity_id=row.id,
        unit_id=row.unit_id,
        reason=row.reason,
        digest=row.digest,
    )
    return row.id


def _content(session: Session, tables: Sequence[ReportTable], units_on: date) -> dict[str, Any]:
    """What is kept: the tables whole, the unit tree of the day, and how percentages are cut."""
    return {
        "tables": [frozen(table) for table in tables],
        "units": _unit_tree(session, units_on),
        "rounding": ROUNDING,
    }


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of the contents in one canonical form, whatever order a database gives them in."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _unit_tree(session: Session, on: date) -> list[list[object]]:
    """Every unit of the day: id, code, name, and the unit above."""
    rows = session.execute(select(Unit.id, Unit.code).where(on_day(Unit, on))).all()
    names = unit_names_on(session, [row.id for row in rows], on)
    parents = parents_on(session, on)
    return [[row.id, row.code, names[row.id], parents.get(row.id)] for row in rows]


def snapshots(*, today: date, by: Actor) -> list[SnapshotLine]:
    """The closed reports within scope, newest first."""
    require_role(by, "admin", "staff", "reader")
    rows = reading().scalars(
        select(ReportSnapshot)
        .where(within_scope(by, ReportSnapshot.unit_id, today))
        .order_by(ReportSnapshot.closed_at.desc(), ReportSnapshot.id.desc())
    )
    return [_line(row) for row in rows]


def snapshot(snapshot_id: int, *, today: date, by: Actor) -> Snapshot:
    """A closed report as it was closed; a supplement also with what it changed."""
    session = reading()
    row = _snapshot_for(session, snapshot_id, today, by)
    before = session.get(ReportSnapshot, row.supplements_id) if row.supplements_id else None
    later = session.scalars(
        select(ReportSnapshot.id)
        .where(ReportSnapshot.supplements_id == row.id)
        .order_by(ReportSnapshot.id)
    )
    return Snapshot(
        line=_line(row),
        tables=_tables(row),
        units=len(row.content["units"]),
        software=row.software,
        changed=tuple(changes(_tables(before), comparable(_tables(row), before.software)))
        if before
        else (),
        supplement_ids=tuple(later),
    )


def snapshot_file(
    snapshot_id: int, form: str, *, now: datetime, by: Actor, built_in: bool = False
) -> bytes:
    """A closed report as a workbook ("xlsx") or a document ("docx"); its leaving is logged.

    A document has the figures that were closed, in the template that its unit uses now; raises
    `TemplateFailed` when that cannot be filled.
    """
    row = _snapshot_for(reading(), snapshot_id, local_day(now), by)
    unit_id = row.unit_id
    written = _file_of(row, form, now=now, by=by, built_in=built_in)
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="exported",
            entity="report",
            entity_id=snapshot_id,
            unit_id=unit_id,
            form=form,
            **written.source(),
        )
    return written.content


def _file_of(
    row: ReportSnapshot, form: str, *, now: datetime, by: Actor, built_in: bool
) -> Written:
    period, tables = Period(row.first_on, row.last_on), _tables(row)
    before = reading().get(ReportSnapshot, row.supplements_id) if row.supplements_id else None
    if before is not None:
        changed = changes(_tables(before), comparable(tables, before.software))
        tables = (changes_table(changed), *tables)
    if form == "xlsx":
        mark = audit.watermark(by, now)
        return Written(tables_workbook(tables, exported_note(period, row.view), mark))
    paper = report_paper(reading(), tables, period, row.view, unit=row.unit_id, now=now, by=by)
    return write_document(reading(), "report", row.unit_id, [paper], built_in=built_in)


def _snapshot_for(session: Session, snapshot_id: int, today: date, by: Actor) -> ReportSnapshot:
    row = session.scalar(
        select(ReportSnapshot).where(
            ReportSnapshot.id == snapshot_id, within_scope(by, ReportSnapshot.unit_id, today)
        )
    )
    if row is None:
        raise NotFound(N_("Không tìm thấy báo cáo đã chốt này trong phạm vi của bạn."))
    return row


def _tables(row: ReportSnapshot) -> tuple[ReportTable, ...]:
    kept: Sequence[dict[str, Any]] = row.content["tables"]
    return tuple(thawed(table) for table in kept)


def _line(row: ReportSnapshot) -> SnapshotLine:
    return SnapshotLine(
        id=row.id,
        title=row.title,
        period=Period(row.first_on, row.last_on),
        view=row.view,
        closed_at=row.closed_at,
        by_name=row.by_name,
        supplements_id=row.supplements_id,
        reason=row.reason,
        digest=row.digest,
        is_whole=digest_of(row.content) == row.digest,
    )
