"""Reminders before meetings, and the chasing of what is left undone; each is a row before a mail."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateways.mail import Button, Letter, Mailbox, is_address
from models import (
    Account,
    CallListEntry,
    Campaign,
    Invitation,
    Meeting,
    MeetingSpeaker,
    Person,
    ReminderRule,
    RoleGrant,
    Speaker,
    UnitParent,
)
from rules.calendar import spoken_time
from rules.clock import reminder_slot
from rules.coverage import Gap, HouseholdFigure, MemberFigure, number_text
from rules.days import local_day
from rules.permissions import SYSTEM, Actor
from rules.refusals import N_, NotFound
from rules.signing import unsign
from services import audit, coverage_board, letters, outbox
from services.access import on_day
from services.clock import first_run
from services.meeting_facts import facts_of
from services.office import office
from services.settings import wants_mail
from services.transaction import reading, writing

USUAL_MINUTES = (7 * 24 * 60, 24 * 60, 120)
CHASE_AFTER = timedelta(hours=2)
CHASE_FOR = timedelta(days=3)
RISK_DAYS = (14, 7, 3, 1)
MONDAY = 0
_EVERYWHERE = ("staff", "admin")


@dataclass(frozen=True)
class _Due:
    """A reminder that is due: of which meeting, by which rule, since when."""

    meeting: Meeting
    rule_id: int
    slot: datetime
    minutes_before: int


def make_usual_rules(*, now: datetime) -> None:
    """Remind 7 days, 1 day and 2 hours before, unless the board has rules of its own already.

    Two clocks that start together make them once: the hour is the slot.
    """
    with writing() as session:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if session.scalar(select(ReminderRule.id).limit(1)) is None and first_run(
            session, "make_usual_rules", hour, now=now
        ):
            session.add_all(
                ReminderRule(kind=None, minutes_before=minutes, is_active=True)
                for minutes in USUAL_MINUTES
            )
            audit.record(
                session,
                now=now,
                by=SYSTEM,
                action="created",
                entity="reminder_rule",
                entity_id="usual",
                minutes=USUAL_MINUTES,
            )


def remind(*, now: datetime) -> int:
    """Write the reminders that have fallen due; gives how many mails.

    The slot of a rule and meeting is the moment the reminder is for, so a moved meeting is
    reminded of anew and a clock that ticks twice reminds once.
    """
    session = reading()
    session.rollback()
    due = _due_reminders(session, now)
    session.rollback()
    if not due:
        return 0
    mails = 0
    with writing() as session:
        for one in due:
            meeting = session.get_one(Meeting, one.meeting.id)
            if first_run(session, f"remind:{one.rule_id}:{meeting.id}", one.slot, now=now):
                mails += _remind_of(session, meeting, one, now)
    return mails


def chase_registers(slot: datetime, *, now: datetime) -> int:
    """Ask once a day for registers that nobody took or submitted; gives how many were chased.

    The speakers of each meeting are asked by mail or by call; the organiser's staff get one
    letter that lists them all.
    """
    with writing() as session:
        if not first_run(session, "chase_registers", slot, now=now):
            return 0
        meetings = _registers_not_taken(session, now)
        by_organiser: dict[int, list[Meeting]] = defaultdict(list)
        for meeting in meetings:
            _chase_speakers(session, meeting, slot, now)
            by_organiser[meeting.organiser_id].append(meeting)
        lists: dict[int, list[Meeting]] = defaultdict(list)
        accounts: dict[int, Account] = {}
        for organiser_id, theirs in by_organiser.items():
            for account in staff_of(session, organiser_id, local_day(now)):
                accounts[account.id] = account
                lists[account.id] += theirs
        for account_id, theirs in lists.items():
            _chase_staff(session, accounts[account_id], theirs, slot, now)
        return len(meetings)


def warn_of_risk(slot: datetime, *, now: datetime) -> int:
    """Tell staff that a target is not met 14, 7, 3 and 1 days before the deadline; gives how many.

    Every Monday before that as well, once the seats planned cannot close the gap any more.
    """
    session = reading()
    session.rollback()
    today = local_day(now)
    warnings = [(campaign, lines) for campaign, lines in _at_risk(session, now) if lines]
    session.rollback()
    with writing() as session:
        if not first_run(session, "warn_of_risk", slot, now=now):
            return 0
        for campaign, lines in warnings:
            for account in staff_of(session, campaign.owner_unit_id, today):
                _warn(session, account, campaign, lines, slot, now)
        return len(warnings)


def opt_out(signed: str, *, wants: bool, now: datetime) -> None:
    """Stop (or start again) the reminders of the person whom a signed link names."""
    person_id = _opt_out_person(signed)
    with writing() as session:
        person = session.get(Person, person_id)
        if person is None:
            raise _unknown_link()
        if person.wants_reminders != wants:
            person.wants_reminders = wants
            audit.record(
                session,
                now=now,
                by=Actor("Người nhận thư"),
                action="opted_in" if wants else "opted_out",
                entity="person",
                entity_id=person.id,
            )


def wants_reminders(signed: str) -> bool:
    """Whether the person whom a signed link names gets reminders now."""
    person = reading().get(Person, _opt_out_person(signed))
    if person is None:
        raise _unknown_link()
    return person.wants_reminders


def _opt_out_person(signed: str) -> int:
    subject = unsign(office().secret_key, letters.OPT_OUT_PURPOSE, signed)
    if subject is None or not subject.isdecimal():
        raise _unknown_link()
    return int(subject)


def _unknown_link() -> NotFound:
    return NotFound(N_("Liên kết này không còn dùng được. Hãy mở thư mới nhất."))


def _due_reminders(session: Session, now: datetime) -> list[_Due]:
    """Give for each coming meeting the one nearest reminder that is due."""
    rules = session.scalars(select(ReminderRule).where(ReminderRule.is_active)).all()
    if not rules:
        return []
    horizon = now + timedelta(minutes=max(rule.minutes_before for rule in rules))
    coming = session.scalars(
        select(Meeting).where(
            Meeting.state == "published", Meeting.starts_at > now, Meeting.starts_at <= horizon
        )
    )
    due = []
    for meeting in coming:
        slots = [
            _Due(meeting, rule.id, slot, rule.minutes_before)
            for rule in rules
            if rule.kind in (None, meeting.kind)
            and (
                slot := reminder_slot(
                    meeting.starts_at,
                    rule.minutes_before,
                    published_at=meeting.published_at,
                    now=now,
                )
            )
        ]
        if slots:
            due.append(min(slots, key=lambda one: one.minutes_before))
    return due


def _remind_of(session: Session, meeting: Meeting, one: _Due, now: datetime) -> int:
    base = {
        "kind": "reminder",
        "subject": letters.subject_of("reminder", facts_of(meeting))[:400],
        "meeting_id": meeting.id,
        "sequence": meeting.sequence,
        "expires_at": meeting.starts_at,
        "due_at": one.slot,
        "person_id": None,
        "speaker_id": None,
    }
    key = f"reminder:{one.rule_id}:{meeting.id}:{int(one.slot.timestamp())}"
    rows: list[dict[str, Any]] = [
        base
        | {
            "person_id": person_id,
            "to_address": address,
            "to_name": name,
            "dedup_key": f"{key}:p{person_id}",
        }
        for person_id, name, address in session.execute(_people_to_remind(session, meeting))
    ]
    rows += [
        base
        | {
            "speaker_id": speaker.id,
            "to_address": speaker.email,
            "to_name": speaker.name,
            "dedup_key": f"{key}:s{speaker.id}",
        }
        for speaker in _speakers_of(session, meeting)
        if speaker.email
    ]
    outbox.enqueue(session, rows, now=now)
    return len(rows)


def _people_to_remind(session: Session, meeting: Meeting) -> Any:
    """Who is on the list, has not declined, has not opted out and has an address that works."""
    speaking = (
        select(Speaker.person_id)
        .join(MeetingSpeaker, MeetingSpeaker.speaker_id == Speaker.id)
        .where(MeetingSpeaker.meeting_id == meeting.id, Speaker.person_id.is_not(None))
    )
    return (
        select(Person.id, Person.full_name, Person.email)
        .join(Invitation, Invitation.person_id == Person.id)
        .where(
            Invitation.meeting_id == meeting.id,
            Invitation.removed_at.is_(None),
            Invitation.reply != "declined",
            Person.wants_reminders,
            wants_mail(session),
            Person.email.is_not(None),
            Person.email != "",
            Person.email_failing_since.is_(None),
            Person.died_on.is_(None),
            Person.id.not_in(speaking),
        )
        .order_by(Person.id)
    )


def _speakers_of(session: Session, meeting: Meeting) -> list[Speaker]:
    return list(
        session.scalars(
            select(Speaker)
            .join(MeetingSpeaker, MeetingSpeaker.speaker_id == Speaker.id)
            .where(MeetingSpeaker.meeting_id == meeting.id)
            .order_by(MeetingSpeaker.position)
        )
    )


def _registers_not_taken(session: Session, now: datetime) -> list[Meeting]:
    return list(
        session.scalars(
            select(Meeting)
            .where(
                Meeting.state.in_(("published", "held")),
                Meeting.register_state.in_(("not_taken", "draft")),
                Meeting.ends_at <= now - CHASE_AFTER,
                Meeting.ends_at > now - CHASE_FOR,
            )
            .order_by(Meeting.starts_at, Meeting.id)
        )
    )


def _line_of(meeting: Meeting) -> tuple[str, str]:
    return spoken_time(meeting.starts_at, meeting.ends_at), meeting.topic


def _chase_speakers(session: Session, meeting: Meeting, slot: datetime, now: datetime) -> None:
    key = f"chase:{meeting.id}:{slot:%Y%m%d}"
    for speaker in _speakers_of(session, meeting):
        if speaker.email and is_address(speaker.email):
            outbox.enqueue_letter(
                session,
                Letter(
                    greeting=f"Kính gửi đồng chí {speaker.name},",
                    paragraphs=[
                        "Buổi sau đã kết thúc nhưng sổ điểm danh chưa được nộp. "
                        "Đề nghị đồng chí mở lại đường điểm danh và bấm “Nộp sổ”."
                    ],
                    facts=[_line_of(meeting)],
                ),
                kind="chase",
                to=Mailbox(speaker.email, speaker.name),
                subject=f"Chưa nộp sổ điểm danh: {meeting.topic}"[:300],
                dedup_key=f"{key}:s{speaker.id}",
                now=now,
                due_at=slot,
                meeting_id=meeting.id,
                speaker_id=speaker.id,
            )
        else:
            row = {
                "unit_id": meeting.organiser_id,
                "speaker_id": speaker.id,
                "meeting_id": meeting.id,
                "kind": "chase",
                "dedup_key": f"chase:{meeting.id}:s{speaker.id}",
                "text": f"Nhắc nộp sổ điểm danh: {meeting.topic}, {_line_of(meeting)[0]}"[:1000],
                "created_at": now,
            }
            outbox.insert_new(session, CallListEntry, [row])


def _chase_staff(
    session: Session, account: Account, meetings: list[Meeting], slot: datetime, now: datetime
) -> None:
    outbox.enqueue_letter(
        session,
        Letter(
            greeting=f"Kính gửi đồng chí {account.name},",
            paragraphs=[f"Còn {len(meetings)} buổi đã kết thúc mà sổ điểm danh chưa được nộp:"],
            facts=[_line_of(meeting) for meeting in meetings],
            buttons=[Button("Mở danh sách buổi", f"{office().public_url}/meetings/")],
        ),
        kind="chase",
        to=Mailbox(account.email, account.name),
        subject=f"Còn {len(meetings)} sổ điểm danh chưa nộp",
        dedup_key=f"chase:{slot:%Y%m%d}:a{account.id}",
        now=now,
        due_at=slot,
        account_id=account.id,
    )


def staff_of(session: Session, unit_id: int | None, day: date) -> list[Account]:
    """The staff nearest to a unit who can be written to: its own, else those above, else all's."""
    level = unit_id
    while True:
        scope = RoleGrant.unit_id.is_(None) if level is None else RoleGrant.unit_id == level
        roles = RoleGrant.role == "staff" if level is not None else RoleGrant.role.in_(_EVERYWHERE)
        found = session.scalars(
            select(Account)
            .where(
                Account.is_active, Account.id.in_(select(RoleGrant.account_id).where(scope, roles))
            )
            .order_by(Account.id)
        )
        staff = [account for account in found if is_address(account.email)]
        if staff or level is None:
            return staff
        level = session.scalar(
            select(UnitParent.parent_id).where(UnitParent.unit_id == level, on_day(UnitParent, day))
        )


def _at_risk(session: Session, now: datetime) -> Iterable[tuple[Campaign, list[tuple[str, str]]]]:
    """The open campaigns whose turn it is, with what each target and its planned seats lack."""
    today = local_day(now)
    for line in coverage_board.board(now=now, by=SYSTEM):
        figures = line.figures
        days_left = (figures.deadline_on - today).days
        is_monday = today.weekday() == MONDAY and figures.opens_on <= today and days_left >= 0
        if days_left not in RISK_DAYS and not (is_monday and line.is_at_risk):
            continue
        lines = _lacking("Đảng viên", figures.members, line.members)
        if figures.counts_households:
            lines += _lacking("Hộ gia đình", figures.households, line.households)
        yield session.get_one(Campaign, figures.campaign_id), lines


def _lacking(
    label: str, figure: MemberFigure | HouseholdFigure, left: Gap
) -> list[tuple[str, str]]:
    if not figure.short:
        return []
    text = f"còn thiếu {number_text(figure.short)} để đạt {figure.target_percent}%"
    seats = number_text(left.seats_planned)
    if left.can_close:
        return [(label, f"{text}; các buổi đã lên lịch có {seats} chỗ")]
    short = number_text(left.seats_short)
    return [(label, f"{text}; các buổi đã lên lịch chỉ có {seats} chỗ, thiếu {short} chỗ")]


def _warn(
    session: Session,
    account: Account,
    campaign: Campaign,
    lines: list[tuple[str, str]],
    slot: datetime,
    now: datetime,
) -> None:
    days = (campaign.deadline_on - local_day(now)).days
    url = f"{office().public_url}/campaigns/{campaign.code}"
    outbox.enqueue_letter(
        session,
        Letter(
            greeting=f"Kính gửi đồng chí {account.name},",
            paragraphs=[f"Đợt “{campaign.title}” còn {days} ngày mà chỉ tiêu chưa đạt:"],
            facts=lines,
            buttons=[Button("Xem ai còn thiếu và mở buổi học bù", url)],
        ),
        kind="notice",
        to=Mailbox(account.email, account.name),
        subject=f"Còn {days} ngày, chỉ tiêu chưa đạt: {campaign.title}"[:300],
        dedup_key=f"risk:{campaign.id}:{slot:%Y%m%d}:a{account.id}",
        now=now,
        due_at=slot,
        account_id=account.id,
    )
