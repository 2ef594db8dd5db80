"""When a message is tried again, held, or given up."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.outbox import ATTEMPTS, after_doubt, after_failure, allowance
from rules.signing import sign, unsign

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_waits_double_up_to_half_an_hour() -> None:
    waits = []
    for attempts in range(1, 9):
        verdict = after_failure(attempts, permanent=False, now=NOW)
        assert verdict.state == "failed"
        assert verdict.due_at is not None
        waits.append((verdict.due_at - NOW).total_seconds())
    assert waits == [30, 60, 120, 240, 480, 960, 1800, 1800]


@pytest.mark.parametrize(("spread", "seconds"), [(0, 15), (1, 45)])
def test_waits_are_spread_by_half_either_way(spread: float, seconds: int) -> None:
    verdict = after_failure(1, permanent=False, now=NOW, spread=spread)
    assert verdict.due_at == NOW + timedelta(seconds=seconds)


def test_a_permanent_refusal_and_the_last_attempt_end_where_staff_see_them() -> None:
    assert after_failure(1, permanent=True, now=NOW).state == "dead"
    assert after_failure(ATTEMPTS, permanent=False, now=NOW).state == "dead"


def test_in_doubt_a_calendar_message_goes_again_and_a_sign_in_link_never() -> None:
    soon, far = NOW + timedelta(hours=1), NOW + timedelta(days=1)
    assert after_doubt("request", starts_at=soon, now=NOW).state == "queued"
    assert after_doubt("cancel", starts_at=None, now=NOW).state == "queued"
    assert after_doubt("reminder", starts_at=far, now=NOW).state == "queued"
    assert after_doubt("reminder", starts_at=soon, now=NOW).state == "dead"
    assert after_doubt("sign_in", starts_at=None, now=NOW).state == "dead"


def test_the_rate_is_kept_whatever_was_sent_before() -> None:
    assert allowance(0, 60, 20) == 20
    assert allowance(55, 60, 20) == 5
    assert allowance(90, 60, 20) == 0


def test_a_signed_word_opens_only_its_own_door() -> None:
    signed = sign("secret", "reply", "i12")
    assert unsign("secret", "reply", signed) == "i12"
    assert unsign("secret", "opt-out", signed) is None
    assert unsign("other", "reply", signed) is None
    assert unsign("secret", "reply", signed.replace("i12", "i13")) is None
    assert unsign("secret", "reply", "") is None
    assert unsign("secret", "reply", "đ.đ") is None
