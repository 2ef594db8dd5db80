"""Phones as processes of their own: what is tapped is on the phone's disk first, and stays till a verdict."""

import http.client
import json
import os
import random
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HAS_IT = {"stored", "known", "flagged"}
STATUSES = ("present", "late", "left_early", "excused", "unexcused")
STRANGERS, TAKEN_BACK = 0.3, 0.1
BATCH = 100
Mark = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """One phone: its number, how far its clock is off, whose names it shows, and how it sends.

    `folder` holds its journal, its doors (meeting → headers that open its register) and the file
    `over` that ends the tapping. A `naive` phone gives every try a new id, trusts any answer below
    500 and never says what its clock shows.
    """

    number: int
    port: int
    folder: Path
    meetings: tuple[int, ...]
    people: tuple[int, ...]
    seconds_off: float = 0.0
    naive: bool = False

    @property
    def journal(self) -> Path:
        """One JSON object a line: a tap with its true moment, or a verdict."""
        return self.folder / f"phone-{self.number}"

    @property
    def doors(self) -> Path:
        """The headers that open each register now; a person may be given a new link."""
        return self.folder / f"doors-{self.number}"


def entries(journal: Path) -> list[dict[str, Any]]:
    """What a phone wrote down; the last line is missing when it died while writing it."""
    if not journal.exists():
        return []
    lines = journal.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1]]


def run_phone(plan: Plan) -> None:
    """Tap and send until told that it is over, then until nothing waits."""
    phone = Phone(plan)
    over = plan.folder / "over"
    while not over.exists():
        offline_until = time.monotonic() + phone.chance.choice((0, 0, 0, 3, 8))
        while time.monotonic() < offline_until and not over.exists():
            phone.tap(phone.chance.randint(1, 6))
            time.sleep(phone.chance.uniform(0.05, 0.3))
        phone.tap(phone.chance.randint(1, 6))
        phone.send(phone.chance.choice(plan.meetings))
        time.sleep(phone.chance.uniform(0.02, 0.2))
    while phone.waiting:
        for meeting in plan.meetings:
            phone.send(meeting)
        time.sleep(0.2)


class Phone:
    """What is in a phone's hand: its queue, read again from its journal after it was killed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(f"{plan.number} {os.getpid()}")
        self.waiting: dict[str, tuple[int, Mark]] = {}
        self.own: list[tuple[int, Mark]] = []
        for entry in entries(plan.journal):
            if "mark" in entry:
                self.waiting[entry["mark"]["id"]] = (entry["meeting"], entry["mark"])
            else:
                self.waiting.pop(entry["id"], None)
        # A line that was cut off was never shown as kept: what follows begins a line of its own.
        whole = plan.journal.read_bytes().rpartition(b"\n") if plan.journal.exists() else (b"",) * 3
        self._journal = os.open(plan.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.truncate(plan.journal, len(whole[0]) + len(whole[1]))

    def shown(self, at: float) -> str:
        """What this phone's clock shows at a moment."""
        return datetime.fromtimestamp(at + self.plan.seconds_off, UTC).isoformat()

    def tap(self, times: int) -> None:
        """Mark people of one register, write a stranger down, or take an own mark back."""
        meeting = self.chance.choice(self.plan.meetings)
        for _ in range(times):
            at = time.time()
            mark = self._mark(meeting) | {"id": str(uuid.uuid4()), "tapped_at": self.shown(at)}
            self._note({"mark": mark, "meeting": meeting, "at": at})
            self.waiting[mark["id"]] = (meeting, mark)
            self.own = [*self.own[-50:], (meeting, mark)]

    def _mark(self, meeting: int) -> Mark:
        what = self.chance.random()
        mine = [one for at, one in self.own if at == meeting and one["subject"][0] == "m"]
        if what < STRANGERS or self.plan.naive:
            stranger = {"subject": f"w:{uuid.uuid4()}", "name": f"Khách {self.plan.number}"}
            return stranger | {"status": "present"}
        if what < STRANGERS + TAKEN_BACK and mine:
            target = self.chance.choice(mine)
            return {"subject": target["subject"], "status": "none", "annuls": target["id"]}
        person = self.chance.choice(self.plan.people)
        return {"subject": f"m:{person}", "status": self.chance.choice(STATUSES)}

    def _note(self, entry: dict[str, Any]) -> None:
        os.write(self._journal, json.dumps(entry).encode() + b"\n")

    def send(self, meeting: int) -> None:
        """Once; whatever is no verdict of ours leaves everything waiting."""
        mine = [mark for at, mark in self.waiting.values() if at == meeting]
        batch = self.chance.sample(mine, min(BATCH, len(mine)))
        if not batch:
            return
        try:
            status, content = self._ask(meeting, batch)
        except (OSError, http.client.HTTPException):
            return
        if self.plan.naive:
            if status < 500:
                self._settle([{"id": mark["id"], "verdict": "believed"} for mark in batch])
            return
        try:
            told = json.loads(content)["marks"] if status == 200 else []
        except (ValueError, KeyError, TypeError):
            return
        asked = {mark["id"] for mark in batch}
        self._settle([one for one in told if one["id"] in asked])

    def _settle(self, verdicts: list[dict[str, Any]]) -> None:
        for one in verdicts:
            self._note(one)
            self.waiting.pop(one["id"], None)

    def _ask(self, meeting: int, batch: list[Mark]) -> tuple[int, bytes]:
        body: dict[str, Any] = {"marks": batch, "register": "counts"}
        if self.plan.naive:
            body["marks"] = [mark | {"id": str(uuid.uuid4())} for mark in batch]
        else:
            body["sent_at"] = self.shown(time.time())
        headers = json.loads(self.plan.doors.read_text())[str(meeting)]
        headers |= {"Content-Type": "application/json", "Connection": "close"}
        headers["X-Device"] = f"phone-{self.plan.number}"
        connection = http.client.HTTPConnection("127.0.0.1", self.plan.port, timeout=30)
        try:
            connection.request(
                "POST", f"/attendance/{meeting}/marks", json.dumps(body).encode(), headers
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
