"""Every figure of coverage comes from one place and is never rounded up."""

from datetime import date
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.coverage import (
    Attended,
    Completion,
    CompletionRule,
    Figure,
    HouseholdFigure,
    MemberFigure,
    RollCorrection,
    RollState,
    StudyState,
    all_topics,
    any_meeting,
    at_least,
    attended_as_of,
    check_completion_rule,
    completed_on,
    count_members,
    declared_households,
    gap,
    households_json,
    members_json,
    percent_text,
    ratio_text,
    roll_as_of,
    sum_figures,
    sum_households,
    sum_members,
)
from rules.refusals import Refusal

counts = st.integers(min_value=0, max_value=100_000)
targets = st.integers(min_value=0, max_value=100)


def day(number: int) -> date:
    return date(2026, 3, number)


def test_the_citys_figure_is_cut_and_not_rounded() -> None:
    figure = Figure(4826, 4947, 95)
    assert (figure.need, figure.short, figure.percent, figure.met) == (4700, 0, "97.5", True)
    assert percent_text(figure, "vi") == "97,5%"
    assert percent_text(figure, "en") == "97.5%"
    assert ratio_text(figure, "vi") == "4.826/4.947"
    assert ratio_text(figure, "en") == "4,826/4,947"


def test_just_under_the_target_neither_shows_nor_counts_as_met() -> None:
    figure = Figure(9496, 10000, 95)
    assert figure.percent == "94.9"
    assert figure.met is False
    assert figure.short == 4


def test_nobody_to_count_is_neither_nought_nor_a_hundred_percent() -> None:
    figure = Figure(0, 0, 95)
    assert (figure.percent, figure.met, figure.need, figure.short) == (None, None, 0, 0)
    assert percent_text(figure, "vi") == "chưa có đối tượng"
    assert percent_text(figure, "en") == "nobody to count yet"


def test_more_than_everybody_is_a_fault_and_is_not_capped() -> None:
    figure = Figure(105, 100, 95)
    assert figure.over
    assert figure.percent == "105.0"
    assert not Figure(100, 100, 95).over


@given(counts, counts, targets)
def test_integers_agree_with_exact_fractions(covered: int, eligible: int, target: int) -> None:
    figure = Figure(covered, eligible, target)
    assert figure.need == ceil(Fraction(target * eligible, 100))
    assert figure.short == max(0, figure.need - covered)
    if eligible:
        assert figure.met == (Fraction(covered, eligible) >= Fraction(target, 100))
        assert figure.met == (figure.short == 0)
        shown = Fraction(str(figure.percent))
        assert shown <= Fraction(covered * 100, eligible) < shown + Fraction(1, 10)


@given(st.lists(st.tuples(counts, counts)), targets)
def test_a_roll_up_is_the_sum_over_the_sum(pairs: list[tuple[int, int]], target: int) -> None:
    whole = sum_figures([Figure(n, of, 50) for n, of in pairs], target)
    assert whole == Figure(sum(n for n, _ in pairs), sum(of for _, of in pairs), target)


def test_members_sum_in_every_column_against_the_target_of_the_whole() -> None:
    parts = [MemberFigure(10, 2, 8, 6, 5, 1, 90), MemberFigure(5, 0, 5, 5, 5, 0, 100)]
    assert sum_members(parts, 95) == MemberFigure(15, 2, 13, 11, 10, 1, 95)
    assert sum_members([], 95) == MemberFigure(0, 0, 0, 0, 0, 0, 95)


def test_households_sum_like_members() -> None:
    parts = [HouseholdFigure(100, 85, 85), HouseholdFigure(50, 20, 85)]
    assert sum_households(parts, 85) == HouseholdFigure(150, 105, 85)


def test_the_answers_have_the_promised_shape() -> None:
    assert members_json(MemberFigure(5500, 553, 4947, 4826, 4400, 426, 95)) == {
        "total": 5500,
        "exempt": 553,
        "eligible": 4947,
        "covered": 4826,
        "covered_main": 4400,
        "covered_makeup": 426,
        "need": 4700,
        "short": 0,
        "percent": "97.5",
        "met": True,
    }
    assert households_json(HouseholdFigure(0, 0, 85)) == {
        "total": 0,
        "covered": 0,
        "need": 0,
        "short": 0,
        "percent": None,
        "met": None,
    }


def test_the_main_round_and_the_whole_party_stand_beside_the_figure() -> None:
    figure = MemberFigure(61, 27, 34, 34, 30, 4, 95)
    assert figure.percent == "100.0"
    assert figure.figure_main.percent == "88.2"
    assert figure.figure_of_total.percent == "55.7"


def test_the_exempt_leave_both_sides_of_the_fraction() -> None:
    done = Completion(day(1), in_main_round=True)
    made_up = Completion(day(9), in_main_round=False)
    states = [
        StudyState(is_exempt=False, completion=done),
        StudyState(is_exempt=False, completion=made_up),
        StudyState(is_exempt=False, completion=None),
        StudyState(is_exempt=True, completion=done),
    ]
    assert count_members(states, 95) == MemberFigure(4, 1, 3, 2, 1, 1, 95)


def test_seats_planned_in_time_can_close_the_gap() -> None:
    figure = Figure(4600, 4947, 95)
    assert gap(figure, seats_planned=100, days_left=0).can_close
    too_few = gap(figure, seats_planned=99, days_left=10)
    assert (too_few.missing, too_few.can_close, too_few.seats_short) == (100, False, 1)
    assert not gap(figure, seats_planned=500, days_left=-1).can_close


def test_nothing_is_missing_once_the_target_is_met() -> None:
    assert gap(Figure(4826, 4947, 95), seats_planned=0, days_left=-5).can_close


def test_any_meeting_completes_on_the_first_day() -> None:
    attended = [Attended(2, day(9), is_makeup=True), Attended(1, day(3))]
    assert completed_on(any_meeting(), attended) == Completion(day(3), in_main_round=True)
    assert completed_on(any_meeting(), []) is None


def test_a_make_up_alone_completes_outside_the_main_round() -> None:
    attended = [Attended(2, day(9), is_makeup=True)]
    assert completed_on(any_meeting(), attended) == Completion(day(9), in_main_round=False)


def test_a_main_sitting_after_the_make_up_leaves_the_round_as_it_was() -> None:
    attended = [Attended(1, day(3), is_makeup=True), Attended(2, day(9))]
    assert completed_on(any_meeting(), attended) == Completion(day(3), in_main_round=False)
    same_day = [Attended(1, day(3), is_makeup=True), Attended(2, day(3))]
    assert completed_on(any_meeting(), same_day) == Completion(day(3), in_main_round=True)


def test_all_topics_complete_on_the_day_of_the_last_one() -> None:
    rule = all_topics([1, 2])
    first, second = Attended(1, day(3), topic_id=1), Attended(2, day(4), topic_id=2)
    assert completed_on(rule, [first]) is None
    assert completed_on(rule, [second, first]) == Completion(day(4), in_main_round=True)
    made_up = Attended(3, day(8), topic_id=2, is_makeup=True)
    assert completed_on(rule, [first, made_up]) == Completion(day(8), in_main_round=False)
    assert completed_on(rule, [first, Attended(4, day(5))]) is None


def test_a_credit_counts_once_and_belongs_to_the_main_round() -> None:
    credit = Attended("c1", day(2), source="credit")
    assert completed_on(any_meeting(), [credit]) == Completion(day(2), in_main_round=True)
    assert completed_on(at_least(2), [credit, credit]) is None
    assert completed_on(all_topics([1, 2]), [credit]) == Completion(day(2), in_main_round=True)
    of_one_topic = Attended("c2", day(2), topic_id=1, source="credit")
    assert completed_on(all_topics([1, 2]), [of_one_topic]) is None


def test_the_same_meeting_at_two_points_is_one_sitting() -> None:
    twice = [Attended(1, day(3)), Attended(1, day(3))]
    assert completed_on(at_least(2), twice) is None
    assert completed_on(at_least(2), [*twice, Attended(2, day(5))]) == Completion(day(5), True)


sittings = st.lists(
    st.builds(
        Attended,
        meeting_id=st.integers(1, 5),
        on=st.dates(date(2026, 1, 1), date(2026, 1, 20)),
        topic_id=st.sampled_from([None, 1, 2, 3]),
        is_makeup=st.booleans(),
        source=st.sampled_from(["meeting", "credit"]),
    ),
    max_size=8,
)
rules = st.sampled_from([any_meeting(), at_least(2), at_least(3), all_topics([1, 2])])


@settings(max_examples=40)
@given(rules, sittings, st.data())
def test_completion_does_not_depend_on_the_order_of_the_facts(
    rule: CompletionRule, attended: list[Attended], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(attended))
    assert completed_on(rule, shuffled) == completed_on(rule, attended)


@settings(max_examples=40)
@given(rules, sittings)
def test_completion_is_known_on_its_day_and_not_before(
    rule: CompletionRule, attended: list[Attended]
) -> None:
    completion = completed_on(rule, attended)
    if completion is not None:
        by_then = attended_as_of(attended, completion.covered_on)
        before = [sitting for sitting in by_then if sitting.on < completion.covered_on]
        assert completed_on(rule, by_then) == completion
        assert completed_on(rule, before) is None


@pytest.mark.parametrize("rule", [all_topics([]), at_least(0), CompletionRule("most")])
def test_a_rule_that_means_nothing_is_refused(rule: CompletionRule) -> None:
    with pytest.raises(Refusal):
        check_completion_rule(rule)


def test_a_rule_that_can_be_completed_is_accepted() -> None:
    for rule in (any_meeting(), all_topics([1]), at_least(1)):
        check_completion_rule(rule)


def test_nobody_completes_a_campaign_of_no_topics_by_itself() -> None:
    assert completed_on(all_topics([]), [Attended(1, day(1), topic_id=1)]) is None


def test_a_declared_tally_cannot_exceed_the_households() -> None:
    assert declared_households(225, 225) == 225
    with pytest.raises(Refusal, match="226"):
        declared_households(225, 226)


def test_the_roll_of_a_past_day_takes_later_corrections_back() -> None:
    joined = RollCorrection(1, 7, day(5), before=None, after=RollState(1, False))
    moved = RollCorrection(2, 7, day(6), before=RollState(1, False), after=RollState(2, False))
    exempted = RollCorrection(3, 8, day(6), before=RollState(1, False), after=RollState(1, True))
    died = RollCorrection(4, 9, day(8), before=RollState(3, False), after=None)
    now = {7: RollState(2, False), 8: RollState(1, True)}
    log = [died, joined, exempted, moved]
    assert roll_as_of(now, log, day(8)) == now
    assert roll_as_of(now, log, day(7)) == {**now, 9: RollState(3, False)}
    assert roll_as_of(now, log, day(5)) == {
        7: RollState(1, False),
        8: RollState(1, False),
        9: RollState(3, False),
    }
    assert roll_as_of(now, log, day(4)) == {8: RollState(1, False), 9: RollState(3, False)}
