"""Charts of documents: charts of the word processor's own kind, with their numbers inside.

Word and LibreOffice draw them with the document's font, staff can change and copy them, and no
picture has to be painted on a server that may have no font at all. XlsxWriter writes each chart
into a small workbook; the chart goes into the document and the workbook behind it, so that "Edit
data" opens the numbers. Hatches, dashes and outlines tell parts apart in black and white.
"""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # has no types
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.shared import Mm

from rules.charts import BarChart, DayChart, PairChart

Drawn = BarChart | DayChart | PairChart
FONT = "Times New Roman"
SHEET = "So lieu"
CHART_TYPE = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
BOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
BLACK, DARK, WHITE = "#000000", "#404040", "#FFFFFF"
EDGE = {"color": BLACK, "width": 0.75}
SOLID = {"fill": {"color": DARK}, "border": EDGE}
AXIS_FONT = {"name": FONT, "size": 9, "bold": False}
AXIS = {"num_font": AXIS_FONT, "name_font": AXIS_FONT, "minor_tick_mark": "none"}
NAMES = {**AXIS, "major_gridlines": {"visible": False}, "line": EDGE}
NUMBERS = {
    **AXIS,
    "min": 0,
    "num_format": '[>=1000000]#"."000"."000;[>=1000]#"."000;0',
    "major_gridlines": {"visible": True, "line": {"color": "#BFBFBF", "width": 0.5}},
}
TOP_DOWN = {"reverse": True, "crossing": "max", "interval_unit": 1}
"""Names of lying bars in the order of the table, the scale beneath them."""
FEW_LABELS = 13
TICKS = 10
TITLE, FOOT, LEAST = 13, 24, 90
BAR_HEIGHT, LEAST_BARS, PAIR_HEIGHT = 4.1, 11, 8
"""How high things are in millimetres: the title, axis and legend; a chart along time; a bar."""
DAYS_OF_A_YEAR = 365


def _pattern(name: str) -> dict[str, Any]:
    pattern = {"pattern": name, "fg_color": BLACK, "bg_color": WHITE}
    return {"pattern": pattern, "border": EDGE}


PARTS = (SOLID, _pattern("wide_upward_diagonal"))
MISSING = {"fill": {"none": True}, "border": {**EDGE, "dash_type": "dash"}}
FAULT = _pattern("small_check")
LINES: Mapping[str, dict[str, Any]] = {
    "covered": {"color": BLACK, "width": 2.25},
    "main": {"color": "#7F7F7F", "width": 1.5},
    "target": {"color": BLACK, "width": 1.5, "dash_type": "long_dash"},
    "pace": {"color": BLACK, "width": 1.75, "dash_type": "round_dot"},
}


@dataclass(frozen=True)
class _Sheet:
    """The numbers of a chart: a head, and rows of a category and its values (None: no point)."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


def height_of(chart: Drawn) -> float:
    """How high a chart wants to be, in millimetres: as its lines are many."""
    if isinstance(chart, BarChart):
        return TITLE + FOOT + max(LEAST_BARS, BAR_HEIGHT * len(chart.bars))
    if isinstance(chart, PairChart) and not chart.is_time:
        return TITLE + FOOT + PAIR_HEIGHT * len(chart.pairs)
    return LEAST


def add_chart(document: Any, chart: Drawn, *, width: float, tallest: float) -> None:
    """Put a chart at the document's end, in a paragraph of its own; lengths in millimetres.

    Its text alternative is the chart's message.
    """
    height = min(height_of(chart), tallest)
    xml, book = chart_parts(chart)
    part = document.part
    number = part.next_id
    package = part.package
    workbook = Part(PackURI(f"/word/embeddings/so-lieu-{number}.xlsx"), BOOK_TYPE, book, package)
    drawn = Part(PackURI(f"/word/charts/chart{number}.xml"), CHART_TYPE, b"", package)
    behind = drawn.relate_to(workbook, f"{RELATIONS}/package")
    # No public way gives a part its contents once its relations are known.
    drawn._blob = xml.replace(
        "<c:printSettings>",
        f'<c:externalData r:id="{behind}"><c:autoUpdate val="0"/></c:externalData>'
        "<c:printSettings>",
        1,
    ).encode()
    shown = part.relate_to(drawn, f"{RELATIONS}/chart")
    line = document.add_paragraph()
    line._p.append(parse_xml(_drawing(chart, shown, number, Mm(width), Mm(height))))


def _drawing(chart: Drawn, relation: str, number: int, width: int, height: int) -> str:
    title, told = escape(chart.title), escape(chart.message)
    main = "http://schemas.openxmlformats.org"
    kind = f"{main}/drawingml/2006/chart"
    return (
        f'<w:r xmlns:w="{main}/wordprocessingml/2006/main" '
        f'xmlns:wp="{main}/drawingml/2006/wordprocessingDrawing" '
        f'xmlns:a="{main}/drawingml/2006/main" xmlns:c="{kind}" xmlns:r="{RELATIONS}">'
        f'<w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{width}" cy="{height}"/>'
        f'<wp:docPr id="{number}" name="Biểu đồ {number}" descr="{told}" title="{title}"/>'
        f'<wp:cNvGraphicFramePr/><a:graphic><a:graphicData uri="{kind}">'
        f'<c:chart r:id="{relation}"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>'
    )


def chart_parts(chart: Drawn) -> tuple[str, bytes]:
    """The chart's XML (DrawingML), and the workbook that holds its numbers."""
    makers: dict[type, Callable[[Any, Any, Any], Any]] = {
        BarChart: _bars,
        DayChart: _days,
        PairChart: _pairs,
    }
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet(SHEET)
    drawn = makers[type(chart)](chart, book, sheet)
    drawn.set_title({"name": chart.title, "name_font": _font(12, bold=True)})
    drawn.set_legend({"position": "bottom", "font": _font(10)})
    sheet.insert_chart(1, 10, drawn)
    book.close()
    content = buffer.getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        xml = package.read("xl/charts/chart1.xml").decode()
    return _plain(xml), content


def _plain(xml: str) -> str:
    """Say what XlsxWriter leaves to Excel's habits: LibreOffice would smooth lines, and draw days
    that have not come yet as nothing."""
    xml = xml.replace('"en-US"', '"vi-VN"')
    if "<c:lineChart>" in xml:
        xml = xml.replace("</c:ser>", '<c:smooth val="0"/></c:ser>')
    gap = '<c:dispBlanksAs val="gap"/>'
    return xml.replace('<c:plotVisOnly val="1"/>', f'<c:plotVisOnly val="1"/>{gap}', 1)


def _font(size: int, *, bold: bool = False) -> dict[str, Any]:
    return {"name": FONT, "size": size, "bold": bold}


def _write(sheet: Any, numbers: _Sheet) -> None:
    """Texts as texts: nothing that staff typed can become a formula."""
    for column, label in enumerate(numbers.header):
        sheet.write_string(0, column, label)
    for row, values in enumerate(numbers.rows, start=1):
        for column, value in enumerate(values):
            if isinstance(value, str):
                sheet.write_string(row, column, value)
            elif value is not None:
                sheet.write_number(row, column, value)


def _add_series(drawn: Any, numbers: _Sheet, column: int, **looks: Any) -> None:
    last = len(numbers.rows)
    drawn.add_series(
        {
            "name": [SHEET, 0, column],
            "categories": [SHEET, 1, 0, last, 0],
            "values": [SHEET, 1, column, last, column],
            **looks,
        }
    )


def _bars(chart: BarChart, book: Any, sheet: Any) -> Any:
    """Lying bars of percentages, stacked: the parts, what is missing to the target, the fault."""
    names = [*chart.parts, chart.words.missing]
    looks = [*PARTS[: len(chart.parts)], MISSING]
    if any(bar.figure.over for bar in chart.bars):
        names.append(chart.words.fault)
        looks.append(FAULT)
    rows = []
    for bar in chart.bars:
        ends = [0, *(min(end, 1000) for end in bar.edges)]
        widths = [end - start for start, end in pairwise(ends)]
        widths += [bar.missing, max((bar.figure.tenths or 0) - 1000, 0)][: len(names) - len(widths)]
        said = ", ".join(filter(None, (bar.text, bar.remark)))
        counts = (bar.figure.covered, bar.figure.eligible)
        rows.append((f"{bar.name}: {said}", *(width / 10 for width in widths), *counts))
    numbers = _Sheet((chart.title, *names, "n", "N"), rows)
    _write(sheet, numbers)
    sheet.set_column(0, 0, 60)
    drawn = book.add_chart({"type": "bar", "subtype": "stacked"})
    for column, look in enumerate(looks, start=1):
        _add_series(drawn, numbers, column, gap=45, overlap=100, **look)
    small = {**AXIS_FONT, "size": 8}
    drawn.set_y_axis({**NAMES, **TOP_DOWN, "num_font": small})
    scale = {"max": chart.top // 10, "major_unit": 10, "num_format": "0", "name": chart.unit}
    drawn.set_x_axis({**NUMBERS, **scale})
    high = height_of(chart)
    lines = {"y": TITLE / high, "height": (high - TITLE - FOOT) / high}
    drawn.set_plotarea({"layout": {"x": 0.47, "width": 0.5, **lines}})
    return drawn


def _days(chart: DayChart, book: Any, sheet: Any) -> Any:
    """Lines over every day from the opening to the deadline; nothing beyond the last known day."""
    said = chart.words
    lines = [("covered", said.covered), ("main", said.main), ("target", said.target)]
    lines = [line for line in [*lines, ("pace", said.pace)] if line[1]]
    span = (chart.last_on - chart.first_on).days
    rows = []
    for on in (chart.first_on + timedelta(days=number) for number in range(span + 1)):
        values = _of_day(chart, on)
        label = f"{on:%d/%m}" if span < DAYS_OF_A_YEAR else f"{on:%d/%m/%Y}"
        rows.append((label, *(values[kind] for kind, _ in lines)))
    numbers = _Sheet((chart.title, *(name for _, name in lines)), rows)
    _write(sheet, numbers)
    drawn = book.add_chart({"type": "line"})
    for column, (kind, _) in enumerate(lines, start=1):
        _add_series(drawn, numbers, column, line=LINES[kind])
    drawn.set_x_axis(
        {
            **AXIS,
            "name": f"{said.opens} – {said.deadline}, {said.as_of}",
            "name_font": _font(9),
            "interval_unit": max(1, -(-len(rows) // TICKS)),
            "interval_tick": max(1, -(-len(rows) // TICKS)),
        }
    )
    drawn.set_y_axis({**NUMBERS, "name": chart.unit})
    return drawn


def _of_day(chart: DayChart, on: date) -> dict[str, float | None]:
    reached, need = chart.reached(on), chart.figure.need
    known = on <= chart.until
    values: dict[str, float | None] = {
        "covered": reached.covered if known else None,
        "main": reached.main if known else None,
        "target": need,
        "pace": None,
    }
    left = (chart.deadline_on - chart.until).days
    if chart.pace and chart.until <= on <= chart.deadline_on:
        start = chart.reached(chart.until).covered
        values["pace"] = start + (need - start) * (on - chart.until).days / left
    return values


def _pairs(chart: PairChart, book: Any, sheet: Any) -> Any:
    """Columns along the months, or lying bars by name; those of before are hatched."""
    numbers = _Sheet(
        (chart.title, chart.now, chart.before),
        [(pair.name, pair.now, pair.before) for pair in chart.pairs],
    )
    _write(sheet, numbers)
    drawn = book.add_chart({"type": "column" if chart.is_time else "bar"})
    looks = [(1, SOLID, "text")]
    if chart.has_before:
        looks.append((2, PARTS[1], "text_before"))
    for column, look, text in looks:
        labels = [{"value": getattr(pair, text)} for pair in chart.pairs]
        shown = {"value": True, "custom": labels, "font": _font(9), "position": "outside_end"}
        own = {"data_labels": shown} if len(labels) <= FEW_LABELS else {}
        _add_series(drawn, numbers, column, gap=60, **look, **own)
    counts = {**NUMBERS, "name": chart.unit}
    if chart.is_time:
        drawn.set_x_axis(NAMES)
        drawn.set_y_axis(counts)
    else:
        drawn.set_y_axis({**NAMES, **TOP_DOWN})
        drawn.set_x_axis(counts)
    return drawn
