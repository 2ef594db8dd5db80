"""Broken workbooks: mutated files read as uploads are, none of which may be half read or hang (F16)."""

import argparse
import io
import random
import resource
import time
import zipfile
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl

from gateways.workbooks import read_workbook
from rules.refusals import Malformed
from torture.outcome import Outcome

NAME = "import"
QUICK = [("--files", "40")]
FULL = [("--files", "200")]
MOST_SECONDS = 20
MOST_BYTES = 512 * 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many files."""
    parser.add_argument("--files", type=int, default=200)


def run(options: argparse.Namespace) -> Outcome:
    """Mutate one honest workbook again and again; each is read whole or refused with a sentence."""
    outcome, chance, whole = Outcome(promised=options.files), random.Random(options.seed), _honest()
    read = refused = 0
    slowest = 0.0
    with TemporaryDirectory(prefix="th-import-") as folder:
        path = Path(folder) / "roster.xlsx"
        for _ in range(options.files):
            path.write_bytes(_mutated(whole, chance))
            began = time.monotonic()
            try:
                read_workbook(path, "members")
                read += 1
            except Malformed:
                refused += 1
            except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
                outcome.broken.append(f"F16: {type(error).__name__}: {error}"[:200])
            slowest = max(slowest, time.monotonic() - began)
    biggest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    outcome.delivered = read + refused
    outcome.figures = {
        "read": read, "refused": refused, "slowest, s": round(slowest, 2),
        "largest child, MiB": biggest // 1024 // 1024,
    }  # fmt: skip
    outcome.require(slowest <= MOST_SECONDS + 5, f"F16: a file took {slowest:.0f} s")
    outcome.require(biggest <= MOST_BYTES, f"F16: a child took {biggest} bytes")
    return outcome


def _honest() -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    if page is None:
        raise TypeError("a new workbook has a sheet")
    page.append(["STT", "Họ và tên", "Chi bộ", "Ngày sinh", "SĐT"])
    for number in range(1, 200):
        page.append([number, f"Nguyễn Văn {number}", "Chi bộ 1", date(1965, 3, 12), "0912345678"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _mutated(whole: bytes, chance: random.Random) -> bytes:
    """Bytes changed in the file as it lies, or in one of its parts packed again rightly."""
    if chance.random() < 0.4:
        return _bitten(whole, chance)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = chance.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, _bitten(content, chance) if name == chosen else content)
    return out.getvalue()


def _bitten(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 30)):
        place = chance.randrange(max(1, len(changed)))
        kind = chance.randrange(4)
        if kind == 0:
            changed[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del changed[place : place + chance.randint(1, 40)]
        elif kind == 2:
            changed[place:place] = changed[place : place + chance.randint(1, 200)]
        else:
            changed[place:place] = chance.choice((b"<", b"&", b"\0", b"]]>", b"9" * 40, b"\xff"))
    return bytes(changed)
