"""Writes a workbook's errors beside its rows, in a child process with limited memory and time.

Run as `python -m gateways.workbook_marker FILE TARGET` with the errors as JSON on standard input.
"""

import json
import sys
from typing import Any

import openpyxl
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from gateways.children import limit_this_process

_MAX_MEMORY_BYTES = 1024 * 1024 * 1024
_MAX_CPU_SECONDS = 50
_RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")


def main(arguments: list[str]) -> int:
    """Mark the errors and print “done”; anything else ends the process and writes nothing."""
    limit_this_process(_MAX_MEMORY_BYTES, _MAX_CPU_SECONDS)
    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("openpyxl must read XML through defusedxml")
    job = json.load(sys.stdin)
    # Saved values instead of formulas: the copy holds nothing that calculates.
    book = openpyxl.load_workbook(arguments[0], data_only=True, keep_links=False)
    page = book[job["sheet"]]
    if not isinstance(page, Worksheet):
        raise TypeError("not a worksheet")
    _mark(page, job)
    book.active = book.index(page)
    book.save(arguments[1])
    sys.stdout.write("done\n")
    return 0


def _mark(page: Worksheet, job: dict[str, Any]) -> None:
    for row in page.iter_rows():
        for cell in row:
            if isinstance(cell.value, str) and cell.value.startswith(_RISKY_STARTS):
                cell.data_type = "s"
                cell.quotePrefix = True
    column = int(job["column"]) + 1
    header = page.cell(int(job["header_row"]) + 1, column)
    header.value = job["title"]
    header.font = Font(bold=True, color="B00020")
    page.column_dimensions[get_column_letter(column)].width = 60
    for row_number, text in job["errors"].items():
        cell = page.cell(int(row_number), column)
        cell.value = text
        cell.data_type = "s"
        cell.font = Font(color="B00020")
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    for row_index, column_index in job["faulty"]:
        page.cell(row_index + 1, column_index + 1).fill = PatternFill("solid", fgColor="FFE9A8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
