"""Charts drawn on the server as SVG: pictures of the numbers in the tables beside them."""

from collections.abc import Callable, Sequence
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup

from rules.charts import Bar, BarChart, Chart, DayChart, HeatChart, Pair, PairChart, Voice
from web.chart_lines import draw_days, draw_months
from web.chart_shapes import (
    SMALL,
    WIDTH,
    beside,
    box,
    chart_id,
    figure,
    group,
    headed,
    key,
    line,
    picture,
    step,
    text_width,
    words,
)
from web.preferences import chosen_language

BARS_A_PICTURE = 12
BAR, GAP = 12, 9
PART_KINDS = ("main", "hatch")
HEAT_LEFT, HEAT_HEAD, HEAT_ROW = 30, 20, 46


def voice() -> Voice:
    """The reader's language, for the words in a chart."""
    return Voice(chosen_language(), _)


def draw(chart: Chart) -> Markup:
    """The chart as a figure: its title, its message, its key and its pictures."""
    drawers: dict[type, Callable[[Any], Markup]] = {
        BarChart: _bars,
        DayChart: draw_days,
        PairChart: _pairs,
        HeatChart: _heat,
    }
    return drawers[type(chart)](chart)


def _bars(chart: BarChart) -> Markup:
    entries = list(zip(PART_KINDS, chart.parts, strict=False))
    if any(bar.missing for bar in chart.bars):
        entries.append(("missing", chart.words.missing))
    entries.append(("target", chart.words.target))
    if any(bar.figure.over for bar in chart.bars):
        entries.append(("fault", chart.words.fault))
    parts = chart.in_parts(BARS_A_PICTURE)
    is_beside = all(beside(bar.name, _said(bar)) for bar in chart.bars)
    pictures = []
    for place, part in enumerate(parts, start=1):
        title = chart.title
        if len(parts) > 1:
            title = _("%(title)s (phần %(n)s/%(all)s)", title=title, n=place, all=len(parts))
        pictures.append(_bar_picture(part, title, chart.top, is_beside=is_beside))
    return figure(chart.title, chart.message, key(chart_id(chart.key), entries), pictures)


def _said(bar: Bar) -> str:
    return f"{bar.text} · {bar.remark}" if bar.remark else bar.text


def _bar_picture(chart: BarChart, title: str, top: int, *, is_beside: bool) -> Markup:
    name = chart_id(chart.key)
    shapes, y = [], 2.0
    for bar in chart.bars:
        drawn, y = _bar(bar, y, top, name, is_beside=is_beside)
        shapes.append(drawn)
    marks = [0, 500, 1000] + ([top] if top > 1100 else [])
    for mark in marks:
        x = WIDTH * mark / top
        anchor = "start" if not mark else "end" if mark == top else "middle"
        label = f"{mark // 10}{' ' + chart.unit if mark == 1000 and top == 1000 else ''}"
        shapes.append(words(x, y + 12, label, anchor, "small"))
        shapes.append(line("tick", min(x, WIDTH - 0.5), y - 2, min(x, WIDTH - 0.5), y + 2))
    shapes.append(line("tick", 0, y, WIDTH, y))
    height = y + 18
    if top > 1000:
        shapes.append(words(0, y + 26, chart.unit, "start", "small"))
        height += 12
    return picture(name, title, chart.message, height, shapes)


def _bar(bar: Bar, y: float, top: int, name: str, *, is_beside: bool) -> tuple[Markup, float]:
    """The name and its figure above, the bar beneath: it stays readable on a phone."""
    scale = WIDTH / top
    said = _said(bar)
    shapes, height = headed(bar.name, said, is_beside=is_beside)
    at = height + 2
    shapes.append(box("track", 0, at, 1000 * scale, BAR))
    start = 0
    for kind, end in zip(PART_KINDS, bar.edges, strict=False):
        within = min(end, 1000)
        fill = f"{name}-{kind}" if kind == "hatch" else ""
        if within > start:
            shapes.append(
                box(f"part-{kind}", start * scale, at, (within - start) * scale, BAR, fill)
            )
        start = within
    tenths = bar.figure.tenths
    if tenths is not None and tenths > 1000:
        over = (tenths - 1000) * scale
        shapes.append(box("part-fault", 1000 * scale, at, over, BAR, f"{name}-fault"))
    if bar.missing and tenths is not None:
        shapes.append(box("missing", tenths * scale, at + 0.5, bar.missing * scale, BAR - 1))
    if tenths is not None:
        target = min(bar.figure.target_percent * 10 * scale, WIDTH - 1)
        shapes.append(line("target", target, at - 3, target, at + BAR + 3))
    return group(f"{bar.name}: {said}", shapes, y), y + at + BAR + GAP


def _pairs(chart: PairChart) -> Markup:
    name = chart_id(chart.key)
    entries = [("main", chart.now)] + ([("hatch", chart.before)] if chart.has_before else [])
    drawn = draw_months(chart, name) if chart.is_time else _pair_rows(chart, name)
    return figure(chart.title, chart.message, key(name, entries), [drawn])


def _pair_rows(chart: PairChart, name: str) -> Markup:
    """One name a line, its number at the end of its bar's line, that of before beneath."""
    each = step(chart.top)
    top = -(-chart.top // each) * each
    scale = WIDTH / top
    shapes: list[Markup] = []
    y = 2.0
    said = [_said_of(chart, pair) for pair in chart.pairs]
    is_beside = all(beside(pair.name, its) for pair, its in zip(chart.pairs, said, strict=True))
    for pair, its in zip(chart.pairs, said, strict=True):
        own, height = headed(pair.name, its, is_beside=is_beside)
        at = height + 2
        own.append(box("part-main", 0, at, pair.now * scale, 10))
        if chart.has_before:
            own.append(box("part-hatch", 0, at + 11, pair.before * scale, 8, f"{name}-hatch"))
        shapes.append(group(pair.told(chart), own, y))
        y += at + (20 if chart.has_before else 10) + GAP
    shapes += _axis(chart, each, top, y)
    return picture(name, chart.title, chart.message, y + 18, shapes)


def _said_of(chart: PairChart, pair: Pair) -> str:
    said = f"{pair.text} {chart.unit}"
    return f"{said} · {chart.before.lower()} {pair.text_before}" if chart.has_before else said


def _axis(chart: PairChart, each: int, top: int, y: float) -> list[Markup]:
    shapes = [line("tick", 0, y, WIDTH, y)]
    for mark in range(0, top + 1, each):
        x = WIDTH * mark / top
        anchor = "start" if not mark else "end" if mark == top else "middle"
        label = voice().number(mark)
        said = f"{label} {chart.unit}" if mark == top else label
        shapes.append(words(x, y + 12, said, anchor, "small"))
        x = min(x, WIDTH - 0.5)
        shapes.append(line("tick", x, y - 2, x, y + 2))
    return shapes


def _heat(chart: HeatChart) -> Markup:
    """Weekdays across, hours down: each cell says its percentage, and n over N beneath."""
    name = chart_id(chart.key)
    wide = (WIDTH - HEAT_LEFT) / len(chart.columns)
    shapes = [words(0, 13, chart.corner, "start", "small")]
    for place, column in enumerate(chart.columns):
        x = HEAT_LEFT + wide * (place + 0.5)
        shapes.append(words(x, 13, column, "middle", "value"))
    for down, row in enumerate(chart.rows):
        y = HEAT_HEAD + HEAT_ROW * down
        shapes.append(words(0, y + HEAT_ROW / 2 + 4, row, "start", "value"))
        for across, column in enumerate(chart.columns):
            x = HEAT_LEFT + wide * across
            cell = chart.cells.get((down, across))
            if cell is None:
                shapes.append(box("heat-none", x + 1, y + 1, wide - 2, HEAT_ROW - 2))
                continue
            told = f"{column} {row}: {cell.percent} · {cell.ratio}, {cell.meetings}"
            own = [box(f"heat-{cell.level}", x + 1, y + 1, wide - 2, HEAT_ROW - 2)]
            own.append(words(x + wide / 2, y + 16, cell.percent, "middle", "value"))
            own += _ratio(cell.ratio, x + wide / 2, y + 28, wide - 4)
            shapes.append(group(told, own))
    height = HEAT_HEAD + HEAT_ROW * len(chart.rows) + 2
    entries = [(f"heat-{level}", said) for level, said in enumerate(chart.legend, start=1)]
    return figure(
        chart.title,
        chart.message,
        key(name, entries),
        [picture(name, chart.title, chart.message, height, shapes)],
    )


def _ratio(ratio: str, x: float, y: float, room: float) -> Sequence[Markup]:
    """n/N on one line where it fits, else the N beneath the n."""
    if text_width(ratio, SMALL) <= room:
        return [words(x, y + 3, ratio, "middle", "small")]
    n, _, whole = ratio.partition("/")
    return [words(x, y, n, "middle", "small"), words(x, y + 12, f"/{whole}", "middle", "small")]
