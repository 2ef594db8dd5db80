"""Erasing one person: nothing names them any more, and every figure stays as it was.

The row stays as a tombstone, so that rolls, marks and totals keep counting one; what named the
person, reached them or was sent to them goes. Backups made before age out by their own retention.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

from sqlalchemy import JSON, Enum, String, Table, delete, func, or_, select, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from gateways.feed_store import FeedStore
from gateways.mailbox import LocalMailbox
from models import (
    Account,
    Base,
    CallListEntry,
    ChannelChoice,
    DataLink,
    DataRequest,
    DataRequestStep,
    FeedToken,
    IncomingReply,
    OutgoingMessage,
    Person,
    RosterImport,
    Speaker,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.privacy import ERASED_CODE, OPEN_STATES, anonymous_name
from rules.refusals import N_, Refusal
from rules.text import fold, name_sort_key, split_full_name
from services import audit
from services.office import office
from services.people import person_for
from services.transaction import reading, writing

UNFINISHED = ("queued", "claimed", "sending", "failed")
GONE = "[đã xoá]"


@dataclass(frozen=True)
class Mention:
    """A place where a text still stands: table, column and in how many rows."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True)
class ErasureView:
    """What an erasure would do, for the page that asks to confirm it."""

    person_id: int
    name: str
    blocked: str
    mentions: list[Mention]


def erase_person(person_id: int, *, now: datetime, by: Actor) -> list[Mention]:
    """Erase a person and give the places where the name still stands (a namesake's, or the log).

    Refused while the person signs in or speaks at meetings: those are roles of their own that are
    ended first. Deletion requests are closed as done.
    """
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        if blocked := _blocked(session, person):
            raise Refusal(blocked)
        needles = _needles(person)
        has_namesake = _has_namesake(session, person)
        feeds = _erase(session, person, now)
        _close_requests(session, person.id, now, by)
        audit.record(
            session, now=now, by=by, action="erased", entity="person", entity_id=person.id,
            unit_id=unit_id,
        )  # fmt: skip
    for name in feeds:
        FeedStore(office().feeds_folder).forget(name)
    LocalMailbox(office().mailbox_folder).forget(needles)
    return [] if has_namesake else mentions(reading(), needles)


def _erase(session: Session, person: Person, now: datetime) -> list[str]:
    """Everything that names the person, within one transaction; gives the feeds to be forgotten."""
    needles = _needles(person)
    feeds = _forget_links(session, person.id)
    _forget_mail(session, person.id, needles)
    if not _has_namesake(session, person):
        _scrub(session, needles)
    _forget_imports(session, needles)
    _make_tombstone(person, now)
    return feeds


def erase_departed(session: Session, person_id: int, *, now: datetime) -> None:
    """Erase somebody who left long ago, in the caller's transaction; roles of their own stay."""
    person = session.get_one(Person, person_id)
    if not _blocked(session, person):
        _erase(session, person, now)


def erasure_view(person_id: int, *, now: datetime, by: Actor) -> ErasureView:
    """Where a person is named now, and what stands in the way of erasing them."""
    session = reading()
    person, _unit = person_for(session, by, person_id, local_day(now), "staff")
    return ErasureView(
        person.id, person.full_name, _blocked(session, person), mentions(session, _needles(person))
    )


def _blocked(session: Session, person: Person) -> str:
    if person.anonymised_at is not None:
        return N_("Dữ liệu của người này đã được xoá rồi.")
    if session.scalar(select(Account.id).where(Account.person_id == person.id, Account.is_active)):
        return N_("Người này còn tài khoản đăng nhập. Hãy khoá tài khoản trước.")
    speaks = select(Speaker.id).where(Speaker.person_id == person.id, Speaker.is_active)
    if session.scalar(speaks):
        return N_("Người này còn là báo cáo viên. Hãy cho thôi làm báo cáo viên trước.")
    return ""


def _needles(person: Person) -> list[str]:
    """The texts that point at this person: name, mail address, telephone in both ways of writing."""
    texts = [person.full_name]
    if person.email:
        texts.append(person.email)
    if person.phone:
        texts += [person.phone, "0" + person.phone.removeprefix("+84")]
    return texts


def _has_namesake(session: Session, person: Person) -> bool:
    same = select(Person.id).where(Person.full_name == person.full_name, Person.id != person.id)
    speaker = select(Speaker.id).where(Speaker.name == person.full_name)
    account = select(Account.id).where(Account.name == person.full_name)
    return any(session.scalar(one.limit(1)) is not None for one in (same, speaker, account))


def _forget_links(session: Session, person_id: int) -> list[str]:
    names = list(
        session.scalars(select(FeedToken.token_hash).where(FeedToken.person_id == person_id))
    )
    for table in (FeedToken, DataLink, ChannelChoice):
        session.execute(delete(table).where(table.person_id == person_id))
    return names


def _forget_mail(session: Session, person_id: int, needles: list[str]) -> None:
    """What was to go to them stops, what went loses its address and its text; answers likewise."""
    session.execute(
        update(OutgoingMessage)
        .where(OutgoingMessage.person_id == person_id, OutgoingMessage.state.in_(UNFINISHED))
        .values(state="dropped", last_error="Người nhận đã được xoá dữ liệu.", lease_token=None)
    )
    session.execute(
        update(OutgoingMessage)
        .where(OutgoingMessage.person_id == person_id)
        .values(to_address="", to_name="", subject="", body=b"")
    )
    session.execute(
        update(IncomingReply)
        .where(IncomingReply.person_id == person_id)
        .values(from_address="", attendee="", subject="", comment="", raw=b"")
    )
    session.execute(
        update(CallListEntry)
        .where(CallListEntry.person_id == person_id)
        .values(text="", done_at=func.coalesce(CallListEntry.done_at, CallListEntry.created_at))
    )
    for message in session.scalars(
        select(OutgoingMessage).where(
            OutgoingMessage.kind.in_(("chase", "digest", "notice")),
            func.length(OutgoingMessage.body) > 0,
        )
    ):
        if _says(message.body, needles):
            message.body = b""
            if message.state in UNFINISHED:
                message.state = "dropped"


def _says(body: bytes, needles: list[str]) -> bool:
    parsed = message_from_bytes(body, policy=default)
    texts = [str(value) for value in parsed.values()]
    for part in parsed.walk():
        if part.get_content_maintype() == "text":
            texts.append(str(part.get_content()))
    whole = "\n".join(texts)
    return any(needle in whole for needle in needles)


def _forget_imports(session: Session, needles: list[str]) -> None:
    """Previews of imports that name the person; the files themselves last a day at most."""
    for row in session.scalars(select(RosterImport).where(RosterImport.result.is_not(None))):
        if any(needle in str(row.result) for needle in needles):
            row.result = {"counts": (row.result or {}).get("counts", {})}


def _make_tombstone(person: Person, now: datetime) -> None:
    name = anonymous_name(person.id)
    person.full_name = name
    person.family_and_middle, person.given_name = split_full_name(name)
    person.fold = fold(name)
    person.sort_key = name_sort_key(person.family_and_middle, person.given_name)[:400]
    person.code = f"{ERASED_CODE}{person.id:06}"
    person.birth_year = person.phone = person.email = person.email_failing_since = None
    person.wants_mail = person.wants_reminders = False
    person.anonymised_at = now


def _close_requests(session: Session, person_id: int, now: datetime, by: Actor) -> None:
    requests = session.scalars(select(DataRequest).where(DataRequest.person_id == person_id)).all()
    for request in requests:
        request.proposed = ""
        if request.state in OPEN_STATES:
            request.state, request.closed_at = "done", now
            told = "Dữ liệu đã được xoá; số liệu tổng được giữ lại không kèm tên."
            session.add(
                DataRequestStep(
                    request_id=request.id, at=now, by_name=by.name, step="done", told=told
                )
            )


def _text_columns(table: Table) -> list[Any]:
    return [
        column
        for column in table.columns
        if isinstance(column.type, String)
        and not isinstance(column.type, Enum)
        and not column.foreign_keys
        and not column.primary_key
    ]


def _scrub(session: Session, needles: list[str]) -> None:
    """Take the person out of free texts (a chair's name, a note); the sealed log is never touched."""
    for table in Base.metadata.sorted_tables:
        if table.name in ("audit_entry", "person"):
            continue
        for column in _text_columns(table):
            for needle in needles:
                session.execute(
                    update(table)
                    .where(column.contains(needle, autoescape=True))
                    .values({column.name: func.replace(column, needle, GONE)})
                )


def mentions(session: Session, needles: list[str]) -> list[Mention]:
    """Every table and column of text or JSON in which one of the texts stands, as a dump would."""
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Enum):
                continue
            if isinstance(column.type, String):
                text: Any = column
            elif isinstance(column.type, JSON):
                text = sql_cast(column, String)
            else:
                continue
            said = [
                text.contains(form, autoescape=True)
                for needle in needles
                for form in {needle, json.dumps(needle)[1:-1]}
            ]
            rows = session.scalar(select(func.count()).select_from(table).where(or_(*said))) or 0
            if rows:
                found.append(Mention(table.name, column.name, rows))
    return found
