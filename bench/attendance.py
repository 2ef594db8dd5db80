"""How fast the register takes marks: beside the raw commit rate of the same SQLite in the same run.

    python -m bench.attendance [--phones 60] [--seconds 10]

Starts the real server over a temporary demonstration ward; so many phones mark one register a name
at a time, then several registers by fifty, so that names are marked a few times as in life. Prints
one line of JSON per figure.
"""

import argparse
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REGISTERS = 11
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run every measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell("raw commits", **raw_commits(Path(folder), 1))
        tell("raw commits of 50", **raw_commits(Path(folder), 50))
        with server(Path(folder)) as (port, process, registers):
            for size, used in ((1, registers[:1]), (50, registers[1:])):
                phones = [
                    Phone(port, used[number % len(used)], size, number)
                    for number in range(options.phones)
                ]
                tell(f"{len(phones)} phones, {size} a request", **load(phones, process, options))
        tell("raw commits again", **raw_commits(Path(folder), 1))


def tell(what: str, **figures: object) -> None:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}), flush=True)


def raw_commits(folder: Path, rows: int, seconds: float = 2) -> dict[str, object]:
    """Rows a second that this disk's SQLite makes durable, so many to a commit."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS raw (id TEXT PRIMARY KEY, body TEXT)")
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(rows):
            connection.execute("INSERT INTO raw VALUES (?, ?)", (str(uuid.uuid4()), "x" * 120))
        connection.execute("COMMIT")
        done += rows
    took = time.perf_counter() - started
    connection.close()
    return {"rows_per_second": round(done / took)}


@contextmanager
def server(
    folder: Path,
) -> Iterator[tuple[int, "subprocess.Popen[bytes]", list[dict[str, Any]]]]:
    """The real server over a fresh ward, with registers of some five hundred names."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "INSTANCE_PATH": str(folder),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
    }

    run(environment, "flask", "db", "upgrade")
    run(environment, "flask", "demo", "load", "--scale", "ward")
    maker = ("tests.browser.new_registers", "500", "roll")
    registers = [json.loads(run(environment, *maker)) for _ in range(REGISTERS)]
    options = ["--interface", "wsgi", "--factory", "--workers", "1", "--blocking-threads", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, "--port", str(port), "app:create_app"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield port, process, registers
    finally:
        process.terminate()
        process.wait(20)


def run(environment: dict[str, str], *command: str) -> str:
    """What a module's command prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/sign-in")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


class Phone:
    """One phone that marks the same register again and again."""

    def __init__(self, port: int, register: dict[str, Any], size: int, number: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.address = f"/attendance/{register['id']}"
        self.headers = {
            "Authorization": f"Bearer {register['link_token']}",
            "Content-Type": "application/json",
            "X-Device": f"phone-{number}",
        }
        self.size, self.at = size, number * 7
        self.subjects = [one["subject"] for one in self._ask("GET", "/register")["subjects"]]
        self.times: list[float] = []
        self.refused = 0

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = json.dumps(body) if body is not None else None
        self.connection.request(method, self.address + path, data, self.headers)
        response = self.connection.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{response.status}: {found}")
        return found

    def send(self) -> None:
        """One request with its marks."""
        now = datetime.now(UTC).isoformat()
        marks = []
        for _ in range(self.size):
            self.at += 1
            subject = self.subjects[self.at % len(self.subjects)]
            mark = {"id": str(uuid.uuid4()), "subject": subject, "status": "present"}
            marks.append(mark | {"tapped_at": now})
        started = time.perf_counter()
        answer = self._ask("POST", "/marks", {"marks": marks, "register": "counts"})
        self.times.append(time.perf_counter() - started)
        self.refused += sum(one["verdict"] == "refused" for one in answer["marks"])


def load(
    phones: list[Phone], process: "subprocess.Popen[bytes]", options: argparse.Namespace
) -> dict[str, object]:
    """Let all phones send for the set time; marks a second, CPU and waiting times."""
    until = time.perf_counter() + options.seconds
    cpu, started = cpu_seconds(process.pid), time.perf_counter()
    in_parallel([partial(keep_sending, phone, until) for phone in phones])
    took, cpu = time.perf_counter() - started, cpu_seconds(process.pid) - cpu
    times = sorted(one for phone in phones for one in phone.times)
    marks = len(times) * phones[0].size
    return {
        "marks": marks,
        "marks_per_second": round(marks / took),
        "marks_per_cpu_second": round(marks / cpu),
        "cpu_ms_per_request": round(1000 * cpu / len(times), 2),
        **{f"p{part}_ms": round(1000 * times[len(times) * part // 100]) for part in (50, 95, 99)},
        "refused": sum(phone.refused for phone in phones),
    }


def keep_sending(phone: Phone, until: float) -> None:
    """One phone's work until the time is over."""
    while time.perf_counter() < until:
        phone.send()


def in_parallel(tasks: list[Callable[[], None]]) -> None:
    """Run the tasks at once and wait for all."""
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cpu_seconds(pid: int) -> float:
    """The processor time of a process and its children so far."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / TICK
    return total


if __name__ == "__main__":
    main()
