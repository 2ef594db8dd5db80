"""What lets the register open without a network: the service worker, and the list it then shows."""

import hashlib
from functools import cache

from flask import Blueprint, Response, current_app, make_response, render_template, url_for

bp = Blueprint("offline", __name__)

SHEETS = ("tokens", "base", "layout", "components", "forms", "tables", "print", "attendance")
SCRIPTS = (
    "app",
    "request",
    "text",
    "copy",
    "confirm",
    "menu",
    "saved",
    "attendance",
    "attendance/conflicts",
    "attendance/delivery",
    "attendance/heads",
    "attendance/keeping",
    "attendance/list",
    "attendance/queue",
    "attendance/roster",
    "attendance/saving",
    "attendance/sheets",
    "attendance/store",
    "attendance/tallies",
)
PICTURES = ("icons/sprite.svg", "icons/mark.svg", "manifest.webmanifest")


@bp.get("/sw.js")
def worker() -> Response:
    """The service worker, from the root so that it may look after every address.

    With OFFLINE_REGISTER=0 it is one that takes itself away; what waits to be sent stays.
    """
    name = "offline/worker.js" if current_app.config["SETTINGS"].offline else "offline/ended.js"
    answer = make_response(render_template(name, files=_files(), version=app_version()))
    answer.headers["Content-Type"] = "text/javascript; charset=utf-8"
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = "/"
    return answer


@bp.get("/attendance/offline")
def index() -> str:
    """The registers kept on this phone; the page itself knows nobody."""
    return render_template("offline/index.html")


def worker_url() -> str:
    """Where a page finds the service worker; empty when it is switched off."""
    return url_for("offline.worker") if current_app.config["SETTINGS"].offline else ""


@cache
def app_version() -> str:
    """One word for all the files a register's page is made of; it changes with any of them."""
    return hashlib.sha256(" ".join(_files()).encode()).hexdigest()[:12]


def _files() -> list[str]:
    static_url = current_app.jinja_env.globals["static_url"]
    paths = [f"css/{name}.css" for name in SHEETS] + [f"js/{name}.js" for name in SCRIPTS]
    return [static_url(path) for path in (*paths, *PICTURES)]  # type: ignore[operator]  # a function
