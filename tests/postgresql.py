"""A throw-away PostgreSQL server for one test process: real, on a Unix socket, gone at the end."""

import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

USER = "tuyenhuan"
START_SECONDS = 30
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)


def server_programs() -> Path | None:
    """The folder that holds both `initdb` and `postgres`, the newest version first."""
    found = [Path(folder) for pattern in PLACES for folder in glob.glob(pattern)]
    if on_path := shutil.which("initdb"):
        found.insert(0, Path(on_path).resolve().parent)
    whole = [
        folder for folder in found if all((folder / p).exists() for p in ("initdb", "postgres"))
    ]
    return max(whole, key=_version, default=None)


def _version(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[-1]) if numbers else 0


def _who_runs_it() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as its own user, or as nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL refuses root, and this machine has neither postgres nor nobody")


# Nothing of a test outlives it, so nothing need reach the disk.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Cluster:
    """One server on a Unix socket in a temporary folder; databases are made and dropped by name.

    `durable` keeps what was committed through a crash, as a server in operation does. With a `port`
    it listens there on this machine as well.
    """

    def __init__(self, programs: Path, *, durable: bool = False, port: int | None = None) -> None:
        self._programs = programs
        self._listens = "" if port is None else "127.0.0.1"
        self.port = port or 5432
        self._settings = {} if durable else FORGETFUL
        self._who = _who_runs_it()
        self.folder = Path(tempfile.mkdtemp(prefix="th-pg-"))
        if self._who:
            os.chown(self.folder, self._who["user"], self._who["group"])
        self._log = (self.folder / "log").open("wb")
        self._initialise(programs)
        self._server = self._start()
        self._wait()

    def _run_options(self) -> dict[str, Any]:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        return {"cwd": self.folder, "env": environment, **self._who}

    def _initialise(self, programs: Path) -> None:
        options = (
            "--auth=trust",
            f"--username={USER}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        subprocess.run(
            [programs / "initdb", "--pgdata", self.folder / "data", "--no-sync", *options],
            check=True,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            **self._run_options(),
        )

    def _start(self) -> subprocess.Popen[bytes]:
        settings = self._settings | {
            "listen_addresses": self._listens,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "80",
            "shared_buffers": "64MB",
            "autovacuum": "on" if self._settings is not FORGETFUL else "off",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return subprocess.Popen(
            [self._programs / "postgres", "-D", self.folder / "data", *flags],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **self._run_options(),
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.05)

    def crash(self) -> None:
        """End the server at once, without a checkpoint or a word to its clients, and start it again.

        SIGQUIT is what `pg_ctl stop -m immediate` sends; what was committed comes back from its log.
        """
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(START_SECONDS)
        self._server = self._start()
        self._wait()

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"

    def execute(self, *statements: str) -> None:
        """Run statements of the server itself (create and drop databases), outside transactions."""
        with psycopg.connect(
            dbname="postgres",
            user=USER,
            host=str(self.folder),
            port=self.port,
            autocommit=True,
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self, database: str, template: str = "template0") -> None:
        """Make the database anew, as a copy of the template."""
        self.execute(
            f"DROP DATABASE IF EXISTS {database} WITH (FORCE)",
            f"CREATE DATABASE {database} TEMPLATE {template}",
        )

    def empty_tables(self, database: str) -> None:
        """Delete every row and start every sequence again, as in a database just migrated."""
        with psycopg.connect(
            dbname=database, user=USER, host=str(self.folder), port=self.port
        ) as connection:
            tables = [
                row[0]
                for row in connection.execute(
                    "SELECT quote_ident(tablename) FROM pg_tables"
                    " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
                )
            ]
            sequences = [
                row[0]
                for row in connection.execute(
                    "SELECT quote_ident(sequencename) FROM pg_sequences"
                    " WHERE schemaname = 'public' AND last_value IS NOT NULL"
                )
            ]
            # As a replica would: all rows go at once, so no foreign key need be asked.
            statements = ["SET LOCAL session_replication_role = replica"]
            statements += [f"DELETE FROM {table}" for table in tables]
            statements += [f"ALTER SEQUENCE {sequence} RESTART" for sequence in sequences]
            connection.execute("; ".join(statements).encode())

    def stop(self) -> None:
        """Stop this server, by its own id, and remove what it wrote."""
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
