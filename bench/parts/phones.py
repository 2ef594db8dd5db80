"""Phones that send marks to a server for a while, and what they saw: rates, processor time, waiting."""

import http.client
import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from services.attendance_ledger import new_mark_id

TICK = os.sysconf("SC_CLK_TCK")
PAGE_STARTS = b"<!doctype html>"
AHEAD = 30_000
"""Marks a second for which batches are made ready: more than a server takes."""
Figures = dict[str, float]


class Phone:
    """One phone that goes through its registers, name by name, and begins again at the end."""

    def __init__(self, port: int, registers: list[dict[str, Any]], size: int, number: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.registers, self.size, self.number = registers, size, number
        self.path, self.pause, self.repeats = "/marks", 0.0, False
        self.times: list[float] = []
        self.refused = 0
        self._last: tuple[dict[str, Any], bytes] | None = None
        self._ready: deque[tuple[dict[str, Any], bytes]] = deque()
        self._marks: dict[str, str] = {}
        self._names = [(one, self._names_of(one)) for one in registers]
        self._turns = self._go_round()

    def _names_of(self, register: dict[str, Any]) -> list[str]:
        self.ask(register, "GET", "/register")
        found = json.loads(self.ask(register, "GET", "/register"))["subjects"]
        names = [one["subject"] for one in found]
        return names[self.number * 7 :] + names[: self.number * 7]

    def make_ready(self, marks: float) -> None:
        """Make batches for so many marks before the clock starts: a phone has a processor of its
        own, and what is made here would take the server's."""
        if self.size > 1:
            while len(self._ready) * self.size < marks:
                self._ready.append(next(self._turns))

    def ask(
        self, register: dict[str, Any], method: str, path: str, body: bytes | None = None
    ) -> bytes:
        """One request of this register's link; gives the answer's body."""
        base = "/plain" if register["id"] == "plain" else f"/attendance/{register['id']}"
        headers = {
            "Authorization": f"Bearer {register['link_token']}",
            "Content-Type": "application/json",
            "X-Device": f"phone-{self.number}",
        }
        self.connection.request(method, base + path, body, headers)
        response = self.connection.getresponse()
        found = response.read()
        if response.status != 200:
            raise SystemExit(f"{response.status}: {found[:300]!r}")
        return found

    def send(self) -> None:
        """One request with its marks, or for the whole register when there are none to send."""
        register, body = self.registers[0], None
        if self.size:
            if not self.repeats or self._last is None:
                self._last = self._ready.popleft() if self._ready else next(self._turns)
            register, body = self._last
        started = time.perf_counter()
        answer = self.ask(register, "POST" if self.size else "GET", self.path, body)
        self.times.append(time.perf_counter() - started)
        if not answer.startswith(PAGE_STARTS):
            marks = json.loads(answer).get("marks", ())
            self.refused += sum(one["verdict"] == "refused" for one in marks)

    def _go_round(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        while True:
            for register, names in self._names:
                at = 0
                while at < len(names):
                    part = names[at : at + self.size]
                    at += len(part)
                    yield register, self._body(register, part)

    def _body(self, register: dict[str, Any], names: list[str]) -> bytes:
        moment = datetime.now(UTC)
        now, marks = moment.isoformat(), []
        for subject in names:
            mark = {"id": new_mark_id(moment), "subject": subject, "status": "present"}
            before = self._marks.get(f"{register['id']} {subject}")
            self._marks[f"{register['id']} {subject}"] = mark["id"]
            marks.append(mark | {"tapped_at": now} | ({"annuls": before} if before else {}))
        return json.dumps({"marks": marks, "register": "counts", "sent_at": now}).encode()


def load(
    phones: list[Phone],
    process: "subprocess.Popen[bytes]",
    seconds: float,
    beside: Callable[[], None] | None = None,
) -> Figures:
    """Let all phones send for the set time; marks a second, CPU and waiting times."""
    for phone in phones:
        phone.times.clear()
        phone.make_ready(AHEAD * seconds / len(phones))
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
