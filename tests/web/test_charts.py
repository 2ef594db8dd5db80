"""Charts are well-formed pictures without style, with a text alternative, in black and white too."""

import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from rules.charts import Day, Pair, PairChart, Voice, bar, bar_chart
from rules.coverage import Figure
from rules.day_charts import DaysSoFar, day_chart
from rules.report_charts import charts_of
from rules.report_tables import ATTENDANCE, STUDY, Line, ReportTable
from web.chart_shapes import WIDTH, beside, headed, step, text_width, wrapped
from web.charts import draw

VOICE = Voice()
LONG = "Đảng bộ Trung tâm Giáo dục nghề nghiệp và Giáo dục thường xuyên thành phố Lam Sơn"


@pytest.fixture(autouse=True)
def _speaking(app):
    with app.test_request_context("/"):
        yield


def drawn(chart):
    """The figure as a tree; it must be well-formed as XML, and its pictures named and told."""
    html = str(draw(chart))
    assert "style=" not in html
    assert "<script" not in html
    root = ET.fromstring(html)
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    for picture in pictures(root):
        assert picture.get("role") == "img"
        for name in ("aria-labelledby", "aria-describedby"):
            assert picture.get(name) in ids
        assert chart.message in [one.text for one in picture.iter("desc")]
    used = set(re.findall(r"url\(#([^)]+)\)", html))
    assert used <= set(ids)
    return root


def pictures(root):
    return [one for one in root.iter("svg") if one.get("aria-hidden") is None]


def texts(root):
    return [one.text for picture in pictures(root) for one in picture.iter("text")]


def told(root):
    return [one.text for group in root.iter("g") for one in group.findall("title")]


def bars(*found):
    return bar_chart(
        VOICE, "x", "Tên", "% diện", ("Đợt chính", "Học bù"), found, noun="đơn vị", whole=None
    )


def unit(name, main, makeup, eligible):
    return bar(VOICE, name, Figure(main + makeup, eligible, 95), (main, makeup))


def days(*found, eligible=100, as_of=date(2026, 11, 15)):
    covered = found[-1].covered if found else 0
    opens, deadline = date(2026, 11, 1), date(2026, 12, 1)
    known = DaysSoFar(found, Figure(covered, eligible, 95), opens, deadline, as_of)
    return day_chart(VOICE, "x", "Tiến độ", "người", known, by_rounds=True)


def pairs(*numbers, is_time=True, before=0):
    found = [
        Pair(f"{place % 12 + 1:02}/{2026 + place // 12}", n, before, str(n), str(before))
        for place, n in enumerate(numbers)
    ]
    return PairChart("x", "Theo tháng", "buổi", "Kỳ này", "Trước", tuple(found), is_time, "Cộng.")


def widths(root, kind):
    return [
        float(one.get("width"))
        for picture in pictures(root)
        for one in picture.iter("rect")
        if one.get("class") == f"chart-{kind}"
    ]


def test_a_name_cannot_break_out_of_the_picture():
    root = drawn(bars(unit('<script>&"', 1, 0, 3)))
    assert '<script>&"' in texts(root)


def test_each_bar_says_its_numbers_and_its_parts_are_as_long_as_they_are():
    root = drawn(bars(unit("A", 50, 30, 100)))
    assert told(root) == ["A: 80,0% · 80/100 · thiếu 15"]
    assert widths(root, "part-main") == [pytest.approx(WIDTH * 0.5, abs=0.1)]
    assert widths(root, "part-hatch")[-1] == pytest.approx(WIDTH * 0.3, abs=0.1)
    assert widths(root, "missing")[-1] == pytest.approx(WIDTH * 0.15, abs=0.1)


def test_more_than_everybody_is_a_fault_of_its_own_and_neither_capped_nor_outside():
    root = drawn(bars(unit("A", 123, 0, 100), unit("B", 95, 0, 100)))
    assert widths(root, "part-fault")[-1] == pytest.approx(WIDTH * 23 / 130, abs=0.1)
    assert "130" in texts(root)
    assert any("số liệu sai: quá 100%" in one for one in told(root))
    for picture in pictures(root):
        for rect in picture.iter("rect"):
            assert float(rect.get("x", 0)) + float(rect.get("width")) <= WIDTH + 0.1


def test_nobody_to_count_has_words_and_no_bar():
    root = drawn(bars(unit("A", 0, 0, 0)))
    assert told(root) == ["A: chưa có đối tượng"]
    assert widths(root, "part-main") == []


def test_fifty_five_units_stand_on_several_pictures_none_left_out():
    root = drawn(bars(*(unit(f"Đơn vị {one}", one, 0, 60) for one in range(55))))
    assert len(pictures(root)) == 5
    assert len(told(root)) == 55
    names = [picture.find("title").text for picture in pictures(root)]
    assert names[0] == "Tên (phần 1/5)"


def test_one_unit_is_one_picture():
    root = drawn(bars(unit(LONG, 5, 0, 60)))
    assert [picture.find("title").text for picture in pictures(root)] == ["Tên"]
    assert " ".join(texts(root)).startswith(LONG)


NAMES = st.text(alphabet="aăâ ĐMWi·,", max_size=300)


@given(NAMES, st.text(alphabet="0123456789%/·", max_size=20))
def test_a_long_name_is_wrapped_and_never_cut_nor_under_its_figure(name, said):
    shapes, height = headed(name, said, is_beside=beside(name, said))
    *lines, figure = [ET.fromstring(str(one)) for one in shapes]
    shown = "".join(one.text or "" for one in lines)
    assert shown.replace(" ", "") == "".join(name.split())
    for one in lines:
        same_line = one.get("y") == figure.get("y")
        room = WIDTH - text_width(said, bold=True) if same_line else WIDTH
        assert text_width(one.text or "") <= room
    assert height >= float(figure.get("y", 0))
    assert all(text_width(part) <= 100 or len(part) == 1 for part in wrapped(name, 100))


def test_one_name_too_long_puts_every_figure_beneath_its_name():
    def heights(*names):
        root = drawn(bars(*(unit(name, 1, 0, 2) for name in names)))
        return {one.get("y") for one in root.iter("text") if one.get("class") == "chart-value"}

    assert heights("A", "B") == {"12.0"}
    assert heights("A", LONG[:40]) == {"28.0"}


def test_days_draw_target_pace_and_both_rounds():
    root = drawn(days(Day(date(2026, 11, 5), 40, 40), Day(date(2026, 11, 9), 60, 70)))
    kinds = {one.get("class") for picture in pictures(root) for one in picture.iter()}
    assert {"chart-area", "chart-line", "chart-need", "chart-pace", "chart-dot"} <= kinds
    assert {"mở 01/11/2026", "hạn 01/12/2026", "đến 15/11", "người", "100"} <= set(texts(root))
    words = [one.text for one in root.iter("span")]
    assert "Luỹ kế: 70,0% · 70/100" in words
    assert "Cần 2 người mỗi ngày" in words


@pytest.mark.parametrize(
    "chart",
    [
        days(Day(date(2026, 11, 5), 96, 96)),
        days(as_of=date(2026, 10, 1)),
        days(Day(date(2026, 11, 5), 9, 9), as_of=date(2027, 1, 1)),
    ],
)
def test_no_pace_once_it_is_met_before_it_opens_and_after_it_ended(chart):
    kinds = {one.get("class") for one in drawn(chart).iter()}
    assert "chart-need" in kinds
    assert "chart-pace" not in kinds


def test_a_campaign_with_nobody_to_count_is_only_words():
    assert pictures(drawn(days(eligible=0))) == []


def test_few_months_have_their_numbers_above_and_many_have_their_years():
    few = drawn(pairs(5, 1234, 0))
    assert {"5", "1234", "1", "2", "3", "2026"} <= set(texts(few))
    many = drawn(pairs(*range(1, 61), before=3))
    assert {"2026", "2030"} <= set(texts(many))
    assert "17" not in texts(many)
    assert len(told(many)) == 60
    assert told(many)[59] == "12/2030: 60 buổi; Trước: 3 buổi"


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=14), st.integers(0, 10**7))
def test_no_word_of_the_months_leaves_the_picture(numbers, before):
    for one in drawn(pairs(*numbers, before=before)).iter("text"):
        wide, x = text_width(one.text, 10.5), float(one.get("x"))
        start = {"start": x, "middle": x - wide / 2, "end": x - wide}[one.get("text-anchor")]
        assert start >= -0.1
        assert start + wide <= WIDTH + 12


def test_those_of_before_are_drawn_only_where_there_are_any():
    assert widths(drawn(pairs(5, 6)), "part-hatch") == []
    assert len(widths(drawn(pairs(5, 6, before=4)), "part-hatch")) == 2


def test_topics_lie_one_a_line():
    root = drawn(pairs(5, 3, is_time=False, before=2))
    assert "5 buổi · trước 2" in texts(root)


def test_a_period_in_which_nothing_was_held_is_still_a_picture():
    assert "0" in texts(drawn(pairs(0, 0)))


def test_hours_have_their_numbers_in_the_cells():
    facts = {"weekday": 2, "at": 19, "present": 27154, "invited": 27413, "meetings": 400}
    table = ReportTable("attendance", "7", "", "", ATTENDANCE, (Line("a", "Thứ Tư", facts),))
    root = drawn(charts_of(table)[0])
    assert {"T4", "19h", "99,0%", "27.154", "/27.413"} <= set(texts(root))
    assert told(root) == ["T4 19h: 99,0% · 27.154/27.413, 400 buổi"]


@given(st.integers(1, 10**7))
def test_ticks_are_few_and_reach_the_top(top):
    each = step(top)
    assert each * 4 >= top
    assert str(each).strip("0") in ("1", "2", "5")


def test_every_day_of_a_five_year_campaign_lies_within_the_picture():
    first = date(2021, 11, 1)
    found = [Day(first + timedelta(days=30 * n), n, n) for n in range(70)]
    root = drawn(days(*found))
    [line] = list(root.iter("polyline"))
    across = [float(point.split(",")[0]) for point in line.get("points").split()]
    assert min(across) >= 0
    assert max(across) <= WIDTH


def test_a_chart_is_told_in_english_with_english_numbers():
    catalogue = Path(__file__).parents[2] / "translations" / "en" / "LC_MESSAGES" / "messages.po"
    with catalogue.open("rb") as written:
        english = read_po(written)

    def word(sentence: str) -> str:
        found = english.get(sentence)
        return str(found.string) if found and found.string else sentence

    facts = {"eligible": 4947, "covered": 4826, "covered_main": 4495, "covered_makeup": 331}
    lines = (Line("a", "Đảng bộ A", facts, 95),)
    table = ReportTable("study:NQ", "1", "", "", STUDY, lines, target_percent=95)
    [chart] = charts_of(table, Voice("en", word))
    assert chart.title == "Party members by unit against the target"
    assert (
        chart.message == "1 of 1 units met the target. Together: 97.5% · 4,826/4,947, target 95%."
    )
    assert told(drawn(chart)) == ["Đảng bộ A: 97.5% · 4,826/4,947 · met"]
