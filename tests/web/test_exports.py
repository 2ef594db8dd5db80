"""Whatever leaves the program as a file says who took it out and when, and leaves its entry behind."""

import inspect
import io
import zipfile
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from models import AuditEntry, db
from rules.days import local_day
from rules.permissions import SYSTEM
from services import report_snapshots
from services.report_places import AS_WAS
from tests import world
from tests.services import campaign_plans as plans
from tests.web.test_documents import finished_class, published

WITHOUT_DATA = {
    "document_templates.starter",
    "document_templates.file",
    "document_templates.preview",
    "roster.errors",
}
"""A form to be filled in, its earlier versions, invented rows, and the reader's own workbook given back."""
GIVES_A_FILE = ("given(", "attachment; filename", "as_attachment")
REPORT = "from=2026-01-01&to=2026-12-31"


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


@pytest.fixture
def exports(city: world.World) -> dict[str, list[str]]:
    """Every address that gives a file of the city's data, by endpoint."""
    code, course = plans.opened(city), finished_class(city)
    meeting = published(city, campaign_id=plans.campaign_id(code), invite=("cell-1", "cell-3"))
    day = local_day(world.NOW)
    first = day.replace(month=1, day=1)
    kept = report_snapshots.close_report("Đã chốt", first, day, AS_WAS, now=world.NOW, by=SYSTEM)
    keys = {
        "plan": code,
        "summons": meeting,
        "invitations": meeting,
        "week": day.isoformat(),
        "register": meeting,
        "class-list": course,
        "class-results": course,
        "certificates": "2026",
    }
    return {
        "reports.workbook": [f"/reports/term.xlsx?{REPORT}"],
        "reports.document": [f"/reports/term.docx?{REPORT}"],
        "closed_reports.file": [
            f"/reports/closed/{kept}/report.{form}" for form in ("xlsx", "docx")
        ],
        "coverage.missing_workbook": [f"/coverage/{code}/missing.xlsx"],
        "documents.download": [f"/documents/{kind}/{key}/file" for kind, key in keys.items()],
    }


def test_every_address_that_gives_a_file_is_among_those_tried(
    app: Flask, exports: dict[str, list[str]]
) -> None:
    found = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint != "static"
        if any(
            sign in inspect.getsource(app.view_functions[rule.endpoint]) for sign in GIVES_A_FILE
        )
    }
    assert found - WITHOUT_DATA == set(exports)


def test_each_carries_who_and_when_and_is_in_the_log(
    client: FlaskClient, city: world.World, exports: dict[str, list[str]]
) -> None:
    quan = city.accounts["quan"]
    world.signed_in(client, quan)
    for address in (one for addresses in exports.values() for one in addresses):
        before = logged(quan.id)
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        assert logged(quan.id) == before + 1, address
        assert f"Xuất bởi {quan.name} lúc " in written(answer.data), address


def logged(account_id: int) -> int:
    db.session.rollback()
    rows = db.session.scalars(
        select(AuditEntry.id).where(
            AuditEntry.action == "exported", AuditEntry.by_account_id == account_id
        )
    )
    return len(rows.all())


def written(content: bytes) -> str:
    """All text of a workbook or a document, wherever in it."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return "".join(
            package.read(name).decode() for name in package.namelist() if name.endswith(".xml")
        )
