"""What operators see: figures for their monitoring system, a log line an answer, and one page."""

import hmac
import logging
from ipaddress import ip_address
from time import perf_counter

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from services import clock, health, installation, monitoring, scheduled_backups, schema
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("monitoring", __name__)
log = logging.getLogger("web.requests")


class AdoptForm(Form):
    """Only the protection against forgery."""


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Figures in the Prometheus text format, for this machine itself or the bearer of the token."""
    if not (_asked_from_here() or _has_token()):
        abort(404)
    return Response(monitoring.metrics_text(now=now()), content_type=monitoring.CONTENT_TYPE)


def _asked_from_here() -> bool:
    """Whether the connection itself comes from this machine and no proxy passed it on."""
    if request.headers.get("X-Forwarded-For") or request.headers.get("Forwarded"):
        return False
    before_proxies = request.environ.get("werkzeug.proxy_fix.orig", {})
    address = before_proxies.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or ""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _has_token() -> bool:
    token = current_app.config["SETTINGS"].metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


@bp.get("/system")
@requires("admin")
def index() -> ResponseReturnValue:
    """How clock, mail, backups and this installation stand."""
    moment = now()
    return render_template(
        "monitoring/index.html",
        health=health.health(now=moment),
        clock_is_silent=health.clock_is_silent(now=moment),
        backups=scheduled_backups.standing(),
        backup_is_late=scheduled_backups.standing().is_late(moment),
        runs=scheduled_backups.runs(by=current_actor()),
        is_copy=installation.this_is_a_copy(),
        hold=clock.hold_in_force(),
        troubles=clock.troubles(now=moment),
        moment=moment,
        schema=schema.newest(),
        form=AdoptForm(None),
    )


@bp.post("/system/adoption")
@requires("admin")
def adopt() -> ResponseReturnValue:
    """Say that this copy is the installation from now on."""
    installation.adopt(now=now(), by=current_actor())
    flash(_("Nơi này là hệ thống chính: thư đang đợi sẽ được gửi."), "good")
    return redirect(url_for("monitoring.index"), 303)


@bp.post("/system/time-confirmations")
@requires("admin")
def confirm_time() -> ResponseReturnValue:
    """Say that the time shown is right although the clock has leapt: held work goes on."""
    clock.release(now=now(), by=current_actor())
    current_app.extensions.pop("banners", None)
    flash(_("Đã xác nhận giờ. Thư và việc hẹn giờ chạy tiếp trong vòng một phút."), "good")
    return redirect(url_for("monitoring.index"), 303)


def init_app(app: Flask) -> None:
    """Time every answer, and write one line of the log for it: the route's name, not its address."""

    @app.before_request
    def begin() -> None:
        g.began = perf_counter()

    @app.after_request
    def note(response: Response) -> Response:
        seconds = perf_counter() - g.get("began", perf_counter())
        note_answer(app, request.endpoint or "none", request.method, response.status_code, seconds)
        return response


def note_answer(app: Flask, endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count one answer, and log it where a program reads the log."""
    monitoring.note_request(endpoint, status, seconds)
    if status == 500:
        monitoring.note_bug()
    if app.config["SETTINGS"].log_format == "json" and endpoint != "static":
        facts: dict[str, object] = {"endpoint": endpoint, "method": method}
        log.info("answered", extra=facts | {"status": status, "ms": round(seconds * 1000)})
