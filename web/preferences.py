"""What a reader chooses for this browser: the language and a light or dark ground."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, request, session
from flask_babel import get_locale
from werkzeug.wrappers import Response

bp = Blueprint("preferences", __name__)

LANGUAGES = ("vi", "en")
THEMES = ("light", "dark", "auto")
THEME_COOKIE = "theme"
YEAR_IN_SECONDS = 365 * 24 * 3600


@bp.post("/preferences")
def save() -> Response:
    """Remember the choice and go back to the page it was made on."""
    answer = redirect(_way_back(request.form.get("next", "")), 303)
    if request.form.get("language") in LANGUAGES:
        session["language"] = request.form["language"]
    if request.form.get("theme") in THEMES:
        answer.set_cookie(
            THEME_COOKIE,
            request.form["theme"],
            max_age=YEAR_IN_SECONDS,
            samesite="Lax",
            secure=request.is_secure,
            httponly=True,
        )
    return answer


def chosen_theme() -> str:
    """`light`, `dark`, or `auto`: as the machine is set."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def chosen_language() -> str:
    """The language of this answer."""
    locale = get_locale()
    return str(locale.language) if locale else "vi"


def _way_back(address: str) -> str:
    """Only a path of this site, so that the form cannot send people elsewhere."""
    parts = urlsplit(address.replace("\\", "/"))
    inside = not parts.scheme and not parts.netloc and address.startswith("/")
    return address if inside and not address.startswith("//") else "/"
