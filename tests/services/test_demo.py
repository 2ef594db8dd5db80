"""The demonstration city's figures come out exactly, from rows, by the same functions as real data."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from docx import Document
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import func, select

from models import (
    Account,
    Campaign,
    Exemption,
    FeedToken,
    Invitation,
    Mark,
    Meeting,
    MeetingLink,
    MeetingUnit,
    Membership,
    Person,
    RollEntry,
    Unit,
    db,
)
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, Refusal
from services import (
    coverage,
    coverage_ledger,
    demo,
    report_documents,
    report_files,
    reports,
    units,
)
from tests.world import build_world, signed_in

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def load(scale: str, seed: int = 2015) -> list[tuple[str, int]]:
    """Load a demonstration and return what it told of its progress."""
    told: list[tuple[str, int]] = []
    demo.load_demo(
        scale=scale, seed=seed, now=NOW, progress=lambda text, percent: told.append((text, percent))
    )
    return told


def fingerprint() -> list[Any]:
    """What two loadings with one seed must share."""
    people = db.session.scalars(select(Person.full_name).order_by(Person.id).limit(200)).all()
    marks = db.session.scalars(select(Mark.id).order_by(Mark.id).limit(200)).all()
    covered = db.session.scalar(select(func.count()).where(RollEntry.covered_on.is_not(None)))
    return [list(people), list(marks), covered]


@pytest.fixture
def ward(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        load("ward")
        yield app


def test_the_ward_has_the_shape_of_a_ward(ward: Flask) -> None:
    figures = coverage.campaign_figures("NQDH26", by=SYSTEM, today=NOW.date())
    assert 1_300 < figures.members.total < 1_900
    assert figures.households.total == 8_400
    assert figures.members.short > 0, "the open campaign shows a shortfall"
    assert len(figures.groups) == 30
    assert len(figures.units) == 60


def test_coverage_of_the_demonstration_is_what_its_ledger_says(ward: Flask) -> None:
    assert coverage_ledger.coverage_differences("NQDH26", by=SYSTEM, today=NOW.date()) == []


def test_one_seed_gives_the_same_city_again(app: Flask) -> None:
    with app.app_context():
        load("ward", seed=7)
        first = fingerprint()
        db.session.remove()
        db.drop_all()
        db.create_all()
        load("ward", seed=7)
        assert fingerprint() == first


def test_another_seed_gives_other_people(app: Flask) -> None:
    with app.app_context():
        load("ward", seed=7)
        first = fingerprint()
        db.session.remove()
        db.drop_all()
        db.create_all()
        load("ward", seed=8)
        assert fingerprint()[0] != first[0]


def test_a_database_with_data_is_refused_and_left_alone(app: Flask) -> None:
    with app.app_context():
        build_world()
        before = db.session.scalar(select(func.count()).select_from(Person))
        with pytest.raises(Refusal, match="trống"):
            load("ward")
        assert db.session.scalar(select(func.count()).select_from(Person)) == before


def test_an_unknown_scale_is_refused(app: Flask) -> None:
    with app.app_context(), pytest.raises(Malformed, match="ward"):
        load("galaxy")


def test_there_is_a_meeting_now_that_a_phone_can_open(ward: Flask) -> None:
    lines = demo.welcome_lines("http://127.0.0.1:5000", "secret", now=NOW)
    again = demo.welcome_lines("http://127.0.0.1:5000", "secret", now=NOW)
    assert lines == again, "the same links at every start"
    assert any("/attendance/link/" in line for line in lines)
    assert any(line.endswith(".ics") for line in lines)
    link = db.session.scalars(select(MeetingLink)).one()
    meeting = db.session.get_one(Meeting, link.meeting_id)
    assert abs((meeting.starts_at - NOW).total_seconds()) <= 3_600
    assert db.session.scalar(select(func.count()).select_from(FeedToken)) == 1


def test_real_data_gets_no_welcome(app: Flask) -> None:
    with app.app_context():
        build_world()
        assert demo.welcome_lines("http://127.0.0.1:5000", "secret", now=NOW) == []


@pytest.mark.backends("sqlite")
def test_the_city_reproduces_the_published_figures(app: Flask) -> None:
    with app.app_context():
        told = load("city")
        assert told[-1][1] == 100
        figures = coverage.campaign_figures("NQTW4", by=SYSTEM, today=NOW.date())
        members = figures.members
        assert (members.covered, members.eligible, members.percent) == (4_826, 4_947, "97.5")
        assert (members.need, members.short, members.met) == (4_700, 0, True)
        assert members.covered == members.covered_main + members.covered_makeup
        assert figures.households.met
        assert coverage_ledger.coverage_differences("NQTW4", by=SYSTEM, today=NOW.date()) == []
        assert len(figures.units) == 55
        assert len(figures.groups) == 104
        assert_eight_wards_became_four()
        report = reports.term_report(
            date(2010, 7, 1), date(2015, 6, 30), today=NOW.date(), by=the_city_reader()
        )
        assert (report.plans_issued, report.plans_due) == (55, 55)
        assert (report.outreach_meetings, report.outreach_visits) == (3_393, 345_178)
        assert (report.classes, report.enrolments) == (159, 12_310)
        assert (report.histories_published, report.histories_in_progress) == (2, 3)
        assert (report.commended.collectives, report.commended.individuals) == (96, 210)
        assert_meetings_invite_whom_their_registers_name()
        assert_every_form_tells_the_same(app)


def assert_meetings_invite_whom_their_registers_name() -> None:
    """A cell that is invited is invited whole: no meeting has 60 invited of a list of 92."""
    of_cells = (
        select(func.count())
        .select_from(MeetingUnit)
        .join(Membership, Membership.unit_id == MeetingUnit.unit_id)
        .where(
            MeetingUnit.meeting_id == Meeting.id,
            Membership.valid_to.is_(None),
            Membership.person_id.not_in(select(Exemption.person_id)),
        )
        .scalar_subquery()
    )
    invited = (
        select(func.count())
        .where(Invitation.meeting_id == Meeting.id, Invitation.source == "unit")
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Meeting.id, invited, of_cells)
        .join(Campaign, Campaign.id == Meeting.campaign_id)
        .where(Campaign.code == "NQDH26", Meeting.state.in_(("published", "held")), invited > 0)
    ).all()
    assert len(rows) > 50
    assert [row for row in rows if row[1] != row[2]] == []


def the_city_reader() -> Actor:
    """A reader over the city's committee: old wards lie within it only through succession."""
    root = db.session.scalars(select(Unit.id).where(Unit.code == "TU")).one()
    return Actor("Thường trực", grants=(Grant("reader", root),))


def assert_eight_wards_became_four() -> None:
    kinds = ("ward", "commune")
    before, after = (
        [node for node in units.unit_tree(on=on, by=SYSTEM) if node.kind_code in kinds]
        for on in (date(2025, 6, 30), date(2025, 7, 1))
    )
    assert (len(before), len(after)) == (8, 4)
    assert {node.kind_code for node in after} == {"ward"}
    old = units.unit_names_on(db.session(), [node.id for node in before], NOW.date())
    assert "Phường Đông Phong (trước 1/7/2025)" in old.values()
    today = coverage.campaign_figures("NQDH26", by=the_city_reader(), today=NOW.date())
    assert len(today.units) == 51
    assert len(today.groups) == 104


def assert_every_form_tells_the_same(app: Flask) -> None:
    """Screen, workbook, document, command and JSON, each read back by another library."""
    first, last, by = date(2010, 7, 1), date(2015, 6, 30), the_city_reader()
    book = load_workbook(io.BytesIO(report_files.term_workbook(first, last, now=NOW, by=by)))
    paper = Document(io.BytesIO(report_documents.term_document(first, last, now=NOW, by=by)))
    staff = db.session.scalars(select(Account).order_by(Account.id).limit(1)).one()
    client = signed_in(app.test_client(), staff)
    asked = f"from={first}&to={last}"
    command = ["report", "term", "--from", str(first), "--to", str(last), "--json"]
    told = json.loads(app.test_cli_runner().invoke(args=command).stdout)
    by_key = {table["key"]: table for table in told["tables"]}
    for key, title, figures in SEED:
        total = by_key[key]["total"]
        plain = [value["percent"] if isinstance(value, dict) else value for value in total.values()]
        rows = [[cell.value for cell in row] for row in book[title].iter_rows()]
        [sums] = [row for row in rows if row[1] == "Cộng"]
        page = client.get(f"/reports/tables/{key.partition(':')[0]}?{asked}").text
        written = [
            [cell.text for cell in row.cells]
            for table in paper.tables
            for row in table.rows
            if row.cells[1].text == "Cộng"
        ]
        for number in figures:
            shown = f"{number:,}".replace(",", ".")
            assert number in plain, key
            assert number in sums, key
            assert f">{shown}<" in page, key
            assert any(shown in row for row in written), key
        if key == "study:NQTW4":
            assert 0.975 in sums
            assert "97.5" in plain
            assert "97,5%" in page
            assert any("97,5%" in row for row in written)


SEED = (
    ("study:NQTW4", "1 Nghị quyết Trung ương 4 (khoá", (4_826, 4_947)),
    ("outreach", "3 theo đơn vị", (3_393, 345_178)),
    ("classes", "4 theo loại lớp", (159, 12_310)),
    ("plans", "6 Theo dõi kế hoạch thực hiện", (55,)),
)
