"""Every figure comes from the roll, agrees with the ledger, and respects who is looking."""

from collections import defaultdict
from datetime import date, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from models import CampaignTopic, Exemption, RollEntry
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotFound
from services import coverage, coverage_ledger
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db):
    return world.build_world()


def figures(code, by=SYSTEM, **values):
    return coverage.campaign_figures(code, by=by, today=world.TODAY, **values)


def reader_of(unit):
    return Actor(name="x", grants=(Grant("reader", unit.id),))


def test_one_present_mark_covers_and_absence_does_not(city):
    code = plans.opened(city)
    meeting = plans.sitting(city, code)
    plans.attend(meeting, city.people["chi"])
    plans.attend(meeting, city.people["hien"], "late")
    plans.attend(meeting, city.people["anh"], "excused")
    plans.attend(meeting, city.people["dat"], "unexcused")
    assert figures(code).members.covered == 2
    assert figures(code).members.eligible == 6


def test_taking_a_mark_back_uncovers(city):
    code = plans.opened(city)
    meeting = plans.sitting(city, code)
    plans.attend(meeting, city.people["chi"])
    plans.attend(meeting, city.people["chi"], "none")
    assert figures(code).members.covered == 0


def test_visits_are_not_persons(city):
    code = plans.opened(city)
    for day in (1, 2, 3):
        meeting = plans.sitting(city, code, at=instant(date(2026, 11, day + 1), time(8)))
        plans.attend(meeting, city.people["chi"])
    assert figures(code).members.covered == 1


def test_head_counts_and_cancelled_meetings_never_cover(city, db):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code, counting="heads"), city.people["chi"])
    plans.attend(plans.sitting(city, code, state="not_held"), city.people["hien"])
    assert figures(code).members.covered == 0


def test_calling_a_meeting_off_uncovers_its_people(city, db):
    code = plans.opened(city)
    meeting = plans.sitting(city, code)
    plans.attend(meeting, city.people["chi"])
    meeting.state = "cancelled"
    db.session.flush()
    assert coverage_ledger.refresh_meeting(db.session(), meeting.id) == 1
    db.session.commit()
    assert figures(code).members.covered == 0


def test_the_make_up_round_stands_apart(city):
    code = plans.opened(city)
    makeup = plans.sitting(city, code, is_makeup=True)
    plans.attend(makeup, city.people["chi"])
    plans.attend(makeup, city.people["hien"])
    plans.attend(plans.sitting(city, code), city.people["hien"])
    figure = figures(code).members
    assert (figure.covered, figure.covered_main, figure.covered_makeup) == (2, 1, 1)


def test_an_exempt_member_who_comes_is_told_apart_and_not_counted(city, db):
    db.session.add(Exemption(person_id=city.people["chi"].id, valid_from=date(2026, 1, 1)))
    db.session.commit()
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    first = next(unit for unit in figures(code).units if unit.code == "DB1")
    assert (first.members.covered, first.members.eligible, first.exempt_who_came) == (0, 3, 1)


def test_all_topics_need_every_topic(city, db):
    code = plans.opened(city, completion_rule="all_topics", topics=("Một", "Hai"))
    one, two = db.session.query(CampaignTopic).order_by(CampaignTopic.position).all()
    plans.attend(plans.sitting(city, code, campaign_topic_id=one.id), city.people["chi"])
    assert figures(code).members.covered == 0
    second = plans.sitting(
        city, code, campaign_topic_id=two.id, at=instant(date(2026, 11, 24), time(8))
    )
    plans.attend(second, city.people["chi"])
    assert figures(code).members.covered == 1
    entry = db.session.query(RollEntry).filter_by(person_id=city.people["chi"].id).one()
    db.session.refresh(entry)
    assert entry.covered_on == date(2026, 11, 24)


def test_a_household_is_covered_by_one_sitting_whatever_the_members_rule(city):
    code = plans.opened(city, completion_rule="at_least", completion_count=3)
    plans.attend_household(plans.sitting(city, code), city.households[0].id)
    figure = figures(code).households
    assert (figure.covered, figure.total, figure.need, figure.short) == (1, 10, 9, 8)


def test_the_day_asked_for_decides(city):
    code = plans.opened(city)
    plans.attend(
        plans.sitting(city, code, at=instant(date(2026, 11, 10), time(8))), city.people["chi"]
    )
    assert figures(code, as_of=date(2026, 11, 9)).members.covered == 0
    assert figures(code, as_of=date(2026, 11, 10)).members.covered == 1


def test_nobody_to_count_is_neither_met_nor_missed(city, db):
    code = plans.opened(city)
    empty = world.add_unit("DB3", "grassroots_org", "Đảng bộ trống", city.units["city"])
    db.session.commit()
    line = next(unit for unit in figures(code).units if unit.code == empty.code)
    assert (line.members.total, line.members.percent, line.members.met) == (0, None, None)


def test_the_contracts_shape(city):
    answer = figures(plans.opened(city)).as_json()
    assert list(answer) == ["campaign", "as_of", "members", "households", "units", "groups"]
    assert answer["members"] == {
        "total": 6,
        "exempt": 0,
        "eligible": 6,
        "covered": 0,
        "covered_main": 0,
        "covered_makeup": 0,
        "need": 6,
        "short": 6,
        "percent": "0.0",
        "met": False,
    }


def test_a_reader_of_one_ward_sees_that_ward_alone(city):
    code = plans.opened(city)
    seen = figures(code, by=reader_of(city.units["ward-2"]))
    assert [unit.code for unit in seen.units] == ["DB2"]
    assert [group.code for group in seen.groups] == ["K2"]
    assert (seen.members.total, seen.households.total) == (2, 5)
    missing = coverage.missing_people(code, by=reader_of(city.units["ward-2"]), today=world.TODAY)
    assert {person.unit_code for person in missing} == {"CB3", "CB4"}


def test_a_campaign_outside_the_scope_is_not_found(city):
    only_one = frozenset({city.units["ward-1"].id})
    code = plans.opened(city, unit_ids=only_one, owner_unit_id=city.units["ward-1"].id)
    with pytest.raises(NotFound):
        figures(code, by=reader_of(city.units["ward-2"]))
    assert figures(code, by=reader_of(city.units["cell-1"])).members.total == 3


def test_the_missing_stand_by_cell_and_given_name(city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    missing = coverage.missing_people(code, by=SYSTEM, today=world.TODAY, unit="DB1")
    assert [person.name for person in missing] == ["Vũ Ánh", "Nguyễn Thị Hiền", "Lò Văn Đạt"]


def test_the_drill_down_adds_up_to_its_unit(city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    unit, cells = coverage.cell_figures(code, "DB1", by=SYSTEM, today=world.TODAY)
    assert [(cell.code, cell.members.total, cell.members.covered) for cell in cells] == [
        ("CB1", 3, 1),
        ("CB2", 1, 0),
    ]
    assert (unit.members.total, unit.members.covered) == (4, 1)


def test_the_roll_can_be_checked_and_repaired_from_the_ledger(city, db):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=world.TODAY) == []
    wrong = db.session.query(RollEntry).filter_by(person_id=city.people["hien"].id).one()
    wrong.covered_on, wrong.covered_round = date(2026, 11, 2), "main"
    db.session.commit()
    [found] = coverage_ledger.coverage_differences(code, by=SYSTEM, today=world.TODAY)
    assert found.subject == f"m:{city.people['hien'].id}"
    assert coverage_ledger.repair_coverage(code, now=world.NOW, by=SYSTEM) == 1
    assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=world.TODAY) == []


def test_the_figures_cost_the_same_queries_however_many_people(city, db):
    code = plans.opened(city)
    statements = []
    listen = lambda *args: statements.append(args[2])  # noqa: E731  # removed again by its name
    event.listen(db.engine, "before_cursor_execute", listen)
    figures(code)
    event.remove(db.engine, "before_cursor_execute", listen)
    assert len(statements) <= 10


TAPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["chi", "hien", "anh", "dat", "hoa", "em"]),
        st.sampled_from(["present", "late", "left_early", "excused", "unexcused", "none"]),
    ),
    max_size=25,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(taps=TAPS, needed=st.integers(1, 2))
def test_what_the_roll_remembers_is_what_the_marks_add_up_to(city, db, taps, needed):
    number = db.session.query(RollEntry).count()
    code = plans.opened(
        city, code=f"NQ-{number}", completion_rule="at_least", completion_count=needed
    )
    meetings = [
        plans.sitting(
            city,
            code,
            is_makeup=place == 3,
            at=instant(date(2026, 11, 2) + timedelta(days=place), time(8)),
        )
        for place in range(4)
    ]
    last = {}
    for place, name, status in taps:
        plans.attend(meetings[place], city.people[name], status)
        last[name, place] = status
    attended = defaultdict(set)
    for (name, place), status in last.items():
        if status in ("present", "late", "left_early"):
            attended[name].add(place)
    figure = figures(code).members
    assert figure.covered == sum(len(places) >= needed for places in attended.values())
    assert figure.covered_main == sum(len(places - {3}) >= needed for places in attended.values())
