"""Which meetings want the same place, speaker, unit or person at the same time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rules.days import LOCAL
from rules.refusals import N_

IGNORED_STATES = frozenset({"cancelled", "not_held"})
BLOCK = "block"
WARNING = "warning"


@dataclass(frozen=True)
class Occupancy:
    """What a meeting takes up. `place_ids` are its venue and every point that is a venue.

    A meeting held online alone has no place; its speakers need not travel.
    """

    meeting_id: int | str | None
    topic: str
    starts_at: datetime
    ends_at: datetime
    state: str = "draft"
    place_ids: frozenset[int] = frozenset()
    speaker_ids: frozenset[int] = frozenset()
    unit_ids: frozenset[int] = frozenset()
    person_ids: frozenset[int] = frozenset()
    capacity: int | None = None
    expected: int = 0

    @property
    def is_ignored(self) -> bool:
        """A meeting that is not going to be takes up nothing."""
        return self.state in IGNORED_STATES


@dataclass(frozen=True)
class Clash:
    """One conflict; `kind` is place, speaker, travel, unit, person or capacity.

    `sentence` is Vietnamese with %(name)s places filled from `params`, translated at the doors.
    """

    kind: str
    severity: str
    meeting_id: int | str | None
    other_id: int | str | None
    subject_ids: tuple[int, ...]
    sentence: str
    params: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def is_block(self) -> bool:
        return self.severity == BLOCK

    @property
    def text(self) -> str:
        return self.sentence % self.params if self.params else self.sentence


Names = Mapping[tuple[str, int], str]


def find_clashes(
    candidate: Occupancy,
    others: Iterable[Occupancy],
    travel_minutes: int = 30,
    names: Names | None = None,
) -> list[Clash]:
    """Every conflict of one meeting with the others, blocks first, then by time.

    `names` gives what to call a place, speaker or unit: {("place", 3): "Hội trường", ...}.
    """
    if candidate.is_ignored:
        return []
    found = list(_capacity_clashes(candidate))
    for other in sorted(others, key=_order):
        if other.is_ignored or _is_same(candidate, other):
            continue
        found.extend(_pair_clashes(candidate, other, travel_minutes, names or {}))
    return sorted(found, key=lambda clash: not clash.is_block)


def all_clashes(
    occupancies: Iterable[Occupancy], travel_minutes: int = 30, names: Names | None = None
) -> list[Clash]:
    """Every conflict among many meetings, each pair once; the earlier meeting comes first."""
    reach = timedelta(minutes=travel_minutes)
    found: list[Clash] = []
    open_ones: list[Occupancy] = []
    for current in sorted((one for one in occupancies if not one.is_ignored), key=_order):
        found.extend(_capacity_clashes(current))
        open_ones = [one for one in open_ones if one.ends_at + reach > current.starts_at]
        for earlier in open_ones:
            if not _is_same(earlier, current):
                found.extend(_pair_clashes(earlier, current, travel_minutes, names or {}))
        open_ones.append(current)
    return found


def _order(occupancy: Occupancy) -> tuple[datetime, datetime, str]:
    return occupancy.starts_at, occupancy.ends_at, str(occupancy.meeting_id)


def _is_same(one: Occupancy, other: Occupancy) -> bool:
    return one.meeting_id is not None and one.meeting_id == other.meeting_id


def _overlap(one: Occupancy, other: Occupancy, margin: timedelta = timedelta()) -> bool:
    return one.starts_at < other.ends_at + margin and other.starts_at < one.ends_at + margin


def _pair_clashes(
    one: Occupancy, other: Occupancy, travel_minutes: int, names: Names
) -> Iterator[Clash]:
    if _overlap(one, other):
        yield from _overlap_clashes(one, other, names)
    elif _overlap(one, other, timedelta(minutes=travel_minutes)):
        yield from _travel_clashes(one, other, travel_minutes, names)


def _overlap_clashes(one: Occupancy, other: Occupancy, names: Names) -> Iterator[Clash]:
    about = {"topic": other.topic, "time": _span(other)}
    for kind, severity, mine, theirs, sentence in (
        ("place", BLOCK, one.place_ids, other.place_ids, _PLACE_TAKEN),
        ("speaker", BLOCK, one.speaker_ids, other.speaker_ids, _SPEAKER_TAKEN),
        ("unit", WARNING, one.unit_ids, other.unit_ids, _UNIT_TWICE),
    ):
        for shared in sorted(mine & theirs):
            params = {**about, "name": names.get((kind, shared), str(shared))}
            yield Clash(
                kind, severity, one.meeting_id, other.meeting_id, (shared,), sentence, params
            )
    people = one.person_ids & other.person_ids
    if people:
        counted: dict[str, object] = {**about, "count": len(people)}
        ids = tuple(sorted(people))
        yield Clash(
            "person", WARNING, one.meeting_id, other.meeting_id, ids, _PEOPLE_TWICE, counted
        )


def _travel_clashes(
    one: Occupancy, other: Occupancy, travel_minutes: int, names: Names
) -> Iterator[Clash]:
    if not one.place_ids or not other.place_ids or one.place_ids & other.place_ids:
        return
    first, second = sorted((one, other), key=_order)
    minutes = int((second.starts_at - first.ends_at) / timedelta(minutes=1))
    for shared in sorted(one.speaker_ids & other.speaker_ids):
        params = {
            "name": names.get(("speaker", shared), str(shared)),
            "topic": other.topic,
            "time": _span(other),
            "minutes": minutes,
            "needed": travel_minutes,
        }
        yield Clash(
            "travel", WARNING, one.meeting_id, other.meeting_id, (shared,), _TOO_FAR, params
        )


def _capacity_clashes(one: Occupancy) -> Iterator[Clash]:
    if one.capacity is not None and one.expected > one.capacity:
        params = {"expected": one.expected, "capacity": one.capacity, "topic": one.topic}
        yield Clash("capacity", WARNING, one.meeting_id, None, (), _TOO_SMALL, params)


def _span(occupancy: Occupancy) -> str:
    start, end = occupancy.starts_at.astimezone(LOCAL), occupancy.ends_at.astimezone(LOCAL)
    return f"{start.hour}h{start.minute:02d}–{end.hour}h{end.minute:02d} {start:%d/%m/%Y}"


_PLACE_TAKEN = N_(
    "Địa điểm “%(name)s” đã có buổi “%(topic)s” (%(time)s). Hãy chọn nơi khác hoặc giờ khác."
)
_SPEAKER_TAKEN = N_(
    "Báo cáo viên %(name)s đã có buổi “%(topic)s” (%(time)s). Hãy chọn người khác hoặc giờ khác."
)
_UNIT_TWICE = N_("%(name)s cũng được mời dự buổi “%(topic)s” (%(time)s).")
_PEOPLE_TWICE = N_("%(count)d người cũng được mời dự buổi “%(topic)s” (%(time)s).")
_TOO_FAR = N_(
    "Báo cáo viên %(name)s chỉ có %(minutes)d phút để đi giữa hai nơi, cần %(needed)d phút "
    "(buổi “%(topic)s”, %(time)s)."
)
_TOO_SMALL = N_("Dự kiến %(expected)d người nhưng nơi họp chỉ chứa %(capacity)d.")
