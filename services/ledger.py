"""Commits shared by senders of one process: what several have to write goes into one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from sqlalchemy.orm import Session

from services.transaction import writing_in_lane

Change = Callable[[Session], object]


@dataclass
class _Entry:
    """One sender's change that waits to be committed, and what came of it."""

    change: Change
    result: object = None
    trouble: BaseException | None = None
    is_done: bool = False


class Ledger:
    """While one sender's commit travels to the disk, the others' changes gather for the next.

    A durable commit costs the same for one row as for ten, so four senders wait for little more
    than one. Every change is committed before `write` returns, or raises for all that shared it.
    """

    def __init__(self) -> None:
        self._waiting: list[_Entry] = []
        self._list = Lock()
        self._turn = Lock()

    def write(self, change: Change) -> object:
        """Commit the change, with whatever else waits; gives what it returned."""
        entry = _Entry(change)
        with self._list:
            self._waiting.append(entry)
        with self._turn:
            if not entry.is_done:
                with self._list:
                    together, self._waiting = self._waiting, []
                _commit(together)
        if entry.trouble is not None:
            raise entry.trouble
        return entry.result


def _commit(together: list[_Entry]) -> None:
    try:
        with writing_in_lane() as session:
            for entry in together:
                entry.result = entry.change(session)
    except BaseException as error:
        for entry in together:
            entry.trouble = error
        if not isinstance(error, Exception):
            raise
    finally:
        for entry in together:
            entry.is_done = True
