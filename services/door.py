"""The door of a meeting: the code on its screen, the claims of those who scan it, and their end."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Claim, FeedToken, Meeting, Person, RegisterLine
from rules.attendance import ATTENDING, Status
from rules.calendar import spoken_clock
from rules.days import LOCAL, local_day
from rules.door import (
    CLOSES_AFTER,
    PASS_LASTS,
    Doorway,
    Outcome,
    Scanned,
    accepts,
    door_code,
    door_secret,
    names_agree,
    outcome,
    seconds_left,
)
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.signing import sign, unsign
from rules.text import clean, split_full_name
from services import audit
from services.attempts import Limit, count_attempt, forget_attempts, network_of
from services.attendance import DEVICE_LENGTH, meeting_to_write, record_marks, window_of
from services.attendance_ledger import new_mark
from services.attendance_roll import expected_among
from services.attendance_shown import meeting_to_read
from services.office import office
from services.tokens import token_hash
from services.transaction import reading, writing
from services.units import unit_names_on

AT_THE_DOOR = Actor(name="Mã QR ở cửa")
HOUR = timedelta(hours=1)
TRIES_OF_ONE_MEMBER = 8
TRIES_OF_ONE_NETWORK = 1500  # a whole hall stands behind one address
LOOKED_AT_ELSEWHERE = 12
CONFIRMING = (Status.PRESENT.value, Status.LATE.value)
_UNKNOWN_CODE = N_("Mã ở cửa đã đổi. Hãy quét lại mã đang hiện trên màn hình.")


@dataclass(frozen=True)
class Screen:
    """What the screen at the door shows; `code` is empty when no scan would be taken now."""

    code: str
    seconds_left: int
    waiting: int
    confirmed: int
    outcome: Outcome
    words: Mapping[str, str]


@dataclass(frozen=True)
class Pass:
    """That somebody has seen the code lately: what the scan opens, for ten minutes."""

    text: str
    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str


@dataclass(frozen=True)
class Answer:
    """What became of a scan, with the words its sentence needs; `name` for takers only."""

    outcome: Outcome
    words: Mapping[str, str]
    person_id: int | None = None
    subject: str = ""


@dataclass(frozen=True)
class ClaimRow:
    """A claim as the list shows it; `status` is what the register says, `same_device` how many."""

    id: int
    name: str
    unit: str
    claimed_at: datetime
    minutes_late: int
    status: str
    same_device: int


@dataclass(frozen=True)
class Claims:
    """The claims of a meeting: those that wait, and how many are settled."""

    waiting: list[ClaimRow] = field(default_factory=list)
    confirmed: int = 0
    refused: list[ClaimRow] = field(default_factory=list)

    @property
    def simple(self) -> int:
        """How many would be confirmed at once: nobody has marked them as absent."""
        return sum(row.status not in ("excused", "unexcused") for row in self.waiting)


@dataclass(frozen=True)
class Settled:
    """How many claims were confirmed, how many wait on, and why the first was refused, if any."""

    confirmed: int
    left: int
    reason: Refusal | None = None


@dataclass(frozen=True)
class Card:
    """What a member's own card shows."""

    person_id: int
    code: str
    given_name: str


def claim(
    meeting_id: int,
    pass_text: str,
    *,
    code: str = "",
    given_name: str = "",
    person_id: int | None = None,
    now: datetime,
    device: str = "",
    address: str = "",
) -> Answer:
    """Take down that a person says they are here, once; it counts when a taker confirms it.

    The person is named by member code and given name, or by `person_id` when this browser is known
    to be theirs. A wrong name and a person who is not expected look alike.
    """
    with writing() as session:
        meeting = _meeting_of_pass(session, meeting_id, pass_text, now)
        tried = f"door:{meeting_id}:{person_id or clean(code).lower()}"
        network = f"door:{network_of(address)}"
        limits = [
            Limit(tried, TRIES_OF_ONE_MEMBER, HOUR),
            Limit(network, TRIES_OF_ONE_NETWORK, HOUR),
        ]
        count_attempt(session, limits, now=now)
        person = _person(session, code, given_name, person_id)
        if person is not None:  # two scans of one person wait for each other
            session.execute(select(Person.id).where(Person.id == person.id).with_for_update())
        answer = _answer(session, meeting, person, now)
        if person is not None and answer.outcome == Outcome.CONFIRMED:
            _write_claim(session, meeting, person, now, device[:DEVICE_LENGTH])
            forget_attempts(session, tried)
        return answer


def scan(meeting_id: int, text: str, *, now: datetime, by: Actor, device: str = "") -> Answer:
    """Mark as present whoever's code was scanned or typed by the one who takes the register."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    person = _person_by_code(session, text)
    answer = _answer(session, meeting, person, now, is_taker=True)
    if person is None or answer.outcome != Outcome.CONFIRMED:
        return answer
    body = {"marks": [new_mark(answer.subject, Status.PRESENT, now)], "register": "counts"}
    done = record_marks(meeting_id, body, now=now, by=by, device=device)
    _, verdict = done.verdicts[0]
    if verdict.kind == "refused" and verdict.reason is not None:
        raise verdict.reason
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        waiting = (Claim.meeting_id == meeting.id, Claim.person_id == person.id)
        _settle(
            session, "confirmed", list(session.scalars(select(Claim.id).where(*waiting))), now, by
        )
    return answer


def confirm_claims(
    meeting_id: int,
    claim_ids: Collection[int] | None,
    *,
    status: str = "present",
    now: datetime,
    by: Actor,
    device: str = "",
) -> Settled:
    """Turn claims into marks; None takes all of them but those somebody has marked as absent.

    The marks are written first and the claims settled after: a stop between the two leaves claims
    that are confirmed again without a second mark, for who is marked as here gets no more.
    """
    if status not in CONFIRMING:
        raise Malformed(N_("Chỉ xác nhận được là có mặt hoặc đến muộn."))
    session = reading()
    meeting_to_read(session, by, meeting_id, now)
    chosen = [
        (one, subject, said)
        for one, subject, said in _waiting(session, meeting_id)
        if (said not in _ABSENT if claim_ids is None else one in claim_ids)
    ]
    marks = [new_mark(subject, status, now) for _, subject, said in chosen if said not in _HERE]
    refused: dict[str, Refusal | None] = {}
    if marks:
        body = {"marks": marks, "register": "counts"}
        done = record_marks(meeting_id, body, now=now, by=by, device=device)
        subjects = {mark["id"]: mark["subject"] for mark in marks}
        for mark_id, verdict in done.verdicts:
            if verdict.kind == "refused" and mark_id is not None:
                refused[subjects[mark_id]] = verdict.reason
    settled = [one for one, subject, _ in chosen if subject not in refused]
    with writing() as session:
        meeting_to_write(session, by, meeting_id, now)
        _settle(session, "confirmed", settled, now, by)
        left = len(_waiting(session, meeting_id))
    return Settled(len(settled), left, next(iter(refused.values()), None))


def refuse_claim(meeting_id: int, claim_id: int, *, now: datetime, by: Actor) -> None:
    """Say that somebody who claimed is not here; the register is left as it is."""
    with writing() as session:
        meeting = meeting_to_write(session, by, meeting_id, now)
        found = session.scalar(
            select(Claim.id).where(Claim.id == claim_id, Claim.meeting_id == meeting.id)
        )
        if found is None:
            raise NotFound(N_("Không tìm thấy lượt quét này ở buổi này."))
        _settle(session, "refused", [found], now, by)


_HERE = frozenset(one.value for one in ATTENDING)
_ABSENT = frozenset({Status.EXCUSED.value, Status.UNEXCUSED.value})


def _secret(meeting: Meeting) -> bytes:
    return door_secret(office().secret_key, meeting.uid)


def _meeting_of_pass(session: Session, meeting_id: int, text: str, now: datetime) -> Meeting:
    subject = unsign(office().secret_key, "door", text) or ""
    number, _, seconds = subject.partition(":")
    meeting = session.get(Meeting, meeting_id) if number == str(meeting_id) else None
    if meeting is None or meeting.state == "draft":
        raise Refusal(_UNKNOWN_CODE)
    if now - datetime.fromtimestamp(int(seconds), UTC) > PASS_LASTS:
        raise Refusal(_UNKNOWN_CODE)
    return meeting


def _person(session: Session, code: str, given_name: str, person_id: int | None) -> Person | None:
    if person_id is not None:
        return session.get(Person, person_id)
    person = _person_by_code(session, code)
    return person if person and names_agree(given_name, person.full_name) else None


def _person_by_code(session: Session, code: str) -> Person | None:
    wanted = clean(code)[:80]
    if not wanted:
        raise Malformed(N_("Hãy gõ mã đảng viên."))
    ways = {wanted, wanted.lower(), wanted.upper()}
    found = session.scalars(select(Person).where(Person.code.in_(ways)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _answer(
    session: Session,
    meeting: Meeting,
    person: Person | None,
    now: datetime,
    *,
    is_taker: bool = False,
) -> Answer:
    door = _doorway(session, meeting, is_taker=is_taker)
    words = _words(meeting, door)
    if person is None:
        return Answer(outcome(door, Scanned(is_expected=False), now), words)
    subject = f"m:{person.id}"
    is_expected = subject in expected_among(session, meeting, [subject])
    is_known = _is_here(session, meeting.id, subject)
    if not is_taker:
        is_known = is_known or _has_claimed(session, meeting.id, person.id)
    elsewhere = "" if is_expected else _elsewhere(session, meeting, subject)
    words |= {"elsewhere": elsewhere, "name": person.full_name}
    found = outcome(door, Scanned(is_expected, is_known, elsewhere), now)
    return Answer(found, words, person.id, subject)


def _doorway(session: Session, meeting: Meeting, *, is_taker: bool) -> Doorway:
    window = window_of(session, meeting)
    return Doorway(
        topic=meeting.topic,
        state=meeting.state,
        register=meeting.register_state,
        opens_at=window.opens_at,
        closes_at=None if is_taker else meeting.ends_at + CLOSES_AFTER,
    )


def _words(meeting: Meeting, door: Doorway) -> dict[str, str]:
    opens = f"{spoken_clock(door.opens_at)} ngày {door.opens_at.astimezone(LOCAL):%d/%m/%Y}"
    return {"topic": meeting.topic, "opens": opens}


def _is_here(session: Session, meeting_id: int, subject: str) -> bool:
    status = session.scalar(
        select(RegisterLine.status).where(
            RegisterLine.meeting_id == meeting_id, RegisterLine.subject == subject
        )
    )
    return status in _HERE


def _has_claimed(session: Session, meeting_id: int, person_id: int) -> bool:
    state = session.scalar(
        select(Claim.state).where(Claim.meeting_id == meeting_id, Claim.person_id == person_id)
    )
    return state in ("claimed", "confirmed")


def _elsewhere(session: Session, meeting: Meeting, subject: str) -> str:
    """Where else this person is expected that day: the meeting nearest in time, in words."""
    day = local_day(meeting.starts_at)
    others = session.scalars(
        select(Meeting).where(
            Meeting.id != meeting.id,
            Meeting.state.in_(("published", "held")),
            Meeting.starts_at.between(
                meeting.starts_at - timedelta(days=1), meeting.starts_at + timedelta(days=1)
            ),
        )
    )
    near = sorted(
        (one for one in others if local_day(one.starts_at) == day),
        key=lambda one: (abs(one.starts_at - meeting.starts_at), one.id),
    )
    for other in near[:LOOKED_AT_ELSEWHERE]:
        if expected_among(session, other, [subject]):
            where = f", {other.place}" if other.place else ""
            return f"“{other.topic}” ({spoken_clock(other.starts_at)}{where})"
    return ""


def _write_claim(
    session: Session, meeting: Meeting, person: Person, now: datetime, device: str
) -> None:
    row = session.scalar(
        select(Claim).where(Claim.meeting_id == meeting.id, Claim.person_id == person.id)
    )
    if row is None:
        row = Claim(meeting_id=meeting.id, person_id=person.id)
        session.add(row)
    row.state, row.claimed_at, row.device = "claimed", now, device
    audit.record(
        session,
        now=now,
        by=AT_THE_DOOR,
        action="claimed",
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        person_id=person.id,
        device=device,
    )


def _settle(session: Session, state: str, claim_ids: list[int], now: datetime, by: Actor) -> None:
    """Give claims that still wait their end; those settled already stay as they are."""
    meeting_id = None
    changed = 0
    for one in session.scalars(
        select(Claim).where(Claim.id.in_(claim_ids), Claim.state == "claimed")
    ):
        one.state, one.settled_at = state, now
        one.settled_by_id, one.link_id = by.account_id, by.link_id
        meeting_id, changed = one.meeting_id, changed + 1
    if not changed:
        return
    audit.record(
        session,
        now=now,
        by=by,
        action=f"claims_{state}",
        entity="meeting",
        entity_id=meeting_id,
        claims=changed,
        link_id=by.link_id,
    )


def _waiting(session: Session, meeting_id: int) -> list[tuple[int, str, str]]:
    """The claims that wait, as (claim, subject, what the register says of them)."""
    lines = _statuses(session, meeting_id)
    rows = session.execute(
        select(Claim.id, Claim.person_id)
        .where(Claim.meeting_id == meeting_id, Claim.state == "claimed")
        .order_by(Claim.claimed_at, Claim.id)
    )
    return [(one, f"m:{person}", lines.get(f"m:{person}", "")) for one, person in rows]


def _statuses(session: Session, meeting_id: int) -> dict[str, str]:
    rows = session.execute(
        select(RegisterLine.subject, RegisterLine.status).where(
            RegisterLine.meeting_id == meeting_id
        )
    )
    return {row.subject: row.status for row in rows}


def screen(meeting_id: int, *, now: datetime, by: Actor) -> Screen:
    """The code of this moment and how many have used it, for those who may take the register."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    door = _doorway(session, meeting, is_taker=False)
    state = outcome(door, Scanned(is_expected=True), now)
    counted = Counter(
        session.scalars(select(Claim.state).where(Claim.meeting_id == meeting.id)).all()
    )
    is_open = state == Outcome.CONFIRMED and meeting.state != "draft"
    return Screen(
        code=door_code(_secret(meeting), now) if is_open else "",
        seconds_left=seconds_left(now),
        waiting=counted["claimed"],
        confirmed=counted["confirmed"],
        outcome=state,
        words=_words(meeting, door),
    )


def entry_pass(meeting_id: int, code: str, *, now: datetime) -> Pass | None:
    """What somebody who has the door's code may see; None for a wrong code and an unknown meeting."""
    meeting = reading().get(Meeting, meeting_id)
    if meeting is None or meeting.state == "draft" or not accepts(_secret(meeting), code, now):
        return None
    text = sign(office().secret_key, "door", f"{meeting.id}:{int(now.timestamp())}")
    return Pass(text, meeting.topic, meeting.starts_at, meeting.ends_at, meeting.place)


def pass_again(meeting_id: int, pass_text: str, *, now: datetime) -> Pass:
    """The same pass shown again, as long as it lasts."""
    meeting = _meeting_of_pass(reading(), meeting_id, pass_text, now)
    return Pass(pass_text, meeting.topic, meeting.starts_at, meeting.ends_at, meeting.place)


def given_name_of(person_id: int) -> str:
    """How the person this browser belongs to is called, or "" when there is none any more."""
    person = reading().get(Person, person_id)
    return split_full_name(person.full_name)[1] if person else ""


def member_card(feed_token: str) -> Card:
    """The card behind a member's calendar address; a unit's and a revoked one open nothing."""
    person = reading().scalar(
        select(Person)
        .join(FeedToken, FeedToken.person_id == Person.id)
        .where(FeedToken.token_hash == token_hash(feed_token), FeedToken.revoked_at.is_(None))
    )
    if person is None:
        raise NotFound(N_("Không có thẻ này. Hãy xin lại đường liên kết lịch."))
    return Card(person.id, person.code, split_full_name(person.full_name)[1])


def claims(meeting_id: int, *, now: datetime, by: Actor) -> Claims:
    """The claims of a meeting for those who take its register, in the order they came."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    found = session.execute(
        select(Claim, Person.full_name)
        .join(Person, Person.id == Claim.person_id)
        .where(Claim.meeting_id == meeting.id)
        .order_by(Claim.claimed_at, Claim.id)
    ).all()
    lines = _statuses(session, meeting.id)
    places = expected_among(session, meeting, [f"m:{one.person_id}" for one, _ in found])
    units = {place.unit_id for place in places.values() if place.unit_id}
    names = unit_names_on(session, units, local_day(meeting.starts_at))
    devices = Counter(one.device for one, _ in found if one.device)
    rows: dict[str, list[ClaimRow]] = {"claimed": [], "confirmed": [], "refused": []}
    for one, name in found:
        subject = f"m:{one.person_id}"
        place = places.get(subject)
        late = int((one.claimed_at - meeting.starts_at).total_seconds() // 60)
        unit = names.get(place.unit_id or 0, "") if place else ""
        status = lines.get(subject, "")
        same = devices[one.device]
        row = ClaimRow(one.id, name, unit, one.claimed_at, max(late, 0), status, same)
        rows[one.state].append(row)
    return Claims(rows["claimed"], len(rows["confirmed"]), rows["refused"])
