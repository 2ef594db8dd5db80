"""A report's tables gathered: the forms of a period, each beside the same days of before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.report_tables import SUMMARY, SUMMARY_TITLE, Line, ReportTable, compared
from rules.reports import Period, check_period, same_period_before, since
from services.access import require_role
from services.report_attendance import attendance_tables
from services.report_classes import class_tables
from services.report_days import household_days_table, study_days_table
from services.report_outreach import outreach_tables
from services.report_places import AS_WAS, Asked, Places
from services.report_study import household_tables, studies, study_tables
from services.report_work import plan_tables, theme_tables
from services.reports import TermReport, headline_counts
from services.transaction import reading

INDICATORS: tuple[tuple[str, str, str, str], ...] = (
    ("outreach_meetings", N_("Buổi tuyên truyền đã tổ chức"), N_("buổi"), "outreach"),
    ("outreach_visits", N_("Lượt người nghe"), N_("lượt"), "outreach"),
    ("classes", N_("Lớp lý luận chính trị đã mở"), N_("lớp"), "classes"),
    ("enrolments", N_("Lượt học viên"), N_("lượt"), "classes"),
    ("plans_due", N_("Kế hoạch hành động phải ban hành"), N_("đơn vị"), "plans"),
    ("plans_issued", N_("Kế hoạch hành động đã ban hành"), N_("đơn vị"), "plans"),
    ("histories_published", N_("Công trình lịch sử đã xuất bản"), N_("công trình"), ""),
    ("histories_in_progress", N_("Công trình lịch sử đang biên soạn"), N_("công trình"), ""),
    ("collectives", N_("Lượt tập thể được khen thưởng"), N_("lượt"), ""),
    ("individuals", N_("Lượt cá nhân được khen thưởng"), N_("lượt"), ""),
)
FORMS = ("study", "households", "outreach", "classes", "themes", "plans", "attendance")
SAME_DAYS_BEFORE = N_("Cùng kỳ trước")


@dataclass(frozen=True)
class Report:
    """The tables of a period in one view; of one form only when only one was asked for."""

    period: Period
    view: str
    tables: tuple[ReportTable, ...]

    def table(self, key: str) -> ReportTable:
        """The table of that key; NotFound when the report has none."""
        for table in self.tables:
            if table.key == key:
                return table
        raise NotFound(N_("Báo cáo này không có bảng đó."))


def report(
    first_on: date,
    last_on: date,
    *,
    today: date,
    by: Actor,
    view: str = AS_WAS,
    forms: Sequence[str] = FORMS,
) -> Report:
    """The tables of these forms for the days from first to last, both included.

    Each table has, beneath its total, the totals of the same days of before and those since the
    year (or the term) began; a campaign that was not under way then has none.
    """
    require_role(by, "admin", "staff", "reader")
    period = check_period(first_on, last_on)
    return Report(period, view, _beside_others(reading(), Asked(period, view, today, by), forms))


def gathered_report(
    session: Session, period: Period, *, view: str, today: date, by: Actor
) -> tuple[ReportTable, ...]:
    """Every table with the headline figures, for whoever keeps them in the same transaction."""
    period = check_period(period.first_on, period.last_on)
    summary = summary_table(period, today=today, by=by)
    return (summary, *_beside_others(session, Asked(period, view, today, by), FORMS))


def _beside_others(session: Session, asked: Asked, forms: Sequence[str]) -> tuple[ReportTable, ...]:
    """The tables, each with the totals of the same days of before and of those since beneath."""
    places = Places(session, asked)
    period = asked.period
    tables = _gathered(session, places, forms)
    label, since_then = since(period)
    for other_label, other in (
        (SAME_DAYS_BEFORE, same_period_before(period)),
        (label, since_then),
    ):
        found = tables if other == period else _gathered(session, places.beside(other), forms)
        others = {table.key: table for table in found}
        tables = [
            replace(
                table,
                footers=(*table.footers, compared(table, other_label, others.get(table.key))),
            )
            if table.has_total
            else table
            for table in tables
        ]
    return tuple(tables)


def _gathered(session: Session, places: Places, forms: Sequence[str]) -> list[ReportTable]:
    asked = places.asked
    tables: list[ReportTable] = []
    if {"study", "households"} & set(forms):
        found = studies(session, asked, places)
        if "study" in forms:
            tables += study_tables(session, asked, places, found)
            tables += [study_days_table(session, asked, one) for one in found]
        if "households" in forms:
            tables += household_tables(session, asked, places, found)
            counting = [one for one in found if one.figures.counts_households]
            tables += [household_days_table(session, asked, one) for one in counting]
    others: dict[str, Callable[[Session, Asked, Places], list[ReportTable]]] = {
        "outreach": outreach_tables,
        "classes": class_tables,
        "themes": theme_tables,
        "plans": plan_tables,
        "attendance": attendance_tables,
    }
    for form, gather in others.items():
        if form in forms:
            tables += gather(session, asked, places)
    return tables


def summary_table(period: Period, *, today: date, by: Actor) -> ReportTable:
    """The period's headline figures beside those of the same days before, and since the year began."""
    _, since_then = since(period)
    found = {
        name: headline_counts(one.first_on, one.last_on, today=today, by=by)
        for name, one in (
            ("now", period),
            ("before", same_period_before(period)),
            ("since", since_then),
        )
    }
    lines = []
    for key, label, unit, _ in INDICATORS:
        counts = {name: _indicator(term, key) for name, term in found.items()}
        change = counts["now"] - counts["before"]
        lines.append(Line(key, label, {**counts, "change": change, "unit": unit}))
    return ReportTable(
        key="summary",
        number="",
        title=SUMMARY_TITLE,
        subject="",
        columns=SUMMARY,
        lines=tuple(lines),
        has_total=False,
    )


def _indicator(term: TermReport, key: str) -> int:
    holder = term.commended if key in ("collectives", "individuals") else term
    value: int = getattr(holder, key)
    return value
