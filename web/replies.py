"""Answers to invitations, given through the signed link of a letter, without any account."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from services import replies
from web.identity import now

bp = Blueprint("replies", __name__)


@bp.get("/replies/<signed>")
def show(signed: str) -> str:
    """The page behind a letter's buttons; it changes nothing, since mail scanners open links."""
    page = replies.reply_page(signed, now=now())
    chosen = request.args.get("answer", "")
    return render_template("replies/show.html", page=page, signed=signed, chosen=chosen)


@bp.post("/replies/<signed>")
def save(signed: str) -> ResponseReturnValue:
    """Keep an answer."""
    answer = request.form.get("answer", "")
    excused = request.form.get("excused") == "1"
    replies.record_reply(signed, answer, excused=excused, now=now())
    flash(_("Đã ghi câu trả lời của đồng chí."), "good")
    return redirect(url_for("replies.show", signed=signed), 303)
