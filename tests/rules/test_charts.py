"""A chart's shapes follow its integers: parts end where the figure ends, a fault is never capped."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.charts import Day, HeatCell, Pair, PairChart, Voice, bar, bar_chart
from rules.coverage import Figure, pace_needed
from rules.day_charts import DaysSoFar, day_chart
from rules.report_tables import NOTHING_HELD

VOICE = Voice()
OPENS, DEADLINE = date(2026, 11, 1), date(2026, 12, 1)


def bars(*found, whole=None):
    return bar_chart(VOICE, "x", "Tên", "%", ("a", "b"), found, noun="đơn vị", whole=whole)


def days(*found, eligible=100, as_of=date(2026, 11, 15), target=95, by_rounds=True):
    covered = found[-1].covered if found else 0
    known = DaysSoFar(found, Figure(covered, eligible, target), OPENS, DEADLINE, as_of)
    return day_chart(VOICE, "x", "Tiến độ", "người", known, by_rounds=by_rounds)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 500))
def test_the_parts_of_a_bar_end_at_its_own_percentage(main, makeup, eligible):
    figure = Figure(main + makeup, eligible, 95)
    one = bar(VOICE, "A", figure, (main, makeup))
    assert one.edges[-1] == figure.tenths
    assert one.edges[0] <= one.edges[1]
    assert one.missing == (0 if figure.met else 950 - one.edges[-1])
    assert one.edges[-1] <= bars(one).top


@pytest.mark.parametrize(
    ("figure", "text", "remark"),
    [
        (Figure(4826, 4947, 95), "97,5% · 4.826/4.947", "đạt"),
        (Figure(94, 100, 95), "94,0% · 94/100", "thiếu 1"),
        (Figure(0, 0, 95), "chưa có đối tượng", ""),
        (Figure(12, 10, 95), "120,0% · 12/10", "số liệu sai: quá 100%"),
    ],
)
def test_a_bar_says_its_share_with_n_over_n_and_whether_it_is_met(figure, text, remark):
    one = bar(VOICE, "A", figure, (figure.covered,))
    assert (one.text, one.remark) == (text, remark)


def test_more_than_everybody_is_said_and_widens_the_scale():
    chart = bars(bar(VOICE, "Chi bộ Sai", Figure(123, 100, 95), (123,)))
    assert chart.top == 1300
    assert "Số liệu sai, quá 100%: Chi bộ Sai." in chart.message


def test_the_message_tells_the_met_the_whole_the_lowest_and_those_that_held_nothing():
    chart = bars(
        bar(VOICE, "A", Figure(95, 100, 95), (95, 0)),
        bar(VOICE, "B", Figure(50, 100, 95), (50, 0)),
        bar(VOICE, "C", Figure(0, 10, 95), (0, 0), NOTHING_HELD),
        bar(VOICE, "D", Figure(0, 0, 95), (0, 0)),
        whole=Figure(145, 210, 95),
    )
    assert chart.message == (
        "1/3 đơn vị đạt chỉ tiêu. Chung: 69,0% · 145/210, chỉ tiêu 95%. "
        "Thấp nhất: B, 50,0% · 50/100. 1 đơn vị chưa tổ chức."
    )


def test_nobody_to_count_is_said_and_divides_by_nothing():
    assert bars(bar(VOICE, "A", Figure(0, 0, 95), (0, 0))).message == "Chưa có đối tượng."


@given(st.integers(0, 130), st.integers(1, 40))
def test_a_long_chart_is_cut_into_even_parts_that_lose_no_line(count, most):
    whole = bars(*(bar(VOICE, str(one), Figure(1, 2, 95), (1,)) for one in range(count)))
    parts = whole.in_parts(most)
    assert [one for part in parts for one in part.bars] == list(whole.bars)
    assert all(len(part.bars) <= most for part in parts)
    assert len({part.key for part in parts}) == len(parts)


def test_the_pace_reaches_the_target_on_the_last_day_and_not_before_it_must():
    assert pace_needed(Figure(70, 100, 95), 16) == 2
    assert pace_needed(Figure(95, 100, 95), 16) is None
    assert pace_needed(Figure(70, 100, 95), 0) is None


@given(st.integers(1, 5000), st.integers(1, 100), st.integers(1, 60))
def test_one_less_a_day_would_miss_the_target(eligible, target, left):
    figure = Figure(0, eligible, target)
    pace = pace_needed(figure, left)
    assert pace is not None
    assert pace * left >= figure.need > (pace - 1) * left


@pytest.mark.parametrize(
    ("chart", "ending", "pace"),
    [
        (
            days(Day(date(2026, 11, 9), 60, 70)),
            "Còn thiếu 25 người trong 16 ngày, cần 2 người mỗi ngày.",
            2,
        ),
        (days(Day(date(2026, 11, 9), 96, 96)), "Đã đạt chỉ tiêu.", None),
        (days(as_of=date(2026, 10, 20)), "Đợt chưa mở.", None),
        (
            days(Day(date(2026, 11, 9), 60, 70), as_of=DEADLINE),
            "Đã hết hạn, còn thiếu 25 người.",
            None,
        ),
        (days(Day(date(2026, 11, 9), 60, 130)), "Số liệu sai: quá 100%.", None),
        (days(eligible=0), "Chưa có đối tượng nào trong đợt.", None),
    ],
)
def test_a_campaigns_days_end_in_what_must_be_done(chart, ending, pace):
    assert chart.message.endswith(ending)
    assert chart.pace == pace
    assert bool(chart.words.pace) == bool(pace)


def test_the_main_round_and_the_make_up_are_told_apart_for_members_only():
    member = days(Day(date(2026, 11, 9), 60, 70))
    assert (member.words.main, member.words.makeup) == ("Đợt chính: 60", "Học bù: 10")
    household = days(Day(date(2026, 11, 9), 70, 70), by_rounds=False)
    assert (household.words.main, household.words.makeup) == ("", "")
    assert "học bù" not in household.message


def test_days_begin_with_whoever_came_first_and_end_after_whoever_came_last():
    chart = days(Day(date(2026, 10, 20), 1, 1), Day(date(2026, 12, 9), 2, 2), as_of=DEADLINE)
    assert (chart.first_on, chart.last_on) == (date(2026, 10, 20), date(2026, 12, 9))
    assert chart.reached(date(2026, 11, 1)).covered == 1
    assert chart.reached(date(2026, 10, 1)).covered == 0


def test_a_cell_is_the_darker_the_more_came_by_integers():
    def level(n, d):
        return HeatCell(Figure(n, d, 100), "", "", "").level

    assert [level(949, 1000), level(950, 1000), level(0, 9), level(0, 0)] == [3, 4, 1, 0]


def test_a_chart_with_nothing_before_has_no_series_of_it():
    pair = Pair("11/2026", 0, 0, "0", "0")
    chart = PairChart("x", "", "buổi", "Kỳ này", "Cùng kỳ trước", (pair,), True, "")
    assert (chart.top, chart.has_before) == (1, False)
    assert pair.told(chart) == "11/2026: 0 buổi; Cùng kỳ trước: 0 buổi"


def test_another_language_has_its_own_words_and_numbers():
    english = Voice("en", lambda sentence: {"đạt": "met"}[sentence])
    one = bar(english, "A", Figure(4826, 4947, 95), (4826,))
    assert (one.text, one.remark) == ("97.5% · 4,826/4,947", "met")
