"""The suites' own ground: every test starts from an empty database, and requests do not mix."""

import socket

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from pytest_socket import SocketConnectBlockedError
from sqlalchemy import select

from models import Account
from tests.world import build_world


@pytest.mark.parametrize("attempt", [1, 2])
def test_every_test_starts_from_an_empty_database(db: SQLAlchemy, attempt: int) -> None:
    assert db.session.scalars(select(Account)).all() == []
    build_world()
    assert db.session.scalars(select(Account)).all() != []


def test_the_database_is_the_one_asked_for(db: SQLAlchemy, backend: str) -> None:
    assert db.engine.dialect.name == backend


@pytest.mark.backends("sqlite")
def test_a_test_can_name_its_databases(backend: str) -> None:
    assert backend == "sqlite"


def test_a_request_never_sees_the_context_of_the_test(
    app: Flask, client: FlaskClient, db: SQLAlchemy
) -> None:
    g.left_behind = "by the test"
    seen = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append("left_behind" in g))
    try:
        client.get("/healthz")
    finally:
        app.before_request_funcs[None].pop()
    assert seen == [False]


def test_no_test_reaches_out() -> None:
    # The refusal warns first, and warnings are errors here.
    with socket.socket() as out, pytest.raises((SocketConnectBlockedError, UserWarning)):
        out.connect(("192.0.2.1", 80))
