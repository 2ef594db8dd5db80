"""What bench/attendance.py measures against: a Flask application that stores marks and nothing else."""

import hmac
import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import psycopg
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
PAGE = """<!doctype html>
<title>Sổ</title>
<ul>
{% for one in subjects %}
<li data-subject="{{ one.subject }}" data-status="{{ one.status }}">
<button type="button">{{ one.name }}</button> {{ one.unit }}</li>
{% endfor %}
</ul>
"""
HERE = threading.local()
IS_POSTGRESQL = os.environ.get("DATABASE_URL", "").startswith("postgresql")
VALUE = "%s" if IS_POSTGRESQL else "?"


def database() -> Any:
    """This thread's connection, as durable as ours, and on the same database."""
    if not hasattr(HERE, "connection"):
        HERE.connection = psycopg_connection() if IS_POSTGRESQL else sqlite_connection()
        HERE.connection.execute(
            "CREATE TABLE IF NOT EXISTS plain_mark (id TEXT PRIMARY KEY, subject TEXT, body TEXT)"
        )
        HERE.connection.execute(
            "CREATE TABLE IF NOT EXISTS plain_person (subject TEXT PRIMARY KEY, body TEXT)"
        )
        HERE.connection.cursor().executemany(
            f"INSERT INTO plain_person VALUES ({VALUE}, {VALUE}) ON CONFLICT DO NOTHING",
            [(one["subject"], json.dumps(one)) for one in SUBJECTS],
        )
    return HERE.connection


def sqlite_connection() -> sqlite3.Connection:
    path = Path(os.environ["INSTANCE_PATH"]) / "plain.db"
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def psycopg_connection() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def create_app() -> Flask:
    """`POST /plain/marks` stores each mark once; `GET /plain/register` gives the names, `/plain` a
    page of them, a row for each."""
    app = Flask(__name__)
    rows_page = app.jinja_env.from_string(PAGE)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # set on the default provider
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # set on the default provider

    @app.before_request
    def check() -> tuple[Response, int] | None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return None if hmac.compare_digest(given, TOKEN) else (jsonify(ok=False), 401)

    @app.post("/plain/marks")
    def marks() -> Response:
        sent = request.get_json()["marks"]
        connection = database()
        connection.execute("BEGIN" if IS_POSTGRESQL else "BEGIN IMMEDIATE")
        connection.cursor().executemany(
            f"INSERT INTO plain_mark VALUES ({VALUE}, {VALUE}, {VALUE}) ON CONFLICT DO NOTHING",
            [(one["id"], one["subject"], json.dumps(one)) for one in sent],
        )
        connection.execute("COMMIT")
        return jsonify(ok=True, marks=[{"id": one["id"], "verdict": "stored"} for one in sent])

    def subjects() -> list[dict[str, Any]]:
        rows = database().execute("SELECT body FROM plain_person").fetchall()
        return [json.loads(row[0]) for row in rows]

    @app.get("/plain/register")
    def register() -> Response:
        return jsonify(ok=True, subjects=subjects())

    @app.get("/plain")
    def page() -> str:
        return rows_page.render(subjects=subjects())

    return app
