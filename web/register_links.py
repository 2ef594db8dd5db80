"""Inviting somebody to help with one register: a link as a picture, and the links that are alive."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.refusals import Refusal
from services import attendance_states, meeting_links
from web.attendance import page_door
from web.errors import sentence_of
from web.identity import current_actor, now
from web.meetings import qr_picture, register_url

bp = Blueprint("register_links", __name__, url_prefix="/attendance/<int:meeting_id>/helpers")


@bp.get("")
def index(meeting_id: int) -> ResponseReturnValue:
    """The helpers' links that are alive, and where to make another."""
    return page_door(meeting_id) or _page(meeting_id)


@bp.post("")
def create(meeting_id: int) -> ResponseReturnValue:
    """Make a helper's link; its address and its picture are shown this once."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    label = request.form.get("label", "")
    try:
        made = meeting_links.create_meeting_link(
            meeting_id, label=label, can_submit=False, now=now(), by=current_actor()
        )
    except Refusal as refusal:
        if refusal.status not in (409, 422):
            raise
        flash(sentence_of(refusal), "bad")
        return _page(meeting_id, label=label), refusal.status
    return _page(meeting_id, made=register_url(made.token), label=label)


@bp.post("/<int:link_id>/revocation")
def revoke(meeting_id: int, link_id: int) -> ResponseReturnValue:
    """Make a helper's link worthless."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    meeting_links.revoke_meeting_link(meeting_id, link_id, now=now(), by=current_actor())
    flash(_("Đã thu hồi đường điểm danh."), "good")
    return redirect(url_for("register_links.index", meeting_id=meeting_id), 303)


def _page(meeting_id: int, *, made: str = "", label: str = "") -> str:
    by, moment = current_actor(), now()
    rows = meeting_links.meeting_links(meeting_id, now=moment, by=by)
    return render_template(
        "register_links/index.html",
        meeting_id=meeting_id,
        place=attendance_states.meeting_place(meeting_id, now=moment, by=by),
        links=[row for row in rows if row.is_alive and not row.can_submit],
        made=made,
        label=label,
        picture=qr_picture(made) if made else None,
    )
