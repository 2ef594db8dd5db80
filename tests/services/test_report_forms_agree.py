"""The same figure on screen, in the workbook, in the document and as JSON: each form is read back
with another library than wrote it, and every cell of every table is compared."""

import io
import zipfile
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook

from rules.permissions import SYSTEM
from services import report_documents, report_files
from services.report_places import VIEWS
from tests import world
from tests.services.test_report_tables import FIRST, LAST, city

__all__ = ["city"]
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
Rows = list[list[str]]


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def told(city: world.World, view: str) -> list[dict[str, Any]]:
    """The report's tables that have lines, as JSON."""
    whole: Any = report_files.term_json(FIRST, LAST, now=world.NOW, by=SYSTEM, view=view)
    tables = [table for table in whole["tables"] if table["rows"]]
    assert len({table["key"].partition(":")[0] for table in tables}) >= 7, (
        "the summary and six forms"
    )
    return tables


def lines(table: dict[str, Any]) -> list[dict[str, Any]]:
    total = [table["total"]] if table["total"] else []
    return [*table["rows"], *total, *table["compared"]]


def as_read(table: dict[str, Any]) -> Rows:
    """A table's lines as somebody reads them: the name, then each column."""
    return [
        [line["name"], *(text_of(line, column) for column in table["columns"])]
        for line in lines(table)
    ]


def text_of(line: dict[str, Any], column: dict[str, str]) -> str:
    value = line[column["key"]]
    if value is None or value == "":
        return "–"
    if column["kind"] == "ratio":
        return percent_of(value)
    if column["kind"] == "day":
        return f"{date.fromisoformat(value):%d/%m/%Y}"
    return f"{value:,}".replace(",", ".") if isinstance(value, int) else str(value)


def percent_of(ratio: dict[str, Any]) -> str:
    """n over d, cut to one decimal, by whole numbers alone."""
    if not ratio["d"]:
        return "chưa có đối tượng"
    tenths = ratio["n"] * 1000 // ratio["d"]
    return f"{tenths // 10},{tenths % 10}%"


def test_the_screen_says_what_the_json_says(
    client: FlaskClient, city: world.World, view: str, told: list[dict[str, Any]]
) -> None:
    world.signed_in(client, city.accounts["quan"])
    page = client.get(f"/reports/print?from={FIRST}&to={LAST}&view={view}").text
    reader = Page()
    reader.feed(page)
    assert reader.tables == [as_read(table) for table in told]


class Page(HTMLParser):
    """The body and foot of every report table of a page, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Rows] = []
        self._inside = self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if tag == "table" and "report-table" in classes:
            self.tables.append([])
        elif tag in ("tbody", "tfoot"):
            self._inside = True
        elif tag == "tr" and self._inside:
            self.tables[-1].append([])
        elif tag in ("th", "td") and self._inside:
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif "cell-note" in classes:
            self._in_cell = False  # the page's own warning, which is no figure

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tbody", "tfoot"):
            self._inside = False
        elif tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data


def test_the_document_says_what_the_json_says(view: str, told: list[dict[str, Any]]) -> None:
    content = report_documents.term_document(FIRST, LAST, now=world.NOW, by=SYSTEM, view=view)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        root = fromstring(package.read("word/document.xml"))
    grids = [
        [
            ["".join(part.text or "" for part in one.iter(f"{W}t")) for one in row.iter(f"{W}tc")]
            for row in grid.iter(f"{W}tr")
        ]
        for grid in root.iter(f"{W}tbl")
    ]
    found = [[row[1:] for row in grid[1:]] for grid in grids if grid[0][0] == "STT"]
    assert found == [as_read(table) for table in told]


def test_the_workbook_says_what_the_json_says(view: str, told: list[dict[str, Any]]) -> None:
    content = report_files.term_workbook(FIRST, LAST, now=world.NOW, by=SYSTEM, view=view)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    found = [filled for rows in sheets if (filled := below_the_head(rows))]
    assert len(found) == len(told)
    for table, rows in zip(told, found, strict=True):
        for line, row in zip(lines(table), rows, strict=False):
            assert row[1] == line["name"]
            for column, value in zip(table["columns"], row[2:], strict=False):
                assert same(value, line[column["key"]], column["kind"]), (
                    table["key"],
                    line,
                    column,
                )


def below_the_head(rows: list[list[Any]]) -> list[list[Any]]:
    at = next(place for place, row in enumerate(rows) if row and row[0] == "STT")
    numbered = [row for row in rows[at + 1 :] if any(one != "" for one in row)]
    return numbered if numbered and numbered[0][0] == 1 else []


def same(value: Any, meant: Any, kind: str) -> bool:
    """Whether a workbook's cell is the number, the day or the share that the JSON has."""
    if meant is None or meant == "":
        return value in ("", "–")
    if kind == "ratio":
        if not meant["d"]:
            return bool(value == "chưa có đối tượng")
        return bool(round(value * 1000) == meant["n"] * 1000 // meant["d"])
    return bool(value == date.fromisoformat(meant) if kind == "day" else value == meant)
