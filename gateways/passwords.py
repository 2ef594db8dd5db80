"""Passwords kept as Argon2id hashes, checked two at a time so that a flood stays cheap."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB, two passes, one lane: OWASP's floor, about 30 ms, so that 2 at once cost under 40 MiB.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_TURNS = BoundedSemaphore(2)
# Two at work and two that wait: the server's other threads go on giving pages.
_PLACES = BoundedSemaphore(4)


@contextmanager
def place_to_check() -> Iterator[bool]:
    """Whether there is room for one more password to be checked; nobody waits to find out."""
    has_room = _PLACES.acquire(blocking=False)
    try:
        yield has_room
    finally:
        if has_room:
            _PLACES.release()


def hash_password(password: str) -> str:
    """The hash to keep; a password typed on a phone or at a desk has the same letters (NFC)."""
    with _TURNS:
        return _HASHER.hash(unicodedata.normalize("NFC", password))


def password_matches(kept_hash: str | None, password: str) -> bool:
    """Whether the password is the one kept; without one, the same work is done for nothing, so
    that an unknown account takes as long to refuse as a known one."""
    with _TURNS:
        try:
            _HASHER.verify(kept_hash or _nobodys_hash(), unicodedata.normalize("NFC", password))
        except (VerificationError, InvalidHashError):
            return False
    return kept_hash is not None


def is_outdated(kept_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept_hash)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("không ai cả")
