"""Migrations from nothing give exactly the models' schema, and carry rows across unharmed."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, create_engine, inspect

from models import Model, db

MIGRATIONS = str(Path(__file__).resolve().parents[2] / "migrations")


@pytest.fixture
def unmigrated(app: Flask, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database without a table, which the migrations of this test run on."""
    monkeypatch.setitem(app.config, "SQLALCHEMY_DATABASE_URI", empty_database_url)
    return empty_database_url


def test_migrations_from_nothing_give_the_models_schema(app: Flask, unmigrated: str) -> None:
    with app.app_context():
        upgrade(directory=MIGRATIONS)
    engine = create_engine(unmigrated)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Model.metadata) == []
        tables = set(inspect(connection).get_table_names())
    engine.dispose()
    assert tables == {*Model.metadata.tables, "alembic_version"}


def checks_of(engine: Engine) -> list[tuple[str, str | None, str]]:
    """Every CHECK of the database as it stands, twice when it stands twice."""
    found = inspect(engine)
    return sorted(
        (table, check["name"], " ".join(check["sqltext"].split()))
        for table in Model.metadata.tables
        for check in found.get_check_constraints(table)
    )


def test_migrations_leave_exactly_the_models_checks(app: Flask, unmigrated: str) -> None:
    with app.app_context():
        wanted = checks_of(db.engine)
        upgrade(directory=MIGRATIONS)
    engine = create_engine(unmigrated)
    found = checks_of(engine)
    engine.dispose()
    assert len(wanted) > 20
    assert found == wanted


def test_an_upgrade_that_is_done_already_changes_nothing(app: Flask, unmigrated: str) -> None:
    with app.app_context():
        upgrade(directory=MIGRATIONS)
        upgrade(directory=MIGRATIONS)


def test_going_back_leaves_no_table_behind(app: Flask, unmigrated: str) -> None:
    with app.app_context():
        upgrade(directory=MIGRATIONS)
        downgrade(directory=MIGRATIONS, revision="base")
    engine = create_engine(unmigrated)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
