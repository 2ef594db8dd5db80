"""Every revision in the folder carries rows up and back, as found; a new one is tried by itself."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker

from migrations import safety
from models import Base, db
from services import backups, schema
from tests.migrations.filler import fill
from tests.world import build_world

REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(schema.alembic_config()).walk_revisions()
    if script.down_revision
]
# Tables whose checks need more than a value of each type, and that no world of the tests fills.
UNFILLED: set[str] = set()


def contents_of(engine: Engine, keys: safety.Contents | None = None) -> safety.Contents:
    with engine.connect() as connection:
        return safety.contents(connection, keys)


def put_rows_into(engine: Engine) -> None:
    """The tests' small city, and a row in every table that it leaves empty."""
    handle: Any = db
    ordinary = db.session
    handle.session = scoped_session(sessionmaker(engine, expire_on_commit=False))
    try:
        build_world()
        db.session.remove()
    finally:
        handle.session = ordinary
    with engine.begin() as connection:
        assert fill(connection, Base.metadata) == UNFILLED, "give these tables a row in filler.py"


class Walk:
    """One journey from the newest schema down to the first and up again, with rows aboard."""

    def __init__(self, app: Flask, url: str) -> None:
        self.url, self.engine = url, create_engine(url)
        self.down: dict[str, list[str]] = {}
        self.up: dict[str, list[str]] = {}
        with app.app_context():
            self._go("head")
            put_rows_into(self.engine)
            self.aboard = contents_of(self.engine)
            for revision in REVISIONS:
                self.down[revision] = self._step(revision, "-1")
            self.at_the_bottom = contents_of(self.engine)
            for revision in reversed(REVISIONS):
                self.up[revision] = self._step(revision, "+1")
            self.home = contents_of(self.engine)
        self.engine.dispose()

    def config(self) -> Config:
        return schema.alembic_config(self.url, backup_first=False)

    def _go(self, to: str) -> None:
        if to.startswith(("-", "base")):
            command.downgrade(self.config(), to)
        else:
            command.upgrade(self.config(), to)

    def _step(self, revision: str, to: str) -> list[str]:
        """Take one step; say which rows and values of tables on both sides it changed."""
        before = contents_of(self.engine)
        self._go(to)
        module = ScriptDirectory.from_config(self.config()).get_revision(revision).module
        after = contents_of(self.engine, keys=before)
        meant = safety.declared([module])
        return safety.losses(before, after, meant, is_upgrade=to == "+1")


@pytest.fixture
def walk(app: Flask, empty_database_url: str, walks: Callable[..., Walk], backend: str) -> Walk:
    return walks(app, empty_database_url, backend)


@pytest.fixture(scope="module")
def walks() -> Callable[..., Walk]:
    made: dict[str, Walk] = {}

    def walk_of(app: Flask, url: str, backend: str) -> Walk:
        if backend not in made:
            made[backend] = Walk(app, url)
        return made[backend]

    return walk_of


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_carries_rows_back_and_up_again(walk: Walk, revision: str) -> None:
    assert walk.down[revision] == []
    assert walk.up[revision] == []


def test_rows_that_every_schema_knows_come_home_as_they_left(walk: Walk) -> None:
    assert sum(table.rows for table in walk.at_the_bottom.values()) > 100
    for name, table in walk.at_the_bottom.items():
        if name in walk.aboard:
            assert walk.home[name].rows == table.rows, name


@cache
def _nasty_revisions() -> dict[str, str]:
    head = schema.newest()
    top = f"import sqlalchemy as sa\nfrom alembic import op\ndown_revision = {head!r}\n"
    copy = (
        "    how = 'always' if op.get_bind().dialect.name == 'sqlite' else 'auto'\n"
        "    with op.batch_alter_table('unit', recreate=how) as batch:\n"
        "        batch.add_column(sa.Column('colour', sa.String(9)))\n"
    )
    lose = '    op.execute("DELETE FROM household_residence")\n'
    change = '    op.execute("UPDATE person SET full_name = upper(full_name)")\n'
    orphan = "    op.execute(\"DELETE FROM person WHERE code = 'DV001'\")\n"
    bodies = {"copies": copy, "loses": lose, "changes": change, "orphans": orphan}
    made = {
        name: f"{top}revision = {name!r}\ndef upgrade():\n{body}def downgrade():\n    pass\n"
        for name, body in bodies.items()
    }
    made["says_so"] = made["changes"].replace("'changes'", "'says_so'") + (
        "rewrites = ('person.full_name',)\n"
    )
    return made


@pytest.fixture
def newest_url(app: Flask, backend: str, empty_database_url: str) -> str:
    """An empty database of the newest schema that this test may change as it likes.

    On SQLite the test's own, which is put back from a file afterwards; making one takes longer.
    """
    if backend == "sqlite":
        return str(app.config["SQLALCHEMY_DATABASE_URI"])
    with app.app_context():
        command.upgrade(schema.alembic_config(empty_database_url, backup_first=False), "head")
    return empty_database_url


@pytest.fixture
def nasty(
    app: Flask, newest_url: str, tmp_path: Path
) -> Callable[[str], tuple[Engine, Callable[[], None]]]:
    """A database with rows, and the upgrade by one more revision that a careless hand wrote."""

    def prepare(name: str) -> tuple[Engine, Callable[[], None]]:
        (tmp_path / f"{name}.py").write_text(_nasty_revisions()[name])
        engine = create_engine(newest_url)
        config = schema.alembic_config(newest_url, backup_first=False)
        put_rows_into(engine)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{schema.FOLDER / 'versions'}\n{tmp_path}")
        return engine, lambda: command.upgrade(config, name)

    return prepare


def test_a_table_that_is_copied_keeps_the_rows_that_refer_to_it(app: Flask, nasty) -> None:
    """SQLite's batch mode drops the old copy: with foreign keys on, children went with it."""
    with app.app_context():
        engine, upgrade = nasty("copies")
        before = contents_of(engine)
        upgrade()
        after = contents_of(engine)
    assert before["unit_parent"].rows
    assert "colour" in after["unit"].columns
    del after["unit"].columns["colour"]
    assert after == before
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("loses", "household_residence từ 10 thành 0 dòng"),
        ("changes", "person.full_name đổi nội dung"),
    ],
)
def test_an_upgrade_that_loses_something_changes_nothing(
    app: Flask, nasty, name: str, sentence: str
) -> None:
    with app.app_context():
        engine, upgrade = nasty(name)
        before = contents_of(engine)
        with pytest.raises(CommandError, match=sentence):
            upgrade()
        assert contents_of(engine) == before
        assert schema.version_of(engine) == schema.newest()
    engine.dispose()


@pytest.mark.backends("sqlite")
def test_an_upgrade_that_leaves_orphans_changes_nothing(app: Flask, nasty) -> None:
    """PostgreSQL refuses the statement by itself; SQLite is asked before the end."""
    with app.app_context():
        engine, upgrade = nasty("orphans")
        before = contents_of(engine)
        with pytest.raises(CommandError, match="không còn person"):
            upgrade()
        assert contents_of(engine) == before
    engine.dispose()


def test_a_revision_that_says_what_it_changes_may(app: Flask, nasty) -> None:
    with app.app_context():
        engine, upgrade = nasty("says_so")
        upgrade()
    with engine.connect() as connection:
        name = connection.scalar(text("SELECT full_name FROM person WHERE code = 'DV006'"))
        assert str(name).endswith(" EM")
    engine.dispose()


def test_a_newer_schema_is_refused_with_one_sentence(app: Flask, nasty) -> None:
    with app.app_context():
        engine, upgrade = nasty("copies")
        upgrade()
        older = schema.alembic_config(engine.url.render_as_string(hide_password=False))
        before = contents_of(engine)
        with pytest.raises(CommandError, match="mới hơn chương trình này"):
            command.upgrade(older, "head")
        with pytest.raises(schema.WrongSchema, match="mới hơn chương trình này"):
            schema.refuse_other(engine)
        assert contents_of(engine) == before
    engine.dispose()


def test_a_backup_is_taken_before_the_first_change_only(
    app: Flask, newest_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setitem(app.extensions, "backup_before_upgrade", asked.append)
    config = schema.alembic_config(newest_url)
    with app.app_context():
        command.upgrade(config, "head")
        assert asked == [], "nothing was to be done"
        command.downgrade(config, "-1")
        assert asked == [schema.newest()]


def test_an_upgrade_that_cannot_be_backed_up_is_not_begun(
    app: Flask, newest_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_revision: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(app.extensions, "backup_before_upgrade", full)
    config = schema.alembic_config(newest_url)
    with app.app_context(), pytest.raises(CommandError, match="No space left"):
        command.downgrade(config, "-1")
    engine = create_engine(newest_url)
    assert schema.version_of(engine) == schema.newest()
    engine.dispose()


def test_the_backup_before_an_upgrade_is_one_that_can_be_verified(app: Flask) -> None:
    """Taken while the upgrade holds its lock, of the very database that is about to change."""
    with app.app_context():
        build_world()
        db.session.remove()
        url = db.engine.url.render_as_string(hide_password=False)
        folder = backups.backup_folder()
        for old in folder.glob("before-upgrade-*"):
            old.unlink()
        command.downgrade(schema.alembic_config(url), "-1")
        (file,) = folder.glob("before-upgrade-*")
        facts = backups.verify_backup(file)
        assert facts.is_whole
        assert facts.rows["person"] == 6
        assert facts.revision == schema.newest()
        command.upgrade(schema.alembic_config(url, backup_first=False), "head")
        file.unlink()


def test_every_table_is_carried(walk: Walk) -> None:
    assert set(walk.aboard) == set(Base.metadata.tables)
