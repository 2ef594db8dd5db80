"""What bench/attendance.py measures against: a Flask application that stores marks and nothing else."""

import hmac
import json
import os
import sqlite3
import threading
from pathlib import Path

from flask import Flask, Response, jsonify, request

TOKEN = "only for measuring"
SUBJECTS = [
    {
        "subject": f"m:{number}",
        "name": f"Nguyễn Thị Thuỳ Dung {number}",
        "unit": f"Chi bộ Khối {number % 20 + 1}",
        "group": number % 20 + 1,
        "status": "present" if number % 3 else "not_marked",
    }
    for number in range(int(os.environ.get("SUBJECTS", "500")))
]
HERE = threading.local()


def database() -> sqlite3.Connection:
    """This thread's connection, as durable as ours."""
    if not hasattr(HERE, "connection"):
        path = Path(os.environ["INSTANCE_PATH"]) / "plain.db"
        HERE.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        HERE.connection.execute("PRAGMA journal_mode = WAL")
        HERE.connection.execute("PRAGMA synchronous = FULL")
        HERE.connection.execute(
            "CREATE TABLE IF NOT EXISTS mark (id TEXT PRIMARY KEY, subject TEXT, body TEXT)"
        )
        HERE.connection.execute(
            "CREATE TABLE IF NOT EXISTS person (subject TEXT PRIMARY KEY, body TEXT)"
        )
        HERE.connection.executemany(
            "INSERT OR IGNORE INTO person VALUES (?, ?)",
            [(one["subject"], json.dumps(one)) for one in SUBJECTS],
        )
    connection: sqlite3.Connection = HERE.connection
    return connection


def create_app() -> Flask:
    """`POST /plain/marks` stores each mark once; `GET /plain/register` gives the names."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]

    @app.before_request
    def check() -> tuple[Response, int] | None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return None if hmac.compare_digest(given, TOKEN) else (jsonify(ok=False), 401)

    @app.post("/plain/marks")
    def marks() -> Response:
        sent = request.get_json()["marks"]
        connection = database()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT OR IGNORE INTO mark VALUES (?, ?, ?)",
            [(one["id"], one["subject"], json.dumps(one)) for one in sent],
        )
        connection.execute("COMMIT")
        return jsonify(ok=True, marks=[{"id": one["id"], "verdict": "stored"} for one in sent])

    @app.get("/plain/register")
    def register() -> Response:
        rows = database().execute("SELECT body FROM person")
        return jsonify(ok=True, subjects=[json.loads(row[0]) for row in rows])

    return app
