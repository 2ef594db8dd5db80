"""What an import would change: who is new, who is the same, what differs, who is missing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Literal, TypeAlias

from rules.refusals import N_
from rules.roster import HouseholdRow, MemberRow, RowError, RowNote
from rules.roster_cells import Exemption, Said
from rules.text import fold

Outcome: TypeAlias = Literal["new", "changed", "unchanged"]
Choice: TypeAlias = int | Literal["new"]


@dataclass(frozen=True)
class KnownMember:
    """A member as recorded on the day of the import; `unit_id` is None for one who is in no cell."""

    id: int
    code: str
    name: str
    unit_id: int | None
    birth_year: int | None = None
    phone: str | None = None
    email: str | None = None
    exemption: Exemption | None = None
    probationary: bool = False

    @cached_property
    def folded(self) -> str:
        return fold(self.name)


@dataclass(frozen=True)
class KnownHousehold:
    """A household as recorded on the day of the import."""

    id: int
    number: str
    group_id: int
    representative: str | None = None
    phone: str | None = None
    code: str = ""


@dataclass(frozen=True)
class FieldChange:
    """One value that would be replaced; `name` is the field's name in KnownMember."""

    name: str
    old: object
    new: object


@dataclass(frozen=True)
class Change:
    """What would happen to one row. `known_id` is None for somebody new."""

    row: int
    outcome: Outcome
    known_id: int | None = None
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Namesakes:
    """A row that may be one of several people, or one that moved: the user says which.

    Until then, `default` is what happens: the id of a person, "new", or None when it cannot be
    known and the import waits.
    """

    row: int
    candidates: tuple[int, ...]
    default: Choice | None
    said: Said


@dataclass
class Plan:
    """All changes of an import, checked against what is recorded."""

    changes: list[Change] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    namesakes: list[Namesakes] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    notes: list[RowNote] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        return sum(1 for change in self.changes if change.outcome == outcome)


_SAME_CODE = N_(
    "Mã “%(code)s” đã có ở dòng %(other)s. Mỗi người một mã, hãy sửa hoặc xoá một dòng."
)
_SAME_PERSON = N_(
    "Trùng họ tên “%(name)s” cùng chi bộ với dòng %(other)s. Nếu là hai người, hãy ghi năm sinh "
    "hoặc mã khác nhau; nếu là một người, hãy xoá một dòng."
)
_REPEATED = N_("Dòng này giống hệt dòng %(other)s, chỉ tính một lần.")
_MANY_NAMESAKES = N_(
    "Có %(count)s người tên “%(name)s” trong chi bộ này. Hãy ghi mã hoặc năm sinh, "
    "hoặc chọn đúng người ở bước xem trước."
)
_MOVED_OR_NEW = N_(
    "“%(name)s” cùng họ tên và năm sinh với một người ở đơn vị khác. Là người đó chuyển đến, "
    "hay là người mới?"
)
_OTHER_YEAR = N_(
    "“%(name)s” đã có trong chi bộ này nhưng năm sinh khác. Là người đó (sửa năm sinh), "
    "hay là người mới?"
)
_CODE_OF_ANOTHER = N_("Mã “%(code)s” đang là của “%(name)s”. Hãy kiểm tra lại mã hoặc họ tên.")
_SAME_NUMBER = N_(
    "Số hộ “%(number)s” đã có ở dòng %(other)s trong cùng khối phố. Hãy sửa hoặc xoá một dòng."
)


def plan_members(
    rows: Sequence[MemberRow],
    known: Iterable[KnownMember],
    *,
    on: date,
    choices: Mapping[int, Choice] | None = None,
) -> Plan:
    """Match each row to a person: by code, else by name, birth year and unit, else by name and
    unit when only one is so called; what stays open is a question of `namesakes`.

    `choices` are the user's answers by row number. `on` is the day the changes take effect.
    """
    return _MemberPlanner(rows, list(known), on, choices or {}).plan()


class _MemberPlanner:
    """The matching in rounds, the surest first, so that no person is claimed by two rows."""

    def __init__(
        self,
        rows: Sequence[MemberRow],
        known: list[KnownMember],
        on: date,
        choices: Mapping[int, Choice],
    ) -> None:
        self.on = on
        self.choices = choices
        self.result = Plan()
        self.known = {person.id: person for person in known}
        self.by_code = {fold(person.code): person for person in known}
        self.by_name: dict[str, list[KnownMember]] = defaultdict(list)
        for person in known:
            self.by_name[person.folded].append(person)
        self.claimed: dict[int, int] = {}
        self.rows = self._without_repeats(rows)

    def plan(self) -> Plan:
        open_rows = self.rows
        for match in (self._by_choice, self._by_own_code, self._by_name_year_unit):
            open_rows = [row for row in open_rows if not match(row)]
        for row in open_rows:
            self._by_name_alone(row)
        self.result.changes.sort(key=lambda change: change.row)
        self.result.errors.sort(key=lambda error: error.row)
        self.result.missing = [i for i in self.known if i not in self.claimed]
        return self.result

    def _without_repeats(self, rows: Sequence[MemberRow]) -> list[MemberRow]:
        """Rows said twice: the very same is counted once, a contradiction is an error."""
        codes: dict[str, MemberRow] = {}
        persons: dict[tuple[str, int], list[MemberRow]] = defaultdict(list)
        kept: list[MemberRow] = []
        for row in rows:
            earlier = codes.get(fold(row.code)) if row.code else None
            if earlier is None:
                same_name = persons[(row.folded, row.unit_id)]
                earlier = next((other for other in same_name if _indistinct(row, other)), None)
            if earlier is None:
                kept.append(row)
                if row.code:
                    codes[fold(row.code)] = row
                persons[(row.folded, row.unit_id)].append(row)
            elif _says_the_same(row, earlier):
                self._note(row, Said.of(_REPEATED, other=earlier.row))
            elif row.code and earlier.code and fold(row.code) == fold(earlier.code):
                self._error(row, Said.of(_SAME_CODE, code=row.code, other=earlier.row), "code")
            else:
                self._error(row, Said.of(_SAME_PERSON, name=row.name, other=earlier.row), "name")
        return kept

    def _by_choice(self, row: MemberRow) -> bool:
        choice = self.choices.get(row.row)
        if choice is None:
            return False
        person = self.known.get(choice) if choice != "new" else None
        if choice != "new" and (person is None or person.id in self.claimed):
            return False
        if choice == "new" and row.code and fold(row.code) in self.by_code:
            return False
        self._take(row, person)
        return True

    def _by_own_code(self, row: MemberRow) -> bool:
        person = self.by_code.get(fold(row.code)) if row.code else None
        if person is None:
            return False
        if person.folded != row.folded and not _one_person(person, row):
            said = Said.of(_CODE_OF_ANOTHER, code=row.code, name=person.name)
            self._error(row, said, "code")
            self.claimed.setdefault(person.id, row.row)
            return True
        self._take(row, person)
        return True

    def _by_name_year_unit(self, row: MemberRow) -> bool:
        if row.birth_year is None:
            return False
        fitting = [
            person
            for person in self._free(row)
            if person.unit_id == row.unit_id and person.birth_year == row.birth_year
        ]
        if len(fitting) != 1:
            return False
        self._take(row, fitting[0])
        return True

    def _by_name_alone(self, row: MemberRow) -> None:
        free = self._free(row)
        here = [person for person in free if person.unit_id == row.unit_id]
        if len(here) > 1:
            said = Said.of(_MANY_NAMESAKES, count=len(here), name=row.name)
            self._ask(row, here, None, said)
            self._error(row, said, "name")
            return
        if here and _years_agree(here[0], row):
            self._take(row, here[0])
            return
        if here:
            self._ask(row, here, "new", Said.of(_OTHER_YEAR, name=row.name))
        elsewhere = [p for p in free if p.unit_id != row.unit_id and _same_year(p, row)]
        if elsewhere and not here:
            self._ask(row, elsewhere, "new", Said.of(_MOVED_OR_NEW, name=row.name))
        self._take(row, None)

    def _free(self, row: MemberRow) -> list[KnownMember]:
        return [
            person
            for person in self.by_name.get(row.folded, ())
            if person.id not in self.claimed and not _codes_differ(person, row)
        ]

    def _take(self, row: MemberRow, person: KnownMember | None) -> None:
        if person is None:
            self.result.changes.append(Change(row.row, "new"))
            return
        self.claimed[person.id] = row.row
        fields = member_differences(person, row, self.on)
        outcome: Outcome = "changed" if fields else "unchanged"
        self.result.changes.append(Change(row.row, outcome, person.id, fields))

    def _ask(
        self, row: MemberRow, people: Sequence[KnownMember], default: Choice | None, said: Said
    ) -> None:
        ids = tuple(person.id for person in people)
        self.result.namesakes.append(Namesakes(row.row, ids, default, said))

    def _error(self, row: MemberRow, said: Said, column: str) -> None:
        self.result.errors.append(RowError(row.row, column, said))

    def _note(self, row: MemberRow, said: Said) -> None:
        self.result.notes.append(RowNote(row.row, said))


def _indistinct(row: MemberRow, other: MemberRow) -> bool:
    """Two rows of one name in one cell that nothing in the file tells apart."""
    if row.code and other.code:
        return fold(row.code) == fold(other.code)
    if row.birth_year and other.birth_year:
        return row.birth_year == other.birth_year
    return True


def _says_the_same(row: MemberRow, other: MemberRow) -> bool:
    told_apart = row.code or row.birth_year or row.phone or row.email
    return bool(told_apart) and _contents(row) == _contents(other)


def _contents(row: MemberRow) -> tuple[object, ...]:
    return (
        row.folded,
        row.unit_id,
        fold(row.code or ""),
        row.birth_year,
        row.phone,
        row.email,
        row.exemption,
        row.probationary,
        row.joined_on,
    )


def _one_person(person: KnownMember, row: MemberRow) -> bool:
    """Whether a differing name under one code is a corrected name: a word or year in common."""
    same_given = person.folded.split()[-1:] == row.folded.split()[-1:]
    same_family = person.folded.split()[:1] == row.folded.split()[:1]
    same_year = person.birth_year is not None and person.birth_year == row.birth_year
    return same_given or (same_family and same_year)


def _codes_differ(person: KnownMember, row: MemberRow) -> bool:
    """A row with its own code is not a person whose code came from another file."""
    return (
        bool(row.code) and not _made_here(person.code) and fold(row.code or "") != fold(person.code)
    )


GENERATED_CODE_START = "DV-"


def _made_here(code: str) -> bool:
    return code.startswith(GENERATED_CODE_START)


def _years_agree(person: KnownMember, row: MemberRow) -> bool:
    return person.birth_year is None or row.birth_year is None or _same_year(person, row)


def _same_year(person: KnownMember, row: MemberRow) -> bool:
    return person.birth_year is not None and person.birth_year == row.birth_year


def member_differences(person: KnownMember, row: MemberRow, on: date) -> tuple[FieldChange, ...]:
    """The fields the file would change. An empty cell never erases what is recorded, save that
    an empty cell in a column of exemptions ends the exemption.
    """
    pairs: list[tuple[str, object, object]] = [
        ("name", person.name, row.name),
        ("unit_id", person.unit_id, row.unit_id),
        ("birth_year", person.birth_year, row.birth_year),
        ("phone", person.phone, row.phone),
        ("email", person.email, row.email),
        ("probationary", person.probationary, row.probationary),
    ]
    if row.code and fold(row.code) != fold(person.code):
        pairs.append(("code", person.code, row.code))
    changes = [
        FieldChange(name, old, new) for name, old, new in pairs if new is not None and new != old
    ]
    if row.says_exempt:
        wanted = exemption_wanted(person.exemption, row.exemption, on)
        if wanted != person.exemption:
            changes.append(FieldChange("exemption", person.exemption, wanted))
    return tuple(changes)


def exemption_wanted(now: Exemption | None, said: Exemption | None, on: date) -> Exemption | None:
    """The exemption after the import: what the file leaves unsaid stays as recorded.

    A period that is already over on the day of the import is no exemption.
    """
    if said is None or (said.ends_on and said.ends_on < on):
        return None
    base = now or Exemption()
    return Exemption(
        said.starts_on or base.starts_on or on,
        said.ends_on or base.ends_on,
        said.decision or base.decision,
    )


def day_after(day: date) -> date:
    return day + timedelta(days=1)


def plan_households(rows: Sequence[HouseholdRow], known: Iterable[KnownHousehold]) -> Plan:
    """Match each row to a household by its number, or its code, within its residential group."""
    plan = Plan()
    households = list(known)
    recorded = {(h.group_id, fold(h.code)): h for h in households}
    recorded |= {(h.group_id, fold(h.number)): h for h in households}
    seen: dict[tuple[int, str], HouseholdRow] = {}
    claimed: set[int] = set()
    for row in rows:
        household = recorded.get((row.group_id, fold(row.number)))
        key = (row.group_id, fold(household.number if household else row.number))
        earlier = seen.setdefault(key, row)
        if earlier is not row:
            _repeat_of_household(plan, row, earlier)
            continue
        plan.changes.append(_household_change(row, household))
        if household:
            claimed.add(household.id)
    plan.missing = [h.id for h in households if h.id not in claimed]
    return plan


def _repeat_of_household(plan: Plan, row: HouseholdRow, earlier: HouseholdRow) -> None:
    same = (earlier.representative, earlier.phone) == (row.representative, row.phone)
    if same and row.representative:
        plan.notes.append(RowNote(row.row, Said.of(_REPEATED, other=earlier.row)))
        return
    said = Said.of(_SAME_NUMBER, number=row.number, other=earlier.row)
    plan.errors.append(RowError(row.row, "household", said))


def _household_change(row: HouseholdRow, known: KnownHousehold | None) -> Change:
    if known is None:
        return Change(row.row, "new")
    pairs = (
        ("representative", known.representative, row.representative),
        ("phone", known.phone, row.phone),
    )
    fields = tuple(
        FieldChange(name, old, new) for name, old, new in pairs if new is not None and new != old
    )
    return Change(row.row, "changed" if fields else "unchanged", known.id, fields)
