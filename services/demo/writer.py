"""Writes rows in bulk with ids known beforehand, and splits totals into parts that sum exactly."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.orm import Session

from models import Model

CHUNK = 5_000


class Writer:
    """Buffers rows by table and writes them a few thousand at a time, parents before children."""

    def __init__(self, session: Session, random: Random) -> None:
        self.session = session
        self.random = random
        self._rows: dict[Table, list[dict[str, Any]]] = defaultdict(list)
        self._last_ids: dict[Table, int] = {}

    def add(self, model: type[Model], **row: Any) -> int:
        """Buffer a row of a table with an integer key and return the id it will have."""
        table = _table(model)
        if table not in self._last_ids:
            self._last_ids[table] = self.session.scalar(select(func.max(table.c.id))) or 0
        self._last_ids[table] += 1
        row["id"] = self._last_ids[table]
        self._rows[table].append(row)
        return self._last_ids[table]

    def put(self, model: type[Model], **row: Any) -> None:
        """Buffer a row whose key stands in it."""
        self._rows[_table(model)].append(row)

    def uuid(self) -> str:
        """A UUID that follows from the seed."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def flush(self) -> None:
        """Write everything buffered, in the order the foreign keys ask for."""
        tables = [table for table in Model.metadata.sorted_tables if self._rows.get(table)]
        for table in tables:
            rows = self._rows.pop(table)
            for start in range(0, len(rows), CHUNK):
                self.session.execute(insert(table), rows[start : start + CHUNK])

    def let_others_write(self) -> None:
        """Write everything, and read the last ids again afterwards: others add rows now."""
        self.flush()
        self.advance_sequences()
        self._last_ids.clear()

    def advance_sequences(self) -> None:
        """PostgreSQL only: ids given by hand do not move a sequence, so move them now."""
        if self.session.get_bind().dialect.name != "postgresql":
            return
        for table, last in self._last_ids.items():
            self.session.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"),
                {"table": table.name, "last": last},
            )


def _table(model: type[Model]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model} is not mapped to a table")
    return table


def parts(random: Random, total: int, weights: Sequence[float], least: int, most: int) -> list[int]:
    """Split a total into whole parts near the weights, each `least` to `most`, summing exactly."""
    if not least * len(weights) <= total <= most * len(weights):
        raise ValueError(f"{total} cannot be split into {len(weights)} parts of {least}–{most}")
    scale = total / sum(weights)
    sizes = [min(most, max(least, round(weight * scale))) for weight in weights]
    rest = total - sum(sizes)
    while rest:
        step = 1 if rest > 0 else -1
        place = random.randrange(len(sizes))
        if least <= sizes[place] + step <= most:
            sizes[place] += step
            rest -= step
    return sizes


Progress = Callable[[str, int], None]
"""Called with what is being made and how far the whole is, in percent."""
