"""Every .docx and .xlsx that the program gives, made from the demonstration city through its pages."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from flask.testing import FlaskClient
from openpyxl import Workbook
from sqlalchemy import func, select

from gateways.workbooks import read_workbook, write_error_copy
from models import Campaign, Course, Enrolment, Invitation, Meeting, Unit, db
from rules.document_templates import KINDS
from rules.permissions import SYSTEM
from rules.roster_columns import find_layout
from services.document_templates import store_template, use_template
from services.letterheads import LetterheadFields, save_letterhead
from services.report_places import AS_WAS
from services.report_snapshots import close_report
from services.reports import usual_period

ENDPOINTS = {
    "reports.workbook",
    "reports.document",
    "closed_reports.file",
    "coverage.missing_workbook",
    "documents.download",
    "document_templates.starter",
    "document_templates.preview",
    "document_templates.file",
    "roster.errors",
}
"""The addresses that give such files. The last two give back what somebody sent: a starter, which
is here as itself, and a workbook with an error column, which is made below without its page."""


@dataclass(frozen=True)
class City:
    """What of the demonstration the documents are about."""

    unit_id: int
    campaign: str
    course: str
    meeting_id: int
    year: int
    week: date


def prepared_city(now: datetime) -> City:
    """The letterhead filled in, a template in use, and rows that fill more than a page."""
    unit_id = db.session.scalars(
        select(Unit.id).where(Unit.tree == "party", Unit.parent_id.is_(None)).order_by(Unit.id)
    ).first()
    assert unit_id is not None
    head = LetterheadFields(
        superior="TỈNH UỶ LẠNG SƠN",
        issuer="BAN TUYÊN GIÁO VÀ DÂN VẬN THÀNH UỶ",
        place="Lạng Sơn",
        symbol="BTGDV",
        authority="T/M BAN TUYÊN GIÁO VÀ DÂN VẬN",
        post="TRƯỞNG BAN",
        signer="Nguyễn Thị Thuỳ Dương",
        recipients="Thường trực Thành uỷ (báo cáo),\nCác chi, đảng bộ trực thuộc,\nLưu BTG.",
    )
    campaign, owner = db.session.execute(
        select(Campaign.code, Campaign.owner_unit_id).order_by(Campaign.opens_on.desc()).limit(1)
    ).one()
    course, organiser = db.session.execute(
        select(Course.code, Course.organiser_id)
        .join(Enrolment)
        .group_by(Course.id, Course.code, Course.organiser_id)
        .order_by(func.count().desc())
        .limit(1)
    ).one()
    meeting_id, holder = db.session.execute(
        select(Meeting.id, Meeting.organiser_id)
        .join(Invitation)
        .where(Meeting.state.in_(("published", "held")))
        .group_by(Meeting.id, Meeting.organiser_id)
        .order_by(func.count().desc())
        .limit(1)
    ).one()
    for each in {unit_id, owner or unit_id, organiser, holder}:
        save_letterhead(each, head, now=now, by=SYSTEM)
    year = db.session.scalar(select(func.max(Enrolment.certificate_on)))
    return City(unit_id, campaign, course, meeting_id, year.year if year else now.year, now.date())


def produced(client: FlaskClient, city: City, now: datetime) -> Mapping[str, bytes]:
    """Every file by its name."""
    documents = {
        "plan": city.campaign,
        "summons": city.meeting_id,
        "invitations": city.meeting_id,
        "week": city.week,
        "register": city.meeting_id,
        "class-list": city.course,
        "class-results": city.course,
        "certificates": city.year,
    }
    year = usual_period("year", now.date())
    days = f"from={year.first_on}&to={year.last_on}"
    last = usual_period("year", now.date() - timedelta(days=366))
    closed = close_report(
        "Báo cáo năm trước", last.first_on, last.last_on, AS_WAS, now=now, by=SYSTEM
    )
    addresses = {
        "report.docx": f"/reports/term.docx?{days}",
        "report.xlsx": f"/reports/term.xlsx?{days}",
        "closed.docx": f"/reports/closed/{closed}/report.docx",
        "closed.xlsx": f"/reports/closed/{closed}/report.xlsx",
        "missing.xlsx": f"/coverage/{city.campaign}/missing.xlsx",
        **{f"{kind}.docx": f"/documents/{kind}/{key}/file" for kind, key in documents.items()},
        **{
            f"starter-{kind}.docx": f"/units/{city.unit_id}/templates/{kind}/starter"
            for kind in KINDS
        },
    }
    found = {name: _given(client, path) for name, path in addresses.items()}
    for kind in KINDS:
        home = f"/units/{city.unit_id}/templates/{kind}"
        content = found[f"starter-{kind}.docx"]
        version = store_template(city.unit_id, kind, content, "m.docx", now=now, by=SYSTEM)
        found[f"preview-{kind}.docx"] = _given(client, f"{home}/versions/{version}/preview")
        use_template(city.unit_id, kind, version, now=now, by=SYSTEM)
    own = {"report": f"/reports/term.docx?{days}", "week": f"/documents/week/{city.week}/file"}
    for kind, path in own.items():
        found[f"own-{kind}.docx"] = _given(client, path)
    return found


def _given(client: FlaskClient, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    assert zipfile.is_zipfile(io.BytesIO(answer.data)), path
    return answer.data


def error_copy(folder: Path) -> bytes:
    """A roster with faults as it is given back: the sender's own workbook with one more column."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["STT", "Họ và tên", "Năm sinh", "Chi bộ"])
    for number in range(1, 121):
        page.append([number, f"Nguyễn Thị Thuỳ {number}", "năm ngoái", "Chi bộ khối phố 1"])
    path, target = folder / "danh-sach.xlsx", folder / "danh-sach-loi.xlsx"
    book.save(path)
    sheet = read_workbook(path, "members")
    errors = dict.fromkeys(range(2, 122), "Năm sinh «năm ngoái» không đọc được.")
    write_error_copy(path, sheet, find_layout(sheet, "members"), errors, target)
    return target.read_bytes()
