"""The last whole answer of every feed on disk: what subscribers get while the database is away."""

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KeptFeed:
    """One feed as it was last given out whole."""

    kind: str
    etag: str
    modified_at: datetime
    content: bytes


class FeedStore:
    """One file a feed, named by its token's hash; it appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, feed: KeptFeed) -> None:
        """Keep this answer in place of the one before; a full disk does not stop the answer."""
        path = self._path(name)
        known = self._head(path)
        if known is not None and known.get("etag") == feed.etag:
            return
        fresh = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(fresh, "wb", opener=_private) as file:
                file.write(_head_of(feed) + feed.content)
            fresh.replace(path)

    def kept(self, name: str) -> KeptFeed | None:
        """Give what was kept, or nothing when it is not there or not whole."""
        path = self._path(name)
        head = self._head(path)
        if head is None:
            return None
        with suppress(OSError, ValueError, KeyError):
            content = path.read_bytes().partition(b"\n")[2]
            if hashlib.sha256(content).hexdigest() == head["sha256"]:
                modified_at = datetime.fromisoformat(head["modified_at"]).astimezone(UTC)
                return KeptFeed(head["kind"], head["etag"], modified_at, content)
        return None

    def forget(self, name: str) -> None:
        """Drop what was kept: an address that was taken back gives nothing, database or not."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not the hash of a token: {name!r}")
        return self._folder / name

    def _head(self, path: Path) -> dict[str, str] | None:
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(4096))
        except (OSError, ValueError):
            return None
        return head if isinstance(head, dict) else None


def _head_of(feed: KeptFeed) -> bytes:
    head = {
        "kind": feed.kind,
        "etag": feed.etag,
        "modified_at": feed.modified_at.isoformat(),
        "sha256": hashlib.sha256(feed.content).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
