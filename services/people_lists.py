"""Members as pages show them: the list with its filters, and everything known of one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models import Exemption, Invitation, Meeting, Membership, Person, RegisterLine
from rules.permissions import Actor
from rules.text import fold
from services.access import require_role, subtree, within_scope
from services.people import holds_on, person_for
from services.transaction import reading
from services.units import parents_on, unit_names_on

PAGE = 50
RECENT = 12


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; empty means no narrowing."""

    query: str = ""
    unit_id: int | None = None
    standing: str = ""
    exempt: str = ""
    contact: str = ""
    state: str = ""


@dataclass(frozen=True)
class PersonRow:
    """One member in the list; `namesakes` counts others of the same name."""

    id: int
    code: str
    full_name: str
    birth_year: int | None
    unit_id: int
    unit_name: str
    standing: str
    is_exempt: bool
    phone: str | None
    email: str | None
    email_fails: bool
    left_on: date | None
    namesakes: int


@dataclass(frozen=True)
class PeoplePage:
    """One page of the list."""

    rows: list[PersonRow]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Span:
    """A membership or exemption; `until_on` is the last day, None when it goes on."""

    id: int
    unit_id: int | None
    text: str
    standing: str
    from_on: date
    until_on: date | None
    is_open: bool


@dataclass(frozen=True)
class MeetingLine:
    """A meeting the person was invited to or marked at."""

    meeting_id: int
    topic: str
    starts_at: datetime
    state: str
    reply: str
    status: str


@dataclass(frozen=True)
class PersonPage:
    """Everything the page of one person shows."""

    id: int
    code: str
    full_name: str
    birth_year: int | None
    phone: str | None
    email: str | None
    email_failing_since: datetime | None
    language: str
    neutral_titles: bool
    wants_reminders: bool
    died_on: date | None
    unit_id: int | None
    unit_name: str
    standing: str
    is_exempt: bool
    memberships: list[Span]
    exemptions: list[Span]
    meetings: list[MeetingLine]
    is_changeable: bool


def word_conditions(query: str, column: SQLColumnExpression[str]) -> list[ColumnElement[bool]]:
    """Each word asked for begins some word of the folded column, in any order."""
    spaced = " " + column
    return [spaced.contains(f" {word}", autoescape=True) for word in fold(query).split()]


def people_page(filters: Filters, *, page: int, on: date, by: Actor) -> PeoplePage:
    """The members within scope by given name, narrowed and cut into pages; a fixed few queries."""
    require_role(by, "staff", "reader")
    session = reading()
    query = _listed(filters, on, by)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    rows = session.execute(
        query.order_by(Person.sort_key, Person.birth_year, Person.id)
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    ).all()
    return PeoplePage(_person_rows(session, rows, on), total, page, pages)


def _listed(filters: Filters, on: date, by: Actor) -> Select[*tuple[Any, ...]]:
    later = aliased(Membership)
    exempt = exists().where(Exemption.person_id == Person.id, holds_on(Exemption, on))
    query = (
        select(Person, Membership, exempt.label("is_exempt"))
        .join(Membership, Membership.person_id == Person.id)
        .where(within_scope(by, Membership.unit_id, on, "staff", "reader"))
        .where(*word_conditions(filters.query, Person.fold))
    )
    if filters.state == "left":
        gone = and_(
            Membership.valid_to <= on,
            ~exists().where(later.person_id == Person.id, later.valid_from > Membership.valid_from),
        )
        query = query.where(gone)
    else:
        query = query.where(holds_on(Membership, on))
    if filters.unit_id is not None:
        query = query.where(Membership.unit_id.in_(subtree({filters.unit_id}, on)))
    if filters.standing:
        query = query.where(Membership.standing == filters.standing)
    if filters.exempt:
        query = query.where(exempt if filters.exempt == "yes" else ~exempt)
    return query.where(*_contact_conditions(filters.contact))


def _contact_conditions(contact: str) -> list[ColumnElement[bool]]:
    if contact == "no_email":
        return [Person.email.is_(None)]
    if contact == "no_contact":
        return [Person.email.is_(None), Person.phone.is_(None)]
    if contact == "failing":
        return [Person.email_failing_since.is_not(None)]
    return []


def _person_rows(session: Session, rows: Sequence[Any], on: date) -> list[PersonRow]:
    names = unit_names_on(session, [membership.unit_id for _p, membership, _e in rows], on)
    same_names = select(Person.fold, func.count()).where(
        Person.fold.in_([person.fold for person, _m, _e in rows]), Person.died_on.is_(None)
    )
    counted = {row[0]: row[1] for row in session.execute(same_names.group_by(Person.fold))}
    return [
        PersonRow(
            id=person.id,
            code=person.code,
            full_name=person.full_name,
            birth_year=person.birth_year,
            unit_id=membership.unit_id,
            unit_name=names.get(membership.unit_id, ""),
            standing=membership.standing,
            is_exempt=bool(is_exempt),
            phone=person.phone,
            email=person.email,
            email_fails=person.email_failing_since is not None,
            left_on=membership.valid_to
            if membership.valid_to and membership.valid_to <= on
            else None,
            namesakes=counted.get(person.fold, 1) - 1,
        )
        for person, membership, is_exempt in rows
    ]


def person_page(person_id: int, *, on: date, by: Actor) -> PersonPage:
    """One person with dated memberships, exemptions and the latest meetings; NotFound otherwise."""
    session = reading()
    require_role(by, "staff", "reader")
    person, unit_id = person_for(session, by, person_id, on, "staff", "reader")
    memberships = _memberships(session, person.id, on)
    exemptions = _exemptions(session, person.id, on)
    current = next((span for span in memberships if span.is_open), None)
    return PersonPage(
        id=person.id,
        code=person.code,
        full_name=person.full_name,
        birth_year=person.birth_year,
        phone=person.phone,
        email=person.email,
        email_failing_since=person.email_failing_since,
        language=person.language,
        neutral_titles=person.neutral_titles,
        wants_reminders=person.wants_reminders,
        died_on=person.died_on,
        unit_id=current.unit_id if current else unit_id,
        unit_name=current.text if current else "",
        standing=current.standing if current else "",
        is_exempt=any(span.is_open for span in exemptions),
        memberships=memberships,
        exemptions=exemptions,
        meetings=_meetings(session, person.id),
        is_changeable=_may_change(session, person.id, on, by),
    )


def _may_change(session: Session, person_id: int, on: date, by: Actor) -> bool:
    last = select(func.max(Membership.valid_from)).where(Membership.person_id == person_id)
    return (
        session.scalar(
            select(Membership.id).where(
                Membership.person_id == person_id,
                or_(holds_on(Membership, on), Membership.valid_from == last.scalar_subquery()),
                within_scope(by, Membership.unit_id, on, "staff"),
            )
        )
        is not None
    )


def _memberships(session: Session, person_id: int, on: date) -> list[Span]:
    rows = session.scalars(
        select(Membership)
        .where(Membership.person_id == person_id)
        .order_by(Membership.valid_from.desc())
    ).all()
    spans = []
    for row in rows:
        day = min(max(row.valid_from, on), row.valid_to - timedelta(days=1)) if row.valid_to else on
        name = unit_names_on(session, [row.unit_id], day)[row.unit_id]
        parents = parents_on(session, day) if row is rows[0] else {}
        above = (
            unit_names_on(session, [parents[row.unit_id]], day) if row.unit_id in parents else {}
        )
        spans.append(
            Span(
                row.id,
                row.unit_id,
                " · ".join([name, *above.values()]),
                row.standing,
                row.valid_from,
                row.valid_to - timedelta(days=1) if row.valid_to else None,
                row.valid_from <= on and (row.valid_to is None or row.valid_to > on),
            )
        )
    return spans


def _exemptions(session: Session, person_id: int, on: date) -> list[Span]:
    rows = session.scalars(
        select(Exemption)
        .where(Exemption.person_id == person_id)
        .order_by(Exemption.valid_from.desc())
    )
    return [
        Span(
            row.id,
            None,
            row.decision_number or "",
            "",
            row.valid_from,
            row.valid_to - timedelta(days=1) if row.valid_to else None,
            row.valid_from <= on and (row.valid_to is None or row.valid_to > on),
        )
        for row in rows
    ]


def _meetings(session: Session, person_id: int) -> list[MeetingLine]:
    invited = and_(Invitation.meeting_id == Meeting.id, Invitation.person_id == person_id)
    marked = and_(RegisterLine.meeting_id == Meeting.id, RegisterLine.person_id == person_id)
    rows = session.execute(
        select(Meeting, Invitation.reply, RegisterLine.status)
        .outerjoin(Invitation, invited)
        .outerjoin(RegisterLine, marked)
        .where(
            Meeting.state != "draft",
            or_(
                and_(Invitation.id.is_not(None), Invitation.removed_at.is_(None)),
                RegisterLine.status.is_not(None),
            ),
        )
        .order_by(Meeting.starts_at.desc(), Meeting.id.desc())
        .limit(RECENT)
    )
    return [
        MeetingLine(
            meeting.id,
            meeting.topic,
            meeting.starts_at,
            meeting.state,
            reply or "none",
            status if status and status != "none" else "not_marked",
        )
        for meeting, reply, status in rows
    ]
