"""What is told to people: the outbox, the call lists and the local mailbox."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from services import calls as call_lists
from services import delivery, outbox
from services import guests as guest_lists
from web.fields import id_or_none
from web.identity import current_actor, now, requires

bp = Blueprint("invitations", __name__)

PAGE_SIZE = 50
MOST_PAGES = 100_000
STATES = ("queued", "failed", "dead", "in_doubt", "sent", "dropped")


@bp.get("/invitations/")
@requires("staff")
def index() -> str:
    """The outbox: what waits, what failed and why, what was sent."""
    state = request.args.get("state", "")
    page = min(max(request.args.get("page", 1, type=int), 1), MOST_PAGES)
    rows, total = outbox.messages(
        by=current_actor(),
        now=now(),
        state=state if state in STATES else "",
        page=page,
        page_size=PAGE_SIZE,
    )
    return render_template(
        "invitations/index.html",
        rows=rows,
        total=total,
        page=page,
        pages=-(-total // PAGE_SIZE),
        state=state,
        states=STATES,
        counts=outbox.counts(now=now()),
        trouble=outbox.trouble(),
        is_local=delivery.is_local(),
    )


@bp.get("/invitations/sendings")
@requires("staff")
def sendings() -> str:
    """How far the mail about each meeting is; the page may be closed at any time."""
    return render_template(
        "invitations/sendings.html",
        sendings=outbox.sendings(by=current_actor(), now=now()),
        trouble=outbox.trouble(),
    )


@bp.get("/invitations/<int:message_id>")
@requires("staff")
def show(message_id: int) -> str:
    """One message: its fate, its text, and its source."""
    shown = outbox.message(message_id, by=current_actor(), now=now())
    return render_template("invitations/show.html", shown=shown)


@bp.post("/invitations/<int:message_id>/sendings")
@requires("staff")
def resend(message_id: int) -> ResponseReturnValue:
    """Put a failed message back in line."""
    outbox.retry(message_id, now=now(), by=current_actor())
    flash(_("Đã xếp thư vào hàng gửi lại."), "good")
    return redirect(url_for("invitations.show", message_id=message_id), 303)


@bp.post("/invitations/<int:message_id>/stop")
@requires("staff")
def stop(message_id: int) -> ResponseReturnValue:
    """Give a message up that has not left."""
    outbox.stop(message_id, now=now(), by=current_actor())
    flash(_("Đã dừng gửi thư này."), "good")
    return redirect(url_for("invitations.show", message_id=message_id), 303)


@bp.get("/invitations/calls")
@requires("staff", "instructor")
def calls() -> str:
    """Whom to call, unit by unit, with the text for the unit's Zalo group."""
    unit_id = id_or_none(request.args.get("unit"))
    done = request.args.get("done") == "1"
    lists, total = call_lists.call_lists(by=current_actor(), now=now(), unit_id=unit_id, done=done)
    return render_template(
        "invitations/calls.html",
        lists=lists,
        total=total,
        limit=call_lists.LISTED,
        done=done,
        units=call_lists.units_with_calls(by=current_actor(), now=now()),
    )


@bp.get("/invitations/meetings/<int:meeting_id>")
@requires("staff", "instructor", "reader")
def guests(meeting_id: int) -> str:
    """A meeting's guests: who has been told, and what they answered."""
    page = min(max(request.args.get("page", 1, type=int), 1), MOST_PAGES)
    found = guest_lists.guest_list(meeting_id, now=now(), by=current_actor(), page=page)
    pages = -(-found.total // guest_lists.PAGE_SIZE)
    return render_template("invitations/guests.html", guests=found, page=page, pages=pages)


@bp.post("/invitations/calls/<int:call_id>/tick")
@requires("staff", "instructor")
def tick(call_id: int) -> ResponseReturnValue:
    """Note that somebody was told, or take it back."""
    told = request.form.get("told") != "0"
    call_lists.tick_off(call_id, done=told, now=now(), by=current_actor())
    unit = request.form.get("unit") or None
    return redirect(url_for("invitations.calls", unit=unit, done=None if told else "1"), 303)


@bp.get("/mailbox/")
@requires("staff")
def mailbox() -> str:
    """Mail kept here because no mail server is set."""
    return render_template(
        "invitations/mailbox.html", mails=delivery.kept_mails(by=current_actor(), now=now())
    )


@bp.get("/mailbox/<key>")
@requires("staff")
def mail(key: str) -> str:
    """One kept mail: its text and what its calendar object says."""
    return render_template(
        "invitations/mail.html", mail=delivery.kept_mail(key, by=current_actor(), now=now())
    )
