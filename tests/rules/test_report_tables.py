"""Tables of a report: totals are Σn/Σd, a kept table comes back the same, and changes are told."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.coverage import Figure
from rules.report_tables import (
    NOTHING_HELD,
    STUDY_ALL,
    THEMES,
    Column,
    Line,
    ReportTable,
    cell,
    cell_json,
    cell_text,
    changes,
    frozen,
    table_json,
    thawed,
)


def line(key, covered, eligible, **values):
    facts = {"total": eligible, "exempt": 0, "eligible": eligible, "covered": covered}
    facts |= {"covered_main": covered, "covered_makeup": 0}
    return Line(key, key.upper(), facts, 95, **values)


def table(*lines, **values):
    return ReportTable("study", "1", "Học tập", "", STUDY_ALL, lines, target_percent=95, **values)


def test_a_total_is_the_sum_of_n_over_the_sum_of_d_and_never_a_mean():
    whole = table(line("a", 1, 1), line("b", 0, 99))
    [percent] = [column for column in STUDY_ALL if column.key == "percent"]
    assert cell(percent, whole.total) == Figure(1, 100, 95)
    assert cell_text(cell(percent, whole.total)) == "1,0%"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_every_total_adds_up_whatever_the_lines(pairs):
    lines = [line(f"u{place}", min(pair), max(pair)) for place, pair in enumerate(pairs)]
    total = table(*lines).total.facts
    assert total["covered"] == sum(min(pair) for pair in pairs)
    assert total["eligible"] == sum(max(pair) for pair in pairs)


def test_what_is_not_additive_takes_its_total_from_the_service_or_has_none():
    column = Column("meetings", "Số buổi", additive=False)
    shared = ReportTable(
        "x",
        "2",
        "x",
        "",
        (column,),
        (Line("a", "A", {"meetings": 1}), Line("b", "B", {"meetings": 1})),
    )
    assert cell(column, shared.total) is None
    assert cell(column, replace(shared, totals={"meetings": 1}).total) == 1


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (4947, "4.947", 4947),
        (Figure(4826, 4947, 95), "97,5%", {"n": 4826, "d": 4947, "percent": "97.5"}),
        (Figure(0, 0, 95), "chưa có đối tượng", {"n": 0, "d": 0, "percent": None}),
        (date(2012, 7, 9), "09/07/2012", "2012-07-09"),
        (None, "–", None),
    ],
)
def test_a_cell_is_read_in_vietnamese_and_told_to_programs(value, text, plain):
    assert cell_text(value) == text
    assert cell_json(value) == plain


def test_a_unit_with_nothing_held_says_so_in_its_note():
    empty = Line("c", "Chi bộ", dict.fromkeys(("q1", "q2", "q3", "q4"), 0), is_empty=True)
    assert cell(THEMES[-1], empty) == NOTHING_HELD


def test_a_kept_table_comes_back_the_same():
    kept = table(line("a", 1, 2, is_estimate=True), line("b", 0, 0, is_empty=True))
    kept = replace(kept, footers=(line("compared", 1, 4),))
    assert table_json(thawed(frozen(kept))) == table_json(kept)
    assert thawed(frozen(kept)) == kept


def test_changes_name_the_line_and_the_column_before_and_after():
    before, after = table(line("a", 1, 2)), table(line("a", 2, 2))
    found = {(one.line, one.column): (one.before, one.after) for one in changes([before], [after])}
    assert found["A", "Tổng đã học"] == ("1", "2")
    assert found["A", "Tỉ lệ (%)"] == ("1/2", "2/2")
    assert changes([before], [before]) == []


def test_a_line_that_came_or_went_is_a_change():
    found = changes([table(line("a", 1, 2))], [table(line("a", 1, 2), line("b", 3, 3))])
    assert ("–", "3") in {(one.before, one.after) for one in found if one.line == "B"}
