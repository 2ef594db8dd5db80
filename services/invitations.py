"""Who is invited to a meeting, and telling them: requests, changes and cancellations, each once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from models import (
    CallListEntry,
    Enrolment,
    Exemption,
    Invitation,
    Meeting,
    MeetingUnit,
    Membership,
    OutgoingMessage,
    Person,
    Speaker,
)
from rules.calendar import (
    Change,
    MeetingFacts,
    change_between,
    next_last_modified,
    next_sequence,
    spoken_time,
)
from rules.days import local_day
from rules.outbox import CALENDAR_KINDS
from rules.permissions import Actor
from services import access, audit, letters, outbox
from services.meeting_facts import OFF_STATES, facts_of, keep_blocks, organizer_of, place_of
from services.settings import wants_mail

ABOUT_A_MEETING = (*CALENDAR_KINDS, "reminder")
BY_HAND = ("person", "makeup")


@dataclass(frozen=True)
class Told:
    """How many were told, and how."""

    mails: int
    calls: int


@dataclass(frozen=True)
class Recipient:
    """Somebody to be told about a meeting: a member by person, a speaker by speaker."""

    name: str
    address: str | None
    phone: str | None
    unit_id: int | None
    person_id: int | None = None
    speaker_id: int | None = None

    @property
    def key(self) -> str:
        """What tells this recipient's messages from others' of the same meeting."""
        return f"p{self.person_id}" if self.person_id else f"s{self.speaker_id}"


@dataclass(frozen=True)
class Recipients:
    """Who would be told about a meeting now, before anything is written."""

    people: Sequence[Recipient]
    speakers: Sequence[Recipient]

    @property
    def by_mail(self) -> int:
        """How many would get a mail."""
        return sum(bool(one.address) for one in (*self.people, *self.speakers))

    @property
    def by_phone(self) -> int:
        """How many have no usable address and go on a call list."""
        return len(self.people) + len(self.speakers) - self.by_mail


@dataclass(frozen=True)
class _Place:
    """Where an expected person belongs: the unit of that day, the point, and why invited."""

    unit_id: int | None
    point_id: int | None
    source: str


@dataclass(frozen=True)
class _Guests:
    """How a guest list changed: who came, who went, and whose point of the meeting is another."""

    added: list[Recipient]
    removed: list[Recipient]
    moved: set[int]


def announce_published(
    session: Session, meeting: Meeting, *, now: datetime, by: Actor, bundle: str = ""
) -> Told:
    """Make the guest list of a meeting that has just become published and ask everyone to come.

    Call it in the transaction that publishes, after the meeting has its new values. What is told
    of several meetings under one `bundle` reaches each person as one letter.
    """
    _refresh(session, meeting)
    _sync_guests(session, meeting, now)
    keep_blocks(meeting, organizer_of(session))
    told = _tell(session, meeting, "request", _current(session, meeting), now, bundle)
    _record(session, meeting, "invited", told, now=now, by=by)
    return told


def announce_changed(
    session: Session,
    meeting: Meeting,
    before: MeetingFacts,
    *,
    now: datetime,
    by: Actor,
    tell: bool,
    bundle: str = "",
) -> Told:
    """Carry a change of a published meeting to its guests, in the transaction that changes it.

    `before` is `facts_of(meeting)` from before the change. SEQUENCE and the time of modification
    are set here from it. Who is new gets a REQUEST, who is gone a CANCEL. A new time, place or
    state is told to everybody; a corrected word only when `tell` says so, without SEQUENCE.
    """
    _refresh(session, meeting)
    change = change_between(before, facts_of(meeting))
    guests = _sync_guests(session, meeting, now)
    removed = [*guests.removed, *_removed_speakers(session, meeting)]
    meeting.sequence = next_sequence(before.sequence, change)
    if (removed or guests.moved) and change is not Change.SUBSTANCE:
        meeting.sequence += 1
    if change is not Change.NONE or removed or guests.moved:
        meeting.modified_at = next_last_modified(before.last_modified_at, now)
    keep_blocks(meeting, organizer_of(session))
    told = [_withdraw(session, meeting, removed, now, bundle)]
    if change is Change.SUBSTANCE:
        _forget_replies(session, meeting)
    tells_all = change is Change.SUBSTANCE or (change is Change.WORDING and tell)
    told += _tell_changed(session, meeting, guests, tells_all, now, bundle)
    total = Told(sum(one.mails for one in told), sum(one.calls for one in told))
    _record(session, meeting, "told_change", total, now=now, by=by)
    return total


def announce_cancelled(session: Session, meeting: Meeting, *, now: datetime, by: Actor) -> Told:
    """Take a cancelled (or not held) meeting out of every calendar it was put into.

    Call it in the transaction that cancels, once the meeting has its new state, SEQUENCE and time
    of modification. Who was never told is not told now: their waiting REQUEST is taken back.
    """
    _refresh(session, meeting)
    keep_blocks(meeting, organizer_of(session))
    everyone = _current(session, meeting)
    told = _withdraw(session, meeting, everyone, now)
    _record(session, meeting, "told_cancelled", told, now=now, by=by)
    return told


def bundle_of(meetings: Sequence[Meeting], now: datetime) -> str:
    """Name what is told of several meetings by one action; nothing when there is only one."""
    if len(meetings) < 2:
        return ""
    return f"{min(one.id for one in meetings)}:{int(now.timestamp() * 1000)}"


def expected_recipients(session: Session, meeting: Meeting) -> Recipients:
    """Give who would be told if the meeting were published or changed now; writes nothing."""
    kept = {
        person_id: _Place(unit_id, point_id, source)
        for person_id, unit_id, point_id, source in session.execute(
            select(
                Invitation.person_id, Invitation.unit_id, Invitation.point_id, Invitation.source
            ).where(
                Invitation.meeting_id == meeting.id,
                Invitation.removed_at.is_(None),
                Invitation.source.in_(BY_HAND),
            )
        )
    }
    places = _expected_places(session, meeting) | kept
    people = _people(session, {person: place.unit_id for person, place in places.items()})
    return Recipients(_without_speakers(session, meeting, people), _speakers(session, meeting))


def zalo_text(meeting: Meeting, *, kind: str = "request") -> str:
    """Give a short text about the meeting, ready to be pasted into a Zalo group."""
    openings = {"request": "MỜI DỰ", "update": "THAY ĐỔI", "cancel": "HUỶ", "reminder": "NHẮC"}
    if meeting.state in OFF_STATES:
        kind = "cancel"
    lines = [
        f"{openings[kind]}: {meeting.topic}",
        f"Thời gian: {spoken_time(meeting.starts_at, meeting.ends_at)}",
    ]
    if place := place_of(meeting):
        lines.append(f"Địa điểm: {place}")
    if meeting.online_url and kind != "cancel":
        lines.append(f"Trực tuyến: {meeting.online_url}")
    if names := [link.speaker.name for link in meeting.speakers]:
        lines.append(f"Báo cáo viên: {', '.join(names)}")
    if kind == "cancel" and meeting.state_reason:
        lines.append(f"Lý do: {meeting.state_reason}")
    return "\n".join(lines)


def _tell_changed(
    session: Session,
    meeting: Meeting,
    guests: _Guests,
    tells_all: bool,
    now: datetime,
    bundle: str,
) -> list[Told]:
    """Ask who is new; tell the others, or only those whose point is another."""
    new = {one.key for one in guests.added}
    everyone = _current(session, meeting)
    rest = [
        one
        for one in everyone
        if one.key not in new and (tells_all or one.person_id in guests.moved)
    ]
    invited = [one for one in everyone if one.key in new]
    asked = _tell(session, meeting, "request", invited, now, bundle)
    return [asked, _tell(session, meeting, "update", rest, now, bundle)]


def _refresh(session: Session, meeting: Meeting) -> None:
    """Write what the caller changed and forget what was read before, so that all here is new."""
    session.flush()
    session.expire(meeting, ["venue", "speakers", "units", "points"])


def _record(
    session: Session, meeting: Meeting, action: str, told: Told, *, now: datetime, by: Actor
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        mails=told.mails,
        calls=told.calls,
        sequence=meeting.sequence,
    )


def _expected_places(session: Session, meeting: Meeting) -> dict[int, _Place]:
    """Give the people whom the meeting's class or units bring, with the unit of that day.

    A make-up invites exactly the people named on it, so its units bring nobody.
    """
    if meeting.course_id is not None:
        enrolled = session.execute(
            select(Enrolment.person_id, Enrolment.unit_id).where(
                Enrolment.course_id == meeting.course_id, Enrolment.withdrawn_on.is_(None)
            )
        )
        return {person: _Place(unit, None, "course") for person, unit in enrolled}
    if meeting.is_makeup:
        return {}
    by_point: dict[int | None, set[int]] = defaultdict(set)
    for unit_id, point_id in session.execute(
        select(MeetingUnit.unit_id, MeetingUnit.point_id).where(
            MeetingUnit.meeting_id == meeting.id
        )
    ):
        by_point[point_id].add(unit_id)
    places: dict[int, _Place] = {}
    for point_id, unit_ids in by_point.items():
        for person_id, unit_id in session.execute(_members_of(unit_ids, meeting)):
            places.setdefault(person_id, _Place(unit_id, point_id, "unit"))
    return places


def _members_of(unit_ids: set[int], meeting: Meeting) -> Any:
    """The living, not exempt members of the units and all below them on the meeting's day."""
    day = local_day(meeting.starts_at)
    exempt = select(Exemption.person_id).where(_holds(Exemption, day))
    return (
        select(Membership.person_id, Membership.unit_id)
        .join(Person, Person.id == Membership.person_id)
        .where(
            Membership.unit_id.in_(access.subtree(unit_ids, day)),
            _holds(Membership, day),
            or_(Person.died_on.is_(None), Person.died_on > day),
            Membership.person_id.not_in(exempt),
        )
        .order_by(Membership.id)
    )


def _holds(table: Any, day: object) -> Any:
    return and_(table.valid_from <= day, or_(table.valid_to.is_(None), table.valid_to > day))


def _sync_guests(session: Session, meeting: Meeting, now: datetime) -> _Guests:
    """Bring the invitations in line with who is expected now."""
    expected = _expected_places(session, meeting)
    rows = {
        row.person_id: row
        for row in session.scalars(select(Invitation).where(Invitation.meeting_id == meeting.id))
    }
    fresh = [person for person in expected if person not in rows]
    back = [person for person in expected if person in rows and rows[person].removed_at]
    gone = [
        row.person_id
        for row in rows.values()
        if row.removed_at is None and row.source not in BY_HAND and row.person_id not in expected
    ]
    moved = {
        person
        for person, place in expected.items()
        if person in rows and person not in back and _moves(rows[person], place)
    }
    for person in back:
        rows[person].removed_at, rows[person].reply = None, "none"
        _moves(rows[person], expected[person])
    for person in gone:
        rows[person].removed_at = now
    _insert_guests(session, meeting, {person: expected[person] for person in fresh}, now)
    session.flush()
    added = _people(session, {person: expected[person].unit_id for person in (*fresh, *back)})
    added += [one for one in _speakers(session, meeting) if not _was_asked(session, meeting, one)]
    removed = _people(session, {person: rows[person].unit_id for person in gone})
    return _Guests(added, removed, moved)


def _moves(row: Invitation, place: _Place) -> bool:
    """Bring an invitation to where its person is expected now; says whether the point changed."""
    if row.source in BY_HAND:
        return False
    was, row.unit_id, row.point_id = row.point_id, place.unit_id, place.point_id
    return was != place.point_id


def _insert_guests(
    session: Session, meeting: Meeting, places: dict[int, _Place], now: datetime
) -> None:
    if not places:
        return
    session.execute(
        insert(Invitation),
        [
            {
                "meeting_id": meeting.id,
                "person_id": person,
                "unit_id": place.unit_id,
                "point_id": place.point_id,
                "source": place.source,
                "reply": "none",
                "excused": False,
                "created_at": now,
            }
            for person, place in places.items()
        ],
    )


def _was_asked(session: Session, meeting: Meeting, speaker: Recipient) -> bool:
    """Whether a speaker already has a letter or a call about this meeting that stands."""
    mail = select(OutgoingMessage.id).where(
        OutgoingMessage.meeting_id == meeting.id,
        OutgoingMessage.speaker_id == speaker.speaker_id,
        OutgoingMessage.kind.in_(("request", "update")),
        OutgoingMessage.state != "dropped",
    )
    call = select(CallListEntry.id).where(
        CallListEntry.meeting_id == meeting.id, CallListEntry.speaker_id == speaker.speaker_id
    )
    return session.scalar(mail.limit(1)) is not None or session.scalar(call.limit(1)) is not None


def _removed_speakers(session: Session, meeting: Meeting) -> list[Recipient]:
    """Speakers who were told about the meeting and do not speak there any more."""
    asked = set(
        session.scalars(
            select(OutgoingMessage.speaker_id).where(
                OutgoingMessage.meeting_id == meeting.id,
                OutgoingMessage.speaker_id.is_not(None),
                OutgoingMessage.state != "dropped",
            )
        )
    )
    asked |= set(
        session.scalars(
            select(CallListEntry.speaker_id).where(
                CallListEntry.meeting_id == meeting.id, CallListEntry.speaker_id.is_not(None)
            )
        )
    )
    gone = asked - {link.speaker_id for link in meeting.speakers} - {None}
    if not gone:
        return []
    found = session.scalars(select(Speaker).where(Speaker.id.in_(gone)))
    return [one for one in map(_speaker, found) if _last_kind(session, meeting, one) != "cancel"]


def _last_kind(session: Session, meeting: Meeting, speaker: Recipient) -> str | None:
    return session.scalar(
        select(OutgoingMessage.kind)
        .where(
            OutgoingMessage.meeting_id == meeting.id,
            OutgoingMessage.speaker_id == speaker.speaker_id,
            OutgoingMessage.kind.in_(CALENDAR_KINDS),
            OutgoingMessage.state != "dropped",
        )
        .order_by(OutgoingMessage.id.desc())
        .limit(1)
    )


def _current(session: Session, meeting: Meeting) -> list[Recipient]:
    """Give everybody who is on the list now: the invited, then the speakers."""
    listed = select(Invitation.person_id, Invitation.unit_id).where(
        Invitation.meeting_id == meeting.id, Invitation.removed_at.is_(None)
    )
    units = dict(session.execute(listed).all())
    people = _without_speakers(session, meeting, _people(session, units))
    return [*people, *_speakers(session, meeting)]


def _people(session: Session, units: dict[int, int | None]) -> list[Recipient]:
    found: list[Recipient] = []
    ids = list(units)
    for start in range(0, len(ids), 500):
        rows = session.execute(
            select(
                Person.id,
                Person.full_name,
                Person.email,
                Person.phone,
                or_(Person.email_failing_since.is_not(None), ~wants_mail(session)),
            )
            .where(Person.id.in_(ids[start : start + 500]))
            .order_by(Person.sort_key)
        )
        found += [
            Recipient(name, None if silent else email or None, phone, units[one], person_id=one)
            for one, name, email, phone, silent in rows
        ]
    return found


def _speakers(session: Session, meeting: Meeting) -> list[Recipient]:
    return [_speaker(link.speaker) for link in meeting.speakers]


def _speaker(speaker: Speaker) -> Recipient:
    return Recipient(
        speaker.name, speaker.email or None, speaker.phone, speaker.unit_id, speaker_id=speaker.id
    )


def _without_speakers(
    session: Session, meeting: Meeting, people: list[Recipient]
) -> list[Recipient]:
    """Leave out members who speak at the meeting: they are told as speakers."""
    speaking = {link.speaker.person_id for link in meeting.speakers}
    return [one for one in people if one.person_id not in speaking]


def _forget_replies(session: Session, meeting: Meeting) -> None:
    """A new time or place asks again: an answer to the old one says nothing about the new."""
    session.execute(
        update(Invitation)
        .where(Invitation.meeting_id == meeting.id)
        .values(reply="none", replied_at=None, excused=False)
        .execution_options(synchronize_session="fetch")
    )
    for link in meeting.speakers:
        link.reply, link.replied_at = "none", None


def _tell(
    session: Session,
    meeting: Meeting,
    kind: str,
    people: list[Recipient],
    now: datetime,
    bundle: str,
) -> Told:
    """Put one letter or one call for each of these people, in place of what still waits."""
    if not people:
        return Told(0, 0)
    asked = _asked_keys(session, meeting)
    mails = [one for one in people if one.address]
    calls = [one for one in people if not one.address]
    row_of = _mail_rows(meeting, bundle)
    letters_now = [row_of(kind if one.key in asked else "request", one) for one in mails]
    _drop_letters(session, meeting, people, {row["dedup_key"] for row in letters_now})
    outbox.enqueue(session, letters_now, now=now)
    known = asked | _drop_calls(session, meeting, people)
    rows = [_call_row(meeting, kind if one.key in known else "request", one, now) for one in calls]
    outbox.insert_new(session, CallListEntry, rows)
    return Told(len(mails), len(calls))


def _withdraw(
    session: Session, meeting: Meeting, people: list[Recipient], now: datetime, bundle: str = ""
) -> Told:
    """Tell people that they need not come: only those who had been told to."""
    if not people:
        return Told(0, 0)
    asked = _asked_keys(session, meeting)
    _drop_letters(session, meeting, people, set())
    called = _drop_calls(session, meeting, people)
    mails = [one for one in people if one.address and one.key in asked]
    calls = [one for one in people if one.key in called or (not one.address and one.key in asked)]
    row_of = _mail_rows(meeting, bundle)
    off = [row_of("cancel", one) for one in mails]
    outbox.enqueue(session, off, now=now)
    rows = [_call_row(meeting, "cancel", one, now) for one in calls]
    outbox.insert_new(session, CallListEntry, rows)
    return Told(len(mails), len(calls))


def _asked_keys(session: Session, meeting: Meeting) -> set[str]:
    """Give the keys of those whose REQUEST has left, is leaving, or may have arrived."""
    rows = session.execute(
        select(OutgoingMessage.person_id, OutgoingMessage.speaker_id).where(
            OutgoingMessage.meeting_id == meeting.id,
            OutgoingMessage.kind.in_(CALENDAR_KINDS),
            or_(
                OutgoingMessage.state.in_(("claimed", "sending", "sent")),
                and_(OutgoingMessage.state.in_(("queued", "failed")), OutgoingMessage.attempts > 0),
            ),
        )
    )
    return {f"p{person}" if person else f"s{speaker}" for person, speaker in rows}


def _drop_letters(
    session: Session, meeting: Meeting, people: Iterable[Recipient], kept: set[str]
) -> None:
    """Take back these people's waiting letters, but for those that are about to be written again.

    Without `kept` a cause told twice would lose its letter: the first taken back, the second known.
    """
    keys = {one.key for one in people}
    waiting = session.execute(
        select(
            OutgoingMessage.id,
            OutgoingMessage.person_id,
            OutgoingMessage.speaker_id,
            OutgoingMessage.dedup_key,
        ).where(
            OutgoingMessage.meeting_id == meeting.id,
            OutgoingMessage.kind.in_(ABOUT_A_MEETING),
            OutgoingMessage.state.in_(outbox.WAITING),
        )
    )
    old = [
        one
        for one, person, speaker, cause in waiting
        if _key(person, speaker) in keys and cause not in kept
    ]
    for start in range(0, len(old), 500):
        session.execute(
            update(OutgoingMessage)
            .where(OutgoingMessage.id.in_(old[start : start + 500]))
            .values(state="dropped", last_error="Đã có thư mới hơn thay thế.")
            .execution_options(synchronize_session=False)
        )


def _drop_calls(session: Session, meeting: Meeting, people: Iterable[Recipient]) -> set[str]:
    """Take back calls not made yet; gives the keys of those who were told by one."""
    keys = {one.key for one in people}
    open_calls, called = [], set()
    for entry in session.scalars(
        select(CallListEntry).where(
            CallListEntry.meeting_id == meeting.id,
            CallListEntry.kind.in_((*ABOUT_A_MEETING, "address_failing")),
        )
    ):
        key = _key(entry.person_id, entry.speaker_id)
        if key in keys and entry.done_at is None:
            open_calls.append(entry.id)
        elif key in keys and entry.kind != "cancel":
            called.add(key)
    for start in range(0, len(open_calls), 500):
        session.execute(
            delete(CallListEntry)
            .where(CallListEntry.id.in_(open_calls[start : start + 500]))
            .execution_options(synchronize_session=False)
        )
    return called


def _key(person_id: int | None, speaker_id: int | None) -> str:
    return f"p{person_id}" if person_id else f"s{speaker_id}"


def _cause(meeting: Meeting, kind: str, one: Recipient) -> str:
    """Name the cause of a message: one kind, one meeting, one person, one revision."""
    revision = f"{meeting.sequence}:{int(meeting.modified_at.timestamp())}"
    return f"{kind}:{meeting.id}:{one.key}:{revision}"


def _mail_rows(meeting: Meeting, bundle: str) -> Callable[[str, Recipient], dict[str, Any]]:
    """How to write the messages of many people about one meeting; what they share is made once."""
    facts = facts_of(meeting)
    subjects = {kind: letters.subject_of(kind, facts)[:400] for kind in CALENDAR_KINDS}

    def row(kind: str, one: Recipient) -> dict[str, Any]:
        return {
            "kind": kind,
            "to_address": one.address,
            "to_name": one.name,
            "subject": subjects[kind],
            "dedup_key": _cause(meeting, kind, one),
            "meeting_id": meeting.id,
            "person_id": one.person_id,
            "speaker_id": one.speaker_id,
            "sequence": meeting.sequence,
            "bundle": f"{bundle}:{one.key}" if bundle else None,
            "priority": 3 if kind == "cancel" else 4,
        }

    return row


def _call_row(meeting: Meeting, kind: str, one: Recipient, now: datetime) -> dict[str, Any]:
    return {
        "unit_id": one.unit_id or meeting.organiser_id,
        "person_id": one.person_id,
        "speaker_id": one.speaker_id,
        "meeting_id": meeting.id,
        "kind": kind,
        "dedup_key": _cause(meeting, kind, one),
        "text": zalo_text(meeting, kind=kind)[:1000],
        "created_at": now,
    }
