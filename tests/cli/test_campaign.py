"""`flask campaign …` and `flask report term …`: JSON on stdout as the contract writes it."""

import json
from datetime import date

import pytest

from models import RollEntry
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def city(db):
    return world.build_world()


def run(app, *words):
    return app.test_cli_runner().invoke(args=list(words))


def test_list_coverage_and_missing_answer_in_json(app, city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    assert json.loads(run(app, "campaign", "list", "--json").stdout) == [
        {
            "code": "NQ01",
            "title": "Nghị quyết thử nghiệm",
            "opens_on": "2026-11-01",
            "deadline_on": "2026-12-15",
            "state": "open",
        }
    ]
    answer = json.loads(run(app, "campaign", "coverage", code, "--json").stdout)
    assert (answer["members"]["covered"], answer["members"]["percent"]) == (1, "16.6")
    assert [unit["code"] for unit in answer["units"]] == ["DB2", "DB1"]
    early = run(app, "campaign", "coverage", code, "--json", "--as-of", "2026-11-01")
    assert json.loads(early.stdout)["members"]["covered"] == 0
    missing = json.loads(run(app, "campaign", "missing", code, "--unit", "CB2", "--json").stdout)
    assert [(one["code"], one["name"], one["unit"]) for one in missing] == [
        ("DV004", "Lò Văn Đạt", "CB2")
    ]


def test_the_same_is_readable_without_json(app, city):
    code = plans.opened(city)
    assert "0/6" in run(app, "campaign", "coverage", code).stdout
    assert "DV001" in run(app, "campaign", "missing", code).stdout
    assert code in run(app, "campaign", "list").stdout


def test_an_unknown_campaign_is_refused_with_exit_1(app, city):
    result = run(app, "campaign", "coverage", "KHONG-CO", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Không tìm thấy đợt" in result.stderr


def test_wrong_usage_exits_2(app, city):
    assert run(app, "campaign", "coverage").exit_code == 2
    assert run(app, "report", "term", "--from", "hôm qua", "--to", "2026-01-01").exit_code == 2


def test_verify_finds_and_repairs(app, city, db):
    code = plans.opened(city)
    assert run(app, "campaign", "verify", code).exit_code == 0
    entry = db.session.query(RollEntry).filter(RollEntry.person_id.is_not(None)).first()
    entry.covered_on, entry.covered_round = date(2026, 11, 2), "main"
    db.session.commit()
    assert run(app, "campaign", "verify", code).exit_code == 1
    repaired = json.loads(run(app, "campaign", "verify", code, "--repair", "--json").stdout)
    assert repaired["repaired"] == 1
    assert run(app, "campaign", "verify", code).exit_code == 0


def test_the_term_report_in_json_and_as_a_workbook(app, city, tmp_path):
    words = ("report", "term", "--from", "2026-01-01", "--to", "2026-12-31")
    answer = json.loads(run(app, *words, "--json").stdout)
    assert answer["outreach"] == {"meetings": 0, "visits": 0}
    assert set(answer) >= {"classes", "study", "action_plans", "history_projects"}
    file = tmp_path / "report.xlsx"
    assert run(app, *words, "--xlsx", str(file)).exit_code == 0
    assert file.read_bytes()[:2] == b"PK"
