"""A long list in parts: databases take only so many values in one statement."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
SIZE = 500


def in_parts(values: Sequence[T]) -> Iterator[list[T]]:
    """The values in their order, `SIZE` at a time; nothing when there are none."""
    for start in range(0, len(values), SIZE):
        yield list(values[start : start + SIZE])
