"""What a unit's own template may ask for by name, beside what every document has: from the facts that
the documents themselves print."""

from collections.abc import Iterable, Mapping, Sequence

from gateways.documents import FieldValue
from models import Campaign, Meeting
from rules.coverage import number_text
from rules.document_templates import INDICATORS, STUDY_COLUMNS
from rules.paperwork import written_when
from rules.report_tables import ReportTable, cell, cell_text
from rules.reports import Period
from services.courses import CourseView
from services.coverage import CampaignFigures

Fields = Mapping[str, FieldValue]


def listed(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, heading: str = ""
) -> list[Mapping[str, str]]:
    """The rows of a printed table by the names of its columns.

    A row of one cell heads those below it: it becomes their column `heading`.
    """
    found: list[Mapping[str, str]] = []
    above = ""
    for row in rows:
        if len(row) == 1 and len(columns) > 1:
            above = row[0]
            continue
        values = dict(zip(columns, row, strict=False))
        found.append({**values, heading: above} if heading else values)
    return found


def plan_fields(campaign: Campaign, figures: CampaignFigures) -> dict[str, FieldValue]:
    """A campaign's plan; the households' fields are empty where they are not counted."""
    members, households = figures.members, figures.households
    found: dict[str, FieldValue] = {
        "ten_dot": campaign.title,
        "van_ban": campaign.document_title or campaign.title,
        "so_van_ban": campaign.document_number or "",
        "co_quan_ban_hanh": campaign.document_issuer or "",
        "tu_ngay": f"{campaign.opens_on:%d/%m/%Y}",
        "den_ngay": f"{campaign.deadline_on:%d/%m/%Y}",
        "tong_dang_vien": number_text(members.total),
        "mien": number_text(members.exempt),
        "dien_phai_hoc": number_text(members.eligible),
        "chi_tieu_dang_vien": f"{members.target_percent}%",
        "can_dat_dang_vien": number_text(members.need),
    }
    if figures.counts_households:
        found |= {
            "tong_ho": number_text(households.total),
            "chi_tieu_ho": f"{households.target_percent}%",
            "can_dat_ho": number_text(households.need),
        }
    return found


def meeting_fields(meeting: Meeting, place: str) -> dict[str, FieldValue]:
    """What letters say of a meeting."""
    return {
        "noi_dung_buoi": meeting.topic,
        "thoi_gian": written_when(meeting.starts_at),
        "dia_diem": place.replace("\n", "; "),
        "chu_tri": meeting.chair,
    }


def class_fields(view: CourseView) -> dict[str, FieldValue]:
    """What lists say of a class."""
    line = view.line
    return {
        "ten_lop": line.title,
        "loai_lop": line.type_name,
        "ngay_khai_giang": f"{line.opens_on:%d/%m/%Y}",
        "ngay_be_giang": f"{line.closes_on:%d/%m/%Y}",
        "so_buoi": str(view.half_days),
        "so_tiet": str(view.fields.periods) if view.fields.periods else "",
        "so_tiet_da_hoc": str(line.periods_done) if line.periods_done else "",
        "so_hoc_vien": number_text(line.learners),
    }


def report_fields(
    tables: Sequence[ReportTable], period: Period, note: str
) -> dict[str, FieldValue]:
    """A report's days, headline figures and campaigns, all read from its own tables."""
    found: dict[str, FieldValue] = {
        "tu_ngay": f"{period.first_on:%d/%m/%Y}",
        "den_ngay": f"{period.last_on:%d/%m/%Y}",
        "cach_tinh": note,
    }
    for table in tables:
        if table.key == "summary":
            for line in table.lines:
                if line.key in INDICATORS:
                    found[INDICATORS[line.key]] = cell_text(_whole(line.facts.get("now")))
        elif table.key == "study":
            found["dot_hoc_tap"] = [
                {"ten": line.name}
                | {
                    name: cell_text(cell(column, line))
                    for name, key in STUDY_COLUMNS.items()
                    for column in table.columns
                    if column.key == key
                }
                for line in table.lines
            ]
    return found


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
