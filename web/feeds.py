"""Calendar feeds over HTTP, and the pages where their secret addresses are made and ended."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, SelectField

from rules.calendar import PLAIN_AGENTS
from rules.refusals import N_, NotFound
from services import feeds
from services.feeds import KeptFeed
from web.feed_polls import holds, sends_packed, tag_of, validators
from web.fields import choices, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.meetings import qr_picture

bp = Blueprint("feeds", __name__)

PLAIN = "text/plain; charset=utf-8"
# A feed's lines are so alike that more effort saves a few hundred octets of 90 kB for four times the
# time.
PACKING = 3
ARGUMENTS = {"member": "code", "unit": "code", "speaker": "speaker_id", "venue": "venue_id"}
ALARM_NAMES = {
    "": said(N_("Không nhắc")),
    "30": said(N_("Trước 30 phút")),
    "120": said(N_("Trước 2 giờ")),
    "1440": said(N_("Trước 1 ngày")),
}


class SubscriptionForm(Form):
    """What the holder of a feed's address wants in it."""

    alarm = SelectField(said(N_("Máy nhắc trước giờ họp")), choices=choices(ALARM_NAMES.items()))
    is_neutral = BooleanField(said(N_("Chỉ ghi “Học tập”, không ghi nội dung buổi")))


class Sessions(SecureCookieSessionInterface):
    """Browsers' sessions, but none for feeds: they are the same whoever asks, so that nothing
    about them varies by cookie."""

    _made: Any = None
    _made_for: str | None = None

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """No cookie is read for a feed, nor the key made ready that would prove it."""
        if request.path.startswith("/feeds/"):
            return self.session_class()
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> Any:
        """The key that proves a cookie, made ready once for a secret instead of twice a request."""
        secret = app.config["SECRET_KEY"]
        if self._made_for != secret:
            self._made, self._made_for = super().get_signing_serializer(app), secret
        return self._made

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if request.path.startswith("/feeds/"):
            return
        super().save_session(app, session, response)


@bp.get("/feeds/<token>.ics")
def member_feed(token: str) -> Response:
    """A member's feed; unknown and revoked tokens look alike."""
    return _answer(token, "member")


@bp.get("/feeds/units/<token>.ics")
def unit_feed(token: str) -> Response:
    """A unit's feed."""
    return _answer(token, "unit")


@bp.get("/feeds/speakers/<token>.ics")
def speaker_feed(token: str) -> Response:
    """What a speaker speaks at."""
    return _answer(token, "speaker")


@bp.get("/feeds/venues/<token>.ics")
def venue_feed(token: str) -> Response:
    """What is held at a venue."""
    return _answer(token, "venue")


def _answer(token: str, kind: str) -> Response:
    """200 with a whole calendar, 304 without touching an event, or 404; never HTML.

    Whatever fails, the database or the building, what was given last is given again; so it is to
    who asks all the time.
    """
    if hurried := feeds.hurried_feed(token, kind=kind, now=now()):
        return _again(hurried)
    try:
        state = feeds.feed_state(token, kind=kind, now=now())
        return _told(
            state.etag, state.modified_at, state.plain_agents, lambda: feeds.feed_content(state)
        )
    except NotFound:
        return Response("Not found\n", 404, content_type=PLAIN)
    except Exception:
        current_app.logger.exception("a feed failed; its last good answer is given if it had one")
        kept = feeds.last_good(token, kind=kind)
        if kept is None:
            return Response("Try again later\n", 503, {"Retry-After": "600"}, content_type=PLAIN)
        return _again(kept)


def _again(kept: KeptFeed) -> Response:
    return _told(kept.etag, kept.modified_at, PLAIN_AGENTS, lambda: kept.content)


def _told(
    state_tag: str, modified_at: datetime, plain_agents: str, content: Callable[[], bytes]
) -> Response:
    accepts = request.headers.get("Accept-Encoding", "")
    packed = sends_packed(request.user_agent.string, accepts, plain_agents)
    tag = tag_of(state_tag, packed=packed)
    if _is_known(tag, modified_at):
        response = Response(status=304)
    else:
        body = content()
        response = Response(gzip.compress(body, PACKING, mtime=0) if packed else body)
        response.content_type = "text/calendar; charset=utf-8"
        response.headers["Content-Disposition"] = 'inline; filename="lich.ics"'
        if packed:
            response.headers["Content-Encoding"] = "gzip"
    response.headers.update(validators(tag, modified_at))
    return response


def _is_known(tag: str, modified_at: datetime) -> bool:
    """Whether the client holds this already; If-None-Match outranks the date (RFC 9110 13.2.2)."""
    if "If-None-Match" in request.headers:
        return holds(request.headers["If-None-Match"], tag)
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
    except (TypeError, ValueError):
        return False
    return modified_at <= (since if since.tzinfo else since.replace(tzinfo=UTC))


@bp.get("/subscriptions/<token>")
def show(token: str) -> str:
    """A subscription's page for whoever holds its address: how to add it, what it shall carry."""
    return _own_page(token, SubscriptionForm(None))


@bp.post("/subscriptions/<token>")
def save(token: str) -> ResponseReturnValue:
    """Keep the alarm and the titles that the holder wants."""
    form = SubscriptionForm()
    if not form.validate():
        return _own_page(token, form), 422
    minutes = int(form.alarm.data) if form.alarm.data else None
    feeds.choose(token, alarm_minutes=minutes, is_neutral=form.is_neutral.data, now=now())
    flash(_("Đã ghi lựa chọn của đồng chí."), "good")
    return redirect(url_for("feeds.show", token=token), 303)


def _own_page(token: str, form: SubscriptionForm) -> str:
    own = feeds.own_feed(token)
    if not form.is_submitted():
        form.alarm.data = "" if own.alarm_minutes is None else str(own.alarm_minutes)
        form.is_neutral.data = own.is_neutral
    webcal = _webcal(own.url)
    return render_template(
        "feeds/show.html", own=own, token=token, form=form, webcal=webcal, qr=qr_picture(webcal)
    )


def _webcal(url: str) -> str:
    """Programs on phones subscribe to this form; `https:` makes an iPhone copy the events once."""
    return f"webcal://{url.partition('://')[2]}"


@bp.get("/subscriptions/members/<code>")
@requires("staff")
def member_index(code: str) -> str:
    """A member's feed addresses: when made and last used, never the addresses themselves."""
    return _page("member", code)


@bp.get("/subscriptions/units/<code>")
@requires("staff")
def unit_index(code: str) -> str:
    """A unit's feed addresses."""
    return _page("unit", code)


@bp.get("/subscriptions/speakers/<int:speaker_id>")
@requires("staff")
def speaker_index(speaker_id: int) -> str:
    """A speaker's feed addresses."""
    return _page("speaker", speaker_id)


@bp.get("/subscriptions/venues/<int:venue_id>")
@requires("staff")
def venue_index(venue_id: int) -> str:
    """A venue's feed addresses."""
    return _page("venue", venue_id)


@bp.post("/subscriptions/members/<code>")
@requires("staff")
def create_member(code: str) -> ResponseReturnValue:
    """Make a member's address and show it this once."""
    made = feeds.create_member_feed(code, now=now(), by=current_actor(), rotate=_rotates())
    return _page("member", code, url=made), 201


@bp.post("/subscriptions/units/<code>")
@requires("staff")
def create_unit(code: str) -> ResponseReturnValue:
    """Make a unit's address and show it this once."""
    made = feeds.create_unit_feed(code, now=now(), by=current_actor(), rotate=_rotates())
    return _page("unit", code, url=made), 201


@bp.post("/subscriptions/speakers/<int:speaker_id>")
@requires("staff")
def create_speaker(speaker_id: int) -> ResponseReturnValue:
    """Make a speaker's address and show it this once."""
    made = feeds.create_speaker_feed(speaker_id, now=now(), by=current_actor(), rotate=_rotates())
    return _page("speaker", speaker_id, url=made), 201


@bp.post("/subscriptions/venues/<int:venue_id>")
@requires("staff")
def create_venue(venue_id: int) -> ResponseReturnValue:
    """Make a venue's address and show it this once."""
    made = feeds.create_venue_feed(venue_id, now=now(), by=current_actor(), rotate=_rotates())
    return _page("venue", venue_id, url=made), 201


@bp.post("/subscriptions/<int:feed_id>/revocation")
@requires("staff")
def revoke(feed_id: int) -> ResponseReturnValue:
    """End one address."""
    kind, owner = feeds.revoke_feed(feed_id, now=now(), by=current_actor())
    flash(_("Đã thu hồi đường liên kết lịch."), "good")
    return redirect(_url("index", kind, owner), 303)


def _rotates() -> bool:
    return "rotate" in request.form


def _url(page: str, kind: str, owner: str | int) -> str:
    name = f"feeds.{page}_{kind}" if page == "create" else f"feeds.{kind}_{page}"
    values: dict[str, Any] = {ARGUMENTS[kind]: owner}
    return url_for(name, **values)


def _page(kind: str, owner: str | int, *, url: str = "") -> str:
    """The addresses of one owner; `url` is the one just made."""
    listing: Callable[..., tuple[str, list[feeds.Subscription]]] = getattr(feeds, f"{kind}_feeds")
    name, rows = listing(owner, now=now(), by=current_actor())
    webcal = _webcal(url) if url else ""
    return render_template(
        "feeds/index.html",
        kind=kind,
        action=_url("create", kind, owner),
        name=name,
        rows=rows,
        url=url,
        token=url.rpartition("/")[2].removesuffix(".ics"),
        webcal=webcal,
        qr=qr_picture(webcal) if url else "",
    )
