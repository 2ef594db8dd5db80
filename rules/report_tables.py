"""The six report tables as data: columns in the order users write them, lines, and how totals are made.

One shape serves the screen, the workbook, the document, the command and the closed report: a line
holds facts; every percentage is made here from two of them, so it can be counted again by anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from rules.coverage import Figure, number_text, percent_text
from rules.refusals import N_

Fact = str | int | date | None
Cell = str | int | date | Figure | None
"""What stands in a column: a text, a count, a day, or n over N."""

TEXT, COUNT, DAY, RATIO = "text", "count", "day", "ratio"
WHOLE = 100
NOTHING_HELD = N_("chưa tổ chức")
TOTAL = N_("Cộng")
ESTIMATE = N_("ước tính do chia tách")


@dataclass(frozen=True)
class Column:
    """One column: `n` and `d` name the facts of a ratio; a count that is not `additive` takes its
    total from the service (a meeting of several units is one meeting)."""

    key: str
    label: str
    kind: str = COUNT
    n: str = ""
    d: str = ""
    additive: bool = True


@dataclass(frozen=True)
class Line:
    """One row: what it is of, its facts by column, and what has to be said of it."""

    key: str
    name: str
    facts: Mapping[str, Fact]
    target_percent: int = WHOLE
    is_empty: bool = False
    is_estimate: bool = False


@dataclass(frozen=True)
class ReportTable:
    """A table of a report; `key` tells tables of one form apart (one for each campaign).

    `marks` are facts of the whole table that its chart needs: a campaign's opening and deadline.
    """

    key: str
    number: str
    title: str
    subject: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    totals: Mapping[str, int] = field(default_factory=dict)
    target_percent: int = WHOLE
    has_total: bool = True
    footers: tuple[Line, ...] = ()
    note: str = ""
    marks: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def total(self) -> Line:
        """Σ of every count, distinct ones as given; ratios are then Σn/Σd."""
        counted = {
            column.key: self.totals[column.key]
            if column.key in self.totals
            else sum(_whole(line.facts.get(column.key)) for line in self.lines)
            for column in self.columns
            if column.kind == COUNT and (column.additive or column.key in self.totals)
        }
        return Line("total", TOTAL, {**counted, **self.totals}, self.target_percent)


def cell(column: Column, line: Line) -> Cell:
    """What stands in a line under a column."""
    if column.key == "note":
        return remark(line) or None
    if column.kind != RATIO:
        return line.facts.get(column.key)
    n, d = line.facts.get(column.n), line.facts.get(column.d)
    if n is None or d is None:
        return None
    return Figure(_whole(n), _whole(d), line.target_percent)


def remark(line: Line) -> str:
    """What the note column says by itself: nothing held, an estimate, or a fault in the data."""
    words = [str(line.facts["note"])] if line.facts.get("note") else []
    if line.is_empty:
        words.append(NOTHING_HELD)
    if line.is_estimate:
        words.append(ESTIMATE)
    return "; ".join(words)


def cell_text(value: Cell, language: str = "vi") -> str:
    """A cell as it is read: 4.947, 97,5%, 26/11/2026; a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, Figure):
        return percent_text(value, language)
    if isinstance(value, date):
        return f"{value:%d/%m/%Y}"
    return number_text(value, language) if isinstance(value, int) else value


def cell_json(value: Cell) -> object:
    """A cell for programs: a ratio with its n and d."""
    if isinstance(value, Figure):
        return {"n": value.covered, "d": value.eligible, "percent": value.percent}
    return value.isoformat() if isinstance(value, date) else value


def table_json(table: ReportTable) -> dict[str, object]:
    """The table for programs, in column order."""

    def row(line: Line) -> dict[str, object]:
        cells = {column.key: cell_json(cell(column, line)) for column in table.columns}
        return {"key": line.key, "name": line.name, **cells, "note": remark(line)}

    return {
        "key": table.key,
        "number": table.number,
        "title": table.title,
        "columns": [
            {"key": column.key, "label": column.label, "kind": column.kind}
            for column in table.columns
        ],
        "rows": [row(line) for line in table.lines],
        "total": row(table.total) if table.has_total else None,
        "compared": [row(line) for line in table.footers],
    }


def frozen(table: ReportTable) -> dict[str, Any]:
    """The table as it is kept in a closed report: everything needed to show it again."""

    def line(one: Line) -> dict[str, Any]:
        marks = [one.is_empty, one.is_estimate]
        kept = {"key": one.key, "name": one.name, "facts": _kept(one.facts)}
        return kept | {"target": one.target_percent, "marks": marks}

    return {
        "key": table.key,
        "number": table.number,
        "title": table.title,
        "subject": table.subject,
        "columns": [
            [column.key, column.label, column.kind, column.n, column.d, column.additive]
            for column in table.columns
        ],
        "lines": [line(one) for one in table.lines],
        "totals": dict(table.totals),
        "target": table.target_percent,
        "has_total": table.has_total,
        "footers": [line(one) for one in table.footers],
        "note": table.note,
        "marks": _kept(table.marks),
    }


def _kept(facts: Mapping[str, Fact]) -> dict[str, Any]:
    return {
        key: {"day": value.isoformat()} if isinstance(value, date) else value
        for key, value in facts.items()
    }


def _read_again(facts: Mapping[str, Any]) -> dict[str, Fact]:
    return {
        key: date.fromisoformat(value["day"]) if isinstance(value, dict) else value
        for key, value in facts.items()
    }


def thawed(kept: Mapping[str, Any]) -> ReportTable:
    """A kept table, to be shown as on the day it was closed."""

    def line(one: Mapping[str, Any]) -> Line:
        return Line(
            one["key"], one["name"], _read_again(one["facts"]), one["target"], *one["marks"]
        )

    return ReportTable(
        key=kept["key"],
        number=kept["number"],
        title=kept["title"],
        subject=kept["subject"],
        columns=tuple(Column(*column) for column in kept["columns"]),
        lines=tuple(line(one) for one in kept["lines"]),
        totals=kept["totals"],
        target_percent=kept["target"],
        has_total=kept["has_total"],
        footers=tuple(line(one) for one in kept["footers"]),
        note=kept["note"],
        # Reports of the first shape were closed before tables had marks.
        marks=_read_again(kept.get("marks", {})),
    )


ADDED_SINCE = {"1": ("study_days", "household_days", "outreach:months", "attendance")}
"""By the shape a report was closed in: the tables that it could not have yet."""


def comparable(tables: Iterable[ReportTable], software: str) -> list[ReportTable]:
    """The tables that a report closed in that shape has too: what is new there is no change."""
    added = ADDED_SINCE.get(software, ())
    return [table for table in tables if not table.key.startswith(added)]


@dataclass(frozen=True)
class Changed:
    """One figure that a closed report and today's rows tell differently."""

    table: str
    line: str
    column: str
    before: str
    after: str


def changes(before: Iterable[ReportTable], after: Iterable[ReportTable]) -> list[Changed]:
    """What differs between two reports of the same period, line by line, in the old one's order."""
    old, new = {table.key: table for table in before}, {table.key: table for table in after}
    found: list[Changed] = []
    for key in dict.fromkeys([*old, *new]):
        found += _changes_of(old.get(key), new.get(key))
    return found


def changes_table(found: Iterable[Changed]) -> ReportTable:
    """What a supplement changed, as its first table."""
    return ReportTable(
        key="changes",
        number="",
        title=CHANGES_TITLE,
        subject="",
        columns=CHANGES,
        lines=tuple(
            Line(
                str(place),
                one.line,
                {
                    "table": one.table,
                    "column": one.column,
                    "closed": one.before,
                    "now": one.after,
                },
            )
            for place, one in enumerate(found)
        ),
        has_total=False,
    )


def _changes_of(before: ReportTable | None, after: ReportTable | None) -> list[Changed]:
    table = after or before
    if table is None:
        return []
    old, new = _by_key(before), _by_key(after)
    return [
        Changed(f"{table.number} {table.subject}".strip(), line.name, column.label, *texts)
        for key, line in {**old, **new}.items()
        for column in table.columns
        if column.kind != DAY or key in old or key in new
        for texts in [(_said(column, old.get(key)), _said(column, new.get(key)))]
        if texts[0] != texts[1]
    ]


def _by_key(table: ReportTable | None) -> dict[str, Line]:
    if table is None:
        return {}
    total = {"total": table.total} if table.has_total else {}
    return {line.key: line for line in table.lines} | total


def _said(column: Column, line: Line | None) -> str:
    if line is None:
        return "–"
    value = cell(column, line)
    if isinstance(value, Figure):
        return f"{value.covered}/{value.eligible}"
    return cell_text(value)


def compared(table: ReportTable, label: str, other: ReportTable | None) -> Line:
    """The totals of the same table over other days, as a line beneath this one's total; a line of
    dashes when there was no such table then."""
    total = other.total if other else Line("", "", {}, table.target_percent)
    return replace(total, key=f"compared:{label}", name=label)


def _whole(value: Fact) -> int:
    return value if isinstance(value, int) else 0


def columns_of(*specs: tuple[str, str] | Column) -> tuple[Column, ...]:
    """Columns written down short: (key, label) is a count."""
    return tuple(spec if isinstance(spec, Column) else Column(*spec) for spec in specs)


STUDY_TITLE = N_("Kết quả học tập, quán triệt")
STUDY_ALL = columns_of(
    ("total", N_("Tổng số ĐV")),
    ("exempt", N_("Miễn")),
    ("eligible", N_("Diện phải học")),
    ("covered_main", N_("Đã học đợt chính")),
    Column("percent_main", N_("Tỉ lệ đợt chính"), RATIO, "covered_main", "eligible"),
    ("covered_makeup", N_("Học bù")),
    ("covered", N_("Tổng đã học")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "covered", "eligible"),
    Column("percent_total", N_("Trên tổng số (%)"), RATIO, "covered", "total"),
)
STUDY = columns_of(
    ("total", N_("Tổng số ĐV")),
    ("exempt", N_("Miễn")),
    ("eligible", N_("Diện phải học")),
    Column("in_person", N_("Hội nghị trực tiếp"), additive=False),
    Column("points", N_("Điểm cầu"), additive=False),
    ("covered_main", N_("Đã học đợt chính")),
    ("covered_makeup", N_("Học bù")),
    ("covered", N_("Tổng đã học")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "covered", "eligible"),
    ("excused", N_("Vắng có LD")),
    ("unexcused", N_("Vắng không LD")),
    ("officials", N_("CB chủ chốt")),
    Column("others", N_("Đoàn viên, hội viên, quần chúng"), additive=False),
    Column("plan", N_("Đã ban hành KH/CTHĐ"), TEXT),
    Column("note", N_("Ghi chú"), TEXT),
)
DAYS_TITLE = N_("Tiến độ theo ngày")
STUDY_DAYS = columns_of(
    ("main", N_("Đợt chính trong ngày")),
    ("makeup", N_("Học bù trong ngày")),
    Column("main_so_far", N_("Luỹ kế đợt chính"), additive=False),
    Column("so_far", N_("Luỹ kế sau học bù"), additive=False),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "so_far", "eligible"),
)
HOUSEHOLD_DAYS = columns_of(
    ("covered", N_("Số hộ thêm trong ngày")),
    Column("so_far", N_("Luỹ kế"), additive=False),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "so_far", "eligible"),
)
ATTENDANCE_TITLE = N_("Dự học theo thứ và giờ")
ATTENDANCE = columns_of(
    Column("hour", N_("Giờ bắt đầu"), TEXT),
    ("meetings", N_("Số buổi")),
    ("present", N_("Lượt dự")),
    ("invited", N_("Lượt diện dự")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "present", "invited"),
)
HOUSEHOLDS_TITLE = N_("Hộ gia đình")
HOUSEHOLDS_ALL = columns_of(
    ("total", N_("Tổng số hộ")),
    ("covered", N_("Số hộ tham gia (luỹ kế)")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "covered", "total"),
)
HOUSEHOLDS = columns_of(
    ("total", N_("Tổng số hộ")),
    Column("meetings", N_("Số buổi"), additive=False),
    ("covered", N_("Số hộ tham gia (luỹ kế)")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "covered", "total"),
    Column("visits", N_("Lượt người nghe"), additive=False),
    Column("note", N_("Ghi chú"), TEXT),
)
OUTREACH_TITLE = N_("Tuyên truyền miệng")
OUTREACH = columns_of(
    ("meetings", N_("Số buổi")),
    ("visits", N_("Lượt người nghe")),
    ("central", N_("BCV Trung ương")),
    ("province", N_("BCV cấp tỉnh")),
    ("ward", N_("BCV cấp xã")),
    ("grassroots", N_("TTV cơ sở")),
    ("meetings_before", N_("Số buổi cùng kỳ")),
    ("visits_before", N_("Lượt cùng kỳ")),
    Column("note", N_("Ghi chú"), TEXT),
)
OUTREACH_TOPICS = columns_of(
    ("meetings", N_("Số buổi")),
    ("visits", N_("Lượt người nghe")),
    ("meetings_before", N_("Số buổi cùng kỳ")),
    ("visits_before", N_("Lượt cùng kỳ")),
)
OUTREACH_MONTHS = (*OUTREACH_TOPICS, Column("note", N_("Ghi chú"), TEXT))
CLASSES_TITLE = N_("Lớp lý luận chính trị")
CLASSES = columns_of(
    ("planned", N_("Kế hoạch")),
    ("opened", N_("Đã mở")),
    Column("percent", N_("Đạt % KH"), RATIO, "opened_planned", "planned"),
    ("enrolments", N_("Lượt học viên")),
    ("sittings", N_("Số buổi")),
    ("periods", N_("Số tiết")),
    ("excellent", N_("Xuất sắc")),
    ("good", N_("Giỏi")),
    ("fair", N_("Khá")),
    ("passed", N_("Đạt")),
    ("failed", N_("Không đạt")),
    ("certificates", N_("Giấy CN")),
)
SUMMARY_TITLE = N_("Tổng hợp")
SUMMARY = columns_of(
    ("now", N_("Kỳ này")),
    ("before", N_("Cùng kỳ trước")),
    ("change", N_("Tăng, giảm")),
    ("since", N_("Luỹ kế")),
    Column("unit", N_("Đơn vị tính"), TEXT),
)
SENDERS = columns_of(
    ("enrolments", N_("Lượt học viên")),
    Column("people", N_("Số người"), additive=False),
    ("graded", N_("Có kết quả")),
    ("certificates", N_("Giấy CN")),
    Column("note", N_("Ghi chú"), TEXT),
)
THEMES_TITLE = N_("Sinh hoạt chuyên đề")
THEMES = columns_of(
    ("q1", N_("Quý I")),
    ("q2", N_("Quý II")),
    ("q3", N_("Quý III")),
    ("q4", N_("Quý IV")),
    Column("topics", N_("Chuyên đề"), TEXT),
    ("present", N_("Lượt dự")),
    ("invited", N_("Lượt diện dự")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "present", "invited"),
    ("leaders", N_("Lãnh đạo dự")),
    Column("note", N_("Ghi chú"), TEXT),
)
PLANS_TITLE = N_("Theo dõi kế hoạch thực hiện")
PLANS = columns_of(
    Column("campaign", N_("Đợt học tập"), TEXT),
    Column("due_on", N_("Hạn"), DAY),
    Column("document", N_("Số, ngày văn bản"), TEXT),
    Column("state", N_("Trạng thái"), TEXT),
    ("due", N_("Phải ban hành")),
    ("issued", N_("Đã ban hành")),
    Column("percent", N_("Tỉ lệ (%)"), RATIO, "issued", "due"),
)
CHANGES_TITLE = N_("Thay đổi so với bản đã chốt")
CHANGES = columns_of(
    Column("table", N_("Biểu"), TEXT),
    Column("column", N_("Cột"), TEXT),
    Column("closed", N_("Đã chốt"), TEXT),
    Column("now", N_("Nay là"), TEXT),
)
