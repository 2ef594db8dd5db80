"""How fast the register takes marks: beside a bare Flask application and the raw commit rate of the
same SQLite in the same run.

    python -m bench.attendance [--phones 60] [--seconds 10]

Starts the real server over a temporary demonstration ward. First one phone alone, for processor
time; then so many phones at once on one register, tapping once a second while somebody watches the
board, and as fast as answers come; then by fifty. Prints one line of JSON per figure, then ratios.
"""

import argparse
import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from socket import socket
from typing import Any

from bench.parts import plain_register

ROOT = Path(__file__).resolve().parent.parent
REGISTERS = 11
WARM = 20
TICK = os.sysconf("SC_CLK_TCK")
Figures = dict[str, float]


@dataclass
class Server:
    """A running server, and the registers it holds."""

    port: int
    process: "subprocess.Popen[bytes]"
    registers: list[dict[str, Any]]


def main() -> None:
    """Run every measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = prepared(folder)
        registers = [made_register(environment) for _ in range(REGISTERS)]
        join_campaign(folder, registers[1]["id"])
        figures = {
            f"raw commits of {size}": tell(f"raw commits of {size}", raw_commits(folder, size))
            for size in (1, 50)
        }
        plain = {"id": "plain", "link_token": plain_register.TOKEN}
        with server(environment, "bench.parts.plain_register:create_app", 1, [plain]) as bare:
            figures |= alone("floor", bare, bare.registers[0], options.seconds)
        with server(environment, "app:create_app", 1, registers) as ours:
            figures |= alone("ours", ours, registers[0], options.seconds)
            figures |= alone("ours, in a campaign", ours, registers[1], options.seconds)
        with server(environment, "app:create_app", 2, registers) as ours:
            crowd(ours, environment, options)
    print(json.dumps({"what": "ratios", **ratios(figures)}), flush=True)


def alone(what: str, at: Server, register: dict[str, Any], seconds: float) -> dict[str, Figures]:
    """One phone's marks singly, by fifty, again, and the whole register."""
    figures = {}
    for kind, size in (("mark", 1), ("50 marks", 50), ("the same mark again", 1), ("register", 0)):
        phone = Phone(at.port, register, size, 0)
        phone.repeats = kind == "the same mark again"
        for _ in range(WARM):
            phone.send()
        phone.times.clear()
        name = f"{what}, {kind}"
        figures[name] = tell(name, load([phone], at.process, seconds))
    return figures


def crowd(at: Server, environment: dict[str, str], options: argparse.Namespace) -> None:
    """Many phones at once: at people's pace with the board watched, at full speed, and by fifty."""
    watching = board_watcher(at.port, environment)
    for what, size, pause, used in (
        ("tapping once a second, board watched", 1, 1.0, at.registers[:1]),
        ("as fast as answers come", 1, 0.0, at.registers[:1]),
        ("by fifty on ten registers", 50, 0.0, at.registers[1:]),
    ):
        phones = [
            Phone(at.port, used[number % len(used)], size, number)
            for number in range(options.phones)
        ]
        for phone in phones:
            phone.pause = pause
        beside = watching if pause else None
        tell(f"{len(phones)} phones, {what}", load(phones, at.process, options.seconds, beside))


def ratios(figures: dict[str, Figures]) -> Figures:
    """Our processor time against the floor's, and our batches against grouped commits."""

    def of_floor(kind: str, ours: str = "ours") -> float:
        floor = figures[f"floor, {kind}"]["cpu_ms_per_request"]
        return round(floor / figures[f"{ours}, {kind}"]["cpu_ms_per_request"], 2)

    grouped = figures["raw commits of 50"]["rows_per_second"]
    return {
        "mark / floor": of_floor("mark"),
        "mark in a campaign / floor": of_floor("mark", "ours, in a campaign"),
        "50 marks / floor": of_floor("50 marks"),
        "same mark again / floor": of_floor("the same mark again"),
        "register / floor": of_floor("register"),
        "batches / grouped commits": round(
            figures["ours, 50 marks"]["marks_per_second"] / grouped, 2
        ),
    }


def tell(what: str, figures: Figures) -> Figures:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}), flush=True)
    return figures


def raw_commits(folder: Path, rows: int, seconds: float = 2) -> Figures:
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


def prepared(folder: Path) -> dict[str, str]:
    """The environment of a fresh demonstration ward."""
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "INSTANCE_PATH": str(folder),
        "PUBLIC_URL": "http://127.0.0.1",
    }
    run(environment, "flask", "db", "upgrade")
    run(environment, "flask", "demo", "load", "--scale", "ward")
    return environment


def made_register(environment: dict[str, str]) -> dict[str, Any]:
    """A published meeting with a register of some five hundred names."""
    made: dict[str, Any] = json.loads(
        run(environment, "tests.browser.new_registers", "500", "roll")
    )
    return made


def join_campaign(folder: Path, meeting_id: int) -> None:
    """Let that meeting's marks count to the open campaign."""
    connection = sqlite3.connect(folder / "bench.db")
    connection.execute(
        "UPDATE meeting SET campaign_id = (SELECT id FROM campaign WHERE state = 'open') WHERE id = ?",
        (meeting_id,),
    )
    connection.commit()
    connection.close()


@contextmanager
def server(
    environment: dict[str, str], factory: str, workers: int, registers: list[dict[str, Any]]
) -> Iterator[Server]:
    """An application behind the server that ours has."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = ["--interface", "wsgi", "--factory", "--no-ws", "--blocking-threads", "4"]
    options += ["--workers", str(workers), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, factory],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield Server(port, process, registers)
    finally:
        process.terminate()
        process.wait(20)


def board_watcher(port: int, environment: dict[str, str]) -> Callable[[], None]:
    """Sign a reader in, and give what asks for the board once."""
    link = run(environment, "flask", "account", "create", "doc@bench.invalid", "--role", "reader")
    path = urllib.parse.urlsplit(link.strip().splitlines()[-1]).path
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    address = f"http://127.0.0.1:{port}"
    page = browser.open(address + path).read().decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    form = urllib.parse.urlencode({"csrf_token": token[1] if token else ""}).encode()
    browser.open(address + path, form).read()

    def look() -> None:
        browser.open(address + "/coverage/").read()

    look()
    return look


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
        self.address = "/plain" if register["id"] == "plain" else f"/attendance/{register['id']}"
        self.headers = {
            "Authorization": f"Bearer {register['link_token']}",
            "Content-Type": "application/json",
            "X-Device": f"phone-{number}",
        }
        self.size, self.number, self.at = size, number, number * 7
        self.subjects = [one["subject"] for one in self._ask("GET", "/register")["subjects"]]
        self.times: list[float] = []
        self.refused, self.pause, self.repeats = 0, 0.0, False
        self._last: object = None

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = json.dumps(body) if body is not None else None
        self.connection.request(method, self.address + path, data, self.headers)
        response = self.connection.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{response.status}: {found}")
        return found

    def send(self) -> None:
        """One request with its marks, or for the whole register when there are none to send."""
        body = self._last if self.repeats and self._last else self._new_marks()
        self._last = body
        started = time.perf_counter()
        answer = self._ask("POST", "/marks", body) if self.size else self._ask("GET", "/register")
        self.times.append(time.perf_counter() - started)
        self.refused += sum(one["verdict"] == "refused" for one in answer.get("marks", ()))

    def _new_marks(self) -> object:
        now = datetime.now(UTC).isoformat()
        marks = []
        for _ in range(self.size):
            self.at += 1
            subject = self.subjects[self.at % len(self.subjects)]
            mark = {"id": str(uuid.uuid4()), "subject": subject, "status": "present"}
            marks.append(mark | {"tapped_at": now})
        return {"marks": marks, "register": "counts"}


def load(
    phones: list[Phone],
    process: "subprocess.Popen[bytes]",
    seconds: float,
    beside: Callable[[], None] | None = None,
) -> Figures:
    """Let all phones send for the set time; marks a second, CPU and waiting times."""
    until = time.perf_counter() + seconds
    cpu, started = cpu_seconds(process.pid), time.perf_counter()
    tasks: list[Callable[[], None]] = [partial(keep_sending, phone, until) for phone in phones]
    if beside is not None:
        tasks.append(partial(keep_watching, beside, until))
    in_parallel(tasks)
    took, cpu = time.perf_counter() - started, cpu_seconds(process.pid) - cpu
    times = sorted(one for phone in phones for one in phone.times)
    marks = len(times) * phones[0].size
    return {
        "marks_per_second": round(marks / took),
        "marks_per_cpu_second": round(marks / cpu),
        "cpu_ms_per_request": round(1000 * cpu / len(times), 2),
        **{
            f"p{part}_ms": round(1000 * times[len(times) * part // 100], 1) for part in (50, 95, 99)
        },
        "refused": sum(phone.refused for phone in phones),
    }


def keep_sending(phone: Phone, until: float) -> None:
    """One phone's work until the time is over; slow fingers do not all tap at the same moment."""
    time.sleep(phone.pause * (phone.number % 60) / 60)
    while time.perf_counter() < until:
        phone.send()
        time.sleep(phone.pause)


def keep_watching(look: Callable[[], None], until: float) -> None:
    """Somebody who opens the board anew every second."""
    while time.perf_counter() < until:
        look()
        time.sleep(1)


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
