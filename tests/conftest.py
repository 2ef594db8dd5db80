"""What the suites share: a fresh database for every test, on SQLite and on PostgreSQL.

    app       the application over a fresh, empty database (no app context is open)
    client    its browserless client; every request gets a context of its own
    db        the database handle, inside an app context, for tests of services and models
    empty_database_url   a database without a single table, for tests of migrations

Each runs once per database named by --database (sqlite, postgresql or all; default sqlite).
"""

import contextvars
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from flask import Flask
from flask.testing import FlaskClient

from tests.postgresql import Cluster, server_programs

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

CHOICES = {
    "sqlite": ("sqlite",),
    "postgresql": ("postgresql",),
    "all": ("sqlite", "postgresql"),
}
TESTING = {"TESTING": True, "WTF_CSRF_ENABLED": False}
NO_POSTGRESQL = (
    "PostgreSQL's server programs (initdb, postgres) were not found: "
    "NOTHING WAS TESTED ON POSTGRESQL. Install the package postgresql."
)


def database() -> "SQLAlchemy":
    """The application's database handle, imported late: tests of rules need no application."""
    handle: SQLAlchemy = import_module("models").db
    return handle


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database", choices=sorted(CHOICES), default="sqlite", help="databases to test on"
    )


def pytest_configure(config: pytest.Config) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "PUBLIC_URL", "SMTP_HOST", "IMAP_HOST", "TIMEZONE"):
        os.environ.pop(name, None)
    if _lacks_postgresql(config) and in_ci():
        raise pytest.UsageError(NO_POSTGRESQL)


def _lacks_postgresql(config: pytest.Config) -> bool:
    return "postgresql" in CHOICES[config.getoption("--database")] and server_programs() is None


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if _lacks_postgresql(config):
        terminalreporter.section("NOT RUN", sep="!", red=True)
        terminalreporter.line(NO_POSTGRESQL, red=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that touches the database runs once on each of the chosen ones."""
    if "backend" not in metafunc.fixturenames:
        return
    chosen = CHOICES[metafunc.config.getoption("--database")]
    if marker := metafunc.definition.get_closest_marker("backends"):
        chosen = tuple(name for name in chosen if name in marker.args)
    metafunc.parametrize("backend", chosen, indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The database this run of the test is about: sqlite or postgresql."""
    name: str = request.param
    if name == "postgresql" and server_programs() is None:
        pytest.skip(NO_POSTGRESQL)
    return name


class SqliteStore:
    """One database file, put back from a template before each test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        self.template = folder / "template.db"
        self.url = f"sqlite:///{self.path}"
        self.template_url = f"sqlite:///{self.template}"

    def reset(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self.template, self.path)

    def empty(self) -> str:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name("empty.db" + suffix).unlink(missing_ok=True)
        return f"sqlite:///{self.path.with_name('empty.db')}"


class PostgresqlStore:
    """One database of the throw-away server, emptied before each test.

    Deleting the few rows of a test takes two milliseconds; a new copy of a template takes 500.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.url = self.template_url = cluster.url("test")
        cluster.create("test")

    def reset(self) -> None:
        self.cluster.empty_tables("test")

    def empty(self) -> str:
        self.cluster.create("empty")
        return self.cluster.url("empty")


class Application:
    """One application over one store, built when the first test asks for it."""

    def __init__(self, store: SqliteStore | PostgresqlStore, instance: Path) -> None:
        self.store = store
        self._instance = instance
        self._make_template()
        self.app = self._build(store.url)
        self._settings = dict(self.app.config)

    def _build(self, url: str) -> Flask:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", url)
            patch.setenv("INSTANCE_PATH", str(self._instance))
            patch.setenv("SECRET_KEY", "only for tests")
            app: Flask = import_module("app").create_app(TESTING)
            return app

    def _make_template(self) -> None:
        app = self._build(self.store.template_url)
        with app.app_context():
            database().create_all()
            command.stamp(import_module("services.schema").alembic_config(), "head")
            database().engine.dispose()

    def fresh(self) -> Flask:
        """The same application, with its settings as they were and an empty database."""
        self.app.config.clear()
        self.app.config.update(self._settings)
        self.release()
        self.store.reset()
        return self.app

    def release(self) -> None:
        """Close every connection, so that the database can be put back."""
        with self.app.app_context():
            database().session.remove()
            database().engine.dispose()


@pytest.fixture(scope="session")
def applications(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Application]]:
    """The application over a database, by that database's name; each is built once."""
    clusters: list[Cluster] = []
    built: list[Application] = []

    def store_of(name: str) -> SqliteStore | PostgresqlStore:
        if name == "sqlite":
            return SqliteStore(tmp_path_factory.mktemp("sqlite"))
        programs = server_programs()
        assert programs is not None
        clusters.append(Cluster(programs))
        return PostgresqlStore(clusters[-1])

    @cache
    def application(name: str) -> Application:
        built.append(Application(store_of(name), tmp_path_factory.mktemp("instance")))
        return built[-1]

    yield application
    for each in built:
        each.release()
    for cluster in clusters:
        cluster.stop()


class SeparateClient(FlaskClient):
    """A client whose requests never share an app context with the test that makes them.

    Without this, a test inside an app context would hand its `g` (and with it the signed-in person)
    from one request to the next, which no real server does.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return contextvars.Context().run(super().open, *args, **kwargs)


@pytest.fixture
def app(applications: Callable[[str], Application], backend: str) -> Iterator[Flask]:
    """The application over a fresh, empty database."""
    application = applications(backend)
    flask_app = application.fresh()
    flask_app.test_client_class = SeparateClient
    yield flask_app
    application.release()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browserless client of the application, signed in as nobody."""
    return app.test_client()


@pytest.fixture
def db(app: Flask) -> Iterator["SQLAlchemy"]:
    """The database handle, inside an app context."""
    with app.app_context():
        yield database()
        database().session.rollback()
        database().session.remove()


@pytest.fixture
def empty_database_url(applications: Callable[[str], Application], backend: str) -> str:
    """The address of a database that has no tables yet."""
    return applications(backend).store.empty()
