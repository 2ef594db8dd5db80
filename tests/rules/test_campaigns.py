"""A campaign's life: opened once, closed, opened again with a reason, corrected with sense."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rules.campaigns import (
    CampaignPlan,
    RollLine,
    check_credit,
    check_opening,
    check_plan,
    check_tally,
    corrected,
    state_after_closing,
    state_after_reopening,
)
from rules.refusals import Malformed, Refusal

DAY = date(2026, 11, 1)
PLAN = CampaignPlan("NQ-57.2026", "Nghị quyết", DAY, date(2026, 12, 1), DAY)
HERE = RollLine("eligible", 1, 10)


def after(kind, before=HERE, target=None, *, is_household=False, reason="QĐ 1"):
    return corrected(kind, before, target, is_household=is_household, reason=reason)


def test_a_sound_plan_passes():
    check_plan(PLAN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": ""},
        {"code": "NQ/57"},
        {"title": "\u200b "},
        {"deadline_on": date(2026, 10, 31)},
        {"unit_targets": {1: 101}},
    ],
)
def test_a_plan_nobody_could_carry_out_is_refused(wrong):
    with pytest.raises(Malformed):
        check_plan(replace(PLAN, **wrong))


@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_roll_is_frozen_once(state):
    with pytest.raises(Refusal):
        check_opening(title="x", state=state, cutoff_on=DAY, today=DAY, units=1)


def test_a_campaign_without_units_does_not_open():
    with pytest.raises(Refusal):
        check_opening(title="x", state="draft", cutoff_on=DAY, today=DAY, units=0)


def test_only_an_open_campaign_closes_and_only_a_closed_one_opens_again():
    assert state_after_closing("x", "open") == "closed"
    assert state_after_reopening("x", "closed", "Bổ sung") == "open"
    with pytest.raises(Refusal):
        state_after_closing("x", "draft")
    with pytest.raises(Refusal):
        state_after_reopening("x", "open", "Bổ sung")


@pytest.mark.parametrize(
    ("kind", "state"),
    [("died", "removed"), ("wrong_entry", "removed"), ("moved", "removed"), ("exempted", "exempt")],
)
def test_what_a_correction_makes_of_a_line(kind, state):
    assert after(kind) == RollLine(state, 1, 10)


def test_a_move_keeps_the_state():
    exempt = RollLine("exempt", 1, 10)
    assert after("moved", exempt, RollLine("eligible", 2, 20)) == RollLine("exempt", 2, 20)


def test_who_was_removed_can_join_again():
    assert after("joined", RollLine("removed", 1, 10), HERE) == HERE
    assert after("joined", None, HERE) == HERE


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        ("joined", HERE),
        ("died", None),
        ("exempted", RollLine("exempt", 1, 10)),
        ("unexempted", HERE),
        ("wrong_entry", RollLine("removed", 1, 10)),
        ("moved", HERE),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(kind, before):
    with pytest.raises(Refusal):
        after(kind, before, HERE)


@pytest.mark.parametrize("kind", ["died", "exempted", "unexempted"])
def test_a_household_is_neither_exempt_nor_dead(kind):
    with pytest.raises(Malformed):
        after(kind, is_household=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"studied_on": date(2026, 11, 30)},
        {"studied_on": date(2026, 10, 1)},
        {"place": ""},
        {"evidence": " "},
    ],
)
def test_a_credit_needs_a_day_a_place_and_evidence(wrong):
    credit: dict[str, Any] = {
        "studied_on": date(2026, 11, 5),
        "opens_on": DAY,
        "today": date(2026, 11, 23),
        "place": "Tỉnh",
        "evidence": "GXN 1",
    }
    check_credit(**credit)
    with pytest.raises(Malformed):
        check_credit(**(credit | wrong))


def test_a_tally_goes_down_only_when_it_corrects():
    check_tally(3, None, is_correction=False)
    check_tally(3, 3, is_correction=False)
    check_tally(2, 3, is_correction=True)
    with pytest.raises(Refusal):
        check_tally(2, 3, is_correction=False)
