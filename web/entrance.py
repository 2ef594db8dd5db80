"""What is turned away before anything else looks at it: forms without end, writes of other sites."""

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, request
from flask_wtf.csrf import CSRFError
from werkzeug.sansio.utils import host_is_trusted

SAFE = ("GET", "HEAD", "OPTIONS")
OWN = ("same-origin", "none")


def trust_of_hosts(app: Flask) -> Callable[[str], bool]:
    """Whether a Host is one that the program answers to, for answers given before Flask's own look."""
    hosts = app.config["TRUSTED_HOSTS"]
    return lru_cache(maxsize=64)(lambda host: host_is_trusted(host, hosts))


MOST_FIELDS = 20_000
"""More than any page of ours can send: a register of 5.000 people with four fields each."""


def init_app(app: Flask) -> None:
    """Refuse forms without end, and writes that a browser says were begun by another site."""
    app.before_request(_refuse_endless)
    app.before_request(_refuse_foreign)


def _refuse_endless() -> None:
    """The library bounds the parts of an upload, but not the fields of a plain form."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if is_form and request.get_data(cache=True).count(b"&") >= MOST_FIELDS:
        abort(413)


def _refuse_foreign() -> None:
    """`Sec-Fetch-Site` where the browser sends it, else `Origin`; programs send neither.

    "same-site" is foreign too: a neighbour under the same domain may be anybody's.
    """
    if request.method in SAFE or not current_app.config.get("WTF_CSRF_ENABLED", True):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in OWN:
        raise CSRFError(f"begun by {site}")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and not _is_own(origin):
        raise CSRFError("begun by another site")


def _is_own(origin: str) -> bool:
    public = current_app.config["SETTINGS"].public_url
    here = urlsplit(origin).netloc
    return bool(here) and here in (request.host, urlsplit(public).netloc)
