"""The quick report from the hall, on a page that loads itself again."""

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from rules.quick_report import report_text
from services import quick_report
from web.identity import current_actor, now, requires

bp = Blueprint("quick_report", __name__, url_prefix="/meetings")

REFRESH_SECONDS = 20


@bp.get("/<int:meeting_id>/quick-report")
@requires()
def show(meeting_id: int) -> ResponseReturnValue:
    """The counts so far, and the text to copy; loads itself again until the reader stops it."""
    report = quick_report.quick_report(meeting_id, now=now(), by=current_actor())
    is_paused = "paused" in request.args
    page = render_template(
        "quick_report/show.html",
        report=report,
        text=report_text(report),
        seconds=REFRESH_SECONDS,
        is_paused=is_paused,
    )
    answer = make_response(page)
    if not is_paused:
        answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer
