"""The headers by which browsers protect every answer."""

import secrets
from functools import cache

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
NOTHING_AT_ALL = "default-src 'none'; frame-ancestors 'none'"
# Said over https only: for a year the browser asks for no page without it (RFC 6797).
STRICT_TRANSPORT = "max-age=31536000"


def new_nonce() -> str:
    """What one answer's own script carries, drawn anew for each."""
    return secrets.token_urlsafe(16)


def protective_headers(nonce: str, *, scheme: str) -> dict[str, str]:
    """Give what every answer says unless its page says it otherwise."""
    return _headers(CONTENT_SECURITY_POLICY.format(nonce=nonce), scheme)


@cache
def data_headers(scheme: str) -> tuple[tuple[str, str], ...]:
    """The same for JSON, which is no page: it may load nothing at all."""
    return tuple(_headers(NOTHING_AT_ALL, scheme).items())


def _headers(policy: str, scheme: str) -> dict[str, str]:
    transport = {"Strict-Transport-Security": STRICT_TRANSPORT} if scheme == "https" else {}
    return transport | {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
