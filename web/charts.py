"""Charts drawn on the server as SVG: pictures of the numbers in the tables beside them.

No inline style: the page's own sheet colours the classes, and short bars are hatched, so that
the pictures can be read in black and white.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

WIDTH = 360
ROW_HEIGHT = 38
NAME_LETTERS = 32
PROGRESS_HEIGHT = 210
LEFT, RIGHT, TOP, BOTTOM = 4, 4, 26, 24


@dataclass(frozen=True)
class Bar:
    """One unit: how much of its 100% is covered (tenths of a percent), in its own words too."""

    name: str
    tenths: int
    text: str
    target_percent: int
    met: bool


@dataclass(frozen=True)
class ProgressChart:
    """Covered by day against the number needed; `days` are (day, covered), in order."""

    days: Sequence[tuple[date, int]]
    need: int
    eligible: int
    first_on: date
    last_on: date
    today: date
    need_text: str
    pace_text: str
    today_text: str
    dates: tuple[str, str]


def bars(rows: Sequence[Bar], *, label: str, hatch_id: str = "hatch") -> Markup:
    """Horizontal bars, one a unit, each with its own target as a tick; in the order given."""
    height = ROW_HEIGHT * len(rows) + 4
    parts = [_bar_row(row, place * ROW_HEIGHT + 14, hatch_id) for place, row in enumerate(rows)]
    return _svg(height, label, Markup("").join([_hatch(hatch_id), *parts]), "chart-bars")


def _bar_row(row: Bar, y: int, hatch_id: str) -> Markup:
    """Name and figure above, the bar beneath: it stays readable on a phone."""
    scale = WIDTH / 100
    bar = Markup('<rect class="{kind}" x="0" y="{y}" width="{w:.1f}" height="12"{fill}/>')
    return Markup("").join(
        [
            Markup("<g><title>{}: {}</title>").format(row.name, row.text),
            _words(0, y - 1, _shortened(row.name), "start"),
            _words(WIDTH, y - 1, row.text, "end"),
            bar.format(kind="chart-track", y=y + 5, w=WIDTH, fill=""),
            bar.format(
                kind="chart-met" if row.met else "chart-short",
                y=y + 5,
                w=min(row.tenths, 1000) / 10 * scale,
                fill="" if row.met else Markup(' fill="url(#{})"').format(hatch_id),
            ),
            Markup(
                '<line class="chart-target" x1="{x:.1f}" x2="{x:.1f}" y1="{a}" y2="{b}"/>'
            ).format(x=min(row.target_percent * scale, WIDTH - 1), a=y + 4, b=y + 20),
            Markup("</g>"),
        ]
    )


def progress(chart: ProgressChart, *, label: str) -> Markup:
    """Covered over time as a step line, the number needed as a level, and the pace to reach it."""
    days = [(day, covered) for day, covered in chart.days if day <= chart.last_on]
    first = min([chart.first_on, *(day for day, _ in days)])
    last = max(chart.last_on, chart.today)
    span = max((last - first).days, 1)
    top = max(chart.eligible, chart.need, *(covered for _, covered in days), 1)

    def x(day: date) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - first).days / span

    def y(number: int) -> float:
        return TOP + (PROGRESS_HEIGHT - TOP - BOTTOM) * (1 - number / top)

    until = min(chart.today, last)
    covered = days[-1][1] if days else 0
    parts = [
        _level(y(chart.need), chart.need_text),
        _steps(days, x, y, first, until, covered),
        _today(x(until), chart.today_text),
    ]
    if covered < chart.need and until < chart.last_on:
        parts.append(_pace(x(until), y(covered), x(chart.last_on), y(chart.need), chart.pace_text))
    parts += [_words(LEFT, PROGRESS_HEIGHT - 8, chart.dates[0], "start")]
    parts += [_words(WIDTH - RIGHT, PROGRESS_HEIGHT - 8, chart.dates[1], "end")]
    return _svg(PROGRESS_HEIGHT, label, Markup("").join(parts), "chart-progress")


def _steps(
    days: Sequence[tuple[date, int]],
    x: Callable[[date], float],
    y: Callable[[int], float],
    first: date,
    until: date,
    covered: int,
) -> Markup:
    points, level = [(x(first), y(0))], 0
    for day, number in days:
        points += [(x(day), y(level)), (x(day), y(number))]
        level = number
    points.append((x(until), y(covered)))
    line = " ".join(f"{left:.1f},{down:.1f}" for left, down in points)
    floor = f"{points[-1][0]:.1f},{y(0):.1f} {points[0][0]:.1f},{y(0):.1f}"
    return Markup(
        '<polygon class="chart-area" points="{line} {floor}"/>'
        '<polyline class="chart-line" points="{line}"/>'
    ).format(line=line, floor=floor)


def _level(y: float, words: str) -> Markup:
    return Markup('<line class="chart-need" x1="{l}" x2="{r}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
        l=LEFT, r=WIDTH - RIGHT, y=y
    ) + _words(LEFT, y - 6, words, "start")


def _today(x: float, words: str) -> Markup:
    anchor = "end" if x > WIDTH / 2 else "start"
    return Markup(
        '<line class="chart-today" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
    ).format(x=x, top=TOP, bottom=PROGRESS_HEIGHT - BOTTOM) + _words(
        x, PROGRESS_HEIGHT - 8, words, anchor
    )


def _pace(x1: float, y1: float, x2: float, y2: float, words: str) -> Markup:
    return Markup(
        '<line class="chart-pace" x1="{0:.1f}" y1="{1:.1f}" x2="{2:.1f}" y2="{3:.1f}"/>'
    ).format(x1, y1, x2, y2) + _words(WIDTH - RIGHT, max(y2 - 6, 14), words, "end")


def _words(x: float, y: float, words: str, anchor: str) -> Markup:
    return Markup(
        '<text class="chart-words" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
    ).format(x=x, y=y, anchor=anchor, words=words)


def _hatch(hatch_id: str) -> Markup:
    return Markup(
        '<defs><pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="chart-hatch-ground" width="6" height="6"/>'
        '<rect class="chart-hatch-line" width="3" height="6"/></pattern></defs>'
    ).format(hatch_id)


def _svg(height: int, label: str, inside: Markup, kind: str) -> Markup:
    return Markup(
        '<svg class="chart {kind}" role="img" aria-label="{label}" viewBox="0 0 {w} {h}" '
        'preserveAspectRatio="xMinYMin meet">{inside}</svg>'
    ).format(kind=kind, label=label, w=WIDTH, h=height, inside=inside)


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else name[: NAME_LETTERS - 1].rstrip() + "…"
