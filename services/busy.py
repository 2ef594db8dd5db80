"""When speakers and venues are taken by what is not ours: read from a calendar file they give."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models import BusyTime, Speaker, Venue
from rules.busy import BusyFile, busy_file
from rules.clashes import Occupancy
from rules.days import LOCAL, local_day
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.text import clean
from services import access, audit
from services.transaction import reading, writing

TOPIC = "lịch riêng"


def take_busy_times(
    kind: str, subject_id: int, content: bytes, *, source: str = "", now: datetime, by: Actor
) -> BusyFile:
    """Put the busy times of a file in place of those known of a speaker or a venue.

    `kind` is speaker or venue. Only the spans are kept, never what they are for.
    """
    found = busy_file(content, now=now)
    with writing() as session:
        _own(session, kind, subject_id, now, by)
        session.execute(delete(BusyTime).where(_column(kind) == subject_id))
        rows = [
            {
                f"{kind}_id": subject_id,
                "starts_at": start,
                "ends_at": end,
                "source": clean(source)[:200],
                "created_at": now,
            }
            for start, end in found.spans
        ]
        if rows:
            session.execute(insert(BusyTime), rows)
        _record(session, kind, subject_id, "took_busy_times", len(rows), now, by)
    return found


def forget_busy_times(kind: str, subject_id: int, *, now: datetime, by: Actor) -> None:
    """Drop what is known of a speaker's or a venue's own calendar."""
    with writing() as session:
        _own(session, kind, subject_id, now, by)
        session.execute(delete(BusyTime).where(_column(kind) == subject_id))
        _record(session, kind, subject_id, "forgot_busy_times", 0, now, by)


def busy_count(kind: str, subject_id: int, *, now: datetime, by: Actor) -> tuple[str, int]:
    """Give the name of a speaker or venue and how many busy spans to come are known."""
    session = reading()
    name = _own(session, kind, subject_id, now, by)
    known = select(func.count()).where(_column(kind) == subject_id, BusyTime.ends_at > now)
    return name, session.scalar(known) or 0


def busy_occupancies(
    session: Session,
    first: datetime,
    last: datetime,
    *,
    venue_ids: Iterable[int] | None = None,
    speaker_ids: Iterable[int] | None = None,
) -> list[Occupancy]:
    """What those calendars take up in a span of time: of these venues and speakers, or of all."""
    query = select(BusyTime).where(BusyTime.starts_at < last, BusyTime.ends_at > first)
    if venue_ids is not None and speaker_ids is not None:
        venues, speakers = sorted(venue_ids), sorted(speaker_ids)
        query = query.where(or_(BusyTime.venue_id.in_(venues), BusyTime.speaker_id.in_(speakers)))
    return [
        Occupancy(
            meeting_id=f"busy-{row.id}",
            topic=TOPIC,
            starts_at=row.starts_at.astimezone(LOCAL),
            ends_at=row.ends_at.astimezone(LOCAL),
            state="published",
            place_ids=frozenset([row.venue_id] if row.venue_id else []),
            speaker_ids=frozenset([row.speaker_id] if row.speaker_id else []),
        )
        for row in session.scalars(query)
    ]


def _column(kind: str) -> InstrumentedAttribute[int | None]:
    return BusyTime.speaker_id if kind == "speaker" else BusyTime.venue_id


def _own(session: Session, kind: str, subject_id: int, now: datetime, by: Actor) -> str:
    access.require_role(by, "staff")
    table = Speaker if kind == "speaker" else Venue
    own = access.within_scope(by, table.unit_id, local_day(now), "staff")
    name: str | None = session.scalar(select(table.name).where(table.id == subject_id, own))
    if name is None:
        raise NotFound(N_("Không tìm thấy người hoặc nơi này trong phạm vi của bạn."))
    return name


def _record(
    session: Session, kind: str, subject_id: int, action: str, spans: int, now: datetime, by: Actor
) -> None:
    audit.record(
        session, now=now, by=by, action=action, entity=kind, entity_id=subject_id, spans=spans
    )
