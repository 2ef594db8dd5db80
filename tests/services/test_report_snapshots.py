"""A closed report never changes; what changed since stands in a supplement, figure by figure."""

import io
from datetime import date, time
from pathlib import Path

import pytest
from docx import Document
from openpyxl import load_workbook
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models import AuditEntry, ReportSnapshot
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotAllowed, NotFound, Refusal
from rules.version import VERSION
from services import report_snapshots
from services.report_places import AS_WAS
from tests import world

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)


@pytest.fixture
def city(db):
    city = world.build_world()
    talk(city)
    return city


def talk(city, visits=40):
    return world.add_meeting(
        city,
        at=instant(date(2026, 10, 12), time(8)),
        kind="outreach",
        counting="heads",
        state="held",
        visits_count=visits,
    )


def closed(city, title="Báo cáo tháng 10", first_on=FIRST, last_on=LAST):
    return report_snapshots.close_report(title, first_on, last_on, AS_WAS, now=world.NOW, by=SYSTEM)


def read(snapshot_id, by=SYSTEM):
    return report_snapshots.snapshot(snapshot_id, today=world.TODAY, by=by)


def visits(found):
    [table] = [table for table in found.tables if table.key == "outreach"]
    return table.total.facts["visits"]


def test_a_closed_report_keeps_its_figures_its_units_and_who_closed_it(city, db):
    kept = closed(city)
    talk(city, visits=60)
    city.units["ward-1"].name = "Đảng bộ phường khác"
    db.session.commit()
    found = read(kept)
    assert visits(found) == 40
    assert found.line.is_whole
    assert found.units == len(city.units)
    names = {line.name for table in found.tables for line in table.lines}
    assert "Đảng bộ phường Một" in names
    assert "Đảng bộ phường khác" not in names
    assert db.session.query(AuditEntry).filter_by(action="closed", entity="report").count() == 1


@pytest.mark.parametrize(
    "change", ["UPDATE report_snapshot SET title = 'x'", "DELETE FROM report_snapshot"]
)
def test_the_database_itself_refuses_to_change_it(city, db, change):
    closed(city)
    with pytest.raises(DBAPIError):
        db.session.execute(text(change))
    db.session.rollback()
    assert db.session.query(ReportSnapshot).count() == 1


def test_a_supplement_says_what_changed_and_leaves_the_first_alone(city):
    kept = closed(city)
    talk(city, visits=60)
    added = report_snapshots.supplement_report(kept, "Nộp sổ muộn", now=world.NOW, by=SYSTEM)
    found = read(added)
    assert (visits(read(kept)), visits(found)) == (40, 100)
    assert ("40", "100") in {(one.before, one.after) for one in found.changed}
    assert read(kept).supplement_ids == (added,)


def test_without_a_difference_there_is_no_supplement(city, db):
    kept = closed(city)
    with pytest.raises(Refusal, match="không cần bổ sung"):
        report_snapshots.supplement_report(kept, "Xem lại", now=world.NOW, by=SYSTEM)
    with pytest.raises(Malformed):
        report_snapshots.supplement_report(kept, " ", now=world.NOW, by=SYSTEM)
    assert db.session.query(ReportSnapshot).count() == 1


def test_what_is_not_over_or_backwards_is_not_closed(city, db):
    with pytest.raises(Refusal, match="chưa hết"):
        closed(city, last_on=date(2026, 12, 31))
    with pytest.raises(Malformed):
        closed(city, first_on=LAST, last_on=FIRST)
    assert db.session.query(ReportSnapshot).count() == 0


def test_a_reader_closes_nothing_and_another_ward_sees_nothing(city):
    kept = closed(city)
    reader = Actor(name="Đọc", grants=(Grant("reader", city.units["city"].id),))
    with pytest.raises(NotAllowed):
        report_snapshots.close_report("x", FIRST, LAST, AS_WAS, now=world.NOW, by=reader)
    assert visits(read(kept, by=reader)) == 40
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    with pytest.raises(NotFound):
        read(kept, by=dung)


@pytest.mark.parametrize("form", ["xlsx", "docx"])
def test_a_closed_report_leaves_as_a_file_and_that_is_logged(city, db, form):
    kept = closed(city)
    assert report_snapshots.snapshot_file(kept, form, now=world.NOW, by=SYSTEM)[:2] == b"PK"
    assert db.session.query(AuditEntry).filter_by(action="exported").count() == 1


def test_a_supplements_files_open_with_what_changed(city, db):
    kept = closed(city)
    talk(city, visits=60)
    later = report_snapshots.supplement_report(kept, "Nhập muộn", now=world.NOW, by=SYSTEM)
    content = report_snapshots.snapshot_file(later, "xlsx", now=world.NOW, by=SYSTEM)
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    cells = [[one.value for one in row] for row in sheet.iter_rows()]
    assert any("Lượt người nghe" in row and "40" in row and "100" in row for row in cells)
    content = report_snapshots.snapshot_file(later, "docx", now=world.NOW, by=SYSTEM)
    first = Document(io.BytesIO(content)).tables
    assert any("Đã chốt" in [one.text for one in table.rows[0].cells] for table in first)


def test_a_closed_report_names_the_version_that_the_changelog_names(city):
    assert read(closed(city)).software == VERSION
    changelog = Path(__file__).parents[2] / "CHANGELOG.md"
    assert f"(now {VERSION}," in changelog.read_text(encoding="utf-8")
