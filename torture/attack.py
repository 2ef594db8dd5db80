"""Attacks on a running server: stolen cookies, raced links, guesses, poisoned hosts, floods, leaks.

Each part is one line of the attack list (A5 to A19) and notes its figure and whether it held.
"""

import argparse
import os
import random
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from torture.outcome import Outcome
from torture.stage import ROOT, WORK_SECONDS, Stage, free_port, stage, wait_until
from torture.visitor import Visitor

NAME = "attack"
QUICK = [("--flood", "60")]
FULL = [("--flood", "200")]
_REDIRECTS = """
https://evil.example //evil.example ///evil.example /\\evil.example \\\\evil.example
https:evil.example https:/evil.example http:evil.example javascript:alert(1)
//evil.example/%2e%2e /%09/evil.example /%5cevil.example //%5cevil.example / /evil.example
http://127.0.0.1@evil.example //127.0.0.1@evil.example https://evil.example#/me
https://evil.example?/me .evil.example @evil.example //google.com%00/me /me//evil.example/..
data:text/html,x vbscript:x ftp://evil.example //0x7f000001 //evil.example:80/me
/\\/evil.example HTTPS://EVIL.EXAMPLE //evil%E3%80%82example
"""
REDIRECTS = _REDIRECTS.split()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many sign-ins at once in the flood."""
    parser.add_argument("--flood", type=int, default=60)
    parser.set_defaults(db="sqlite")


def run(options: argparse.Namespace) -> Outcome:
    """Start the program over the demonstration ward and attack it."""
    outcome = Outcome()
    with stage(options) as made:
        made.flask("demo", "load", "--scale", "ward")
        with server(made) as (port, process, log):
            target = Target(made, port, process, log, made.random)
            for part in PARTS:
                part(target, outcome, options)
    outcome.promised = len(PARTS)
    outcome.delivered = outcome.promised - len(outcome.broken)
    return outcome


class Target:
    """The server under attack, and the secrets handed out so far."""

    def __init__(
        self,
        made: Stage,
        port: int,
        process: "subprocess.Popen[bytes]",
        log: Path,
        chance: random.Random,
    ) -> None:
        self.made, self.port, self.process, self.log = made, port, process, log
        self.random = chance
        self.secrets: list[str] = []
        self.made_accounts = 0

    def visitor(self) -> Visitor:
        """A browser at an address that nobody else uses."""
        numbers = (self.random.randrange(1, 255) for _ in range(3))
        return Visitor(self.port, "10." + ".".join(map(str, numbers)))

    def link(self, role: str = "staff") -> tuple[str, str]:
        """A new account's address and its one-time link."""
        self.made_accounts += 1
        email = f"tester{self.made_accounts}@test.invalid"
        url = self.made.flask("account", "create", email, "--role", role).split()[-1]
        self.secrets.append(url.rpartition("/")[2])
        return email, url


@contextmanager
def server(made: Stage, **settings: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]", Path]]:
    """The web server as it runs in service, its words in one file."""
    port, log = free_port(), made.folder / "server.log"
    flags = "--interface wsgi --host 127.0.0.1 --workers 1 --blocking-threads 8 --factory"
    command = [sys.executable, "-m", "granian", *flags.split()]
    command += ["--port", str(port), "app:create_app"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | settings, stdout=stream, stderr=stream
        )
        try:
            if not wait_until(lambda: _answers(port), WORK_SECONDS):
                raise RuntimeError("the server did not start: " + log.read_text()[-2000:])
            yield port, process, log
        finally:
            process.terminate()
            process.wait(WORK_SECONDS)


def _answers(port: int) -> bool:
    try:
        return Visitor(port).get("/sign-in").status == 200
    except OSError:
        return False


def stolen_cookie(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A5: a copied cookie is worth nothing after signing out or after a lock."""
    accepted = 0
    for way in ("sign out", "lock"):
        email, link = target.link()
        owner = target.visitor()
        owner.sign_in(link)
        thief = Visitor(target.port, "10.9.9.9", dict(owner.cookies))
        outcome.require(thief.get("/me").status == 200, "A5: the copied cookie must work before")
        page = owner.get("/me")
        if way == "sign out":
            owner.post("/sign-out", {"csrf_token": page.token})
        else:
            _lock(target, email)
        accepted += thief.get("/me").status == 200
    outcome.figures["A5 accepted after the end"] = accepted
    outcome.require(accepted == 0, f"A5: {accepted} copied cookies were accepted")


def _lock(target: Target, email: str) -> None:
    _, link = target.link("admin")
    boss = target.visitor()
    boss.sign_in(link)
    listing = boss.get("/accounts?q=" + email.partition("@")[0])
    path = re.search(r'href="(/accounts/\d+)"', listing.text)
    if path is None:
        raise RuntimeError("the account is not in the list")
    page = boss.get(path[1])
    form = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', page.text))
    form |= {"name": "Khoá", "csrf_token": page.token}
    for name in re.findall(r'<select[^>]*name="([^"]+)"', page.text):
        form.setdefault(name, "")
    form = {name: value for name, value in form.items() if name != "is_active"}
    roles = [name for name in form if name.endswith("role")]
    form |= dict.fromkeys(roles[:1], "staff")
    boss.post(path[1], form)


def raced_link(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A6: of fifty who press the button of one link at once, exactly one gets in; none later."""
    _, link = target.link()
    path = "/sign-in/" + link.rpartition("/")[2]
    racers = [target.visitor() for _ in range(50)]
    tokens = [racer.get(path).token for racer in racers]
    start = threading.Barrier(len(racers))

    def press(racer: Visitor, token: str) -> bool:
        start.wait()
        racer.post(path, {"csrf_token": token})
        return racer.get("/me").status == 200

    with ThreadPoolExecutor(len(racers)) as pool:
        won = sum(pool.map(press, racers, tokens))
    late = target.visitor()
    late.sign_in(link)
    later = late.get("/me").status == 200
    outcome.figures["A6 of 50"] = won
    outcome.require(won == 1 and not later, f"A6: {won} of 50 got in, later {later}")


def guesses(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A7: at most ten guesses an hour for an account, and its owner still gets a link by mail."""
    heard = 0
    for number in range(30):
        guesser = target.visitor()
        form = {"email": "canbo@demo.invalid", "password": f"đoán thử lần {number}"}
        form["csrf_token"] = guesser.get("/sign-in").token
        heard += guesser.post("/sign-in", form).status == 422
    owner = target.visitor()
    asked = owner.post(
        "/sign-in/links",
        {"email": "canbo@demo.invalid", "csrf_token": owner.get("/sign-in").token},
    )
    fed = sum(target.visitor().get(f"/feeds/{'x' * 42}{n}.ics").status == 200 for n in range(9))
    outcome.figures["A7 guesses heard in an hour"] = heard
    outcome.require(heard <= 10, f"A7: {heard} guesses were heard")
    outcome.require(asked.status in (200, 303), "A7: the owner was locked out of mail links")
    outcome.require(fed == 0, "A7: a guessed feed was answered")


def enumeration(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A8: a wrong password takes as long, and says the same, for known and unknown people."""
    known = ["quantri@demo.invalid", "thuongtruc@demo.invalid"]
    times: dict[bool, list[float]] = {True: [], False: []}
    pages: dict[bool, set[str]] = {True: set(), False: set()}
    for number in range(18):
        is_known = number % 2 == 0
        email = known[number // 2 % 2] if is_known else f"ai{number:013}@demo.invalid"
        guesser = target.visitor()
        form = {"email": email, "password": "không phải mật khẩu"}
        form["csrf_token"] = guesser.get("/sign-in").token
        began = time.perf_counter()
        answer = guesser.post("/sign-in", form)
        times[is_known].append(time.perf_counter() - began)
        plain = re.sub(r'value="[^"]*"|nonce="[^"]*"|content="[^"]*"', "", answer.text)
        pages[is_known].add(f"{answer.status}{plain}")
    gap = abs(statistics.median(times[True]) - statistics.median(times[False])) * 1000
    outcome.figures["A8 median gap, ms (a busy machine adds its own)"] = round(gap, 1)
    outcome.require(pages[True] == pages[False], "A8: the pages differ")


def poisoned_host(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A9: a foreign Host is 400, and no forwarded name gets into a page."""
    statuses = set()
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "a@evil.example"):
        statuses.add(target.visitor().get("/sign-in", Host=host).status)
    foreign = 0
    for name in ("X_Forwarded_Host", "X_Host", "X_Forwarded_Server", "Forwarded"):
        page = target.visitor().get("/sign-in", **{name: "evil.example"})
        foreign += "evil.example" in page.text + str(page.headers)
    outcome.figures["A9 statuses"] = sorted(statuses)
    outcome.require(statuses == {400}, f"A9: a foreign host got {statuses}")
    outcome.require(foreign == 0, "A9: a forwarded name stands in a page")


def redirects(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A10: nothing in `next` leads away."""
    away = []
    for payload in REDIRECTS:
        _, link = target.link() if payload is REDIRECTS[0] else ("", "")
        visitor = target.visitor()
        page = visitor.get("/sign-in")
        form = {"language": "vi", "next": payload, "csrf_token": page.token}
        for path in ("/sign-in", "/preferences"):
            answer = visitor.post(path, form | {"email": "x@x.invalid", "password": "x"})
            place = answer.headers.get("location", "")
            if place and not (place.startswith("/") and not re.match(r"/[\\/\s]", place)):
                away.append(place)
        del link
    outcome.figures["A10 payloads"] = len(REDIRECTS)
    outcome.require(not away, f"A10: led away to {away[:3]}")


def leaks(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A11: no secret stands in a log, in the database or in a file; a revoked one is 404 at once."""
    code = _one_member(target)
    feed = target.made.flask("feed", "url", code).split()[-1].rpartition("/")[2]
    data = target.made.flask("privacy", "link", code).split()[-1].rpartition("/")[2]
    visitor = target.visitor()
    opened = visitor.get(f"/feeds/{feed}").status, visitor.get(f"/my-data/{data}").status
    visitor.get(f"/feeds/{feed}?x=1")
    visitor.get(f"/feeds/{feed}/broken")
    target.secrets += [feed.removesuffix(".ics"), data]
    target.secrets += [value for value in visitor.cookies.values() if len(value) > 60]
    found = {where for where, text in _everything(target) for one in target.secrets if one in text}
    target.made.flask("feed", "url", code, "--rotate")
    after = visitor.get(f"/feeds/{feed}").status
    outcome.figures["A11 places with a secret"] = sorted(found)
    outcome.require(opened == (200, 200), f"A11: the addresses must work before: {opened}")
    outcome.require(not found, f"A11: a secret stands in {sorted(found)}")
    outcome.require(after == 404, f"A11: a revoked address got {after}")


def _one_member(target: Target) -> str:
    with sqlite3.connect(target.made.folder / "torture.db") as connection:
        code: str = connection.execute("SELECT code FROM person LIMIT 1").fetchone()[0]
    return code


def _everything(target: Target) -> Iterator[tuple[str, str]]:
    yield "the server's log", target.log.read_text(errors="replace")
    with sqlite3.connect(target.made.folder / "torture.db") as connection:
        yield "the database", "\n".join(map(str, connection.iterdump()))
    for file in target.made.folder.rglob("*"):
        if file.is_file() and not file.name.startswith("torture.db") and file != target.log:
            yield file.name, file.read_bytes().decode("utf-8", "replace")


def flood(target: Target, outcome: Outcome, options: argparse.Namespace) -> None:
    """A18: many sign-ins at once neither eat the memory nor stop other pages."""
    before = _memory(target.process.pid)
    waits: list[float] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            began = time.perf_counter()
            target.visitor().get("/privacy/notice")
            waits.append(time.perf_counter() - began)
            time.sleep(0.05)

    visitors = [target.visitor() for _ in range(options.flood)]
    tokens = [visitor.get("/sign-in").token for visitor in visitors]

    def guess(place: int) -> int:
        form = {"email": f"lu{place}@test.invalid", "password": "một mật khẩu dài"}
        return visitors[place].post("/sign-in", form | {"csrf_token": tokens[place]}).status

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(options.flood) as pool:
        statuses = list(pool.map(guess, range(options.flood)))
    done.set()
    reader.join()
    grown = max(0, _memory(target.process.pid, peak=True) - before) / 1024
    slowest = sorted(waits)[int(len(waits) * 0.99) - 1] if len(waits) > 1 else 0.0
    outcome.figures["A18 memory grown, MiB"] = round(grown, 1)
    outcome.figures["A18 other pages p99, s"] = round(slowest, 2)
    outcome.require(grown <= 60, f"A18: memory grew by {grown:.0f} MiB")
    outcome.require(all(status in (422, 429, 503) for status in statuses), "A18: odd answers")


def _memory(pid: int, *, peak: bool = False) -> int:
    """Resident kilobytes of a process and those it started (their peak when asked)."""
    wanted = "VmHWM" if peak else "VmRSS"
    pids = [pid]
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            pids.append(int(entry.parent.name))
    total = 0
    for one in pids:
        status = Path(f"/proc/{one}/status").read_text()
        found = re.search(rf"{wanted}:\s+(\d+)", status)
        total += int(found[1]) if found else 0
    return total


def bulk(target: Target, outcome: Outcome, _options: argparse.Namespace) -> None:
    """A19: huge bodies, a hundred thousand fields and slow senders are refused or outlived."""
    huge = _raw(target.port, "Content-Length: 1000000000\r\n", b"x" * 100_000)
    visitor = target.visitor()
    token = visitor.get("/sign-in").token
    fields = {f"f{number}": "1" for number in range(100_000)}
    many = visitor.post("/sign-in", fields | {"csrf_token": token}).status
    slow = [socket.create_connection(("127.0.0.1", target.port)) for _ in range(100)]
    for one in slow:
        one.sendall(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
    began = time.perf_counter()
    answered = target.visitor().get("/sign-in").status
    waited = time.perf_counter() - began
    for one in slow:
        one.close()
    outcome.figures["A19"] = {"1 GB": huge, "100.000 fields": many, "beside 100 slow": answered}
    outcome.figures["A19 wait beside 100 slow senders, s"] = round(waited, 2)
    outcome.require(huge in (400, 413), f"A19: a body of 1 GB got {huge}")
    outcome.require(many in (400, 413), f"A19: 100.000 fields got {many}")
    outcome.require(answered == 200 and waited < 10, "A19: slow senders stopped the others")


def _raw(port: int, headers: str, body: bytes) -> int:
    """The status of a request written by hand; 413 also when the server hangs up on it."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/plain\r\n"
        try:
            connection.sendall((head + headers + "\r\n").encode() + body)
            answer = connection.recv(200).decode("latin-1")
        except (BrokenPipeError, ConnectionResetError):
            return 413
    return int(answer.split()[1]) if answer.startswith("HTTP/") else 413


PARTS = (
    stolen_cookie,
    raced_link,
    poisoned_host,
    redirects,
    leaks,
    bulk,
    flood,
    enumeration,
    guesses,
)
