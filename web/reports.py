"""Reports on screen: the term report, and the lists of other work that it counts."""

from datetime import date

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.days import local_day
from rules.refusals import N_, Malformed
from rules.reports import LABELS, Period, check_period, period_around
from services import reports
from web.identity import current_actor, now, requires

bp = Blueprint("reports", __name__, url_prefix="/reports")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """The term report of the chosen days, this quarter unless asked otherwise."""
    chosen = _period()
    today = local_day(now())
    return render_template(
        "reports/index.html",
        report=reports.term_report(
            chosen.first_on, chosen.last_on, today=today, by=current_actor()
        ),
        periods=[
            (_(label), period_around(kind, today), period_around(kind, today) == chosen)
            for kind, label in LABELS.items()
        ],
    )


@bp.get("/term.xlsx")
@requires("staff", "reader")
def workbook() -> ResponseReturnValue:
    """The same as a workbook; the export is logged."""
    chosen = _period()
    answer = make_response(
        reports.term_workbook(chosen.first_on, chosen.last_on, now=now(), by=current_actor())
    )
    answer.headers["Content-Type"] = XLSX
    name = f"bao-cao-{chosen.first_on:%Y%m%d}-{chosen.last_on:%Y%m%d}.xlsx"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _period() -> Period:
    """The days in the address, or this quarter when none are given."""
    first, last = request.args.get("from"), request.args.get("to")
    if not first and not last:
        return period_around("quarter", local_day(now()))
    try:
        return check_period(date.fromisoformat(first or ""), date.fromisoformat(last or ""))
    except ValueError:
        raise Malformed(N_("Ngày chưa đúng. Hãy chọn lại khoảng thời gian.")) from None
