"""A roll is frozen once, as of its day, and changes only by logged corrections."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from models import AuditEntry, Campaign, Exemption, Membership, RollCorrection, RollEntry
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal
from services import campaigns, coverage, roll
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db):
    return world.build_world()


def staff_of(unit):
    return Actor(name="x", grants=(Grant("staff", unit.id),))


def correct(code, kind, subject_code, *, by=SYSTEM, now=world.NOW, **values):
    correction = roll.Correction(
        kind,
        subject_code,
        values.pop("reason", "Quyết định số 1"),
        values.pop("effective_on", world.TODAY),
        **values,
    )
    roll.correct_roll(code, correction, now=now, by=by)


def members(code, by=SYSTEM, as_of=None):
    return coverage.campaign_figures(code, by=by, today=world.TODAY, as_of=as_of).members


def test_opening_freezes_everybody_of_the_cut_off_day(db, city):
    code = plans.opened(city)
    entries = db.session.query(RollEntry).all()
    assert sum(entry.population == "members" for entry in entries) == 6
    assert sum(entry.population == "households" for entry in entries) == 10
    chi = next(entry for entry in entries if entry.person_id == city.people["chi"].id)
    assert chi.unit_id == city.units["cell-1"].id
    assert chi.grassroots_id == city.units["ward-1"].id
    household = next(entry for entry in entries if entry.household_id)
    assert household.grassroots_id == household.unit_id
    assert db.session.query(Campaign).filter_by(code=code).one().state == "open"
    assert db.session.query(AuditEntry).filter_by(action="opened").count() == 1


def test_who_joins_after_the_cut_off_is_not_on_the_roll(db, city):
    late = world.add_person("DV007", "Bùi Muộn")
    gone = world.add_person("DV008", "Bùi Đi")
    cell = city.units["cell-1"].id
    cutoff = date(2026, 11, 1)
    db.session.add_all(
        [
            Membership(person_id=late.id, unit_id=cell, valid_from=cutoff + timedelta(days=1)),
            Membership(person_id=gone.id, unit_id=cell, valid_from=world.FOUNDED, valid_to=cutoff),
        ]
    )
    db.session.commit()
    assert members(plans.opened(city)).total == 6


def test_the_dead_are_not_on_the_roll(db, city):
    city.people["anh"].died_on = date(2026, 10, 1)
    db.session.commit()
    assert members(plans.opened(city)).total == 5


def test_an_exemption_that_holds_on_the_cut_off_day_leaves_the_denominator(db, city):
    db.session.add_all(
        [
            Exemption(person_id=city.people["anh"].id, valid_from=date(2026, 1, 1)),
            Exemption(
                person_id=city.people["chi"].id,
                valid_from=date(2026, 1, 1),
                valid_to=date(2026, 11, 1),
            ),
        ]
    )
    db.session.commit()
    figure = members(plans.opened(city))
    assert (figure.total, figure.exempt, figure.eligible) == (6, 1, 5)


def test_opening_twice_is_refused(db, city):
    code = plans.opened(city)
    with pytest.raises(Refusal, match="đã mở rồi"):
        roll.open_campaign(code, now=world.NOW, by=SYSTEM)
    assert db.session.query(RollEntry).count() == 16


def test_a_roll_of_a_day_to_come_is_refused(city):
    plan = plans.plan_over_everything(city, cutoff_on=date(2026, 12, 1))
    code = campaigns.create_campaign(plan, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="chưa đến"):
        roll.open_campaign(code, now=world.NOW, by=SYSTEM)


def test_a_campaign_of_nobody_cannot_open(city):
    plan = plans.plan_over_everything(city, cutoff_on=date(2019, 1, 1))
    code = campaigns.create_campaign(plan, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="không có đảng viên"):
        roll.open_campaign(code, now=world.NOW, by=SYSTEM)


def test_a_sitting_before_the_opening_counts_at_once(db, city):
    plan = plans.plan_over_everything(city)
    code = campaigns.create_campaign(plan, now=world.NOW, by=SYSTEM)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    roll.open_campaign(code, now=world.NOW, by=SYSTEM)
    assert members(code).covered == 1


def test_the_preview_counts_what_opening_freezes(city):
    plan = plans.plan_over_everything(city)
    code = campaigns.create_campaign(plan, now=world.NOW, by=SYSTEM)
    preview = roll.roll_preview(code, today=world.TODAY, by=SYSTEM)
    assert [(line.name, line.total) for line in preview] == [
        ("Đảng bộ phường Hai", 2),
        ("Đảng bộ phường Một", 4),
        ("Khối 1", 5),
        ("Khối 2", 5),
    ]


def test_households_stay_out_when_the_campaign_does_not_count_them(city):
    code = plans.opened(city, household_counting="none")
    figures = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    assert figures.households.total == 0
    assert figures.households.percent is None
    assert figures.groups == ()


@pytest.mark.parametrize(
    ("kind", "total", "exempt"),
    [("died", 5, 0), ("wrong_entry", 5, 0), ("moved", 5, 0), ("exempted", 6, 1)],
)
def test_a_correction_changes_the_denominator_and_is_logged(db, city, kind, total, exempt):
    code = plans.opened(city)
    correct(code, kind, "DV001")
    figure = members(code)
    assert (figure.total, figure.exempt) == (total, exempt)
    row = db.session.query(RollCorrection).one()
    assert (row.kind, row.state_before, row.reason) == (kind, "eligible", "Quyết định số 1")


def test_a_move_inside_the_campaign_takes_the_study_along(city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    correct(code, "moved", "DV001", unit_id=city.units["cell-3"].id)
    figures = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    by_code = {unit.code: unit.members for unit in figures.units}
    assert (by_code["DB1"].total, by_code["DB1"].covered) == (3, 0)
    assert (by_code["DB2"].total, by_code["DB2"].covered) == (3, 1)


def test_who_joins_later_brings_study_already_done(db, city):
    newcomer = world.add_person("DV009", "Bùi Mới")
    db.session.commit()
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), newcomer)
    correct(code, "joined", "DV009", unit_id=city.units["cell-2"].id)
    assert (members(code).total, members(code).covered) == (7, 1)


def test_a_household_can_leave_the_roll(city):
    code = plans.opened(city)
    correct(code, "wrong_entry", "K1-001", is_household=True)
    figures = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    assert figures.households.total == 9


def test_a_correction_needs_a_reason(city):
    code = plans.opened(city)
    with pytest.raises(Malformed, match="lý do"):
        correct(code, "died", "DV001", reason=" ")


def test_a_correction_that_changes_nothing_is_refused(city):
    code = plans.opened(city)
    with pytest.raises(Refusal):
        correct(code, "unexempted", "DV001")
    with pytest.raises(Refusal):
        correct(code, "joined", "DV001", unit_id=city.units["cell-1"].id)


def test_a_closed_campaign_takes_no_correction_until_it_is_open_again(city):
    code = plans.opened(city)
    campaigns.close_campaign(code, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="đã đóng"):
        correct(code, "died", "DV001")
    campaigns.reopen_campaign(code, "Báo cáo thiếu", now=world.NOW, by=SYSTEM)
    correct(code, "died", "DV001")
    assert members(code).total == 5


def test_staff_correct_only_their_own_units(city):
    code = plans.opened(city)
    with pytest.raises(NotFound):
        correct(code, "died", "DV001", by=staff_of(city.units["ward-2"]))
    correct(code, "died", "DV005", by=staff_of(city.units["ward-2"]))


def test_figures_as_of_a_day_take_later_corrections_back(city):
    code = plans.opened(city)
    correct(code, "died", "DV001", now=plans.days_later(1))
    correct(code, "moved", "DV002", unit_id=city.units["cell-3"].id, now=plans.days_later(1))
    later = world.TODAY + timedelta(days=3)
    before = coverage.campaign_figures(code, by=SYSTEM, today=later, as_of=world.TODAY)
    after = coverage.campaign_figures(code, by=SYSTEM, today=later)
    assert [unit.members.total for unit in before.units] == [2, 4]
    assert [unit.members.total for unit in after.units] == [3, 2]


def test_a_credit_counts_once_and_can_be_annulled(city):
    code = plans.opened(city)
    credit = roll.Credit("DV001", date(2026, 11, 10), "Trường Chính trị tỉnh", "GXN số 12")
    roll.add_credit(code, credit, now=world.NOW, by=SYSTEM)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    assert members(code).covered == 1
    with pytest.raises(Refusal, match="đã được ghi nhận"):
        roll.add_credit(code, credit, now=world.NOW, by=SYSTEM)
    other = replace(credit, person_code="DV002", is_makeup=True)
    roll.add_credit(code, other, now=world.NOW, by=SYSTEM)
    assert (members(code).covered_main, members(code).covered_makeup) == (1, 1)
    listed = roll.credits_of(code, today=world.TODAY, by=SYSTEM)
    roll.annul_credit(code, listed[0].id, now=world.NOW, by=SYSTEM)
    assert members(code).covered == 1


def test_a_credit_needs_evidence(city):
    code = plans.opened(city)
    with pytest.raises(Malformed, match="minh chứng"):
        roll.add_credit(
            code,
            roll.Credit("DV001", date(2026, 11, 10), "Trường", " "),
            now=world.NOW,
            by=SYSTEM,
        )


def test_declared_households_are_cumulative_and_never_over_the_total(city):
    code = plans.opened(city, household_counting="tally")
    group = city.units["group-1"].id

    def declare(households, **values):
        roll.declare_households(
            code, group, households, world.TODAY, now=world.NOW, by=SYSTEM, **values
        )

    declare(3)
    with pytest.raises(Refusal, match="tổng số hộ"):
        declare(6)
    with pytest.raises(Refusal, match="thấp hơn"):
        declare(2)
    declare(2, is_correction=True)
    figures = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    assert (figures.households.covered, figures.households.total) == (2, 10)


def test_the_roll_is_searched_without_marks_and_paged(city):
    code = plans.opened(city)
    page = roll.roll_page(code, today=world.TODAY, by=SYSTEM, query="hien")
    assert [row.name for row in page.rows] == ["Nguyễn Thị Hiền"]
    assert roll.roll_page(code, today=world.TODAY, by=SYSTEM, population="households").total == 10
