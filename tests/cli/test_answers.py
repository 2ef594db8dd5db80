"""What a command answers when the world, and not a rule, says no: a sentence, never a trace."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from models import db

TERM = ["report", "term", "--from", "2010-07-01", "--to", "2015-06-30"]


@pytest.mark.parametrize(
    "command",
    [["meeting", "link"], ["meeting", "ics"], ["outbox", "show"], ["outbox", "retry"]],
)
def test_a_number_no_database_could_hold_is_wrong_usage(app: Flask, command: list[str]) -> None:
    answer = app.test_cli_runner().invoke(args=[*command, "99999999999999999999"])
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output


def test_a_workbook_that_cannot_be_written_is_named(app: Flask, tmp_path: Path) -> None:
    target = tmp_path / "no such folder" / "report.xlsx"
    answer = app.test_cli_runner().invoke(args=[*TERM, "--xlsx", str(target)])
    assert answer.exit_code == 1
    assert str(target) in answer.stderr
    assert answer.stdout == ""


def test_a_database_without_tables_says_how_to_prepare_it(app: Flask) -> None:
    def rename(old: str, new: str) -> None:
        with app.app_context():
            db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            db.session.commit()
            db.session.remove()

    rename("campaign", "campaign_away")
    answer = app.test_cli_runner().invoke(args=["campaign", "list"])
    rename("campaign_away", "campaign")
    assert answer.exit_code == 1
    assert "flask db upgrade" in answer.stderr
    assert "Traceback" not in answer.output
