"""What only a browser shows: the real server over the demonstration ward, and a real Chromium.

    server        the running program's address, and `server.run("…")` for its commands
    browser_context   a fresh browser profile, phone-sized unless the test asks otherwise
    page          a page in it that may speak to this machine only
    assert_no_serious_violations(page)   what axe-core finds, of impact serious or critical

Every test of this folder runs in one worker, so that one server and one browser are started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.conftest import in_ci

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / ".setup" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
START_SECONDS = 60
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PLACE = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-default-apps", "--no-default-browser-check",
)  # fmt: skip
NO_BROWSER = (
    "No Chromium was found (set CHROMIUM to its path, or install the package chromium): "
    "THE BROWSER SUITE DID NOT RUN."
)


def chromium() -> str | None:
    """The browser's program: CHROMIUM, or one that is on the path."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return chosen
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or (MAC_PLACE if Path(MAC_PLACE).exists() else None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if chromium() is None:
        terminalreporter.section("NOT RUN", sep="!", red=True)
        terminalreporter.line(NO_BROWSER, red=True)


@dataclass(frozen=True)
class Server:
    """A running program: its address, and its settings for commands beside it."""

    url: str
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """The standard output of one `flask …` command over the same database."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"flask {' '.join(command)}: {done.stderr}"
        return done.stdout

    def json(self, *command: str) -> Any:
        return json.loads(self.run(*command, "--json"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not answer:\n{log.read_text(errors='replace')[-3000:]}")


def start_serving(running: Server, tree: Path = ROOT) -> subprocess.Popen[bytes]:
    """A web server of its own process group, once it answers; `tree` is the program's folder."""
    environment = running.environment
    log = Path(environment["INSTANCE_PATH"]) / "server.log"
    options = ("--interface", "wsgi", "--factory", "--workers", "1", "--blocking-threads", "4")
    command = [sys.executable, "-m", "granian", *options, "--port", environment["PORT"]]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [*command, "app:create_app"],
            cwd=tree,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _wait_until_it_answers(running.url, process, log)
    return process


def demonstration_ward(folder: Path) -> Server:
    """A server yet to be started, over a database in that folder that holds the ward."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'ward.db'}",
        "INSTANCE_PATH": str(folder),
        "PUBLIC_URL": url,
        "PORT": str(port),
    }
    made = Server(url, environment)
    made.run("db", "upgrade")
    made.run("demo", "load", "--scale", "ward")
    return made


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, and make it when it does not."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers in the middle of what they do (kill -9)."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real web server over a temporary database that holds the demonstration ward."""
    running = demonstration_ward(tmp_path_factory.mktemp("server"))
    process = start_serving(running)
    yield running
    end(process)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests."""
    program = chromium()
    if program is None:
        if in_ci():
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def new_context(browser: Browser, server: Server) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser profiles that speak to this machine only; a try to go out fails the test."""
    strays: list[str] = []
    faults: list[str] = []
    made: list[BrowserContext] = []

    def keep_inside(route: Route) -> None:
        if route.request.url.startswith((server.url, "data:", "blob:")):
            route.fallback()
        else:
            strays.append(route.request.url)
            route.abort()

    def new(**options: Any) -> BrowserContext:
        settings = {"viewport": PHONE, "locale": "vi-VN", "timezone_id": "Asia/Ho_Chi_Minh"}
        context = browser.new_context(base_url=server.url, **{**settings, **options})
        context.set_default_timeout(10_000)
        context.route("**/*", keep_inside)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        made.append(context)
        return context

    yield new
    for context in made:
        context.close()
    assert strays == [], "the page asked for something outside this machine"
    assert faults == [], "a script of the page failed"


@pytest.fixture
def browser_context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    """A fresh profile on a phone's screen (390 px)."""
    return new_context()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    """A page on a phone's screen."""
    return browser_context.new_page()


@pytest.fixture
def desktop(new_context: Callable[..., BrowserContext]) -> Page:
    """A page on a desk's screen (1280 px)."""
    return new_context(viewport=DESKTOP).new_page()


@pytest.fixture(scope="session")
def assert_no_serious_violations() -> Callable[[Page], None]:
    """Checks a page with axe-core: nothing of impact serious or critical."""
    if not AXE.is_file():
        reason = "axe-core was not fetched (npm is needed): ACCESSIBILITY WAS NOT CHECKED."
        if in_ci():
            pytest.fail(reason)
        pytest.skip(reason)
    script = AXE.read_text(encoding="utf-8")

    def check(page: Page) -> None:
        # Evaluated by the browser's debugger, which the page's own script policy does not bind.
        page.evaluate(f"() => {{ {script} }}")
        # Without preloading: axe would read imported styles by writing them into the page.
        found = page.evaluate(
            "() => axe.run(document, {resultTypes: ['violations'], preload: false})"
        )
        serious = [
            f"{fault['id']} ({fault['impact']}): {node['target']} — {node['failureSummary']}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        assert serious == []

    return check
