"""Links that open one meeting's register without an account, and whom they stand for."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import Session

from models import Meeting, MeetingLink, MeetingSpeaker, Speaker
from rules.days import instant, local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import meeting_for
from services.prepared import Prepared
from services.settings import setting_number
from services.tokens import new_token, token_hash
from services.transaction import glance, reading, writing

MAKERS = ("staff", "instructor")
HELPER = "Người giúp điểm danh"
TAKER = "Người điểm danh"

_LINK: Any = inspect(MeetingLink).local_table
_MEETING: Any = inspect(Meeting).local_table
# Asked at every tap of every phone: written down once, over plain tables.
_ALIVE = Prepared(
    lambda _: (
        select(_LINK.c.id, _LINK.c.meeting_id, _LINK.c.label, _LINK.c.can_submit)
        .join(_MEETING, _MEETING.c.id == _LINK.c.meeting_id)
        .where(
            _LINK.c.token_hash == bindparam("token_hash"),
            _LINK.c.valid_from <= bindparam("now"),
            _LINK.c.expires_at > bindparam("now"),
            _LINK.c.revoked_at.is_(None),
            _MEETING.c.state != "cancelled",
        )
    )
)


@dataclass(frozen=True)
class MadeLink:
    """A link just made; the token is shown once and kept only as a hash."""

    id: int
    token: str
    valid_from: datetime
    expires_at: datetime


@dataclass(frozen=True)
class LinkRow:
    """A link of a meeting, as the list shows it."""

    id: int
    label: str
    can_submit: bool
    valid_from: datetime
    expires_at: datetime
    revoked_at: datetime | None
    is_alive: bool


def create_meeting_link(
    meeting_id: int, *, label: str = "", can_submit: bool = True, now: datetime, by: Actor
) -> MadeLink:
    """Make a link to one meeting's register, alive from some days before its day to as many after.

    `can_submit` False makes a helper's link, which marks but does not hand in. How many days is
    the setting `register_link_days`. Made earlier, it opens at once (the register itself says when
    marks are taken); made later, it lives that long from now. Earlier links stay until revoked.
    The holder of the meeting's own link may make helpers' links, and a helper none.
    """
    _refuse_helpers(by, makes_own=can_submit)
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), *MAKERS)
        return add_meeting_link(session, meeting, label, can_submit=can_submit, now=now, by=by)


def add_meeting_link(
    session: Session,
    meeting: Meeting,
    label: str = "",
    *,
    can_submit: bool = True,
    speaker_id: int | None = None,
    now: datetime,
    by: Actor,
) -> MadeLink:
    """The same in the caller's transaction, once the caller has checked the meeting's scope.

    A speaker's name labels the link when no label is given, and stands beside their marks.
    """
    if meeting.state == "cancelled":
        raise Refusal(N_("Buổi này đã huỷ nên không tạo được đường điểm danh."))
    label = clean(label)
    if len(label) > 120:
        raise Malformed(N_("Nhãn của đường điểm danh không quá 120 ký tự."))
    if not label:
        label = _speaker_name(session, meeting.id) if can_submit else HELPER
    token = new_token()
    row = MeetingLink(token_hash=token_hash(token), meeting_id=meeting.id, label=label)
    row.can_submit, row.speaker_id = can_submit, speaker_id
    row.created_at, row.created_by_id = now, by.account_id
    row.valid_from, row.expires_at = _span(session, meeting, now)
    session.add(row)
    session.flush()
    audit.record(
        session,
        now=now,
        by=by,
        action="link_made",
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        link_id=row.id,
        can_submit=can_submit,
    )
    return MadeLink(row.id, token, row.valid_from, row.expires_at)


def _refuse_helpers(by: Actor, *, makes_own: bool = False) -> None:
    """A helper invites nobody, and whoever came by a link hands on less than they hold."""
    if by.meeting_id is not None and (makes_own or not by.can_submit):
        raise NotAllowed(
            N_("Đường của bạn không mời thêm được người này. Hãy báo người phụ trách buổi.")
        )


def _span(session: Session, meeting: Meeting, now: datetime) -> tuple[datetime, datetime]:
    days = timedelta(days=setting_number(session, "register_link_days"))
    first, last = local_day(meeting.starts_at), local_day(max(meeting.ends_at, now))
    opens = instant(first - days, time(0))
    return min(opens, now), instant(last + days + timedelta(days=1), time(0))


def _speaker_name(session: Session, meeting_id: int) -> str:
    name = session.scalar(
        select(Speaker.name)
        .join(MeetingSpeaker, MeetingSpeaker.speaker_id == Speaker.id)
        .where(MeetingSpeaker.meeting_id == meeting_id)
        .order_by(MeetingSpeaker.position)
        .limit(1)
    )
    return (name or "")[:120]


def revoke_meeting_link(meeting_id: int, link_id: int, *, now: datetime, by: Actor) -> None:
    """Make a link worth nothing from now on; the holder of a link ends helpers' links only."""
    _refuse_helpers(by)
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), *MAKERS)
        row = session.scalar(
            select(MeetingLink).where(
                MeetingLink.id == link_id, MeetingLink.meeting_id == meeting.id
            )
        )
        if row is None or (by.meeting_id is not None and row.can_submit):
            raise NotFound(N_("Không tìm thấy đường điểm danh này."))
        if row.revoked_at is None:
            row.revoked_at = now
            audit.record(
                session,
                now=now,
                by=by,
                action="link_revoked",
                entity="meeting",
                entity_id=meeting.id,
                unit_id=meeting.organiser_id,
                link_id=row.id,
            )


def actor_of_link(token: str, *, now: datetime) -> Actor | None:
    """Whom a link's token stands for now: an actor for that one meeting, or None.

    None alike when it is unknown, too early, too late, revoked, or its meeting cancelled.
    """
    with glance() as wire:
        found = _ALIVE.rows(wire, token_hash=token_hash(token), now=now)
    if not found:
        return None
    [(link_id, meeting_id, label, can_submit)] = found
    return Actor(name=label or TAKER, meeting_id=meeting_id, link_id=link_id, can_submit=can_submit)


def meeting_links(meeting_id: int, *, now: datetime, by: Actor) -> list[LinkRow]:
    """The links of a meeting, newest first, without their tokens; a link's holder sees helpers'."""
    _refuse_helpers(by)
    session = reading()
    meeting = meeting_for(session, by, meeting_id, local_day(now), *MAKERS)
    rows = session.scalars(
        select(MeetingLink)
        .where(MeetingLink.meeting_id == meeting.id)
        .order_by(MeetingLink.id.desc())
    )
    return [
        LinkRow(
            row.id,
            row.label,
            row.can_submit,
            row.valid_from,
            row.expires_at,
            row.revoked_at,
            row.revoked_at is None and row.valid_from <= now < row.expires_at,
        )
        for row in rows
        if by.meeting_id is None or not row.can_submit
    ]
