"""When a message is tried again, held, or given up."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.outbox import ATTEMPTS, Verdict, after_doubt, after_failure, allowance, opens_breaker
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


def test_a_greylisting_server_is_asked_again_after_five_ten_and_twenty_minutes() -> None:
    waits = []
    for attempts in (1, 2, 3, 4):
        verdict = after_failure(attempts, permanent=False, greylisted=True, now=NOW, spread=0)
        assert verdict.due_at is not None
        waits.append((verdict.due_at - NOW).total_seconds() / 60)
    assert waits == [5, 10, 20, 20]


def doubt(kind: str, doubts: int = 1, hours: float | None = None) -> Verdict:
    starts_at = None if hours is None else NOW + timedelta(hours=hours)
    return after_doubt(kind, doubts=doubts, starts_at=starts_at, now=NOW)


def test_in_doubt_a_calendar_message_goes_again_and_a_sign_in_link_never() -> None:
    assert doubt("request", hours=1) == Verdict("queued", NOW)
    assert doubt("cancel").state == "queued"
    assert doubt("sign_in").state == "in_doubt"
    assert doubt("notice").state == "in_doubt"


def test_in_doubt_a_reminder_goes_again_once_and_only_when_there_is_time() -> None:
    assert doubt("reminder", hours=24).state == "queued"
    assert doubt("reminder", doubts=2, hours=24).state == "in_doubt"
    assert doubt("reminder", hours=1).state == "in_doubt"


def test_a_message_that_always_ends_in_doubt_waits_longer_each_time_and_is_held_at_last() -> None:
    second, third = doubt("request", doubts=2), doubt("request", doubts=3)
    assert second.due_at is not None
    assert third.due_at is not None
    assert NOW < second.due_at < third.due_at
    assert doubt("request", doubts=ATTEMPTS).state == "in_doubt"


def test_the_rate_is_kept_whatever_was_sent_before_and_whatever_others_hold() -> None:
    assert allowance(0, 0, 60, 20) == 20
    assert allowance(55, 0, 60, 20) == 5
    assert allowance(30, 28, 60, 20) == 2
    assert allowance(90, 0, 60, 20) == 0


def test_five_broken_connections_in_a_row_open_the_breaker() -> None:
    assert not opens_breaker(4)
    assert opens_breaker(5)


def test_a_signed_word_opens_only_its_own_door() -> None:
    signed = sign("secret", "reply", "i12")
    assert unsign("secret", "reply", signed) == "i12"
    assert unsign("secret", "opt-out", signed) is None
    assert unsign("other", "reply", signed) is None
    assert unsign("secret", "reply", signed.replace("i12", "i13")) is None
    assert unsign("secret", "reply", "") is None
    assert unsign("secret", "reply", "đ.đ") is None
