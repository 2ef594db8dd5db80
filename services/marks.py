"""What is written as a letter leaves and as it arrives, by plain statements under its sender's token."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, exists, or_, update
from sqlalchemy.orm import Session

from models import Invitation, OutgoingMessage, Setting
from rules.letters import Grounds
from rules.outbox import CALENDAR_KINDS, LEASE
from services import grounds
from services.outbox import FAILURES_KEY, PAUSE_KEY, TROUBLE_KEY
from services.prepared import Prepared

_MESSAGE: Any = OutgoingMessage.__table__
_INVITATION: Any = Invitation.__table__
_SETTING: Any = Setting.__table__
_MINE = and_(_MESSAGE.c.id == bindparam("row"), _MESSAGE.c.lease_token == bindparam("token"))
_MARK = Prepared(
    lambda _: (
        update(_MESSAGE)
        .where(_MINE)
        .values(
            state="sending",
            body=bindparam("bytes"),
            sequence=bindparam("told"),
            lease_until=bindparam("until"),
            attempts=_MESSAGE.c.attempts + 1,
        )
    )
)
_ARRIVED = Prepared(
    lambda _: (
        update(_MESSAGE)
        .where(_MINE)
        .values(
            state="sent",
            sent_at=bindparam("at"),
            lease_token=None,
            lease_until=None,
            last_error="",
        )
    )
)
_TOLD = Prepared(
    lambda _: (
        update(_INVITATION)
        .where(
            _INVITATION.c.meeting_id == bindparam("meeting"),
            _INVITATION.c.person_id == bindparam("person"),
            exists().where(_MINE),
        )
        .values(last_sent_sequence=bindparam("told"), last_told_at=bindparam("at"))
    )
)
_ALL_WELL = Prepared(
    lambda _: (
        update(_SETTING)
        .where(
            or_(*(_SETTING.c.key == key for key in (PAUSE_KEY, TROUBLE_KEY, FAILURES_KEY))),
            _SETTING.c.value != "",
        )
        .values(value="")
    )
)


@dataclass(frozen=True)
class Parcel:
    """One letter ready to leave: its bytes, and the messages that leave in it, oldest first."""

    content: bytes
    messages: tuple[Grounds, ...]

    @property
    def ids(self) -> list[int]:
        """The rows of its messages."""
        return [one.id for one in self.messages]

    def sequence(self, one: Grounds) -> int:
        """The SEQUENCE that the letter tells: the meeting's, or the one of its first writing."""
        if self.messages[0].is_written or one.kind not in CALENDAR_KINDS:
            return one.sequence
        return one.meeting_sequence or 0


def leaves(session: Session, parcel: Parcel, token: str, now: datetime) -> bool:
    """Mark a letter as leaving, if all that it stands on is still so and its sender still holds it."""
    if grounds.held(session, parcel.ids, token) != list(parcel.messages):
        return False
    _MARK.run(session, [_leaving(parcel, one, token, now) for one in parcel.messages])
    return True


def arrived(session: Session, parcel: Parcel, token: str, now: datetime) -> None:
    """Write that a letter arrived: on its guests' invitations, then on its messages."""
    rows = [
        {"row": one.id, "token": token, "at": now, "told": parcel.sequence(one)}
        | {"meeting": one.meeting_id, "person": one.person_id}
        for one in parcel.messages
    ]
    told = [
        row
        for row, one in zip(rows, parcel.messages, strict=True)
        if one.kind in CALENDAR_KINDS and one.person_id is not None
    ]
    if told:
        _TOLD.run(session, told)
    _ARRIVED.run(session, rows)
    _ALL_WELL.run(session, [{}])


def _leaving(parcel: Parcel, one: Grounds, token: str, now: datetime) -> dict[str, Any]:
    """Mark one row as leaving; the bytes are kept with the first of a bundle."""
    return {
        "row": one.id,
        "token": token,
        "bytes": parcel.content if one is parcel.messages[0] else b"",
        "told": parcel.sequence(one),
        "until": now + LEASE,
    }
