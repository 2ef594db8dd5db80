"""The audit log's chain: each entry's seal covers the entry and the seal before it."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

FIELDS = (
    "at",
    "by_account_id",
    "by_name",
    "action",
    "entity",
    "entity_id",
    "unit_id",
    "details",
    "reason",
)
"""What a seal covers: every column but the row's own number, which the order stands for."""


def audit_key(secret_key: str) -> bytes:
    """The key of the seals, made from the program's secret and of no use elsewhere."""
    return hmac.digest(secret_key.encode(), b"audit chain", "sha256")


def seal(key: bytes, before: str, entry: Mapping[str, object]) -> str:
    """HMAC-SHA256, in hex, of an entry after the seal before it; nobody can make one without the key."""
    return hmac.new(key, f"{before}\n{as_sealed(entry)}".encode(), hashlib.sha256).hexdigest()


def as_sealed(entry: Mapping[str, object]) -> str:
    """An entry as one line of text that is the same on every database."""
    values = {name: _plain(entry[name]) for name in FIELDS}
    return json.dumps(values, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def ledger_digest(marks: Iterable[tuple[str, str, str | None, datetime, datetime]]) -> str:
    """SHA-256, in hex, of a register's marks: id, status, mark taken back, tapped and received.

    The order of the marks does not matter. What retention later makes nameless is not part of it.
    """
    lines = sorted(
        f"{own} {status} {annuls or '-'} {_plain(tapped)} {_plain(received)}"
        for own, status, annuls, tapped, received in marks
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
