"""Charts are well-formed pictures without style, with a text alternative."""

from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

from web.charts import Bar, ProgressChart, bars, progress


def a_progress(**values: Any) -> ProgressChart:
    given: dict[str, Any] = {
        "days": [(date(2026, 11, 5), 40), (date(2026, 11, 9), 70)],
        "need": 95,
        "eligible": 100,
        "first_on": date(2026, 11, 1),
        "last_on": date(2026, 12, 1),
        "today": date(2026, 11, 15),
        "need_text": "cần 95",
        "pace_text": "cần 2 mỗi ngày",
        "today_text": "hôm nay",
        "dates": ("01/11", "01/12"),
    }
    return ProgressChart(**(given | values))


def test_a_name_cannot_break_out_of_the_picture():
    svg = bars([Bar("<script>&", 604, "60,4% · 2/3", 95, False)], label='a "b"')
    root = ET.fromstring(svg)
    assert root.get("aria-label") == 'a "b"'
    assert "<script>" not in svg
    assert "style=" not in svg


def test_short_bars_are_hatched_and_met_bars_are_not():
    svg = bars([Bar("A", 500, "50%", 95, False), Bar("B", 990, "99%", 95, True)], label="x")
    assert svg.count('fill="url(#hatch)"') == 1


def test_more_than_everybody_does_not_run_off_the_picture():
    root = ET.fromstring(bars([Bar("A", 1200, "120,0%", 95, True)], label="x"))
    assert all(float(rect.get("width", 0)) <= 360 for rect in root.iter("rect"))


def test_progress_shows_the_pace_only_while_something_is_missing():
    assert "cần 2 mỗi ngày" in progress(a_progress(), label="x")
    met = a_progress(days=[(date(2026, 11, 5), 96)])
    assert "cần 2 mỗi ngày" not in progress(met, label="x")


def test_progress_of_nothing_yet_is_still_a_picture():
    ET.fromstring(progress(a_progress(days=[]), label="x"))
