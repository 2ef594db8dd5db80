"""What the table reader does not show of a workbook: formulas, and merged cells of ODS."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias
from xml.parsers import expat

from defusedxml import ElementTree

_CELL_WITH_FORMULA = re.compile(
    rb"<(?:\w+:)?c\s(?:[^>]*?\s)?r=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*>\s*<(?:\w+:)?f[\s/>]"
)
_MAX_FOUND = 300_000
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Place: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[Place, Place]


def xlsx_formulas(path: Path, sheet: str) -> list[Place]:
    """Where formulas stand in the sheet, as (row, column) from 0."""
    with zipfile.ZipFile(path) as archive:
        part = _part_of_sheet(archive, sheet)
        if part is None:
            return []
        content = archive.read(part)
    return [place for place, _ in zip(_formula_places(content), range(_MAX_FOUND), strict=False)]


def _formula_places(content: bytes) -> Iterator[Place]:
    if b"<f" not in content and b":f" not in content:
        return
    for found in _CELL_WITH_FORMULA.finditer(content):
        yield int(found[2]) - 1, column_index(found[1].decode())


def column_index(letters: str) -> int:
    """A is 0, Z is 25, AA is 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def column_letters(index: int) -> str:
    """0 is A, 26 is AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _part_of_sheet(archive: zipfile.ZipFile, sheet: str) -> str | None:
    workbook = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    relation = next(
        (
            element.get(_RELATION)
            for element in workbook.iter()
            if element.tag.endswith("}sheet") and element.get("name") == sheet
        ),
        None,
    )
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    for element in relations:
        if element.get("Id") == relation:
            target = element.get("Target", "").lstrip("/")
            path = target if target.startswith("xl/") else f"xl/{target}"
            return path if path in archive.namelist() else None
    return None


class _OdsScan:
    """Counts through the rows and cells of one table, repeated ones without unrolling them."""

    def __init__(self, sheet: str) -> None:
        self.sheet = sheet
        self.here = False
        self.row = self.column = 0
        self.row_repeats = 1
        self.formulas: list[Place] = []
        self.merged: list[Range] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            self.here = attributes.get("table:name") == self.sheet
            self.row = 0
        elif not self.here:
            return
        elif tag == "table:table-row":
            self.column = 0
            self.row_repeats = int(attributes.get("table:number-rows-repeated", "1"))
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            self._cell(attributes)

    def _cell(self, attributes: dict[str, str]) -> None:
        if "table:formula" in attributes and len(self.formulas) < _MAX_FOUND:
            self.formulas.append((self.row, self.column))
        down = int(attributes.get("table:number-rows-spanned", "1"))
        right = int(attributes.get("table:number-columns-spanned", "1"))
        if (down > 1 or right > 1) and len(self.merged) < _MAX_FOUND:
            end = (self.row + down - 1, self.column + right - 1)
            self.merged.append(((self.row, self.column), end))
        self.column += int(attributes.get("table:number-columns-repeated", "1"))

    def end(self, tag: str) -> None:
        if tag == "table:table-row" and self.here:
            self.row += self.row_repeats


def ods_formulas_and_merged(path: Path, sheet: str) -> tuple[list[Place], list[Range]]:
    """Formulas and merged ranges of one table of an OpenDocument file."""
    scan = _OdsScan(sheet)
    parser = expat.ParserCreate()
    parser.StartElementHandler = scan.start
    parser.EndElementHandler = scan.end
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as content:
        parser.ParseFile(content)
    return scan.formulas, scan.merged
