"""Tells machines whether the program is well, and pages whether the clock is silent."""

from datetime import datetime, timedelta

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from flask_login import current_user

from services import clock, health, installation
from web.identity import now

bp = Blueprint("health", __name__)

ASKED_EVERY = timedelta(seconds=10)


def _rfc3339(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@bp.get("/healthz")
def show() -> ResponseReturnValue:
    """200 when the database answers, else 503; the times tell the rest."""
    found = health.health(now=now())
    answer = jsonify(
        ok=found.is_well,
        database="ok" if found.database_answers else "failed",
        scheduler={"last_tick_at": _rfc3339(found.last_tick_at)},
        outbox={"oldest_due_at": _rfc3339(found.oldest_due_at)},
    )
    return answer, 200 if found.is_well else 503


@bp.app_context_processor
def _banners() -> dict[str, bool]:
    """Which banners pages of signed-in people show; asked at most every ten seconds."""
    if not current_user or not current_user.is_authenticated:
        return dict.fromkeys(("clock_silent", "is_copy", "clock_held", "clock_troubled"), False)
    kept = current_app.extensions.get("banners")
    moment = now()
    if kept is None or not timedelta(0) <= moment - kept[0] < ASKED_EVERY:
        found = {
            "clock_silent": health.clock_is_silent(now=moment),
            "is_copy": installation.holds_mail(),
            "clock_held": clock.hold_in_force() is not None,
            "clock_troubled": bool(clock.troubles(now=moment)),
        }
        kept = current_app.extensions["banners"] = (moment, found)
    banners: dict[str, bool] = kept[1]
    return banners
