"""Wires everything together: settings, database, doors."""

import gc
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import flask_babel
from flask import Flask, g, request, session, url_for
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

import cli
import web.attendance_taps
import web.entrance
import web.errors
import web.feed_polls
import web.feeds
import web.filters
import web.identity
import web.monitoring
import web.navigation
import web.routes
from config import ROOT, Config
from gateways import logs
from gateways.imap import ImapSettings
from gateways.smtp import SmtpSettings
from models import db
from rules.backups import Keep
from services import backups, connections, office
from web.headers import data_headers, new_nonce, protective_headers

COLLECT_AFTER = 20_000
"""So many objects more than before, against Python's 700: some thirty registers' worth of names."""

csrf = CSRFProtect()
migrate = Migrate()
babel = flask_babel.Babel()


def create_app(overrides: Mapping[str, object] | None = None) -> Flask:
    """The application for the environment's settings; `overrides` are Flask's, for tests."""
    settings = Config.from_environment()
    app = Flask(__name__, instance_path=str(settings.instance))
    app.config.update(_flask_settings(settings))
    app.config.update(overrides or {})
    if not app.testing:
        logs.configure(settings.log_format)
    office.use(_office(settings))
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # names stay as short as they are
    app.session_interface = web.feeds.Sessions()
    # No view or hook of ours is a coroutine, so no request has to find that out of each again.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # Flask lets it be replaced
    web.entrance.init_app(app)
    _connect(app)
    app.jinja_env.globals["url_for"] = _addresses(app)
    _dress_templates(app)
    _speak(app)
    web.errors.init_app(app)
    web.identity.init_app(app)
    web.monitoring.init_app(app)
    web.routes.init_app(app, csrf)
    inner = web.feed_polls.Polls(app, web.attendance_taps.Taps(app, app.wsgi_app))
    app.wsgi_app = ProxyFix(inner, x_for=1, x_proto=1)  # type: ignore[method-assign]  # Flask documents it so
    cli.init_app(app)
    if not app.testing:
        _spare_the_collector()
    return app


def _spare_the_collector() -> None:
    """Take what lives as long as the process out of the garbage collector's sight.

    It would walk through all of it now and then, for tenths of a second while phones wait; and a
    register of 500 names would make it look again at every single request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _flask_settings(settings: Config) -> dict[str, object]:
    is_https = settings.public_url.startswith("https://")
    return {
        "SETTINGS": settings,
        "SECRET_KEY": settings.secret_key,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(settings.database_url),
        "MAX_CONTENT_LENGTH": 1_000_000,
        "MAX_FORM_PARTS": 2_000,
        "TRUSTED_HOSTS": settings.hosts,
        # The prefix makes browsers refuse the cookie from anywhere but this very host, encrypted.
        "SESSION_COOKIE_NAME": "__Host-tuyenhuan" if is_https else "tuyenhuan",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": is_https,
        "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
        "BABEL_DEFAULT_LOCALE": "vi",
        "BABEL_DEFAULT_TIMEZONE": settings.timezone.key,
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_CHECK_DEFAULT": True,
        # Our own Referrer-Policy withholds the Referer that this would ask for under https.
        "WTF_CSRF_SSL_STRICT": False,
    }


def _office(settings: Config) -> office.Office:
    """What the services know of the installation."""
    return office.Office(
        public_url=settings.public_url,
        mail_from=settings.mail_from,
        secret_key=settings.secret_key,
        audit_key_hex=settings.audit_key,
        audit_heads=settings.instance / "audit-heads.txt",
        mail_rate_per_minute=settings.mail_rate_per_minute,
        uploads=settings.instance / "uploads",
        feeds_folder=settings.instance / "feeds",
        smtp=_smtp(settings),
        imap=_imap(settings),
        mailbox_folder=settings.instance / "mailbox",
        instance=settings.instance,
        backups=office.Backups(
            folder=settings.backup_folder,
            public_key=settings.backup_public_key,
            keep=Keep(
                settings.backup_keep_hourly,
                settings.backup_keep_daily,
                settings.backup_keep_monthly,
            ),
        ),
    )


def _imap(settings: Config) -> ImapSettings | None:
    """The mailbox that answers arrive in, or None when nobody reads one."""
    if not settings.imap_host:
        return None
    return ImapSettings(
        host=settings.imap_host,
        port=settings.imap_port,
        user=settings.imap_user,
        password=settings.imap_password,
        folder=settings.imap_folder,
    )


def _smtp(settings: Config) -> SmtpSettings | None:
    """The mail server, or None when mail stays in the local mailbox."""
    if not settings.smtp_host:
        return None
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=settings.smtp_password,
        starttls=settings.smtp_starttls,
    )


def _engine_options(database_url: str) -> dict[str, object]:
    # What is in a statement is somebody's name: a failure's log line must not carry it.
    if database_url.startswith("sqlite"):
        return {"hide_parameters": True, "connect_args": {"timeout": 10}}
    return {
        "hide_parameters": True,
        "pool_size": 5,
        "max_overflow": 10,
        "connect_args": {
            **connections.TCP,
            "options": "-c lock_timeout=10000 -c statement_timeout=60000 -c timezone=UTC "
            + connections.SERVER,
        },
    }


def _connect(app: Flask) -> None:
    db.init_app(app)
    if not app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):
        with app.app_context():
            connections.give_up_on_silent(db.engine)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), render_as_batch=True)
    # Migrations may import nothing of ours, so they find what they need here.
    app.extensions["backup_before_upgrade"] = lambda revision: backups.backup_before_upgrade(
        revision, now=datetime.now(UTC)
    )
    csrf.init_app(app)
    babel.init_app(app, locale_selector=_language)


def _language() -> str:
    """The language chosen on this browser, else the account's, else Vietnamese."""
    chosen = session.get("language") if request else None
    return chosen if chosen in ("vi", "en") else web.identity.current_actor().language or "vi"


def _sentences(with_values: Any) -> Callable[..., Any]:
    """`_` as templates use it: a sentence without values is the same at every mention, and is made
    ready once for each language."""
    plain: dict[str, dict[str, Markup]] = {}

    @pass_context
    def said(context: Context, text: str, **values: Any) -> Any:
        if values or not context.eval_ctx.autoescape:
            return with_values(context, text, **values)
        spoken = g.get("spoken")
        if spoken is None:
            spoken = g.spoken = plain.setdefault(str(flask_babel.get_locale()), {})
        known = spoken.get(text)
        if known is None:
            known = spoken[text] = with_values(context, text)
        return known

    return said


def _speak(app: Flask) -> None:
    """Let templates ask once a page, not once a sentence, which catalogue it is in."""

    def translations() -> Any:
        if "translations" not in g:
            g.translations = flask_babel.get_translations()
        return g.translations

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of the i18n extension
        gettext=lambda text: translations().ugettext(text),
        ngettext=lambda one, many, n: translations().ungettext(one, many, n),
        newstyle=True,
        pgettext=lambda context, text: translations().upgettext(context, text),
        npgettext=lambda context, one, many, n: translations().unpgettext(context, one, many, n),
    )
    app.jinja_env.globals["_"] = _sentences(app.jinja_env.globals["_"])


def _addresses(app: Flask) -> Callable[..., str]:
    """`url_for` as templates use it: building the same path anew costs as much as a look-up."""

    @lru_cache(maxsize=4096)
    def path_of(_root: str, endpoint: str, values: tuple[tuple[str, int | str], ...]) -> str:
        return app.url_for(endpoint, **dict(values))  # type: ignore[arg-type]  # named values only

    def is_plain(name: str, value: object) -> bool:
        return type(value) in (int, str) and name[0] != "_"

    def path_for(endpoint: str, **values: Any) -> str:
        if request and endpoint[0] != "." and all(is_plain(*one) for one in values.items()):
            return path_of(request.script_root, endpoint, tuple(values.items()))
        return app.url_for(endpoint, **values)

    return path_for


def _dress_templates(app: Flask) -> None:
    """Gives templates what every page uses, and every answer its protective headers."""

    @cache
    def version(path: str) -> str:
        file = Path(app.static_folder or "static") / path
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else "0"

    @cache
    def address(path: str, _root: str) -> str:
        return url_for("static", filename=path, v=version(path))

    def static_url(path: str) -> str:
        return address(path, request.script_root if request else "")

    def csp_nonce() -> str:
        if "csp_nonce" not in g:
            g.csp_nonce = new_nonce()
        return str(g.csp_nonce)

    app.jinja_env.globals.update(
        static_url=static_url, csp_nonce=csp_nonce, current_actor=web.identity.current_actor
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    web.filters.init_app(app)
    web.navigation.init_app(app)

    @app.after_request
    def protect(response: Response) -> Response:
        if response.mimetype == "application/json":
            protection = dict(data_headers(request.scheme))
        else:
            protection = protective_headers(csp_nonce(), scheme=request.scheme)
        for name, value in protection.items():
            response.headers.setdefault(name, value)
        if request.endpoint == "static":
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
