"""The outbox: mail is written with its cause, claimed under a lease, sent, and accounted for."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default as readable
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, undefer

from gateways.errors import GatewayError
from gateways.mail import Envelope, Letter, Mailbox, compose, message_id
from models import Meeting, Model, OutgoingMessage, Setting
from rules.days import local_day
from rules.letters import why_not
from rules.permissions import Actor
from rules.refusals import N_, NotFound, Refusal
from services import access, audit, grounds, letters
from services.meeting_facts import organizer_of
from services.office import office
from services.restoring import restored_at
from services.transaction import reading, writing

WAITING = ("queued", "failed")
OPEN = ("queued", "failed", "dead", "in_doubt")
"""States in which a person can still decide: send again, or stop."""
UNFINISHED = ("queued", "failed", "claimed", "sending")
PAUSE_KEY = "mail_paused_until"
TROUBLE_KEY = "mail_trouble"
FAILURES_KEY = "mail_failures"


@dataclass(frozen=True)
class Counts:
    """How many messages wait, travel, arrived or failed, and since when the oldest is due."""

    queued: int
    claimed: int
    sent: int
    failed: int
    dead: int
    in_doubt: int
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
    # Into the plain table: for thousands of rows the ORM's own way costs as much as the database.
    plain: Any = table.__table__
    for start in range(0, len(rows), 500):
        statement = make(plain).on_conflict_do_nothing(index_elements=[key])
        session.execute(statement, rows[start : start + 500])


def _mail_name(dedup_key: str) -> str:
    """Give a letter's Message-ID, which only its readers know: a bounce that names it saw it."""
    return message_id(f"{office().secret_key}\n{dedup_key}", office().domain)


def enqueue(session: Session, rows: Iterable[Mapping[str, Any]], *, now: datetime) -> None:
    """Put messages into the caller's transaction; their bodies are written when they leave.

    Each row gives kind, to_address, to_name, subject and dedup_key, and what the letter is about
    (meeting_id with person_id or speaker_id). Composing later keeps the write lock short and lets
    a letter say what is true when it leaves. What was due before this database was restored may
    have been sent by its earlier life, so it begins in doubt.
    """
    restored = restored_at(session)
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
            | _as_told(row, restored)
            for row in rows
        ],
    )


def _as_told(row: Mapping[str, Any], restored: datetime | None) -> dict[str, Any]:
    """The row, held when its cause lies before the moment of a restore."""
    due_at = row.get("due_at")
    if restored is None or due_at is None or due_at > restored:
        return dict(row)
    why = "Đến hạn trước lúc phục hồi: không rõ thư đã gửi chưa."
    return dict(row) | {"state": "in_doubt", "last_error": why}


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


def set_value(session: Session, key: str, value: str) -> None:
    """Keep one of the outbox's own facts; an empty one is not written down."""
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
        if message.state not in OPEN:
            raise Refusal(
                N_("Thư số %(id)s đang ở trạng thái “%(state)s” nên không gửi lại được."),
                id=message_id,
                state=message.state,
            )
        if not message.body and message.meeting_id is None:
            raise Refusal(
                N_("Nội dung thư số %(id)s đã xoá theo thời hạn lưu nên không gửi lại được."),
                id=message_id,
            )
        message.state, message.due_at = "queued", now
        message.attempts = message.doubts = 0
        message.lease_token = message.lease_until = None
        set_value(session, PAUSE_KEY, "")
        audit.record(
            session,
            now=now,
            by=by,
            action="retried",
            entity="outgoing_message",
            entity_id=message.id,
        )


def stop(message_id: int, *, now: datetime, by: Actor) -> None:
    """Give a message up that waits, failed or is in doubt: it will not be sent any more."""
    with writing() as session:
        message = _message(session, message_id, by, now)
        if message.state not in OPEN:
            raise Refusal(
                N_("Thư số %(id)s đang ở trạng thái “%(state)s” nên không dừng được nữa."),
                id=message_id,
                state=message.state,
            )
        message.state = "dropped"
        message.last_error = f"{by.name} dừng gửi. {message.last_error}".strip()
        message.lease_token = message.lease_until = None
        audit.record(
            session,
            now=now,
            by=by,
            action="stopped",
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
        in_doubt=by_state.get("in_doubt", 0),
        oldest_due_at=oldest,
    )


@dataclass(frozen=True)
class Sending:
    """How far the mail about one meeting is; a person counted twice was written to twice."""

    meeting_id: int
    topic: str
    began_at: datetime
    total: int
    sent: int
    waiting: int
    not_delivered: int
    minutes_left: int | None


SENDINGS_FOR = timedelta(days=14)
SENDINGS_SHOWN = 100


def sendings(*, by: Actor, now: datetime) -> list[Sending]:
    """How far each meeting's mail of the last days is, the newest first; dropped mail counts not.

    What is left takes as long as the rate of sending allows, all that waits together.
    """
    access.require_role(by, "staff")
    state = OutgoingMessage.state
    waits = func.sum(case((state.in_(UNFINISHED), 1), else_=0))
    rows = reading().execute(
        select(
            OutgoingMessage.meeting_id,
            Meeting.topic,
            func.min(OutgoingMessage.created_at),
            func.count(),
            func.sum(case((state == "sent", 1), else_=0)),
            waits,
            func.sum(case((state.in_(("dead", "in_doubt")), 1), else_=0)),
        )
        .join(Meeting, Meeting.id == OutgoingMessage.meeting_id)
        .where(
            OutgoingMessage.created_at > now - SENDINGS_FOR, state != "dropped", _readable(by, now)
        )
        .group_by(OutgoingMessage.meeting_id, Meeting.topic)
        .order_by(waits.desc(), func.max(OutgoingMessage.id).desc())
        .limit(SENDINGS_SHOWN)
    )
    left = counts(now=now)
    minutes = -(-(left.queued + left.claimed) // office().mail_rate_per_minute)
    return [
        Sending(meeting_id, topic, began, total, sent, waiting, lost, minutes if waiting else None)
        for meeting_id, topic, began, total, sent, waiting, lost in rows
    ]


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
    if not found.body and found.state in ("sent", "dead", "in_doubt"):
        return MessageShown(_row(found), text="(Nội dung thư đã xoá theo thời hạn lưu.)")
    standing = grounds.of(session, found.id)
    if reason := why_not(standing, now):
        return MessageShown(_row(found), text=reason)
    try:
        content = letters.Writer().letter(standing, now=now)
    except GatewayError as error:
        return MessageShown(_row(found), text=str(error))
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
