"""Speakers: who may speak at meetings, each belonging to a unit or to everybody."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models import Account, Meeting, MeetingSpeaker, Speaker, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotAllowed, NotFound
from rules.text import clean, fold, name_sort_key, split_full_name
from services import audit
from services.access import (
    granted_unit_ids,
    meetings_visible_to,
    require_role,
    require_unit,
    within_scope,
)
from services.meeting_facts import reword
from services.people import checked_email, checked_phone
from services.people_lists import word_conditions
from services.transaction import reading, writing

LEVELS = ("central", "province", "ward", "grassroots")


@dataclass(frozen=True)
class SpeakerFacts:
    """A speaker as the form gives it; `account_email` names the account they sign in with."""

    name: str
    title: str = ""
    level: str = "ward"
    unit_id: int | None = None
    phone: str = ""
    email: str = ""
    account_email: str = ""
    is_active: bool = True


@dataclass(frozen=True)
class SpeakerRow:
    """A speaker in the list; `coming` counts meetings still to come."""

    id: int
    name: str
    title: str
    level: str
    unit_id: int | None
    unit_name: str
    phone: str | None
    email: str | None
    account_email: str
    is_active: bool
    coming: int


@dataclass(frozen=True)
class ComingMeeting:
    """A meeting still to come, of a speaker or at a venue."""

    id: int
    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str
    state: str
    reply: str


def save_speaker(speaker_id: int | None, facts: SpeakerFacts, *, now: datetime, by: Actor) -> int:
    """Add a speaker, or change one, and give the id."""
    values = _checked(facts)
    with writing() as session:
        today = local_day(now)
        speaker = Speaker() if speaker_id is None else _speaker_for(session, by, speaker_id, today)
        require_own(session, by, facts.unit_id, today)
        values["account_id"] = _account_id(session, facts.account_email)
        changed = [key for key, value in values.items() if getattr(speaker, key, None) != value]
        for key, value in values.items():
            setattr(speaker, key, value)
        session.add(speaker)
        session.flush()
        if speaker_id is not None and "name" in changed:
            spoken = select(MeetingSpeaker.meeting_id).where(
                MeetingSpeaker.speaker_id == speaker_id
            )
            reword(session, spoken, now)
        if changed:
            audit.record(
                session,
                now=now,
                by=by,
                action="created" if speaker_id is None else "changed",
                entity="speaker",
                entity_id=speaker.id,
                unit_id=facts.unit_id,
                fields=sorted(changed),
            )
        return speaker.id


def require_own(session: Session, by: Actor, unit_id: int | None, today: date) -> None:
    """Refuse what belongs to a unit outside the actor's scope, or to everybody."""
    if unit_id is not None:
        require_unit(session, by, unit_id, today, "staff")
    elif granted_unit_ids(by, "staff") is not None:
        require_role(by, "staff")
        raise NotAllowed(N_("Hãy chọn đơn vị quản lý trong phạm vi của bạn."))


def _speaker_for(session: Session, by: Actor, speaker_id: int, today: date) -> Speaker:
    speaker = session.scalar(
        select(Speaker).where(
            Speaker.id == speaker_id,
            within_scope(by, Speaker.unit_id, today, "staff"),
        )
    )
    if speaker is None:
        raise NotFound(N_("Không tìm thấy báo cáo viên này trong phạm vi của bạn."))
    return speaker


def _checked(facts: SpeakerFacts) -> dict[str, Any]:
    name, title = clean(facts.name), clean(facts.title)
    if not name or len(name) > 180:
        raise Malformed(N_("Hãy ghi họ và tên, không quá 180 ký tự."))
    if len(title) > 200:
        raise Malformed(N_("Chức danh không quá 200 ký tự."))
    if facts.level not in LEVELS:
        raise Malformed(N_("Hãy chọn một cấp trong danh sách."))
    family, given = split_full_name(name)
    return {
        "name": name,
        "fold": fold(name),
        "sort_key": name_sort_key(family, given)[:400],
        "title": title,
        "level": facts.level,
        "unit_id": facts.unit_id,
        "phone": checked_phone(facts.phone),
        "email": checked_email(facts.email),
        "is_active": facts.is_active,
    }


def _account_id(session: Session, email: str) -> int | None:
    wanted = checked_email(email)
    if wanted is None:
        return None
    found = session.scalar(select(Account.id).where(Account.email == wanted))
    if found is None:
        raise Malformed(
            N_("Chưa có tài khoản %(email)s. Để trống, hoặc nhờ quản trị viên thêm."), email=wanted
        )
    return found


def speaker_rows(
    *, query: str = "", everybody: bool = False, now: datetime, by: Actor
) -> list[SpeakerRow]:
    """The speakers one may use, by given name: one's own units' and those of everybody."""
    require_role(by, "staff", "reader")
    session = reading()
    today = local_day(now)
    coming = (
        select(MeetingSpeaker.speaker_id, func.count().label("meetings"))
        .join(Meeting, Meeting.id == MeetingSpeaker.meeting_id)
        .where(Meeting.ends_at > now, Meeting.state.in_(("draft", "published")))
        .group_by(MeetingSpeaker.speaker_id)
        .subquery()
    )
    rows = session.execute(
        select(Speaker, Unit.name, Account.email, func.coalesce(coming.c.meetings, 0))
        .outerjoin(Unit, Unit.id == Speaker.unit_id)
        .outerjoin(Account, Account.id == Speaker.account_id)
        .outerjoin(coming, coming.c.speaker_id == Speaker.id)
        .where(
            or_(Speaker.unit_id.is_(None), within_scope(by, Speaker.unit_id, today)),
            *word_conditions(query, Speaker.fold),
            *([] if everybody else [Speaker.is_active]),
        )
        .order_by(Speaker.sort_key, Speaker.fold, Speaker.id)
    )
    return [_row(speaker, unit, email, count) for speaker, unit, email, count in rows]


def _row(speaker: Speaker, unit: str | None, email: str | None, coming: int) -> SpeakerRow:
    return SpeakerRow(
        id=speaker.id,
        name=speaker.name,
        title=speaker.title,
        level=speaker.level,
        unit_id=speaker.unit_id,
        unit_name=unit or "",
        phone=speaker.phone,
        email=speaker.email,
        account_email=email or "",
        is_active=speaker.is_active,
        coming=coming,
    )


def speaker_page(
    speaker_id: int, *, now: datetime, by: Actor
) -> tuple[SpeakerRow, list[ComingMeeting], bool]:
    """One speaker, their meetings to come that one may see, and whether one may change them."""
    found = [row for row in speaker_rows(everybody=True, now=now, by=by) if row.id == speaker_id]
    if not found:
        raise NotFound(N_("Không tìm thấy báo cáo viên này trong phạm vi của bạn."))
    session = reading()
    today = local_day(now)
    rows = session.execute(
        select(Meeting, MeetingSpeaker.reply)
        .join(MeetingSpeaker, MeetingSpeaker.meeting_id == Meeting.id)
        .where(
            MeetingSpeaker.speaker_id == speaker_id,
            Meeting.ends_at > now,
            Meeting.state.in_(("draft", "published")),
            meetings_visible_to(by, today),
        )
        .order_by(Meeting.starts_at)
    )
    meetings = [_coming(meeting, reply) for meeting, reply in rows]
    return found[0], meetings, _may_change(session, by, found[0].unit_id, today)


def _coming(meeting: Meeting, reply: str) -> ComingMeeting:
    return ComingMeeting(
        meeting.id,
        meeting.topic,
        meeting.starts_at,
        meeting.ends_at,
        meeting.place,
        meeting.state,
        reply,
    )


def _may_change(session: Session, by: Actor, unit_id: int | None, today: date) -> bool:
    try:
        require_own(session, by, unit_id, today)
    except (NotAllowed, NotFound):
        return False
    return True
