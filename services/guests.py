"""A meeting's guest list: who is invited, whether they have been told, and what they answered."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models import CallListEntry, Invitation, Meeting, OutgoingMessage, Person, Unit
from rules.days import local_day
from rules.permissions import Actor
from services import access
from services.invitations import zalo_text
from services.transaction import reading

PAGE_SIZE = 200


@dataclass(frozen=True)
class GuestLine:
    """One invited person; `told` is mailed, called, waiting (for either), or nothing yet."""

    name: str
    unit: str
    answer: str
    excused: bool
    told: str
    told_at: datetime | None


@dataclass(frozen=True)
class GuestList:
    """A page of the list, how many there are by answer, and the text for the Zalo group."""

    meeting_id: int
    topic: str
    zalo_text: str
    total: int
    answers: dict[str, int]
    lines: list[GuestLine]


def guest_list(meeting_id: int, *, now: datetime, by: Actor, page: int = 1) -> GuestList:
    """Give the guest list of a meeting within the actor's reach, by unit and given name."""
    session = reading()
    meeting = access.meeting_for(session, by, meeting_id, local_day(now))
    here = and_(Invitation.meeting_id == meeting.id, Invitation.removed_at.is_(None))
    counted = select(Invitation.reply, func.count()).where(here).group_by(Invitation.reply)
    answers = dict(session.execute(counted).all())
    rows = session.execute(
        select(Invitation, Person.full_name, func.coalesce(Unit.name, ""))
        .join(Person, Person.id == Invitation.person_id)
        .outerjoin(Unit, Unit.id == Invitation.unit_id)
        .where(here)
        .order_by(Unit.position, Unit.name, Person.sort_key, Person.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    ).all()
    told = _told(session, meeting, [row.person_id for row, _name, _unit in rows])
    return GuestList(
        meeting_id=meeting.id,
        topic=meeting.topic,
        zalo_text=zalo_text(meeting),
        total=sum(answers.values()),
        answers=answers,
        lines=[
            GuestLine(name, unit, row.reply, row.excused, *told.get(row.person_id, ("", None)))
            for row, name, unit in rows
        ],
    )


def _told(
    session: Session, meeting: Meeting, person_ids: list[int]
) -> dict[int, tuple[str, datetime | None]]:
    """How each of these people was last told of the meeting; what has happened outranks a plan."""
    found: dict[int, tuple[str, datetime | None]] = {}
    mails = session.execute(
        select(OutgoingMessage.person_id, OutgoingMessage.sent_at)
        .where(
            OutgoingMessage.meeting_id == meeting.id,
            OutgoingMessage.person_id.in_(person_ids),
            OutgoingMessage.kind.in_(("request", "update")),
            OutgoingMessage.state.in_(("queued", "claimed", "sending", "failed", "sent")),
        )
        .order_by(OutgoingMessage.id)
    )
    for person_id, sent_at in mails:
        if person_id is not None and (sent_at or person_id not in found):
            found[person_id] = ("mailed" if sent_at else "waiting", sent_at)
    calls = session.execute(
        select(CallListEntry.person_id, CallListEntry.done_at)
        .where(CallListEntry.meeting_id == meeting.id, CallListEntry.person_id.in_(person_ids))
        .order_by(CallListEntry.id)
    )
    for person_id, done_at in calls:
        if person_id is not None and (done_at or person_id not in found):
            found[person_id] = ("called" if done_at else "to_call", done_at)
    return found
