"""Reports on screen: headline figures, tables with their charts, and the rows behind a figure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.coverage import Figure
from rules.days import local_day
from rules.refusals import N_, Malformed, NotFound
from rules.report_charts import charts_of
from rules.report_tables import COUNT, TEXT, Cell, Column, Line, ReportTable, cell, cell_text
from rules.reports import LABELS, TERM_YEARS, Period, check_period, earlier_terms
from services import report_documents, report_files, report_rows, report_tables, reports
from services.document_templates import TemplateFailed
from services.report_places import AS_WAS, RESTATED, VIEWS
from web import charts
from web.downloads import DOCX, XLSX, built_in_asked, failed_page, given
from web.errors import answer, sentence_of, wants_json
from web.identity import current_actor, now, requires
from web.preferences import chosen_language

bp = Blueprint("reports", __name__, url_prefix="/reports")

FORM_NAMES = {
    "study": N_("Học tập"),
    "households": N_("Hộ gia đình"),
    "outreach": N_("Tuyên truyền miệng"),
    "classes": N_("Lớp LLCT"),
    "themes": N_("Sinh hoạt chuyên đề"),
    "plans": N_("Kế hoạch thực hiện"),
    "attendance": N_("Dự học theo giờ"),
}
WORDED = ("note", "state", "round", "unit")
"""The text columns whose words are the program's own and not data."""
VIEW_NAMES = {
    AS_WAS: N_("Theo đơn vị tại thời điểm"),
    RESTATED: N_("Quy đổi theo đơn vị hiện nay"),
}


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """The term report of the chosen days, this quarter unless asked otherwise."""
    chosen, today = _period(), local_day(now())
    return render_template(
        "reports/index.html",
        report=reports.term_report(
            chosen.first_on, chosen.last_on, today=today, by=current_actor()
        ),
        summary=report_tables.summary_table(chosen, today=today, by=current_actor()),
        indicator_forms={key: form for key, _label, _unit, form in report_tables.INDICATORS},
        **_frame(chosen),
    )


@bp.get("/tables/<form>")
@requires("staff", "reader")
def table(form: str) -> str:
    """One of the forms, with the same days before and since the year began beneath it."""
    if form not in FORM_NAMES:
        raise NotFound(N_("Không có biểu này."))
    chosen = _period()
    found = report_tables.report(
        chosen.first_on,
        chosen.last_on,
        today=local_day(now()),
        by=current_actor(),
        view=_view(),
        forms=(form,),
    )
    return render_template(
        "reports/table.html", tables=found.tables, form=form, **_frame(chosen), **cells()
    )


@bp.get("/print")
@requires("staff", "reader")
def paper() -> str:
    """Every table on A4."""
    chosen, today = _period(), local_day(now())
    found = report_tables.report(
        chosen.first_on, chosen.last_on, today=today, by=current_actor(), view=_view()
    )
    summary = report_tables.summary_table(chosen, today=today, by=current_actor())
    return render_template(
        "reports/print.html", tables=(summary, *found.tables), **_frame(chosen), **cells()
    )


@bp.get("/tables/<key>/rows/<column>")
@requires("staff", "reader")
def rows(key: str, column: str) -> str:
    """The rows that one figure counts: of a line, or of the whole table."""
    chosen = _period()
    wanted = report_rows.Wanted(key, request.args.get("line", ""), column)
    behind = report_rows.rows_behind(
        wanted,
        chosen.first_on,
        chosen.last_on,
        today=local_day(now()),
        by=current_actor(),
        view=_view(),
    )
    return render_template(
        "reports/rows.html",
        behind=behind,
        wanted=wanted,
        form=wanted.table.partition(":")[0],
        label=request.args.get("label", ""),
        **_frame(chosen),
        **cells(),
    )


@bp.get("/term.xlsx")
@requires("staff", "reader")
def workbook() -> ResponseReturnValue:
    """The same as a workbook; the export is logged."""
    chosen = _period()
    content = report_files.term_workbook(
        chosen.first_on, chosen.last_on, now=now(), by=current_actor(), view=_view()
    )
    return given(content, XLSX, f"bao-cao-{_days(chosen)}.xlsx")


@bp.get("/term.docx")
@requires("staff", "reader")
def document() -> ResponseReturnValue:
    """The same in the Party's layout or the unit's own, as a draft; the export is logged."""
    chosen = _period()
    try:
        content = report_documents.term_document(
            chosen.first_on,
            chosen.last_on,
            now=now(),
            by=current_actor(),
            view=_view(),
            built_in=built_in_asked(),
        )
    except TemplateFailed as failure:
        asked = urlencode({**request.args.to_dict(), "form": "built-in"})
        return failed_page(failure, f"{url_for('reports.document')}?{asked}")
    return given(content, DOCX, f"bao-cao-{_days(chosen)}.docx")


def _days(chosen: Period) -> str:
    return f"{chosen.first_on:%Y%m%d}-{chosen.last_on:%Y%m%d}"


class WrongPeriod(Malformed):
    """The days in the address make no period; `field` is where the form says so."""

    def __init__(self, sentence: str, field: str) -> None:
        super().__init__(sentence)
        self.field = field


@bp.errorhandler(WrongPeriod)
def wrong_period(error: WrongPeriod) -> ResponseReturnValue:
    """The form again, with what was typed and the sentence at the field."""
    if wants_json():
        return answer(error.status, sentence_of(error), error.reason)
    usual = reports.usual_period("quarter", local_day(now()))
    frame = _frame(usual) | {
        "typed": {name: request.args.get(name, "") for name in ("from", "to")},
        "wrong_field": error.field,
        "wrong": sentence_of(error),
    }
    return render_template("reports/wrong_period.html", **frame), error.status


def _period() -> Period:
    """The days in the address, or this quarter when none are given."""
    first, last = request.args.get("from"), request.args.get("to")
    if not first and not last:
        return reports.usual_period("quarter", local_day(now()))
    days = []
    for name, text in (("from", first), ("to", last)):
        try:
            days.append(date.fromisoformat(text or ""))
        except ValueError:
            sentence = N_("Ngày chưa đúng. Hãy chọn lại khoảng thời gian.")
            raise WrongPeriod(sentence, name) from None
    try:
        return check_period(*days)
    except Malformed as error:
        raise WrongPeriod(error.sentence, "to") from None


def _view() -> str:
    chosen = request.args.get("view", AS_WAS)
    if chosen not in VIEWS:
        raise Malformed(N_("Cách xem không có. Hãy chọn theo thời điểm hoặc quy đổi."))
    return chosen


def tabs_of() -> dict[str, object]:
    """The same for a page that is not about a period of its own."""
    return _frame(_period())


def _frame(chosen: Period) -> dict[str, object]:
    """What every page of a report shows around its figures: the periods, the view, the forms."""
    today, view = local_day(now()), _view()

    def asked(**others: object) -> dict[str, object]:
        return {"from": chosen.first_on, "to": chosen.last_on, "view": view, **others}

    spans = [(_(label), reports.usual_period(kind, today)) for kind, label in LABELS.items()]
    spans += [
        (
            _("Nhiệm kỳ %(years)s", years=f"{one.first_on.year}–{one.first_on.year + TERM_YEARS}"),
            one,
        )
        for one in earlier_terms(today)
    ]
    return {
        "word": _,
        "chosen": chosen,
        "view": view,
        "asked": asked,
        "form_names": {key: _(label) for key, label in FORM_NAMES.items()},
        "views": [(key, _(label)) for key, label in VIEW_NAMES.items()],
        "periods": [(label, span, span == chosen) for label, span in spans],
    }


def cells() -> dict[str, object]:
    """How a template writes the cells of a report's table."""
    language = chosen_language()
    words = cache(_)

    def text(column: Column, value: Cell) -> str:
        shown = cell_text(value, language)
        return _remark(shown) if column.key in WORDED else shown

    def shown(
        table: ReportTable, line: Line, drill: bool, asked: Mapping[str, Any]
    ) -> list[_Shown]:
        found = []
        for column in table.columns:
            value = cell(column, line)
            said = text(column, value)
            found.append(
                _Shown(
                    label=words(column.label),
                    text=said,
                    href=_href(table, line, column, value, asked) if drill else None,
                    is_number=column.kind != TEXT,
                    is_over=isinstance(value, Figure) and value.over,
                    sort=said if column.key in WORDED else _sort_value(value),
                )
            )
        return found

    return {
        "shown_cells": shown,
        "charts_of": lambda table: [charts.draw(one) for one in charts_of(table, charts.voice())],
        "name_of_lines": report_files.name_of_lines,
        "heading": _heading,
    }


@dataclass(frozen=True)
class _Shown:
    """One cell as the page writes it."""

    label: str
    text: str
    href: str | None
    is_number: bool
    is_over: bool
    sort: object


def _href(
    shown: ReportTable, line: Line, column: Column, value: Cell, asked: Mapping[str, Any]
) -> str | None:
    """Where the rows behind a figure are; None for what has none."""
    form = shown.key.partition(":")[0]
    if column.kind != COUNT or not value or column.key in report_rows.WITHOUT_ROWS:
        return None
    if form not in report_rows.FORMS_WITH_ROWS:
        return None
    table_key, key = shown.key, "" if line.key == "total" else line.key
    if table_key in ("study", "households"):
        # A line of all campaigns is one campaign's total; theirs together has no rows.
        if not key:
            return None
        table_key, key = f"{table_key}:{key}", ""
    label = f"{_(column.label)}: {_(line.name)}"
    return url_for("reports.rows", key=table_key, column=column.key, line=key, label=label, **asked)


def _sort_value(value: Cell) -> object:
    if isinstance(value, Figure):
        return value.covered * 100_000 // value.eligible if value.eligible else -1
    return value.isoformat() if isinstance(value, date) else value


def _heading(shown: ReportTable) -> str:
    title = f"{_(shown.title)}: {_(shown.subject)}" if shown.subject else _(shown.title)
    if not shown.number:
        return title
    return str(_("Biểu %(number)s. %(title)s", number=shown.number, title=title))


def _remark(text: str) -> str:
    """A note's parts in the reader's language; a number before one stays as it is."""
    parts = [re.fullmatch(r"(\d+ )?(.+)", part) for part in text.split("; ")]
    return "; ".join((part[1] or "") + _(part[2]) for part in parts if part)
