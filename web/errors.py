"""Turns refusals and faults into one page or one JSON shape: a sentence that says what to do."""

import secrets

from flask import Flask, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from rules.refusals import N_, Refusal
from services.transaction import DATABASE_DOWN, is_disk_full

SENTENCES = {
    400: N_("Yêu cầu không hợp lệ. Hãy tải lại trang rồi thử lại."),
    401: N_("Bạn chưa đăng nhập hoặc đường liên kết đã hết hạn. Hãy đăng nhập lại."),
    403: N_("Bạn không có quyền mở trang này. Hãy hỏi quản trị viên."),
    404: N_("Không tìm thấy trang này. Có thể đường liên kết đã cũ."),
    405: N_("Trang này không nhận thao tác đó. Hãy quay lại và thử lại."),
    413: N_("Tệp hoặc nội dung gửi lên quá lớn. Hãy chia nhỏ rồi gửi lại."),
    422: N_("Nội dung gửi lên chưa đúng. Hãy xem các chỗ được đánh dấu."),
    429: N_("Bạn đã thử quá nhiều lần. Hãy đợi vài phút rồi thử lại."),
    500: N_("Có lỗi của chương trình. Hãy báo quản trị viên mã số %(reference)s."),
    503: N_("Hệ thống đang bận. Hãy thử lại sau ít giây."),
    507: N_("Máy chủ hết chỗ nên chưa ghi được gì của lần này. Hãy báo quản trị viên rồi gửi lại."),
}
RETRY_AFTER_SECONDS = 10


def wants_json() -> bool:
    """Whether the caller is a script: a JSON body, a bearer token, or an Accept that prefers JSON."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return (
        request.is_json
        or request.headers.get("Authorization", "").startswith("Bearer ")
        or (best == "application/json" and "text/html" not in request.accept_mimetypes.values())
    )


def sentence_of(refusal: Refusal) -> str:
    """A refusal's sentence in the reader's language."""
    return str(gettext(refusal.sentence, **refusal.params))


def answer(status: int, sentence: str, reason: str) -> ResponseReturnValue:
    """The one shape of an error, as JSON or as a page."""
    if wants_json():
        return jsonify(ok=False, reason=reason, message=sentence), status
    return render_template("errors/error.html", status=status, sentence=sentence), status


def init_app(app: Flask) -> None:
    """Handle refusals, HTTP errors and bugs alike on every route."""

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> ResponseReturnValue:
        return answer(error.status, sentence_of(error), error.reason)

    @app.errorhandler(CSRFError)
    def forged(_error: CSRFError) -> ResponseReturnValue:
        sentence = gettext("Trang đã mở quá lâu. Hãy tải lại trang rồi gửi lại.")
        return answer(400, sentence, "csrf")

    @app.errorhandler(SecurityError)
    def foreign_host(_error: SecurityError) -> ResponseReturnValue:
        # Without a host of ours no address can be built, so there is no page, only words.
        return gettext(SENTENCES[400]), 400, {"Content-Type": "text/plain; charset=utf-8"}

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None or error.code < 400:
            return error
        sentence = SENTENCES.get(error.code, SENTENCES[400])
        return answer(error.code, gettext(sentence), f"http_{error.code}")

    @app.errorhandler(DATABASE_DOWN)
    def down(error: Exception) -> ResponseReturnValue:
        # Nothing was committed: whoever sent keeps what they sent and tries again.
        current_app.logger.error("database on %s", request.endpoint, exc_info=error)
        status = 507 if is_disk_full(error) else 503
        made = current_app.make_response(
            answer(status, gettext(SENTENCES[status]), f"http_{status}")
        )
        made.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return made

    @app.errorhandler(Exception)
    def bug(error: Exception) -> ResponseReturnValue:
        reference = secrets.token_hex(4)
        current_app.logger.error("bug %s on %s", reference, request.endpoint, exc_info=error)
        return answer(500, gettext(SENTENCES[500], reference=reference), "bug")
