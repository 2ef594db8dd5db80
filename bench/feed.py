"""How fast a member's feed is: beside icalendar per request, beside Radicale, and beside bare answers
of the same server, all in one run.

    python -m bench.feed [--events 200] [--seconds 5]

Each server has one worker and is asked over one connection that stays open. Prints one line of JSON
per figure, then the ratios of docs/performance.md.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection, socket

ROOT = Path(__file__).resolve().parent.parent
RADICALE = ROOT / ".setup" / "clients" / "bin" / "radicale"
TICK = os.sysconf("SC_CLK_TCK")
GRANIAN = ("-m", "granian", "--interface", "wsgi", "--factory", "--workers", "1")


@dataclass(frozen=True)
class Figure:
    """Requests a second, milliseconds of the middle and the slowest, CPU per request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    octets: int


def main() -> None:
    """Run every measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = measured(Path(name), options.events, options.seconds)
    for what, figure in figures.items():
        print(json.dumps({"what": what, **vars(figure)}), flush=True)
    print(json.dumps({"what": "ratios", **ratios(figures)}))


def measured(folder: Path, events: int, seconds: float) -> dict[str, Figure]:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "INSTANCE_PATH": str(folder),
        "PUBLIC_URL": "http://127.0.0.1",
        "EVENTS": str(events),
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.parts.feed_rows", str(events)],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    path = done.stdout.strip()
    figures = {}
    with running(environment, "bench.parts.feed_app:create_app") as ours:
        figures["ours, all events written anew"] = ours.ask(path, 0)
        figures["ours, joined anew"] = ours.ask(path, seconds, before=lambda: forget(folder))
        figures["ours, 200"] = ours.ask(path, seconds)
        figures["ours, 200 gzip"] = ours.ask(path, seconds, {"Accept-Encoding": "gzip"})
        figures["ours, 304"] = ours.ask(path, seconds, {"If-None-Match": ours.etag})
    forgetful = {**environment, "FORGETFUL": "1"}
    with running(forgetful, "bench.parts.feed_app:create_app") as first:
        figures["ours, first answer"] = first.ask(path, seconds, before=lambda: forget(folder))
    with running(environment, "bench.parts.plain_feed:create_app") as plain:
        figures["icalendar per request"] = plain.ask("/plain.ics", seconds)
        figures["floor, 200"] = plain.ask("/floor.ics", seconds)
        figures["floor, 304"] = plain.ask("/floor.ics", seconds, {"If-None-Match": '"same"'})
        token = path.rpartition("/")[2]
        asked = {"If-None-Match": '"same"'}
        figures["floor, 304 by token"] = plain.ask(f"/token/{token}", seconds, asked)
        body = plain.body("/floor.ics")
    if RADICALE.exists():
        with radicale(folder / "radicale") as peer:
            peer.put("/chi/lich/", body)
            figures["Radicale"] = peer.ask("/chi/lich/", seconds)
    return figures


def forget(folder: Path) -> None:
    """Drop the answers that lie ready, as a change of a meeting does."""
    for file in (folder / "feeds").iterdir():
        file.unlink()


def ratios(figures: Mapping[str, Figure]) -> dict[str, float]:
    """How many of our answers the CPU time of one of theirs gives, which other work on the machine
    hardly changes; the floor is the same server with bytes that lie ready."""
    pairs = [
        ("first / icalendar", "icalendar per request", "ours, first answer"),
        ("joined anew / icalendar", "icalendar per request", "ours, joined anew"),
        ("200 / icalendar", "icalendar per request", "ours, 200"),
        ("304 / icalendar", "icalendar per request", "ours, 304"),
        ("200 / floor", "floor, 200", "ours, 200"),
        ("304 / floor", "floor, 304", "ours, 304"),
        ("304 / floor by token", "floor, 304 by token", "ours, 304"),
        ("first / Radicale", "Radicale", "ours, first answer"),
        ("joined anew / Radicale", "Radicale", "ours, joined anew"),
        ("200 / Radicale", "Radicale", "ours, 200"),
        ("304 / Radicale", "Radicale", "ours, 304"),
    ]
    return {
        name: round(figures[theirs].cpu_ms / figures[ours].cpu_ms, 2)
        for name, theirs, ours in pairs
        if theirs in figures
    }


class Server:
    """One server process and one connection to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.etag = ""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._sign_in = {"Authorization": f"Basic {b64encode(b'chi:any').decode()}"}

    def ask(
        self,
        path: str,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> Figure:
        """Ask again and again for so long (at least once), and see how long each answer took."""
        took: list[float] = []
        octets, cpu, began = 0, self._cpu(), time.perf_counter()
        while not took or time.perf_counter() - began < seconds:
            before()
            sent = time.perf_counter()
            octets = len(self._get(path, headers or {}))
            took.append(time.perf_counter() - sent)
        whole = time.perf_counter() - began
        slowest = statistics.quantiles(took, n=100)[98] if len(took) > 1 else took[0]
        return Figure(
            round(len(took) / whole, 1),
            round(statistics.median(took) * 1000, 2),
            round(slowest * 1000, 2),
            round((self._cpu() - cpu) / len(took) * 1000, 3),
            octets,
        )

    def body(self, path: str) -> bytes:
        return self._get(path, {})

    def put(self, path: str, body: bytes) -> None:
        """Store a whole calendar, as a calendar server takes it."""
        headers = {"Content-Type": "text/calendar", **self._sign_in}
        self._connection.request("PUT", path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"PUT: {answer.status}")

    def _get(self, path: str, headers: Mapping[str, str]) -> bytes:
        self._connection.request("GET", path, headers={**self._sign_in, **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 304):
            raise SystemExit(f"GET {path}: {answer.status}")
        if answer.status == 200 and not headers:
            self.etag = answer.headers.get("ETag", "")
        return content

    def _cpu(self) -> float:
        """Seconds of CPU of the process and of those it started."""
        return sum(_cpu_of(pid) for pid in _family(self.process.pid))


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _family(int(child))
    return found


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@contextmanager
def running(environment: Mapping[str, str], factory: str) -> Iterator[Server]:
    """An application behind granian with one worker."""
    port = free_port()
    command = [sys.executable, *GRANIAN, "--no-ws", "--port", str(port), factory]
    yield from started(command, port, environment)


@contextmanager
def radicale(folder: Path) -> Iterator[Server]:
    """Radicale over an empty folder."""
    port = free_port()
    command = [
        str(RADICALE), "--config", "", "--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none",
        "--storage-filesystem-folder", str(folder), "--logging-level", "error",
    ]  # fmt: skip
    yield from started(command, port, os.environ)


def started(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    for _ in range(300):
        try:
            create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("a server did not start")


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
