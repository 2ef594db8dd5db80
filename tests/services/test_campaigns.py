"""Campaigns: drafts that can be carried out, scope, closing and what stays fixed once open."""

from dataclasses import replace
from datetime import date

import pytest

from models import AuditEntry, Campaign
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotAllowed, NotFound, Refusal
from services import campaigns
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db):
    return world.build_world()


def staff_of(unit):
    return Actor(name="x", grants=(Grant("staff", unit.id),))


def created(plan, by=SYSTEM):
    return campaigns.create_campaign(plan, now=world.NOW, by=by)


def test_a_draft_keeps_its_whole_plan(city):
    plan = plans.plan_over_everything(
        city,
        topics=("Chuyên đề một", "Chuyên đề hai"),
        completion_rule="all_topics",
        unit_targets={city.units["ward-1"].id: 98},
        document_number="04-NQ/TW",
        document_on=date(2026, 10, 1),
    )
    created(plan)
    seen = campaigns.campaign("NQ01", today=world.TODAY, by=SYSTEM)
    assert seen.plan == plan
    assert seen.state == "draft"
    assert seen.may_change


def test_a_code_is_used_once_whatever_its_case(city):
    created(plans.plan_over_everything(city))
    with pytest.raises(Refusal, match="đã dùng"):
        created(plans.plan_over_everything(city, code="nq01"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "NQ 01"},
        {"title": "  "},
        {"deadline_on": date(2026, 10, 1)},
        {"cutoff_on": date(2027, 1, 1)},
        {"members_target_percent": 0},
        {"households_target_percent": 101},
    ],
)
def test_a_wrong_plan_is_refused_and_nothing_is_written(city, db, wrong):
    with pytest.raises(Malformed):
        created(replace(plans.plan_over_everything(city), **wrong))
    assert db.session.query(Campaign).count() == 0


def test_all_topics_without_topics_is_refused(city):
    with pytest.raises(Refusal, match="chuyên đề"):
        created(plans.plan_over_everything(city, completion_rule="all_topics"))


def test_staff_open_campaigns_only_over_their_own_units(city):
    an = staff_of(city.units["ward-1"])
    own = frozenset({city.units["ward-1"].id})
    with pytest.raises(NotFound):
        created(plans.plan_over_everything(city), by=an)
    created(
        plans.plan_over_everything(city, unit_ids=own, owner_unit_id=city.units["ward-1"].id),
        by=an,
    )
    dung = staff_of(city.units["ward-2"])
    with pytest.raises(NotFound):
        campaigns.campaign("NQ01", today=world.TODAY, by=dung)
    assert campaigns.campaign_list(today=world.TODAY, by=dung) == []


def test_a_ward_sees_the_citys_campaign_and_does_not_change_it(city):
    created(plans.plan_over_everything(city))
    dung = staff_of(city.units["ward-2"])
    seen = campaigns.campaign("NQ01", today=world.TODAY, by=dung)
    assert not seen.may_change
    with pytest.raises(NotAllowed):
        campaigns.change_campaign("NQ01", seen.plan, now=world.NOW, by=dung)


def test_an_open_campaign_moves_its_deadline_and_targets_but_not_its_roll(city, db):
    code = plans.opened(city)
    plan = plans.plan_over_everything(city)
    later = replace(plan, deadline_on=date(2026, 12, 31), members_target_percent=98)
    campaigns.change_campaign(code, later, now=world.NOW, by=SYSTEM)
    assert campaigns.campaign(code, today=world.TODAY, by=SYSTEM).plan == later
    entry = db.session.query(AuditEntry).filter_by(action="changed").one()
    assert entry.details["changes"]["members_target_percent"] == [95, 98]
    for frozen in (
        {"cutoff_on": date(2026, 11, 2)},
        {"unit_ids": frozenset({city.units["ward-1"].id})},
        {"completion_rule": "at_least"},
    ):
        with pytest.raises(Refusal, match="không đổi"):
            campaigns.change_campaign(code, replace(later, **frozen), now=world.NOW, by=SYSTEM)


def test_reopening_needs_a_reason_and_is_logged(city, db):
    code = plans.opened(city)
    campaigns.close_campaign(code, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="lý do"):
        campaigns.reopen_campaign(code, "", now=world.NOW, by=SYSTEM)
    campaigns.reopen_campaign(code, "Bổ sung học bù", now=world.NOW, by=SYSTEM)
    assert (
        db.session.query(AuditEntry).filter_by(action="reopened").one().reason == "Bổ sung học bù"
    )


def test_only_a_draft_without_meetings_is_thrown_away(city, db):
    created(plans.plan_over_everything(city, topics=("Một",)))
    plans.sitting(city, "NQ01")
    with pytest.raises(Refusal):
        campaigns.delete_draft("NQ01", now=world.NOW, by=SYSTEM)
    created(plans.plan_over_everything(city, code="NQ02", topics=("Một",)))
    campaigns.delete_draft("NQ02", now=world.NOW, by=SYSTEM)
    assert db.session.query(Campaign).count() == 1


def test_open_campaigns_stand_first(city):
    created(plans.plan_over_everything(city, code="NHAP", deadline_on=date(2027, 1, 1)))
    plans.opened(city, code="MO")
    codes = [line.code for line in campaigns.campaign_list(today=world.TODAY, by=SYSTEM)]
    assert codes == ["MO", "NHAP"]
