"""Where staff bring in the calendar file of a speaker or a venue, so that clashes know it."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.busy import MOST_OCTETS
from rules.refusals import Malformed
from services import busy
from web.errors import sentence_of
from web.identity import current_actor, now, requires

bp = Blueprint("busy", __name__)

ARGUMENTS = {"speaker": "speaker_id", "venue": "venue_id"}


@bp.get("/speakers/<int:speaker_id>/busy")
@requires("staff")
def speaker(speaker_id: int) -> str:
    """How many busy times of a speaker are known, and the form to bring a file."""
    return _page("speaker", speaker_id)


@bp.get("/venues/<int:venue_id>/busy")
@requires("staff")
def venue(venue_id: int) -> str:
    """How many busy times of a venue are known, and the form to bring a file."""
    return _page("venue", venue_id)


@bp.post("/speakers/<int:speaker_id>/busy")
@requires("staff")
def save_speaker(speaker_id: int) -> ResponseReturnValue:
    """Put the busy times of a file in place of those known of a speaker."""
    return _save("speaker", speaker_id)


@bp.post("/venues/<int:venue_id>/busy")
@requires("staff")
def save_venue(venue_id: int) -> ResponseReturnValue:
    """Put the busy times of a file in place of those known of a venue."""
    return _save("venue", venue_id)


@bp.post("/speakers/<int:speaker_id>/busy/deletion")
@requires("staff")
def forget_speaker(speaker_id: int) -> ResponseReturnValue:
    """Forget what was brought in of a speaker."""
    return _forget("speaker", speaker_id)


@bp.post("/venues/<int:venue_id>/busy/deletion")
@requires("staff")
def forget_venue(venue_id: int) -> ResponseReturnValue:
    """Forget what was brought in of a venue."""
    return _forget("venue", venue_id)


def _save(kind: str, subject_id: int) -> ResponseReturnValue:
    file = request.files.get("calendar")
    if file is None:
        abort(400)
    content, name = file.stream.read(MOST_OCTETS + 1), file.filename or ""
    try:
        taken = busy.take_busy_times(
            kind, subject_id, content, source=name, now=now(), by=current_actor()
        )
    except Malformed as refusal:
        return _page(kind, subject_id, sentence_of(refusal)), 422
    flash(_("Đã ghi %(count)s lần bận.", count=len(taken.spans)), "good")
    if taken.skipped:
        flash(_("Có %(count)s mục trong tệp không đọc được.", count=taken.skipped), "warn")
    return redirect(_url("", kind, subject_id), 303)


def _forget(kind: str, subject_id: int) -> ResponseReturnValue:
    busy.forget_busy_times(kind, subject_id, now=now(), by=current_actor())
    flash(_("Đã xoá các lần bận."), "good")
    return redirect(_url("", kind, subject_id), 303)


def _url(verb: str, kind: str, subject_id: int) -> str:
    values: dict[str, Any] = {ARGUMENTS[kind]: subject_id}
    return url_for(f"busy.{verb}{kind}", **values)


def _page(kind: str, subject_id: int, error: str = "") -> str:
    name, count = busy.busy_count(kind, subject_id, now=now(), by=current_actor())
    return render_template(
        "busy/show.html",
        name=name,
        count=count,
        error=error,
        save_url=_url("save_", kind, subject_id),
        forget_url=_url("forget_", kind, subject_id),
    )
