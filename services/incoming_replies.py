"""Mail that comes back: answers are put on invitations, bounces flag addresses, doubts wait for staff."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from gateways.errors import GatewayError
from gateways.imap import FetchedMail, ImapMailroom, Mailroom
from gateways.replies import message_key, read_mail
from models import (
    IncomingReply,
    Invitation,
    Meeting,
    MeetingSpeaker,
    Membership,
    OutgoingMessage,
    Person,
    Setting,
    Speaker,
)
from rules.days import local_day
from rules.outbox import CALENDAR_KINDS
from rules.permissions import SYSTEM, Actor
from rules.refusals import N_, NotFound, Refusal
from rules.replies import (
    ANSWERS,
    Bounce,
    CalendarAnswer,
    GuestRecord,
    Judgement,
    Occasion,
    Proof,
    ReceivedMail,
    judge_answer,
    stamp_of,
    token_in,
)
from services import access, audit, installation, sending
from services.clock import first_run
from services.meeting_facts import OFF_STATES
from services.office import office
from services.settings import setting_flag
from services.transaction import reading, writing

LOOK_EVERY = timedelta(minutes=1)
MAILS_A_LOOK = 50
# A mailbox that is read for the first time may hold years of unread mail.
LOOK_BACK = timedelta(days=30)
KEPT_WHOLE = timedelta(days=30)
LISTED = 200
LOOKED_KEY = "replies_looked_at"
TROUBLE_KEY = "replies_trouble"
ANSWERER = Actor("Người được mời")


@dataclass(frozen=True)
class ReviewLine:
    """One mail that somebody must look at, as the page lists it; `can_use` when it could count."""

    id: int
    received_at: datetime
    kind: str
    reason: str
    from_address: str
    subject: str
    comment: str
    name: str
    partstat: str
    meeting_id: int | None
    topic: str
    starts_at: datetime | None
    proposed_start: datetime | None
    proposed_end: datetime | None
    can_use: bool


@dataclass
class _Guest:
    """The one invited whom an answer is about."""

    key: str
    row: Invitation | MeetingSpeaker
    told_sequence: int
    person_id: int | None = None
    speaker_id: int | None = None


def take_new(*, now: datetime) -> int:
    """Look into the mailbox of the settings, at most once a minute; gives how many mails were new.

    A mailbox that cannot be reached is noted where staff see it, and tried again.
    """
    settings = office().imap
    if settings is None or installation.holds_mail() or not _may_look(now):
        return 0
    mailroom = ImapMailroom(settings)
    trouble, taken = "", 0
    try:
        taken = take_replies(mailroom, now=now)
    except GatewayError as error:
        trouble = str(error)
    finally:
        mailroom.close()
    with writing() as session:
        _set(session, TROUBLE_KEY, trouble)
    return taken


def take_replies(mailroom: Mailroom, *, now: datetime) -> int:
    """Take in what nobody has read yet, one mail a transaction; gives how many were new.

    A mail is marked as read only after the commit, so that one taken in twice (its key is known)
    changes nothing and none is lost.
    """
    taken = 0
    for mail in mailroom.new_mails(MAILS_A_LOOK, local_day(now - LOOK_BACK)):
        taken += _take(mail, now)
        mailroom.mark_read(mail.uid)
    return taken


def settle(reply_id: int, *, use: bool, now: datetime, by: Actor) -> None:
    """Close one mail of the review list: count it as the guest's answer after all, or lay it by."""
    with writing() as session:
        row = session.scalar(
            select(IncomingReply).where(IncomingReply.id == reply_id, _open(by, now))
        )
        if row is None:
            raise NotFound(N_("Không tìm thấy thư này trong các thư chờ xem."))
        if use:
            _use(session, row, now, by)
        else:
            row.verdict, row.reason = "ignored", "settled"
        row.reviewed_at, row.reviewed_by_id = now, by.account_id
        audit.record(
            session,
            now=now,
            by=by,
            action="settled",
            entity="incoming_reply",
            entity_id=row.id,
            used=use,
            meeting=row.meeting_id,
            person=row.person_id,
        )


def forget_old_mails(slot: datetime, *, now: datetime) -> None:
    """Keep what was decided, and let go of the mails themselves after thirty days."""
    with writing() as session:
        if first_run(session, "forget_old_mails", slot, now=now):
            session.execute(
                update(IncomingReply)
                .where(IncomingReply.received_at < now - KEPT_WHOLE)
                .values(raw=b"", comment="", from_address="", subject="")
                .execution_options(synchronize_session=False)
            )


def review_lines(*, now: datetime, by: Actor) -> list[ReviewLine]:
    """The mails that wait for somebody within the actor's scope, oldest first."""
    rows = reading().execute(
        select(IncomingReply, Meeting.topic, Meeting.starts_at, Person.full_name, Speaker.name)
        .outerjoin(Meeting, Meeting.id == IncomingReply.meeting_id)
        .outerjoin(Person, Person.id == IncomingReply.person_id)
        .outerjoin(Speaker, Speaker.id == IncomingReply.speaker_id)
        .where(_open(by, now))
        .order_by(IncomingReply.received_at, IncomingReply.id)
        .limit(LISTED)
    )
    return [
        ReviewLine(
            id=row.id,
            received_at=row.received_at,
            kind=row.kind,
            reason=row.reason,
            from_address=row.from_address,
            subject=row.subject,
            comment=row.comment,
            name=full_name or speaker_name or "",
            partstat=ANSWERS.get(row.partstat, ""),
            meeting_id=row.meeting_id,
            topic=topic or "",
            starts_at=starts_at,
            proposed_start=row.proposed_start if row.kind == "counter" else None,
            proposed_end=row.proposed_end if row.kind == "counter" else None,
            can_use=_can_use(row) and starts_at is not None and starts_at > now,
        )
        for row, topic, starts_at, full_name, speaker_name in rows
    ]


def trouble() -> str:
    """Why the mailbox could not be read at the last look, or nothing."""
    row = reading().get(Setting, TROUBLE_KEY)
    return row.value if row else ""


def is_read() -> bool:
    """Whether a mailbox is set at all."""
    return office().imap is not None


def _may_look(now: datetime) -> bool:
    """Claim this look; of several clocks one looks."""
    with writing() as session:
        row = session.get(Setting, LOOKED_KEY)
        if row and row.value and datetime.fromisoformat(row.value) > now - LOOK_EVERY:
            return False
        _set(session, LOOKED_KEY, now.isoformat())
        return True


def _set(session: Session, key: str, value: str) -> None:
    row = session.get(Setting, key)
    if row is None and value:
        session.add(Setting(key=key, value=value[:500]))
    elif row is not None and row.value != value[:500]:
        row.value = value[:500]


def _take(mail: FetchedMail, now: datetime) -> bool:
    key = message_key(mail.content)
    received, reason = _read(mail, key)
    with writing() as session:
        known = select(IncomingReply.id).where(IncomingReply.message_key == key)
        if session.scalar(known) is not None:
            return False
        row = IncomingReply(
            message_key=key,
            kind=received.kind,
            from_address=received.from_address,
            subject=received.subject,
            raw=mail.content,
            received_at=now,
        )
        judgement = Judgement("for_review", reason)
        if not reason:
            judgement = _judged(session, row, received, now)
        row.verdict, row.reason = judgement.verdict, judgement.reason
        session.add(row)
        return True


def _read(mail: FetchedMail, key: str) -> tuple[ReceivedMail, str]:
    """The mail as read, and why it could not be read if so."""
    unread = ReceivedMail(key, "unreadable", "", (), "")
    if not mail.is_whole:
        return unread, "too_large"
    try:
        return read_mail(mail.content), ""
    except GatewayError:
        return unread, "unreadable"


def _judged(
    session: Session, row: IncomingReply, received: ReceivedMail, now: datetime
) -> Judgement:
    if received.answer is not None and received.kind in ("reply", "counter"):
        return _take_answer(session, row, received, received.answer, now)
    if received.bounce is not None:
        return _take_bounce(session, row, received.bounce, now)
    if received.kind == "automatic":
        return Judgement("ignored", "automatic")
    row.person_id = _person_of(session, received.from_address)
    return Judgement("for_review", "letter")


def _take_answer(
    session: Session,
    row: IncomingReply,
    received: ReceivedMail,
    answer: CalendarAnswer,
    now: datetime,
) -> Judgement:
    """Keep what the answer says on its row, judge it, and put it on the invitation if it counts."""
    row.uid, row.partstat, row.comment = answer.uid, answer.partstat, answer.comment
    row.attendee = answer.attendees[0] if answer.attendees else ""
    row.sequence, row.stamped_at = answer.sequence, stamp_of(answer, now)
    row.proposed_start, row.proposed_end = answer.starts_at, answer.ends_at
    meeting = session.scalar(select(Meeting).where(Meeting.uid == answer.uid))
    if meeting is None:
        return judge_answer(answer, Proof(""), None, None, received_at=now)
    row.meeting_id = meeting.id
    guests = _guests(session, meeting, row.attendee)
    secret = office().secret_key
    tokens = {one.key: token_in(received.to_addresses, secret, one.key) for one in guests}
    right = [one for one in guests if tokens[one.key] == "right"]
    if len(guests) > 1 and len(right) != 1:
        return Judgement("for_review", "shared_address")
    guest = next(iter(right or guests), None)
    token = tokens[guest.key] if guest else "none"
    proof = Proof(received.from_address, token, setting_flag(session, "reply_addresses"))
    occasion = Occasion(meeting.sequence, meeting.starts_at, meeting.state in OFF_STATES)
    if guest is not None:
        row.person_id, row.speaker_id = guest.person_id, guest.speaker_id
    record = _record(session, row, guest) if guest else None
    judgement = judge_answer(answer, proof, occasion, record, received_at=now)
    if judgement.verdict == "accepted" and guest is not None:
        _put(session, meeting, guest, judgement.reply, row.stamped_at, now=now, by=ANSWERER)
    return judgement


def _guests(session: Session, meeting: Meeting, address: str) -> list[_Guest]:
    """Those on the list whom a letter about the meeting went to at this address."""
    told = session.execute(
        select(
            OutgoingMessage.person_id,
            OutgoingMessage.speaker_id,
            func.max(OutgoingMessage.sequence),
        )
        .where(
            OutgoingMessage.meeting_id == meeting.id,
            func.lower(OutgoingMessage.to_address) == address,
            OutgoingMessage.kind.in_(CALENDAR_KINDS),
            OutgoingMessage.state.not_in(("dropped", "dead")),
        )
        .group_by(OutgoingMessage.person_id, OutgoingMessage.speaker_id)
    ).all()
    found = [_guest(session, meeting, *one) for one in told]
    return [one for one in found if one is not None]


def _guest(
    session: Session, meeting: Meeting, person_id: int | None, speaker_id: int | None, told: int
) -> _Guest | None:
    if speaker_id is not None:
        link = session.get(MeetingSpeaker, (meeting.id, speaker_id))
        key = f"s{meeting.id}-{speaker_id}"
        return _Guest(key, link, told, speaker_id=speaker_id) if link else None
    row = session.scalar(
        select(Invitation).where(
            Invitation.meeting_id == meeting.id,
            Invitation.person_id == person_id,
            Invitation.removed_at.is_(None),
        )
    )
    return _Guest(f"i{row.id}", row, told, person_id=person_id) if row else None


def _record(session: Session, row: IncomingReply, guest: _Guest) -> GuestRecord:
    newest = session.execute(
        select(IncomingReply.sequence, IncomingReply.stamped_at)
        .where(
            IncomingReply.meeting_id == row.meeting_id,
            IncomingReply.verdict == "accepted",
            IncomingReply.person_id == guest.person_id
            if guest.person_id is not None
            else IncomingReply.speaker_id == guest.speaker_id,
        )
        .order_by(IncomingReply.sequence.desc(), IncomingReply.stamped_at.desc())
        .limit(1)
    ).first()
    pair = (newest.sequence, newest.stamped_at) if newest and newest.stamped_at else None
    return GuestRecord(row.attendee, guest.told_sequence, pair, guest.row.replied_at)


def _put(
    session: Session,
    meeting: Meeting,
    guest: _Guest,
    reply: str,
    answered_at: datetime | None,
    *,
    now: datetime,
    by: Actor,
) -> None:
    """Write an answer where every list reads it; it never marks attendance."""
    guest.row.reply, guest.row.replied_at = reply, answered_at or now
    if isinstance(guest.row, Invitation):
        guest.row.excused = guest.row.excused and reply == "declined"
    audit.record(
        session,
        now=now,
        by=by,
        action="replied",
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        answer=reply,
        guest=guest.key,
        way="mail",
    )


def _take_bounce(session: Session, row: IncomingReply, bounce: Bounce, now: datetime) -> Judgement:
    """Flag an address only for a letter that did leave for exactly that address."""
    row.attendee = bounce.address
    if not bounce.is_final:
        return Judgement("ignored", "delayed")
    message = session.scalar(
        select(OutgoingMessage).where(
            OutgoingMessage.message_id == bounce.message_id,
            func.lower(OutgoingMessage.to_address) == bounce.address,
            OutgoingMessage.state == "sent",
        )
    )
    if message is None:
        return Judgement("for_review", "unknown_bounce")
    row.meeting_id, row.person_id = message.meeting_id, message.person_id
    row.speaker_id = message.speaker_id
    if message.person_id is None:
        return Judgement("for_review", "speaker_bounce")
    sending.mark_address(session, message, now)
    audit.record(
        session,
        now=now,
        by=SYSTEM,
        action="bounced",
        entity="person",
        entity_id=message.person_id,
        message=message.id,
    )
    return Judgement("accepted", "known_bounce")


def _person_of(session: Session, address: str) -> int | None:
    """The person who writes, when only one has that address."""
    found = session.scalars(
        select(Person.id).where(func.lower(Person.email) == address, Person.email != "").limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def _open(by: Actor, now: datetime) -> ColumnElement[bool]:
    """What waits for review within the actor's scope: by its meeting, else by its writer's cell."""
    access.require_role(by, "staff")
    waits = and_(IncomingReply.verdict == "for_review", IncomingReply.reviewed_at.is_(None))
    granted = access.granted_unit_ids(by, "staff")
    if granted is None:
        return waits
    on = local_day(now)
    meetings = select(Meeting.id).where(access.meetings_visible_to(by, on, "staff"))
    members = select(Membership.person_id).where(
        or_(Membership.valid_to.is_(None), Membership.valid_to > on),
        Membership.unit_id.in_(access.subtree(granted, on)),
    )
    return and_(
        waits,
        or_(
            IncomingReply.meeting_id.in_(meetings),
            and_(IncomingReply.meeting_id.is_(None), IncomingReply.person_id.in_(members)),
        ),
    )


def _can_use(row: IncomingReply) -> bool:
    known = row.person_id is not None or row.speaker_id is not None
    return row.kind == "reply" and known and row.partstat in ANSWERS


def _use(session: Session, row: IncomingReply, now: datetime, by: Actor) -> None:
    meeting = session.get(Meeting, row.meeting_id) if row.meeting_id else None
    guest = None
    if meeting is not None and _can_use(row):
        guest = _guest(session, meeting, row.person_id, row.speaker_id, row.sequence)
    if meeting is None or guest is None:
        raise Refusal(N_("Thư này không ghi được thành câu trả lời. Hãy gọi hỏi người dự."))
    if meeting.state in OFF_STATES or meeting.starts_at <= now:
        raise Refusal(N_("Buổi đã bắt đầu hoặc đã huỷ nên không ghi câu trả lời nữa."))
    row.verdict, row.reason = "accepted", ""
    _put(session, meeting, guest, ANSWERS[row.partstat], row.stamped_at, now=now, by=by)
