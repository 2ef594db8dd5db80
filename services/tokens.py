"""Secrets that open a door by themselves: made here once, shown once, kept only as a hash."""

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, safe in an address."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """SHA-256 in hex; enough for 256 random bits, and quick enough for every request."""
    return hashlib.sha256(token.encode()).hexdigest()
