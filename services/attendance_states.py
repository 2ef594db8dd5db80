"""What happens to a register as a whole: handed in, locked, asked to be opened again, and its past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, select
from sqlalchemy.orm import Session

from models import (
    Account,
    AuditEntry,
    HeadCount,
    Household,
    Invitation,
    Mark,
    Meeting,
    MeetingLink,
    Membership,
    Person,
    RollEntry,
    UnlockRequest,
    Venue,
    WalkIn,
)
from rules.attendance import (
    BadMark,
    RegisterState,
    Verdict,
    check_unlock_reason,
    next_state,
    state_after_mark,
    verdict,
)
from rules.attendance import Mark as Fact
from rules.days import instant, local_day
from rules.heads import HeadCandidate, parse_head_counts
from rules.meetings import MeetingState
from rules.permissions import SYSTEM, Actor
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean, fold, matches
from services import audit
from services.access import meetings_visible_to, subtree
from services.attendance import meeting_to_write, recount, window_of
from services.attendance_roll import expected_among
from services.attendance_seal import SEALING, ledger_seal
from services.attendance_shown import TAKERS, brief_register, heads_by_label, meeting_to_read
from services.meeting_links import TAKER
from services.settings import setting_number
from services.transaction import reading, writing
from services.units import unit_names_on

REASON_LENGTH = 300
MOST_FOUND = 12
HISTORY_LENGTH = 500
OPENING = ("register_reopened", "unlock_granted")


@dataclass(frozen=True)
class Rights:
    """What this actor may do with a register as a whole."""

    role: str
    may_submit: bool
    may_lock: bool


@dataclass(frozen=True)
class TodaysMeeting:
    """A meeting on the list of registers; `open_request` tells of a wish to open it again."""

    id: int
    topic: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    place: str
    state: str
    register_state: str
    counting: str
    visits: int
    open_request: bool


@dataclass(frozen=True)
class Request:
    """A request to open a locked register, and its answer."""

    id: int
    reason: str
    requested_by: str
    requested_at: datetime
    answer: str | None
    answered_at: datetime | None


@dataclass(frozen=True)
class Event:
    """One line of a register's history; a mark has whom it is about, before and after."""

    at: datetime
    by: str
    action: str
    subject: str = ""
    before: str = ""
    after: str = ""
    flag: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class KnownPerson:
    """Somebody of the roster who is not on this list; `on_roll` False: visits, no coverage."""

    id: int
    name: str
    unit: str
    birth_year: int | None
    on_roll: bool = True


def submit_register(meeting_id: int, *, now: datetime, by: Actor) -> None:
    """Hand the register in; a meeting whose time is past is then held."""
    _step(meeting_id, "submit", "register_submitted", now=now, by=by)


def reopen_register(meeting_id: int, reason: str, *, now: datetime, by: Actor) -> None:
    """Take a register back that was handed in but not locked; the history says why."""
    given = clean(reason)[:REASON_LENGTH]
    if not given:
        raise Refusal(N_("Hãy ghi lý do điểm danh tiếp, ví dụ: ghi sót người đến muộn."))
    _step(meeting_id, "reopen", "register_reopened", now=now, by=by, reason=given)


def lock_register(meeting_id: int, *, now: datetime, by: Actor) -> None:
    """Lock a register that was handed in; from then on opening it needs a reason."""
    _step(meeting_id, "lock", "register_locked", now=now, by=by)


def lock_due_registers(*, now: datetime) -> int:
    """Lock the registers handed in whose meeting ended the set number of days ago; how many."""
    days = setting_number(reading(), "register_lock_days")
    is_due = and_(
        Meeting.register_state == RegisterState.SUBMITTED,
        Meeting.ends_at <= now - timedelta(days=days),
    )
    if reading().scalar(select(Meeting.id).where(is_due).limit(1)) is None:
        return 0
    with writing() as session:
        due = session.scalars(select(Meeting).where(is_due)).all()
        for meeting in due:
            _hold_if_past(session, meeting, now, SYSTEM)
            meeting.register_state = RegisterState.LOCKED.value
            meeting.register_version += 1
            ledger = ledger_seal(session, meeting.id)
            _record(session, meeting, "register_locked", now=now, by=SYSTEM, ledger=ledger)
        return len(due)


def request_unlock(meeting_id: int, reason: str, *, now: datetime, by: Actor) -> int:
    """Ask the board to open a locked register; a request that waits already is not doubled."""
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        given = check_unlock_reason(reason, meeting.topic)[:REASON_LENGTH]
        if meeting.register_state != RegisterState.LOCKED:
            raise Refusal(
                N_("Sổ buổi “%(topic)s” chưa khoá nên không cần mở."), topic=meeting.topic
            )
        waiting = session.scalar(
            select(UnlockRequest.id).where(
                UnlockRequest.meeting_id == meeting.id, UnlockRequest.answer.is_(None)
            )
        )
        if waiting is not None:
            raise Refusal(N_("Đã có yêu cầu mở sổ đang chờ. Hãy đợi Ban trả lời."))
        row = UnlockRequest(
            meeting_id=meeting.id,
            reason=given,
            requested_by=by.name[:180],
            requested_by_id=by.account_id,
            requested_at=now,
        )
        session.add(row)
        session.flush()
        _record(session, meeting, "unlock_requested", now=now, by=by, reason=given)
        return row.id


def answer_unlock(request_id: int, *, granted: bool, now: datetime, by: Actor) -> int:
    """Grant or refuse a request to open a register; gives the meeting's id. Staff only."""
    with writing() as session:
        row = session.get(UnlockRequest, request_id)
        if row is None:
            raise NotFound(N_("Không tìm thấy yêu cầu mở sổ này."))
        meeting = meeting_to_write(session, by, row.meeting_id, now)
        role = _rights(session, meeting, now, by).role
        state = RegisterState(meeting.register_state)
        if row.answer is not None:
            raise Refusal(N_("Yêu cầu này đã có người trả lời. Hãy tải lại trang."))
        if granted:
            meeting.register_state = next_state(
                state, "unlock", role, topic=meeting.topic, reason=row.reason
            ).value
            meeting.register_version += 1
        elif role not in {"staff", "admin"}:
            raise NotAllowed(N_("Chỉ cán bộ Ban được trả lời yêu cầu mở sổ."))
        row.answer = "granted" if granted else "refused"
        row.answered_by_id, row.answered_at = by.account_id, now
        action = "unlock_granted" if granted else "unlock_refused"
        _record(session, meeting, action, now=now, by=by, reason=row.reason)
        return meeting.id


def record_heads(
    meeting_id: int, body: object, *, now: datetime, by: Actor
) -> tuple[list[tuple[str | None, Verdict]], dict[str, Any]]:
    """Write down counts of heads by label; earlier ones stay, the latest of each label counts."""
    candidates = parse_head_counts(body)
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        verdicts, kept = _judge_heads(session, meeting, candidates, now)
        if kept:
            session.execute(
                insert(HeadCount),
                [
                    {
                        "id": one.id,
                        "meeting_id": meeting.id,
                        "label": one.label,
                        "heads": one.heads,
                        "counted_at": one.counted_at,
                        "received_at": now,
                        "counted_by_id": by.account_id,
                        "link_id": by.link_id,
                    }
                    for one in kept
                ],
            )
            recount(session, meeting)
            meeting.register_version += 1
            meeting.register_state = state_after_mark(RegisterState(meeting.register_state)).value
            counts = {one.label or "–": one.heads for one in kept}
            _record(session, meeting, "heads_counted", now=now, by=by, counts=counts)
        register = brief_register(meeting, now)
        return verdicts, register | {"heads": heads_by_label(session, meeting.id)}


def add_guest(meeting_id: int, person_id: int, *, now: datetime, by: Actor) -> str:
    """Put somebody of the roster on this meeting's list; gives the subject to mark."""
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        if meeting.register_state == RegisterState.LOCKED:
            raise Refusal(
                N_("Buổi “%(topic)s” đã khoá sổ. Hãy gửi yêu cầu mở sổ."), topic=meeting.topic
            )
        subject = f"m:{person_id}"
        if expected_among(session, meeting, [subject]):
            return subject
        found = {one.id for one in _findable(session, meeting, Person.id == person_id)}
        if person_id not in found:
            raise NotFound(N_("Không tìm thấy người này. Hãy ghi tên như người dự ngoài."))
        unit = _units_of_day(session, meeting, [person_id]).get(person_id)
        _invite(session, meeting, person_id, unit, now)
        meeting.register_version += 1
        _record(session, meeting, "guest_added", now=now, by=by, person_id=person_id)
        return subject


def _invite(
    session: Session, meeting: Meeting, person_id: int, unit: int | None, now: datetime
) -> None:
    row = session.scalar(
        select(Invitation).where(
            Invitation.meeting_id == meeting.id, Invitation.person_id == person_id
        )
    )
    if row is not None:
        row.removed_at, row.source = None, "person"
        return
    session.add(
        Invitation(
            meeting_id=meeting.id,
            person_id=person_id,
            unit_id=unit,
            source="person",
            created_at=now,
        )
    )


def _step(
    meeting_id: int, action: str, entry: str, *, now: datetime, by: Actor, reason: str = ""
) -> None:
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        role = _rights(session, meeting, now, by).role
        state = RegisterState(meeting.register_state)
        meeting.register_state = next_state(state, action, role, topic=meeting.topic).value
        meeting.register_version += 1
        if action != "reopen":
            _hold_if_past(session, meeting, now, by)
        visits = meeting.visits_count
        sealed = {"ledger": ledger_seal(session, meeting.id)} if action in SEALING else {}
        _record(session, meeting, entry, now=now, by=by, reason=reason, visits=visits, **sealed)


def _hold_if_past(session: Session, meeting: Meeting, now: datetime, by: Actor) -> None:
    if meeting.state == MeetingState.PUBLISHED and meeting.ends_at <= now:
        meeting.state = MeetingState.HELD.value
        _record(session, meeting, "held", now=now, by=by)


def _rights(session: Session, meeting: Meeting, now: datetime, by: Actor) -> Rights:
    """A link's holder is an instructor or a helper; an account is staff where its scope reaches."""
    if by.meeting_id is not None:
        role = "instructor" if by.can_submit else "helper"
    elif by.is_admin:
        role = "admin"
    else:
        mine = meetings_visible_to(by, local_day(now), "staff")
        found = session.scalar(select(Meeting.id).where(Meeting.id == meeting.id, mine))
        role = "staff" if found is not None else "instructor"
    return Rights(role, role != "helper", role in {"staff", "admin"})


def _record(
    session: Session,
    meeting: Meeting,
    action: str,
    *,
    now: datetime,
    by: Actor,
    reason: str = "",
    **details: object,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        reason=reason,
        link_id=by.link_id,
        **details,
    )


def _judge_heads(
    session: Session, meeting: Meeting, candidates: Sequence[HeadCandidate | BadMark], now: datetime
) -> tuple[list[tuple[str | None, Verdict]], list[HeadCandidate]]:
    ids = [one.id for one in candidates if isinstance(one, HeadCandidate)]
    known: dict[str, Fact] = {}
    for row in session.scalars(select(HeadCount).where(HeadCount.id.in_(ids))):
        label = row.label if row.meeting_id == meeting.id else f"{row.meeting_id}/{row.label}"
        known[row.id] = HeadCandidate(row.id, label, row.heads, row.counted_at).as_mark(
            row.received_at
        )
    window = window_of(session, meeting)
    verdicts: list[tuple[str | None, Verdict]] = []
    kept = []
    for one in candidates:
        if isinstance(one, BadMark):
            verdicts.append((one.id, Verdict("refused", one.reason)))
            continue
        fact = one.as_mark(now)
        found = verdict(fact, window, {fact.subject}, known)
        verdicts.append((one.id, found))
        if found.is_kept:
            known[one.id] = fact
            kept.append(one)
    return verdicts, kept


def _units_of_day(session: Session, meeting: Meeting, people: list[int]) -> dict[int, int]:
    day = local_day(meeting.starts_at)
    rows = session.execute(
        select(Membership.person_id, Membership.unit_id).where(
            Membership.person_id.in_(people),
            Membership.valid_from <= day,
            Membership.valid_to.is_(None) | (Membership.valid_to > day),
        )
    )
    return {row[0]: row[1] for row in rows}


def _findable(session: Session, meeting: Meeting, is_wanted: Any) -> list[Person]:
    """The people who may be added by name: of the campaign's roll and of the organiser's units."""
    day = local_day(meeting.starts_at)
    members = select(Membership.person_id).where(
        Membership.unit_id.in_(subtree({meeting.organiser_id}, day)),
        Membership.valid_from <= day,
        Membership.valid_to.is_(None) | (Membership.valid_to > day),
    )
    is_findable: ColumnElement[bool] = Person.id.in_(members)
    if meeting.campaign_id is not None:
        is_findable |= Person.id.in_(_roll(meeting.campaign_id))
    statement = select(Person).where(is_wanted, is_findable, Person.died_on.is_(None))
    return list(session.scalars(statement))


def _roll(campaign_id: int) -> Any:
    """The people whom that campaign has to reach, or has excepted."""
    return select(RollEntry.person_id).where(
        RollEntry.campaign_id == campaign_id,
        RollEntry.state != "removed",
        RollEntry.person_id.is_not(None),
    )


def rights(meeting_id: int, *, now: datetime, by: Actor) -> Rights:
    """What the actor may do with this register."""
    session = reading()
    return _rights(session, meeting_to_read(session, by, meeting_id, now), now, by)


def known_people(meeting_id: int, query: str, *, now: datetime, by: Actor) -> list[KnownPerson]:
    """Members who match a name and are not on the list yet, at most a dozen."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    words = fold(query).split()
    if not words or len(query) > 200:
        raise Malformed(N_("Hãy gõ ít nhất một chữ của họ tên."))
    longest = max(words, key=len)
    found = [
        person
        for person in _findable(session, meeting, Person.fold.contains(longest, autoescape=True))
        if matches(query, person.fold)
    ]
    there = expected_among(session, meeting, [f"m:{one.id}" for one in found])
    found = [one for one in found if f"m:{one.id}" not in there]
    found.sort(key=lambda one: one.sort_key)
    found = found[:MOST_FOUND]
    units = _units_of_day(session, meeting, [one.id for one in found])
    names = unit_names_on(session, units.values(), local_day(meeting.starts_at))
    ids = {one.id for one in found}
    if meeting.campaign_id is not None:
        roll = _roll(meeting.campaign_id)
        ids = set(session.scalars(roll.where(RollEntry.person_id.in_(ids))))
    return [
        KnownPerson(
            one.id,
            one.full_name,
            names.get(units.get(one.id, 0), ""),
            one.birth_year,
            one.id in ids,
        )
        for one in found
    ]


def todays_meetings(*, now: datetime, by: Actor, days: int = 7) -> list[TodaysMeeting]:
    """The meetings whose registers the actor takes: today's first, then the coming, then the past.

    From so many days ago to as many ahead; older ones only while their register is not handed in.
    """
    today = local_day(now)
    first, last = instant(today - timedelta(days=days), _MIDNIGHT), today + timedelta(days=days + 1)
    session = reading()
    asked = set(
        session.scalars(select(UnlockRequest.meeting_id).where(UnlockRequest.answer.is_(None)))
    )
    place = func.coalesce(func.nullif(Meeting.place, ""), Venue.name, "")
    rows = session.execute(
        select(Meeting, place)
        .outerjoin(Venue, Venue.id == Meeting.venue_id)
        .where(
            meetings_visible_to(by, today, *TAKERS),
            Meeting.state.in_(("published", "held")),
            Meeting.starts_at >= first,
            Meeting.starts_at < instant(last, _MIDNIGHT),
        )
        .order_by(Meeting.starts_at)
        .limit(400)
    ).all()
    return [
        TodaysMeeting(
            row.id,
            row.topic,
            row.kind,
            row.starts_at,
            row.ends_at,
            its_place,
            row.state,
            row.register_state,
            row.counting,
            row.visits_count,
            row.id in asked,
        )
        for row, its_place in rows
    ]


_MIDNIGHT = datetime.min.time()


def unlock_requests(meeting_id: int, *, now: datetime, by: Actor) -> list[Request]:
    """The requests to open this register, newest first."""
    session = reading()
    meeting_to_read(session, by, meeting_id, now)
    rows = session.scalars(
        select(UnlockRequest)
        .where(UnlockRequest.meeting_id == meeting_id)
        .order_by(UnlockRequest.id.desc())
    )
    return [
        Request(row.id, row.reason, row.requested_by, row.requested_at, row.answer, row.answered_at)
        for row in rows
    ]


def history(meeting_id: int, *, now: datetime, by: Actor) -> list[Event]:
    """What happened to a register, newest first: each mark with old and new value, each step.

    A mark made after the register was opened again carries the reason for opening it.
    """
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    steps = _steps(session, meeting.id)
    opened = [(step.at, step.reason) for step in steps if step.action in OPENING]
    marks = [
        replace(mark, reason=why)
        if (why := next((reason for at, reason in opened if at <= mark.at), ""))
        else mark
        for mark in _mark_events(session, meeting.id)
    ]
    events = sorted([*steps, *marks], key=lambda event: event.at, reverse=True)
    return events[:HISTORY_LENGTH]


def _steps(session: Session, meeting_id: int) -> list[Event]:
    rows = session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.entity == "meeting",
            AuditEntry.entity_id == str(meeting_id),
            AuditEntry.action.in_(
                (
                    "register_submitted",
                    "register_reopened",
                    "register_locked",
                    "register_rebuilt",
                    "unlock_requested",
                    "unlock_granted",
                    "unlock_refused",
                    "heads_counted",
                    "guest_added",
                )
            ),
        )
        .order_by(AuditEntry.id.desc())
        .limit(HISTORY_LENGTH)
    )
    return [
        Event(row.at, row.by_name, row.action, after=_counted(row), reason=row.reason)
        for row in rows
    ]


def _counted(entry: AuditEntry) -> str:
    counts = entry.details.get("counts")
    if not isinstance(counts, dict):
        return ""
    return ", ".join(f"{label}: {heads}" for label, heads in counts.items())


def _mark_events(session: Session, meeting_id: int) -> list[Event]:
    """Each mark in the order it was received, with what the subject had by the marks before it."""
    rows = session.execute(
        select(
            Mark, Account.name, MeetingLink.label, Person.full_name, Household.number, WalkIn.name
        )
        .outerjoin(Account, Account.id == Mark.marked_by_id)
        .outerjoin(MeetingLink, MeetingLink.id == Mark.link_id)
        .outerjoin(Person, Person.id == Mark.person_id)
        .outerjoin(Household, Household.id == Mark.household_id)
        .outerjoin(WalkIn, WalkIn.id == Mark.walk_in_id)
        .where(Mark.meeting_id == meeting_id)
        .order_by(Mark.received_at, Mark.corrected_at, Mark.id)
    )
    last: dict[str, str] = {}
    events = []
    for mark, account, link, person, household, guest in rows:
        subject = person or (f"Hộ {household}" if household else guest) or ""
        events.append(
            Event(
                mark.received_at,
                account or link or TAKER,
                "mark",
                subject,
                last.get(mark.subject, "none"),
                mark.status,
                mark.flag,
            )
        )
        last[mark.subject] = mark.status
    return events


def reaches(meeting_id: int, *, now: datetime, by: Actor) -> bool:
    """Whether the actor may take this register."""
    mine = meetings_visible_to(by, local_day(now), *TAKERS)
    found = reading().scalar(select(Meeting.id).where(Meeting.id == meeting_id, mine))
    return found is not None and (by.meeting_id is not None or by.has_any(*TAKERS))


def meeting_place(meeting_id: int, *, now: datetime, by: Actor) -> dict[str, Any]:
    """When and where the meeting is, for the head of its page."""
    meeting = meeting_to_read(reading(), by, meeting_id, now)
    return {
        "topic": meeting.topic,
        "starts_at": meeting.starts_at,
        "ends_at": meeting.ends_at,
        "place": meeting.place or (meeting.venue.name if meeting.venue else ""),
    }
