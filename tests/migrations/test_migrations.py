"""Migrations from nothing give exactly the models' schema, and carry rows across unharmed."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, Engine, MetaData, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

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


def _add_a_class(connection: Connection, *, sittings: tuple[str, ...]) -> None:
    """A class of seven periods with a sitting of each state, and a meeting that is of no class."""
    tables = MetaData()
    tables.reflect(connection, only=["unit_kind", "unit", "course_type", "course", "meeting"])

    def put(table: str, /, **values: object) -> None:
        connection.execute(tables.tables[table].insert().values(**values))

    made, day = datetime(2026, 11, 1, 8, tzinfo=UTC), date(2026, 11, 1)
    levels = {"is_grassroots": True, "holds_people": False}
    put("unit_kind", code="k", tree="party", name="K", name_en="K", rank=1, **levels)
    unit = {"code": "U", "tree": "party", "kind_code": "k", "name": "U", "fold": "u"}
    put("unit", id=1, position=0, valid_from=day, **unit)
    put("course_type", code="T", name="T", name_en="T", periods=0, sittings=0)
    course = {"code": "L", "type_code": "T", "title": "L", "organiser_id": 1, "periods": 7}
    put("course", id=1, opens_on=day, closes_on=day, state="open", created_at=made, **course)
    counts = ("register_version", "present_count", "heads_count", "visits_count", "sequence")
    texts = ("description", "place", "online_url", "chair", "state_reason")
    for number, state in enumerate((*sittings, "held"), start=1):
        put(
            "meeting",
            id=number,
            uid=f"{number}@test.invalid",
            kind="class" if number <= len(sittings) else "outreach",
            topic="x",
            course_id=1 if number <= len(sittings) else None,
            organiser_id=1,
            starts_at=made + timedelta(days=number),
            ends_at=made + timedelta(days=number, hours=3),
            mode="in_person",
            counting="roll",
            state=state,
            register_state="not_taken",
            is_makeup=False,
            is_thematic=False,
            created_at=made,
            modified_at=made,
            **dict.fromkeys(counts, 0),
            **dict.fromkeys(texts, ""),
        )


def test_periods_of_a_class_are_shared_over_its_sittings(app: Flask, unmigrated: str) -> None:
    """Seven periods over three sittings are 3, 2, 2; one called off and other meetings have none."""
    with app.app_context():
        upgrade(directory=MIGRATIONS, revision="0031_themed_cell_meetings")
        engine = create_engine(unmigrated)
        with engine.begin() as connection:
            _add_a_class(connection, sittings=("held", "held", "cancelled", "published"))
        upgrade(directory=MIGRATIONS, revision="0032_periods_of_a_sitting")
        with engine.connect() as connection:
            found = connection.execute(text("SELECT id, periods FROM meeting ORDER BY id"))
            assert [tuple(row) for row in found] == [(1, 3), (2, 2), (3, None), (4, 2), (5, None)]
        with engine.begin() as connection, pytest.raises(IntegrityError):
            connection.execute(text("UPDATE meeting SET periods = 25 WHERE id = 1"))
        engine.dispose()


def test_going_back_leaves_no_table_behind(app: Flask, unmigrated: str) -> None:
    with app.app_context():
        upgrade(directory=MIGRATIONS)
        downgrade(directory=MIGRATIONS, revision="base")
    engine = create_engine(unmigrated)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    engine.dispose()
