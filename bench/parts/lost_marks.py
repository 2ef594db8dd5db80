"""Whether a mark is ever lost or doubled: phones that mark, repeat and lose answers while the server
is killed again and again.

    python -m bench.parts.lost_marks [--database NAME] [--phones 6] [--seconds 60] [--naive]

Each phone keeps its marks until a verdict names them, as the page does. The server is ended with
SIGKILL every second or so and started again. At the end all phones deliver what they still have, and
the ledger is compared with what was tapped. `--naive` drops marks on any answer below 500 and gives
every try a new id, to show that the comparison would notice; it must find losses or doubles.

Prints one line of JSON for each database; exit 1 when a mark was lost or doubled (with `--naive`: when
none was).
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from bench.attendance import ROOT, database, prepared, run, wait_for

HAS_IT = {"stored", "known", "flagged"}
LOST_ANSWERS = 0.08
Mark = dict[str, Any]


class Killable:
    """The real server at one port, killed and started again."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.environment = environment
        self.kills = 0
        self.start()

    def start(self) -> None:
        options = ["--interface", "wsgi", "--factory", "--no-ws", "--blocking-threads", "4"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "granian", *options, "--port", str(self.port), "app:create_app"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.port)

    def kill(self) -> None:
        """End it and its worker in the middle of what they do."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.kills += 1


class Phone:
    """One phone's queue: what was tapped, and what no verdict has named yet."""

    def __init__(self, port: int, register: dict[str, Any], number: int, *, naive: bool) -> None:
        self.port, self.register, self.number, self.naive = port, register, number, naive
        self.chance = random.Random(number)
        self.clock = timedelta(hours=self.chance.choice((0, 0, 0, 7, -24)))
        self.tapped: dict[str, Mark] = {}
        self.waiting: dict[str, Mark] = {}

    def now(self) -> str:
        return (datetime.now(UTC) + self.clock).isoformat()

    def tap(self) -> None:
        own = str(uuid.uuid4())
        subject = f"w:{uuid.uuid4()}"
        mark = {"id": own, "subject": subject, "status": "present", "tapped_at": self.now()}
        self.tapped[own] = self.waiting[own] = mark | {"name": f"Khách {self.number}"}

    def send(self) -> None:
        """Once; what comes back without a verdict of ours leaves everything waiting."""
        batch = self.chance.sample(list(self.waiting.values()), min(20, len(self.waiting)))
        if self.naive:
            batch = [one | {"id": str(uuid.uuid4()), "was": one["id"]} for one in batch]
        try:
            status, answer = self.ask({"marks": batch, "register": "counts", "sent_at": self.now()})
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            return
        if self.naive and status < 500:
            for one in batch:
                self.waiting.pop(one["was"], None)
        if status == 200 and not self.naive:
            for one in answer["marks"]:
                if one["verdict"] in HAS_IT:
                    self.waiting.pop(one["id"], None)

    def ask(self, body: object) -> tuple[int, Any]:
        headers = {
            "Authorization": f"Bearer {self.register['link_token']}",
            "Content-Type": "application/json",
            "X-Device": f"phone-{self.number}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                "POST", f"/attendance/{self.register['id']}/marks", json.dumps(body), headers
            )
            response = connection.getresponse()
            if self.chance.random() < LOST_ANSWERS:
                raise OSError("the answer is lost on its way")
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def work(self, until: float) -> None:
        while time.monotonic() < until:
            for _ in range(self.chance.randint(1, 5)):
                self.tap()
            self.send()
            time.sleep(0.02)


def main() -> None:
    """Torture each database and say what was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "all"), default="all")
    parser.add_argument("--phones", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--naive", action="store_true")
    options = parser.parse_args()
    names = ("sqlite", "postgresql") if options.database == "all" else (options.database,)
    wrong = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder, database(name, Path(folder)) as url:
            if not url:
                print("PostgreSQL IS MISSING: NOT TRIED", file=sys.stderr)
                continue
            found = torture(prepared(Path(folder), url), options)
            print(json.dumps({"what": name, **found}), flush=True)
            wrong += found["lost"] + found["doubled"]
    raise SystemExit(int(bool(wrong) != options.naive))


def torture(environment: dict[str, str], options: argparse.Namespace) -> dict[str, int]:
    """Phones and kills for the set time, then what the ledger has of what was tapped."""
    register = json.loads(run(environment, "tests.browser.new_registers", "40", "roll"))
    server = Killable(environment)
    phones = [
        Phone(server.port, register, number, naive=options.naive)
        for number in range(options.phones)
    ]
    until = time.monotonic() + options.seconds
    threads = [threading.Thread(target=phone.work, args=(until,)) for phone in phones]
    for thread in threads:
        thread.start()
    chance = random.Random(1)
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.3, 1.5))
        server.kill()
        server.start()
    for thread in threads:
        thread.join()
    for phone in phones:
        while phone.waiting:
            phone.send()
    with suppress(ProcessLookupError):
        server.kill()
    return compared(environment["DATABASE_URL"], register["id"], phones) | {"kills": server.kills}


def compared(url: str, meeting: int, phones: list[Phone]) -> dict[str, int]:
    """Every tap is about a stranger of its own: present once is right, never or twice is wrong."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT subject, count(*) FROM mark WHERE meeting_id = :meeting GROUP BY subject"),
            {"meeting": meeting},
        )
        kept = {row[0]: row[1] for row in rows}
        present = connection.execute(
            text("SELECT present_count FROM meeting WHERE id = :meeting"), {"meeting": meeting}
        ).scalar_one()
    engine.dispose()
    tapped = {mark["subject"] for phone in phones for mark in phone.tapped.values()}
    return {
        "tapped": len(tapped),
        "lost": len(tapped - kept.keys()),
        "doubled": sum(count > 1 for count in kept.values()),
        "counted_wrongly": abs(present - len(kept)),
    }


if __name__ == "__main__":
    main()
