"""`flask roster import` as scripts use it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask

from tests.world import build_world


@pytest.fixture(autouse=True)
def world(db: Any) -> None:
    build_world()


def workbook(folder: Path, *rows: Sequence[Any]) -> str:
    book: Any = openpyxl.Workbook()
    for row in [["Mã", "Họ và tên", "Chi bộ", "Năm sinh"], *rows]:
        book.active.append(row)
    book.save(folder / "ds.xlsx")
    return str(folder / "ds.xlsx")


def test_json_has_the_counts_and_the_second_time_nothing_changes(
    app: Flask, tmp_path: Path
) -> None:
    path = workbook(tmp_path, ["T1", "Lê Văn Bốn", "CB1", 1980])
    runner = app.test_cli_runner()
    answer = json.loads(runner.invoke(args=["roster", "import", path, "--json"]).stdout)
    assert {key: answer[key] for key in ("rows", "new", "changed", "unchanged", "errors")} == {
        "rows": 1, "new": 1, "changed": 0, "unchanged": 0, "errors": [],
    }  # fmt: skip
    assert answer["missing_from_file"] == 4
    again = json.loads(runner.invoke(args=["roster", "import", path, "--json"]).stdout)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 1)


def test_an_error_ends_with_one_and_a_file_beside_the_file(app: Flask, tmp_path: Path) -> None:
    path = workbook(tmp_path, ["T1", "Lê Văn Bốn", "Chi bộ lạ", 1980])
    result = app.test_cli_runner().invoke(args=["roster", "import", path, "--json"])
    assert result.exit_code == 1
    (error,) = json.loads(result.stdout)["errors"]
    assert (error["row"], error["column"]) == (2, "Chi bộ")
    assert "Chi bộ lạ" in error["message"]
    assert (tmp_path / "ds-loi.xlsx").exists()


def test_a_file_that_is_no_workbook_is_refused_in_one_sentence(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "ds.xlsx").write_bytes(b"%PDF-1.7")
    result = app.test_cli_runner().invoke(args=["roster", "import", str(tmp_path / "ds.xlsx")])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "PDF" in result.stderr


def test_an_unknown_unit_is_refused_and_a_missing_file_is_wrong_usage(
    app: Flask, tmp_path: Path
) -> None:
    runner = app.test_cli_runner()
    path = workbook(tmp_path, ["T1", "Lê Văn Bốn", "CB1", 1980])
    assert runner.invoke(args=["roster", "import", path, "--unit", "XYZ"]).exit_code == 1
    assert runner.invoke(args=["roster", "import", "nowhere.xlsx"]).exit_code == 2
