"""What charts are drawn with: words that are wrapped and never cut, hatches, bars, ticks, keys.

No inline style: colours come from the page's sheet by class, shapes and hatches tell parts apart,
so that a chart can be read in black and white.
"""

import hashlib
from collections.abc import Iterable, Sequence

from markupsafe import Markup

WIDTH = 360
SIZE, SMALL, LINE = 12.5, 10.5, 16
NARROW, WIDE = frozenset("iíìỉĩịjlftr.,;:·'|()/ I"), frozenset("mwMW%—–")
HATCHES = {
    "hatch": (45, '<rect class="chart-hatch" width="2.5" height="6"/>'),
    "fault": (0, '<path class="chart-cross" d="M0 0L6 6M6 0L0 6"/>'),
}
"""Patterns of 6 by 6: how far each is turned, and what is drawn on its ground."""


def chart_id(key: str) -> str:
    """A name for the parts of a picture that no other picture on the page has."""
    return f"chart-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def text_width(words: str, size: float = SIZE, *, bold: bool = False) -> float:
    """How wide words are in a wide font (DejaVu Sans): the reader's own is unknown, or narrower."""
    widths = (
        0.4 if sign in NARROW else 1.0 if sign in WIDE else 0.76 if sign.isupper() else 0.64
        for sign in words
    )
    return sum(widths) * size * (1.1 if bold else 1)


def wrapped(words: str, room: float, size: float = SIZE) -> list[str]:
    """The words on as many lines as they need; a word longer than a line is broken, never cut."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if lines[-1] and text_width(lines[-1] + sign, size) > room:
                lines.append("")
            lines[-1] += sign
    return lines


def beside(name: str, said: str) -> bool:
    """Whether a name and its figure fit on one line."""
    return text_width(name) + 10 + text_width(said, bold=True) <= WIDTH


def headed(name: str, said: str, *, is_beside: bool) -> tuple[list[Markup], float]:
    """A name on the left and its figure on the right, on the same line or beneath the name, and how
    high both are, drawn from the top. A picture has all its lines alike."""
    lines = wrapped(name, WIDTH)
    shapes = [words(0, LINE * place + 12, part) for place, part in enumerate(lines)]
    last = len(lines) - 1 if is_beside else len(lines)
    shapes.append(words(WIDTH, LINE * last + 12, said, "end", "value"))
    return shapes, LINE * (last + 1)


def words(x: float, y: float, text: str, anchor: str = "start", kind: str = "words") -> Markup:
    """A line of text at its baseline."""
    return Markup(
        '<text class="chart-{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
    ).format(x=x, y=y, anchor=anchor, text=text, kind=kind)


def box(kind: str, x: float, y: float, width: float, height: float, fill: str = "") -> Markup:
    """A rectangle; `fill` names a hatch of the picture."""
    return Markup(
        '<rect class="chart-{kind}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{f}/>'
    ).format(
        kind=kind,
        x=x,
        y=y,
        w=max(width, 0),
        h=max(height, 0),
        f=Markup(' fill="url(#{})"').format(fill) if fill else "",
    )


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """A straight line."""
    return Markup(
        '<line class="chart-{kind}" x1="{0:.1f}" y1="{1:.1f}" x2="{2:.1f}" y2="{3:.1f}"/>'
    ).format(x1, y1, x2, y2, kind=kind)


def group(told: str, parts: Iterable[Markup], down: float = 0) -> Markup:
    """Shapes that belong together, so far down, with what they tell when pointed at."""
    moved = Markup(' transform="translate(0 {:.1f})"').format(down) if down else ""
    return Markup("<g{}><title>{}</title>{}</g>").format(moved, told, Markup("").join(parts))


def hatches(name: str) -> Markup:
    """The patterns of one picture, under names of its own."""
    found = Markup("")
    for kind, (turn, inside) in HATCHES.items():
        found += Markup(
            '<pattern id="{name}-{kind}" width="6" height="6" '
            'patternUnits="userSpaceOnUse" patternTransform="rotate({turn})">'
            '<rect class="chart-ground" width="6" height="6"/>{inside}</pattern>'
        ).format(name=name, kind=kind, turn=turn, inside=Markup(inside))
    return Markup("<defs>{}</defs>").format(found)


def picture(name: str, title: str, told: str, height: float, parts: Iterable[Markup]) -> Markup:
    """One SVG with its text alternative: a name, and the message in sentences with figures."""
    return Markup(
        '<svg class="chart" role="img" aria-labelledby="{name}-t" aria-describedby="{name}-d" '
        'viewBox="0 0 {w} {h:.0f}" preserveAspectRatio="xMinYMin meet">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{told}</desc>'
        "{hatches}{inside}</svg>"
    ).format(
        name=name,
        title=title,
        told=told,
        w=WIDTH,
        h=height,
        hatches=hatches(name),
        inside=Markup("").join(parts),
    )


def key(name: str, entries: Sequence[tuple[str, str]]) -> Markup:
    """What each kind of mark means: (kind, words), drawn small before its words."""
    items = Markup("").join(
        Markup(
            '<li><svg class="chart-swatch" aria-hidden="true" viewBox="0 0 24 14">{}{}</svg>'
            "<span>{}</span></li>"
        ).format(hatches(f"{name}-k{place}"), _swatch(kind, f"{name}-k{place}"), said)
        for place, (kind, said) in enumerate(entries)
    )
    return Markup('<ul class="chart-key">{}</ul>').format(items)


def _swatch(kind: str, name: str) -> Markup:
    if kind in HATCHES:
        return box(f"part-{kind}", 1, 1, 22, 12, f"{name}-{kind}")
    if kind == "main":
        return box("part-main", 1, 1, 22, 12)
    if kind in ("target", "whole"):
        return line(kind, 12, 0, 12, 14)
    if kind in ("need", "pace", "line"):
        return line(kind, 0, 7, 24, 7)
    return box(kind, 1, 1, 22, 12)


def figure(title: str, message: str, entries: Markup, pictures: Sequence[Markup]) -> Markup:
    """Pictures with their title, message and key; several stand side by side where there is room."""
    return Markup(
        '<figure class="chart-figure{many}"><figcaption><strong class="chart-title">{title}</strong> '
        '<span class="chart-message">{message}</span></figcaption>{entries}'
        '<div class="chart-parts">{pictures}</div></figure>'
    ).format(
        many=" chart-figure-many" if len(pictures) > 1 else "",
        title=title,
        message=message,
        entries=entries,
        pictures=Markup("").join(pictures),
    )


def step(top: int, most: int = 4) -> int:
    """The distance of at most so many ticks up to a number: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for times in (1, 2, 5):
            if times * power * most >= top:
                return times * power
        power *= 10
