"""What a check of a roster finds: its rows read, its changes planned, its preview as plain values."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from gateways.phones import read_phone
from gateways.workbooks import error_copy_path, write_error_copy
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_
from rules.roster import Checked, MemberRow, Reading, RowError, read_rows
from rules.roster_cells import Exemption, Said
from rules.roster_changes import (
    Change,
    Choice,
    KnownHousehold,
    KnownMember,
    Plan,
    plan_households,
    plan_members,
)
from rules.roster_columns import Kind, Layout, Sheet
from rules.roster_units import NEARLY_KNOWN, UNKNOWN, NamedUnit, UnitBook
from rules.text import fold
from services.access import subtree, units_visible_to
from services.roster_records import recorded_households, recorded_members
from services.units import grassroots_of, nodes_on

SHOWN = 300
MOST_UNKNOWN_UNITS = 400

CODE_ELSEWHERE = N_(
    "Mã “%(code)s” đang là của một người ngoài phạm vi của bạn hoặc đã từ trần. "
    "Hãy kiểm tra lại mã, hoặc nhờ quản trị viên chuyển sinh hoạt."
)


@dataclass(frozen=True)
class Findings:
    """Everything one check has found, before anything is written."""

    sheet: Sheet
    layout: Layout
    checked: Checked
    plan: Plan
    errors: tuple[RowError, ...]
    known: dict[int, KnownMember | KnownHousehold]
    missing: tuple[int, ...]
    units: UnitBook

    @property
    def counts(self) -> dict[str, int]:
        return {
            "rows": self.checked.rows,
            "new": self.plan.count("new"),
            "changed": self.plan.count("changed"),
            "unchanged": self.plan.count("unchanged"),
            "missing_from_file": len(self.missing),
            "errors": len(self.errors),
        }


@dataclass(frozen=True)
class Table:
    """A sheet read row by row, before anything recorded is looked at."""

    sheet: Sheet
    layout: Layout
    checked: Checked
    units: UnitBook
    unit_id: int | None
    visible: frozenset[int] | None
    on: date
    today: date


def nobody_watches(_done: int, _total: int) -> None:
    """The progress of a check that nobody watches."""


def read_table(
    session: Session,
    sheet: Sheet,
    layout: Layout,
    *,
    unit_id: int | None,
    on: date,
    now: datetime,
    by: Actor,
    progress: Callable[[int, int], None] = nobody_watches,
) -> Table:
    """Check every row by itself. `unit_id` narrows the units that the file may name."""
    today = local_day(now)
    visible = units_visible_to(session, by, today, "staff")
    units, default_id = _units(session, layout.kind, unit_id, visible, today)
    checked = read_rows(sheet, layout, Reading(units, today, read_phone, default_id, progress))
    return Table(sheet, layout, checked, units, unit_id, visible, on, today)


def findings_of(
    session: Session, table: Table, choices: Mapping[int, Choice] | None = None
) -> Findings:
    """Compare the rows with what is recorded; `choices` say who is who among namesakes."""
    compared = _compared_units(session, table)
    known: dict[int, KnownMember | KnownHousehold]
    if table.layout.kind == "households":
        households = recorded_households(session, compared, table.on)
        plan = plan_households(table.checked.households, households)
        known = {household.id: household for household in households}
        return _findings(table, plan, [], known, tuple(plan.missing))
    members = table.checked.members
    recorded = recorded_members(
        session, members, compared_units=compared, visible=table.visible, on=table.on
    )
    taken = _codes_elsewhere(members, recorded.taken)
    wrong = {error.row for error in taken}
    rows = [row for row in members if row.row not in wrong]
    plan = plan_members(rows, recorded.members, on=table.on, choices=choices)
    known = {person.id: person for person in recorded.members}
    missing = tuple(i for i in plan.missing if i in recorded.compared)
    return _findings(table, plan, taken, known, missing)


def _findings(
    table: Table,
    plan: Plan,
    taken: Sequence[RowError],
    known: dict[int, KnownMember | KnownHousehold],
    missing: tuple[int, ...],
) -> Findings:
    errors = _labelled([*table.checked.errors, *taken, *plan.errors], table.layout)
    return Findings(
        table.sheet, table.layout, table.checked, plan, errors, known, missing, table.units
    )


def _units(
    session: Session, kind: Kind, unit_id: int | None, visible: frozenset[int] | None, today: date
) -> tuple[UnitBook, int | None]:
    """The units the file may name, and the one that counts where it names none."""
    tree = "residential" if kind == "households" else "party"
    within = visible
    if unit_id is not None:
        below = _below(session, {unit_id}, today)
        within = below if visible is None else below & visible
    nodes = nodes_on(session, today, tree=tree)
    by_id = {node.id: node for node in nodes}

    def above(node_id: int | None) -> Iterable[str]:
        while node_id is not None and node_id in by_id:
            yield by_id[node_id].name
            node_id = by_id[node_id].parent_id

    offered = [node for node in nodes if within is None or node.id in within]
    book = UnitBook(
        NamedUnit(node.id, node.code, node.name, tuple(above(node.parent_id)), node.holds_people)
        for node in offered
    )
    holding = [node.id for node in offered if node.holds_people]
    if unit_id is not None and unit_id in holding:
        return book, unit_id
    return book, holding[0] if unit_id is not None and len(holding) == 1 else None


def _compared_units(session: Session, table: Table) -> frozenset[int]:
    """The units whose people are missing when the file does not name them: the chosen unit and
    all below, else the grassroots organisations the file speaks of.
    """
    checked = table.checked
    named = {row.unit_id for row in checked.members} | {r.group_id for r in checked.households}
    roots = set(grassroots_of(session, named, table.today).values())
    if table.unit_id is not None:
        roots = {table.unit_id}
    units = _below(session, roots, table.today) | named
    return units if table.visible is None else units & table.visible


def _below(session: Session, unit_ids: set[int], today: date) -> frozenset[int]:
    found: Any = session.scalars(subtree(unit_ids, today))
    return frozenset(found)


def _codes_elsewhere(rows: Iterable[MemberRow], taken: frozenset[str]) -> list[RowError]:
    return [
        RowError(row.row, "code", Said.of(CODE_ELSEWHERE, code=row.code))
        for row in rows
        if row.code and fold(row.code) in taken
    ]


def _labelled(errors: Sequence[RowError], layout: Layout) -> tuple[RowError, ...]:
    """Errors in the order of the rows, with the column called as the file calls it."""
    named = []
    for error in errors:
        if error.index is None:
            column = layout.column_of(error.column)
            label = column.label if column else error.column
            if column is None and error.column in ("name", "household"):
                column = layout.column_of("given")
                label = column.label if column else ""
            error = RowError(error.row, label, error.said, column.index if column else None)
        named.append(error)
    return tuple(sorted(named, key=lambda error: (error.row, error.index or 0)))


def error_copy(path: Path, findings: Findings) -> Path | None:
    """The workbook with an error column, beside the file; None when there is no error."""
    if not findings.errors:
        return None
    by_row: dict[int, list[str]] = {}
    for error in findings.errors:
        where = f"{error.column}: " if error.column else ""
        by_row.setdefault(error.row, []).append(where + error.said.text)
    target = error_copy_path(path, findings.sheet)
    faulty = tuple((e.row - 1, e.index) for e in findings.errors if e.index is not None)
    write_error_copy(
        path,
        findings.sheet,
        findings.layout,
        {row: "\n".join(texts) for row, texts in by_row.items()},
        target,
        faulty,
    )
    return target


def described(findings: Findings, known_id: int) -> tuple[str, str, str]:
    """Code, name and unit of somebody recorded."""
    known = findings.known[known_id]
    if isinstance(known, KnownHousehold):
        name = known.representative or known.number
        return known.code, name, _unit_name(findings, known.group_id)
    return known.code, known.name, _unit_name(findings, known.unit_id)


def _unit_name(findings: Findings, unit_id: int | None) -> str:
    if unit_id is None:
        return ""
    unit = findings.units.get(unit_id)
    return unit.name if unit else ""


def outcome(findings: Findings) -> list[object]:
    """What the preview promised, short enough to be kept and compared."""
    changes = [(c.row, c.outcome, c.known_id, len(c.fields)) for c in findings.plan.changes]
    return [len(changes), _fingerprint(changes), len(findings.missing)]


def _fingerprint(value: object) -> str:
    """A short fingerprint of plain values."""
    return sha256(repr(value).encode()).hexdigest()[:16]


def preview(findings: Findings) -> dict[str, Any]:
    """What the page shows, as plain JSON; long lists are cut, the counts are whole."""
    changes = findings.plan.changes
    changed = [change for change in changes if change.outcome == "changed"][:SHOWN]
    new_rows = {change.row for change in changes if change.outcome == "new"}
    notes = sorted([*findings.checked.notes, *findings.plan.notes], key=lambda note: note.row)
    skipped = findings.checked.skipped
    return {
        "counts": findings.counts,
        "outcome": outcome(findings),
        "errors": [_error_json(error) for error in findings.errors[:SHOWN]],
        "notes": [_said_json(note.row, note.said) for note in notes[:SHOWN]],
        "notes_count": len(notes),
        "skipped": [_said_json(note.row, note.said) for note in skipped[:SHOWN]],
        "skipped_count": len(skipped),
        "changed": [_change_json(findings, change) for change in changed],
        "new": _new_json(findings, new_rows),
        "missing": [list(described(findings, i)) for i in findings.missing[:SHOWN]],
        "namesakes": _namesakes_json(findings),
        "unknown_units": _unknown_units(findings),
    }


def _unknown_units(findings: Findings) -> list[dict[str, Any]]:
    """The names of units that the file uses and nobody knows, with the number of their rows."""
    rows: Counter[str] = Counter()
    meant: dict[str, str] = {}
    for error in findings.errors:
        params = dict(error.said.params)
        if error.said.sentence in (UNKNOWN, NEARLY_KNOWN):
            name = str(params["text"])
            rows[name] += 1
            meant[name] = str(params.get("meant", ""))
    return [
        {"name": name, "rows": count, "meant": meant[name]}
        for name, count in rows.most_common(MOST_UNKNOWN_UNITS)
    ]


def _error_json(error: RowError) -> dict[str, Any]:
    return {**_said_json(error.row, error.said), "column": error.column, "index": error.index}


def _said_json(row: int, said: Said) -> dict[str, Any]:
    return {"row": row, "sentence": said.sentence, "params": dict(said.params)}


def _change_json(findings: Findings, change: Change) -> dict[str, Any]:
    code, name, unit = described(findings, change.known_id or 0)
    return {
        "row": change.row,
        "code": code,
        "name": name,
        "unit": unit,
        "fields": [
            {
                "name": field.name,
                "old": _shown(findings, field.name, field.old),
                "new": _shown(findings, field.name, field.new),
            }
            for field in change.fields
        ],
    }


def _shown(findings: Findings, name: str, value: object) -> Any:
    if name == "unit_id" and isinstance(value, int):
        return _unit_name(findings, value)
    if isinstance(value, Exemption):
        return {
            "from": value.starts_on.isoformat() if value.starts_on else None,
            "until": value.ends_on.isoformat() if value.ends_on else None,
            "decision": value.decision,
        }
    return value if isinstance(value, str | int | bool | None) else str(value)


def _new_json(findings: Findings, new_rows: set[int]) -> list[dict[str, Any]]:
    """The first of the new ones, in the order of the file."""
    members = [row for row in findings.checked.members if row.row in new_rows][:SHOWN]
    households = [row for row in findings.checked.households if row.row in new_rows][:SHOWN]
    return [
        {
            "row": r.row,
            "name": r.name,
            "unit": _unit_name(findings, r.unit_id),
            "year": r.birth_year,
        }
        for r in members
    ] + [
        {"row": r.row, "name": r.number, "unit": _unit_name(findings, r.group_id), "year": None}
        for r in households
    ]


def _namesakes_json(findings: Findings) -> list[dict[str, Any]]:
    rows = {row.row: row for row in findings.checked.members}
    shown = []
    for asked in findings.plan.namesakes[:SHOWN]:
        row = rows[asked.row]
        shown.append(
            {
                **_said_json(asked.row, asked.said),
                "default": asked.default,
                "name": row.name,
                "code": row.code,
                "year": row.birth_year,
                "unit": _unit_name(findings, row.unit_id),
                "phone": row.phone,
                "candidates": [_candidate_json(findings, i) for i in asked.candidates],
            }
        )
    return shown


def _candidate_json(findings: Findings, known_id: int) -> dict[str, Any]:
    known = findings.known[known_id]
    if isinstance(known, KnownHousehold):
        return {"id": known.id}
    return {
        "id": known.id,
        "code": known.code,
        "name": known.name,
        "year": known.birth_year,
        "unit": _unit_name(findings, known.unit_id),
        "phone": known.phone,
    }
