"""The term report on screen, and the lists it counts."""

import re
from datetime import date, time
from typing import Any

import pytest

from models import ActionPlan, Commendation, HistoryProject
from rules.days import instant
from rules.permissions import SYSTEM
from services import report_files
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db):
    return world.build_world()


@pytest.fixture
def as_admin(app, city):
    return world.signed_in(app.test_client(), city.accounts["quan"])


def test_the_report_opens_for_this_quarter_and_for_any_days(as_admin, city):
    plans.opened(city)
    assert as_admin.get("/reports/").status_code == 200
    page = as_admin.get("/reports/?from=2026-11-01&to=2026-11-30").text
    assert "Tháng 11/2026" in page
    assert "Nghị quyết thử nghiệm" in page
    assert "0/6" in page


def test_days_that_cannot_be_read_are_answered_with_a_sentence(as_admin):
    answer = as_admin.get("/reports/?from=2026-13-01&to=x")
    assert answer.status_code == 422
    assert "Ngày chưa đúng" in answer.text


def test_the_workbook_is_a_download(as_admin):
    answer = as_admin.get("/reports/term.xlsx?from=2026-01-01&to=2026-12-31")
    assert answer.data[:2] == b"PK"
    assert "bao-cao-20260101-20261231.xlsx" in answer.headers["Content-Disposition"]


def test_plans_histories_and_commendations_are_written_down(as_admin, city, db):
    code = plans.opened(city)
    ward = city.units["ward-1"].id
    sent = {
        "/works/action-plans": {
            "campaign": code,
            "unit_id": ward,
            "due_on": "2026-12-20",
            "issued_number": "12-KH/ĐU",
            "issued_on": "2026-11-20",
        },
        "/works/histories": {"unit_id": ward, "title": "Lịch sử", "started_on": "2025-01-01"},
        "/works/commendations": {
            "decided_on": "2026-11-20",
            "decision_number": "QĐ 1",
            "level": "city",
            "recipient_kind": "collective",
            "recipients": "3",
            "unit_id": ward,
        },
    }
    for address, answers in sent.items():
        assert as_admin.post(address, data=answers).status_code == 303
        assert as_admin.get(address.removesuffix("action-plans")).status_code == 200
        assert as_admin.post(address, data={}).status_code == 422
    assert (
        as_admin.post(
            "/works/histories/1/publication", data={"published_on": "2026-11-20"}
        ).status_code
        == 303
    )
    assert db.session.query(ActionPlan).one().issued_on == date(2026, 11, 20)
    assert db.session.query(HistoryProject).one().state == "published"
    assert db.session.query(Commendation).one().recipients == 3


def test_a_reader_reads_and_does_not_write(app, city):
    reader = world.signed_in(app.test_client(), city.accounts["doc"])
    assert reader.get("/reports/").status_code == 200
    for part in ("", "histories", "visits", "commendations"):
        assert reader.get(f"/works/{part}").status_code == 200
    assert reader.post("/works/histories", data={}).status_code == 403


def test_every_form_opens_and_a_figure_leads_to_its_rows(as_admin, city):
    code = plans.opened(city)
    asked = "?from=2026-11-01&to=2026-11-30"
    forms = ("study", "households", "outreach", "classes", "themes", "plans", "attendance")
    for form in forms:
        assert as_admin.get(f"/reports/tables/{form}{asked}&view=restated").status_code == 200
    page = as_admin.get(f"/reports/tables/study{asked}").text
    assert f"/reports/tables/study:{code}/rows/total?line=DB1" in page
    rows = as_admin.get(f"/reports/tables/study:{code}/rows/total{asked}&line=DB1").text
    assert "Đỗ Thị Kim Chi" in rows
    assert "Trương Hoà" not in rows
    assert as_admin.get(f"/reports/tables/nothing{asked}").status_code == 404
    assert as_admin.get(f"/reports/{asked}&view=x").status_code == 422


def test_a_report_is_closed_read_and_taken_out(as_admin, city):
    sent = {"title": "Quý III", "first_on": "2026-07-01", "last_on": "2026-09-30", "view": "as_was"}
    answer = as_admin.post("/reports/closed/", data=sent)
    assert answer.status_code == 303
    page = answer.headers["Location"]
    assert "Quý III" in as_admin.get(page).text
    for form in ("xlsx", "docx"):
        assert as_admin.get(f"{page}/report.{form}").data[:2] == b"PK"
    assert as_admin.get(f"{page}/report.pdf").status_code == 404
    same = as_admin.post(f"{page}/supplements", data={"reason": "Xem lại"})
    assert same.status_code == 422
    assert "không cần bổ sung" in same.text
    backwards = as_admin.post("/reports/closed/", data=sent | {"last_on": "2026-06-01"})
    assert backwards.status_code == 422


def test_the_charts_of_a_page_say_the_numbers_of_the_json(app, as_admin, city):
    code = plans.opened(city)
    meeting = plans.sitting(city, code, state="held", at=instant(date(2026, 11, 10), time(8)))
    plans.attend(meeting, city.people["chi"])
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    with app.app_context():
        told: Any = report_files.term_json(first, last, now=world.NOW, by=SYSTEM)
    tables = {table["key"]: table for table in told["tables"]}
    page = as_admin.get("/reports/tables/study?from=2026-11-01&to=2026-11-30").text
    said = [
        words for _, words in re.findall(r"<g( transform=\"[^\"]+\")?><title>([^<]+)</title>", page)
    ]
    rows = [*tables["study"]["rows"], *tables[f"study:{code}"]["rows"]]
    assert len(said) == len(rows)
    for words, row in zip(said, rows, strict=True):
        share = (
            f"{row['percent']['percent'].replace('.', ',')}% · {row['covered']}/{row['eligible']}"
        )
        assert words.startswith(f"{row['name']}: {share}")
    so_far = tables[f"study_days:{code}"]["total"]
    assert f"Luỹ kế: 16,6% · {so_far['so_far']}/6" in page
    assert "style=" not in page.partition("report-charts")[2]


def test_a_closed_report_shows_its_charts(as_admin, city):
    plans.opened(city, opens_on=date(2026, 8, 1), cutoff_on=date(2026, 8, 1))
    sent = {"title": "Quý III", "first_on": "2026-07-01", "last_on": "2026-09-30", "view": "as_was"}
    page = as_admin.get(as_admin.post("/reports/closed/", data=sent).headers["Location"]).text
    assert page.count('<figure class="chart-figure') >= 3
    assert "Tiến độ đảng viên theo ngày" in page
    assert page.count("<figure") == as_admin.get(
        "/reports/print?from=2026-07-01&to=2026-09-30"
    ).text.count("<figure")


@pytest.mark.parametrize("path", ["/reports/", "/reports/tables/study", "/reports/print"])
def test_days_backwards_show_the_form_again_with_the_sentence_at_the_field(as_admin, path):
    answer = as_admin.get(f"{path}?from=2026-12-31&to=2026-01-01")
    assert answer.status_code == 422
    assert 'name="from" value="2026-12-31"' in answer.text
    field = answer.text.split('name="to"')[1].split("</label>")[0]
    assert 'aria-invalid="true"' in field
    assert "Ngày cuối phải từ ngày đầu trở đi" in field


def test_earlier_terms_are_one_press_away(as_admin):
    assert "Nhiệm kỳ 2010–2015" in as_admin.get("/reports/").text
