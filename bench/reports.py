"""How long the five-year report takes on screen, as a workbook and as a document, in one run.

    python -m bench.reports [--scale city|province] [--database FILE] [--rounds 3]

Loads a demonstration on SQLite (or takes a file that has one), signs a reader of everything in and
asks for the pages as a browser would, past the server: seconds by the clock, processor time and
statements of every page, both views, as JSON. Targets: a city under 2 s on screen and 10 s as
.docx, a province under 10 s on screen.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import event

from app import create_app
from models import Account, RoleGrant, db
from services.accounts import open_sign_in
from services.report_places import VIEWS
from services.report_tables import FORMS

ROOT = Path(__file__).resolve().parent.parent
TERM = "from=2010-07-01&to=2015-06-30"
YEAR = "from=2026-01-01&to=2026-12-31"


def main() -> None:
    """Load the demonstration, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("ward", "city", "province"), default="city")
    parser.add_argument("--database", type=Path, help="a file that holds a demonstration already")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = options.database or Path(name) / "bench.db"
        os.environ["DATABASE_URL"] = f"sqlite:///{path}"
        os.environ["INSTANCE_PATH"] = name
        if options.database is None:
            for command in (("db", "upgrade"), ("demo", "load", "--scale", options.scale)):
                flask = (sys.executable, "-m", "flask", *command)
                subprocess.run(flask, cwd=ROOT, check=True, capture_output=True)
        measure(options.rounds)


def measure(rounds: int) -> None:
    """Every page of the term's report, and the year's, whose figures stand in three periods."""
    app = create_app()
    asked: Counter[str] = Counter()
    with app.app_context():
        event.listen(
            db.engine, "before_cursor_execute", lambda *_: asked.update(["statements"]), named=False
        )
        client = reader(app.test_client())
    tell(client, asked, "headline figures, term", f"/reports/?{TERM}", rounds)
    tell(client, asked, "headline figures, year", f"/reports/?{YEAR}", rounds)
    for view in VIEWS:
        for form in FORMS:
            address = f"/reports/tables/{form}?{TERM}&view={view}"
            tell(client, asked, f"{form}, term, {view}", address, rounds)
        tell(client, asked, f"all tables, term, {view}", f"/reports/print?{TERM}&view={view}", 1)
        tell(client, asked, f"all tables, year, {view}", f"/reports/print?{YEAR}&view={view}", 1)
        for form in ("xlsx", "docx"):
            address = f"/reports/term.{form}?{TERM}&view={view}"
            tell(client, asked, f"{form}, term, {view}", address, 1)


def reader(client: FlaskClient) -> FlaskClient:
    """The client, signed in as a reader of every unit."""
    now = datetime.now(UTC)
    account = Account(email=f"bench-{now:%f}@demo.invalid", name="Đo", created_at=now)
    db.session.add(account)
    db.session.flush()
    db.session.add(RoleGrant(account_id=account.id, role="reader", unit_id=None))
    db.session.commit()
    token = open_sign_in(account.id, now=now)
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = token, True
    return client


def tell(client: FlaskClient, asked: Counter[str], what: str, address: str, rounds: int) -> None:
    """The least of so many rounds, as one line."""
    took = []
    for _ in range(rounds):
        asked.clear()
        began, cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status}")
    seconds, cpu_seconds = min(took)
    line = {
        "what": what,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "statements": asked["statements"],
        "kB": len(answer.data) // 1024,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
