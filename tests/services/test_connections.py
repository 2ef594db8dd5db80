"""A connection that takes bytes and gives none back is noticed in seconds, whatever it was doing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from services import connections
from tests import postgresql


class Wire:
    """Carries connections to a server; once deaf, those that exist carry nothing more."""

    def __init__(self, target: int) -> None:
        self.target, self.generation = target, 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.carried: list[socket.socket] = []
        self.port: int = self.door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def go_deaf(self) -> None:
        self.generation += 1

    def close(self) -> None:
        """Hang up everywhere."""
        for one in (self.door, *self.carried):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self.door.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
                self.carried += [here, there]
                for pair in ((here, there), (there, here)):
                    flow = (*pair, self.generation)
                    threading.Thread(target=self._flow, args=flow, daemon=True).start()

    def _flow(self, source: socket.socket, target: socket.socket, born: int) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.generation == born:
                    target.sendall(data)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    programs = postgresql.server_programs()
    assert programs is not None, "PostgreSQL's server programs were not found"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    cluster = postgresql.Cluster(programs, port=port)
    made = Wire(port)
    with closing(made):
        yield made
    cluster.stop()


@pytest.fixture
def engine(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    for name in ("ANSWER", "DOUBT", "LOOK"):
        monkeypatch.setattr(connections, f"{name}_SECONDS", 0.5)
    monkeypatch.setattr(connections, "FRESH_SECONDS", 0.0)
    url = f"postgresql+psycopg://{postgresql.USER}@127.0.0.1:{wire.port}/postgres"
    made = create_engine(url, connect_args=connections.TCP)
    connections.give_up_on_silent(made)
    yield made
    made.dispose()


def test_a_pool_that_has_gone_deaf_is_opened_anew(engine: Engine, wire: Wire) -> None:
    for _ in range(2):
        with engine.connect() as one, engine.connect() as other:
            assert one.scalar(text("SELECT 1")) == other.scalar(text("SELECT 1")) == 1
        wire.go_deaf()
        began = time.monotonic()
        with engine.connect() as again:
            assert again.scalar(text("SELECT 1")) == 1
        assert time.monotonic() - began < 20


def test_one_that_has_just_answered_is_not_asked_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def answers(connection: object, _seconds: float) -> bool:
        asked.append(connection)
        return True

    monkeypatch.setattr(connections, "answers", answers)
    for fresh, so_far in ((60.0, 1), (60.0, 1), (0.0, 2)):
        monkeypatch.setattr(connections, "FRESH_SECONDS", fresh)
        with engine.connect() as one:
            assert one.scalar(text("SELECT 1")) == 1
        assert len(asked) == so_far


@pytest.mark.parametrize("ends", ["statement", "commit", "rollback"])
def test_what_hangs_in_the_middle_is_cut_and_says_so(engine: Engine, wire: Wire, ends: str) -> None:
    with engine.connect() as one:
        one.execute(text("SELECT 1"))
        wire.go_deaf()
        with pytest.raises(OperationalError):
            {
                "statement": lambda: one.execute(text("SELECT 2")),
                "commit": one.commit,
                "rollback": one.rollback,
            }[ends]()


def test_a_statement_that_only_takes_long_is_left_alone(engine: Engine) -> None:
    with engine.connect() as one:
        assert one.scalar(text("SELECT 7 FROM pg_sleep(4)")) == 7
