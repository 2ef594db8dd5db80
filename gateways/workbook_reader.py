"""Reads one sheet of a workbook in a child process that may not take much memory or time.

Run as `python -m gateways.workbook_reader FILE KIND [SHEET]`; answers in JSON lines: what was
found, then one line a row. A hostile file can at worst end this process.
"""

import datetime as dt
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

import python_calamine as calamine

from gateways.children import limit_this_process
from gateways.workbook_csv import MAX_CELL_LETTERS, read_csv
from gateways.workbook_parts import ods_formulas_and_merged, xlsx_formulas
from gateways.workbook_safety import BROKEN, ENCRYPTED, TOO_LARGE, Format, checked_format
from gateways.workbook_xls import xls_formulas
from rules.refusals import N_, Malformed, Refusal
from rules.roster_columns import Kind, Sheet, find_layout

MAX_MEMORY_BYTES = 512 * 1024 * 1024
MAX_CPU_SECONDS = 20
MAX_ROWS = 120_000
MAX_COLUMNS = 60

NO_SHEET = N_("Không có trang tính “%(sheet)s”. Các trang trong tệp: %(sheets)s.")
NOTHING = N_("Tệp không có dữ liệu. Hãy chọn tệp có danh sách.")
TOO_MANY_ROWS = N_(
    "Trang “%(sheet)s” dài %(rows)s dòng, quá %(most)s dòng. "
    "Hãy xoá các dòng trống bên dưới danh sách hoặc chia nhỏ tệp."
)
TOO_MANY_COLUMNS = N_(
    "Trang “%(sheet)s” rộng %(columns)s cột, quá %(most)s cột. "
    "Hãy xoá các ô ở xa bên phải danh sách."
)
LONG_CELL = N_("Ô ở dòng %(row)s chứa quá nhiều chữ. Hãy xoá nội dung ô đó.")

Row = list[Any]
# What the readers of zip, XML and the formats themselves raise at a damaged file.
UNREADABLE = (
    calamine.CalamineError,
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    SyntaxError,
    NotImplementedError,  # raised by zipfile for a compression it does not know
    OSError,
    LookupError,
    ValueError,
)


def main(arguments: list[str]) -> int:
    """Limit this process, read, print. Refusals are answers too, so the exit code is 0."""
    limit_this_process(MAX_MEMORY_BYTES, MAX_CPU_SECONDS)
    path, kind = Path(arguments[0]), arguments[1]
    wanted = arguments[2] if len(arguments) > 2 else None
    try:
        for line in _answer(path, "households" if kind == "households" else "members", wanted):
            sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    except Refusal as refusal:
        _refuse(refusal.sentence, refusal.params)
    except MemoryError:
        _refuse(TOO_LARGE, {})
    return 0


def _refuse(sentence: str, params: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"refused": sentence, "params": params}) + "\n")


def _answer(path: Path, kind: Kind, wanted: str | None) -> Iterator[object]:
    form = checked_format(path)
    if form == "csv":
        rows = read_csv(path)
        if not rows:
            raise Malformed(NOTHING)
        _refuse_size("CSV", len(rows), max(len(row) for row in rows))
        yield {"format": form, "sheet": "CSV", "sheets": [], "merged": [], "formulas": []}
        yield from rows
        return
    try:
        yield from _workbook(path, form, kind, wanted)
    except calamine.PasswordError as error:
        raise Malformed(ENCRYPTED) from error
    except UNREADABLE as error:
        raise Malformed(BROKEN) from error


def _workbook(path: Path, form: Format, kind: Kind, wanted: str | None) -> Iterator[object]:
    workbook = calamine.load_workbook(str(path))
    names = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet
        and (sheet.visible == calamine.SheetVisibleEnum.Visible or sheet.name == wanted)
    ]
    if not names:
        raise Malformed(NOTHING)
    if wanted is not None and wanted not in names:
        raise Malformed(NO_SHEET, sheet=wanted, sheets=", ".join(names[:20]))
    name, rows, merged = _chosen(workbook, names, kind, wanted)
    formulas: list[tuple[int, int]] = []
    if form == "xlsx":
        formulas = xlsx_formulas(path, name)
    elif form == "ods":
        formulas, merged = ods_formulas_and_merged(path, name)
    elif form == "xls":
        formulas = xls_formulas(path.read_bytes(), name)
    yield {
        "format": form,
        "sheet": name,
        "sheets": [other for other in names if other != name],
        "merged": merged,
        "formulas": formulas,
    }
    for index, row in enumerate(rows):
        yield _plain(row, index)


def _chosen(
    workbook: calamine.CalamineWorkbook, names: list[str], kind: Kind, wanted: str | None
) -> tuple[str, list[Row], list[Any]]:
    """The wanted sheet; else the first whose header is understood; else the first with rows."""
    fallback: tuple[str, list[Row], list[Any]] | None = None
    refused: Refusal | None = None
    for name in [wanted] if wanted else names[:40]:
        try:
            rows, merged = _rows(workbook, name)
        except Refusal as refusal:
            refused = refused or refusal
            continue
        if not rows:
            continue
        if wanted or _understood(rows, merged, kind):
            return name, rows, merged
        fallback = fallback or (name, rows, merged)
    if fallback is None:
        raise refused or Malformed(NOTHING)
    return fallback


def _understood(rows: list[Row], merged: list[Any], kind: Kind) -> bool:
    head = [[_value(cell, 0, decode=True) for cell in row] for row in rows[:120]]
    try:
        find_layout(Sheet("", head, merged), kind)
    except Refusal:
        return False
    return True


def _rows(workbook: calamine.CalamineWorkbook, name: str) -> tuple[list[Row], list[Any]]:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.start is None or sheet.end is None:
        return [], []
    _refuse_size(name, sheet.end[0] + 1, sheet.end[1] + 1)
    rows: list[Row] = sheet.to_python(skip_empty_area=False)
    while rows and not any(cell not in ("", None) for cell in rows[-1]):
        rows.pop()
    return rows, list(sheet.merged_cell_ranges or [])


def _refuse_size(name: str, rows: int, columns: int) -> None:
    if rows > MAX_ROWS:
        raise Malformed(TOO_MANY_ROWS, sheet=name, rows=rows, most=MAX_ROWS)
    if columns > MAX_COLUMNS:
        raise Malformed(TOO_MANY_COLUMNS, sheet=name, columns=columns, most=MAX_COLUMNS)


def _plain(row: Row, index: int) -> Row:
    return [_value(cell, index) for cell in row]


def _value(cell: Any, index: int, *, decode: bool = False) -> Any:
    """A cell as JSON knows it; dates as {"d": "yyyy-mm-dd"}, times of day as text."""
    if cell == "" or cell is None:
        return None
    if isinstance(cell, str):
        if len(cell) > MAX_CELL_LETTERS:
            raise Malformed(LONG_CELL, row=index + 1)
        return cell
    if isinstance(cell, dt.datetime):
        cell = cell.date()
    if isinstance(cell, dt.date):
        return cell if decode else {"d": cell.isoformat()}
    if isinstance(cell, dt.time | dt.timedelta):
        return str(cell)
    return cell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
