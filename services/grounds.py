"""Reading what messages and their letters depend on: the same few columns when a letter is written
and once more when it leaves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from models import Invitation, Meeting, MeetingSpeaker, OutgoingMessage, Person
from rules.letters import Grounds
from rules.outbox import CALENDAR_KINDS
from services.prepared import Connected, Listed, Prepared

_MESSAGE: Any = OutgoingMessage.__table__
_MEETING: Any = Meeting.__table__
_PERSON: Any = Person.__table__
_INVITATION: Any = Invitation.__table__
_SPEAKER: Any = MeetingSpeaker.__table__


def held(session: Connected, ids: Sequence[int], token: str) -> list[Grounds]:
    """The grounds of those of these messages that a sender holds under its token, oldest first.

    On PostgreSQL the messages' rows are locked until the transaction ends, so that what is seen
    here still holds when it is acted upon; on SQLite a transaction that writes is alone anyway.
    """
    rows = {row[0]: row for row in _HELD.rows(session, ids, token=token)}
    return [Grounds(*rows[one]) for one in sorted(rows)]


def of(session: Connected, message_id: int) -> Grounds:
    """The grounds of one message, whoever holds it."""
    (row,) = _ONE.rows(session, message=message_id)
    return Grounds(*row)


def kept_bytes(session: Connected, message_id: int) -> bytes:
    """The letter as it was written by its cause, or by an earlier try to send it."""
    ((body,),) = _BODY.rows(session, message=message_id)
    return bytes(body)


def _grounds(which: ColumnElement[bool]) -> Select[Any]:
    """The columns in the order of `Grounds`."""
    return (
        select(
            _MESSAGE.c.id,
            _MESSAGE.c.kind,
            _MESSAGE.c.to_address,
            _MESSAGE.c.to_name,
            _MESSAGE.c.message_id,
            _MESSAGE.c.sequence,
            _MESSAGE.c.expires_at,
            _MESSAGE.c.bundle,
            (func.length(_MESSAGE.c.body) > 0).label("is_written"),
            case((_MESSAGE.c.kind == "cancel", _was_asked()), else_=true()).label("was_asked"),
            case((_MESSAGE.c.kind == "reminder", _has_nearer()), else_=false()).label("has_nearer"),
            func.coalesce(_first(by_person=True), _first(by_person=False), "").label("first"),
            _MESSAGE.c.meeting_id,
            _MEETING.c.state.label("meeting_state"),
            _MEETING.c.sequence.label("meeting_sequence"),
            _MEETING.c.modified_at,
            _MEETING.c.starts_at,
            _MESSAGE.c.person_id,
            _PERSON.c.full_name,
            _PERSON.c.died_on,
            _PERSON.c.wants_mail,
            _PERSON.c.wants_reminders,
            _PERSON.c.neutral_titles,
            _PERSON.c.language,
            _INVITATION.c.id.label("invitation_id"),
            _INVITATION.c.removed_at,
            _INVITATION.c.point_id,
            _INVITATION.c.reply.label("person_reply"),
            _MESSAGE.c.speaker_id,
            _SPEAKER.c.reply.label("speaker_reply"),
        )
        .select_from(_all_about_it())
        .where(which)
    )


def _all_about_it() -> FromClause:
    """A message with its meeting, and its reader's place there."""
    here = _MESSAGE.c.meeting_id
    listed = and_(_INVITATION.c.meeting_id == here, _INVITATION.c.person_id == _MESSAGE.c.person_id)
    speaks = and_(_SPEAKER.c.meeting_id == here, _SPEAKER.c.speaker_id == _MESSAGE.c.speaker_id)
    joined: FromClause = (
        _MESSAGE.outerjoin(_MEETING, _MEETING.c.id == here)
        .outerjoin(_PERSON, _PERSON.c.id == _MESSAGE.c.person_id)
        .outerjoin(_INVITATION, listed)
        .outerjoin(_SPEAKER, speaks)
    )
    return joined


def _same_reader(other: Any, *, by_person: bool) -> ColumnElement[bool]:
    """Another message about the same meeting to the same reader; asked apart for people and for
    speakers, each is one look into the index."""
    mine = (
        other.c.person_id == _MESSAGE.c.person_id
        if by_person
        else and_(other.c.person_id.is_(None), other.c.speaker_id == _MESSAGE.c.speaker_id)
    )
    return and_(other.c.meeting_id == _MESSAGE.c.meeting_id, mine)


def _has(other: Any, which: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(
        *(
            exists().where(_same_reader(other, by_person=by_person), which)
            for by_person in (True, False)
        )
    )


def _was_asked() -> ColumnElement[bool]:
    earlier = _MESSAGE.alias("asked")
    return _has(
        earlier,
        and_(
            earlier.c.id < _MESSAGE.c.id,
            or_(*(earlier.c.kind == kind for kind in CALENDAR_KINDS)),
            or_(earlier.c.state == "sent", earlier.c.attempts > 0),
        ),
    )


def _has_nearer() -> ColumnElement[bool]:
    later = _MESSAGE.alias("nearer")
    return _has(
        later,
        and_(later.c.id > _MESSAGE.c.id, later.c.kind == "reminder", later.c.state != "dropped"),
    )


def _first(*, by_person: bool) -> ScalarSelect[Any]:
    """The Message-ID of the first letter about the meeting, so that mails stay together."""
    first = _MESSAGE.alias("first_p" if by_person else "first_s")
    return (
        select(first.c.message_id)
        .where(
            _same_reader(first, by_person=by_person),
            first.c.id < _MESSAGE.c.id,
            first.c.state == "sent",
        )
        .order_by(first.c.id)
        .limit(1)
        .scalar_subquery()
    )


_HELD = Listed(
    lambda among: _grounds(
        and_(among(_MESSAGE.c.id), _MESSAGE.c.lease_token == bindparam("token"))
    ).with_for_update(of=_MESSAGE)
)
_ONE = Prepared(lambda _: _grounds(_MESSAGE.c.id == bindparam("message")))
_BODY = Prepared(lambda _: select(_MESSAGE.c.body).where(_MESSAGE.c.id == bindparam("message")))
