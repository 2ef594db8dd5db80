"""Feed addresses end by themselves: when nothing fetches them any more, and when a member has left."""

from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from gateways.feed_store import FeedStore
from models import FeedToken, JobRun, Membership, Person
from rules.days import instant, local_day
from rules.permissions import SYSTEM
from services import audit
from services.clock import first_run
from services.office import office
from services.settings import setting_number
from services.transaction import writing

JOB = "end_unused_feeds"
# Who looks only now and then, or was switched off itself, has not seen what phones fetched.
WATCHED_NIGHTS = 7


def end_unused(slot: datetime, *, now: datetime) -> None:
    """The nightly job: end what was not fetched for too long, and what members left behind.

    An ended address is as if it had never been. Nothing ends for want of use until the program has
    been running for a week: after a restored backup the last fetches are those of the backup.
    """
    with writing() as session:
        if not first_run(session, JOB, slot, now=now):
            return
        for row in session.scalars(_left(local_day(now))).all():
            _end(session, row, "owner_left", now)
        if _nights_watched(session, now) >= WATCHED_NIGHTS:
            for row in session.scalars(_unused(session, now)).all():
                _end(session, row, "expired", now)


def expires_on(row: FeedToken, days: int) -> date:
    """Give the day on which an address ends if nothing fetches it any more."""
    return (row.last_used_on or local_day(row.created_at)) + timedelta(days=days)


def expiry_days(session: Session) -> int:
    """Give how many days without a fetch an address lives."""
    return setting_number(session, "feed_expiry_days")


def _unused(session: Session, now: datetime) -> Select[FeedToken]:
    first = local_day(now) - timedelta(days=expiry_days(session))
    never = and_(FeedToken.last_used_on.is_(None), FeedToken.created_at < instant(first, time()))
    return _alive(or_(never, FeedToken.last_used_on < first))


def _left(on: date) -> Select[FeedToken]:
    """Those of members who died, or whose every membership has ended; learners who never were
    members keep theirs while they use them."""
    dead = select(Person.id).where(Person.died_on <= on)
    still = select(Membership.person_id).where(
        or_(Membership.valid_to.is_(None), Membership.valid_to > on)
    )
    were = select(Membership.person_id)
    return _alive(
        or_(
            FeedToken.person_id.in_(dead),
            and_(FeedToken.person_id.in_(were), FeedToken.person_id.not_in(still)),
        )
    )


def _alive(which: ColumnElement[bool]) -> Select[FeedToken]:
    return select(FeedToken).where(FeedToken.revoked_at.is_(None), which)


def _nights_watched(session: Session, now: datetime) -> int:
    since = now - timedelta(days=WATCHED_NIGHTS + 1)
    counted = select(func.count()).where(JobRun.job == JOB, JobRun.ran_at > since)
    return session.scalar(counted) or 0


def _end(session: Session, row: FeedToken, action: str, now: datetime) -> None:
    row.revoked_at = now
    FeedStore(office().feeds_folder).forget(row.token_hash)
    audit.record(
        session,
        now=now,
        by=SYSTEM,
        action=action,
        entity="feed",
        entity_id=row.id,
        unit_id=row.unit_id,
        person_id=row.person_id,
        speaker_id=row.speaker_id,
        venue_id=row.venue_id,
    )
