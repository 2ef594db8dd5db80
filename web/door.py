"""The meeting's door over HTTP: the screen with its code, the page a scan opens, the claims made."""

import secrets
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.door import MEMBER_SENTENCES, TAKER_SENTENCES, Outcome
from rules.refusals import N_, Malformed, Refusal
from services import attendance_states, door
from web.attendance import device_of, door_of, page_door
from web.errors import sentence_of, wants_json
from web.identity import current_actor, now
from web.meetings import qr_picture

bp = Blueprint("door", __name__)

MEMBER = "member"
CODE_LENGTH = 40
PASS_LENGTH = 120
GOOD = (Outcome.CONFIRMED, Outcome.ALREADY)
STATUS = {Outcome.NOT_ON_ROLL: 422}


@bp.get("/attendance/<int:meeting_id>/door")
def show(meeting_id: int) -> ResponseReturnValue:
    """The screen at the door, for a projector or a phone held up."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    by = current_actor()
    found = door.screen(meeting_id, now=now(), by=by)
    return render_template(
        "door/show.html",
        meeting_id=meeting_id,
        place=attendance_states.meeting_place(meeting_id, now=now(), by=by),
        screen=found,
        sentence=_sentence(MEMBER_SENTENCES, found.outcome, found.words),
        picture=_picture(meeting_id, found.code),
        address=url_for("door.enter", meeting_id=meeting_id, _external=True),
    )


@bp.get("/attendance/<int:meeting_id>/door/code")
def code(meeting_id: int) -> ResponseReturnValue:
    """The code of this moment and how many have used it, as JSON."""
    by = door_of(meeting_id)
    found = door.screen(meeting_id, now=now(), by=by)
    return jsonify(
        ok=True,
        code=found.code,
        picture=str(_picture(meeting_id, found.code)),
        seconds_left=found.seconds_left,
        waiting=found.waiting,
        confirmed=found.confirmed,
    )


@bp.get("/attendance/<int:meeting_id>/claims")
def claims(meeting_id: int) -> ResponseReturnValue:
    """The scans that wait for whoever takes the register."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    by = current_actor()
    return render_template(
        "door/claims.html",
        meeting_id=meeting_id,
        place=attendance_states.meeting_place(meeting_id, now=now(), by=by),
        claims=door.claims(meeting_id, now=now(), by=by),
    )


@bp.post("/attendance/<int:meeting_id>/claims")
def confirm(meeting_id: int) -> ResponseReturnValue:
    """Confirm one scan, or all that nobody contradicts."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    one = request.form.get("claim", type=int)
    if one is None and request.form.get("claim") != "all":
        raise Malformed(N_("Hãy chọn lượt quét cần xác nhận."))
    by = current_actor()
    done = door.confirm_claims(
        meeting_id,
        None if one is None else [one],
        status=request.form.get("status", "present"),
        now=now(),
        by=by,
        device=device_of(by),
    )
    if done.reason is not None:
        flash(sentence_of(done.reason), "bad")
    if done.confirmed:
        flash(_("Đã xác nhận %(number)s lượt quét.", number=done.confirmed), "good")
    return redirect(url_for("door.claims", meeting_id=meeting_id), 303)


@bp.post("/attendance/<int:meeting_id>/claims/<int:claim_id>/refusal")
def refuse(meeting_id: int, claim_id: int) -> ResponseReturnValue:
    """Put a scan aside whose owner is not here."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    door.refuse_claim(meeting_id, claim_id, now=now(), by=current_actor())
    flash(_("Đã bỏ lượt quét. Sổ điểm danh không thay đổi."), "good")
    return redirect(url_for("door.claims", meeting_id=meeting_id), 303)


@bp.get("/attendance/<int:meeting_id>/scan")
def scan_form(meeting_id: int) -> ResponseReturnValue:
    """Where members' own codes are scanned, or typed where the camera cannot read them."""
    if (stop := page_door(meeting_id)) is not None:
        return stop
    place = attendance_states.meeting_place(meeting_id, now=now(), by=current_actor())
    return render_template("door/scan.html", meeting_id=meeting_id, place=place)


@bp.post("/attendance/<int:meeting_id>/scan")
def scan(meeting_id: int) -> ResponseReturnValue:
    """Mark the owner of a scanned code as present."""
    by = door_of(meeting_id)
    text = _scanned_text()
    found = door.scan(meeting_id, text, now=now(), by=by, device=device_of(by))
    sentence = _sentence(TAKER_SENTENCES, found.outcome, found.words)
    if wants_json():
        return jsonify(ok=True, outcome=found.outcome.value, message=sentence)
    flash(sentence, "good" if found.outcome in GOOD else "warn")
    return redirect(url_for("door.scan_form", meeting_id=meeting_id), 303)


@bp.get("/door/<int:meeting_id>")
def enter(meeting_id: int) -> ResponseReturnValue:
    """What the code at the door opens: asks who is there; looking changes nothing."""
    typed = request.args.get("c", "")[:CODE_LENGTH]
    found = door.entry_pass(meeting_id, typed, now=now()) if typed else None
    return _entry(meeting_id, found, wrong_code=bool(typed) and found is None)


@bp.post("/door/<int:meeting_id>")
def claim(meeting_id: int) -> ResponseReturnValue:
    """Say that somebody is here."""
    given = request.form
    text = given.get("pass", "")[:PASS_LENGTH]
    person = session.get(MEMBER) if given.get("who") == "known" else None
    session.setdefault("device", secrets.token_hex(8))
    try:
        answer = door.claim(
            meeting_id,
            text,
            code=given.get("code", ""),
            given_name=given.get("given_name", ""),
            person_id=person,
            now=now(),
            device=str(session["device"]),
            address=request.remote_addr or "",
        )
    except Refusal as refusal:
        return _entry_refused(meeting_id, text, refusal)
    if given.get("remember") and answer.outcome in GOOD and answer.person_id is not None:
        session[MEMBER] = answer.person_id
        session.permanent = True
    sentence = _sentence(MEMBER_SENTENCES, answer.outcome, answer.words)
    shown = door.pass_again(meeting_id, text, now=now())
    return _entry(meeting_id, shown, outcome=answer.outcome, sentence=sentence)


@bp.post("/door/<int:meeting_id>/forgetting")
def forget(meeting_id: int) -> ResponseReturnValue:
    """Let this browser no longer know whose it is."""
    session.pop(MEMBER, None)
    text = request.form.get("pass", "")[:PASS_LENGTH]
    return _entry(meeting_id, door.pass_again(meeting_id, text, now=now()))


@bp.get("/card/<token>")
def card(token: str) -> str:
    """A member's own code as a picture, under their secret calendar address."""
    found = door.member_card(token)
    session[MEMBER] = found.person_id
    return render_template("door/card.html", card=found, picture=qr_picture(found.code))


def _entry(
    meeting_id: int,
    shown: door.Pass | None,
    *,
    wrong_code: bool = False,
    outcome: Outcome | None = None,
    sentence: str = "",
) -> tuple[str, int]:
    known = session.get(MEMBER)
    page = render_template(
        "door/enter.html",
        meeting_id=meeting_id,
        entry=shown,
        known=door.given_name_of(known) if shown and isinstance(known, int) else "",
        wrong_code=wrong_code,
        outcome=outcome.value if outcome else None,
        sentence=sentence,
        typed=request.form,
    )
    if outcome is None:
        return page, 404 if wrong_code else 200
    return page, 200 if outcome in GOOD else STATUS.get(outcome, 409)


def _entry_refused(meeting_id: int, text: str, refusal: Refusal) -> ResponseReturnValue:
    """The refusal shown at the form it met; without a pass that lasts, where to type the code."""
    try:
        shown = door.pass_again(meeting_id, text, now=now())
    except Refusal:
        return _entry(meeting_id, None, wrong_code=True)
    flash(sentence_of(refusal), "bad")
    page, _shown_as = _entry(meeting_id, shown)
    return page, refusal.status


def _scanned_text() -> str:
    if not request.is_json:
        return request.form.get("text", "")
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise Malformed(N_("Máy chưa đọc được mã. Hãy quét lại hoặc gõ mã đảng viên."))
    return text


def _sentence(sentences: dict[Outcome, str], outcome: Outcome, words: Any) -> str:
    return sentence_of(Refusal(sentences[outcome], **words))


def _picture(meeting_id: int, digits: str) -> str:
    if not digits:
        return ""
    return qr_picture(url_for("door.enter", meeting_id=meeting_id, c=digits, _external=True))
