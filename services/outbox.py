"""The outbox: mail is written with its cause, claimed under a lease, sent, and accounted for."""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default as readable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased, undefer

from gateways.errors import GatewayError
from gateways.mail import Envelope, Letter, Mailbox, compose, message_id
from gateways.smtp import Transport
from models import CallListEntry, Invitation, Meeting, Model, OutgoingMessage, Person, Setting
from rules.days import local_day
from rules.outbox import (
    CALENDAR_KINDS,
    LEASE,
    PROBE_WAIT,
    Verdict,
    after_doubt,
    after_failure,
    allowance,
)
from rules.permissions import Actor
from rules.refusals import N_, NotFound, Refusal
from services import access, audit, bundles, installation, letters
from services.meeting_facts import organizer_of
from services.office import office
from services.transaction import reading, writing

WAITING = ("queued", "failed")
UNFINISHED = ("queued", "failed", "claimed", "sending")
BATCH = 50
PAUSE_KEY = "mail_paused_until"
TROUBLE_KEY = "mail_trouble"


@dataclass(frozen=True)
class Sent:
    """What one round of sending did."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Counts:
    """How many messages wait, travel, arrived or failed, and since when the oldest is due."""

    queued: int
    claimed: int
    sent: int
    failed: int
    dead: int
    oldest_due_at: datetime | None


@dataclass(frozen=True)
class MessageRow:
    """One message as the outbox page lists it."""

    id: int
    kind: str
    state: str
    to_name: str
    to_address: str
    subject: str
    due_at: datetime
    sent_at: datetime | None
    attempts: int
    last_error: str
    meeting_id: int | None


@dataclass(frozen=True)
class MessageShown:
    """One message in full: its row, its headers and its text."""

    row: MessageRow
    headers: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    source: str = ""


def insert_new(
    session: Session, table: type[Model], rows: list[dict[str, Any]], *, key: str = "dedup_key"
) -> None:
    """Insert the rows whose key is not there yet; the same cause told twice is told once."""
    dialect = session.get_bind().dialect.name
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    for start in range(0, len(rows), 500):
        statement = make(table).on_conflict_do_nothing(index_elements=[key])
        session.execute(statement, rows[start : start + 500])


def _mail_name(dedup_key: str) -> str:
    """Give a letter's Message-ID, which only its readers know: a bounce that names it saw it."""
    return message_id(f"{office().secret_key}\n{dedup_key}", office().domain)


def enqueue(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Put messages into the caller's transaction; their bodies are written when they leave.

    Each row gives kind, to_address, to_name, subject and dedup_key, and what the letter is about
    (meeting_id with person_id or speaker_id). Composing later keeps the write lock short and lets
    a letter say what is true when it leaves.
    """
    base = {"state": "queued", "due_at": now, "created_at": now, "body": b"", "priority": 5}
    base |= {"attempts": 0, "sequence": 0, "last_error": ""}
    columns = ("meeting_id", "person_id", "speaker_id", "account_id", "expires_at", "bundle")
    insert_new(
        session,
        OutgoingMessage,
        [
            dict.fromkeys(columns)
            | base
            | {"message_id": _mail_name(str(row["dedup_key"]))}
            | dict(row)
            for row in rows
        ],
    )


def enqueue_letter(
    session: Session,
    letter: Letter,
    *,
    kind: str,
    to: Mailbox,
    subject: str,
    dedup_key: str,
    now: datetime,
    attached: bytes = b"",
    **values: object,
) -> None:
    """Put one letter that is already written into the caller's transaction.

    For sign-in links, notices, chases and digests; `attached` is a calendar file, `values` may
    give priority, expires_at, meeting_id, account_id and due_at. Raises Refusal when the address
    cannot be written to.
    """
    organizer = organizer_of(session)
    envelope = Envelope(
        sender=Mailbox(organizer.address, organizer.name),
        recipient=to,
        subject=subject,
        message_id=_mail_name(dedup_key),
        sent_at=now,
    )
    try:
        body = compose(envelope, letter, attached=attached)
    except GatewayError as error:
        raise Refusal(
            N_("Không gửi thư tới “%(address)s” được: %(why)s Hãy sửa địa chỉ thư."),
            address=to.address,
            why=str(error),
        ) from error
    row = {"kind": kind, "to_address": to.address, "to_name": to.name, "subject": subject}
    enqueue(session, [row | {"dedup_key": dedup_key, "body": body} | values], now=now)


def enqueue_sign_in(
    session: Session,
    *,
    address: str,
    name: str,
    url: str,
    now: datetime,
    expires_at: datetime,
    account_id: int | None = None,
    language: str = "vi",
) -> None:
    """Put a sign-in link first in line; it is never sent twice and worthless once expired."""
    minutes = max(1, int((expires_at - now).total_seconds() // 60))
    enqueue_letter(
        session,
        letters.sign_in_letter(name, url, minutes, language),
        kind="sign_in",
        to=Mailbox(address, name),
        subject=letters.sign_in_subject(language),
        dedup_key=f"sign_in:{uuid.uuid4()}",
        now=now,
        priority=1,
        expires_at=expires_at,
        account_id=account_id,
    )


def drop_waiting(session: Session, meeting_id: int, kinds: tuple[str, ...], why: str) -> None:
    """Take back what has not left yet about a meeting, because something newer says more."""
    session.execute(
        update(OutgoingMessage)
        .where(
            OutgoingMessage.meeting_id == meeting_id,
            OutgoingMessage.kind.in_(kinds),
            OutgoingMessage.state.in_(WAITING),
        )
        .values(state="dropped", last_error=why)
        .execution_options(synchronize_session=False)
    )


def send_due(
    transport: Transport,
    *,
    clock: Callable[[], datetime],
    most: int = 200,
    stopping: Callable[[], bool] = lambda: False,
) -> Sent:
    """Send what is due, one message at a time, until done, over the rate, or asked to stop.

    Each message is claimed under a lease and marked `sending` in its own commit just before its
    first byte leaves; a clean stop finishes the message in hand and gives the others back.
    """
    if installation.holds_mail():
        return Sent()
    token = str(uuid.uuid4())
    sent = failed = dropped = 0
    claimed = _claim(token, now=clock(), most=most)
    for one in claimed:
        if stopping():
            _give_back(token)
            break
        outcome = _send_one(transport, one, token, clock)
        sent += outcome == "sent"
        dropped += outcome == "dropped"
        failed += outcome in ("failed", "dead", "paused")
        if outcome == "paused":
            _give_back(token)
            break
    return Sent(sent, failed, dropped)


def _claim(token: str, *, now: datetime, most: int) -> list[int]:
    """Take the next messages for this sender; nobody else touches them until the lease ends."""
    with writing() as session:
        _recover(session, now)
        paused = session.get(Setting, PAUSE_KEY)
        if paused is not None and paused.value and datetime.fromisoformat(paused.value) > now:
            return []
        last_minute = session.scalar(
            select(func.count()).where(OutgoingMessage.sent_at > now - timedelta(minutes=1))
        )
        limit = allowance(last_minute or 0, office().mail_rate_per_minute, min(most, BATCH))
        ids = list(
            session.scalars(
                select(OutgoingMessage.id)
                .where(
                    OutgoingMessage.state.in_(WAITING),
                    OutgoingMessage.due_at <= now,
                    ~_earlier_unfinished(),
                    ~_earlier_in_bundle(),
                )
                .order_by(OutgoingMessage.priority, OutgoingMessage.due_at, OutgoingMessage.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
        )
        session.execute(
            update(OutgoingMessage)
            .where(OutgoingMessage.id.in_([*ids, *_companions(session, ids)]))
            .values(state="claimed", lease_token=token, lease_until=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        return ids


def _earlier_in_bundle() -> ColumnElement[bool]:
    """An earlier message of the same bundle is unfinished: it takes this one along."""
    earlier = aliased(OutgoingMessage)
    return and_(
        OutgoingMessage.bundle.is_not(None),
        exists().where(
            earlier.bundle == OutgoingMessage.bundle,
            earlier.id < OutgoingMessage.id,
            earlier.state.in_(UNFINISHED),
        ),
    )


def _companions(session: Session, ids: Sequence[int]) -> list[int]:
    """The messages that leave in one letter with these."""
    bundles = select(OutgoingMessage.bundle).where(
        OutgoingMessage.id.in_(ids), OutgoingMessage.bundle.is_not(None)
    )
    return list(
        session.scalars(
            select(OutgoingMessage.id).where(
                OutgoingMessage.bundle.in_(bundles),
                OutgoingMessage.id.not_in(ids),
                OutgoingMessage.state.in_(WAITING),
                ~_earlier_unfinished(),
            )
        )
    )


def _earlier_unfinished() -> ColumnElement[bool]:
    """An earlier calendar message about the same meeting to the same person is still on its way.

    This keeps a CANCEL behind its REQUEST whatever happens to the first.
    """
    return and_(OutgoingMessage.kind.in_(CALENDAR_KINDS), or_(_waits(False), _waits(True)))


def _waits(for_speaker: bool) -> ColumnElement[bool]:
    """One of the two questions; asked apart, each is one look into the index."""
    earlier = aliased(OutgoingMessage)
    if for_speaker:
        same = and_(earlier.person_id.is_(None), earlier.speaker_id == OutgoingMessage.speaker_id)
    else:
        same = earlier.person_id == OutgoingMessage.person_id
    return exists().where(
        earlier.meeting_id == OutgoingMessage.meeting_id,
        same,
        earlier.id < OutgoingMessage.id,
        earlier.kind.in_(CALENDAR_KINDS),
        earlier.state.in_(UNFINISHED),
    )


def _recover(session: Session, now: datetime) -> None:
    """Take back what a dead sender held: claimed goes back in line, sending is in doubt."""
    lost = session.scalars(
        select(OutgoingMessage)
        .where(
            OutgoingMessage.state.in_(("claimed", "sending")), OutgoingMessage.lease_until <= now
        )
        .with_for_update(skip_locked=True)
    )
    for message in lost:
        if message.state == "claimed":
            message.state = "queued"
        else:
            _doubt(session, message, now)
        message.lease_token = message.lease_until = None


def _doubt(session: Session, message: OutgoingMessage, now: datetime) -> None:
    starts_at = session.scalar(select(Meeting.starts_at).where(Meeting.id == message.meeting_id))
    verdict = after_doubt(message.kind, starts_at=starts_at, now=now)
    message.state = verdict.state
    message.due_at = verdict.due_at or message.due_at
    message.last_error = "Không rõ đã tới nơi chưa: kết nối đứt sau khi gửi."


def _send_one(transport: Transport, one: int, token: str, clock: Callable[[], datetime]) -> str:
    prepared = _prepare(one, token, clock())
    if prepared is None:
        return "dropped"
    content, address, ids = prepared

    def mark() -> None:
        _mark_sending(ids, token, content, clock())

    try:
        transport.send(office().mail_from, address, content, mark)
    except GatewayError as error:
        return _note_failure(ids, token, error, clock())
    _note_sent(ids, token, clock())
    return "sent"


def _prepare(one: int, token: str, now: datetime) -> tuple[bytes, str, list[int]] | None:
    """Look once more before a message leaves: is it still true, still wanted, still in time?

    Gives its bytes, its address and the messages that leave in them; None when all were dropped,
    with the reason on each row.
    """
    session = reading()
    session.rollback()
    messages = _held_together(session, one, token)
    true: list[OutgoingMessage] = []
    false: dict[int, str] = {}
    for message in messages:
        try:
            letters.check(session, message, now=now)
            true.append(message)
        except letters.NoLongerTrue as reason:
            false[message.id] = str(reason)
    prepared, trouble = None, None
    if true:
        try:
            content = bundles.content_of(session, true, now=now)
            prepared = content, true[0].to_address, [message.id for message in true]
        except GatewayError as error:
            trouble = error
    for one_id, why in false.items():
        _finish(one_id, token, state="dropped", last_error=why)
    if trouble is not None:
        _note_failure([message.id for message in true], token, trouble, now)
    return prepared


def _held_together(session: Session, one: int, token: str) -> Sequence[OutgoingMessage]:
    """The message and those that leave with it, as this sender holds them, oldest first."""
    bundle = select(OutgoingMessage.bundle).where(OutgoingMessage.id == one).scalar_subquery()
    return session.scalars(
        select(OutgoingMessage)
        .where(
            or_(OutgoingMessage.id == one, OutgoingMessage.bundle == bundle),
            OutgoingMessage.lease_token == token,
        )
        .order_by(OutgoingMessage.id)
        .options(undefer(OutgoingMessage.body))
        .execution_options(populate_existing=True)
    ).all()


def _finish(one: int, token: str, **values: object) -> None:
    """Write a message's outcome, only while this sender still holds it."""
    with writing() as session:
        session.execute(_held(one, token).values(lease_token=None, lease_until=None, **values))


def _held(one: int, token: str) -> Any:
    return (
        update(OutgoingMessage)
        .where(OutgoingMessage.id == one, OutgoingMessage.lease_token == token)
        .execution_options(synchronize_session=False)
    )


def _mark_sending(ids: list[int], token: str, content: bytes, now: datetime) -> None:
    """Commit that the first byte is about to leave; a sender that lost its lease stops here.

    The bytes are kept with the first message of a bundle.
    """
    with writing() as session:
        for one in ids:
            held = session.scalar(
                _held(one, token)
                .values(
                    state="sending",
                    body=content if one == ids[0] else b"",
                    lease_until=now + LEASE,
                    attempts=OutgoingMessage.attempts + 1,
                )
                .returning(OutgoingMessage.id)
            )
            if held is None:
                raise GatewayError("Thư này đã chuyển sang phiên gửi khác.", permanent=False)


def _note_sent(ids: list[int], token: str, now: datetime) -> None:
    with writing() as session:
        for message in _still_held(session, ids, token):
            message.state, message.sent_at = "sent", now
            message.lease_token = message.lease_until = None
            message.last_error = ""
            if message.kind in CALENDAR_KINDS and message.person_id is not None:
                session.execute(
                    update(Invitation)
                    .where(
                        Invitation.meeting_id == message.meeting_id,
                        Invitation.person_id == message.person_id,
                    )
                    .values(last_sent_sequence=message.sequence, last_told_at=now)
                    .execution_options(synchronize_session=False)
                )
        _set(session, PAUSE_KEY, "")
        _set(session, TROUBLE_KEY, "")


def _still_held(session: Session, ids: list[int], token: str) -> Sequence[OutgoingMessage]:
    return session.scalars(
        select(OutgoingMessage)
        .where(OutgoingMessage.id.in_(ids), OutgoingMessage.lease_token == token)
        .order_by(OutgoingMessage.id)
    ).all()


def _note_failure(ids: list[int], token: str, error: GatewayError, now: datetime) -> str:
    """Write why a message did not leave, and decide what becomes of it and its bundle."""
    with writing() as session:
        if error.everyone:
            _set(session, PAUSE_KEY, (now + PROBE_WAIT).isoformat())
            _set(session, TROUBLE_KEY, str(error))
            return "paused"
        messages = _still_held(session, ids, token)
        spread = random.random()
        for message in messages:
            message.last_error = str(error)
            message.lease_token = message.lease_until = None
            if error.in_doubt:
                _doubt(session, message, now)
                continue
            if message.state != "sending":
                message.attempts += 1
            _apply(
                message,
                after_failure(message.attempts, permanent=error.permanent, now=now, spread=spread),
            )
        if messages and error.bad_address and not error.in_doubt:
            mark_address(session, messages[0], now)
        return messages[0].state if messages else "failed"


def _apply(message: OutgoingMessage, verdict: Verdict) -> None:
    message.state = verdict.state
    message.due_at = verdict.due_at or message.due_at


def mark_address(session: Session, message: OutgoingMessage, now: datetime) -> None:
    """An address that does not exist: flag the person and put the news on the call list."""
    person = session.get(Person, message.person_id) if message.person_id else None
    if person is None or message.meeting_id is None:
        return
    if person.email_failing_since is None:
        person.email_failing_since = now
    unit_id = session.scalar(
        select(Invitation.unit_id).where(
            Invitation.meeting_id == message.meeting_id, Invitation.person_id == person.id
        )
    )
    row = {
        "unit_id": unit_id,
        "person_id": person.id,
        "meeting_id": message.meeting_id,
        "kind": "address_failing",
        "dedup_key": f"address:{message.dedup_key}"[:200],
        "text": f"Thư tới {message.to_address} bị trả lại. Hãy báo bằng điện thoại: "
        f"{message.subject}"[:1000],
        "created_at": now,
    }
    insert_new(session, CallListEntry, [row])


def _give_back(token: str) -> None:
    """Put claimed messages that have not left back in line."""
    with writing() as session:
        session.execute(
            update(OutgoingMessage)
            .where(OutgoingMessage.lease_token == token, OutgoingMessage.state == "claimed")
            .values(state="queued", lease_token=None, lease_until=None)
            .execution_options(synchronize_session=False)
        )


def _set(session: Session, key: str, value: str) -> None:
    row = session.get(Setting, key)
    if row is None:
        if value:
            session.add(Setting(key=key, value=value[:500]))
    elif row.value != value:
        row.value = value[:500]


def retry(message_id: int, *, now: datetime, by: Actor) -> None:
    """Put a failed, dead or held message back in line, at once and with fresh attempts."""
    with writing() as session:
        message = _message(session, message_id, by, now)
        if message.state not in ("failed", "dead", "queued"):
            raise Refusal(
                N_("Thư số %(id)s đang ở trạng thái “%(state)s” nên không gửi lại được."),
                id=message_id,
                state=message.state,
            )
        message.state, message.due_at, message.attempts = "queued", now, 0
        message.lease_token = message.lease_until = None
        _set(session, PAUSE_KEY, "")
        audit.record(
            session,
            now=now,
            by=by,
            action="retried",
            entity="outgoing_message",
            entity_id=message.id,
        )


def _message(session: Session, message_id: int, by: Actor, now: datetime) -> OutgoingMessage:
    access.require_role(by, "staff")
    query = select(OutgoingMessage).where(OutgoingMessage.id == message_id, _readable(by, now))
    message = session.scalar(query.options(undefer(OutgoingMessage.body)))
    if message is None:
        raise NotFound(N_("Không có thư số %(id)s trong phạm vi của bạn."), id=message_id)
    return message


def counts(*, now: datetime) -> Counts:
    """Count the outbox by state; the oldest due time is of what should have left by now."""
    session = reading()
    counted = select(OutgoingMessage.state, func.count()).group_by(OutgoingMessage.state)
    by_state = dict(session.execute(counted).all())
    oldest = session.scalar(
        select(func.min(OutgoingMessage.due_at)).where(
            OutgoingMessage.state.in_(UNFINISHED), OutgoingMessage.due_at <= now
        )
    )
    return Counts(
        queued=by_state.get("queued", 0),
        claimed=by_state.get("claimed", 0) + by_state.get("sending", 0),
        sent=by_state.get("sent", 0),
        failed=by_state.get("failed", 0),
        dead=by_state.get("dead", 0),
        oldest_due_at=oldest,
    )


def trouble() -> str:
    """Give why all mail is paused, or nothing."""
    row = reading().get(Setting, TROUBLE_KEY)
    return row.value if row is not None else ""


def messages(
    *, by: Actor, now: datetime, state: str = "", page: int = 1, page_size: int = 50
) -> tuple[list[MessageRow], int]:
    """List the newest messages within the actor's scope, and how many there are in all."""
    access.require_role(by, "staff")
    query = select(OutgoingMessage)
    if state:
        query = query.where(OutgoingMessage.state == state)
    query = query.where(_readable(by, now))
    session = reading()
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(
        query.order_by(OutgoingMessage.id.desc()).limit(page_size).offset((page - 1) * page_size)
    )
    return [_row(message) for message in rows], total


def readable_ids(message_ids: Sequence[str], *, by: Actor, now: datetime) -> set[str]:
    """Give which of these Message-IDs belong to letters the actor may read."""
    access.require_role(by, "staff")
    return set(
        reading().scalars(
            select(OutgoingMessage.message_id).where(
                OutgoingMessage.message_id.in_(message_ids), _readable(by, now)
            )
        )
    )


def _readable(by: Actor, now: datetime) -> ColumnElement[bool]:
    """Administrators read all; staff what is about meetings within their scope."""
    if by.is_admin:
        return true()
    visible = access.meetings_visible_to(by, local_day(now), "staff")
    return and_(
        OutgoingMessage.meeting_id.in_(select(Meeting.id).where(visible)),
        OutgoingMessage.kind != "sign_in",
    )


def message(message_id: int, *, by: Actor, now: datetime) -> MessageShown:
    """Give one message in full; one that waits is shown as it would leave now."""
    session = reading()
    found = _message(session, message_id, by, now)
    if not found.body and found.state in ("sent", "dead"):
        return MessageShown(_row(found), text="(Nội dung thư đã xoá theo thời hạn lưu.)")
    try:
        content = letters.content_of(session, found, now=now)
    except (letters.NoLongerTrue, GatewayError) as reason:
        session.rollback()
        return MessageShown(_row(found), text=str(reason))
    session.rollback()
    if found.kind == "sign_in":
        return MessageShown(_row(found), text="(Nội dung thư đăng nhập không hiển thị.)")
    read = message_from_bytes(content, policy=readable)
    body = read.get_body(preferencelist=("plain",))
    return MessageShown(
        _row(found),
        headers=[(name, str(value)) for name, value in read.items()],
        text=body.get_content() if body is not None else "",
        source=content.decode("ascii", errors="replace"),
    )


def _row(message: OutgoingMessage) -> MessageRow:
    return MessageRow(
        id=message.id,
        kind=message.kind,
        state=message.state,
        to_name=message.to_name,
        to_address=message.to_address,
        subject=message.subject,
        due_at=message.due_at,
        sent_at=message.sent_at,
        attempts=message.attempts,
        last_error=message.last_error,
        meeting_id=message.meeting_id,
    )
