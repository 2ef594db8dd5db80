"""What each row of a roster says: a member or a household, or what must be put right first."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TypeVar

from rules.refusals import N_
from rules.roster_cells import (
    Cell,
    CellFault,
    Exemption,
    PhoneReader,
    Said,
    birth_year,
    calendar_date,
    cell_text,
    check_exemption,
    code,
    email_address,
    exemption,
    household_number,
    is_blank,
    is_yes,
    person_name,
    probationary,
    says_nothing,
)
from rules.roster_columns import Column, Layout, Sheet, meaning_of
from rules.roster_units import UnitBook
from rules.text import fold

MAX_ERRORS = 150_000

T = TypeVar("T")


@dataclass(frozen=True)
class RowError:
    """Why a row cannot be taken. `row` counts as the spreadsheet does, from 1."""

    row: int
    column: str
    said: Said
    index: int | None = None


@dataclass(frozen=True)
class RowNote:
    """Something mended or left out of a row that is taken all the same."""

    row: int
    said: Said


@dataclass(frozen=True)
class MemberRow:
    """One party member as the file has them. None: the file does not say.

    `says_exempt` tells whether the file has a column of exemptions at all.
    """

    row: int
    name: str
    unit_id: int
    code: str | None = None
    birth_year: int | None = None
    phone: str | None = None
    email: str | None = None
    says_exempt: bool = False
    exemption: Exemption | None = None
    probationary: bool | None = None
    joined_on: date | None = None

    @cached_property
    def folded(self) -> str:
        return fold(self.name)


@dataclass(frozen=True)
class HouseholdRow:
    """One household: its number within its residential group."""

    row: int
    number: str
    group_id: int
    representative: str | None = None
    phone: str | None = None


@dataclass
class Checked:
    """What was found in the rows; nothing is imported unless `errors` is empty."""

    rows: int = 0
    members: list[MemberRow] = field(default_factory=list)
    households: list[HouseholdRow] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    notes: list[RowNote] = field(default_factory=list)
    skipped: list[RowNote] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """What is needed to understand the cells beside the cells themselves.

    `progress` is told how many of how many rows have been read.
    """

    units: UnitBook
    today: date
    read_phone: PhoneReader
    default_unit_id: int | None = None
    progress: Callable[[int, int], None] | None = None


_PROGRESS_EVERY_ROWS = 1000
_TOTAL = re.compile(r"^(?:tong|cong|tong cong|tong so|cong chung|cong:)\b")
_SIGNATURE = re.compile(
    r"^(?:t/m|tm\.|tm |nguoi lap|lap bieu|ky ten|\(ky|xac nhan|thu truong|bi thu\b|pho bi thu\b"
    r"|noi nhan|(?:[a-z ]+, ?)?ngay .{0,14} ?thang .{0,14} ?nam"
    r"|danh sach (?:nay )?(?:gom|co)|ghi chu:|chu tich|truong ban|chi uy\b|dang uy\b"
    r"|truong thon|to truong)"
)
_SECTION_NUMBER = re.compile(r"^(?:[IVXLC]{1,6}|[A-Z]|\d{1,3}(?:\.\d{1,2})?)\s*[.)\-/:]\s*")
_SECTION = re.compile(
    r"^(?:chi bo|dang bo|cb|khoi|khoi pho|to dan pho|tdp|thon|ban|ap|khu pho|kp|don vi)\b"
)

TOTAL_ROW = N_("Dòng tổng cộng, không phải người.")
SIGNATURE_ROW = N_("Dòng ngày tháng, chữ ký, không phải người.")
SECTION_ROW = N_("Dòng đề mục “%(text)s”: áp dụng cho các dòng bên dưới.")
SECTION_UNKNOWN = N_("Dòng đề mục “%(text)s”, không phải người.")
HEADER_AGAIN = N_("Dòng tiêu đề lặp lại.")


def read_rows(sheet: Sheet, layout: Layout, reading: Reading) -> Checked:
    """Check every row of the table below the header; never stops at the first error."""
    return _Table(sheet, layout, reading).read()


class _Table:
    """The walk down the table; remembers the section the rows stand in."""

    def __init__(self, sheet: Sheet, layout: Layout, reading: Reading) -> None:
        self.sheet = sheet
        self.layout = layout
        self.reading = reading
        self.checked = Checked()
        self.section: str | None = None
        self.signed = False
        self.by_meaning: dict[str, tuple[Column, ...]] = {}
        for column in layout.columns:
            if column.meaning:
                held = self.by_meaning.get(column.meaning, ())
                self.by_meaning[column.meaning] = (*held, column)
        self.below_merged = _cells_below_merged(sheet, layout)

    def read(self) -> Checked:
        total = len(self.sheet.rows)
        for index in range(self.layout.first_row, total):
            if self.reading.progress and index % _PROGRESS_EVERY_ROWS == 0:
                self.reading.progress(index, total)
            cells = self.sheet.rows[index]
            if all(is_blank(cell) for cell in cells):
                continue
            passed = self._passed_over(index, cells)
            if passed is not None:
                self.checked.skipped.append(RowNote(index + 1, passed))
                continue
            self.checked.rows += 1
            self._read_row(index)
        return self.checked

    def _passed_over(self, index: int, cells: Sequence[Cell]) -> Said | None:
        """Why the row is no person's row: a total, a section heading, a signature."""
        texts = [text for cell in cells if (text := cell_text(cell))]
        words = [text for text in texts if not text.replace(".", "").replace(",", "").isdigit()]
        first = words[0] if words else ""
        folded = fold(first)
        if _TOTAL.match(folded):
            return Said(TOTAL_ROW)
        if len(words) <= 3 and any(_SIGNATURE.match(fold(word)) for word in words):
            self.signed = True
            return Said(SIGNATURE_ROW)
        if self.signed and len(texts) <= 2:
            return Said(SIGNATURE_ROW)
        if len(words) >= 2 and self._is_header_again(cells):
            return Said(HEADER_AGAIN)
        return self._section_heading(texts)

    def _is_header_again(self, cells: Sequence[Cell]) -> bool:
        named = [c for c in self.layout.columns if c.meaning in {"name", "given", "household"}]
        return bool(named) and all(
            column.index < len(cells)
            and meaning_of(cell_text(cells[column.index]), self.layout.kind, exact=True)
            in {"name", "given", "family", "household", "representative"}
            for column in named
        )

    def _section_heading(self, texts: list[str]) -> Said | None:
        if len(set(texts)) > 2:
            return None
        joined = texts[-1]
        number = _SECTION_NUMBER.match(joined)
        bare = joined[number.end() :].strip() if number else joined
        bare = re.sub(r"\s*[:(–-]?\s*\(?\d+\s*(?:đảng viên|đ/c|đồng chí|hộ|người)\)?\s*$", "", bare)
        numbered = len(texts) == 2 and re.fullmatch(r"[IVXLC]{1,6}|[A-Z]|\d{1,3}", texts[0])
        if len(texts) == 2 and not numbered:
            return None
        if _SECTION.match(fold(bare)) or self.reading.units.knows(bare):
            self.section = bare.rstrip(":. ")
            return Said.of(SECTION_ROW, text=bare)
        if len(texts) == 1 and number and len(bare) > 3:
            return Said.of(SECTION_UNKNOWN, text=joined)
        return None

    def _read_row(self, index: int) -> None:
        row = _Row(self, index)
        member_or_household = row.household() if self.layout.kind == "households" else row.member()
        if row.errors:
            room = MAX_ERRORS - len(self.checked.errors)
            self.checked.errors.extend(row.errors[:room])
            return
        self.checked.notes.extend(RowNote(index + 1, said) for said in row.notes)
        if isinstance(member_or_household, MemberRow):
            self.checked.members.append(member_or_household)
        elif member_or_household is not None:
            self.checked.households.append(member_or_household)


class _Row:
    """One row being read: collects errors and notes, so that all are told at once."""

    def __init__(self, table: _Table, index: int) -> None:
        self.table = table
        self.index = index
        self.cells = table.sheet.rows[index]
        self.errors: list[RowError] = []
        self.notes: list[Said] = []

    def member(self) -> MemberRow | None:
        name = self._name()
        unit_id = self._unit("unit", N_("Thiếu chi bộ. Hãy ghi tên hoặc mã chi bộ."))
        member_code = self._read("code", code)
        year = self._read("birth", lambda cell: birth_year(cell, self.table.reading.today))
        phone = self._phone()
        email = self._email()
        says_exempt, exempt = self._exemption()
        on_probation = self._probationary()
        joined_on = self._read("joined_on", self._date)
        if self.errors or name is None or unit_id is None:
            return None
        return MemberRow(
            self.index + 1,
            name,
            unit_id,
            member_code,
            year,
            phone,
            email,
            says_exempt,
            exempt,
            on_probation,
            joined_on,
        )

    def household(self) -> HouseholdRow | None:
        number = self._read("household", household_number)
        if number is None and not self.errors:
            self._fault("household", Said(N_("Thiếu số hộ. Hãy ghi số hộ trong khối phố.")))
        group_id = self._unit(
            "group", N_("Thiếu khối phố (tổ dân phố, thôn). Hãy ghi tên hoặc mã.")
        )
        representative = self._representative()
        phone = self._phone()
        if self.errors or number is None or group_id is None:
            return None
        return HouseholdRow(self.index + 1, number, group_id, representative, phone)

    def _cell(self, column: Column) -> Cell:
        place = (self.index, column.index)
        if place in self.table.sheet.formulas:
            raise CellFault(
                N_(
                    "Ô này là công thức. Hãy chép cột rồi dán lại dưới dạng giá trị "
                    "(Paste Special – Values)."
                )
            )
        cell = self.cells[column.index] if column.index < len(self.cells) else None
        if is_blank(cell):
            above = self.table.below_merged.get(place)
            return above if above is not None else None
        if isinstance(cell, str) and cell.lstrip()[:1] == "=":
            raise CellFault(
                N_("Ô bắt đầu bằng dấu “=” như một công thức. Hãy ghi giá trị thật của ô.")
            )
        return cell

    def _fault(self, meaning: str, said: Said) -> None:
        column = self.table.layout.column_of(meaning)
        self._error(column, said)

    def _error(self, column: Column | None, said: Said) -> None:
        label = column.label if column else ""
        self.errors.append(RowError(self.index + 1, label, said, column.index if column else None))

    def _read(self, meaning: str, reader: Callable[[Cell], T | None]) -> T | None:
        """The first value the columns of that meaning give; a fault becomes the row's error."""
        for column in self.table.by_meaning.get(meaning, ()):
            try:
                value = reader(self._cell(column))
            except CellFault as fault:
                self._error(column, fault.said)
                return None
            if value is not None:
                return value
        return None

    def _text(self, meaning: str) -> str:
        return self._read(meaning, lambda cell: cell_text(cell) or None) or ""

    def _date(self, cell: Cell) -> date | None:
        return calendar_date(cell, self.table.reading.today)

    def _name(self) -> str | None:
        if "name" in self.table.by_meaning:
            meaning, written = "name", self._text("name")
        else:
            meaning = "given"
            family, given = self._text("family"), self._text("given")
            if family and not given:
                self._fault("given", Said(N_("Thiếu tên. Hãy ghi tên vào cột này.")))
                return None
            written = f"{family} {given}".strip()
        if self.errors:
            return None
        if not written:
            self._fault(meaning, Said(N_("Thiếu họ và tên. Hãy ghi họ và tên, hoặc xoá cả dòng.")))
            return None
        try:
            name, notes = person_name(written)
        except CellFault as fault:
            self._fault(meaning, fault.said)
            return None
        self.notes.extend(notes)
        return name

    def _representative(self) -> str | None:
        written = self._text("representative")
        if says_nothing(written):
            return None
        try:
            name, notes = person_name(written)
        except CellFault as fault:
            self._fault("representative", fault.said)
            return None
        self.notes.extend(notes)
        return name

    def _unit(self, meaning: str, missing: str) -> int | None:
        """The unit of the cell, else of the section heading above, else the chosen unit."""
        known = len(self.errors)
        written = self._text(meaning)
        parent = self._text("parent_unit")
        if len(self.errors) > known:
            return None
        written = written or self.table.section or ""
        if not written and self.table.reading.default_unit_id is not None:
            return self.table.reading.default_unit_id
        if not written:
            self._fault(meaning, Said(missing))
            return None
        try:
            return self.table.reading.units.find(written, parent).id
        except CellFault as fault:
            self._fault(meaning, fault.said)
            return None

    def _phone(self) -> str | None:
        def reader(cell: Cell) -> str | None:
            text = cell_text(cell) if not isinstance(cell, str) else cell
            if says_nothing(cell_text(cell)):
                return None
            read = self.table.reading.read_phone(text)
            self.notes.extend(read.notes)
            return read.e164

        return self._read("phone", reader)

    def _email(self) -> str | None:
        def reader(cell: Cell) -> str | None:
            email, notes = email_address(cell)
            self.notes.extend(notes)
            return email

        return self._read("email", reader)

    def _exemption(self) -> tuple[bool, Exemption | None]:
        given = [m for m in _EXEMPT_MEANINGS if m in self.table.by_meaning]
        if not given:
            return False, None

        def reader(cell: Cell) -> Exemption | None:
            found, notes = exemption(cell, self.table.reading.today)
            self.notes.extend(notes)
            return found

        found = self._read("exempt", reader)
        starts_on = self._read("exempt_from", self._date)
        ends_on = self._read("exempt_until", self._date)
        decision = self._text("exempt_decision")
        if says_nothing(decision):
            decision = ""
        if found is None and not (starts_on or ends_on or decision):
            return True, None
        base = found or Exemption()
        whole = Exemption(
            starts_on or base.starts_on, ends_on or base.ends_on, decision or base.decision
        )
        try:
            check_exemption(whole)
        except CellFault as fault:
            self._fault(given[-1], fault.said)
        return True, whole

    def _probationary(self) -> bool | None:
        value = self._read("status", probationary)
        if value is not None:
            return value
        if self._read("probationary", is_yes):
            return True
        if self._read("full", is_yes):
            return False
        return None


_EXEMPT_MEANINGS = ("exempt", "exempt_from", "exempt_until", "exempt_decision")


def _cells_below_merged(sheet: Sheet, layout: Layout) -> dict[tuple[int, int], Cell]:
    """What cells hidden under a merged one show: the value of its top-left cell.

    Only downwards: a heading merged across the table is one cell of one row.
    """
    shown: dict[tuple[int, int], Cell] = {}
    room = 200_000
    for (top, left), (bottom, _) in sheet.merged:
        if top < layout.first_row or bottom == top or top >= len(sheet.rows):
            continue
        row = sheet.rows[top]
        value = row[left] if left < len(row) else None
        last = min(bottom, len(sheet.rows) - 1, top + room)
        room -= last - top
        for index in range(top + 1, last + 1):
            shown[(index, left)] = value
    return shown
