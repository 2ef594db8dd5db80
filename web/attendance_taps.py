"""The quick way in for a phone's taps, and for the register it asks after: both are answered before
whatever only a page needs is ready.

Sixty phones at one register ask for little else. `Taps` looks at who is at the door with the very
functions that the page's own view uses, and lets the same service write or look; it leaves out hooks
that serve forms and pages. Whatever is unusual about a request is answered by the view itself
(`web/attendance.py`), and so is every failure: the view then raises the error that came up here.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from io import BytesIO
from time import perf_counter
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from rules.permissions import Actor
from rules.text import clean
from services import attendance
from services.meeting_links import actor_of_link
from services.transaction import one_connection, one_look
from web.attendance import (
    FAILED,
    TOKEN_LENGTH,
    device_of,
    door_of,
    json_door,
    register_text,
    verdicts_json,
)
from web.entrance import OWN, trust_of_hosts
from web.fields import LARGEST_ID
from web.headers import data_headers
from web.identity import act_as, now
from web.monitoring import note_answer

_ADDRESS = re.compile(r"/attendance/([0-9]{1,10})/(marks|register)", re.ASCII)
_VERSION = re.compile(r"(?:version=([0-9]{1,10}))?", re.ASCII)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BEARER = "Bearer "


class Taps:
    """The application with its quick way in before it, as WSGI."""

    def __init__(self, app: Flask, inner: WSGIApplication) -> None:
        self._app, self._inner = app, inner
        self._trusts = trust_of_hosts(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began, method = perf_counter(), environ["REQUEST_METHOD"]
        answer, endpoint = None, ""
        found = _ADDRESS.fullmatch(environ.get("PATH_INFO", ""))
        if found is not None and 0 < int(found[1]) <= LARGEST_ID:
            if (method, found[2]) == ("POST", "marks") and self._may_write(environ):
                endpoint = "attendance.save_marks"
                answer = self._taken(environ, int(found[1]))
            elif (method, found[2]) == ("GET", "register") and self._is_ours(environ):
                endpoint = "attendance.register"
                answer = self._shown(environ, int(found[1]))
        if answer is None:
            return self._inner(environ, start_response)
        note_answer(self._app, endpoint, method, 200, perf_counter() - began)
        start_response("200 OK", _headers(answer, environ["wsgi.url_scheme"]))
        return (answer,)

    def _is_ours(self, environ: WSGIEnvironment) -> bool:
        return self._trusts(environ.get("HTTP_HOST", ""))

    def _may_write(self, environ: WSGIEnvironment) -> bool:
        """JSON of a bounded length, for a host of ours, and not begun by another site."""
        length = environ.get("CONTENT_LENGTH") or ""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        return (
            not environ.get("QUERY_STRING")
            and environ.get("CONTENT_TYPE", "").startswith("application/json")
            and "HTTP_TRANSFER_ENCODING" not in environ
            and length.isascii()
            and length.isdecimal()
            and int(length) <= self._app.config["MAX_CONTENT_LENGTH"]
            and self._is_ours(environ)
            and (site in OWN if site is not None else "HTTP_ORIGIN" not in environ)
        )

    def _shown(self, environ: WSGIEnvironment, meeting_id: int) -> bytes | None:
        """The register, or that it is still the one asked about; None leaves it to the view."""
        asked = _VERSION.fullmatch(environ.get("QUERY_STRING", ""))
        if asked is None:
            return None
        version = int(asked[1]) if asked[1] else None
        try:
            with self._app.app_context(), one_look():
                actor = _bearer(environ)
                if actor is None:
                    with self._app.request_context(environ):
                        return register_text(meeting_id, version, door_of(meeting_id)).encode()
                return register_text(meeting_id, version, actor).encode()
        except Exception:  # noqa: BLE001  # the view looks anew, and has handlers for what it meets
            return None

    def _taken(self, environ: WSGIEnvironment, meeting_id: int) -> bytes | None:
        """The answer to marks that were written down; None leaves the answer to the view."""
        try:
            with self._app.app_context(), one_connection():
                device = clean(environ.get("HTTP_X_DEVICE", ""))
                actor = _bearer(environ) if device else None
                if actor is not None:
                    in_words = partial(self._speaking, environ, actor)
                    return _written(environ, meeting_id, actor, device, in_words)
                with self._app.request_context(environ):
                    actor = json_door(meeting_id)
                    return _written(environ, meeting_id, actor, device_of(actor), nullcontext)
        except Exception as error:  # noqa: BLE001  # the view raises it anew, for its handlers
            environ[FAILED] = error
            return None

    @contextmanager
    def _speaking(self, environ: WSGIEnvironment, actor: Actor) -> Iterator[None]:
        """What a sentence needs to be in the reader's language."""
        with self._app.request_context(environ):
            act_as(actor)
            yield


def _bearer(environ: WSGIEnvironment) -> Actor | None:
    """Whom the link stands for that the request itself carries: no cookie is looked at."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if not header.startswith(_BEARER):
        return None
    return actor_of_link(header.removeprefix(_BEARER).strip()[:TOKEN_LENGTH], now=now())


def _written(
    environ: WSGIEnvironment,
    meeting_id: int,
    actor: Actor,
    device: str,
    in_words: Callable[[], AbstractContextManager[object]],
) -> bytes | None:
    """Write the marks down and answer; None for a body that is no JSON.

    `in_words` is opened for verdicts with a reason alone: they are rare.
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


def _headers(body: bytes, scheme: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "private, no-store"),
        ("Vary", "Cookie"),
        *data_headers(scheme),
    ]
