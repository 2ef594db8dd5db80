"""Roster import: a workbook is stored, its columns are read, its rows checked, then written at once.

The file may come from the screen, in steps that each remember where they are in a RosterImport
row, or from the command line in one go. Both check every row first and write in one transaction.
"""

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateways.workbook_safety import MAX_FILE_BYTES, TOO_LARGE
from gateways.workbooks import error_copy_path, read_workbook
from models import Account, RosterImport, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.roster import RowError, RowNote
from rules.roster_cells import Said
from rules.roster_changes import Choice
from rules.roster_columns import (
    Column,
    Kind,
    Layout,
    Sheet,
    find_layout,
    names_its_rows,
    numbers_rows,
)
from rules.text import clean
from services import audit
from services.access import require_role, require_unit
from services.office import office
from services.roster_findings import (
    Findings,
    Table,
    described,
    error_copy,
    findings_of,
    outcome,
    preview,
    read_table,
)
from services.roster_records import Writing, write_households, write_members
from services.transaction import reading, writing
from services.unit_changes import create_unit
from services.units import unit_by_code

KEPT_FOR = timedelta(hours=24)
STUCK_AFTER = timedelta(minutes=15)

NOT_CONFIRMABLE = N_("Danh sách này chưa kiểm tra xong hoặc còn lỗi, nên chưa nhập được.")
CHANGED_SINCE = N_(
    "Danh sách trong hệ thống đã thay đổi sau khi bạn xem trước. Hãy xem lại rồi xác nhận."
)
STUCK = N_("Việc đang làm bị dừng giữa chừng, chưa có gì được nhập. Hãy kiểm tra lại từ đầu.")
GONE_IMPORT = N_("Không tìm thấy lần nhập danh sách này.")
GONE = N_("Tệp đã tải lên không còn (chỉ giữ 24 giờ). Hãy tải tệp lên lần nữa.")
UNIT_NEEDED = N_("Chưa nối cột nào với họ và tên (hoặc số hộ). Hãy chọn cột rồi thử lại.")


@dataclass(frozen=True)
class Report:
    """What an import from the command line did or would do."""

    counts: dict[str, int]
    errors: tuple[RowError, ...]
    notes: tuple[RowNote, ...]
    skipped: tuple[RowNote, ...]
    not_imported: tuple[str, ...]
    missing: tuple[tuple[str, str, str], ...]
    namesakes: tuple[RowNote, ...]
    error_copy: Path | None
    written: bool


@dataclass(frozen=True)
class ImportView:
    """An import as its pages show it; `result` is what the last check or import found."""

    id: int
    kind: Kind
    file_name: str
    unit_id: int | None
    unit_name: str | None
    effective_on: date
    state: str
    progress_percent: int
    mapping: dict[str, Any]
    result: dict[str, Any]
    message: Said | None
    created_at: datetime
    finished_at: datetime | None
    by_name: str

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.result.get("counts", {})
        return counts

    @property
    def layout(self) -> Layout:
        return _layout_of(self.kind, self.mapping)

    @property
    def not_imported(self) -> tuple[str, ...]:
        return _not_imported(self.layout)


def import_file(
    path: Path,
    *,
    kind: Kind,
    unit_code: str | None,
    dry_run: bool,
    effective_on: date | None,
    now: datetime,
    by: Actor,
) -> Report:
    """Check a workbook and, when it has no error and this is no dry run, write it.

    With an error nothing is written, and a copy with an error column is put beside the file.
    """
    require_role(by, "staff")
    sheet = read_workbook(path, kind)
    layout = find_layout(sheet, kind)
    unit_id = unit_by_code(reading(), unit_code).id if unit_code else None
    on = effective_on or local_day(now)
    table = read_table(reading(), sheet, layout, unit_id=unit_id, on=on, now=now, by=by)
    if dry_run:
        findings = findings_of(reading(), table)
        return _report(findings, error_copy(path, findings), written=False)
    with writing() as session:
        findings = findings_of(session, table)
        if not findings.errors:
            row = _finished_import(session, path.name, table, findings, now, by)
            _write(Writing(session, now, by, on, row.id), findings, unit_id)
    return _report(findings, error_copy(path, findings), written=not findings.errors)


def _finished_import(
    session: Session, file_name: str, table: Table, findings: Findings, now: datetime, by: Actor
) -> RosterImport:
    row = RosterImport(
        kind=table.layout.kind,
        file_name=file_name[:200],
        stored_name="",
        unit_id=table.unit_id,
        effective_on=table.on,
        state="imported",
        progress_percent=100,
        result={"counts": findings.counts},
        created_at=now,
        finished_at=now,
        by_account_id=by.account_id,
    )
    session.add(row)
    session.flush()
    return row


def store_upload(
    content: bytes,
    file_name: str,
    *,
    kind: Kind,
    unit_id: int | None,
    effective_on: date | None,
    now: datetime,
    by: Actor,
) -> int:
    """Keep an uploaded workbook for a day and propose how its columns are read.

    Raises `Malformed` with the reason when the file cannot be read; nothing is kept then.
    """
    on = local_day(now)
    require_role(by, "staff")
    if unit_id is not None:
        require_unit(reading(), by, unit_id, on, "staff")
    stored_name, mapping = _kept_file(content, kind)
    with writing() as session:
        row = RosterImport(
            kind=kind,
            file_name=clean(Path(file_name).name)[:200] or "danh-sach",
            stored_name=stored_name,
            unit_id=unit_id,
            effective_on=effective_on or on,
            state="mapping",
            mapping=mapping,
            created_at=now,
            by_account_id=by.account_id,
        )
        session.add(row)
        session.flush()
        import_id = row.id
    return import_id


def _kept_file(content: bytes, kind: Kind) -> tuple[str, dict[str, object]]:
    """The name the file is kept under, and how its columns are read; unreadable files go again."""
    if len(content) > MAX_FILE_BYTES:
        raise Malformed(TOO_LARGE)
    path = _folder() / secrets.token_hex(16)
    path.touch(mode=0o600)
    path.write_bytes(content)
    try:
        sheet = read_workbook(path, kind)
        return path.name, _mapping_of(sheet, find_layout(sheet, kind))
    except Refusal:
        path.unlink(missing_ok=True)
        raise


def choose_sheet(import_id: int, sheet_name: str, *, now: datetime, by: Actor) -> None:
    """Read another sheet of the same workbook instead."""
    view = roster_import(import_id, now=now, by=by)
    sheet = read_workbook(_path(import_id), view.kind, sheet_name)
    mapping = _mapping_of(sheet, find_layout(sheet, view.kind))
    with writing() as session:
        row = _import_for(session, import_id, by)
        row.mapping, row.state, row.result = mapping, "mapping", None


def choose_columns(
    import_id: int, meanings: Mapping[int, str | None], *, now: datetime, by: Actor
) -> None:
    """Keep the user's correction of the columns."""
    with writing() as session:
        row = _import_for(session, import_id, by)
        layout = _layout_of(row.kind, row.mapping or {}).remapped(meanings)
        if not names_its_rows(layout):
            raise Malformed(UNIT_NEEDED)
        row.mapping = {**(row.mapping or {}), "columns": _columns_json(layout.columns)}


def answer_namesakes(
    import_id: int, choices: Mapping[int, Choice], *, now: datetime, by: Actor
) -> None:
    """Keep who is who, by row number; the next check goes by it."""
    with writing() as session:
        row = _import_for(session, import_id, by)
        mapping = dict(row.mapping or {})
        kept: dict[str, Any] = _choices_json(mapping)
        mapping["choices"] = kept | {str(line): choice for line, choice in choices.items()}
        row.mapping = mapping


def create_units(
    import_id: int,
    names: Sequence[str],
    *,
    kind_code: str,
    parent_id: int | None,
    now: datetime,
    by: Actor,
) -> int:
    """Found the units that the file names and nobody knows; gives how many.

    Each is founded as on the page of units, from the day the list takes effect.
    """
    view = roster_import(import_id, now=now, by=by)
    unknown = {unit["name"] for unit in view.result.get("unknown_units", [])}
    wanted = [name for name in dict.fromkeys(names) if name in unknown]
    if not wanted:
        raise Malformed(N_("Hãy chọn ít nhất một đơn vị để thêm."))
    codes = _free_codes(kind_code, len(wanted))
    for name, code in zip(wanted, codes, strict=True):
        create_unit(
            code=code,
            kind_code=kind_code,
            name=name,
            parent_id=parent_id,
            valid_from=view.effective_on,
            now=now,
            by=by,
        )
    return len(wanted)


def _free_codes(kind_code: str, count: int) -> list[str]:
    """Codes that no unit has: the initials of the kind's code and a running number."""
    start = "".join(word[:1] for word in kind_code.split("_")).upper() or "DV"
    taken = {code.lower() for code in reading().scalars(select(Unit.code))}
    numbers = (f"{start}-{number:03}" for number in itertools.count(1))
    return list(itertools.islice((code for code in numbers if code.lower() not in taken), count))


def begin_check(import_id: int, *, now: datetime, by: Actor) -> bool:
    """Mark the import as being checked; False when that is already going on."""
    return _begin(import_id, "checking", ("uploaded", "mapping", "checked", "failed"), now, by)


def begin_import(import_id: int, *, now: datetime, by: Actor) -> bool:
    """Mark a checked import without errors as being written; False when it already is."""
    view = roster_import(import_id, now=now, by=by)
    if view.state == "checked" and view.counts.get("errors", 1):
        raise Refusal(NOT_CONFIRMABLE)
    if view.state not in ("checked", "importing"):
        raise Refusal(NOT_CONFIRMABLE)
    return _begin(import_id, "importing", ("checked",), now, by)


def _begin(import_id: int, state: str, before: tuple[str, ...], now: datetime, by: Actor) -> bool:
    with writing() as session:
        row = _import_for(session, import_id, by)
        if row.state not in before and not _is_stuck(row.mapping or {}, now):
            return False
        row.mapping = {**(row.mapping or {}), "began_at": now.isoformat()}
        row.state, row.progress_percent, row.message = state, 0, ""
    return True


def check(import_id: int, *, now: datetime, by: Actor) -> None:
    """Check every row and keep the preview; run in the background after `begin_check`."""
    view = roster_import(import_id, now=now, by=by)
    try:
        path = _path(import_id)
        table = _table_of(view, path, now, by, _watcher(import_id, 10, 90))
        findings = findings_of(reading(), table, _choices(view))
        error_copy(path, findings)
    except Refusal as refusal:
        fail(import_id, Said.of(refusal.sentence, **refusal.params), now=now)
        return
    with writing() as session:
        row = _under_way(session, import_id)
        row.state, row.progress_percent, row.result = "checked", 100, preview(findings)


def apply_import(import_id: int, *, now: datetime, by: Actor) -> None:
    """Write a checked import in one transaction; run in the background after `begin_import`.

    The changes are planned again under the write lock: when the outcome is no longer what was
    shown, nothing is written and the new preview waits to be looked at.
    """
    view = roster_import(import_id, now=now, by=by)
    try:
        table = _table_of(view, _path(import_id), now, by, _watcher(import_id, 5, 60))
    except Refusal as refusal:
        fail(import_id, Said.of(refusal.sentence, **refusal.params), now=now)
        return
    with writing() as session:
        findings = findings_of(session, table, _choices(view))
        row = _under_way(session, import_id)
        row.result = preview(findings)
        if findings.errors or outcome(findings) != view.result.get("outcome"):
            row.state, row.message = "checked", CHANGED_SINCE
            return
        _write(Writing(session, now, by, view.effective_on, import_id), findings, view.unit_id)
        row.state, row.progress_percent, row.finished_at = "imported", 100, now


def _table_of(
    view: ImportView, path: Path, now: datetime, by: Actor, progress: Callable[[int, int], None]
) -> Table:
    name = view.mapping.get("sheet") if view.mapping.get("format") != "csv" else None
    sheet = read_workbook(path, view.kind, name)
    return read_table(
        reading(),
        sheet,
        view.layout,
        unit_id=view.unit_id,
        on=view.effective_on,
        now=now,
        by=by,
        progress=progress,
    )


def fail(import_id: int, said: Said, *, now: datetime) -> None:
    """Remember that the work stopped, and why; nothing of it has been written.

    NotFound when somebody has discarded the import meanwhile.
    """
    with writing() as session:
        row = _under_way(session, import_id)
        row.state, row.finished_at = "failed", now
        row.message = said.sentence
        row.result = {**(row.result or {}), "message_params": dict(said.params)}


def discard(import_id: int, *, now: datetime, by: Actor) -> None:
    """Forget an import that was not written, with its file."""
    with writing() as session:
        row = _import_for(session, import_id, by)
        if row.state == "imported":
            raise Refusal(N_("Danh sách này đã nhập, không bỏ được nữa."))
        stored_name = row.stored_name
        session.delete(row)
        audit.record(
            session, now=now, by=by, action="discarded", entity="roster_import",
            entity_id=import_id, unit_id=row.unit_id,
        )  # fmt: skip
    _delete_files(stored_name)


def record_download(import_id: int, *, now: datetime, by: Actor) -> Path:
    """The workbook with its error column; that it was taken is an audit entry."""
    view = roster_import(import_id, now=now, by=by)
    path = _path(import_id)
    copy = error_copy_path(path, Sheet("", [], format=view.mapping.get("format", "xlsx")))
    if not copy.exists():
        raise NotFound(N_("Danh sách này không có tệp ghi lỗi, hoặc tệp đã quá 24 giờ."))
    with writing() as session:
        audit.record(
            session, now=now, by=by, action="exported", entity="roster_import",
            entity_id=import_id, unit_id=view.unit_id,
        )  # fmt: skip
    return copy


def delete_old_uploads(*, now: datetime) -> int:
    """Delete the files and previews of imports older than a day; the counts stay.

    A job asks on every tick: as long as nothing is old, that is one query.
    """
    due = select(RosterImport).where(
        RosterImport.created_at < now - KEPT_FOR, RosterImport.stored_name != ""
    )
    if reading().scalars(due.limit(1)).first() is None:
        return 0
    with writing() as session:
        old = session.scalars(due).all()
        names = [row.stored_name for row in old]
        for row in old:
            row.stored_name = ""
            row.result = {"counts": (row.result or {}).get("counts", {})}
            row.mapping = None
            if row.state not in ("imported", "failed"):
                row.state, row.message = "failed", GONE
    for name in names:
        _delete_files(name)
    return len(names)


def roster_import(import_id: int, *, now: datetime, by: Actor) -> ImportView:
    """One import of the actor's own, or of anybody for an administrator."""
    session = reading()
    row = _import_for(session, import_id, by)
    return _view(session, row, now)


def roster_imports(*, now: datetime, by: Actor, limit: int = 20) -> list[ImportView]:
    """The latest imports the actor may see, newest first."""
    session = reading()
    query = select(RosterImport).order_by(RosterImport.id.desc()).limit(limit)
    if not by.is_admin:
        query = query.where(RosterImport.by_account_id == by.account_id)
    return [_view(session, row, now) for row in session.scalars(query)]


def _under_way(session: Session, import_id: int) -> RosterImport:
    row = session.get(RosterImport, import_id)
    if row is None:
        raise NotFound(GONE_IMPORT)
    return row


def _import_for(session: Session, import_id: int, by: Actor) -> RosterImport:
    require_role(by, "staff")
    row = session.get(RosterImport, import_id)
    if row is None or not (by.is_admin or row.by_account_id == by.account_id):
        raise NotFound(GONE_IMPORT)
    return row


def _view(session: Session, row: RosterImport, now: datetime) -> ImportView:
    unit = session.get(Unit, row.unit_id) if row.unit_id else None
    account = session.get(Account, row.by_account_id) if row.by_account_id else None
    mapping: dict[str, Any] = dict(row.mapping or {})
    result: dict[str, Any] = dict(row.result or {})
    state, message = row.state, row.message
    if state in ("checking", "importing") and _is_stuck(mapping, now):
        state, message = "failed", STUCK
    params: dict[str, Any] = dict(result.get("message_params") or {})
    said = Said.of(message, **params) if message else None
    return ImportView(
        id=row.id,
        kind="households" if row.kind == "households" else "members",
        file_name=row.file_name,
        unit_id=row.unit_id,
        unit_name=unit.name if unit else None,
        effective_on=row.effective_on,
        state=state,
        progress_percent=row.progress_percent,
        mapping=mapping,
        result=result,
        message=said,
        created_at=row.created_at,
        finished_at=row.finished_at,
        by_name=account.name if account else "",
    )


def _is_stuck(mapping: Mapping[str, Any], now: datetime) -> bool:
    began = mapping.get("began_at")
    return bool(began) and datetime.fromisoformat(str(began)) < now - STUCK_AFTER


def _folder() -> Path:
    folder = office().uploads
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _path(import_id: int) -> Path:
    stored_name = reading().scalar(
        select(RosterImport.stored_name).where(RosterImport.id == import_id)
    )
    path = _folder() / (stored_name or "-")
    if not stored_name or not path.exists():
        raise Malformed(GONE)
    return path


def _delete_files(stored_name: str) -> None:
    if stored_name:
        for path in _folder().glob(f"{stored_name}*"):
            path.unlink(missing_ok=True)


def _watcher(import_id: int, first: int, last: int) -> Callable[[int, int], None]:
    """Writes the progress where the page reads it, in steps large enough to cost nothing."""
    told = [0]

    def tell(done: int, total: int) -> None:
        percent = first + (last - first) * done // max(total, 1)
        if percent >= told[0] + 10:
            told[0] = percent
            with writing() as session:
                session.execute(
                    update(RosterImport)
                    .where(RosterImport.id == import_id)
                    .values(progress_percent=percent)
                )

    return tell


def _write(job: Writing, findings: Findings, unit_id: int | None) -> None:
    if findings.layout.kind == "households":
        write_households(job, findings.plan, {r.row: r for r in findings.checked.households})
    else:
        write_members(job, findings.plan, {r.row: r for r in findings.checked.members})
    counts: dict[str, Any] = dict(findings.counts)
    audit.record(
        job.session, now=job.now, by=job.by, action="imported", entity="roster_import",
        entity_id=job.import_id, unit_id=unit_id, kind=findings.layout.kind,
        effective_on=job.on, **counts,
    )  # fmt: skip


def _report(findings: Findings, copy: Path | None, *, written: bool) -> Report:
    return Report(
        counts=findings.counts,
        errors=findings.errors,
        notes=(*findings.checked.notes, *findings.plan.notes),
        skipped=tuple(findings.checked.skipped),
        not_imported=_not_imported(findings.layout),
        missing=tuple(described(findings, known_id) for known_id in findings.missing),
        namesakes=tuple(RowNote(asked.row, asked.said) for asked in findings.plan.namesakes),
        error_copy=copy,
        written=written,
    )


def _not_imported(layout: Layout) -> tuple[str, ...]:
    labels = (column.label for column in layout.columns if not column.meaning)
    return tuple(label for label in labels if not numbers_rows(label))


def _choices(view: ImportView) -> dict[int, Choice]:
    kept: Mapping[str, Any] = view.mapping.get("choices") or {}
    return {int(line): "new" if choice == "new" else int(choice) for line, choice in kept.items()}


def _choices_json(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return dict(mapping.get("choices") or {})


def _mapping_of(sheet: Sheet, layout: Layout) -> dict[str, object]:
    return {
        "sheet": sheet.name,
        "sheets": list(sheet.other_sheets),
        "format": sheet.format,
        "rows": len(sheet.rows),
        "header_row": layout.header_row,
        "first_row": layout.first_row,
        "columns": _columns_json(layout.columns),
    }


def _columns_json(columns: Sequence[Column]) -> list[dict[str, object]]:
    return [
        {
            "index": c.index,
            "label": c.label,
            "meaning": c.meaning,
            "unneeded": c.unneeded,
            "samples": list(c.samples),
        }
        for c in columns
    ]


def _layout_of(kind: str, mapping: Mapping[str, Any]) -> Layout:
    columns = tuple(
        Column(c["index"], c["label"], c["meaning"], c["unneeded"], tuple(c["samples"]))
        for c in mapping.get("columns", [])
    )
    return Layout(
        "households" if kind == "households" else "members",
        int(mapping.get("header_row", 0)),
        int(mapping.get("first_row", 0)),
        columns,
    )
