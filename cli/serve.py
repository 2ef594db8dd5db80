"""`flask serve`: the web server and the scheduler side by side, in the foreground, until Ctrl-C."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

import click
from flask import current_app
from flask.cli import with_appcontext

from cli.answers import now, refusing
from services import demo, schema

# Two processes use both cores of a small server. The four threads of each let a long import or
# report run beside the phones at the door.
WEB_PROCESSES = 2
WEB_THREADS = 4

# The variable by which the library that counts learns of its folder.
FIGURES_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

STEADY_SECONDS = 60
LONGEST_PAUSE_SECONDS = 60
STOP_SECONDS = 30
START_SECONDS = 60


@dataclass
class Keeper:
    """One child process that is started again, after a growing pause, whenever it ends."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_seconds: int = 1
    wake_at: float = field(default=0.0)

    def tend(self) -> None:
        """Start the child when it is due; note its end, once, with the time of its next start."""
        if self.process is None:
            if time.monotonic() >= self.wake_at:
                self._start()
            return
        code = self.process.poll()
        if code is None:
            return
        if time.monotonic() - self.started > STEADY_SECONDS:
            self.pause_seconds = 1
        click.echo(
            f"{self.name} đã dừng (mã {code}); chạy lại sau {self.pause_seconds} giây.", err=True
        )
        self.process = None
        self.wake_at = time.monotonic() + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _start(self) -> None:
        # A session of its own: Ctrl-C reaches only the parent, which then stops both in order.
        self.process = subprocess.Popen(self.command, env=self.environment, start_new_session=True)
        self.started = time.monotonic()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_for_stop(self) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            click.echo(f"{self.name} không dừng sau {STOP_SECONDS} giây; buộc dừng.", err=True)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@click.command("serve")
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, help="Địa chỉ nghe.")
@click.option(
    "--port",
    envvar="PORT",
    type=click.IntRange(1, 65535),
    default=5000,
    show_default=True,
    help="Cổng nghe.",
)
@with_appcontext
@refusing
def serve(host: str, port: int) -> None:
    """Chạy máy chủ web và bộ lập lịch; dừng bằng Ctrl-C."""
    stopping = _stop_on_signals()
    _refuse_a_taken_port(host, port)
    schema.refuse_other_here()
    base_url = os.environ.get("PUBLIC_URL", "").strip().rstrip("/") or _address(host, port)
    environment = {**os.environ, "HOST": host, "PORT": str(port), "PUBLIC_URL": base_url}
    environment[FIGURES_VARIABLE] = _empty_figures_folder()
    keepers = (
        Keeper("Máy chủ web", _web_command(host, port), environment),
        Keeper("Bộ lập lịch", (sys.executable, "-m", "scheduler"), environment),
    )
    try:
        _start_and_welcome(keepers, stopping, host, port, base_url)
        while not stopping.wait(0.5):
            for keeper in keepers:
                keeper.tend()
    finally:
        for keeper in keepers:
            keeper.ask_to_stop()
        for keeper in keepers:
            keeper.wait_for_stop()
    click.echo("Đã dừng.")


group = serve


def _empty_figures_folder() -> str:
    """Where the processes count together for /metrics; what earlier ones counted is gone."""
    folder = Path(current_app.instance_path) / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)


def _web_command(host: str, port: int) -> tuple[str, ...]:
    options = {
        "--interface": "wsgi",
        "--host": host,
        "--port": str(port),
        "--workers": str(WEB_PROCESSES),
        "--blocking-threads": str(WEB_THREADS),
        "--log-level": "warning",
        "--workers-kill-timeout": "10",
    }
    flat = [part for option in options.items() for part in option]
    flags = ("--factory", "--no-ws", "--respawn-failed-workers")
    return (sys.executable, "-m", "granian", *flat, *flags, "app:create_app")


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return stopping


def _refuse_a_taken_port(host: str, port: int) -> None:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        click.echo(
            f"Không mở được {host}:{port}: địa chỉ sai hoặc cổng đang có chương trình khác dùng. "
            f"Hãy chọn cổng khác, ví dụ: PORT={port % 65535 + 1} make run",
            err=True,
        )
        sys.exit(1)


def _address(host: str, port: int) -> str:
    shown = _reachable(host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _reachable(host: str) -> str:
    """The address at which this machine itself reaches a server that listens everywhere."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _start_and_welcome(
    keepers: Sequence[Keeper], stopping: threading.Event, host: str, port: int, base_url: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not stopping.is_set():
        for keeper in keepers:
            keeper.tend()
        if _answers(host, port):
            break
        if time.monotonic() > deadline:
            click.echo("Máy chủ web chưa trả lời sau một phút; vẫn tiếp tục chờ.", err=True)
            return
        stopping.wait(0.2)
    if not stopping.is_set():
        click.echo(f"\nTuyên Huấn đang chạy tại {base_url}\n")
        secret_key = current_app.config["SECRET_KEY"]
        for line in demo.welcome_lines(base_url, secret_key, now=now()):
            click.echo(line)
        click.echo("\nDừng bằng Ctrl-C.")


def _answers(host: str, port: int) -> bool:
    connection = HTTPConnection(_reachable(host), port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
