"""The register's door: the phone's page, the marks it sends, and the links that open it."""

import json
import secrets
import uuid
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup
from werkzeug.exceptions import Gone, NotFound, Unauthorized

from rules.attendance import NOT_MARKED, Status, Verdict
from rules.permissions import Actor
from rules.refusals import N_, Malformed, Refusal
from rules.text import clean
from services import attendance, attendance_shown, attendance_states
from services.attendance_ledger import new_mark
from services.attendance_previous import previous_statuses
from services.attendance_tally import group_tallies, record_tallies
from services.meeting_links import actor_of_link
from web import offline
from web.errors import sentence_of
from web.identity import act_as, current_actor, login_manager, now, requires

bp = Blueprint("attendance", __name__, url_prefix="/attendance")

LINKS = "meeting_links"
MOST_LINKS = 6
TOKEN_LENGTH = 200
FAILED = "tuyenhuan.failed"
TAKERS = ("staff", "instructor")
CHOICES = (NOT_MARKED, *(one.value for one in Status if one != Status.NONE))
LINK_OVER = N_(
    "Đường điểm danh này không dùng được nữa: đã hết hạn, bị thu hồi hoặc chép thiếu. "
    "Hãy xin đường mới ở người phụ trách buổi."
)


@bp.get("/")
@requires(*TAKERS)
def index() -> str:
    """The registers to take: today's first."""
    meetings = attendance_states.todays_meetings(now=now(), by=current_actor())
    return render_template(
        "attendance/index.html", meetings=meetings, now=now(), worker_url=offline.worker_url()
    )


@bp.get("/link/<token>")
def link(token: str) -> ResponseReturnValue:
    """A page with one button: mail scanners that open links change nothing."""
    actor = actor_of_link(token[:TOKEN_LENGTH], now=now())
    if actor is None:
        return _link_over()
    return render_template("attendance/link.html", token=token, name=actor.name)


@bp.post("/link/<token>")
def open_link(token: str) -> ResponseReturnValue:
    """Keep the link in this browser and go to its register."""
    actor = actor_of_link(token[:TOKEN_LENGTH], now=now())
    if actor is None or actor.meeting_id is None:
        return _link_over()
    links = {one: kept for one, kept in _links().items() if one != str(actor.meeting_id)}
    newest = dict(list(links.items())[-(MOST_LINKS - 1) :])
    session[LINKS] = newest | {str(actor.meeting_id): token}
    session.permanent = True
    return redirect(url_for("attendance.show", meeting_id=actor.meeting_id), 303)


@bp.get("/<int:meeting_id>")
def show(meeting_id: int) -> ResponseReturnValue:
    """The register on a phone."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    session.setdefault("device", secrets.token_hex(8))
    previous = previous_statuses(meeting_id, now=now(), by=current_actor())
    tallies = group_tallies(meeting_id, now=now(), by=current_actor())
    found = attendance_shown.shown_register(meeting_id, now=now(), by=current_actor())
    return render_template(
        "attendance/show.html",
        previous=previous,
        tallies=tallies,
        names=found.number,
        register_json=_in_script(found.as_text()),
        **_page(meeting_id, found.head),
    )


@bp.get("/<int:meeting_id>/register")
def register(meeting_id: int) -> ResponseReturnValue:
    """The register as JSON; with `?version=` only when it has changed since."""
    text = register_text(meeting_id, request.args.get("version", type=int), door_of(meeting_id))
    return Response(text, content_type="application/json")


def register_text(meeting_id: int, version: int | None, by: Actor) -> str:
    """A register as JSON, or that it is still of that version.

    Most are answered by `web/attendance_taps.py`.
    """
    found: attendance_shown.Shown | None
    if version is None:
        found = attendance_shown.shown_register(meeting_id, now=now(), by=by)
    else:
        found = attendance_shown.register_if_newer(meeting_id, version, now=now(), by=by)
    if found is None:
        return json.dumps(
            {"ok": True, "meeting": meeting_id, "version": version, "unchanged": True}
        )
    return '{"ok":true,' + found.as_text()[1:]


@bp.post("/<int:meeting_id>/marks")
def save_marks(meeting_id: int) -> ResponseReturnValue:
    """Write marks down; each gets its own verdict.

    Most never come here: `web/attendance_taps.py` takes them, and leaves what failed to be told.
    """
    if (failed := request.environ.get(FAILED)) is not None:
        raise failed
    actor = json_door(meeting_id)
    done = attendance.record_marks(
        meeting_id, _body(), now=now(), by=actor, device=device_of(actor)
    )
    return jsonify(ok=True, marks=verdicts_json(done.verdicts), register=done.register)


@bp.post("/<int:meeting_id>/heads")
def save_heads(meeting_id: int) -> ResponseReturnValue:
    """Write down counts of heads; each gets its own verdict."""
    actor = json_door(meeting_id)
    verdicts, found = attendance_states.record_heads(meeting_id, _body(), now=now(), by=actor)
    return jsonify(ok=True, counts=verdicts_json(verdicts), register=found)


@bp.post("/<int:meeting_id>/tallies")
def save_tallies(meeting_id: int) -> ResponseReturnValue:
    """Write down how many households the groups' heads declare; each gets its own verdict."""
    actor = json_door(meeting_id)
    verdicts = record_tallies(meeting_id, _body(), now=now(), by=actor)
    return jsonify(ok=True, tallies=verdicts_json(verdicts))


@bp.get("/<int:meeting_id>/people")
def people(meeting_id: int) -> ResponseReturnValue:
    """Members by name who are not on the list yet."""
    found = attendance_states.known_people(
        meeting_id, request.args.get("q", ""), now=now(), by=door_of(meeting_id)
    )
    return jsonify(
        ok=True,
        people=[
            {
                "id": one.id,
                "name": one.name,
                "unit": one.unit,
                "birth_year": one.birth_year,
                "on_roll": one.on_roll,
            }
            for one in found
        ],
    )


@bp.post("/<int:meeting_id>/guests")
def add_guest(meeting_id: int) -> ResponseReturnValue:
    """Put a known member on this meeting's list."""
    actor = json_door(meeting_id)
    body = _body()
    person = body.get("person") if isinstance(body, dict) else None
    if not isinstance(person, int) or isinstance(person, bool) or not 0 < person < 2**31:
        raise Malformed(N_("Hãy chọn một người trong danh sách tìm được."))
    subject = attendance_states.add_guest(meeting_id, person, now=now(), by=actor)
    found = attendance_shown.register(meeting_id, now=now(), by=actor)
    return jsonify(ok=True, subject=subject, register=found)


CSRF_EXEMPT = (save_marks, save_heads, save_tallies, add_guest)


@bp.get("/<int:meeting_id>/form")
def edit(meeting_id: int) -> ResponseReturnValue:
    """The register as a plain form, for browsers without script."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    return render_template("attendance/form.html", choices=CHOICES, **_page(meeting_id))


@bp.post("/<int:meeting_id>/form")
def save(meeting_id: int) -> ResponseReturnValue:
    """Write down what the plain form says differently from the register it was made from."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    found = attendance_shown.register(meeting_id, now=now(), by=current_actor())
    if request.form.get("version", type=int) != found["version"]:
        flash(_("Sổ vừa có người khác ghi thêm. Hãy xem lại rồi lưu lần nữa."), "warn")
        return redirect(url_for("attendance.edit", meeting_id=meeting_id), 303)
    marks = _marks_of_form(found)
    body = {"marks": marks, "register": "counts"}
    done = attendance.record_marks(
        meeting_id, body, now=now(), by=current_actor(), device=device_of(current_actor())
    )
    refused = [verdict.reason for _id, verdict in done.verdicts if verdict.kind == "refused"]
    if refused and refused[0]:
        flash(sentence_of(refused[0]), "bad")
    else:
        flash(_("Đã lưu %(number)s thay đổi.", number=len(marks)), "good")
    return redirect(url_for("attendance.edit", meeting_id=meeting_id), 303)


@bp.get("/<int:meeting_id>/submission")
def confirm(meeting_id: int) -> ResponseReturnValue:
    """Who is not marked yet, before the register is handed in."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    return render_template("attendance/submission.html", **_page(meeting_id))


@bp.post("/<int:meeting_id>/submission")
def submit(meeting_id: int) -> ResponseReturnValue:
    """Hand the register in."""
    return _step(meeting_id, attendance_states.submit_register, _("Đã nộp sổ. Cảm ơn bạn."))


@bp.post("/<int:meeting_id>/reopening")
def reopen(meeting_id: int) -> ResponseReturnValue:
    """Take a register back that was handed in."""
    step = partial(attendance_states.reopen_register, reason=request.form.get("reason", ""))
    return _step(meeting_id, step, _("Sổ đã mở lại để điểm danh."))


@bp.post("/<int:meeting_id>/locking")
def lock(meeting_id: int) -> ResponseReturnValue:
    """Lock a register that was handed in."""
    return _step(meeting_id, attendance_states.lock_register, _("Đã khoá sổ."))


@bp.post("/<int:meeting_id>/unlock-requests")
def request_unlock(meeting_id: int) -> ResponseReturnValue:
    """Ask the board to open a locked register."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    reason = request.form.get("reason", "")
    try:
        attendance_states.request_unlock(meeting_id, reason, now=now(), by=current_actor())
        flash(_("Đã gửi yêu cầu mở sổ. Ban sẽ trả lời."), "good")
    except Refusal as refusal:
        flash(sentence_of(refusal), "bad")
    return redirect(url_for("attendance.history", meeting_id=meeting_id), 303)


@bp.post("/unlock-requests/<int:request_id>")
@requires("staff")
def answer_unlock(request_id: int) -> ResponseReturnValue:
    """Grant or refuse a request to open a register."""
    granted = request.form.get("answer") == "granted"
    meeting_id = attendance_states.answer_unlock(
        request_id, granted=granted, now=now(), by=current_actor()
    )
    flash(_("Đã mở sổ.") if granted else _("Đã từ chối mở sổ."), "good")
    return redirect(url_for("attendance.history", meeting_id=meeting_id), 303)


@bp.get("/<int:meeting_id>/history")
def history(meeting_id: int) -> ResponseReturnValue:
    """What happened to the register: each mark's old and new value, who and when."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    by = current_actor()
    return render_template(
        "attendance/history.html",
        events=attendance_states.history(meeting_id, now=now(), by=by),
        requests=attendance_states.unlock_requests(meeting_id, now=now(), by=by),
        **_page(meeting_id),
    )


def _in_script(json_text: str) -> Markup:
    """JSON as it may stand in a page's data block, like the filter `tojson` writes it."""
    for sign in "<>&'":
        json_text = json_text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(json_text)


def _page(meeting_id: int, register: dict[str, Any] | None = None) -> dict[str, Any]:
    """What every page of a register shows; `register` when what heads it is known already."""
    by = current_actor()
    if register is None:
        register = attendance_shown.register(meeting_id, now=now(), by=by)
    return {
        "register": register,
        "place": attendance_states.meeting_place(meeting_id, now=now(), by=by),
        "rights": attendance_states.rights(meeting_id, now=now(), by=by),
        "by_link": by.meeting_id is not None,
        "app_version": offline.app_version(),
        "worker_url": offline.worker_url(),
    }


def _step(meeting_id: int, step: Any, sentence: str) -> ResponseReturnValue:
    if (stop := page_door(meeting_id)) is not None:
        return stop
    try:
        step(meeting_id, now=now(), by=current_actor())
        flash(sentence, "good")
    except Refusal as refusal:
        if refusal.status != 409:
            raise
        flash(sentence_of(refusal), "bad")
    return redirect(url_for("attendance.show", meeting_id=meeting_id), 303)


def _links() -> dict[str, str]:
    kept = session.get(LINKS)
    return kept if isinstance(kept, dict) else {}


def door_of(meeting_id: int) -> Actor:
    """Who is at this register's door: a bearer's link, the account, or a link opened before.

    An account that reaches the meeting comes before a link kept in the same browser.
    """
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return _link_actor(header.removeprefix("Bearer ").strip(), meeting_id)
    token = _links().get(str(meeting_id))
    account = current_actor()
    signed_in = bool(current_user.is_authenticated)
    if signed_in and (
        token is None or attendance_states.reaches(meeting_id, now=now(), by=account)
    ):
        return account
    if token is None:
        raise Unauthorized
    return _link_actor(token, meeting_id)


def _link_actor(token: str, meeting_id: int) -> Actor:
    actor = actor_of_link(token[:TOKEN_LENGTH], now=now())
    if actor is None:
        raise Unauthorized
    act_as(actor)
    return actor


def page_door(meeting_id: int) -> ResponseReturnValue | None:
    """Let the request act for whoever may open the page; else where to go instead."""
    try:
        door_of(meeting_id)
    except Unauthorized:
        if str(meeting_id) in _links():
            return _link_over()
        answer: ResponseReturnValue = login_manager.unauthorized()
        return answer
    return None


def json_door(meeting_id: int) -> Actor:
    """The same for writing: what a cookie signs must also carry the page's own token."""
    actor = door_of(meeting_id)
    by_bearer = request.headers.get("Authorization", "").startswith("Bearer ")
    if not by_bearer and current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    return actor


def _body() -> Any:
    try:
        return request.get_json(force=True, silent=True)
    except RecursionError:
        return None


def device_of(actor: Actor) -> str:
    """Which device is writing, so that two phones that disagree can be told apart."""
    named = clean(request.headers.get("X-Device", ""))
    holder = f"link-{actor.link_id}" if actor.link_id else f"account-{actor.account_id}"
    return named or str(session.get("device", "")) or holder


def verdicts_json(verdicts: list[tuple[str | None, Verdict]]) -> list[dict[str, Any]]:
    """What became of each mark, with its reason in the reader's language."""
    answer = []
    for mark_id, verdict in verdicts:
        line: dict[str, Any] = {"id": mark_id, "verdict": verdict.kind}
        if verdict.reason is not None:
            line["reason"] = sentence_of(verdict.reason)
        answer.append(line)
    return answer


def _marks_of_form(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The marks by which the register becomes what the plain form says."""
    at = now().replace(microsecond=0)
    marks: list[dict[str, Any]] = []
    for one in found["subjects"]:
        wanted = request.form.get(one["subject"], one["status"])
        if wanted != one["status"] and wanted in CHOICES:
            status = Status.NONE.value if wanted == NOT_MARKED else wanted
            marks.append(new_mark(one["subject"], status, at) | {"annuls": one.get("mark")})
    name = request.form.get("guest", "").strip()
    if name:
        guest = new_mark(f"w:{uuid.uuid4()}", Status.PRESENT, at)
        marks.append(guest | {"name": name, "unit": request.form.get("guest_unit", "")})
    return marks


def _link_over() -> ResponseReturnValue:
    status = Gone.code if request.endpoint != "attendance.link" else NotFound.code
    return render_template("errors/error.html", status=status, sentence=_(LINK_OVER)), status
