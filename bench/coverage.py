"""How long the board's figures take beside the plain SQL over the same rows, in one run.

    python -m bench.coverage [--scale city] [--rounds 15]

Loads a demonstration on SQLite, then asks for an open campaign's figures as somebody who sees
everything and as a reader of the top unit, for the board of all campaigns, and for one campaign's
whole page of figures. Processor time of this process, the middle of so many rounds, as JSON.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from app import create_app
from models import Unit, db
from rules.days import local_day
from rules.permissions import SYSTEM, Actor, Grant
from services import coverage, coverage_board
from services.campaigns import campaign_list

ROOT = Path(__file__).resolve().parent.parent
PLAIN = """
    SELECT population, grassroots_id, state, covered_round, count(*) FROM roll_entry
    WHERE campaign_id = (SELECT id FROM campaign WHERE code = ?)
    GROUP BY population, grassroots_id, state, covered_round
"""


def main() -> None:
    """Load the demonstration, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("ward", "city", "province"), default="city")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DATABASE_URL"] = f"sqlite:///{folder / 'bench.db'}"
        os.environ["INSTANCE_PATH"] = name
        began = time.perf_counter()
        for command in (("db", "upgrade"), ("demo", "load", "--scale", options.scale)):
            flask = (sys.executable, "-m", "flask", *command)
            subprocess.run(flask, cwd=ROOT, check=True, capture_output=True)
        tell("demonstration loaded", seconds=round(time.perf_counter() - began, 1))
        measure(folder / "bench.db", options.rounds)


def measure(path: Path, rounds: int) -> None:
    """Every way to ask, beside the plain SQL."""
    with create_app().app_context():
        now = datetime.now(UTC)
        today = local_day(now)
        top = select(Unit.id).where(Unit.parent_id.is_(None), Unit.tree == "party").limit(1)
        reader = Actor(name="Đọc", grants=(Grant("reader", db.session.scalar(top)),))
        code = campaign_list(today=today, by=SYSTEM, states=("open",))[0].code
        plain = sqlite3.connect(path)
        floor = middle(lambda: plain.execute(PLAIN, (code,)).fetchall(), rounds)
        tell("plain SQL", cpu_ms=floor)
        ways: dict[str, Callable[[], object]] = {
            "figures, everything": lambda: coverage.campaign_figures(code, by=SYSTEM, today=today),
            "figures, a unit's reader": lambda: coverage.campaign_figures(
                code, by=reader, today=today
            ),
            "board, a unit's reader": lambda: coverage_board.board(now=now, by=reader),
            "campaign page, a unit's reader": lambda: coverage_board.campaign_board(
                code, now=now, by=reader
            ),
        }
        for what, ask in ways.items():
            took = middle(afresh(ask), rounds)
            tell(what, cpu_ms=took, times_plain_sql=round(took / floor, 1))
        plain.close()


def afresh(ask: Callable[[], object]) -> Callable[[], object]:
    """The same as a new request would: with a session that remembers nothing."""

    def asked() -> object:
        try:
            return ask()
        finally:
            db.session.remove()

    return asked


def middle(ask: Callable[[], object], rounds: int) -> float:
    """The middle of the milliseconds of processor time, once warm."""
    ask()
    took = []
    for _ in range(rounds):
        began = time.process_time()
        ask()
        took.append(1000 * (time.process_time() - began))
    return round(statistics.median(took), 2)


def tell(what: str, **figures: float) -> None:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
