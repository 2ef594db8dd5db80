"""The clock's own rows: that it ticks, and which slots of which jobs have happened."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models import ClockTick, JobRun, Setting
from rules.clock import SILENT_AFTER, is_put_back
from rules.permissions import SYSTEM, Actor
from rules.refusals import N_, Refusal
from services import audit
from services.access import require_role
from services.transaction import reading, writing

KEPT = timedelta(days=90)
HOLD_KEY = "clock_hold"


def clock_name() -> str:
    """Name this process among clocks: several may run, each with a row of its own."""
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def record_tick(clock: str, *, now: datetime, trouble: str = "") -> None:
    """Say that this clock is alive and what is wrong with it; forget those that no longer are.

    A row from the future is what a clock wrote before it was put back.
    """
    with writing() as session:
        statement = _insert(session)(ClockTick).values(
            clock=clock, ticked_at=now, trouble=trouble[:500]
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["clock"],
                set_={
                    "ticked_at": statement.excluded.ticked_at,
                    "trouble": statement.excluded.trouble,
                },
            )
        )
        day = timedelta(days=1)
        session.execute(
            delete(ClockTick).where(
                or_(ClockTick.ticked_at < now - day, ClockTick.ticked_at > now + day)
            )
        )


def database_now(*, now: datetime) -> datetime:
    """What the database's clock shows, where it has one of its own; else `now`.

    Several machines on one PostgreSQL go by its clock, so that they agree.
    """
    session = reading()
    if session.get_bind().dialect.name != "postgresql":
        return now
    found: datetime = session.scalar(select(func.clock_timestamp())) or now
    session.rollback()
    return found.astimezone(UTC)


def hold(before: datetime, after: datetime, *, now: datetime) -> None:
    """Hold all mail and all scheduled work: the clock leapt from `before` to `after`."""
    with writing() as session:
        if is_held(session):
            return
        session.merge(Setting(key=HOLD_KEY, value=f"{before.isoformat()} {after.isoformat()}"))
        audit.record(
            session,
            now=now,
            by=SYSTEM,
            action="held",
            entity="clock",
            entity_id="mail",
            before=before.isoformat(),
            after=after.isoformat(),
        )


def release(*, now: datetime, by: Actor) -> None:
    """Let mail and scheduled work go on: an administrator says that the time shown is right."""
    require_role(by, "admin")
    with writing() as session:
        if not is_held(session):
            raise Refusal(N_("Không có gì đang bị giữ lại. Hãy tải lại trang."))
        _end_hold(session, now=now, by=by, action="released")


def release_if_put_back(*, now: datetime) -> bool:
    """Let everything go on once the clock shows a time near the one it had leapt from."""
    with writing() as session:
        found = _held_times(session)
        if found is None or not is_put_back(found.before, found.after, now):
            return False
        _end_hold(session, now=now, by=SYSTEM, action="put_back")
        return True


def _end_hold(session: Session, *, now: datetime, by: Actor, action: str) -> None:
    session.execute(delete(Setting).where(Setting.key == HOLD_KEY))
    audit.record(session, now=now, by=by, action=action, entity="clock", entity_id="mail")


@dataclass(frozen=True)
class Hold:
    """The leap for which everything is held: from when to when."""

    before: datetime
    after: datetime


def hold_in_force() -> Hold | None:
    """The leap for which mail is held now, or nothing."""
    return _held_times(reading())


def is_held(session: Session) -> bool:
    """Whether mail and scheduled work are held."""
    return _held_times(session) is not None


def _held_times(session: Session) -> Hold | None:
    value = session.scalar(select(Setting.value).where(Setting.key == HOLD_KEY))
    if not value:
        return None
    before, after = (datetime.fromisoformat(word) for word in value.split())
    return Hold(before, after)


def first_run(session: Session, job: str, slot: datetime, *, now: datetime) -> bool:
    """Claim a slot of a job in the transaction of its effect; False when it has happened already.

    The unique key makes each slot happen once, however many clocks run.
    """
    statement = _insert(session)(JobRun).values(job=job[:40], slot=slot, ran_at=now)
    claimed = session.scalar(
        statement.on_conflict_do_nothing(index_elements=["job", "slot"]).returning(JobRun.job)
    )
    return claimed is not None


def forget_old_runs(slot: datetime, *, now: datetime) -> None:
    """Drop the rows of slots that can never come again."""
    with writing() as session:
        if first_run(session, "forget_old_runs", slot, now=now):
            session.execute(delete(JobRun).where(JobRun.slot < now - KEPT))


def troubles(*, now: datetime) -> list[str]:
    """What the clocks that are alive say is wrong with them."""
    rows = reading().scalars(
        select(ClockTick.trouble).where(
            ClockTick.trouble != "", ClockTick.ticked_at > now - SILENT_AFTER
        )
    )
    return sorted(set(rows))


def last_tick_at() -> datetime | None:
    """When any clock last ticked; the banner and /healthz show it."""
    return reading().scalar(select(func.max(ClockTick.ticked_at)))


def _insert(session: Session) -> Any:
    postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert if postgres else sqlite.insert
