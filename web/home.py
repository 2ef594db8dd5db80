"""The front door: sends each role to its first page."""

from flask import Blueprint, redirect, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from rules.permissions import Actor
from web.identity import current_actor
from web.navigation import has_endpoint

bp = Blueprint("home", __name__)


@bp.get("/")
def index() -> Response:
    """Board and readers see the figures, instructors today's meeting, strangers sign in."""
    if not current_user.is_authenticated:
        return redirect(url_for("accounts.sign_in_form"))
    return redirect(first_page(current_actor()))


def first_page(actor: Actor) -> str:
    """The address of the page where somebody's day begins."""
    wanted = "coverage.index" if actor.has_any("staff", "reader") else "attendance.index"
    return url_for(wanted if has_endpoint(wanted) else "accounts.mine")
