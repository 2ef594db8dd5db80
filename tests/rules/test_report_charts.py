"""The charts of a report hold the numbers of their own table, kept or fresh, and no others."""

from datetime import date

import pytest

from rules.charts import BarChart, DayChart, HeatChart, PairChart
from rules.report_charts import MOST_TOPICS, charts_of, lowest_first
from rules.report_tables import (
    ATTENDANCE,
    HOUSEHOLDS,
    OUTREACH_MONTHS,
    OUTREACH_TOPICS,
    PLANS,
    STUDY,
    STUDY_DAYS,
    Line,
    ReportTable,
    frozen,
    thawed,
)


def table(key, columns, *lines, **values):
    return ReportTable(key, "1", "Tên", "", columns, lines, target_percent=95, **values)


def unit(key, main, makeup, eligible, **values):
    facts = {"eligible": eligible, "covered": main + makeup}
    facts |= {"covered_main": main, "covered_makeup": makeup}
    return Line(key, f"Chi bộ {key}", facts, 95, **values)


STUDIED = table(
    "study:NQ", STUDY, unit("a", 40, 8, 50), unit("b", 0, 0, 0), unit("c", 0, 0, 9, is_empty=True)
)
DAYS = table(
    "study_days:NQ",
    STUDY_DAYS,
    Line("2026-11-05", "05/11/2026", {"main_so_far": 30, "so_far": 30, "eligible": 59}, 95),
    Line("2026-11-09", "09/11/2026", {"main_so_far": 40, "so_far": 48, "eligible": 59}, 95),
    totals={"so_far": 48, "main_so_far": 40, "eligible": 59},
    marks={
        "opens_on": date(2026, 11, 1),
        "deadline_on": date(2026, 12, 1),
        "as_of": date(2026, 11, 20),
    },
)
HOURS = table(
    "attendance",
    ATTENDANCE,
    *(
        Line(
            f"{weekday}-{at}",
            "Thứ Hai",
            {"weekday": weekday, "at": at, "present": n, "invited": d, "meetings": 1},
        )
        for weekday, at, n, d in ((0, 7, 9, 10), (6, 19, 3, 4), (0, 19, 1, 2))
    ),
)


def topics(count):
    names = ("meetings", "visits", "meetings_before", "visits_before")
    return table(
        "outreach:topics",
        OUTREACH_TOPICS,
        *(Line(str(n), f"Đề tài {n}", dict.fromkeys(names, n)) for n in range(count, 0, -1)),
    )


def paired(found):
    """Its charts, which are pairs."""
    charts = charts_of(found)
    assert all(isinstance(one, PairChart) for one in charts)
    return [one for one in charts if isinstance(one, PairChart)]


def test_bars_are_the_lines_of_the_table_in_its_order():
    [chart] = charts_of(STUDIED)
    assert isinstance(chart, BarChart)
    assert [(one.name, one.counts, one.text) for one in chart.bars] == [
        ("Chi bộ a", (40, 8), "96,0% · 48/50"),
        ("Chi bộ b", (0, 0), "chưa có đối tượng"),
        ("Chi bộ c", (0, 0), "0,0% · 0/9"),
    ]
    assert [one.remark for one in chart.bars] == ["đạt", "", "chưa tổ chức"]


def test_households_have_one_part():
    line = Line("k1", "Khối 1", {"total": 10, "covered": 9}, 85)
    [chart] = charts_of(table("households:NQ", HOUSEHOLDS, line))
    assert isinstance(chart, BarChart)
    assert chart.bars[0].counts == (9,)
    assert chart.bars[0].figure.met


def test_a_campaigns_days_come_with_its_bounds():
    [chart] = charts_of(DAYS)
    assert isinstance(chart, DayChart)
    assert [(day.main, day.covered) for day in chart.days] == [(30, 30), (40, 48)]
    assert (chart.figure.covered, chart.figure.eligible, chart.pace) == (48, 59, 1)
    assert (chart.as_of, chart.deadline_on) == (date(2026, 11, 20), date(2026, 12, 1))


def test_many_topics_are_gathered_and_still_add_up():
    found = topics(MOST_TOPICS + 5)
    for chart, measure in zip(paired(found), ("meetings", "visits"), strict=True):
        assert len(chart.pairs) == MOST_TOPICS
        assert sum(pair.now for pair in chart.pairs) == found.total.facts[measure]
    assert paired(found)[0].pairs[-1].name == "6 nội dung khác"
    assert len(paired(topics(MOST_TOPICS))[0].pairs) == MOST_TOPICS


def test_months_run_along_the_time():
    names = ("meetings", "visits", "meetings_before", "visits_before")
    line = Line("2026-11", "11/2026", dict(zip(names, (5, 400, 3, 250), strict=True)))
    held, heard = paired(table("outreach:months", OUTREACH_MONTHS, line))
    assert held.is_time
    assert (held.pairs[0].now, held.pairs[0].before) == (5, 3)
    assert heard.message == "Cộng 400 lượt, cùng kỳ trước 250 lượt. Nhiều nhất: 11/2026, 400 lượt."


def test_hours_stand_in_a_grid_with_the_highest_and_the_lowest_said():
    [chart] = charts_of(HOURS)
    assert isinstance(chart, HeatChart)
    assert chart.rows == ("7h", "19h")
    assert chart.cells[0, 0].ratio == "9/10"
    assert set(chart.cells) == {(0, 0), (1, 6), (1, 0)}
    assert "Đông nhất: Thứ Hai 7h, 90,0% · 9/10." in chart.message
    assert "Vắng nhất: Thứ Hai 19h, 50,0% · 1/2." in chart.message


@pytest.mark.parametrize("given", [STUDIED, DAYS, HOURS, topics(3)])
def test_a_kept_table_has_the_same_charts(given):
    assert charts_of(given)
    assert charts_of(thawed(frozen(given))) == charts_of(given)


@pytest.mark.parametrize(
    "given", [table("study:NQ", STUDY), table("plans", PLANS, Line("a", "A", {}))]
)
def test_an_empty_table_and_one_of_texts_have_none(given):
    assert charts_of(given) == ()


def test_the_board_shows_the_lowest_first_and_nobody_who_cannot_be_counted():
    [chart] = charts_of(STUDIED)
    assert isinstance(chart, BarChart)
    assert [one.name for one in lowest_first(chart, 5).bars] == ["Chi bộ c", "Chi bộ a"]
    assert [one.name for one in lowest_first(chart, 1).bars] == ["Chi bộ c"]
    assert lowest_first(chart, 1).message == chart.message
