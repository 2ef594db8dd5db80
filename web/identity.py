"""Who is at the door: the signed-in account, or the holder of one meeting's link."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, g, session
from flask_login import LoginManager, current_user, login_user, logout_user
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from rules.permissions import Actor
from rules.refusals import N_, NotAllowed
from services import accounts
from web.errors import wants_json

P = ParamSpec("P")
R = TypeVar("R")

ANONYMOUS = Actor(name="")
login_manager = LoginManager()


@dataclass
class SignedIn:
    """What Flask-Login keeps: the sign-in's token is the id, so ending the row ends the session."""

    token: str
    actor: Actor
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        return self.token


def now() -> datetime:
    """The door's clock; nothing below the doors reads one. Tests freeze it."""
    return datetime.now(UTC)


def current_actor() -> Actor:
    """Who is acting in this request; an actor without grants when nobody is signed in."""
    actor = g.get("actor")
    if isinstance(actor, Actor):
        return actor
    return current_user.actor if current_user.is_authenticated else ANONYMOUS


def act_as(actor: Actor) -> None:
    """Let this request act for the holder of a meeting's link."""
    g.actor = actor


def sign_in(account_id: int, device: str) -> None:
    """Start a new session for the account: a new token, nothing carried over."""
    token = accounts.open_sign_in(account_id, now=now(), device=device)
    actor = accounts.actor_of_sign_in(token, now=now())
    if actor is None:
        raise NotAllowed(N_("Tài khoản này đã bị khoá. Hãy hỏi quản trị viên."))
    if current_user.is_authenticated:
        accounts.end_sign_in(current_user.token, now=now())
    session.clear()
    login_user(SignedIn(token, actor))
    session.permanent = True


def renew() -> None:
    """Give this browser a new token after its password changed: the old one is worth nothing."""
    old = current_user.token
    account_id = current_actor().account_id
    if account_id is not None:
        token = accounts.open_sign_in(account_id, now=now(), device=accounts.device_of(old))
        session["_user_id"] = token
        accounts.end_sign_in(old, now=now())


def sign_out() -> None:
    """End this browser's sign-in on the server, then forget it here."""
    if current_user.is_authenticated:
        accounts.end_sign_in(current_user.token, now=now())
    logout_user()
    session.clear()


def requires(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """Let a view run only for somebody signed in with one of the roles (any role when none named)."""

    def wrap(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            if not current_user.is_authenticated:
                if wants_json():
                    raise Unauthorized()
                unauthorized: Response = login_manager.unauthorized()
                return unauthorized
            if roles and not current_actor().has_any(*roles):
                raise NotAllowed(N_("Bạn không có quyền mở trang này. Hãy hỏi quản trị viên."))
            return view(*args, **kwargs)

        guarded.required_roles = roles  # type: ignore[attr-defined]  # read by the access matrix test
        return guarded

    return wrap


def init_app(app: Flask) -> None:
    """Make Flask-Login read sign-ins from the database and send strangers to the sign-in page."""
    login_manager.init_app(app)
    login_manager.login_view = "accounts.sign_in_form"
    login_manager.login_message = None
    login_manager.session_protection = None

    @login_manager.user_loader
    def load(token: str) -> SignedIn | None:
        actor = accounts.actor_of_sign_in(token, now=now())
        return SignedIn(token, actor) if actor is not None else None
