"""The operator's page is true: its commands are run, its services are started, its proxy hides secrets."""

import configparser
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from flask import Flask

from gateways.logs import without_secrets

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TOKEN = "abcdefgh"
SECRET_ARGUMENTS = ("token", "signed")


def blocks(language: str) -> list[str]:
    """The page's blocks of a kind, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def units() -> dict[str, configparser.ConfigParser]:
    found = {}
    for block in blocks("ini"):
        if "[Service]" in block:
            unit = configparser.ConfigParser(interpolation=None, strict=False)
            unit.optionxform = str  # type: ignore[assignment,method-assign]  # configparser documents it so
            unit.read_string(block)
            found[unit["Unit"]["Description"].rpartition(": ")[2]] = unit
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the page's settings file says, in a passing folder and without a mail server."""
    (tmp_path / "safe").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMTP_")}
    return kept | {
        "INSTANCE_PATH": str(tmp_path / "instance"),
        "SAFE_PLACE": str(tmp_path / "safe"),
        "LOG_FORMAT": "json",
    }


# One process runs all commands of `flask` one after the other: starting each takes longer than it.
RUNNER = """
import os, shlex, subprocess, sys
from app import create_app
from services import installation
app = create_app()
for line in sys.stdin.read().splitlines():
    words = shlex.split(os.path.expandvars(line))
    if words[0] != ".venv/bin/flask":
        subprocess.run(["bash", "-ec", line], check=True)
        continue
    done = app.test_cli_runner().invoke(args=words[1:])
    print(done.output, flush=True)
    if done.exit_code:
        sys.exit(f"{line}: {done.output} {done.exception!r}")
    if words[1:] == ["office", "check"]:
        # A clock has run here once, as on every machine of which the later chapters speak.
        with app.app_context():
            installation.settle()
"""


@pytest.mark.slow
def test_every_command_of_the_page_runs_as_it_stands(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    assert len(commands) >= 10
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=ROOT,
        env=environment,
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "AGE-SECRET-KEY" in (tmp_path / "safe" / "tuyenhuan.key").read_text()
    assert "tuyenhuan_database_up 1.0" in done.stdout
    assert (tmp_path / "safe" / "before.db").is_file()


@pytest.mark.slow
def test_the_services_of_the_page_start_and_answer(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    port = free_port()
    figures = tmp_path / "figures"
    figures.mkdir()
    environment |= {"PROMETHEUS_MULTIPROC_DIR": str(figures)}
    subprocess.run(
        [".venv/bin/flask", "db", "upgrade"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
    )
    running = []
    try:
        for unit in units().values():
            service = unit["Service"]
            before = service.get("ExecStartPre")
            if before:
                subprocess.run(command_of(before), cwd=ROOT, env=environment, check=True)
            command = [
                port if word == "5000" else word for word in command_of(service["ExecStart"])
            ]
            running.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
                )
            )
        answer = wait_for(f"http://127.0.0.1:{port}/healthz")
        assert b'"database": "ok"' in answer or b'"database":"ok"' in answer
        deadline = time.monotonic() + 60
        while b"tuyenhuan_job_seconds_count" not in (
            text := wait_for(f"http://127.0.0.1:{port}/metrics")
        ):
            assert time.monotonic() < deadline, text.decode()[-2000:]
            time.sleep(0.5)
        assert b"tuyenhuan_clock_tick_age_seconds" in text
    finally:
        for process in running:
            process.terminate()
        told = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    lines = [line for part in told for line in part.splitlines() if '"endpoint"' in line]
    assert any("health.show" in line for line in lines), told


def command_of(line: str) -> list[str]:
    """A unit's command, with the page's folder turned into this one."""
    return [word.replace("/opt/tuyenhuan/", f"{ROOT}/") for word in shlex.split(line)]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def wait_for(address: str) -> bytes:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            assert time.monotonic() < deadline, f"{address} never answered"
            time.sleep(0.3)


def test_the_units_are_ones_that_systemd_understands(tmp_path: Path) -> None:
    assert set(units()) == {"pages", "clock and sender"}
    if (program := shutil.which("systemd-analyze")) is None:
        return
    for name, block in zip(
        ("web", "clock"), [b for b in blocks("ini") if "[Unit]" in b], strict=True
    ):
        file = tmp_path / f"tuyenhuan-{name}.service"
        # The check looks for the programs themselves, which lie elsewhere here.
        file.write_text(block.replace("/opt/tuyenhuan", str(ROOT)))
        done = subprocess.run(
            [program, "verify", str(file)], capture_output=True, text=True, check=False
        )
        complaints = [line for line in done.stderr.splitlines() if file.name in line]
        assert [line for line in complaints if "Unknown" in line or "Failed to parse" in line] == []


def test_no_secret_address_is_kept_by_the_proxys_log_or_ours(app: Flask) -> None:
    """Every route with a secret in its address, as found: a new one must be hidden as well."""
    pattern = re.search(r'"~(\^.*?)" "\$\{place\}\.\.\.";', blocks("nginx")[0])
    assert pattern is not None
    hides = re.compile(pattern[1].replace("(?<", "(?P<"))
    secret = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if any(name in rule.arguments for name in SECRET_ARGUMENTS)
    ]
    assert len(secret) > 10
    for rule in secret:
        address = re.sub(r"<[^>]+>", TOKEN, rule)
        found = hides.match(address)
        assert found is not None, f"the proxy's log would keep {rule}"
        assert TOKEN not in found["place"], rule
        assert TOKEN not in without_secrets(f"GET {address} 200"), rule
