"""Who took over from whom: counts and people of units that are gone, restated to today's units."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction


@dataclass(frozen=True)
class Succession:
    """A unit took over from another on a day (its first), with that many people of it.

    `is_part`: the predecessor was split; a predecessor that goes on is among its own successors.
    """

    predecessor_id: int
    successor_id: int
    on: date
    people: int
    is_part: bool = False


@dataclass(frozen=True)
class Restated:
    """Counts by today's units, and which of them are estimates because a unit was split."""

    counts: dict[int, int]
    estimated: frozenset[int]


Successions = Mapping[int, Sequence[Succession]]
"""By predecessor, in order of time."""


def by_predecessor(rows: Iterable[Succession]) -> dict[int, list[Succession]]:
    """The successions as the functions below take them."""
    found: dict[int, list[Succession]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.on, row.successor_id)):
        found[row.predecessor_id].append(row)
    return dict(found)


def shares(unit_id: int, on: date, known: Successions, until: date) -> dict[int, Fraction]:
    """How a fact of a unit on one day is spread over the units of a later day; the sum is 1.

    A split spreads by the people that went to each part; where nobody went, evenly.
    """
    waiting = [(unit_id, on, Fraction(1))]
    found: dict[int, Fraction] = defaultdict(Fraction)
    while waiting:
        unit, day, share = waiting.pop()
        following = _next(unit, day, known, until)
        if not following:
            found[unit] += share
            continue
        total = sum(row.people for row in following)
        for row in following:
            part = Fraction(row.people, total) if total else Fraction(1, len(following))
            waiting.append((row.successor_id, row.on, share * part))
    return {unit: share for unit, share in found.items() if share}


def restated(facts: Iterable[tuple[int, date, int]], known: Successions, until: date) -> Restated:
    """Counts of (unit, day, how many) by the units of a later day; their sum stays the same.

    What is spread over several units is rounded by the largest remainders, unit by unit, and
    every unit that got a share of a split is called an estimate.
    """
    counts: dict[int, int] = defaultdict(int)
    estimated: set[int] = set()
    for unit_id, on, count in facts:
        spread = shares(unit_id, on, known, until)
        if len(spread) > 1:
            estimated.update(spread)
        for unit, part in apportioned(count, spread).items():
            counts[unit] += part
    return Restated(dict(counts), frozenset(estimated))


def apportioned(count: int, spread: Mapping[int, Fraction]) -> dict[int, int]:
    """A whole number in whole parts by shares that sum to 1, largest remainders first."""
    exact = {unit: count * share for unit, share in spread.items()}
    whole = {unit: int(part) for unit, part in exact.items()}
    rest = count - sum(whole.values())
    by_remainder = sorted(exact, key=lambda unit: (whole[unit] - exact[unit], unit))
    for unit in by_remainder[:rest]:
        whole[unit] += 1
    return whole


def unit_of_person(
    unit_id: int,
    on: date,
    known: Successions,
    until: date,
    went: Mapping[date, int],
) -> tuple[int, bool]:
    """The unit of a later day that answers for a person of a unit on one day, and if by estimate.

    `went` says where the person was on the days of splits. Who had left by then is given to the
    largest part, which is an estimate; so everybody is counted in exactly one unit.
    """
    unit, day, is_estimate = unit_id, on, False
    while following := _next(unit, day, known, until):
        day = following[0].on
        parts = {row.successor_id for row in following}
        if len(parts) > 1 and went.get(day) not in parts:
            is_estimate = True
            unit = max(following, key=lambda row: (row.people, -row.successor_id)).successor_id
        else:
            unit = went[day] if len(parts) > 1 else following[0].successor_id
    return unit, is_estimate


def unit_in_whole(unit_id: int, on: date, known: Successions, until: date) -> int | None:
    """The unit of a later day that answers for everybody of a unit; None when they were parted."""
    unit, day = unit_id, on
    while following := _next(unit, day, known, until):
        if len({row.successor_id for row in following}) > 1:
            return None
        unit, day = following[0].successor_id, following[0].on
    return unit


def _next(unit: int, day: date, known: Successions, until: date) -> list[Succession]:
    """The successions of the first day after `day` on which this unit was taken over."""
    later = [row for row in known.get(unit, ()) if day < row.on <= until]
    return [row for row in later if row.on == later[0].on]
