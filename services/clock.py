"""The clock's own rows: that it ticks, and which slots of which jobs have happened."""

import os
import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models import ClockTick, JobRun
from services.transaction import reading, writing

KEPT = timedelta(days=90)


def clock_name() -> str:
    """Name this process among clocks: several may run, each with a row of its own."""
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def record_tick(clock: str, *, now: datetime) -> None:
    """Say that this clock is alive, and forget clocks that have long been gone."""
    with writing() as session:
        statement = _insert(session)(ClockTick).values(clock=clock, ticked_at=now)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["clock"], set_={"ticked_at": statement.excluded.ticked_at}
            )
        )
        session.execute(delete(ClockTick).where(ClockTick.ticked_at < now - timedelta(days=1)))


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


def last_tick_at() -> datetime | None:
    """When any clock last ticked; the banner and /healthz show it."""
    return reading().scalar(select(func.max(ClockTick.ticked_at)))


def _insert(session: Session) -> Any:
    postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert if postgres else sqlite.insert
