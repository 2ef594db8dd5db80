"""The whole timetable as data: what is looked at on every tick, and what is due once a day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from rules.clock import Daily, Hourly
from services import (
    attendance_states,
    audit_proof,
    clock,
    digests,
    feed_expiry,
    incoming_replies,
    reminders,
    retention,
    roster,
    scheduled_backups,
    unit_changes,
    work_reminders,
)


@dataclass(frozen=True)
class EveryTick:
    """Work that finds out by itself what is due; nothing due costs one query."""

    name: str
    run: Callable[[datetime], object]


@dataclass(frozen=True)
class Slotted:
    """Work with a slot a day, a week or an hour; the slot is claimed in the transaction of its effect."""

    name: str
    when: Daily | Hourly
    run: Callable[[datetime, datetime], object]


EVERY_TICK = (
    EveryTick("remind", lambda now: reminders.remind(now=now)),
    EveryTick("lock_due_registers", lambda now: attendance_states.lock_due_registers(now=now)),
    EveryTick("take_replies", lambda now: incoming_replies.take_new(now=now)),
    EveryTick("forget_sent_secrets", lambda now: retention.forget_sent_secrets()),
    EveryTick("delete_old_uploads", lambda now: roster.delete_old_uploads(now=now)),
)

ONCE_A_DAY = (
    Slotted(
        "show_units_of_today",
        Daily(time(0, 5)),
        lambda slot, now: unit_changes.show_units_of_today(slot, now=now),
    ),
    Slotted(
        "write_audit_head",
        Daily(time(2, 50)),
        lambda slot, now: audit_proof.write_head(slot, now=now),
    ),
    Slotted(
        "forget_old_runs",
        Daily(time(3, 0)),
        lambda slot, now: clock.forget_old_runs(slot, now=now),
    ),
    Slotted(
        "forget_old_mails",
        Daily(time(3, 10)),
        lambda slot, now: incoming_replies.forget_old_mails(slot, now=now),
    ),
    Slotted(
        "retention",
        Daily(time(3, 20)),
        lambda slot, now: retention.run_daily(slot, now=now),
    ),
    Slotted(
        feed_expiry.JOB,
        Daily(time(3, 30)),
        lambda slot, now: feed_expiry.end_unused(slot, now=now),
    ),
    Slotted(
        "warn_of_risk",
        Daily(time(7, 0)),
        lambda slot, now: reminders.warn_of_risk(slot, now=now),
    ),
    Slotted(
        "remind_works",
        Daily(time(7, 10)),
        lambda slot, now: work_reminders.remind(slot, now=now),
    ),
    Slotted(
        "weekly_digest",
        Daily(time(16, 0), weekday=6),
        lambda slot, now: digests.send_weekly(slot, now=now),
    ),
    Slotted(
        "chase_registers",
        Daily(time(19, 0), catch_up=timedelta(hours=4)),
        lambda slot, now: reminders.chase_registers(slot, now=now),
    ),
)

# On a thread of their own: copying a large database must hold up neither reminders nor mail.
SLOW = (
    Slotted(
        scheduled_backups.BACKUP_JOB,
        Hourly(),
        lambda slot, now: scheduled_backups.make_scheduled(slot, now=now),
    ),
    Slotted(
        scheduled_backups.REHEARSAL_JOB,
        Daily(time(2, 30), weekday=6),
        lambda slot, now: scheduled_backups.rehearse_restore(slot, now=now),
    ),
)
