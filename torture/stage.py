"""What scenarios share: a fresh database of either kind, real processes, and a clock that runs fast."""

import argparse
import multiprocessing
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from unittest.mock import patch

from app import create_app
from models import db
from tests.postgresql import Cluster, server_programs

ROOT = Path(__file__).resolve().parent.parent
DATABASES = ("sqlite", "postgresql")
WORK_SECONDS = 180.0
"""How long a process may take until it works; a machine that is slower than that tries nothing."""


@dataclass(frozen=True)
class FastClock:
    """A wall clock that began at `began` (seconds since 1970) and runs `speed` times as fast.

    All processes of a run share one, so that leases, waits and probes keep their proportions.
    """

    began: float
    speed: float = 1.0

    def now(self) -> datetime:
        """What this clock shows."""
        passed = (time.time() - self.began) * self.speed
        return datetime.fromtimestamp(self.began, UTC) + timedelta(seconds=passed)


@dataclass
class Stage:
    """One run's database, instance folder, environment and processes."""

    folder: Path
    database: str
    environment: dict[str, str]
    random: random.Random
    cluster: Cluster | None = None
    context: ForkServerContext = field(
        default_factory=lambda: multiprocessing.get_context("forkserver")
    )
    processes: list[ForkServerProcess] = field(default_factory=list)

    def start(self, work: Callable[..., None], *arguments: object) -> ForkServerProcess:
        """Start a process that has the program loaded already: a fork takes milliseconds."""
        process = self.context.Process(target=work, args=arguments, daemon=True)
        process.start()
        self.processes.append(process)
        return process

    def warm_up(self) -> None:
        """Load the program once, so that the first process starts as fast as all others."""
        first = self.start(time.sleep, 0)
        first.join()
        self.processes.remove(first)

    def kill(self, process: ForkServerProcess) -> None:
        """End one of our processes as a crash would: SIGKILL, nothing runs after it."""
        process.kill()
        process.join()
        self.processes.remove(process)

    def flask(self, *arguments: str) -> str:
        """Run a command of the program over this stage's database; gives what it printed.

        In this process: starting the program anew takes longer than most commands.
        """
        with patch.dict(os.environ, self.environment):
            app = create_app()
            done = app.test_cli_runner().invoke(args=arguments)
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        if done.exit_code:
            raise RuntimeError(f"flask {' '.join(arguments)}: {done.output} {done.exception!r}")
        return done.output

    def close(self) -> None:
        """End what still runs and remove what was written."""
        for process in list(self.processes):
            self.kill(process)
        if self.cluster is not None:
            self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def stage(options: argparse.Namespace, **environment: str) -> Iterator[Stage]:
    """Prepare a migrated, empty database named by `options.db`; the environment is set here too.

    With `options.database_port` PostgreSQL listens there as well as on its socket.

    A database that this machine cannot run ends the run loudly: nothing passes untried.
    """
    folder = Path(tempfile.mkdtemp(prefix="th-torture-"))
    cluster = None
    if options.db == "postgresql":
        programs = server_programs()
        if programs is None:
            raise SystemExit("NOTHING WAS TRIED: PostgreSQL's server programs were not found")
        cluster = Cluster(programs, durable=True, port=getattr(options, "database_port", None))
        cluster.create("torture")
        url = cluster.url("torture")
    else:
        url = f"sqlite:///{folder / 'torture.db'}"
    settings = {"DATABASE_URL": url, "INSTANCE_PATH": str(folder), "SECRET_KEY": "only for torture"}
    made = Stage(folder, options.db, settings | environment, random.Random(options.seed), cluster)
    os.environ.update(made.environment)
    made.context.set_forkserver_preload(["torture.workers"])
    try:
        made.flask("db", "upgrade")
        yield made
    finally:
        made.close()


def add_database(parser: argparse.ArgumentParser) -> None:
    """The option that every scenario with a database has."""
    parser.add_argument("--db", choices=DATABASES, default="sqlite")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class NothingTried(Exception):
    """A process did not come to work in time: the run would prove nothing, so it ends."""


def wait_for_work(works: Callable[[], bool], what: str, seconds: float = WORK_SECONDS) -> float:
    """Wait until a process is seen to work, whatever else the machine does; gives the wait.

    Only then may it be killed: a process that dies while it starts tries nothing. Raises
    NothingTried when it never comes to work.
    """
    began = time.monotonic()
    if not wait_until(works, seconds, 0.02):
        raise NothingTried(f"{what} did not work within {seconds:.0f} s")
    return time.monotonic() - began


def wait_until(holds: Callable[[], bool], seconds: float, pause: float = 0.2) -> bool:
    """Ask again and again until it holds or the time is over; gives whether it held."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(pause)
    return holds()
