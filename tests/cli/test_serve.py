"""The foreground server: two children, a clean stop, and a sentence when the port is taken."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def environment(tmp_path: Path, port: int) -> dict[str, str]:
    """The settings of a server with a migrated, empty database."""
    settings = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'serve.db'}",
        "INSTANCE_PATH": str(tmp_path),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    settings.pop("PUBLIC_URL", None)
    upgrade = [sys.executable, "-m", "flask", "db", "upgrade"]
    subprocess.run(upgrade, cwd=ROOT, env=settings, check=True, capture_output=True)
    return settings


@pytest.fixture
def serving(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "serve"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        process.terminate()
    process.communicate()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 45
    while not answers(url):
        assert time.monotonic() < deadline, "the server never answered"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_and_stops_cleanly(
    serving: subprocess.Popen[str], port: int, sign: signal.Signals
) -> None:
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/healthz")
    time.sleep(1)
    serving.send_signal(sign)
    out, err = serving.communicate(timeout=40)
    assert serving.returncode == 0
    assert url in out
    assert out.rstrip().endswith("Đã dừng.")
    assert "Traceback" not in out + err
    assert not answers(f"{url}/healthz")


def test_serve_says_when_the_port_is_taken(environment: dict[str, str], port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = subprocess.run(
            [sys.executable, "-m", "flask", "serve"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
