"""Blocks of documents as JSON and back, for the child process that puts them into a template."""

import base64
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from gateways.documents import Blank, Block, Drawing, Grid, PageBreak, Picture, Text
from rules.charts import Bar, BarChart, BarWords, Day, DayChart, DayWords, Pair, PairChart
from rules.coverage import Figure

KNOWN: Mapping[str, Any] = {
    one.__name__: one
    for one in (
        *(Text, Grid, Picture, Drawing, Blank, PageBreak, Figure),
        *(Bar, BarChart, BarWords, Day, DayChart, DayWords, Pair, PairChart),
    )
}


def block_json(block: Block) -> Any:
    """A block as JSON can hold it; what is neither plain nor known raises TypeError."""
    return _plain(block)


def block_of(kept: Any) -> Block:
    """The block that was written down."""
    block: Block = _back(kept)
    return block


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value) and type(value).__name__ in KNOWN:
        held = {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.init}
        return {"is": type(value).__name__, "held": held}
    if isinstance(value, Mapping):
        return {"is": "map", "held": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if isinstance(value, frozenset | set):
        return {"is": "set", "held": sorted(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return {"is": "bytes", "held": base64.b64encode(value).decode()}
    if isinstance(value, date):
        return {"is": "date", "held": value.isoformat()}
    raise TypeError(f"no block holds a {type(value).__name__}")


def _back(kept: Any) -> Any:
    if isinstance(kept, list):
        return tuple(_back(one) for one in kept)
    if not isinstance(kept, dict):
        return kept
    kind, held = kept["is"], kept["held"]
    if kind == "map":
        return {_back(key): _back(one) for key, one in held}
    if kind == "set":
        return frozenset(held)
    if kind == "bytes":
        return base64.b64decode(held)
    if kind == "date":
        return date.fromisoformat(held)
    return KNOWN[kind](**{name: _back(one) for name, one in held.items()})
