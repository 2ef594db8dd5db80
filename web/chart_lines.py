"""Charts along time: a campaign's days against target and pace, and the months beside before."""

from collections.abc import Callable
from datetime import date

from markupsafe import Markup

from rules.charts import DayChart, Pair, PairChart
from rules.coverage import number_text
from web.chart_shapes import (
    SMALL,
    WIDTH,
    box,
    chart_id,
    figure,
    group,
    key,
    line,
    picture,
    step,
    text_width,
    words,
)
from web.preferences import chosen_language

HEIGHT, RIGHT, TOP, BOTTOM = 236, 10, 24, 44
LEAST_LEFT = 24
MONTHS_HEIGHT = 196
FEW_MONTHS = 13
WIDEST_COLUMN = 36


def _left(top: int) -> float:
    """Where a picture begins beside the largest number of its scale."""
    return max(LEAST_LEFT, text_width(number_text(top, chosen_language()), SMALL) + 7)


def draw_days(chart: DayChart) -> Markup:
    """Covered over time as steps, the target as a level, and the pace from today to the deadline."""
    name = chart_id(chart.key)
    said = chart.words
    entries = [("line", said.covered)]
    if said.main:
        entries += [("area", said.main)]
        entries += [("hatch", said.makeup)]
    entries.append(("need", said.target))
    if said.pace:
        entries.append(("pace", said.pace))
    drawn = [_day_picture(chart, name)] if chart.figure.eligible else []
    return figure(chart.title, chart.message, key(name, entries), drawn)


def _day_picture(chart: DayChart, name: str) -> Markup:
    span = max((chart.last_on - chart.first_on).days, 1)
    top = max(chart.figure.eligible, *(day.covered for day in chart.days), 1)
    left = _left(top)

    def x(on: date) -> float:
        return left + (WIDTH - left - RIGHT) * (on - chart.first_on).days / span

    def y(number: int) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - number / top)

    covered, main = (_steps(chart, x, y, which) for which in ("covered", "main"))
    floor = [(x(chart.until), y(0)), (x(chart.first_on), y(0))]
    shapes = [
        *_day_axes(chart, y, top, left),
        _polygon("area", [*main, *floor]),
        _polygon("part-hatch", [*covered, *reversed(main)], f"{name}-hatch"),
        Markup('<polyline class="chart-line" points="{}"/>').format(_points(covered)),
        line("need", left, y(chart.figure.need), WIDTH - RIGHT, y(chart.figure.need)),
    ]
    at, height = x(chart.until), y(chart.reached(chart.until).covered)
    if chart.pace:
        goal = (x(chart.deadline_on), y(chart.figure.need))
        shapes.append(line("pace", at, height, *goal))
    shapes.append(
        Markup('<circle class="chart-dot" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(at, height)
    )
    return picture(
        name, chart.title, chart.message, HEIGHT, [*shapes, *_day_labels(chart, x, left)]
    )


def _day_axes(chart: DayChart, y: Callable[[int], float], top: int, left: float) -> list[Markup]:
    """The people up the side, the days along the foot."""
    language = chosen_language()
    shapes = [words(0, 12, chart.unit, "start", "small")]
    for number in dict.fromkeys((0, top // 2, top)):
        shapes.append(line("grid", left, y(number), WIDTH - RIGHT, y(number)))
        label = number_text(number, language)
        shapes.append(words(left - 5, y(number) + 4, label, "end", "small"))
    return shapes


def _day_labels(chart: DayChart, x: Callable[[date], float], left: float) -> list[Markup]:
    """Opening and deadline at the foot; the day of the figures on a line of its own above them."""
    foot, said = HEIGHT - 6, chart.words
    at = x(chart.until)
    shapes = [
        line("today", at, TOP, at, HEIGHT - BOTTOM + 5),
        words(left, foot, said.opens, "start", "small"),
        words(WIDTH - RIGHT, foot, said.deadline, "end", "small"),
    ]
    if chart.as_of <= chart.last_on:
        half = text_width(said.as_of, SMALL) / 2
        middle = min(max(at, left + half), WIDTH - half)
        shapes.append(words(middle, foot - 18, said.as_of, "middle", "small"))
    return shapes


def _steps(
    chart: DayChart, x: Callable[[date], float], y: Callable[[int], float], which: str
) -> list[tuple[float, float]]:
    points, level = [(x(chart.first_on), y(0))], 0
    for day in chart.days:
        number = getattr(day, which)
        points += [(x(day.on), y(level)), (x(day.on), y(number))]
        level = number
    return [*points, (x(chart.until), y(level))]


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{left:.1f},{down:.1f}" for left, down in points)


def _polygon(kind: str, points: list[tuple[float, float]], fill: str = "") -> Markup:
    filled = Markup(' fill="url(#{})"').format(fill) if fill else ""
    return Markup('<polygon class="chart-{}" points="{}"{}/>').format(kind, _points(points), filled)


def draw_months(chart: PairChart, name: str) -> Markup:
    """Columns along the months; their numbers stand above them while there is room."""
    each = step(chart.top)
    top = -(-chart.top // each) * each
    left = _left(top)
    slot = (WIDTH - left) / len(chart.pairs)
    language = chosen_language()

    def y(number: int) -> float:
        return TOP + (MONTHS_HEIGHT - TOP - BOTTOM) * (1 - number / top)

    shapes = [words(0, 12, chart.unit, "start", "small")]
    for number in range(0, top + 1, each):
        shapes.append(line("grid", left, y(number), WIDTH, y(number)))
        label = number_text(number, language)
        shapes.append(words(left - 5, y(number) + 4, label, "end", "small"))
    fits = all(text_width(pair.text, SMALL) <= slot for pair in chart.pairs)
    for place, pair in enumerate(chart.pairs):
        shapes.append(_month(chart, pair, left + slot * place, slot, y, name, fits))
        shapes += _month_label(chart, place, left + slot * (place + 0.5))
    return picture(name, chart.title, chart.message, MONTHS_HEIGHT, shapes)


def _month(
    chart: PairChart,
    pair: Pair,
    left: float,
    slot: float,
    y: Callable[[int], float],
    name: str,
    with_number: bool,
) -> Markup:
    columns = 2 if chart.has_before else 1
    wide = min(slot * 0.8 / columns, WIDEST_COLUMN)
    start = left + (slot - wide * columns) / 2
    shapes = []
    if chart.has_before:
        height = y(0) - y(pair.before)
        shapes.append(box("part-hatch", start, y(pair.before), wide, height, f"{name}-hatch"))
        start += wide
    shapes.append(box("part-main", start, y(pair.now), wide, y(0) - y(pair.now)))
    if with_number and pair.now:
        above = y(max(pair.now, pair.before)) - 4
        shapes.append(words(left + slot / 2, above, pair.text, "middle", "small"))
    return group(pair.told(chart), shapes)


def _month_label(chart: PairChart, place: int, x: float) -> list[Markup]:
    """Each month while they are few, else the years; the year stands beneath its first month."""
    month, _, year = chart.pairs[place].name.partition("/")
    shapes = []
    foot = MONTHS_HEIGHT - BOTTOM
    if len(chart.pairs) <= FEW_MONTHS:
        shapes.append(words(x, foot + 16, str(int(month)), "middle", "small"))
    opens_a_year = month == "01"
    starts = place == 0 and all(
        not pair.name.startswith("01/") for pair in chart.pairs[: len(chart.pairs) // 6 + 1]
    )
    if opens_a_year or starts:
        shapes.append(line("tick", x, foot, x, foot + 5))
        shapes.append(words(x, foot + 32, year, "middle", "small"))
    return shapes
