"""What monitoring systems ask for: counts of answers and jobs, and how mail, clock and backups stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from gateways import metrics
from models import BackupRun, OutgoingMessage
from services import health, installation, scheduled_backups
from services.transaction import reading

CONTENT_TYPE = metrics.CONTENT_TYPE
Gauges = dict[str, tuple[str, dict[str, float]]]

note_request = metrics.note_request
note_bug = metrics.note_bug


@contextmanager
def timed_job(job: str) -> Iterator[None]:
    """Count a run of a job of the clock, and that it failed when it raises."""
    began, failed = perf_counter(), True
    try:
        yield
        failed = False
    finally:
        metrics.note_job(job.partition(":")[0], perf_counter() - began, failed=failed)


def metrics_text(*, now: datetime) -> bytes:
    """Everything in the text format; a database that does not answer is a figure, too."""
    found = health.health(now=now)
    gauges: Gauges = {
        "database_up": ("Whether the database answers", {"": float(found.database_answers)})
    }
    if found.database_answers:
        try:
            gauges |= _gauges(found, now)
        except SQLAlchemyError:
            reading().rollback()
    return metrics.as_text(gauges)


def _gauges(found: health.Health, now: datetime) -> Gauges:
    """Ages are in seconds; one that has no beginning yet is left out."""
    session = reading()
    by_state = dict(
        session.execute(
            select(OutgoingMessage.state, func.count()).group_by(OutgoingMessage.state)
        ).all()
    )
    backups = scheduled_backups.standing()
    rehearsal = backups.last_rehearsal
    moments = {
        "clock_tick_age_seconds": ("Since any clock ticked", found.last_tick_at),
        "outbox_oldest_due_seconds": ("How long the oldest mail is overdue", found.oldest_due_at),
        "backup_age_seconds": (
            "Since the newest good backup",
            backups.last_good.at if backups.last_good else None,
        ),
        "rehearsal_age_seconds": (
            "Since a restore was last rehearsed",
            rehearsal.at if rehearsal else None,
        ),
    }
    gauges: Gauges = {
        name: (sentence, {"": (now - moment).total_seconds()})
        for name, (sentence, moment) in moments.items()
        if moment is not None
    }
    gauges["outbox_messages"] = ("Mail by state", {k: float(v) for k, v in by_state.items()})
    return gauges | _alarms(backups)


def _alarms(backups: scheduled_backups.Standing) -> Gauges:
    """What is 1 when somebody should look, else 0."""
    alarms = {
        "backup_failed": ("Whether the last backup failed", _failed(backups.last_try)),
        "rehearsal_failed": (
            "Whether the last rehearsed restore failed",
            _failed(backups.last_rehearsal),
        ),
        "installation_is_copy": (
            "Whether this is a copy that sends nothing",
            installation.this_is_a_copy(),
        ),
    }
    return {name: (sentence, {"": float(rings)}) for name, (sentence, rings) in alarms.items()}


def _failed(run: BackupRun | None) -> bool:
    return run is not None and bool(run.fault)
