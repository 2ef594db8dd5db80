"""The quick report from the hall, on a page that loads itself again."""

from flask import Blueprint, render_template

from rules.quick_report import report_text
from services import quick_report
from web.identity import current_actor, now, requires

bp = Blueprint("quick_report", __name__, url_prefix="/meetings")

REFRESH_SECONDS = 20


@bp.get("/<int:meeting_id>/quick-report")
@requires()
def show(meeting_id: int) -> str:
    """The counts so far, and the text to copy."""
    report = quick_report.quick_report(meeting_id, now=now(), by=current_actor())
    return render_template(
        "quick_report/show.html",
        report=report,
        text=report_text(report),
        seconds=REFRESH_SECONDS,
    )
