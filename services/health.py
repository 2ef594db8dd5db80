"""Whether the program is well: the database answers, the clock ticks, the mail moves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from models import OutgoingMessage
from rules.refusals import N_
from services.clock import last_tick_at
from services.transaction import reading

SILENT_AFTER = timedelta(minutes=2)
COPY_SENTENCE = N_(
    "Cơ sở dữ liệu này là bản sao của nơi khác nên không gửi thư. Nếu đây là hệ thống chính, "
    "hãy chạy: flask office adopt"
)
WAITING = ("queued", "failed", "claimed", "sending")


@dataclass(frozen=True)
class Health:
    """What a check found. Only a database that does not answer makes the program unfit to serve.

    `last_tick_at` None: the clock never ran. `oldest_due_at` None: no mail is due.
    """

    database_answers: bool
    last_tick_at: datetime | None
    oldest_due_at: datetime | None

    @property
    def is_well(self) -> bool:
        return self.database_answers


def health(*, now: datetime) -> Health:
    """Ask the database once for each fact; a database that fails is a finding, not a fault."""
    session = reading()
    try:
        oldest = session.scalar(
            select(func.min(OutgoingMessage.due_at)).where(
                OutgoingMessage.state.in_(WAITING), OutgoingMessage.due_at <= now
            )
        )
        return Health(True, last_tick_at(), oldest)
    except SQLAlchemyError:
        session.rollback()
        return Health(False, None, None)


def clock_is_silent(*, now: datetime) -> bool:
    """Whether no clock has ticked for two minutes; pages show a banner then."""
    ticked_at = last_tick_at()
    return ticked_at is None or ticked_at < now - SILENT_AFTER
