"""Mail that came back and needs a person: doubtful answers, proposals, letters, bounces."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.replies import REASONS
from services import incoming_replies
from web.identity import current_actor, now, requires

bp = Blueprint("reply_review", __name__)


@bp.get("/invitations/incoming")
@requires("staff")
def index() -> str:
    """What waits, oldest first, with why it could not be taken by itself."""
    return render_template(
        "reply_review/index.html",
        rows=incoming_replies.review_lines(now=now(), by=current_actor()),
        reasons={reason: _(sentence) for reason, sentence in REASONS.items()},
        trouble=incoming_replies.trouble(),
        is_read=incoming_replies.is_read(),
    )


@bp.post("/invitations/incoming/<int:reply_id>/settlement")
@requires("staff")
def settle(reply_id: int) -> ResponseReturnValue:
    """Count one mail as the guest's answer, or lay it by."""
    use = request.form.get("use") == "1"
    incoming_replies.settle(reply_id, use=use, now=now(), by=current_actor())
    flash(_("Đã ghi câu trả lời.") if use else _("Đã xem xong thư này."), "good")
    return redirect(url_for("reply_review.index"), 303)
