"""`flask roster`: a roster workbook checked and imported from the command line."""

import sys
from datetime import datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.permissions import SYSTEM
from services import roster

group = AppGroup("roster", help="Rosters of members and households.")

SHOWN = 50


@group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--unit", "unit_code", help="Only this unit and those below it.")
@click.option("--kind", type=click.Choice(["members", "households"]), default="members")
@click.option("--dry-run", is_flag=True, help="Check and count; write nothing.")
@click.option("--effective", type=click.DateTime(["%Y-%m-%d"]), help="From which day; today.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@refusing
def import_roster(
    file: Path,
    unit_code: str | None,
    kind: str,
    dry_run: bool,
    effective: datetime | None,
    as_json: bool,
) -> None:
    """Import FILE (.xlsx, .xls, .ods, .csv): every row is checked first, then all is written.

    With any error nothing is written and a copy of FILE with an error column is put beside it.
    People who are not in the file are counted, never deleted: without --unit, those of the
    grassroots organisations that the file speaks of.
    """
    click.echo("Đang đọc và kiểm tra tệp…", err=True)
    report = roster.import_file(
        file,
        kind="households" if kind == "households" else "members",
        unit_code=unit_code,
        dry_run=dry_run,
        effective_on=effective.date() if effective else None,
        now=now(),
        by=SYSTEM,
    )
    if as_json:
        print_json(_as_json(report))
    else:
        _print_counts(report)
    _tell(report, dry_run=dry_run)
    if report.errors:
        sys.exit(1)


def _as_json(report: roster.Report) -> dict[str, object]:
    return {
        **report.counts,
        "errors": [
            {"row": error.row, "column": error.column, "message": error.said.text}
            for error in report.errors
        ],
        "notes": [{"row": note.row, "message": note.said.text} for note in report.notes],
        "namesakes": [{"row": note.row, "message": note.said.text} for note in report.namesakes],
        "skipped_rows": [{"row": note.row, "message": note.said.text} for note in report.skipped],
        "columns_not_imported": list(report.not_imported),
        "missing": [
            {"code": code, "name": name, "unit": unit} for code, name, unit in report.missing
        ],
        "error_copy": str(report.error_copy) if report.error_copy else None,
        "written": report.written,
    }


def _print_counts(report: roster.Report) -> None:
    labels = {
        "rows": "Số dòng",
        "new": "Thêm mới",
        "changed": "Thay đổi",
        "unchanged": "Giữ nguyên",
        "missing_from_file": "Không có trong tệp",
        "errors": "Lỗi",
    }
    for key, label in labels.items():
        click.echo(f"{label}: {report.counts[key]}")


def _tell(report: roster.Report, *, dry_run: bool) -> None:
    for error in report.errors[:SHOWN]:
        column = f", cột {error.column}" if error.column else ""
        click.echo(f"Dòng {error.row}{column}: {error.said.text}", err=True)
    if len(report.errors) > SHOWN:
        click.echo(f"… và {len(report.errors) - SHOWN} lỗi nữa.", err=True)
    for note in report.namesakes[:SHOWN]:
        click.echo(f"Trùng họ tên, dòng {note.row}: {note.said.text}", err=True)
    if report.error_copy:
        click.echo(f"Tệp có cột lỗi: {report.error_copy}", err=True)
    if report.not_imported:
        columns = ", ".join(report.not_imported)
        click.echo(f"Cột không nhập (dữ liệu không cần): {columns}", err=True)
    if report.errors:
        click.echo("Chưa có gì được ghi. Hãy sửa các dòng lỗi rồi nhập lại.", err=True)
    elif dry_run:
        click.echo("Chạy thử: chưa có gì được ghi.", err=True)
