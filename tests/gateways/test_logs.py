"""A log line tells what happened, and never of whom or with which secret."""

import json
import logging
import sys

import pytest

from gateways.logs import formatter, without_secrets

TOKEN = "Zk3vQ0bN7r1xYt5LwPa8_hC2dE4fG6jM9sUoTiRyBnA"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"GET /feeds/{TOKEN}.ics", "GET /feeds/‹mã›"),
        (f"GET /feeds/units/{TOKEN}.ics?x=1", "GET /feeds/‹mã›?x=1"),
        (f"https://x.test/link/{TOKEN} opened", "https://x.test/link/‹mã› opened"),
        ("/replies/12.5.abcdef fails", "/replies/‹mã› fails"),
        ("Authorization: Bearer abc", "Authorization: Bearer ‹mã›"),
        ("SMTP 550 chi.do@test.invalid unknown", "SMTP 550 ‹thư› unknown"),
        ("call +84912345678 or 0912345678", "call ‹số› or ‹số›"),
        (f"it was {TOKEN}", "it was ‹mã›"),
        ("in test_a_feed_that_is_revoked_is_gone line 12", "in test_a_feed_that_is_revoked_is_gone line 12"),
        ("meeting 123456 of 2026-11-23T08:00:00", "meeting 123456 of 2026-11-23T08:00:00"),
    ],
)  # fmt: skip
def test_secrets_and_people_leave_the_line(said: str, kept: str) -> None:
    assert without_secrets(said) == kept


def test_a_line_is_one_json_object_with_its_trace() -> None:
    try:
        raise RuntimeError(f"chi@test.invalid {TOKEN}")
    except RuntimeError:
        trace = sys.exc_info()
    record = logging.LogRecord("web", logging.ERROR, "x.py", 1, "bug %s", ("ab12",), trace)
    record.endpoint = "feeds.member_feed"
    written = formatter("json").format(record)
    line = json.loads(written)
    assert (line["level"], line["from"], line["what"]) == ("error", "web", "bug ab12")
    assert line["endpoint"] == "feeds.member_feed"
    assert "RuntimeError: ‹thư› ‹mã›" in line["trace"]
    assert "\n" not in written
