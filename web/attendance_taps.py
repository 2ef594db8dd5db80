"""The quick way in for marks: a phone's taps are taken before whatever only a page needs is ready.

Sixty phones at one register ask for little else. `Taps` looks at who is at the door with the very
functions that the page's own view uses, and lets the same service write; it leaves out hooks that
serve forms and pages. Whatever is unusual about a request is answered by the view itself
(`web/attendance.py`), and so is every failure: the view then raises the error that came up here.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from io import BytesIO
from time import perf_counter
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.datastructures import Headers

from rules.permissions import Actor
from rules.text import clean
from services import attendance
from services.meeting_links import actor_of_link
from services.transaction import one_connection
from web.attendance import FAILED, TOKEN_LENGTH, device_of, json_door, verdicts_json
from web.entrance import OWN, trust_of_hosts
from web.fields import LARGEST_ID
from web.headers import protective_headers
from web.identity import act_as, now
from web.monitoring import note_answer

_ADDRESS = re.compile(r"/attendance/([0-9]{1,10})/marks", re.ASCII)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BEARER = "Bearer "


class Taps:
    """The application with its quick way in for marks before it, as WSGI."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self._app, self._inner = app, inner
        self._trusts = trust_of_hosts(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        meeting_id = self._asked(environ)
        if meeting_id is not None:
            began = perf_counter()
            body = self._taken(environ, meeting_id)
            if body is not None:
                headers = _headers(body)
                seconds = perf_counter() - began
                note_answer(self._app, "attendance.save_marks", "POST", 200, seconds)
                start_response("200 OK", headers.to_wsgi_list())
                return (body,)
        return self._inner(environ, start_response)

    def _asked(self, environ: WSGIEnvironment) -> int | None:
        """The meeting whose register is sent marks in the usual way; None for all else."""
        if environ["REQUEST_METHOD"] != "POST" or environ.get("QUERY_STRING"):
            return None
        found = _ADDRESS.fullmatch(environ.get("PATH_INFO", ""))
        if found is None or not 0 < int(found[1]) <= LARGEST_ID or not self._is_usual(environ):
            return None
        return int(found[1])

    def _is_usual(self, environ: WSGIEnvironment) -> bool:
        """JSON of a bounded length, for a host of ours, and not begun by another site."""
        length = environ.get("CONTENT_LENGTH") or ""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        return (
            environ.get("CONTENT_TYPE", "").startswith("application/json")
            and "HTTP_TRANSFER_ENCODING" not in environ
            and length.isascii()
            and length.isdecimal()
            and int(length) <= self._app.config["MAX_CONTENT_LENGTH"]
            and self._trusts(environ.get("HTTP_HOST", ""))
            and (site in OWN if site is not None else "HTTP_ORIGIN" not in environ)
        )

    def _taken(self, environ: WSGIEnvironment, meeting_id: int) -> bytes | None:
        """The answer to marks that were written down; None leaves the answer to the view."""
        try:
            with self._app.app_context(), one_connection():
                if environ.get("HTTP_AUTHORIZATION", "").startswith(_BEARER):
                    return self._of_bearer(environ, meeting_id)
                with self._app.request_context(environ):
                    actor = json_door(meeting_id)
                    return _written(environ, meeting_id, actor, device_of(actor), nullcontext)
        except Exception as error:  # noqa: BLE001  # the view raises it anew, for its handlers
            environ[FAILED] = error
            return None

    def _of_bearer(self, environ: WSGIEnvironment, meeting_id: int) -> bytes | None:
        """The same for a link that the request itself carries: no cookie is looked at."""
        device = clean(environ.get("HTTP_X_DEVICE", ""))
        token = environ["HTTP_AUTHORIZATION"].removeprefix(_BEARER).strip()
        actor = actor_of_link(token[:TOKEN_LENGTH], now=now()) if device else None
        if actor is None:
            return None
        act_as(actor)
        in_words = partial(self._app.request_context, environ)
        return _written(environ, meeting_id, actor, device, in_words)


def _written(
    environ: WSGIEnvironment,
    meeting_id: int,
    actor: Actor,
    device: str,
    in_words: Callable[[], AbstractContextManager[object]],
) -> bytes | None:
    """Write the marks down and answer; None for a body that is no JSON.

    `in_words` opens what a sentence needs to be in the reader's language: verdicts with a reason
    are rare.
    """
    data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = BytesIO(data)  # the view reads it again, if it comes to that
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    done = attendance.record_marks(meeting_id, body, now=now(), by=actor, device=device)
    is_plain = all(verdict.reason is None for _, verdict in done.verdicts)
    with nullcontext() if is_plain else in_words():
        marks = verdicts_json(done.verdicts)
    return _ENCODER.encode({"ok": True, "marks": marks, "register": done.register}).encode()


def _headers(body: bytes) -> Headers:
    return Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Cache-Control": "private, no-store",
            "Vary": "Cookie",
            **protective_headers(),
        }
    )
