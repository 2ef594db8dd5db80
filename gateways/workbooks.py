"""Rosters read from workbooks of unknown origin, and given back with their errors."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import IO, Any, TypeVar

import xlsxwriter  # type: ignore[import-untyped]  # has no types

from gateways.children import Endings, in_child
from gateways.workbook_csv import decoded, separator_of
from gateways.workbook_safety import BROKEN, TOO_LARGE
from rules.refusals import N_, Malformed
from rules.roster_cells import Cell
from rules.roster_columns import Kind, Layout, Sheet

T = TypeVar("T")

_WALL_SECONDS = 60
# Above this many rows the original look is not worth the memory: the copy holds values only.
KEEPS_ITS_LOOK_UP_TO_ROWS = 20_000

ERROR_COLUMN = N_("Lỗi cần sửa")
STOPPED = N_(
    "Đọc tệp quá lâu nên đã dừng. Hãy chép riêng danh sách sang một tệp Excel mới rồi thử lại."
)
_ENDINGS = Endings(STOPPED, TOO_LARGE, BROKEN)


def read_workbook(path: Path, kind: Kind, sheet: str | None = None) -> Sheet:
    """One sheet as plain values, read in a child process with 512 MiB and 20 s of CPU.

    `sheet` names it; otherwise the first sheet whose header is understood. Raises `Malformed`
    with a sentence for the user, within seconds, whatever the file.
    """
    arguments = [str(path), kind] + ([sheet] if sheet else [])
    return _in_child("gateways.workbook_reader", arguments, _sheet_of, b"")


def _in_child(
    module: str, arguments: list[str], take: Callable[[IO[bytes]], T | None], job: bytes
) -> T:
    return in_child(module, arguments, take, job, seconds=_WALL_SECONDS, endings=_ENDINGS)


def _sheet_of(lines: IO[bytes]) -> Sheet | None:
    first = lines.readline()
    if not first:
        return None
    found = json.loads(first)
    _raise_refusal(found)
    rows = list(_rows(lines))
    return Sheet(
        found["sheet"],
        rows,
        tuple(((a, b), (c, d)) for (a, b), (c, d) in found["merged"]),
        frozenset((row, column) for row, column in found["formulas"]),
        tuple(found["sheets"]),
        found["format"],
    )


def _raise_refusal(found: Any) -> None:
    if isinstance(found, dict) and "refused" in found:
        raise Malformed(found["refused"], **found["params"])


def _rows(lines: IO[bytes]) -> Iterator[list[Cell]]:
    texts: dict[str, str] = {}
    for line in lines:
        row = json.loads(line)
        _raise_refusal(row)
        cells: list[Cell] = [_cell(cell, texts) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        yield cells


def _cell(cell: Any, texts: dict[str, str]) -> Cell:
    if isinstance(cell, str):
        return texts.setdefault(cell, cell)
    if isinstance(cell, dict):
        return date.fromisoformat(cell["d"])
    return cell if isinstance(cell, int | float | bool) else None


def error_copy_path(path: Path, sheet: Sheet) -> Path:
    """Where the copy with errors is written: beside the file, with “-loi” in its name."""
    suffix = ".csv" if sheet.format == "csv" else ".xlsx"
    return path.with_name(f"{path.stem}-loi{suffix}")


def write_error_copy(
    path: Path,
    sheet: Sheet,
    layout: Layout | None,
    errors: Mapping[int, str],
    target: Path,
    faulty: tuple[tuple[int, int], ...] = (),
) -> None:
    """The same workbook with an error column; `errors` by row, counted from 1.

    An .xlsx keeps its look; .xls and .ods come back as .xlsx, .csv as .csv (UTF-8 with mark).
    Nothing in the copy is a formula. `faulty` are the cells to be coloured, from 0.
    """
    header_row = layout.header_row if layout else 0
    if sheet.format == "csv":
        _write_csv(path, sheet, header_row, errors, target)
        return
    if sheet.format == "xlsx" and len(sheet.rows) <= KEEPS_ITS_LOOK_UP_TO_ROWS:
        job = {
            "sheet": sheet.name,
            "header_row": header_row,
            "column": _error_column(sheet, header_row),
            "title": ERROR_COLUMN,
            "errors": {str(row): text for row, text in errors.items()},
            "faulty": list(faulty),
        }
        try:
            _in_child(
                "gateways.workbook_marker",
                [str(path), str(target)],
                _done,
                json.dumps(job).encode(),
            )
            return
        except Malformed:
            target.unlink(missing_ok=True)
    _write_values(sheet, header_row, errors, target, frozenset(faulty))


def _done(lines: IO[bytes]) -> bool | None:
    return True if lines.read() == b"done\n" else None


def _error_column(sheet: Sheet, header_row: int) -> int:
    """The column after the last one used, or the error column of an earlier round."""
    header = sheet.rows[header_row] if header_row < len(sheet.rows) else []
    for index, cell in enumerate(header):
        if cell == ERROR_COLUMN:
            return index
    return max((len(row) for row in sheet.rows), default=0)


def _write_csv(
    path: Path, sheet: Sheet, header_row: int, errors: Mapping[int, str], target: Path
) -> None:
    column = _error_column(sheet, header_row)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator_of(decoded(path.read_bytes())))
    for index, row in enumerate(sheet.rows):
        cells = ["" if cell is None else harmless(str(cell)) for cell in row]
        said = ERROR_COLUMN if index == header_row else errors.get(index + 1, "")
        if said or column < len(cells):
            cells += [""] * (column + 1 - len(cells))
            cells[column] = said
        writer.writerow(cells)
    target.write_text(out.getvalue(), encoding="utf-8-sig", newline="")


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula when it opens a CSV file."""
    risky = text[:1] in {"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"}
    if risky and not text[1:].replace(" ", "").replace(".", "").replace("-", "").isdigit():
        return "'" + text
    return text


def _write_values(
    sheet: Sheet,
    header_row: int,
    errors: Mapping[int, str],
    target: Path,
    faulty: frozenset[tuple[int, int]],
) -> None:
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    column = _error_column(sheet, header_row)
    with xlsxwriter.Workbook(str(target), options) as book:
        page = book.add_worksheet(sheet.name[:31] or "Sheet1")
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        bad = book.add_format({"font_color": "#b00020", "text_wrap": True})
        marked = book.add_format({"bg_color": "#ffe9a8"})
        page.set_column(column, column, 60)
        for index, row in enumerate(sheet.rows):
            for place, cell in enumerate(row):
                style = marked if (index, place) in faulty else None
                _write_cell(page, index, place, cell, style or (day if _is_day(cell) else None))
            said = ERROR_COLUMN if index == header_row else errors.get(index + 1)
            if said:
                page.write_string(index, column, said, bad)


def _is_day(cell: Cell) -> bool:
    return isinstance(cell, date)


def _write_cell(page: Any, row: int, column: int, cell: Cell, style: Any) -> None:
    if isinstance(cell, str):
        page.write_string(row, column, cell, style)
    elif isinstance(cell, bool):
        page.write_boolean(row, column, cell, style)
    elif isinstance(cell, int | float):
        page.write_number(row, column, cell, style)
    elif isinstance(cell, date):
        page.write_datetime(row, column, cell, style)
