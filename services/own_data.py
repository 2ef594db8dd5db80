"""Everything kept on one person, as that person sees it through their own secret link."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import (
    AuditEntry,
    Campaign,
    ChannelChoice,
    Claim,
    Course,
    DataRequest,
    DataRequestStep,
    Enrolment,
    Exemption,
    ExternalCredit,
    FeedToken,
    Invitation,
    Meeting,
    Membership,
    OutgoingMessage,
    Person,
    RegisterLine,
    RollEntry,
)
from rules.days import local_day
from rules.refusals import N_, NotFound
from services.privacy import link_for, note_use
from services.transaction import reading
from services.units import unit_names_on

SEEN = ("viewed", "exported", "changed", "data_link_made")


@dataclass(frozen=True)
class Span:
    """A membership or an exemption: from a day to a last day, None when it goes on."""

    text: str
    standing: str
    from_on: date
    until_on: date | None


@dataclass(frozen=True)
class Study:
    """One campaign that the person is on the roll of, and whether the study is done."""

    title: str
    state: str
    covered_on: date | None


@dataclass(frozen=True)
class Sitting:
    """A meeting the person was invited to or marked at."""

    topic: str
    starts_at: datetime
    reply: str
    status: str


@dataclass(frozen=True)
class Line:
    """Anything else that is kept with a date: a class, a credit, a letter, a calendar address."""

    on: date
    text: str
    note: str = ""


@dataclass(frozen=True)
class Seen:
    """Who opened, changed or took away data on the person, and when."""

    at: datetime
    by_name: str
    action: str


@dataclass(frozen=True)
class Step:
    """One step of a request, with what the person was told."""

    at: datetime
    step: str
    told: str


@dataclass(frozen=True)
class OwnRequest:
    """One request and its clocks, as its sender and staff see it."""

    id: int
    kind: str
    field: str
    proposed: str
    received_at: datetime
    answer_by: date
    done_by: date
    is_extended: bool
    state: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class OwnData:
    """Everything kept on one person."""

    person_id: int
    name: str
    code: str
    birth_year: int | None
    phone: str | None
    email: str | None
    wants_mail: bool | None
    wants_reminders: bool
    restricted_on: date | None
    memberships: list[Span]
    exemptions: list[Span]
    studies: list[Study]
    sittings: list[Sitting]
    courses: list[Line]
    credits: list[Line]
    feeds: list[Line]
    mails: list[Line]
    choices: list[Line]
    claims: int
    seen: list[Seen]
    requests: list[OwnRequest]
    expires_on: date


def own_data(token: str, *, now: datetime) -> OwnData:
    """What is kept on the holder of a link; the day of use is noted, nothing finer."""
    session = reading()
    link = link_for(session, token, now)
    link_id, expires_on = link.id, local_day(link.expires_at)
    if link.last_used_on != local_day(now):
        note_use(link_id, now=now)
        session = reading()
        link = link_for(session, token, now)
    return _data_of(session, session.get_one(Person, link.person_id), expires_on)


def _data_of(session: Session, person: Person, expires_on: date) -> OwnData:
    return OwnData(
        person_id=person.id,
        name=person.full_name,
        code=person.code,
        birth_year=person.birth_year,
        phone=person.phone,
        email=person.email,
        wants_mail=person.wants_mail,
        wants_reminders=person.wants_reminders,
        restricted_on=person.restricted_on,
        memberships=_memberships(session, person.id),
        exemptions=_exemptions(session, person.id),
        studies=_studies(session, person.id),
        sittings=_sittings(session, person.id),
        courses=_courses(session, person.id),
        credits=_credits(session, person.id),
        feeds=_feeds(session, person.id),
        mails=_mails(session, person.id),
        choices=_choices(session, person.id),
        claims=len(session.scalars(select(Claim.id).where(Claim.person_id == person.id)).all()),
        seen=_seen(session, person.id),
        requests=requests_of(session, DataRequest.person_id == person.id),
        expires_on=expires_on,
    )


def _last_day(valid_to: date | None) -> date | None:
    return valid_to - timedelta(days=1) if valid_to else None


def _memberships(session: Session, person_id: int) -> list[Span]:
    rows = session.scalars(
        select(Membership)
        .where(Membership.person_id == person_id)
        .order_by(Membership.valid_from.desc())
    ).all()
    names = unit_names_on(session, {row.unit_id for row in rows}, date.max)
    return [
        Span(names.get(row.unit_id, ""), row.standing, row.valid_from, _last_day(row.valid_to))
        for row in rows
    ]


def _exemptions(session: Session, person_id: int) -> list[Span]:
    rows = session.scalars(
        select(Exemption)
        .where(Exemption.person_id == person_id)
        .order_by(Exemption.valid_from.desc())
    )
    return [
        Span(row.decision_number or "", "", row.valid_from, _last_day(row.valid_to)) for row in rows
    ]


def _studies(session: Session, person_id: int) -> list[Study]:
    rows = session.execute(
        select(Campaign.title, RollEntry.state, RollEntry.covered_on)
        .join(RollEntry, RollEntry.campaign_id == Campaign.id)
        .where(RollEntry.person_id == person_id)
        .order_by(Campaign.opens_on.desc())
    )
    return [Study(title, state, covered_on) for title, state, covered_on in rows]


def _sittings(session: Session, person_id: int) -> list[Sitting]:
    invited = session.execute(
        select(Meeting.id, Meeting.topic, Meeting.starts_at, Invitation.reply)
        .join(Invitation, Invitation.meeting_id == Meeting.id)
        .where(Invitation.person_id == person_id)
    )
    marked = session.execute(
        select(Meeting.id, Meeting.topic, Meeting.starts_at, RegisterLine.status)
        .join(RegisterLine, RegisterLine.meeting_id == Meeting.id)
        .where(RegisterLine.person_id == person_id)
    )
    found = {row.id: Sitting(row.topic, row.starts_at, row.reply, "not_marked") for row in invited}
    for row in marked:
        reply = found[row.id].reply if row.id in found else "none"
        found[row.id] = Sitting(row.topic, row.starts_at, reply, row.status)
    return sorted(found.values(), key=lambda sitting: sitting.starts_at, reverse=True)


def _courses(session: Session, person_id: int) -> list[Line]:
    rows = session.execute(
        select(Enrolment.enrolled_on, Course.title, Enrolment.certificate_number)
        .join(Course, Course.id == Enrolment.course_id)
        .where(Enrolment.person_id == person_id)
        .order_by(Enrolment.enrolled_on.desc())
    )
    return [Line(on, title, number or "") for on, title, number in rows]


def _credits(session: Session, person_id: int) -> list[Line]:
    rows = session.execute(
        select(ExternalCredit.studied_on, ExternalCredit.place, ExternalCredit.evidence)
        .where(ExternalCredit.person_id == person_id, ExternalCredit.annulled_at.is_(None))
        .order_by(ExternalCredit.studied_on.desc())
    )
    return [Line(on, place, evidence) for on, place, evidence in rows]


def _feeds(session: Session, person_id: int) -> list[Line]:
    rows = session.scalars(
        select(FeedToken)
        .where(FeedToken.person_id == person_id, FeedToken.revoked_at.is_(None))
        .order_by(FeedToken.id)
    )
    used = (
        (row.created_at, row.last_used_on.isoformat() if row.last_used_on else "") for row in rows
    )
    return [Line(local_day(created_at), "", last) for created_at, last in used]


def _mails(session: Session, person_id: int) -> list[Line]:
    rows = session.execute(
        select(OutgoingMessage.created_at, OutgoingMessage.subject, OutgoingMessage.state)
        .where(OutgoingMessage.person_id == person_id)
        .order_by(OutgoingMessage.id.desc())
        .limit(50)
    )
    return [Line(local_day(at), subject, state) for at, subject, state in rows]


def _choices(session: Session, person_id: int) -> list[Line]:
    rows = session.scalars(
        select(ChannelChoice)
        .where(ChannelChoice.person_id == person_id)
        .order_by(ChannelChoice.id.desc())
    )
    return [
        Line(local_day(row.chosen_at), row.channel, "1" if row.is_wanted else "0") for row in rows
    ]


def _seen(session: Session, person_id: int) -> list[Seen]:
    """Entries about the person, and lists that left the program with the person on them."""
    about = session.scalars(
        select(AuditEntry).where(
            AuditEntry.entity == "person",
            AuditEntry.entity_id == str(person_id),
            AuditEntry.action.in_(SEEN),
        )
    ).all()
    exported = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "exported", AuditEntry.entity != "person")
    )
    lists = [entry for entry in exported if person_id in people_in(entry.details)]
    entries = sorted([*about, *lists], key=lambda entry: entry.at, reverse=True)
    return [Seen(entry.at, entry.by_name, entry.action) for entry in entries[:100]]


def people_in(details: Mapping[str, object] | None) -> set[int]:
    """Whose data an entry of the log says left the program."""
    found = (details or {}).get("person_ids")
    return {int(one) for one in found} if isinstance(found, list) else set()


def requests_of(session: Session, *conditions: object) -> list[OwnRequest]:
    """Requests with their steps, the newest first."""
    rows = session.scalars(
        select(DataRequest).where(*conditions).order_by(DataRequest.id.desc())  # type: ignore[arg-type]  # conditions of one table
    ).all()
    steps: dict[int, list[Step]] = {}
    for step in session.scalars(
        select(DataRequestStep)
        .where(DataRequestStep.request_id.in_([row.id for row in rows]))
        .order_by(DataRequestStep.id)
    ):
        steps.setdefault(step.request_id, []).append(Step(step.at, step.step, step.told))
    return [
        OwnRequest(
            row.id, row.kind, row.field, row.proposed, row.received_at, row.answer_by,
            row.done_by, row.is_extended, row.state, tuple(steps.get(row.id, ())),
        )
        for row in rows
    ]  # fmt: skip


def person_id_of(code: str) -> int:
    """A person's number by their code, for commands."""
    found: int | None = reading().scalar(select(Person.id).where(Person.code == code))
    if found is None:
        raise NotFound(N_("Không có người nào mang mã “%(code)s”."), code=code[:40])
    return found
