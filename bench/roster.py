"""How long a dirty roster takes to be read and checked, and in how much memory.

    python -m bench.roster [--rows 5000]

Makes a workbook with the dirt of real lists, reads it in the child process as an upload would be,
checks every row and plans the changes twice (all new, then all unchanged). One line of JSON.
"""

import argparse
import json
import resource
import tempfile
import time
import unicodedata
from datetime import date
from pathlib import Path

import xlsxwriter  # type: ignore[import-untyped]  # has no types

from gateways.phones import read_phone
from gateways.workbooks import read_workbook
from rules.roster import Checked, Reading, read_rows
from rules.roster_changes import KnownMember, exemption_wanted, plan_members
from rules.roster_columns import find_layout
from rules.roster_units import NamedUnit, UnitBook

ON = date(2026, 11, 23)
CELLS = 250
HEADER = ["STT", "Họ và tên", "Chi bộ", "Ngày sinh", "SĐT", "Email", "Diện miễn", "Mã", "CCCD"]
GIVEN = ("An", "Bình", "Chi", "Đạt", "Hoà", "Thuỷ", "Ánh", "Yến")


def dirty_row(number: int) -> list[object]:
    """A member as lists really have them: capitals, NFD, lost zeros, serials, old numbers."""
    name = f"Nguyễn Đức {GIVEN[number % 8]} {GIVEN[number // 8 % 8]}"
    names = (name, name.upper(), unicodedata.normalize("NFD", name), f" {name}\u00a0")
    year = 1950 + number % 50
    births = (year, f"0{number % 9 + 1}/12/{year}", f"1-2-{year}", 20_000 + number % 8000)
    phone = 912_000_000 + number % 80_000_000
    phones = (phone, f"0{phone}", f"+84 {phone}", f"0162{number:07}", "")
    return [
        number, names[number % 4], f"CB. Khối {number % CELLS + 1:02}", births[number // 4 % 4],
        phones[number % 5], f" P{number}@Test.INVALID" if number % 3 else "",
        "x" if number % 9 == 0 else "", f"DV{number:06}", "001",
    ]  # fmt: skip


def workbook(path: Path, rows: int) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("DS")
        page.write(0, 0, "DANH SÁCH ĐẢNG VIÊN")
        page.write_row(2, 0, HEADER)
        for number in range(rows):
            page.write_row(3 + number, 0, dirty_row(number))


def recorded(checked: Checked) -> list[KnownMember]:
    """The members as they would stand after the import."""
    return [
        KnownMember(
            row.row, row.code or "", row.name, row.unit_id, row.birth_year, row.phone, row.email,
            exemption_wanted(None, row.exemption, ON),
        )
        for row in checked.members
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    rows = parser.parse_args().rows
    units = UnitBook(NamedUnit(n, f"CB{n}", f"Chi bộ khối {n}") for n in range(1, CELLS + 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        workbook(path, rows)
        began = time.perf_counter()
        sheet = read_workbook(path, "members")
        read = time.perf_counter()
        checked = read_rows(sheet, find_layout(sheet, "members"), Reading(units, ON, read_phone))
        new = plan_members(checked.members, [], on=ON)
        planned = time.perf_counter()
        again = plan_members(checked.members, recorded(checked), on=ON)
    figures = {
        "rows": rows,
        "read_seconds": round(read - began, 2),
        "read_and_checked_seconds": round(planned - began, 2),
        "new": new.count("new"),
        "unchanged_again": again.count("unchanged"),
        "errors": len(checked.errors) + len(new.errors),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "child_memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
