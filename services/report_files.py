"""Reports that leave the program: as a workbook, and as JSON; each leaving is an audit entry."""

from collections.abc import Iterable
from datetime import date, datetime

from gateways.spreadsheets import Cell, Table, workbook
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_
from rules.report_tables import Line, ReportTable, cell, table_json
from rules.reports import Period
from services import audit
from services.report_places import AS_WAS
from services.report_tables import FORMS, report, summary_table
from services.reports import term_report
from services.transaction import writing

NAME_OF_LINES = {
    "study": N_("Đợt học tập"),
    "households": N_("Đợt học tập"),
    "outreach:topics": N_("Nội dung"),
    "outreach:months": N_("Tháng"),
    "attendance": N_("Thứ"),
    "classes": N_("Loại lớp"),
    "themes": N_("Chi bộ"),
    "summary": N_("Chỉ tiêu"),
    "changes": N_("Dòng"),
}
VIEW_NOTES = {
    "as_was": "Số liệu theo đơn vị tại thời điểm.",
    "restated": "Số liệu quy đổi theo đơn vị hiện nay; chỗ ước tính do chia tách có ghi rõ.",
}


def term_json(
    first_on: date, last_on: date, *, now: datetime, by: Actor, view: str = AS_WAS
) -> dict[str, object]:
    """The term report for programs: its headline figures, and every table with its rows."""
    today = local_day(now)
    whole = report(first_on, last_on, today=today, by=by, view=view)
    summary = summary_table(whole.period, today=today, by=by)
    record_export(first_on, last_on, "json", now=now, by=by)
    return term_report(first_on, last_on, today=today, by=by).as_json() | {
        "view": view,
        "tables": [table_json(table) for table in (summary, *whole.tables)],
    }


def term_workbook(
    first_on: date, last_on: date, *, now: datetime, by: Actor, view: str = AS_WAS
) -> bytes:
    """The term report as a workbook, one sheet a table; its leaving is logged."""
    today = local_day(now)
    whole = report(first_on, last_on, today=today, by=by, view=view, forms=FORMS)
    summary = summary_table(whole.period, today=today, by=by)
    record_export(first_on, last_on, "xlsx", now=now, by=by)
    mark = audit.watermark(by, now)
    return tables_workbook((summary, *whole.tables), exported_note(whole.period, view), mark)


def exported_note(period: Period, view: str) -> tuple[str, ...]:
    """What stands above every exported table: its days and its view of units."""
    return (f"Từ {period.first_on:%d/%m/%Y} đến {period.last_on:%d/%m/%Y}. {VIEW_NOTES[view]}",)


def tables_workbook(tables: Iterable[ReportTable], notes: tuple[str, ...], watermark: str) -> bytes:
    """These tables as a workbook: real numbers, dates and percentages, no formula anywhere."""
    return workbook(_sheets(list(tables), notes), watermark=watermark)


def name_of_lines(table: ReportTable) -> str:
    """The head of the column that names a table's lines."""
    if table.key.startswith("households:"):
        return N_("Khối phố, thôn")
    if table.key.startswith(("study_days:", "household_days:")):
        return N_("Ngày")
    return NAME_OF_LINES.get(table.key, N_("Đơn vị"))


def heading(table: ReportTable) -> str:
    """Biểu 1. Kết quả học tập, quán triệt: Nghị quyết …"""
    title = f"{table.title}: {table.subject}" if table.subject else table.title
    return f"Biểu {table.number}. {title}" if table.number else title


def _sheets(tables: list[ReportTable], notes: tuple[str, ...]) -> list[Table]:
    taken: set[str] = set()
    return [
        Table(
            name=_sheet_name(table, taken),
            title=heading(table),
            notes=(*notes, *([table.note] if table.note else ())),
            header=("STT", name_of_lines(table), *(column.label for column in table.columns)),
            rows=[_row(table, line, place) for place, line in enumerate(table.lines, start=1)],
            total=_row(table, table.total, None) if table.has_total else None,
            after=[_row(table, line, None) for line in table.footers],
        )
        for table in tables
    ]


def _row(table: ReportTable, line: Line, place: int | None) -> tuple[Cell, ...]:
    return (place, line.name, *(cell(column, line) for column in table.columns))


def _sheet_name(table: ReportTable, taken: set[str]) -> str:
    """Unique within a workbook, whatever the letter case, and at most 31 letters."""
    base = f"{table.number} {table.subject or table.title}".strip()[:31]
    name, number = base, 1
    while name.lower() in taken:
        number += 1
        name = f"{base[:27]} ({number})"
    taken.add(name.lower())
    return name


def record_export(
    first_on: date,
    last_on: date,
    form: str,
    *,
    now: datetime,
    by: Actor,
    template: int | None = None,
) -> None:
    """Log that a report left the program, in which form, and in which version of a template."""
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="exported",
            entity="report",
            entity_id="term",
            first_on=first_on,
            last_on=last_on,
            form=form,
            template=template,
        )
