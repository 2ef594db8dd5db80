"""When a message is tried again, held for a person to decide, or given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

CALENDAR_KINDS = ("request", "update", "cancel")
LEASE = timedelta(minutes=5)
ATTEMPTS = 12
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 1800
GREYLIST_MINUTES = (5, 10, 20)
BREAKER_FAILURES = 5
PROBE_WAIT = timedelta(minutes=1)
REMINDER_SAFE = timedelta(hours=2)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message: its next state, and when it is due again."""

    state: str
    due_at: datetime | None = None


def after_failure(
    attempts: int, *, permanent: bool, greylisted: bool = False, now: datetime, spread: float = 0.5
) -> Verdict:
    """Wait 30 s, doubled each time up to half an hour, within ± 50 % by `spread` (0 to 1).

    A greylisting server names no time, but means minutes: 5, 10, 20. A permanent refusal, and the
    twelfth failure, end in `dead`, which staff see.
    """
    if permanent or attempts >= ATTEMPTS:
        return Verdict("dead")
    if greylisted:
        minutes = GREYLIST_MINUTES[min(max(attempts, 1), len(GREYLIST_MINUTES)) - 1]
        return Verdict("failed", now + timedelta(minutes=minutes * (1 + spread / 10)))
    wait = min(FIRST_WAIT_SECONDS * 2 ** max(attempts - 1, 0), LONGEST_WAIT_SECONDS)
    return Verdict("failed", now + timedelta(seconds=wait * (0.5 + spread)))


def after_doubt(
    kind: str, *, doubts: int, starts_at: datetime | None, now: datetime, spread: float = 0.5
) -> Verdict:
    """Decide on a message that left without an answer: it may have been delivered.

    `doubts` counts this time too. A calendar message goes again, since the same bytes change
    nothing in a calendar: at once, then with growing waits, twelve times at most. A reminder goes
    again once, and only when the meeting is more than two hours away. Everything else (a sign-in
    link, a notice) is held where staff see it: they know whether a second copy does harm.
    """
    if kind in CALENDAR_KINDS and doubts < ATTEMPTS:
        if doubts <= 1:
            return Verdict("queued", now)
        return after_failure(doubts - 1, permanent=False, now=now, spread=spread)
    is_early = starts_at is not None and starts_at - now > REMINDER_SAFE
    if kind == "reminder" and doubts <= 1 and is_early:
        return Verdict("queued", now)
    return Verdict("in_doubt")


def opens_breaker(failures_in_a_row: int) -> bool:
    """Whether so many broken connections, one after the other, mean that the server is down."""
    return failures_in_a_row >= BREAKER_FAILURES


def allowance(sent_last_minute: int, on_their_way: int, rate_per_minute: int, most: int) -> int:
    """Give how many more messages may be taken now, under the rate that the mail server allows.

    What other senders hold counts as sent, so that together they keep the rate too.
    """
    return max(0, min(most, rate_per_minute - sent_last_minute - on_their_way))
