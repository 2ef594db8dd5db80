"""Rate limits: tries are rows by hashed subject, and too many are refused for a while."""

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models import Attempt
from rules.refusals import N_, TooManyAttempts

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Limit:
    """How often one subject (an e-mail, an address) may try something within a span of time."""

    subject: str
    most: int
    within: timedelta


def count_attempt(session: Session, limits: Iterable[Limit], *, now: datetime) -> None:
    """Count one try against every limit, or refuse with 429 when one is used up.

    The try is counted before it is known to fail, so that parallel tries cannot slip through.
    """
    session.execute(delete(Attempt).where(Attempt.at < now - KEPT))
    for limit in limits:
        used = session.scalar(
            select(func.coalesce(func.sum(Attempt.weight), 0)).where(
                Attempt.subject_hash == _hash(limit.subject), Attempt.at > now - limit.within
            )
        )
        if int(used or 0) >= limit.most:
            raise TooManyAttempts(N_("Bạn đã thử quá nhiều lần. Hãy đợi một giờ rồi thử lại."))
        session.add(Attempt(subject_hash=_hash(limit.subject), at=now))


def forget_attempts(session: Session, subject: str) -> None:
    """Forget a subject's tries after one has succeeded."""
    session.execute(delete(Attempt).where(Attempt.subject_hash == _hash(subject)))


def network_of(address: str) -> str:
    """What an address is counted as: itself, or an IPv6 subscriber's whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _hash(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
