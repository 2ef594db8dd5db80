"""The term report counts rows: meetings held by local date, visits, classes, plans, decisions."""

from datetime import date, datetime, time

import pytest

from models import AuditEntry, Course, CourseType, Enrolment
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal
from services import report_files, reports, work_lists, works
from tests import world
from tests.services import campaign_plans as plans

FIRST, LAST = date(2026, 10, 1), date(2026, 12, 31)


@pytest.fixture
def city(db):
    return world.build_world()


def report(by=SYSTEM, first=FIRST, last=LAST):
    return reports.term_report(first, last, today=world.TODAY, by=by)


def outreach(city, at: datetime, **values):
    values.setdefault("state", "held")
    return world.add_meeting(city, at=at, kind="outreach", counting="heads", **values)


def test_outreach_counts_meetings_held_and_their_visits_by_local_date(city):
    outreach(city, instant(FIRST, time(0, 30)), visits_count=40)
    outreach(city, instant(LAST, time(19, 30)), visits_count=60)
    outreach(city, instant(date(2027, 1, 1), time(0, 30)), visits_count=500)
    outreach(city, instant(date(2026, 11, 2), time(8)), visits_count=9, state="not_held")
    found = report()
    assert (found.outreach_meetings, found.outreach_visits) == (2, 100)


def test_classes_called_off_and_learners_withdrawn_do_not_count(city, db):
    db.session.add(CourseType(code="DVM", name="Đảng viên mới", name_en="New members"))
    db.session.flush()
    for code, state in (("L1", "finished"), ("L2", "cancelled")):
        course = Course(
            code=code,
            type_code="DVM",
            title=code,
            organiser_id=city.units["ward-1"].id,
            opens_on=date(2026, 10, 5),
            closes_on=date(2026, 10, 9),
            state=state,
            created_at=world.NOW,
        )
        db.session.add(course)
        db.session.flush()
        for name, withdrawn_on in (("chi", None), ("hien", None), ("anh", date(2026, 10, 6))):
            db.session.add(
                Enrolment(
                    course_id=course.id,
                    person_id=city.people[name].id,
                    enrolled_on=date(2026, 10, 1),
                    withdrawn_on=withdrawn_on,
                )
            )
    db.session.commit()
    assert (report().classes, report().enrolments) == (1, 2)


def test_study_lists_the_campaigns_of_the_period_with_their_figures(city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    [figures] = report().study
    assert (figures.code, figures.members.covered, figures.members.eligible) == (code, 1, 6)
    assert report(first=date(2025, 1, 1), last=date(2025, 12, 31)).study == ()


def test_action_plans_are_due_and_issued(city):
    code = plans.opened(city)
    for unit, number in (("ward-1", "12-KH/ĐU"), ("ward-2", "")):
        works.save_action_plan(
            code,
            city.units[unit].id,
            date(2026, 12, 20),
            issued_on=date(2026, 11, 20) if number else None,
            issued_number=number,
            now=world.NOW,
            by=SYSTEM,
        )
    assert report().as_json()["action_plans"] == {"due": 2, "issued": 1}
    with pytest.raises(Malformed):
        works.save_action_plan(
            code,
            city.units["ward-2"].id,
            date(2026, 12, 20),
            issued_on=None,
            issued_number="1",
            now=world.NOW,
            by=SYSTEM,
        )


def test_histories_are_published_once(city):
    plan = works.HistoryPlan(city.units["ward-1"].id, "Lịch sử phường Một", date(2025, 1, 1))
    works.add_history(plan, now=world.NOW, by=SYSTEM)
    [line] = work_lists.histories(page=1, today=world.TODAY, by=SYSTEM).rows
    works.publish_history(line.id, world.TODAY, now=world.NOW, by=SYSTEM)
    assert report().as_json()["history_projects"] == {
        "total": 1,
        "published": 1,
        "in_progress": 0,
    }
    with pytest.raises(Refusal):
        works.publish_history(line.id, world.TODAY, now=world.NOW, by=SYSTEM)


def test_commendations_add_up_by_kind(city):
    for kind, recipients in (("collective", 3), ("individual", 7), ("individual", 1)):
        works.add_commendation(
            works.CommendationPlan(world.TODAY, "QĐ 1", "city", kind, recipients),
            now=world.NOW,
            by=SYSTEM,
        )
    assert report().as_json()["commendations"] == {"collectives": 3, "individuals": 8}


def test_a_ward_counts_and_writes_only_its_own(city):
    outreach(city, instant(date(2026, 11, 2), time(8)), visits_count=40)
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    assert report(by=dung).outreach_meetings == 0
    plan = works.HistoryPlan(city.units["ward-1"].id, "Lịch sử", date(2025, 1, 1))
    with pytest.raises(NotFound):
        works.add_history(plan, now=world.NOW, by=dung)


def test_a_period_that_ends_before_it_begins_is_refused(city):
    with pytest.raises(Malformed):
        report(first=LAST, last=FIRST)


def test_the_workbooks_leaving_is_logged(city, db):
    assert report_files.term_workbook(FIRST, LAST, now=world.NOW, by=SYSTEM)[:2] == b"PK"
    assert db.session.query(AuditEntry).filter_by(action="exported").count() == 1
