"""The page from which a meeting's counts are copied into a group chat."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from services import attendance_report
from web.attendance import page_door
from web.identity import current_actor, now

bp = Blueprint("attendance_report", __name__, url_prefix="/attendance")


@bp.get("/<int:meeting_id>/summary")
def show(meeting_id: int) -> ResponseReturnValue:
    """The message with the counts, to copy."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    found = attendance_report.share_text(meeting_id, now=now(), by=current_actor())
    return render_template("attendance_report/show.html", meeting_id=meeting_id, share=found)
