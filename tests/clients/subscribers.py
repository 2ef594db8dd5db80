"""Programs that subscribe to a feed over HTTP, and a calendar server, run as people run them."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from tests.clients.dovecot import free_port
from tests.clients.programs import installed, needs
from tests.clients.readers import Told, by_icalendar

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE = 120
PAIR = """[general]
status_path = "{folder}/status"

[pair subscription]
a = "feed"
b = "phone"
collections = null
conflict_resolution = "a wins"

[storage feed]
type = "http"
url = "{url}"

[storage phone]
type = "filesystem"
path = "{folder}/items"
fileext = ".ics"
"""
CALENDAR = """[calendars]
[[feed]]
path = {folder}/items
readonly = True

[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Asia/Ho_Chi_Minh
default_timezone = Asia/Ho_Chi_Minh

[sqlite]
path = {folder}/khal.db
"""


class Between:
    """What stands between the application and its subscribers, and may spoil an answer."""

    def __init__(self, app: "WSGIApplication") -> None:
        self.asked = 0
        self.bad: Response | None = None
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        try:
            return (self.bad or self._app)(environ, start)
        finally:
            self.asked += environ["PATH_INFO"].endswith(".ics")


@contextmanager
def served(app: Flask | Between) -> Iterator[str]:
    """The application behind a real HTTP server on loopback; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Vdirsyncer:
    """vdirsyncer keeping a folder in line with a feed, and khal showing that folder."""

    def __init__(self, folder: Path, url: str) -> None:
        needs(installed("vdirsyncer") and installed("khal"), "vdirsyncer and khal")
        self.folder = folder
        (folder / "items").mkdir(parents=True)
        (folder / "pair").write_text(PAIR.format(folder=folder, url=url), encoding="utf-8")
        (folder / "khal").write_text(CALENDAR.format(folder=folder), encoding="utf-8")
        assert self._run("vdirsyncer", "-c", str(folder / "pair"), "discover").returncode == 0

    def sync(self) -> bool:
        """Fetch the feed as the program's users do; says whether the program was content."""
        return self._run("vdirsyncer", "-c", str(self.folder / "pair"), "sync").returncode == 0

    def kept(self) -> list[Told]:
        """What lies in the folder; vdirsyncer names each event by the hash of its content."""
        files = sorted((self.folder / "items").glob("*.ics"))
        found = [one for file in files for one in by_icalendar(file.read_bytes())]
        return sorted(replace(one, uid="") for one in found)

    def shown(self, first: datetime, days: int) -> list[tuple[str, str, str]]:
        """Start, end and title that khal shows, in order."""
        fields = ("start-long", "end-long", "title")
        asked = [word for name in fields for word in ("--json", name)]
        done = self._run(
            "khal", "-c", str(self.folder / "khal"), "list", "--once", *asked,
            f"{first:%Y-%m-%d}", f"{days}d",
        )  # fmt: skip
        rows = [row for line in done.stdout.splitlines() if line for row in json.loads(line)]
        return sorted((row["start-long"], row["end-long"], row["title"]) for row in rows)

    def _run(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        program = installed(name)
        assert program is not None
        return subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )


class Radicale:
    """A CalDAV server in memory of its folder, which takes objects and gives them back."""

    def __init__(self, folder: Path) -> None:
        program = installed("radicale")
        needs(program, "radicale")
        port = free_port()
        self.address = f"http://127.0.0.1:{port}/chi/lich/"
        self._process = subprocess.Popen(
            [
                str(program), "--config", "", "--server-hosts", f"127.0.0.1:{port}",
                "--auth-type", "none", "--storage-filesystem-folder", str(folder),
                "--logging-level", "error",
            ]
        )  # fmt: skip
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.1)
        raise RuntimeError("radicale did not start")

    def call(self, method: str, name: str, body: bytes, kind: str = "text/calendar") -> bytes:
        """One request; a refusal is an error."""
        request = urllib.request.Request(self.address + name, data=body or None, method=method)
        request.add_header("Content-Type", kind)
        request.add_header("Authorization", f"Basic {b64encode(b'chi:any').decode()}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
