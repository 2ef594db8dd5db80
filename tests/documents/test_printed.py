"""Every file that the program gives as LibreOffice prints it: A4, Vietnamese whole, heads repeated."""

import inspect
import io
import re
import shutil
import subprocess
import unicodedata
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import select

from gateways.document_templates import filled
from gateways.documents import Letterhead
from models import Account, RoleGrant, db
from rules.document_templates import KINDS
from services.demo import load_demo
from services.document_samples import sample_papers, starter
from tests.clients.programs import needs
from tests.documents.produced import ENDPOINTS, error_copy, prepared_city, produced
from tests.world import signed_in

pytestmark = [pytest.mark.full, pytest.mark.backends("sqlite")]
SCALE = "city"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
A4 = {(595, 842), (842, 595)}
TURNS_SECONDS = 900
FIELD = re.compile(r"[a-z_]+\.[a-z_]+")
"""A starter's names of columns are broken by the narrow columns that hold them, and are no words."""
LEAST_MARKED_WORDS = 40


@dataclass(frozen=True)
class Table:
    """A printed table: the words of its repeated head, and its rows' texts without white space."""

    head: frozenset[str]
    rows: frozenset[str]


def packed(text: str) -> str:
    """Without white space, and with letters as one sign each: a line may be broken anywhere."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def words(text: str) -> set[str]:
    return set(unicodedata.normalize("NFKC", text).split())


def pages_of(pdf: Path) -> list[str]:
    said = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, check=True)
    return said.stdout.decode().split("\f")[:-1]


def sizes_of(pdf: Path) -> set[tuple[int, int]]:
    said = subprocess.run(["pdfinfo", "-l", "9999", str(pdf)], capture_output=True, check=True)
    found = re.findall(r"Page.*size:\s+([\d.]+) x ([\d.]+)", said.stdout.decode())
    return {(round(float(width)), round(float(height))) for width, height in found}


def printed_by_libreoffice(files: dict[str, bytes], folder: Path) -> dict[str, Path]:
    """The files as PDF, in one run of the program with a profile of its own."""
    for name, content in files.items():
        # Two kinds of file may share a name, and the PDF takes only the first part of it.
        (folder / name.replace(".", "-", 1)).with_suffix(Path(name).suffix).write_bytes(content)
    sources = sorted(folder.glob("*.docx")) + sorted(folder.glob("*.xlsx"))
    subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            str(folder),
            *map(str, sources),
        ],
        capture_output=True,
        timeout=TURNS_SECONDS,
        check=True,
    )
    return {name: folder / f"{name.replace('.', '-', 1)}.pdf" for name in files}


@pytest.fixture(scope="module")
def programs() -> None:
    for name in ("soffice", "pdftotext", "pdfinfo"):
        needs(shutil.which(name), name)


@pytest.fixture
def files(app: Flask, tmp_path: Path) -> dict[str, bytes]:
    now = datetime.now(UTC)
    with app.app_context():
        load_demo(scale=SCALE, seed=2015, now=now, progress=lambda text, percent: None)
        city = prepared_city(now)
        admin = db.session.scalars(
            select(Account)
            .join(RoleGrant, RoleGrant.account_id == Account.id)
            .where(RoleGrant.role == "admin")
        ).first()
        assert admin is not None
        client = signed_in(app.test_client(), admin)
        db.session.rollback()
        found = dict(produced(client, city, now))
        db.session.remove()
    return found | {"errors.xlsx": error_copy(tmp_path)}


def test_every_file_prints_on_a4_with_its_vietnamese_and_its_heads(
    programs: None, files: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "printed"
    folder.mkdir()
    printed = printed_by_libreoffice(files, folder)
    faults: list[str] = []
    for name, content in files.items():
        pdf = printed[name]
        pages = pages_of(pdf) if pdf.exists() else []
        if not pages:
            faults.append(f"{name}: no page")
            continue
        if name != "errors.xlsx" and not sizes_of(pdf) <= A4:
            faults.append(f"{name}: {sizes_of(pdf)} is not A4")
        texts, tables = of_docx(content) if name.endswith(".docx") else of_xlsx(content)
        if name == "errors.xlsx":
            # The columns are the sender's own, as narrow as they made them; ours is the last.
            texts = [text for text in texts if "không đọc được" in text]
        faults += [f"{name}: {lost} was lost" for lost in lost_words(texts, pages)]
        if name != "errors.xlsx":
            faults += [f"{name}: page {page} has no head" for page in headless(tables, pages)]
    assert faults == []


def lost_words(texts: list[str], pages: list[str]) -> list[str]:
    """The words of the source that the PDF does not have, whole or broken over two lines."""
    whole = "\n".join(pages)
    seen, run = words(whole), packed(whole)
    asked = {word for text in texts for word in words(text) if not FIELD.fullmatch(word)}
    return sorted(word for word in asked if word not in seen and word not in run)[:8]


def headless(tables: list[Table], pages: list[str]) -> list[int]:
    """The pages with rows of a table and without that table's head."""
    found = []
    for number, page in enumerate(pages, start=1):
        seen, run = words(page) | set(re.findall(r"\w+", page)), packed(page)
        holding = [one for one in tables if any(row in run for row in one.rows)]
        heads = [all(word in seen or word in run for word in one.head) for one in holding]
        if holding and not any(heads):
            found.append(number)
    return found


def of_docx(content: bytes) -> tuple[list[str], list[Table]]:
    """The paragraphs of a document and its tables with a repeated head."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        root = fromstring(package.read("word/document.xml"))
    texts = ["".join(part.text or "" for part in line.iter(f"{W}t")) for line in root.iter(f"{W}p")]
    tables = []
    for table in root.iter(f"{W}tbl"):
        rows = list(table.iter(f"{W}tr"))
        heads = [row for row in rows if row.find(f".//{W}tblHeader") is not None]
        if heads:
            head = words(" ".join("".join(cell.itertext()) for cell in heads[0].iter(f"{W}tc")))
            # Lines over all columns, totals and the like may stand elsewhere on a page as well:
            # only numbered rows tell which table a page shows.
            body = [
                "".join(row.itertext()) for row in rows if row not in heads and is_numbered(row)
            ]
            tables.append(Table(frozenset(head), frozenset(filter(None, map(packed, body)))))
    return texts, tables


def is_numbered(row: Any) -> bool:
    cells = row.findall(f"{W}tc")
    return len(cells) > 1 and "".join(cells[0].itertext()).strip().isdecimal()


def of_xlsx(content: bytes) -> tuple[list[str], list[Table]]:
    """The texts of a workbook, and its sheets with a repeated row."""
    texts: list[str] = []
    tables = []
    for page in load_workbook(io.BytesIO(content)).worksheets:
        rows = [[one.value for one in row] for row in page.iter_rows()]
        texts += [one for row in rows for one in row if isinstance(one, str)]
        if page.print_title_rows:
            place = int(re.findall(r"\d+", page.print_title_rows)[0])
            head = words(" ".join(str(one) for one in rows[place - 1] if one is not None))
            named = [
                str(row[1]) for row in rows[place:] if len(row) > 1 and isinstance(row[1], str)
            ]
            tables.append(Table(frozenset(head), frozenset(map(packed, named))))
    return texts, tables


def test_a_lost_word_and_a_missing_head_would_be_seen() -> None:
    assert lost_words(["Hoà Bình"], ["Hòa Bình"]) == ["Hoà"]
    assert lost_words(["Hoà Bình"], ["Ho\nà Bình"]) == []
    table = Table(frozenset({"STT", "Tên"}), frozenset({"1Hoà"}))
    assert headless([table], ["STT Tên\n1 Hoà", "1 Hoà", "hết"]) == [2]


def test_every_address_that_gives_a_file_is_printed_here(app: Flask) -> None:
    """Views whose own source names the type of a document or a workbook."""
    found = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if endpoint != "static"
        and re.search(r"\b(DOCX|XLSX|send_file)\b", inspect.getsource(inspect.unwrap(view)))
    }
    assert found == ENDPOINTS


def test_vietnamese_marks_of_every_vowel_survive_a_template(programs: None, tmp_path: Path) -> None:
    """Every vowel with every tone, in both cases, through a unit's own template and LibreOffice."""
    vowels = "aăâeêioôơuưy"
    tones = ("", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
    letters = [unicodedata.normalize("NFC", vowel + tone) for vowel in vowels for tone in tones]
    syllables = " ".join(f"t{one}n Đ{one.upper()}N" for one in letters)
    kind = KINDS["class-list"]
    [paper] = sample_papers(kind, Letterhead(issuer=syllables), "Xuất bởi An")
    pdf = printed_by_libreoffice({"a.docx": filled(starter(kind), kind, [paper])}, tmp_path)
    pages = pages_of(pdf["a.docx"])
    assert lost_words([syllables], pages) == []
    assert len(words(syllables)) > LEAST_MARKED_WORDS
