"""The weekly digest: what the coming week holds for a unit, to those who look after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from gateways.calendar import Organizer, event_block, published
from gateways.languages import said
from gateways.mail import Button, Letter, Mailbox, Sitting, is_address
from models import Account, Meeting, MeetingSpeaker, RoleGrant, Unit
from rules.calendar import neutral, spoken_time
from rules.days import instant, local_day
from rules.refusals import N_
from services import outbox
from services.clock import first_run
from services.feed_choice import unit_meetings
from services.meeting_facts import facts_of, organizer_of
from services.office import office
from services.settings import setting_flag
from services.transaction import reading, writing

ROLES = ("instructor", "staff")
DAYS = 7


@dataclass(frozen=True)
class _Digest:
    """One account's letter, ready to be put in line."""

    account: Account
    letter: Letter
    subject: str
    calendar: bytes


def send_weekly(slot: datetime, *, now: datetime) -> int:
    """Write to everybody with a role over a unit about its meetings of the coming week, as a table
    and as one calendar file; gives how many were written to. A week without meetings says nothing.
    """
    session = reading()
    session.rollback()
    written = _digests(session, slot, now)
    session.rollback()
    with writing() as session:
        if not first_run(session, "weekly_digest", slot, now=now):
            return 0
        for one in written:
            outbox.enqueue_letter(
                session,
                one.letter,
                kind="digest",
                to=Mailbox(one.account.email, one.account.name),
                subject=one.subject,
                dedup_key=f"digest:{slot:%Y%m%d}:a{one.account.id}",
                now=now,
                due_at=slot,
                attached=one.calendar,
                account_id=one.account.id,
            )
        return len(written)


def _digests(session: Session, slot: datetime, now: datetime) -> list[_Digest]:
    organizer = organizer_of(session)
    is_neutral = setting_flag(session, "neutral_titles")
    units: dict[int, set[int]] = {}
    accounts: dict[int, Account] = {}
    grants = session.execute(
        select(Account, RoleGrant.unit_id)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(Account.is_active, RoleGrant.unit_id.is_not(None), RoleGrant.role.in_(ROLES))
        .order_by(Account.id)
    )
    for account, unit_id in grants:
        if is_address(account.email):
            accounts[account.id] = account
            units.setdefault(account.id, set()).add(unit_id or 0)
    found = []
    for account_id, unit_ids in units.items():
        if meetings := _week(session, unit_ids, slot, now):
            named = _named(session, unit_ids)
            account = accounts[account_id]
            found.append(_digest(account, named, meetings, organizer, is_neutral, slot))
    return found


def _named(session: Session, unit_ids: set[int]) -> str:
    """What the table is headed with: the units that somebody looks after."""
    names = select(Unit.name).where(Unit.id.in_(unit_ids)).order_by(Unit.position, Unit.id)
    return ", ".join(session.scalars(names))


def _week(session: Session, unit_ids: set[int], slot: datetime, now: datetime) -> list[Meeting]:
    """The seven whole days after the letter's own, so that each meeting is in one letter."""
    first = instant(local_day(slot) + timedelta(days=1), time())
    chosen = [Meeting.id.in_(unit_meetings(session, unit, now)) for unit in sorted(unit_ids)]
    return list(
        session.scalars(
            select(Meeting)
            .where(
                or_(*chosen),
                Meeting.state == "published",
                Meeting.starts_at >= first,
                Meeting.starts_at < first + timedelta(days=DAYS),
            )
            .order_by(Meeting.starts_at, Meeting.id)
            .options(
                joinedload(Meeting.venue),
                selectinload(Meeting.speakers).joinedload(MeetingSpeaker.speaker),
                selectinload(Meeting.points),
            )
        )
    )


def _digest(
    account: Account,
    units: str,
    meetings: Sequence[Meeting],
    organizer: Organizer,
    is_neutral: bool,
    slot: datetime,
) -> _Digest:
    """The table tells the topics; the calendar file is as private as the board's feeds."""
    language = account.language or "vi"
    say = partial(said, language)
    facts = [facts_of(meeting) for meeting in meetings]
    first = local_day(slot) + timedelta(days=1)
    subject = say(
        N_("Lịch tuần từ %(day)s: %(count)s buổi"), day=f"{first:%d/%m/%Y}", count=len(meetings)
    )
    letter = Letter(
        greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=account.name),
        paragraphs=[
            say(N_("Tuần tới đơn vị đồng chí phụ trách có %(count)s buổi."), count=len(meetings)),
            say(N_("Có thể in thư này để dán bảng; tệp lich.ics đưa cả tuần vào lịch của máy.")),
        ],
        table_title=say(
            N_("Lịch của %(units)s, tuần từ %(day)s"), units=units, day=f"{first:%d/%m/%Y}"
        ),
        sittings=[_line(meeting, language) for meeting in meetings],
        buttons=[Button(say(N_("Mở lịch")), f"{office().public_url}/planning/")],
        closing=say(N_("Trân trọng,\n%(organiser)s"), organiser=organizer.name),
        language=language,
    )
    shown = [neutral(one) if is_neutral else one for one in facts]
    return _Digest(
        account, letter, subject, published(event_block(one, organizer) for one in shown)
    )


def _line(meeting: Meeting, language: str) -> Sitting:
    facts = facts_of(meeting)
    speakers = ", ".join(link.speaker.name for link in meeting.speakers)
    return Sitting(
        when=spoken_time(facts.starts_at, facts.ends_at, language),
        place=facts.location or facts.online_url,
        topic=facts.summary,
        note=said(language, N_("Báo cáo viên: %(names)s"), names=speakers) if speakers else "",
    )
