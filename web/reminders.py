"""Where the reader of a reminder stops the next ones, through the letter's signed link."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from services import reminders
from web.identity import now

bp = Blueprint("reminders", __name__)


@bp.get("/reminders/<signed>")
def show(signed: str) -> str:
    """Whether this person gets reminders, and the button that changes it."""
    wants = reminders.wants_reminders(signed)
    return render_template("reminders/show.html", signed=signed, wants=wants)


@bp.post("/reminders/<signed>")
def save(signed: str) -> ResponseReturnValue:
    """Keep the choice; the summons itself still comes."""
    reminders.opt_out(signed, wants=request.form.get("wants") == "1", now=now())
    flash(_("Đã ghi lựa chọn của đồng chí."), "good")
    return redirect(url_for("reminders.show", signed=signed), 303)
