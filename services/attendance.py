"""The register of a meeting: marks written as facts, and what they add up to for the reader."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import (
    AuditEntry,
    Meeting,
    RegisterLine,
    WalkIn,
)
from rules.attendance import (
    ATTENDING,
    BadMark,
    MarkCandidate,
    MeetingWindow,
    RegisterState,
    Status,
    Verdict,
    deciding_mark,
    is_contradicted,
    parse_marks,
    state_after_mark,
    verdict,
)
from rules.attendance import Mark as Fact
from rules.days import local_day
from rules.permissions import SYSTEM, Actor
from rules.refusals import N_, NotAllowed, Refusal
from services import audit
from services.access import meeting_for
from services.attendance_ledger import facts_by_id, ledger_of, stamps_of
from services.attendance_look import OPENS_BEFORE, look
from services.attendance_roll import (
    UnitOfDay,
    expected_among,
    walk_ins_among,
)
from services.attendance_seal import MARKED, outrun
from services.attendance_shown import TAKERS, brief_register, full_register, heads_by_label
from services.attendance_writing import (
    Overtaken,
    delete_lines,
    put_lines,
    write_marks,
)
from services.coverage_ledger import TAKES_PLACE, refresh_subjects
from services.settings import number_of, setting_number
from services.transaction import reading, writing, writing_in_lane

HANDED_IN = (RegisterState.SUBMITTED, RegisterState.LOCKED)
DEVICE_LENGTH = 60
LOCKED_FIRST_SECONDS = 1.0
_CROWDED: dict[int, float] = {}
"""Registers at which somebody was overtaken, and until when marks lock them before they look: where
many write at once, looking first is looking twice. A hint of this process, no more."""


@dataclass(frozen=True)
class Recorded:
    """What became of a batch: a verdict for each mark in its order, and the register after it."""

    verdicts: list[tuple[str | None, Verdict]]
    register: dict[str, Any]


def record_marks(
    meeting_id: int,
    body: object,
    *,
    now: datetime,
    by: Actor,
    device: str = "",
    source: str = "phone",
) -> Recorded:
    """Write down a phone's marks, each with its own verdict; a batch replayed changes nothing.

    `source` is where they were written first: phone, desk, paper or import.

    The answer's register has every subject, unless the body says `"register": "counts"`.

    On PostgreSQL a link's marks are judged before anything is locked, and written if the meeting's
    row is still the one they were judged by: three exchanges with the server instead of six.
    """
    candidates = parse_marks(body)
    brief = isinstance(body, dict) and body.get("register") == "counts"
    how: dict[str, Any] = {"brief": brief, "now": now, "by": by, "source": source}
    how["device"] = device[:DEVICE_LENGTH]
    try:
        return _record(meeting_id, candidates, is_careful=False, **how)
    except Overtaken:
        _note_crowded(meeting_id)
    except IntegrityError:
        pass
    # Somebody else wrote meanwhile, or an id is already in the ledger of another meeting or
    # subject: look all of them up, with the register locked.
    return _record(meeting_id, candidates, is_careful=True, **how)


def rebuild_register(meeting_id: int, *, now: datetime, by: Actor = SYSTEM) -> int:
    """Write a register's lines and counters anew from the ledger; how many lines were wrong."""
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        wrong = _differences(session, meeting_id)
        if wrong:
            ledger = ledger_of(session, meeting_id, None)
            deciding = {one: deciding_mark(ledger.get(one, ())) for one in wrong}
            delete_lines(session, meeting_id, [one for one in wrong if deciding[one] is None])
            put_lines(session, [mark.id for mark in deciding.values() if mark])
        recount(session, meeting)
        if meeting.campaign_id is not None and wrong:
            session.flush()
            refresh_subjects(session, meeting.campaign_id, wrong)
        if wrong:
            audit.record(
                session,
                now=now,
                by=by,
                action="register_rebuilt",
                entity="meeting",
                entity_id=meeting_id,
                unit_id=meeting.organiser_id,
                lines=len(wrong),
            )
        return len(wrong)


def register_differences(meeting_id: int) -> list[str]:
    """The subjects whose line says something else than their marks add up to."""
    return _differences(reading(), meeting_id)


def meeting_to_write(session: Session, by: Actor, meeting_id: int, now: datetime) -> Meeting:
    """The meeting of a register, locked against other writers until the transaction ends.

    NotAllowed for those who only read; NotFound outside the actor's reach.
    """
    if by.meeting_id is None and not by.has_any(*TAKERS):
        raise NotAllowed(N_("Bạn chỉ được xem số liệu. Hãy báo người phụ trách buổi điểm danh."))
    _lock(session, meeting_id)
    return meeting_for(session, by, meeting_id, local_day(now), *TAKERS)


def _lock(session: Session, meeting_id: int) -> None:
    """Let nobody else write this register meanwhile; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(Meeting.id).where(Meeting.id == meeting_id).with_for_update())


def window_of(
    session: Session, meeting: Meeting, early_minutes: int | None = None
) -> MeetingWindow:
    """What a verdict has to know of the meeting; `early_minutes` when the setting is known."""
    if early_minutes is None:
        early_minutes = setting_number(session, OPENS_BEFORE)
    locked_at = None
    if meeting.register_state == RegisterState.LOCKED:
        locked_at = session.scalar(
            select(func.max(AuditEntry.at)).where(
                AuditEntry.entity == "meeting",
                AuditEntry.entity_id == str(meeting.id),
                AuditEntry.action == "register_locked",
            )
        )
    return MeetingWindow(
        topic=meeting.topic,
        state=meeting.state,
        register=RegisterState(meeting.register_state),
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        locked_at=locked_at,
        early_minutes=early_minutes,
    )


def recount(session: Session, meeting: Meeting) -> None:
    """Bring the meeting's counters in line with its register lines and head-counts."""
    session.flush()
    attending = select(func.count()).where(
        RegisterLine.meeting_id == meeting.id, RegisterLine.status.in_(sorted(ATTENDING))
    )
    meeting.present_count = session.scalar(attending) or 0
    meeting.heads_count = sum(heads_by_label(session, meeting.id).values())
    meeting.visits_count = meeting.present_count + meeting.heads_count


def _note_crowded(meeting_id: int) -> None:
    now = monotonic()
    for one, until in list(_CROWDED.items()):
        if until < now:
            _CROWDED.pop(one, None)
    _CROWDED[meeting_id] = now + LOCKED_FIRST_SECONDS


def _may_look_first(meeting_id: int, marks: Sequence[Fact], by: Actor) -> bool:
    """Whether these marks may be judged before anything is locked.

    A walk-in is written before its meeting: two that wrote it at once would wait for each other.
    """
    return (
        by.meeting_id == meeting_id
        and _CROWDED.get(meeting_id, 0.0) < monotonic()
        and not any(one.subject.startswith("w:") for one in marks)
    )


@dataclass
class _Batch:
    """What was gathered for judging a batch, and what it grows into; `meeting` as in its table."""

    meeting: Any
    window: MeetingWindow
    roll: dict[str, UnitOfDay]
    known: dict[str, Fact]
    ledger: dict[str, list[Fact]]
    elsewhere: set[str]
    unnamed: set[str]
    kept: list[tuple[Fact, str | None]] = field(default_factory=list)
    new_walk_ins: dict[str, Fact] = field(default_factory=dict)
    named_now: dict[str, Fact] = field(default_factory=dict)


def _record(
    meeting_id: int,
    candidates: Sequence[MarkCandidate | BadMark],
    *,
    is_careful: bool,
    brief: bool,
    now: datetime,
    by: Actor,
    device: str,
    source: str,
) -> Recorded:
    facts = _received(candidates, now, by, device, source)
    marks = [one for one in facts if isinstance(one, Fact)]
    is_late = not is_careful and _may_look_first(meeting_id, marks, by)
    with writing_in_lane(late=is_late) as session:
        if by.meeting_id != meeting_id:
            meeting_to_write(session, by, meeting_id, now)
        batch = _gather(session, meeting_id, marks, is_careful=is_careful)
        meeting = batch.meeting
        before = {subject: _status(marks) for subject, marks in batch.ledger.items()}
        verdicts = [
            (one.id, Verdict("refused", one.reason))
            if isinstance(one, BadMark)
            else (one.id, _judge(batch, one))
            for one in facts
        ]
        if batch.kept:
            was = RegisterState(meeting.register_state)
            is_noted = was != RegisterState.DRAFT or any(flag for _, flag in batch.kept)
            if is_noted:
                session.begin()
            _apply(session, batch, before, by)
            if is_noted:
                _log(session, batch, now, by, device, after_seal=was in HANDED_IN)
        register = brief_register(meeting, now) if brief else full_register(session, meeting, now)
        return Recorded(verdicts, register)


def _received(
    candidates: Sequence[MarkCandidate | BadMark],
    now: datetime,
    by: Actor,
    device: str,
    source: str,
) -> list[Fact | BadMark]:
    marker = f"l{by.link_id}" if by.link_id else f"a{by.account_id}"
    return [
        one
        if isinstance(one, BadMark)
        else one.received(now, marker=marker, device=device, source=source)
        for one in candidates
    ]


def _gather(session: Session, meeting_id: int, facts: list[Fact], *, is_careful: bool) -> _Batch:
    subjects = {fact.subject for fact in facts}
    meeting, roll, ledger = look(session, meeting_id, subjects)
    others = subjects - roll.keys()
    walk_ins = walk_ins_among(session, others)
    here = {one: name for one, (at, name) in walk_ins.items() if at == meeting.id}
    if others:
        roll |= expected_among(session, meeting, others)
        roll |= {one: UnitOfDay(None, walk_in_id=one[2:]) for one in here}
        ledger |= ledger_of(session, meeting.id, others)
    known = {fact.id: fact for marks in ledger.values() for fact in marks}
    off_the_list = {one: marks[0].id for one, marks in ledger.items() if one not in roll}
    stamps = stamps_of(session, list(off_the_list.values()))
    roll |= {one: UnitOfDay(**stamps[mark]) for one, mark in off_the_list.items()}
    wanted = {fact.annuls for fact in facts if fact.annuls} - {fact.id for fact in facts}
    if is_careful:
        wanted |= {fact.id for fact in facts}
    known |= facts_by_id(session, meeting.id, sorted(wanted - known.keys()))
    return _Batch(
        meeting=meeting,
        window=window_of(session, meeting, number_of(OPENS_BEFORE, meeting.early_minutes)),
        roll=roll,
        known=known,
        ledger=ledger,
        elsewhere=walk_ins.keys() - here.keys(),
        unnamed={one for one, name in here.items() if not name},
    )


def _judge(batch: _Batch, fact: Fact) -> Verdict:
    """The verdict on one mark; what is kept joins the batch's ledger at once."""
    if fact.subject in batch.elsewhere:
        return Verdict(
            "refused", Refusal(N_("Người này đã ghi ở buổi khác. Hãy thêm lại ở buổi này."))
        )
    found = verdict(fact, batch.window, batch.roll, batch.known)
    if not found.is_kept:
        return found
    batch.known[fact.id] = fact
    if fact.subject not in batch.roll:
        batch.roll[fact.subject] = UnitOfDay(None, walk_in_id=fact.subject[2:])
        batch.new_walk_ins[fact.subject] = fact
        if not fact.name:
            batch.unnamed.add(fact.subject)
    elif fact.subject in batch.unnamed and fact.name:
        batch.named_now[fact.subject] = fact
        batch.unnamed.discard(fact.subject)
    marks = batch.ledger[fact.subject]
    marks.append(fact)
    if found.flag in (None, "clock") and len(marks) > 1 and is_contradicted(marks):
        reason = N_("Hai máy ghi khác nhau; lượt sau được hiện, cả hai được giữ. Hãy xem lại.")
        found = Verdict("flagged", Refusal(reason), "conflict")
    batch.kept.append((fact, found.flag))
    return found


def _apply(session: Session, batch: _Batch, before: dict[str, Status | None], by: Actor) -> None:
    meeting = batch.meeting
    marks = [_mark_row(batch, fact, flag, by) for fact, flag in batch.kept]
    touched = {fact.subject for fact, _ in batch.kept}
    deciding = {subject: deciding_mark(batch.ledger[subject]) for subject in sorted(touched)}
    after = {one: mark.status if mark else None for one, mark in deciding.items()}
    gone = [one for one in touched if deciding[one] is None]
    changed = [one for one in touched if after[one] != before.get(one) and one[0] != "w"]
    is_covering = meeting.campaign_id is not None and meeting.state in TAKES_PLACE and bool(changed)
    if is_covering or gone:
        session.begin()  # there is more to write than the marks
    _write_walk_ins(session, batch)
    came = sum((after[one] in ATTENDING) - (before.get(one) in ATTENDING) for one in touched)
    counters = _counters(meeting, came)
    decided = [mark.id for mark in deciding.values() if mark]
    write_marks(session, meeting.id, marks, decided, counters, meeting.seen)
    for name, value in counters.items():
        setattr(meeting, name, value)
    delete_lines(session, meeting.id, gone)
    if is_covering:
        refresh_subjects(session, meeting.campaign_id, changed)


def _counters(meeting: Any, came: int) -> dict[str, Any]:
    """The meeting's counters after so many more came; its row is locked, so what was read holds."""
    return {
        "present_count": meeting.present_count + came,
        "visits_count": meeting.visits_count + came,
        "register_version": meeting.register_version + 1,
        "register_state": state_after_mark(RegisterState(meeting.register_state)).value,
    }


def _write_walk_ins(session: Session, batch: _Batch) -> None:
    rows = [
        {
            "id": subject[2:],
            "meeting_id": batch.meeting.id,
            "name": (batch.named_now.get(subject) or fact).name,
            "unit_text": (batch.named_now.get(subject) or fact).unit,
            "created_at": fact.received_at,
        }
        for subject, fact in batch.new_walk_ins.items()
    ]
    if rows:
        session.execute(insert(WalkIn), rows)
    for subject, fact in batch.named_now.items():
        if subject not in batch.new_walk_ins:
            session.execute(
                update(WalkIn)
                .where(WalkIn.id == subject[2:])
                .values(name=fact.name, unit_text=fact.unit)
            )


def _mark_row(batch: _Batch, fact: Fact, flag: str | None, by: Actor) -> dict[str, Any]:
    unit_id, person_id, household_id, walk_in_id = batch.roll[fact.subject]
    return {
        "id": fact.id,
        "meeting_id": batch.meeting.id,
        "subject": fact.subject,
        "person_id": person_id,
        "household_id": household_id,
        "walk_in_id": walk_in_id,
        "unit_id": unit_id,
        "status": fact.status.value,
        "annuls_id": fact.annuls,
        "tapped_at": fact.tapped_at,
        "corrected_at": fact.corrected_at or fact.tapped_at,
        "received_at": fact.received_at,
        "marked_by_id": by.account_id,
        "link_id": by.link_id,
        "device": fact.device,
        "source": fact.source,
        "flag": flag,
    }


def _log(
    session: Session, batch: _Batch, now: datetime, by: Actor, device: str, *, after_seal: bool
) -> None:
    """An entry for what somebody may want to find: marks that open a register, come after it was
    handed in, or want a second look. Of every other the ledger tells who, when and on what device,
    and handing the register in seals the ledger."""
    marks = [(fact.id, fact.received_at) for fact, _ in batch.kept]
    late = outrun(session, batch.meeting.id, marks) if after_seal else []
    audit.record(
        session,
        now=now,
        by=by,
        action=MARKED,
        entity="meeting",
        entity_id=batch.meeting.id,
        unit_id=batch.meeting.organiser_id,
        marks=len(batch.kept),
        flagged=sum(1 for _, flag in batch.kept if flag),
        statuses=dict(Counter(fact.status.value for fact, _ in batch.kept)),
        device=device,
        link_id=by.link_id,
        outrun=late,
    )


def _status(marks: Sequence[Fact]) -> Status | None:
    mark = deciding_mark(marks)
    return mark.status if mark else None


def _differences(session: Session, meeting_id: int) -> list[str]:
    ledger = ledger_of(session, meeting_id, None)
    decided = {one: deciding_mark(marks) for one, marks in ledger.items()}
    truth = {one: (mark.status.value, mark.id) for one, mark in decided.items() if mark}
    kept = {
        row.subject: (row.status, row.mark_id)
        for row in session.execute(
            select(RegisterLine.subject, RegisterLine.status, RegisterLine.mark_id).where(
                RegisterLine.meeting_id == meeting_id
            )
        )
    }
    return sorted(one for one in truth.keys() | kept.keys() if truth.get(one) != kept.get(one))
