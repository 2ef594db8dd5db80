"""What a decision on units may ask: its plan as plain values, and the rules it must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rules.refusals import N_, Malformed, Refusal
from rules.text import clean

KINDS = ("merge", "split", "rename", "move", "found", "dissolve")
MOST_SOURCES = 60
MOST_PARTS = 8
LATEST_YEAR = 2100


@dataclass(frozen=True)
class Successor:
    """A unit that comes out of a decision: one that exists (`unit_id`), or one to be founded."""

    unit_id: int | None = None
    code: str = ""
    name: str = ""
    kind_code: str = ""
    parent_id: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a decision does from a day on.

    `units`, `people` and `households` say to which successor (by place) what belonged to a split
    unit goes; who is not named goes to the first.
    """

    kind: str
    effective_on: date
    sources: tuple[int, ...] = ()
    successors: tuple[Successor, ...] = ()
    units: Mapping[int, int] = field(default_factory=dict)
    people: Mapping[int, int] = field(default_factory=dict)
    households: Mapping[int, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values, as they are kept."""
        return {
            "sources": list(self.sources),
            "successors": [vars(one) for one in self.successors],
            "units": {str(key): place for key, place in self.units.items()},
            "people": {str(key): place for key, place in self.people.items()},
            "households": {str(key): place for key, place in self.households.items()},
        }


@dataclass(frozen=True)
class UnitFacts:
    """What of a unit the rules look at; `changed_on` is the latest day from which a name or place
    in the tree is already written down."""

    id: int
    name: str
    tree: str
    rank: int
    valid_from: date
    valid_to: date | None
    changed_on: date
    below: frozenset[int] = frozenset()
    """The unit itself and everything below it on the day of the change."""


def plan_of(kind: str, effective_on: date, values: Mapping[str, Any]) -> Plan:
    """The plan that `Plan.as_json` wrote."""

    def places(name: str) -> dict[int, int]:
        return {int(key): place for key, place in values.get(name, {}).items()}

    return Plan(
        kind=kind,
        effective_on=effective_on,
        sources=tuple(values["sources"]),
        successors=tuple(Successor(**one) for one in values["successors"]),
        units=places("units"),
        people=places("people"),
        households=places("households"),
    )


def check_decision(number: str, decided_on: date | None, effective_on: date) -> str:
    """The decision's number, tidied; a change without one, or before its decision, is refused."""
    number = clean(number)
    if not number or len(number) > 80:
        raise Malformed(N_("Hãy ghi số quyết định, không quá 80 ký tự."))
    if effective_on.year > LATEST_YEAR or effective_on.year < 1900:
        raise Malformed(N_("Ngày có hiệu lực không hợp lý. Hãy chọn từ năm 1900 đến năm 2100."))
    if decided_on is not None and abs((decided_on - effective_on).days) > 3660:
        raise Malformed(
            N_("Ngày quyết định và ngày có hiệu lực cách nhau quá 10 năm. Hãy xem lại.")
        )
    return number


def tidied(plan: Plan) -> Plan:
    """The plan as it is meant: a unit that absorbs others is no source of its own, and each source
    counts once. Merging a unit into itself alone is refused."""
    sources = tuple(dict.fromkeys(plan.sources))
    if plan.kind == "merge" and plan.successors:
        into = plan.successors[0].unit_id
        rest = tuple(unit for unit in sources if unit != into)
        if into is not None and not rest:
            raise Refusal(
                N_("Không thể sáp nhập một đơn vị vào chính nó. Hãy chọn đơn vị khác để nhập vào.")
            )
        sources = rest
    return Plan(
        plan.kind,
        plan.effective_on,
        sources,
        plan.successors,
        plan.units,
        plan.people,
        plan.households,
    )


def check_plan(plan: Plan, units: Mapping[int, UnitFacts]) -> None:
    """Refuse what no decision can do; `units` are the sources, successors and units above them."""
    _check_shape(plan)
    involved = [units[unit] for unit in plan.sources]
    for unit in involved:
        _check_day(unit, plan.effective_on)
    for one in plan.successors:
        if one.unit_id is not None and one.unit_id not in plan.sources:
            _check_alive(units[one.unit_id], plan.effective_on)
            involved.append(units[one.unit_id])
    if len({unit.tree for unit in involved}) > 1:
        raise Refusal(N_("Các đơn vị phải cùng một cây (tổ chức đảng hoặc địa bàn dân cư)."))
    for successor in plan.successors:
        _check_place(plan, successor, units)


def _check_shape(plan: Plan) -> None:
    sources, successors = len(plan.sources), len(plan.successors)
    if sources > MOST_SOURCES or successors > MOST_PARTS:
        raise Malformed(
            N_("Một quyết định gồm nhiều nhất %(sources)s đơn vị cũ và %(parts)s đơn vị mới."),
            sources=MOST_SOURCES,
            parts=MOST_PARTS,
        )
    if plan.kind == "merge" and successors == 1:
        if sources < (1 if plan.successors[0].unit_id is not None else 2):
            raise Malformed(N_("Sáp nhập cần ít nhất hai đơn vị. Hãy chọn thêm đơn vị."))
        return
    if plan.kind == "split" and sources == 1:
        if successors < 2 or len({_key(one) for one in plan.successors}) < successors:
            raise Malformed(N_("Chia tách cần ít nhất hai đơn vị khác nhau sau khi chia."))
        _check_places(plan)
        return
    wanted = {"rename": (1, 1), "move": (1, 1), "found": (0, 1), "dissolve": (1, 0)}
    if wanted.get(plan.kind) != (sources, successors):
        raise Malformed(N_("Chưa đủ thông tin cho thay đổi này. Hãy điền lại từ đầu."))


def _key(one: Successor) -> object:
    return one.unit_id if one.unit_id is not None else one.code.casefold()


def _check_places(plan: Plan) -> None:
    places = range(len(plan.successors))
    chosen = (*plan.units.values(), *plan.people.values(), *plan.households.values())
    if any(place not in places for place in chosen):
        raise Malformed(N_("Có người hoặc đơn vị được chia vào nơi không có. Hãy chia lại."))


def _check_day(unit: UnitFacts, on: date) -> None:
    if on == unit.valid_from:
        raise Refusal(
            N_("“%(name)s” mới thành lập ngày %(day)s. Hãy chọn ngày có hiệu lực sau ngày ấy."),
            name=unit.name,
            day=f"{unit.valid_from:%d/%m/%Y}",
        )
    _check_alive(unit, on)
    if unit.changed_on > unit.valid_from and on <= unit.changed_on:
        raise Refusal(
            N_("“%(name)s” đã ghi một thay đổi từ ngày %(day)s. Hãy chọn ngày sau đó."),
            name=unit.name,
            day=f"{unit.changed_on:%d/%m/%Y}",
        )


def _check_alive(unit: UnitFacts, on: date) -> None:
    if on < unit.valid_from:
        raise Refusal(
            N_("Ngày %(on)s là trước khi “%(name)s” thành lập (%(day)s). Hãy xem lại ngày."),
            on=f"{on:%d/%m/%Y}",
            name=unit.name,
            day=f"{unit.valid_from:%d/%m/%Y}",
        )
    if unit.valid_to is not None and on >= unit.valid_to:
        raise Refusal(
            N_("“%(name)s” đã ngừng hoạt động từ ngày %(day)s. Hãy chọn đơn vị đang hoạt động."),
            name=unit.name,
            day=f"{unit.valid_to:%d/%m/%Y}",
        )


def _check_place(plan: Plan, successor: Successor, units: Mapping[int, UnitFacts]) -> None:
    """A successor may not stand below, or be founded under, a unit that this decision ends."""
    leaving = set(plan.sources) if plan.kind in ("merge", "split") else set()
    leaving.discard(successor.unit_id or 0)
    for source in leaving:
        if successor.unit_id in units[source].below or successor.parent_id in units[source].below:
            raise Refusal(
                N_(
                    "“%(name)s” sẽ thôi hoạt động nên không thể đứng trên đơn vị nhận. Hãy chọn lại."
                ),
                name=units[source].name,
            )
    if plan.kind == "move" and successor.parent_id in units[plan.sources[0]].below:
        raise Refusal(N_("Không thể đặt một đơn vị dưới chính nó hay dưới cấp dưới của nó."))
