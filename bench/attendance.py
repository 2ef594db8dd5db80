"""How fast the register takes marks: beside a bare Flask application and the raw commit rate of the
same database in the same run, on SQLite and on PostgreSQL.

    python -m bench.attendance [--database sqlite|postgresql|all] [--phones 60] [--seconds 10]

Starts the real server over a temporary demonstration ward. First one phone alone, for processor
time; then so many phones at once on one register, tapping once a second while somebody watches the
board, and as fast as answers come; then by fifty. Names are marked one after another, register after
register; who is marked again is corrected knowingly, as a phone does it. Prints one line of JSON per
figure, then ratios.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from socket import socket
from statistics import median
from typing import Any

from sqlalchemy import create_engine, text

from bench.parts import plain_register
from bench.parts.phones import Figures, Phone, load
from bench.parts.raw_commits import IDS, raw_commits
from tests import postgresql

ROOT = Path(__file__).resolve().parent.parent
REGISTERS, OF_CAMPAIGN = 200, 24
ROUNDS = 7
MEMBERS = "500"
KINDS = (
    ("mark", 1, "/marks"),
    ("the same mark again", 1, "/marks"),
    ("register", 0, "/register"),
    ("page", 0, ""),
    ("50 marks", 50, "/marks"),
)
RAW_ROWS = {"mark": (1,), "50 marks": (8, 50)}
Rounds = dict[str, list[Figures]]


@dataclass
class Server:
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"


def main() -> None:
    """Run every measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "all"), default="all")
    parser.add_argument("--phones", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    names = ("sqlite", "postgresql") if options.database == "all" else (options.database,)
    for name in names:
        with tempfile.TemporaryDirectory() as folder, database(name, Path(folder)) as url:
            if url:
                measure(name, prepared(Path(folder), url), options)
            else:
                print("PostgreSQL IS MISSING: NOT MEASURED", file=sys.stderr)


def measure(name: str, environment: dict[str, str], options: argparse.Namespace) -> None:
    """Everything on one database: the floor and ours alone, then many phones."""
    registers = made_registers(environment)
    of_campaign = registers[:OF_CAMPAIGN]
    join_campaign(environment["DATABASE_URL"], [one["id"] for one in of_campaign])
    plain = {"id": "plain", "link_token": plain_register.TOKEN}
    with (
        server(environment, "bench.parts.plain_register:create_app", 1) as bare,
        server(environment, "app:create_app", 1) as ours,
    ):
        sides = {
            "floor": Side(bare, [plain]),
            "ours": Side(ours, registers[OF_CAMPAIGN:]),
            "ours, in a campaign": Side(ours, of_campaign),
        }
        rounds = alone(name, sides, environment, options.seconds)
    os.sync()  # what was written before is on the disk's way no longer
    with server(environment, "app:create_app", 2) as ours:
        crowd(name, ours, registers, environment, options)
    print(json.dumps({"what": f"{name}: ratios", **ratios(rounds)}), flush=True)


@contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    """The address of an empty database that keeps what it commits; empty when it cannot be made."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    programs = postgresql.server_programs()
    if programs is None:
        yield ""
        return
    cluster = postgresql.Cluster(programs, durable=True)
    try:
        cluster.create("bench")
        yield cluster.url("bench")
    finally:
        cluster.stop()


class Side:
    """One of those that are compared: a server, its registers, and two phones before it."""

    def __init__(self, at: Server, registers: list[dict[str, Any]]) -> None:
        self.at = at
        self.phones = [Phone(at.port, registers[one::2] or registers, 1, one) for one in range(2)]

    def load(self, kind: str, size: int, path: str, seconds: float) -> Figures:
        """Marks by fifty come from both phones, so that the server is at work while one of them
        makes its next fifty; all else from one."""
        phones = self.phones if size > 1 else self.phones[:1]
        for phone in phones:
            phone.size, phone.path = size, path
            phone.repeats = kind == "the same mark again"
            phone.connection.close()  # it opens anew: the server hangs up on those that wait long
        return load(phones, self.at.process, seconds)


def alone(name: str, sides: dict[str, Side], environment: dict[str, str], seconds: float) -> Rounds:
    """One phone's marks singly, again, the whole register and its page, and marks by fifty; beside
    marks, the raw commits of the same database. All take turns, since the machine changes
    its speed all the time; what is told of each is the median of its rounds."""
    rounds: Rounds = {}
    for kind, size, path in KINDS:
        loads = {
            f"{what}, {kind}": partial(side.load, kind, size, path) for what, side in sides.items()
        }
        loads |= {
            f"raw commits of {rows}, {ids}": partial(raw_commits, environment, rows, ids)
            for rows in RAW_ROWS.get(kind, ())
            for ids in IDS
        }
        for turn in range(ROUNDS + 1):
            for what, load_it in loads.items():
                found = load_it(seconds / ROUNDS)
                if turn:  # the first warms up
                    rounds.setdefault(what, []).append(found)
        for what in loads:
            measured = rounds[what]
            tell(
                f"{name}: {what}",
                {key: median(one[key] for one in measured) for key in measured[0]},
            )
    return rounds


def crowd(
    name: str,
    at: Server,
    registers: list[dict[str, Any]],
    environment: dict[str, str],
    options: argparse.Namespace,
) -> None:
    """Many phones at once: at people's pace with the board watched, at full speed, and by fifty."""
    watching = board_watcher(at.port, environment)
    for what, size, pause in (
        ("tapping once a second, board watched", 1, 1.0),
        ("as fast as answers come", 1, 0.0),
        ("by fifty, each at a register of its own turn", 50, 0.0),
    ):
        used = registers if size > 1 else registers[:1]
        phones = [
            Phone(at.port, used[number % len(used) :][:1], size, number)
            for number in range(options.phones)
        ]
        for phone in phones:
            phone.pause = pause
        beside = watching if pause else None
        tell(
            f"{name}: {len(phones)} phones, {what}",
            load(phones, at.process, options.seconds, beside),
        )


def ratios(rounds: Rounds) -> Figures:
    """Our processor time against the floor's, and our marks against raw commits: each the median of
    its ratios within a round."""

    def of_floor(kind: str, ours: str = "ours") -> float:
        pairs = zip(rounds[f"floor, {kind}"], rounds[f"{ours}, {kind}"], strict=True)
        cpu = "cpu_ms_per_request"
        return round(median(floor[cpu] / own[cpu] for floor, own in pairs), 2)

    def of_raw(kind: str, raw: str) -> float:
        pairs = zip(rounds[raw], rounds[f"ours, {kind}"], strict=True)
        return round(
            median(own["marks_per_second"] / one["rows_per_second"] for one, own in pairs), 2
        )

    return {
        **{f"{kind} / floor": of_floor(kind) for kind, _, _ in KINDS},
        "mark in a campaign / floor": of_floor("mark", "ours, in a campaign"),
        "page_ms": median(one["cpu_ms_per_request"] for one in rounds["ours, page"]),
        **{
            f"{kind} / {raw}": of_raw(kind, raw)
            for kind, sizes in RAW_ROWS.items()
            for raw in (f"raw commits of {rows}, {ids}" for rows in sizes for ids in IDS)
        },
    }


def tell(what: str, figures: Figures) -> Figures:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}), flush=True)
    return figures


def prepared(folder: Path, url: str) -> dict[str, str]:
    """The environment of a fresh demonstration ward in that database."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "INSTANCE_PATH": str(folder),
        "PUBLIC_URL": "http://127.0.0.1",
    }
    run(environment, "flask", "db", "upgrade")
    run(environment, "flask", "demo", "load", "--scale", "ward")
    return environment


def made_registers(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Published meetings, each with a register of some five hundred names."""
    made = run(environment, "tests.browser.new_registers", MEMBERS, "roll", str(REGISTERS))
    return [json.loads(line) for line in made.splitlines()]


def join_campaign(url: str, meeting_ids: list[int]) -> None:
    """Let those meetings' marks count to the open campaign."""
    statement = text(
        "UPDATE meeting SET campaign_id = (SELECT min(id) FROM campaign WHERE state = 'open')"
        " WHERE id = :meeting"
    )
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(statement, [{"meeting": one} for one in meeting_ids])
    engine.dispose()


@contextmanager
def server(environment: dict[str, str], factory: str, workers: int) -> Iterator[Server]:
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
        yield Server(port, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


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
    for _ in range(900):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/sign-in")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
