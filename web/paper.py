"""The register on paper over HTTP: the sheet to print, and the page to type it in again."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.paper import CHOICES, Typed, meeting_of_code
from services import attendance_shown, attendance_states, paper
from web.attendance import device_of, page_door
from web.errors import sentence_of
from web.identity import current_actor, now
from web.meetings import qr_picture

bp = Blueprint("paper", __name__, url_prefix="/attendance")

GUEST_ROWS = 5
MOST_TOLD = 5


@bp.get("/paper")
def find() -> ResponseReturnValue:
    """Where the code from a sheet is typed; the page it leads to asks who is there."""
    code = request.args.get("code", "")[:40]
    meeting_id = meeting_of_code(code)
    if meeting_id is not None:
        return redirect(url_for("paper.edit", meeting_id=meeting_id))
    page = render_template("paper/find.html", code=code)
    return page, 422 if code else 200


@bp.get("/<int:meeting_id>/paper")
def show(meeting_id: int) -> ResponseReturnValue:
    """The sheet to print."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    address = url_for("paper.edit", meeting_id=meeting_id, _external=True)
    return render_template(
        "paper/show.html",
        sheet=paper.paper_sheet(meeting_id, now=now(), by=current_actor()),
        picture=qr_picture(address),
        find_address=url_for("paper.find", _external=True),
    )


@bp.get("/<int:meeting_id>/paper/entry")
def edit(meeting_id: int) -> ResponseReturnValue:
    """The register to fill in from paper, row by row."""
    return page_door(meeting_id) or _page(meeting_id)


@bp.post("/<int:meeting_id>/paper/entry")
def save(meeting_id: int) -> ResponseReturnValue:
    """Write down what was typed."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    by = current_actor()
    done = paper.enter_paper(
        meeting_id, _typed(), _guests(), now=now(), by=by, device=device_of(by)
    )
    for name, reason in done.refused[:MOST_TOLD]:
        flash(f"{name}: {sentence_of(reason)}", "bad")
    if done.refused:
        return _page(meeting_id), 409
    flash(_("Đã lưu %(number)s dòng từ bản giấy.", number=done.saved), "good")
    return redirect(url_for("paper.edit", meeting_id=meeting_id, saved=done.saved), 303)


def _page(meeting_id: int) -> str:
    by = current_actor()
    return render_template(
        "paper/edit.html",
        register=attendance_shown.register(meeting_id, now=now(), by=by),
        place=attendance_states.meeting_place(meeting_id, now=now(), by=by),
        choices=CHOICES,
        guest_rows=GUEST_ROWS,
        typed=request.form,
        saved=request.args.get("saved", type=int),
    )


def _typed() -> dict[str, Typed]:
    rows: dict[str, Any] = request.form.to_dict()
    return {
        name.removeprefix("was:"): Typed(was, rows.get(name.removeprefix("was:"), was))
        for name, was in rows.items()
        if name.startswith("was:")
    }


def _guests() -> list[tuple[str, str]]:
    names, units = request.form.getlist("guest"), request.form.getlist("guest_unit")
    units += [""] * (len(names) - len(units))
    return [(name, unit) for name, unit in zip(names, units, strict=False) if name.strip()]
