"""A report as a document in the Party's layout: the issuing unit's head, every table, and a draft's mark."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateways.documents import Block, Drawing, Grid, Paper, Text
from models import Unit
from rules.charts import BarChart, Chart, HeatChart
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Refusal
from rules.report_charts import charts_of
from rules.report_tables import COUNT, RATIO, TEXT, Line, ReportTable, cell, cell_text
from rules.reports import Period
from services import audit
from services.access import granted_unit_ids
from services.document_fields import report_fields
from services.document_templates import write_document
from services.letterheads import letterhead_of
from services.report_files import VIEW_NOTES, heading, name_of_lines, record_export
from services.report_places import AS_WAS
from services.report_tables import report, summary_table
from services.transaction import reading

NAME_WIDTH, TEXT_WIDTH, NUMBER_WIDTH, PLACE_WIDTH = 36, 20, 13, 8
TABLE_SIZE, WIDE_SIZE, WIDE_FROM = 11, 9, 8
BARS_A_PAGE = 27
"""How many lines of a chart fit on a page."""
SHADES = ("F7F7F7", "E3E3E3", "CCCCCC", "ADADAD")
DOCUMENT_TABLES_NOTE = "Các biểu kèm theo là một phần của báo cáo."


def term_document(
    first_on: date,
    last_on: date,
    *,
    now: datetime,
    by: Actor,
    view: str = AS_WAS,
    built_in: bool = False,
) -> bytes:
    """The term report as .docx, headed by the reader's own unit; its leaving is logged.

    In that unit's own template when it has one in use, unless the built-in form is asked for;
    raises `TemplateFailed` when the template cannot be filled.
    """
    today = local_day(now)
    whole = report(first_on, last_on, today=today, by=by, view=view)
    summary = summary_table(whole.period, today=today, by=by)
    session = reading()
    unit = issuing_unit(session, by, today)
    tables = (summary, *whole.tables)
    paper = report_paper(session, tables, whole.period, view, unit=unit, now=now, by=by)
    written = write_document(session, "report", unit, [paper], built_in=built_in)
    record_export(first_on, last_on, "docx", now=now, by=by, **written.source())
    return written.content


def report_paper(
    session: Session,
    tables: Sequence[ReportTable],
    period: Period,
    view: str,
    *,
    unit: int,
    now: datetime,
    by: Actor,
) -> Paper:
    """The paper of a unit that holds these tables; forms with nothing in them are left out."""
    head = letterhead_of(session, unit, now)
    forms: dict[str, list[Block]] = {}
    blocks: list[Block] = [
        Text(
            f"Số liệu từ ngày {period.first_on:%d/%m/%Y} đến ngày {period.last_on:%d/%m/%Y}. "
            f"{VIEW_NOTES[view]} {DOCUMENT_TABLES_NOTE}"
        )
    ]
    for table in tables:
        if table.lines:
            blocks += table_blocks(table)
            name = f"bieu_{table.number}" if table.number else "bang_tong_hop"
            forms.setdefault(name, []).extend(table_blocks(table))
    return Paper(
        letterhead=head,
        kind="BÁO CÁO",
        subject="Kết quả công tác tuyên truyền, huấn luyện",
        blocks=tuple(blocks),
        symbol=head.symbol and f"BC/{head.symbol}",
        landscape=True,
        foot=audit.watermark(by, now),
        fields={
            **report_fields(tables, period, VIEW_NOTES[view]),
            **{name: tuple(found) for name, found in forms.items()},
        },
    )


def issuing_unit(session: Session, by: Actor, today: date) -> int:
    """The unit whose head a person's documents bear: the one they answer for, else the top one."""
    granted = granted_unit_ids(by)
    if granted:
        return min(granted)
    top = session.scalar(
        select(Unit.id)
        .where(Unit.tree == "party", Unit.parent_id.is_(None), Unit.valid_from <= today)
        .order_by(Unit.position, Unit.id)
        .limit(1)
    )
    if top is None:
        raise Refusal(N_("Chưa có đơn vị nào để đứng tên văn bản. Hãy lập đơn vị trước."))
    return top


def table_blocks(table: ReportTable) -> list[Block]:
    """A table with its heading and its note."""
    columns = table.columns
    rows = [_row(table, line, str(place)) for place, line in enumerate(table.lines, start=1)]
    if table.has_total:
        rows.append(_row(table, table.total, ""))
    rows += [_row(table, line, "") for line in table.footers]
    shares = [TEXT_WIDTH if column.kind == TEXT else NUMBER_WIDTH for column in columns]
    size = WIDE_SIZE if len(columns) > WIDE_FROM else TABLE_SIZE
    blocks: list[Block] = [
        Text(heading(table), bold=True, align="left", indent=False),
        Grid(
            header=("STT", name_of_lines(table), *(column.label for column in columns)),
            rows=rows,
            widths=(PLACE_WIDTH, NAME_WIDTH, *shares),
            numbers=frozenset(
                place
                for place, column in enumerate(columns, start=2)
                if column.kind in (COUNT, RATIO)
            ),
            centred=frozenset({0}),
            size=size,
        ),
    ]
    if table.note:
        blocks.append(Text(table.note, italic=True, indent=False, size=12))
    for chart in charts_of(table):
        blocks += chart_blocks(chart)
    return blocks


def chart_blocks(chart: Chart) -> list[Block]:
    """A chart with the sentences that say what it shows; long ones on several pages."""
    if isinstance(chart, HeatChart):
        return _heat_blocks(chart)
    told = Text(chart.message, italic=True, indent=False, size=12)
    if not isinstance(chart, BarChart):
        return [Drawing(chart), told]
    parts = chart.in_parts(BARS_A_PAGE)
    drawings: list[Block] = []
    for place, part in enumerate(parts, start=1):
        title = f"{chart.title} (phần {place}/{len(parts)})" if len(parts) > 1 else chart.title
        drawings.append(Drawing(replace(part, title=title)))
    return [*drawings, told]


def _heat_blocks(chart: HeatChart) -> list[Block]:
    """Weekdays and hours as a table whose cells are the darker the more came."""
    rows, shades = [], {}
    for down, row in enumerate(chart.rows):
        texts = [row]
        for across in range(len(chart.columns)):
            cell = chart.cells.get((down, across))
            texts.append(f"{cell.percent}\n{cell.ratio}" if cell else "")
            if cell and cell.level:
                shades[down, across + 1] = SHADES[cell.level - 1]
        rows.append(texts)
    header = (chart.corner, *chart.columns)
    widths = (2, *(3 for _ in chart.columns))
    places = frozenset(range(len(header)))
    legend = ", ".join(chart.legend)
    return [
        Text(chart.title, bold=True, align="left", indent=False, size=12),
        Grid(header, rows, widths, centred=places, size=TABLE_SIZE, shades=shades),
        Text(
            f"{chart.message} Nền càng đậm, tỉ lệ càng cao: {legend}.",
            italic=True,
            indent=False,
            size=12,
        ),
    ]


def _row(table: ReportTable, line: Line, place: str) -> tuple[str, ...]:
    return (place, line.name, *(cell_text(cell(column, line)) for column in table.columns))
