"""Taking messages that are due: under a lease, in their order, within the rate, past the dead."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from models import Meeting, OutgoingMessage, Setting
from rules.outbox import (
    CALENDAR_KINDS,
    LEASE,
    PROBE_WAIT,
    Verdict,
    after_doubt,
    allowance,
)
from services.clock import is_held
from services.office import office
from services.outbox import PAUSE_KEY, UNFINISHED, WAITING
from services.transaction import reading, writing

BATCH = 50
ONE_CLAIM_AT_A_TIME = 7_202_611
"""PostgreSQL's advisory lock of claims: two senders that count at once would both fill the rate."""


class Claim(NamedTuple):
    """The messages to send, in order, and those that leave in one letter with one of them."""

    ids: Sequence[int] = ()
    companions: Sequence[int] = ()


def claim(token: str, *, now: datetime, most: int) -> Claim:
    """Take the next messages for this sender; nobody else touches them until the lease ends."""
    if not _may_be_due(now):
        return Claim()
    with writing() as session:
        _claim_alone(session)
        _recover(session, now)
        if is_held(session):
            return Claim()
        most = _under_the_breaker(session, now, min(most, BATCH))
        limit = allowance(*_under_way(session, now), office().mail_rate_per_minute, most)
        ids = _next_in_line(session, now, limit)
        taken = Claim(ids, _companions(session, ids))
        session.execute(
            update(OutgoingMessage)
            .where(OutgoingMessage.id.in_([*taken.ids, *taken.companions]))
            .values(state="claimed", lease_token=token, lease_until=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        return taken


def _may_be_due(now: datetime) -> bool:
    """Whether anything waits at all; an idle sender takes no write lock."""
    session = reading()
    session.rollback()
    due = select(OutgoingMessage.id).where(
        or_(
            and_(OutgoingMessage.state.in_(WAITING), OutgoingMessage.due_at <= now),
            and_(
                OutgoingMessage.state.in_(("claimed", "sending")),
                OutgoingMessage.lease_until <= now,
            ),
        )
    )
    found = session.scalar(due.limit(1))
    session.rollback()
    return found is not None


def _claim_alone(session: Session) -> None:
    """One claim at a time, as SQLite's write lock has it anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_CLAIM_AT_A_TIME})


def _under_the_breaker(session: Session, now: datetime, most: int) -> int:
    """While the mail server is down nobody sends, but for one probe a minute."""
    paused = session.get(Setting, PAUSE_KEY)
    if paused is None or not paused.value:
        return most
    if datetime.fromisoformat(paused.value) > now:
        return 0
    paused.value = (now + PROBE_WAIT).isoformat()
    return min(most, 1)


def _under_way(session: Session, now: datetime) -> tuple[int, int]:
    """How many were sent within a minute, and how many others hold."""
    sent = session.scalar(
        select(func.count()).where(OutgoingMessage.sent_at > now - timedelta(minutes=1))
    )
    held = session.scalar(
        select(func.count()).where(OutgoingMessage.state.in_(("claimed", "sending")))
    )
    return sent or 0, held or 0


def _next_in_line(session: Session, now: datetime, limit: int) -> list[int]:
    """The first messages due, cancellations first; each state's index is walked in order."""
    found: list[tuple[int, datetime, int]] = []
    for state in WAITING:
        rows = session.execute(
            select(OutgoingMessage.priority, OutgoingMessage.due_at, OutgoingMessage.id)
            .where(
                OutgoingMessage.state == state,
                OutgoingMessage.due_at <= now,
                ~_earlier_unfinished(),
                ~_earlier_in_bundle(),
            )
            .order_by(OutgoingMessage.priority, OutgoingMessage.due_at, OutgoingMessage.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        found += [(priority, due_at, one) for priority, due_at, one in rows]
    return [one for _, _, one in sorted(found)[:limit]]


@cache
def _earlier_in_bundle() -> ColumnElement[bool]:
    """An earlier message of the same bundle is unfinished: it takes this one along."""
    earlier = aliased(OutgoingMessage)
    return and_(
        OutgoingMessage.bundle.is_not(None),
        exists().where(
            earlier.bundle == OutgoingMessage.bundle,
            earlier.id < OutgoingMessage.id,
            earlier.state.in_(UNFINISHED),
        ),
    )


def _companions(session: Session, ids: Sequence[int]) -> list[int]:
    """The messages that leave in one letter with these."""
    bundles = select(OutgoingMessage.bundle).where(
        OutgoingMessage.id.in_(ids), OutgoingMessage.bundle.is_not(None)
    )
    return list(
        session.scalars(
            select(OutgoingMessage.id).where(
                OutgoingMessage.bundle.in_(bundles),
                OutgoingMessage.id.not_in(ids),
                OutgoingMessage.state.in_(WAITING),
                ~_earlier_unfinished(),
            )
        )
    )


@cache
def _earlier_unfinished() -> ColumnElement[bool]:
    """An earlier calendar message about the same meeting to the same person is still on its way.

    This keeps a CANCEL behind its REQUEST whatever happens to the first.
    """
    return and_(OutgoingMessage.kind.in_(CALENDAR_KINDS), or_(_waits(False), _waits(True)))


def _waits(for_speaker: bool) -> ColumnElement[bool]:
    """One of the two questions; asked apart, each is one look into the index."""
    earlier = aliased(OutgoingMessage)
    if for_speaker:
        same = and_(earlier.person_id.is_(None), earlier.speaker_id == OutgoingMessage.speaker_id)
    else:
        same = earlier.person_id == OutgoingMessage.person_id
    return exists().where(
        earlier.meeting_id == OutgoingMessage.meeting_id,
        same,
        earlier.id < OutgoingMessage.id,
        earlier.kind.in_(CALENDAR_KINDS),
        earlier.state.in_(UNFINISHED),
    )


def _recover(session: Session, now: datetime) -> None:
    """Take back what a dead sender held: claimed goes back in line, sending is in doubt."""
    lost = session.scalars(
        select(OutgoingMessage)
        .where(
            OutgoingMessage.state.in_(("claimed", "sending")), OutgoingMessage.lease_until <= now
        )
        .with_for_update(skip_locked=True)
    )
    for message in lost:
        if message.state == "claimed":
            message.state = "queued"
        else:
            doubt(session, message, now)
        message.lease_token = message.lease_until = None


def doubt(session: Session, message: OutgoingMessage, now: datetime) -> None:
    """Decide what becomes of a message that left without an answer."""
    starts_at = session.scalar(select(Meeting.starts_at).where(Meeting.id == message.meeting_id))
    message.doubts += 1
    spread = random.random()
    verdict = after_doubt(
        message.kind, doubts=message.doubts, starts_at=starts_at, now=now, spread=spread
    )
    settle(message, verdict)
    message.last_error = "Không rõ đã tới nơi chưa: kết nối đứt sau khi gửi."


def settle(message: OutgoingMessage, verdict: Verdict) -> None:
    """Write a verdict on its message."""
    message.state = verdict.state
    message.due_at = verdict.due_at or message.due_at
