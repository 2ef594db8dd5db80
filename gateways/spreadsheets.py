"""Writes workbooks that open as they should: real numbers and dates, and no text ever a formula."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # has no types

from rules.coverage import Figure, percent_text

Cell = str | int | date | Figure | None
OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
SHEET_LETTERS = 31
LINE_POINTS = 15.5
NARROWEST, WIDEST = 5, 34
"""In letters: a sheet is printed one page wide, so every column takes from the size of the print."""
FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))


@dataclass(frozen=True)
class Table:
    """One sheet: its title lines, its header, its rows, a row of totals if any, and what follows it.

    Texts stay texts, whatever they begin with; ints and dates become numbers and dates, a figure
    its percentage, cut to one decimal (0/0 is said in words).
    """

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)
    total: Sequence[Cell] | None = None
    after: Sequence[Sequence[Cell]] = field(default_factory=tuple)


def workbook(tables: Iterable[Table], *, watermark: str = "") -> bytes:
    """The .xlsx file of these sheets, ready to print: A4 across, one page wide, header repeated.

    The watermark stands under each sheet's title and at the foot of every printed page.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, OPTIONS) as book:
        for number, table in enumerate(tables, start=1):
            if watermark:
                table = replace(table, notes=(*table.notes, watermark))
            page = _write_sheet(book, table, number)
            # An ampersand begins a code in footers; doubled it is a letter.
            page.set_footer("&L" + watermark.replace("&", "&&")[:180] + "&C&P/&N")
    return out.getvalue()


def _write_sheet(book: Any, table: Table, number: int) -> Any:
    name = table.name.translate(FORBIDDEN).strip("' ")[:SHEET_LETTERS] or f"Sheet{number}"
    page = book.add_worksheet(name)
    last_column = max(len(table.header) - 1, 0)
    page.write_string(0, 0, table.title, book.add_format({"bold": True, "font_size": 14}))
    quiet = book.add_format({"italic": True})
    for place, note in enumerate(table.notes, start=1):
        page.write_string(place, 0, note, quiet)
    head_row = len(table.notes) + 2
    head = book.add_format(
        {"bold": True, "border": 1, "text_wrap": True, "valign": "vcenter", "bg_color": "#E8EBF0"}
    )
    widths = [_width(table, column) for column in range(len(table.header))]
    lines = [_lines(label, width) for label, width in zip(table.header, widths, strict=True)]
    page.set_row(head_row, LINE_POINTS * max(lines, default=1))
    for column, label in enumerate(table.header):
        page.write_string(head_row, column, label, head)
    styles = _Styles(book, bold=False)
    for place, row in enumerate(table.rows, start=head_row + 1):
        _write_row(page, place, row, styles, widths)
    last_row = head_row + len(table.rows)
    if table.total is not None:
        last_row += 1
        _write_row(page, last_row, table.total, _Styles(book, bold=True), widths)
    for row in table.after:
        last_row += 1
        _write_row(page, last_row, row, styles, widths)
    for column, width in enumerate(widths):
        page.set_column(column, column, width)
    _set_up_page(page, head_row, last_row, last_column)
    return page


class _Styles:
    """The formats of one kind of row."""

    def __init__(self, book: Any, *, bold: bool) -> None:
        common = {"border": 1, "bold": bold, "valign": "top"}
        self.text = book.add_format({**common, "text_wrap": True, "indent": 1})
        self.number = book.add_format({**common, "num_format": "#,##0"})
        self.day = book.add_format({**common, "num_format": "dd/mm/yyyy"})
        self.percent = book.add_format({**common, "num_format": "0.0%"})


def _write_row(
    page: Any, place: int, row: Sequence[Cell], styles: _Styles, widths: Sequence[int]
) -> None:
    pairs = zip(row, widths, strict=False)
    lines = max((_lines(cell, width) for cell, width in pairs if isinstance(cell, str)), default=1)
    if lines > 1:
        page.set_row(place, LINE_POINTS * lines)
    for column, cell in enumerate(row):
        if cell is None:
            page.write_blank(place, column, None, styles.text)
        elif isinstance(cell, Figure):
            _write_figure(page, place, column, cell, styles)
        elif isinstance(cell, datetime):
            raise TypeError("a sheet shows days; turn an instant into its local day first")
        elif isinstance(cell, date):
            page.write_datetime(place, column, cell, styles.day)
        elif isinstance(cell, int):
            page.write_number(place, column, cell, styles.number)
        else:
            page.write_string(place, column, cell, styles.text)


def _write_figure(page: Any, place: int, column: int, figure: Figure, styles: _Styles) -> None:
    if figure.percent is None:
        page.write_string(place, column, percent_text(figure), styles.text)
    else:
        tenths = figure.covered * 1000 // figure.eligible
        page.write_number(place, column, tenths / 1000, styles.percent)


def _width(table: Table, column: int) -> int:
    texts = [*table.header[column].split(), *(_shown(row, column) for row in table.rows)]
    return min(max(NARROWEST, *(len(text) for text in texts)) + 2, WIDEST)


def _lines(label: str, width: int) -> int:
    """The lines that a text takes in a column so many letters wide; not every program counts them
    by itself."""
    lines, left = 1, width - 1
    for word in label.split():
        if len(word) > left:
            lines, left = lines + 1, width - 1
        left -= len(word) + 1
    return lines


def _shown(row: Sequence[Cell], column: int) -> str:
    cell = row[column] if column < len(row) else None
    if isinstance(cell, date):
        return "dd/mm/yyyy"
    if isinstance(cell, Figure):
        return percent_text(cell)
    return "" if cell is None else str(cell)


def _set_up_page(page: Any, head_row: int, last_row: int, last_column: int) -> None:
    page.set_landscape()
    page.set_paper(9)
    page.set_margins(left=0.6, right=0.4, top=0.6, bottom=0.6)
    page.fit_to_pages(1, 0)
    page.repeat_rows(head_row)
    page.freeze_panes(head_row + 1, 0)
    page.print_area(0, 0, last_row, last_column)
