"""Calendar feeds over HTTP, and the pages where their secret addresses are made and ended."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.refusals import NotFound
from services import feeds
from web.identity import current_actor, now, requires
from web.meetings import qr_picture

bp = Blueprint("feeds", __name__)


@bp.get("/feeds/<token>.ics")
def member_feed(token: str) -> Response:
    """A member's feed; unknown and revoked tokens look alike."""
    return _answer(token, "member")


@bp.get("/feeds/units/<token>.ics")
def unit_feed(token: str) -> Response:
    """A unit's feed."""
    return _answer(token, "unit")


def _answer(token: str, kind: str) -> Response:
    """200 with a whole calendar, 304 without touching an event, or 404; never HTML.

    When the database or the building fails, what was given last is given again.
    """
    try:
        state = feeds.feed_state(token, kind=kind, now=now())
        return _told(state.etag, state.modified_at, lambda: feeds.feed_content(state))
    except NotFound:
        return Response("Not found\n", 404, content_type="text/plain; charset=utf-8")
    except feeds.BROKEN as error:
        kept = feeds.last_good(token, kind=kind)
        if kept is None:
            raise
        current_app.logger.error("a feed failed; its last good answer is given", exc_info=error)
        return _told(kept.etag, kept.modified_at, lambda: kept.content)


def _told(state_tag: str, modified_at: datetime, content: Callable[[], bytes]) -> Response:
    packs = request.accept_encodings["gzip"] > 0 and "Outlook" not in request.user_agent.string
    etag = f"{state_tag}-gz" if packs else state_tag
    if _is_known(etag, modified_at):
        response = Response(status=304)
    else:
        body = content()
        response = Response(gzip.compress(body, 6, mtime=0) if packs else body)
        response.content_type = "text/calendar; charset=utf-8"
        response.headers["Content-Disposition"] = 'inline; filename="lich.ics"'
        if packs:
            response.headers["Content-Encoding"] = "gzip"
    response.set_etag(etag)
    response.last_modified = modified_at
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _is_known(etag: str, modified_at: datetime) -> bool:
    """Whether the client holds this already; If-None-Match outranks the date (RFC 9110 13.2.2)."""
    if "If-None-Match" in request.headers:
        known = request.if_none_match
        return known.contains_weak(etag) or known.star_tag
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
    except (TypeError, ValueError):
        return False
    return modified_at <= (since if since.tzinfo else since.replace(tzinfo=UTC))


@bp.get("/subscriptions/members/<code>")
@requires("staff")
def member_index(code: str) -> str:
    """A member's feed addresses: when made and last used, never the addresses themselves."""
    name, rows = feeds.member_feeds(code, now=now(), by=current_actor())
    return _page("member", code, name, rows)


@bp.get("/subscriptions/units/<code>")
@requires("staff")
def unit_index(code: str) -> str:
    """A unit's feed addresses."""
    name, rows = feeds.unit_feeds(code, now=now(), by=current_actor())
    return _page("unit", code, name, rows)


@bp.post("/subscriptions/members/<code>")
@requires("staff")
def create_member(code: str) -> ResponseReturnValue:
    """Make a member's address and show it this once."""
    rotate = "rotate" in request.form
    url = feeds.create_member_feed(code, now=now(), by=current_actor(), rotate=rotate)
    name, rows = feeds.member_feeds(code, now=now(), by=current_actor())
    return _page("member", code, name, rows, url=url), 201


@bp.post("/subscriptions/units/<code>")
@requires("staff")
def create_unit(code: str) -> ResponseReturnValue:
    """Make a unit's address and show it this once."""
    rotate = "rotate" in request.form
    url = feeds.create_unit_feed(code, now=now(), by=current_actor(), rotate=rotate)
    name, rows = feeds.unit_feeds(code, now=now(), by=current_actor())
    return _page("unit", code, name, rows, url=url), 201


@bp.post("/subscriptions/<int:feed_id>/revocation")
@requires("staff")
def revoke(feed_id: int) -> ResponseReturnValue:
    """End one address."""
    kind, code = feeds.revoke_feed(feed_id, now=now(), by=current_actor())
    flash(_("Đã thu hồi đường liên kết lịch."), "good")
    return redirect(url_for(f"feeds.{kind}_index", code=code), 303)


def _page(kind: str, code: str, name: str, rows: list[feeds.Subscription], *, url: str = "") -> str:
    webcal = f"webcal://{url.partition('://')[2]}" if url else ""
    return render_template(
        "feeds/index.html",
        kind=kind,
        code=code,
        name=name,
        rows=rows,
        url=url,
        webcal=webcal,
        qr=qr_picture(webcal) if url else "",
    )
