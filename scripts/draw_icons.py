"""Draws the home-screen icons from the same shapes as static/icons/mark.svg.

Runs on the standard library alone; the pictures it writes are kept beside the drawing.
"""

import struct
import sys
import zlib
from collections.abc import Callable
from itertools import pairwise
from math import hypot
from pathlib import Path

ICONS = Path(__file__).resolve().parent.parent / "static" / "icons"
SIZES = (180, 192, 512)
RED, WHITE, GOLD = (155, 28, 36), (255, 255, 255), (255, 212, 102)
STROKE = 2.2
STEPS = 12
Point = tuple[float, float]


def curve(start: Point, *bends: tuple[Point, Point, Point]) -> list[Point]:
    """The corners of a chain of cubic Bézier curves."""
    points = [start]
    for one, two, end in bends:
        first = points[-1]
        for step in range(1, STEPS + 1):
            t = step / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            corners = (first, one, two, end)
            points.append(
                (
                    sum(w * p[0] for w, p in zip(weights, corners, strict=True)),
                    sum(w * p[1] for w, p in zip(weights, corners, strict=True)),
                )
            )
    return points


BOOK = [
    *curve(
        (6.5, 9.2),
        ((10.1, 8.3), (13.1, 8.7), (16, 10.8)),
        ((18.9, 8.7), (21.9, 8.3), (25.5, 9.2)),
    ),
    *curve(
        (25.5, 22.8),
        ((21.9, 21.9), (18.9, 22.3), (16, 24.4)),
        ((13.1, 22.3), (10.1, 21.9), (6.5, 22.8)),
    ),
    (6.5, 9.2),
]
SPINE = [(16.0, 10.8), (16.0, 24.0)]
TICK = [(19.3, 17.2), (21.0, 18.9), (23.6, 15.6)]


def distance(x: float, y: float, line: list[Point]) -> float:
    """How far a point is from a broken line."""
    nearest = 99.0
    for (ax, ay), (bx, by) in pairwise(line):
        dx, dy = bx - ax, by - ay
        along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)
        along = min(1.0, max(0.0, along))
        nearest = min(nearest, hypot(x - ax - along * dx, y - ay - along * dy))
    return nearest


def colour(x: float, y: float, pixel: float) -> tuple[int, int, int]:
    """The colour at a place of the 32 by 32 drawing, its edges softened over one pixel."""
    seen = RED
    for lines, paint in (((BOOK, SPINE), WHITE), ((TICK,), GOLD)):
        away = min(distance(x, y, line) for line in lines) - STROKE / 2
        covered = min(1.0, max(0.0, 0.5 - away / pixel))
        seen = tuple(  # type: ignore[assignment]  # three channels stay three
            round(old + (new - old) * covered) for old, new in zip(seen, paint, strict=True)
        )
    return seen


def png(size: int, at: Callable[[float, float, float], tuple[int, int, int]]) -> bytes:
    """A square picture, without transparency: phones cut their own corners."""
    pixel = 32 / size
    rows = b"".join(
        b"\0"
        + bytes(c for x in range(size) for c in at((x + 0.5) * pixel, (y + 0.5) * pixel, pixel))
        for y in range(size)
    )

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def main() -> int:
    for size in SIZES:
        (ICONS / f"mark-{size}.png").write_bytes(png(size, colour))
    return 0


if __name__ == "__main__":
    sys.exit(main())
