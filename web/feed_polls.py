"""The answer to a poll: what a calendar program is told of a feed, and the quick "unchanged".

Nearly every question that calendar programs ask is "has anything changed?", of every subscriber
every hour. `Polls` answers it before sessions, languages, forms and sign-ins are made ready, which
a feed has no use for: one look-up of the address, no meeting touched. Whatever it is not sure of is
answered by the page itself (`web/feeds.py`), with the same headers.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.datastructures import Accept, Headers
from werkzeug.http import http_date, parse_accept_header, parse_etags, quote_etag

from rules.calendar import takes_packed
from services import feeds
from services.transaction import DATABASE_FAILURES
from web.entrance import trust_of_hosts
from web.headers import new_nonce, protective_headers
from web.identity import now
from web.monitoring import note_answer

KINDS = {
    "": "member",
    "units/": "unit",
    "speakers/": "speaker",
    "venues/": "venue",
}
_ADDRESS = re.compile(r"/feeds/(units/|speakers/|venues/|)([\w-]{1,200})\.ics", re.ASCII)


@lru_cache(maxsize=512)
def sends_packed(agent: str, accepts: str, plain_agents: str) -> bool:
    """Whether this program is sent gzip: it asks for it, and the board does not except it."""
    asked: Accept = parse_accept_header(accepts, Accept)
    return asked["gzip"] > 0 and takes_packed(agent, plain_agents)


def tag_of(state_tag: str, *, packed: bool) -> str:
    """Give the tag of one coding of a feed's bytes."""
    return f"{state_tag}-gz" if packed else state_tag


def holds(if_none_match: str, tag: str) -> bool:
    """Whether a client that sends this If-None-Match holds these bytes already (RFC 9110 13.1.2)."""
    if if_none_match == quote_etag(tag):
        return True
    known = parse_etags(if_none_match)
    return known.contains_weak(tag) or known.star_tag


def validators(tag: str, modified_at: datetime) -> dict[str, str]:
    """Give what every good answer of a feed says of its bytes, sent or held already."""
    return {
        "ETag": quote_etag(tag),
        "Last-Modified": http_date(modified_at),
        "Vary": "Accept-Encoding",
        "Cache-Control": "private, no-cache",
    }


class Polls:
    """The application with its quick answer before it, as WSGI."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self._app, self._inner = app, inner
        self._trusts = trust_of_hosts(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = self._asked(environ)
        if asked is not None:
            began = perf_counter()
            headers = self._unchanged(environ, *asked)
            if headers is not None:
                seconds, method = perf_counter() - began, environ["REQUEST_METHOD"]
                note_answer(self._app, f"feeds.{asked[0]}_feed", method, 304, seconds)
                start_response("304 NOT MODIFIED", headers.to_wsgi_list())
                return ()
        return self._inner(environ, start_response)

    def _asked(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Which kind of feed is asked whether it changed, and its token; None for all else."""
        path: str = environ.get("PATH_INFO", "")
        if not path.startswith("/feeds/") or "HTTP_IF_NONE_MATCH" not in environ:
            return None
        found = _ADDRESS.fullmatch(path)
        is_reading = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if found is None or not is_reading or not self._trusts(environ.get("HTTP_HOST", "")):
            return None
        return KINDS[found[1]], found[2]

    def _unchanged(self, environ: WSGIEnvironment, kind: str, token: str) -> Headers | None:
        moment = now()
        with self._app.app_context():
            try:
                state = feeds.polled_state(token, kind=kind, now=moment)
            except DATABASE_FAILURES:
                return None  # the page gives the last good answer, and says so in the log
        if state is None:
            return None
        agent = environ.get("HTTP_USER_AGENT", "")
        accepts = environ.get("HTTP_ACCEPT_ENCODING", "")
        tag = tag_of(state.etag, packed=sends_packed(agent, accepts, state.plain_agents))
        if not holds(environ["HTTP_IF_NONE_MATCH"], tag):
            return None
        feeds.note_ask(state, now=moment)
        headers = Headers(validators(tag, state.modified_at))
        headers.remove("Last-Modified")  # the tag says it better (RFC 9110 15.4.5)
        headers.update(protective_headers(new_nonce(), scheme=environ["wsgi.url_scheme"]))
        return headers
