"""Which unit a roster means when it writes a name, an abbreviation or a code."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rules.refusals import N_
from rules.roster_cells import CellFault
from rules.text import clean, fold


@dataclass(frozen=True)
class NamedUnit:
    """A unit of today as a roster may write it; `above` are the names of the units over it."""

    id: int
    code: str
    name: str
    above: tuple[str, ...] = ()
    holds_people: bool = True


UNKNOWN = N_(
    "Không có đơn vị “%(text)s” trong phạm vi nhập. Hãy ghi đúng tên hoặc mã như trong mục Đơn vị."
)
NEARLY_KNOWN = N_("Không có đơn vị “%(text)s” trong phạm vi nhập. Có phải là: %(meant)s?")

_SHORT_FORMS = {
    "cb": "chi bo",
    "cbo": "chi bo",
    "db": "dang bo",
    "tdp": "to dan pho",
    "kp": "khoi pho",
    "p": "phuong",
    "tx": "thi xa",
    "tp": "thanh pho",
}
_KINDS = (
    "chi bo", "dang bo bo phan", "dang bo", "to dan pho", "khoi pho", "khu pho", "khoi", "thon",
    "ban", "ap", "to", "phuong", "xa", "thi tran",
)  # fmt: skip


def unit_key(text: str) -> str:
    """A unit's name for comparison: no marks or dots, short forms written out, 01 as 1."""
    words = re.sub(r"[^0-9a-z]+", " ", fold(text)).split()
    spelled = [_SHORT_FORMS.get(word, word) for word in words if word != "so"]
    return " ".join(word.lstrip("0") or "0" if word.isdigit() else word for word in spelled)


def _without_kind(key: str) -> str:
    for kind in _KINDS:
        if key.startswith(kind + " "):
            return key[len(kind) + 1 :]
    return key


class UnitBook:
    """The units people may be put in, found by code, whole name or name without its kind."""

    def __init__(self, units: Iterable[NamedUnit]) -> None:
        self._by_code: dict[str, NamedUnit] = {}
        self._by_key: dict[str, list[NamedUnit]] = defaultdict(list)
        self._by_bare: dict[str, list[NamedUnit]] = defaultdict(list)
        self._remembered: dict[tuple[str, str], NamedUnit | CellFault] = {}
        self._by_id: dict[int, NamedUnit] = {}
        for unit in units:
            self._by_id[unit.id] = unit
            self._by_code[fold(unit.code)] = unit
            key = unit_key(unit.name)
            self._by_key[key].append(unit)
            self._by_bare[_without_kind(key)].append(unit)

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, unit_id: int) -> NamedUnit | None:
        return self._by_id.get(unit_id)

    def knows(self, text: str) -> bool:
        """Whether the text is exactly a unit's code or name."""
        return fold(text) in self._by_code or unit_key(text) in self._by_key

    def find(self, text: str, parent: str = "") -> NamedUnit:
        """The one unit meant. `CellFault` with advice when there is none, or several."""
        asked = (text, parent)
        if asked not in self._remembered:
            try:
                self._remembered[asked] = self._found(text, parent)
            except CellFault as fault:
                self._remembered[asked] = fault
        found = self._remembered[asked]
        if isinstance(found, CellFault):
            raise CellFault(found.said.sentence, **dict(found.said.params))
        return found

    def _found(self, text: str, parent: str) -> NamedUnit:
        by_code = self._by_code.get(fold(text))
        if by_code is not None:
            return self._that_holds_people(by_code)
        candidates = self._candidates(text)
        if not candidates:
            name, rest = _name_and_parent(text)
            if rest:
                candidates, parent = self._candidates(name), parent or rest
        if not candidates:
            raise self._unknown(text)
        fitting = _under(candidates, parent) if len(candidates) > 1 and parent else candidates
        if len(fitting) == 1:
            return self._that_holds_people(fitting[0])
        raise CellFault(
            N_(
                "Có %(count)s đơn vị tên “%(text)s”: %(which)s. "
                "Hãy ghi mã đơn vị, hoặc thêm cột đơn vị cấp trên (Đảng bộ, Phường)."
            ),
            count=len(candidates),
            text=text[:60],
            which="; ".join(_described(unit) for unit in candidates[:4]),
        )

    def _candidates(self, text: str) -> list[NamedUnit]:
        key = unit_key(text)
        if not key:
            return []
        found = self._by_key.get(key) or self._by_bare.get(key) or []
        if not found and _without_kind(key) != key and not key.startswith("dang bo"):
            found = [u for u in self._by_key.get(_without_kind(key), []) if u.holds_people]
        return [unit for unit in found if unit.holds_people] or list(found)

    def _that_holds_people(self, unit: NamedUnit) -> NamedUnit:
        if unit.holds_people:
            return unit
        raise CellFault(
            N_(
                "“%(name)s” (mã %(code)s) không trực tiếp có người. "
                "Hãy ghi tên chi bộ (hoặc khối phố) bên dưới."
            ),
            name=unit.name,
            code=unit.code,
        )

    def _unknown(self, text: str) -> CellFault:
        keys = [key for key, units in self._by_key.items() if any(u.holds_people for u in units)]
        close = difflib.get_close_matches(unit_key(text), keys, n=2, cutoff=0.75)
        if close:
            meant = "; ".join(self._by_key[key][0].name for key in close)
            return CellFault(NEARLY_KNOWN, text=text[:200], meant=meant)
        return CellFault(UNKNOWN, text=text[:200])


def _name_and_parent(text: str) -> tuple[str, str]:
    """“Chi bộ 1 (Đảng bộ phường Chi Lăng)” or “Chi bộ 1 – phường Chi Lăng” in two."""
    found = re.match(r"^(.+?)\s*(?:\(|\s[-–]\s|,|/|\bthuộc\b)\s*(.+?)\)?$", clean(text))
    return (found[1], found[2]) if found else (text, "")


def _under(candidates: list[NamedUnit], parent: str) -> list[NamedUnit]:
    key = unit_key(parent)
    whole = [u for u in candidates if any(unit_key(name) == key for name in u.above)]
    if whole:
        return whole
    bare = _without_kind(_without_kind(key))
    return [
        u
        for u in candidates
        if any(_without_kind(_without_kind(unit_key(n))) == bare for n in u.above)
    ]


def _described(unit: NamedUnit) -> str:
    where = f", {unit.above[0]}" if unit.above else ""
    return f"{unit.code}{where}"
