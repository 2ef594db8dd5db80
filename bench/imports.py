"""How long a dirty roster takes to be imported by the command, beside only reading its cells.

    python -m bench.imports [--rows 5000]

Writes a workbook with the dirt of real lists for the cells of a fresh demonstration ward, checks it,
imports it, and imports it again, which changes nothing. The floor reads the same file with the same
reader and does nothing with it. One line of JSON per figure: seconds of the whole command, start
included, and processor seconds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # has no types
from sqlalchemy import select

from app import create_app
from bench.roster import HEADER, dirty_row
from models import Unit, UnitKind, db

ROOT = Path(__file__).resolve().parent.parent
READ = "import sys, python_calamine as c; b = c.CalamineWorkbook.from_path(sys.argv[1]); "
READ += "print(len(b.get_sheet_by_index(0).to_python()))"
CELL, CODE = HEADER.index("Chi bộ"), HEADER.index("Mã")


def main() -> None:
    """Check, import, import again; each beside the bare reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DATABASE_URL"] = f"sqlite:///{folder / 'bench.db'}"
        os.environ["INSTANCE_PATH"] = name
        for command in (("db", "upgrade"), ("demo", "load", "--scale", "ward")):
            timed("-m", "flask", *command)
        path = folder / "roster.xlsx"
        write(path, rows, cells())
        floor, _ = timed("-c", READ, str(path))
        tell("read the cells only", floor)
        for what, more in (("check", ("--dry-run",)), ("import", ()), ("import again", ())):
            took, out = timed("-m", "flask", "roster", "import", str(path), "--json", *more)
            found = json.loads(out)
            counts = {key: found[key] for key in ("rows", "new", "changed", "unchanged")}
            tell(what, took | counts | {"errors": len(found["errors"])})


def cells() -> list[str]:
    """The codes of the ward's cells."""
    with create_app().app_context():
        kinds = select(UnitKind.code).where(UnitKind.tree == "party", UnitKind.holds_people)
        return list(db.session.scalars(select(Unit.code).where(Unit.kind_code.in_(kinds))))


def write(path: Path, rows: int, units: list[str]) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("DS")
        page.write(0, 0, "DANH SÁCH ĐẢNG VIÊN")
        page.write_row(2, 0, HEADER)
        for number in range(rows):
            row = dirty_row(number)
            row[CELL], row[CODE] = units[number % len(units)], f"BENCH{number:06}"
            page.write_row(3 + number, 0, row)


def timed(*command: str) -> tuple[dict[str, Any], str]:
    """Run a command; its seconds, its processor seconds, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout and done.returncode:
        raise SystemExit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}, done.stdout


def tell(what: str, figures: dict[str, Any]) -> None:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}), flush=True)


if __name__ == "__main__":
    main()
