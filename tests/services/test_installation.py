"""A copy of a database sends nothing until somebody says that it is the one."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from gateways import machine
from gateways.smtp import SmtpSettings
from models import db
from rules.permissions import SYSTEM
from rules.refusals import NotAllowed
from services import installation, outbox, sending
from services.office import office, use
from services.transaction import writing
from tests.services.post import Postman
from tests.world import NOW, build_world

SERVER = SmtpSettings("127.0.0.1", 1, "", "", starttls=False)


@pytest.fixture
def folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """A folder beside the database, of an office that has a mail server."""
    before = office()
    use(replace(before, instance=tmp_path / "here", smtp=SERVER))
    with app.app_context():
        yield tmp_path / "here"
    use(before)


def test_a_new_database_belongs_to_where_it_is_first_run(folder: Path) -> None:
    assert not installation.this_is_a_copy(), "nobody has claimed it yet"
    installation.settle()
    installation.settle()
    assert not installation.this_is_a_copy()
    assert (folder / machine.NAME).is_file()


@pytest.mark.parametrize("what", ["without the file", "with the whole folder"])
def test_a_database_elsewhere_is_a_copy(folder: Path, tmp_path: Path, what: str) -> None:
    installation.settle()
    elsewhere = tmp_path / "there"
    if what == "with the whole folder":
        shutil.copytree(folder, elsewhere)
    use(replace(office(), instance=elsewhere))
    assert installation.this_is_a_copy()
    installation.settle()
    assert installation.this_is_a_copy(), "starting it does not make it the one"
    installation.adopt(now=NOW, by=SYSTEM)
    assert not installation.this_is_a_copy()
    use(replace(office(), instance=folder))
    assert installation.this_is_a_copy(), "the one before is not it any more"


def test_a_further_machine_joins_what_the_database_names(folder: Path, tmp_path: Path) -> None:
    installation.settle()
    use(replace(office(), instance=tmp_path / "second machine"))
    assert installation.this_is_a_copy()
    installation.join(now=NOW, by=SYSTEM)
    assert not installation.this_is_a_copy()
    use(replace(office(), instance=folder))
    assert not installation.this_is_a_copy()


def test_a_copy_sends_nothing_and_loses_nothing(folder: Path, tmp_path: Path) -> None:
    build_world()
    installation.settle()
    post = Postman()
    with writing() as session:
        outbox.enqueue_sign_in(
            session,
            address="an@test.invalid",
            name="An",
            url="http://x.test/",
            now=NOW,
            expires_at=NOW + timedelta(hours=1),
        )
    use(replace(office(), instance=tmp_path / "staging"))
    assert sending.send_due(post, clock=lambda: NOW) == sending.Sent()
    assert post.kept == []
    installation.adopt(now=NOW, by=SYSTEM)
    assert sending.send_due(post, clock=lambda: NOW).sent == 1


def test_only_an_administrator_adopts(folder: Path) -> None:
    world = build_world()
    from rules.permissions import Actor, Grant

    staff = Actor("An", world.accounts["an"].id, (Grant("staff"),))
    for act in (installation.adopt, installation.join):
        with pytest.raises(NotAllowed):
            act(now=NOW, by=staff)
    db.session.rollback()
