"""The version of the database's schema, and whether this program is the one that fits it."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from models import db
from rules.refusals import N_, Refusal

FOLDER = Path(__file__).resolve().parent.parent / "migrations"


class WrongSchema(Refusal):
    """The program and the database do not fit; the sentence says which of them to change."""

    reason = "wrong_schema"


def alembic_config(url: str = "", *, backup_first: bool = True) -> Config:
    config = Config(FOLDER / "alembic.ini")
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["database_url"] = url
    config.attributes["backup_first"] = backup_first
    return config


@cache
def _known() -> tuple[str, ...]:
    """Every revision of this program, the newest first."""
    directory = ScriptDirectory.from_config(alembic_config())
    return tuple(script.revision for script in directory.walk_revisions())


def newest() -> str:
    """The revision that this program is written for."""
    return _known()[0]


def version_of(engine: Engine) -> str | None:
    """The revision a database is at; None when no migration ever ran on it."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def refuse_unknown(version: str | None, *, what: str) -> None:
    """Raise WrongSchema for a database or file of a program newer than this one, or of none."""
    if version is None:
        raise WrongSchema(
            N_("%(what)s chưa có phiên bản nào. Hãy chạy: flask db upgrade"), what=what
        )
    if version not in _known():
        raise WrongSchema(
            N_(
                "%(what)s ở phiên bản %(version)s, mới hơn chương trình này. "
                "Hãy dùng bản chương trình mới hơn."
            ),
            what=what,
            version=version,
        )


def refuse_other(engine: Engine) -> None:
    """Raise WrongSchema unless the database is at exactly this program's revision."""
    version = version_of(engine)
    refuse_unknown(version, what="Cơ sở dữ liệu")
    if version != newest():
        raise WrongSchema(
            N_(
                "Cơ sở dữ liệu ở phiên bản %(version)s, cũ hơn chương trình này. "
                "Hãy dừng các dịch vụ rồi chạy: flask db upgrade"
            ),
            version=version,
        )


def refuse_other_here() -> None:
    """The same for the database of the settings; the doors ask before they open."""
    refuse_other(db.engine)


def upgrade_copy(file: Path) -> None:
    """Bring a copy in a file to this program's revision; the copy itself is the backup."""
    command.upgrade(alembic_config(f"sqlite:///{file}", backup_first=False), "head")
