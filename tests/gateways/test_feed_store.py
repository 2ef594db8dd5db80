"""Feeds kept on disk: whole or not at all."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateways.feed_store import FeedStore, KeptFeed

NAME = "a" * 64
FEED = KeptFeed("member", "e1", datetime(2026, 11, 23, 8, tzinfo=UTC), b"BEGIN:VCALENDAR\r\n")


def test_what_is_kept_is_given_back_and_replaced_whole(tmp_path: Path) -> None:
    store = FeedStore(tmp_path / "feeds")
    assert store.kept(NAME) is None
    store.keep(NAME, FEED)
    assert store.kept(NAME) == FEED
    newer = replace(FEED, etag="e2", content=b"another\nbody")
    store.keep(NAME, newer)
    assert store.kept(NAME) == newer
    assert [path.name for path in (tmp_path / "feeds").iterdir()] == [NAME]
    store.forget(NAME)
    store.forget(NAME)
    assert store.kept(NAME) is None


def test_only_the_owner_may_read_a_kept_feed(tmp_path: Path) -> None:
    FeedStore(tmp_path).keep(NAME, FEED)
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"x", b'{"etag": 1}\n', b"[]\n", b"\xff\n"])
def test_a_damaged_file_is_no_feed(tmp_path: Path, damage: bytes) -> None:
    store = FeedStore(tmp_path)
    store.keep(NAME, FEED)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(damage)
    assert store.kept(NAME) is None
    (tmp_path / NAME).write_bytes(whole[:-1])
    assert store.kept(NAME) is None
    store.keep(NAME, replace(FEED, etag="e3"))
    assert store.kept(NAME) is not None


def test_a_disk_that_takes_nothing_does_not_stop_the_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    FeedStore(tmp_path / "file" / "feeds").keep(NAME, FEED)


def test_a_name_that_is_no_hash_never_reaches_the_disk(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        FeedStore(tmp_path).kept("../secret_key")
