"""Make-up meetings: who sits with whom, on which days, and how many a meeting can still cover."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Generic, TypeVar

from rules.refusals import N_, Malformed, Refusal

MOST_SITTINGS = 60
MOST_DAYS_BETWEEN = 60

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True)
class Missing(Generic[Who]):
    """Somebody to invite, and the reporting unit they belong to."""

    who: Who
    grassroots_id: int


def sittings(
    missing: Sequence[Missing[Who]], *, seats: int | None, by_unit: bool
) -> list[list[Missing[Who]]]:
    """Everybody once, in the order given, over as few sittings as the seats allow.

    Sizes differ by at most one, so that no sitting is held for a handful. With `by_unit` no
    sitting mixes two reporting units; the list then comes ordered by unit.
    """
    if not missing:
        raise Refusal(N_("Không còn ai cần mời học bù. Hãy xem lại danh sách còn thiếu."))
    if seats is not None and seats < 1:
        raise Malformed(N_("Số chỗ mỗi buổi phải từ 1 trở lên, hoặc để trống."))
    groups = (
        [list(found) for _, found in groupby(missing, key=lambda one: one.grassroots_id)]
        if by_unit
        else [list(missing)]
    )
    found = [part for group in groups for part in _even_parts(group, seats)]
    if len(found) > MOST_SITTINGS:
        raise Refusal(
            N_(
                "Chia như vậy thành %(count)d buổi, quá nhiều cho một lần. "
                "Hãy tăng số chỗ mỗi buổi hoặc chọn từng đơn vị."
            ),
            count=len(found),
        )
    return found


def sitting_times(
    starts_at: datetime, ends_at: datetime, *, count: int, days_between: int
) -> list[tuple[datetime, datetime]]:
    """The same hours on days so far apart; all at once when the days between are 0."""
    if not 0 <= days_between <= MOST_DAYS_BETWEEN:
        raise Malformed(
            N_("Các buổi cách nhau từ 0 đến %(most)d ngày. Hãy nhập lại."), most=MOST_DAYS_BETWEEN
        )
    steps = (timedelta(days=days_between * number) for number in range(count))
    return [(starts_at + step, ends_at + step) for step in steps]


def _even_parts(group: list[Missing[Who]], seats: int | None) -> list[list[Missing[Who]]]:
    parts = 1 if seats is None else -(-len(group) // seats)
    size, larger = divmod(len(group), parts)
    found, start = [], 0
    for number in range(parts):
        end = start + size + (number < larger)
        found.append(group[start:end])
        start = end
    return found


def planned_seats(
    *, capacity: int | None, invited: int, venue_capacity: int | None, is_makeup: bool
) -> int:
    """How many people a meeting still to come can cover: its seats, or whoever is invited.

    A make-up covers nobody but the people named on it, however large the hall.
    """
    if is_makeup:
        return min(invited, capacity) if capacity is not None else invited
    return capacity or invited or venue_capacity or 0
