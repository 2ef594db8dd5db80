"""When a message is tried again, held, or given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

CALENDAR_KINDS = ("request", "update", "cancel")
LEASE = timedelta(minutes=5)
ATTEMPTS = 12
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 1800
PROBE_WAIT = timedelta(minutes=1)
REMINDER_SAFE = timedelta(hours=2)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message: its next state, and when it is due again."""

    state: str
    due_at: datetime | None = None


def after_failure(attempts: int, *, permanent: bool, now: datetime, spread: float = 0.5) -> Verdict:
    """Wait 30 s, doubled each time up to half an hour, within ± 50 % by `spread` (0 to 1).

    A permanent refusal, and the twelfth failure, end in `dead`, which staff see.
    """
    if permanent or attempts >= ATTEMPTS:
        return Verdict("dead")
    wait = min(FIRST_WAIT_SECONDS * 2 ** max(attempts - 1, 0), LONGEST_WAIT_SECONDS)
    return Verdict("failed", now + timedelta(seconds=wait * (0.5 + spread)))


def after_doubt(kind: str, *, starts_at: datetime | None, now: datetime) -> Verdict:
    """Decide on a message whose sender died after the last byte: it may have been delivered.

    A calendar message is sent again, since the same bytes change nothing in a calendar; a
    reminder only when the meeting is more than two hours away; a sign-in link never.
    """
    if kind in CALENDAR_KINDS:
        return Verdict("queued", now)
    if kind == "reminder" and starts_at is not None and starts_at - now > REMINDER_SAFE:
        return Verdict("queued", now)
    return Verdict("dead")


def allowance(sent_last_minute: int, rate_per_minute: int, most: int) -> int:
    """Give how many messages may leave now, keeping under the rate the mail server allows."""
    return max(0, min(most, rate_per_minute - sent_last_minute))
