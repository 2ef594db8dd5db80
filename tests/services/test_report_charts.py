"""What charts of a report are drawn from: days, months and hours counted from rows, kept when closed."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from sqlalchemy import event

from models import Invitation, RegisterLine, ReportSnapshot
from models import db as database
from rules.charts import BarChart, DayChart, HeatChart
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Refusal
from rules.report_charts import charts_of
from services import report_documents, report_files, report_snapshots, report_tables, roll
from services.report_places import AS_WAS, VIEWS
from tests import world
from tests.services import campaign_plans as plans

FIRST, LAST = date(2026, 10, 1), date(2026, 12, 31)
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture
def city(db):
    return world.build_world()


@pytest.fixture
def campaign(city):
    """Three members covered on two days, one of them by a make-up, and a household."""
    code = plans.opened(city)
    for day, name, is_makeup in ((5, "chi", False), (9, "hien", False), (9, "hoa", True)):
        at = instant(date(2026, 11, day), time(8))
        meeting = plans.sitting(city, code, at=at, state="held", is_makeup=is_makeup)
        plans.attend(meeting, city.people[name])
    evening = plans.sitting(
        city, code, at=instant(date(2026, 11, 10), time(19)), state="held", invite=("group-1",)
    )
    plans.attend_household(evening, city.households[0].id)
    return code


def gathered(view=AS_WAS, by=SYSTEM, first=FIRST, last=LAST, today=world.TODAY):
    return report_tables.report(first, last, today=today, by=by, view=view)


def shown(table):
    """The table's only chart."""
    [chart] = charts_of(table)
    return chart


@pytest.mark.parametrize("view", VIEWS)
def test_days_lead_to_the_very_total_of_the_campaigns_table(campaign, view):
    found = gathered(view)
    days, table = found.table(f"study_days:{campaign}"), found.table(f"study:{campaign}")
    assert [(line.key, line.facts["so_far"]) for line in days.lines] == [
        ("2026-11-01", 0),
        ("2026-11-05", 1),
        ("2026-11-09", 3),
    ]
    assert days.total.facts["so_far"] == table.total.facts["covered"] == 3
    assert days.total.facts["main_so_far"] == table.total.facts["covered_main"] == 2
    assert days.total.facts["eligible"] == table.total.facts["eligible"]
    chart = shown(days)
    assert isinstance(chart, DayChart)
    assert chart.figure.percent == "50.0"
    assert chart.pace == 1


def test_a_past_day_takes_back_what_was_corrected_later(city, campaign):
    exempted = roll.Correction("exempted", city.people["chi"].code, "NQ", date(2026, 11, 20))
    roll.correct_roll(campaign, exempted, now=world.NOW, by=SYSTEM)
    for last in (date(2026, 11, 9), LAST):
        found = gathered(last=last)
        days, table = found.table(f"study_days:{campaign}"), found.table(f"study:{campaign}")
        assert days.total.facts["so_far"] == table.total.facts["covered"]
        assert days.total.facts["eligible"] == table.total.facts["eligible"]
    assert gathered().table(f"study_days:{campaign}").total.facts["so_far"] == 2


def test_a_campaign_that_has_not_opened_by_then_has_no_days(campaign):
    found = gathered(today=date(2026, 10, 20)).table(f"study_days:{campaign}")
    assert found.lines == ()
    assert charts_of(found) == ()


def test_households_that_are_declared_add_up_by_group_and_day(city, db):
    code = plans.opened(city, household_counting="tally")
    for unit, households, day in (("group-1", 1, 5), ("group-2", 1, 6), ("group-1", 2, 9)):
        on = date(2026, 11, day)
        roll.declare_households(code, city.units[unit].id, households, on, now=world.NOW, by=SYSTEM)
    found = gathered()
    days = found.table(f"household_days:{code}")
    assert [line.facts["so_far"] for line in days.lines] == [0, 1, 2, 3]
    assert days.total.facts["so_far"] == found.table(f"households:{code}").total.facts["covered"]


def test_a_ward_sees_its_own_days_only(city, campaign):
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    days = gathered(by=dung).table(f"study_days:{campaign}")
    assert (days.total.facts["so_far"], days.total.facts["eligible"]) == (1, 2)


def talk(city, on, visits):
    world.add_meeting(
        city,
        at=instant(on, time(8)),
        kind="outreach",
        counting="heads",
        state="held",
        visits_count=visits,
    )


def test_months_are_those_of_the_period_and_add_up_to_the_table_by_unit(city):
    for on, visits in (
        (date(2026, 10, 31), 40),
        (date(2026, 11, 2), 10),
        (date(2025, 11, 30), 7),
        (date(2025, 9, 30), 100),
    ):
        talk(city, on, visits)
    found = gathered()
    months = found.table("outreach:months")
    assert [line.name for line in months.lines] == ["10/2026", "11/2026", "12/2026"]
    assert [line.facts["visits"] for line in months.lines] == [40, 10, 0]
    assert [line.facts["visits_before"] for line in months.lines] == [0, 7, 0]
    assert [line.facts["note"] for line in months.lines] == [None, None, "chưa đến"]
    by_unit = found.table("outreach").total.facts
    assert {name: by_unit[name] for name in months.total.facts} == months.total.facts


def handed_in(city, hour, statuses, *, on=date(2026, 11, 18), state="locked", invited=()):
    meeting = world.add_meeting(
        city, at=instant(on, time(hour, 30)), state="held", register_state=state
    )
    for name in invited:
        person = city.people[name].id
        invitation = Invitation(meeting_id=meeting.id, person_id=person, created_at=world.NOW)
        database.session.add(invitation)
    for name, status in statuses.items():
        person = city.people[name].id
        line = {"subject": f"m:{person}", "person_id": person, "status": status, "mark_id": "x"}
        database.session.add(RegisterLine(meeting_id=meeting.id, **line))
    database.session.commit()


def test_hours_count_who_came_of_those_expected_where_the_register_was_handed_in(city):
    handed_in(city, 7, {"chi": "present", "hien": "late", "anh": "excused"})
    handed_in(city, 7, {"chi": "present", "hoa": "present"}, invited=("chi", "hien"))
    handed_in(city, 19, {"chi": "present"}, state="draft")
    handed_in(city, 19, {}, invited=("chi",), on=date(2026, 11, 22))
    table = gathered().table("attendance")
    told = [
        (one.name, one.facts["hour"], one.facts["present"], one.facts["invited"])
        for one in table.lines
    ]
    assert told == [("Thứ Tư", "7h", 3, 5), ("Chủ nhật", "19h", 0, 1)], "an extra is nobody's n"
    assert table.total.facts == {"meetings": 3, "present": 3, "invited": 6}
    chart = shown(table)
    assert isinstance(chart, HeatChart)
    assert [
        (chart.rows[row], chart.columns[column], cell.ratio)
        for (row, column), cell in chart.cells.items()
    ] == [
        ("7h", "T4", "3/5"),
        ("19h", "CN", "0/1"),
    ]


def test_a_period_without_a_meeting_has_empty_tables_and_no_chart(city):
    found = gathered()
    for key in ("attendance", "outreach:topics"):
        assert charts_of(found.table(key)) == ()
    for chart in charts_of(found.table("outreach:months")):
        assert "Chưa tổ chức buổi nào." in chart.message


def read_back(content: bytes) -> tuple[dict[str, float], list[str]]:
    """What a document's charts say, by category, and its cells."""
    points: dict[str, float] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        for name in package.namelist():
            if not name.startswith("word/charts/chart"):
                continue
            for series in fromstring(package.read(name)).iter(f"{C}ser"):
                title = series.findtext(f"{C}tx//{C}v")
                names, values = (
                    {one.get("idx"): one.findtext(f"{C}v", "") for one in series.iterfind(part)}
                    for part in (f"{C}cat//{C}pt", f"{C}val//{C}pt")
                )
                points |= {f"{names[at]} | {title}": float(one) for at, one in values.items()}
        body = fromstring(package.read("word/document.xml"))
        cells = ["".join(text.itertext()) for text in body.iter(f"{W}p")]
    return points, cells


def test_the_documents_charts_hold_the_numbers_of_the_json(city, campaign):
    talk(city, date(2026, 11, 2), 1234)
    handed_in(city, 7, {"chi": "present", "anh": "excused"})
    told: Any = report_files.term_json(FIRST, LAST, now=world.NOW, by=SYSTEM)
    tables = {table["key"]: table for table in told["tables"]}
    points, cells = read_back(report_documents.term_document(FIRST, LAST, now=world.NOW, by=SYSTEM))
    for row in tables[f"study:{campaign}"]["rows"]:
        share = (
            f"{row['percent']['percent'].replace('.', ',')}% · {row['covered']}/{row['eligible']}"
        )
        [main] = [
            value
            for name, value in points.items()
            if name.startswith(f"{row['name']}: {share}") and name.endswith("| Đợt chính")
        ]
        assert main == row["covered_main"] * 1000 // row["eligible"] / 10
    last = tables[f"study_days:{campaign}"]["rows"][-1]
    assert points[f"09/11 | Đợt chính: {last['main_so_far']}"] == last["main_so_far"]
    for row in tables["outreach:months"]["rows"]:
        assert points[f"{row['name']} | Kỳ này"] in (row["meetings"], row["visits"])
    [slot] = tables["attendance"]["rows"]
    assert f"{slot['present']}/{slot['invited']}" in cells


def test_a_closed_reports_charts_are_those_of_the_day_it_was_closed(city, campaign):
    last = date(2026, 11, 9)
    kept = report_snapshots.close_report("Báo cáo", FIRST, last, AS_WAS, now=world.NOW, by=SYSTEM)

    def charts():
        found = report_snapshots.snapshot(kept, today=world.TODAY, by=SYSTEM)
        return [chart for table in found.tables for chart in charts_of(table)]

    before = charts()
    assert {type(one) for one in before} >= {BarChart, DayChart}
    meeting = plans.sitting(city, campaign, at=instant(date(2026, 11, 6), time(8)), state="held")
    plans.attend(meeting, city.people["anh"])
    talk(city, date(2026, 11, 3), 99)
    assert charts() == before
    fresh = gathered(last=last)
    assert [chart for table in fresh.tables for chart in charts_of(table)] != before
    points, _ = read_back(report_snapshots.snapshot_file(kept, "docx", now=world.NOW, by=SYSTEM))
    assert points["09/11 | Đợt chính: 2"] == 2


def test_a_report_closed_before_there_were_charts_needs_no_supplement_for_the_new_tables(city, db):
    kept = report_snapshots.close_report(
        "Cũ", FIRST, date(2026, 11, 9), AS_WAS, now=world.NOW, by=SYSTEM
    )
    row = db.session.get(ReportSnapshot, kept)
    new = ("outreach:months", "attendance")
    content = {
        **row.content,
        "tables": [
            {name: value for name, value in table.items() if name != "marks"}
            for table in row.content["tables"]
            if table["key"] not in new
        ],
    }
    old = ReportSnapshot(
        **{
            column.name: getattr(row, column.name)
            for column in ReportSnapshot.__table__.columns
            if column.name != "id"
        }
    )
    old.content, old.software, old.digest = content, "1", report_snapshots.digest_of(content)
    db.session.add(old)
    db.session.commit()
    with pytest.raises(Refusal, match="không cần bổ sung"):
        report_snapshots.supplement_report(old.id, "Xem lại", now=world.NOW, by=SYSTEM)
    talk(city, date(2026, 11, 3), 99)
    added = report_snapshots.supplement_report(old.id, "Nộp muộn", now=world.NOW, by=SYSTEM)
    found = report_snapshots.snapshot(added, today=world.TODAY, by=SYSTEM)
    assert {one.table for one in found.changed} == {"", "3 theo đơn vị", "3 theo nội dung"}


@contextmanager
def statements(db) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*given):
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_more_units_and_meetings_take_no_more_statements(city, campaign, db):
    def asked() -> int:
        db.session.rollback()
        with statements(db) as seen:
            for form in ("study", "outreach", "attendance"):
                report_tables.report(FIRST, LAST, today=world.TODAY, by=SYSTEM, forms=(form,))
        return len(seen)

    handed_in(city, 7, {"chi": "present"})
    talk(city, date(2026, 11, 2), 10)
    before = asked()
    for number in range(6):
        ward = world.add_unit(
            f"DB9{number}", "grassroots_org", f"Đảng bộ {number}", city.units["city"]
        )
        world.add_unit(f"PC{number}", "cell", f"Chi bộ {number}", ward)
        handed_in(city, 8 + number, {"hien": "present"}, invited=("hien", "anh"))
        talk(city, date(2026, 10, 2 + number), 10)
    db.session.commit()
    assert asked() <= before
