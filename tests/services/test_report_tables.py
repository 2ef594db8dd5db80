"""A report's tables count rows: by unit as it was or restated, each figure equal to its own rows."""

import io
from datetime import date, datetime, time

import pytest
from openpyxl import load_workbook

from models import (
    ActionPlan,
    AuditEntry,
    ClassPlan,
    Course,
    CourseType,
    Enrolment,
    HeadCount,
    LeaderVisit,
    RegisterLine,
    UnitSuccession,
    WalkIn,
)
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound
from rules.report_tables import COUNT, cell, cell_text
from services import report_files, report_rows, report_tables
from services.report_places import AS_WAS, RESTATED, VIEWS
from tests import world
from tests.services import campaign_plans as plans

FIRST, LAST = date(2026, 10, 1), date(2026, 12, 31)
IN_NOVEMBER = instant(date(2026, 11, 2), time(8))
SUMMED = {"visits": "visits", "enrolments": "enrolments"}


@pytest.fixture
def city(db):
    """The small city with something to count in every form."""
    city = world.build_world()
    code = plans.opened(city)
    held = {"state": "held", "at": instant(date(2026, 11, 10), time(8))}
    first = plans.sitting(city, code, **held, invite=("cell-1", "cell-2"), visits_count=5)
    for name, status in (("chi", "present"), ("hien", "present"), ("anh", "excused")):
        plans.attend(first, city.people[name], status)
    makeup = plans.sitting(city, code, **held, invite=("cell-3",), is_makeup=True, visits_count=1)
    plans.attend(makeup, city.people["hoa"])
    evening = plans.sitting(city, code, **held, invite=("group-1",), visits_count=2)
    for household in city.households[:2]:
        plans.attend_household(evening, household.id)
    guest = WalkIn(
        id="00000000-0000-4000-8000-000000000001",
        meeting_id=first.id,
        name="Khách",
        created_at=world.NOW,
    )
    db.session.add(guest)
    db.session.flush()
    db.session.add(
        RegisterLine(
            meeting_id=first.id,
            subject=f"w:{guest.id}",
            walk_in_id=guest.id,
            status="present",
            mark_id="y",
        )
    )
    for number, label, heads in ((1, "Cán bộ chủ chốt", 3), (2, "", 7)):
        db.session.add(
            HeadCount(
                id=f"h{number}",
                meeting_id=first.id,
                label=label,
                heads=heads,
                counted_at=world.NOW,
                received_at=world.NOW,
            )
        )
    _outreach(city, ("group-1",), 40, topic="Biển, đảo")
    _outreach(city, ("group-2",), 60, organiser_id=city.units["city"].id)
    _outreach(city, ("cell-1", "cell-3"), 10)
    _outreach(city, ("group-1",), 15, at=instant(date(2025, 11, 2), time(8)))
    _classes(city, db)
    _cells(city, db, code)
    return city


def _outreach(city, invite, visits, at=IN_NOVEMBER, **values):
    organiser = values.pop("organiser_id", None)
    meeting = world.add_meeting(
        city,
        at=at,
        kind="outreach",
        counting="heads",
        state="held",
        invite=invite,
        visits_count=visits,
        **values,
    )
    if organiser:
        meeting.organiser_id = organiser


def _classes(city, db):
    db.session.add(CourseType(code="DVM", name="Đảng viên mới", name_en="New members"))
    db.session.add(CourseType(code="NTVD", name="Nhận thức", name_en="Awareness"))
    db.session.flush()
    city_id = city.units["city"].id
    db.session.add(ClassPlan(year=2026, organiser_id=city_id, type_code="DVM", classes=4))
    course = Course(
        code="L1",
        type_code="DVM",
        title="Lớp 1",
        organiser_id=city_id,
        periods=50,
        opens_on=FIRST,
        closes_on=FIRST,
        state="finished",
        created_at=world.NOW,
    )
    db.session.add(course)
    db.session.flush()
    for name, unit, result in (
        ("chi", "cell-1", "good"),
        ("hoa", "cell-3", "passed"),
        ("em", None, None),
    ):
        db.session.add(
            Enrolment(
                course_id=course.id,
                person_id=city.people[name].id,
                result=result,
                unit_id=city.units[unit].id if unit else None,
                enrolled_on=FIRST,
                certificate_number="7" if result else None,
            )
        )
    db.session.commit()


def _cells(city, db, code):
    world.add_meeting(
        city,
        at=instant(date(2026, 10, 4), time(19, 30)),
        kind="cell",
        is_thematic=True,
        state="held",
        topic="Học Bác",
        present_count=3,
    )
    world.add_meeting(
        city,
        at=instant(date(2026, 11, 4), time(19, 30)),
        kind="cell",
        state="held",
        topic="Sinh hoạt thường kỳ tháng 11",
        present_count=2,
    )
    db.session.add(
        LeaderVisit(
            unit_id=city.units["cell-1"].id,
            leader="Đ/c Phó Bí thư",
            due_on=LAST,
            done_on=date(2026, 10, 4),
        )
    )
    campaign = plans.campaign_id(code)
    for unit, number in (("ward-1", "12-KH/ĐU"), ("ward-2", None)):
        db.session.add(
            ActionPlan(
                campaign_id=campaign,
                unit_id=city.units[unit].id,
                due_on=LAST,
                issued_number=number,
                issued_on=date(2026, 11, 20) if number else None,
            )
        )
    db.session.commit()


def gathered(view=AS_WAS, by=SYSTEM, first=FIRST, last=LAST, today=world.TODAY):
    return report_tables.report(first, last, today=today, by=by, view=view)


def facts(table, code):
    return next(line for line in table.lines if line.key == code).facts


def test_study_by_unit_tells_rounds_absences_officials_and_others_apart(city):
    found = facts(gathered().table("study:NQ01"), "DB1")
    assert found["eligible"] == 4
    assert (found["covered_main"], found["covered_makeup"], found["covered"]) == (2, 0, 2)
    assert (found["in_person"], found["excused"], found["unexcused"]) == (1, 1, 0)
    assert (found["officials"], found["others"]) == (3, 8)
    assert found["plan"] == "12-KH/ĐU, 20/11/2026"


def test_a_meeting_of_two_units_stands_at_both_and_once_in_the_total(city, db):
    world.add_meeting(
        city,
        at=instant(date(2026, 11, 12), time(8)),
        state="held",
        campaign_id=plans.campaign_id("NQ01"),
        invite=("cell-1", "cell-3"),
    )
    table = gathered().table("study:NQ01")
    assert [line.facts["in_person"] for line in table.lines] == [2, 2]
    assert table.total.facts["in_person"] == 3, "the evening for households is not among them"


def test_households_and_their_visits_are_not_mixed(city):
    table = gathered().table("households:NQ01")
    assert facts(table, "K1")["covered"] == 2
    assert facts(table, "K1")["visits"] == 2
    assert [line.is_empty for line in table.lines] == [False, True]
    assert "Khối 1 · Phường Một" in [line.name for line in table.lines]


def test_outreach_counts_where_it_was_held_for_and_beside_the_same_days_before(city):
    table = gathered().table("outreach")
    assert (facts(table, "DB1")["meetings"], facts(table, "DB1")["visits"]) == (2, 50)
    assert (facts(table, "DB2")["meetings"], facts(table, "DB2")["visits"]) == (1, 60)
    assert facts(table, "DB1")["visits_before"] == 15
    same_days, this_year = table.footers
    assert (same_days.facts["visits"], this_year.facts["visits"]) == (15, 110)


def test_classes_stand_against_their_plan_and_enrolments_beside_people(city):
    whole = gathered()
    [percent] = [c for c in whole.table("classes").columns if c.key == "percent"]
    line = next(one for one in whole.table("classes").lines if one.key == "DVM")
    assert cell_text(cell(percent, line)) == "25,0%"
    assert (line.facts["good"], line.facts["passed"], line.facts["certificates"]) == (1, 1, 2)
    unplanned = next(one for one in whole.table("classes").lines if one.key == "NTVD")
    assert cell_text(cell(percent, unplanned)) == "chưa có đối tượng"
    assert whole.table("classes:units").total.facts["people"] == 3


def test_a_cell_that_has_not_met_is_a_line_that_says_so(city):
    table = gathered().table("themes")
    assert facts(table, "CB1")["q4"] == 1
    assert facts(table, "CB1")["leaders"] == 1
    assert [line.key for line in table.lines if line.is_empty] == ["CB2", "CB3", "CB4"]


def test_plans_are_issued_over_due(city):
    table = gathered().table("plans")
    assert (table.total.facts["issued"], table.total.facts["due"]) == (1, 2)
    assert [line.facts["state"] for line in table.lines] == ["Chưa ban hành", "Đã ban hành"]


def merge_wards(city, db, *, is_part=False):
    """From today on ward Hai is part of ward Một."""
    ward, gone = city.units["ward-1"], city.units["ward-2"]
    db.session.add(
        UnitSuccession(
            predecessor_id=gone.id, successor_id=ward.id, on=world.TODAY, people=2, is_part=is_part
        )
    )
    if is_part:
        db.session.add(
            UnitSuccession(
                predecessor_id=gone.id, successor_id=gone.id, is_part=True, on=world.TODAY, people=1
            )
        )
    db.session.commit()


def test_after_a_merger_as_it_was_stays_and_restated_has_the_same_sums(city, db):
    before = gathered()
    merge_wards(city, db)
    assert gathered().table("outreach") == before.table("outreach")
    restated = gathered(RESTATED).table("outreach")
    assert facts(restated, "DB1")["visits"] == 110
    assert restated.total.facts == before.table("outreach").total.facts
    assert not any(line.is_estimate for line in restated.lines)


def test_what_is_spread_after_a_split_is_called_an_estimate(city, db):
    merge_wards(city, db, is_part=True)
    restated = gathered(RESTATED).table("outreach")
    assert {line.key for line in restated.lines if line.is_estimate} == {"DB1", "DB2"}
    assert facts(restated, "DB1")["visits"] == 50 + 40
    assert restated.total.facts["visits"] == 110


@pytest.mark.parametrize("view", VIEWS)
def test_every_count_is_equal_to_the_rows_behind_it(city, db, view):
    merge_wards(city, db)
    checked = 0
    for table in gathered(view).tables:
        if table.key.partition(":")[0] not in report_rows.FORMS_WITH_ROWS:
            continue
        for line in (*table.lines, table.total):
            for column in table.columns:
                value = cell(column, line)
                if (table.key, line.key) in (("study", "total"), ("households", "total")):
                    continue
                if column.kind == COUNT and value and column.key not in NOT_BY_ROWS:
                    assert counted(table, line, column, view) == value, (table.key, line, column)
                    checked += 1
    assert checked > 60


NOT_BY_ROWS = {
    "planned",
    "sittings",
    "periods",
    "present",
    "invited",
    "officials",
    "others",
    "points",
    "people",
}


def counted(table, line, column, view):
    key = "" if line.key == "total" else line.key
    wanted = report_rows.Wanted(table.key, key, column.key)
    behind = report_rows.rows_behind(wanted, FIRST, LAST, today=world.TODAY, by=SYSTEM, view=view)
    name = column.key.removesuffix(report_rows.BEFORE)
    if name == "visits" or (table.key == "classes" and name != "opened"):
        return sum(one.facts[SUMMED.get(name, "enrolments")] for one in behind.table.lines)
    return behind.count


def test_a_figure_without_rows_is_not_found(city):
    for wanted in (("plans", "", "due"), ("study:NQ01", "KHONG-CO", "total"), ("x", "", "")):
        with pytest.raises(NotFound):
            report_rows.rows_behind(
                report_rows.Wanted(*wanted), FIRST, LAST, today=world.TODAY, by=SYSTEM
            )


def test_a_ward_reads_only_its_own_rows(city):
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    whole = gathered(by=dung)
    assert [line.key for line in whole.table("outreach").lines] == ["DB2"]
    assert whole.table("study:NQ01").total.facts["total"] == 2
    behind = report_rows.rows_behind(
        report_rows.Wanted("study:NQ01", "", "total"), FIRST, LAST, today=world.TODAY, by=dung
    )
    assert [line.name for line in behind.table.lines] == ["Trương Hoà", "Hoàng Em"]


def test_a_period_backwards_is_refused_before_anything_is_read(city):
    with pytest.raises(Malformed):
        gathered(first=LAST, last=FIRST)


def test_the_workbook_holds_real_numbers_dates_and_percentages_and_no_formula(city, db):
    city.units["ward-1"].name = "=HYPERLINK(1)"
    db.session.commit()
    content = report_files.term_workbook(FIRST, LAST, now=world.NOW, by=SYSTEM)
    book = load_workbook(io.BytesIO(content))
    sheet = book["1 Nghị quyết thử nghiệm"]
    rows = list(sheet.iter_rows())
    place = next(at for at, row in enumerate(rows) if row[0].value == "STT")
    names = [one.value for one in rows[place]]
    first = rows[place + 1]
    percent = first[names.index("Tỉ lệ (%)")]
    assert (percent.value, percent.number_format) == (0.5, "0.0%")
    assert first[names.index("Diện phải học")].value == 2
    due = book["6 Theo dõi kế hoạch thực hiện"]
    assert datetime.combine(LAST, time()) in [one.value for row in due.iter_rows() for one in row]
    for page in book:
        assert page.print_title_rows
        assert page.print_area
        assert all(one.data_type != "f" for row in page.iter_rows() for one in row)
    assert db.session.query(AuditEntry).filter_by(action="exported").count() == 1
