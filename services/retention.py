"""What is no longer needed loses its names: totals and figures stay exactly as they were.

A campaign's named rows are moved to nameless persons some months after it was closed, one for each
person and run, in random order, and no list of who became whom is kept. Certificates stay named.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    exists,
    func,
    inspect,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from models import (
    CallListEntry,
    Campaign,
    Claim,
    Course,
    Enrolment,
    ExternalCredit,
    IncomingReply,
    Invitation,
    Mark,
    Meeting,
    Membership,
    OutgoingMessage,
    Person,
    RegisterLine,
    RollCorrection,
    RollEntry,
    WalkIn,
)
from rules.days import instant, local_day
from rules.parts import in_parts
from rules.permissions import SYSTEM, Actor
from rules.privacy import ANONYMOUS_CODE, anonymous_name, months_before
from rules.refusals import N_, NotAllowed
from rules.text import fold, name_sort_key, split_full_name
from services import audit
from services.access import granted_unit_ids
from services.clock import first_run
from services.erasure import erase_departed
from services.settings import setting_flag, setting_number
from services.transaction import reading, writing

FINISHED = ("sent", "dead", "dropped", "in_doubt")
WALK_IN_NAME = "Người ngoài danh sách"
NO_BODY = {"body": b"", "subject": ""}


@dataclass(frozen=True)
class Due:
    """One thing whose names are over: its title, since when, how many people it names."""

    kind: str
    title: str
    ended_on: date
    people: int


@dataclass(frozen=True)
class RetentionPlan:
    """What a run would do now; `is_on` says whether the daily job does it by itself."""

    is_on: bool
    campaigns: tuple[Due, ...]
    meetings: int
    enrolments: int
    departed: int
    mails: int

    @property
    def is_empty(self) -> bool:
        return not (
            self.campaigns or self.meetings or self.enrolments or self.departed or self.mails
        )


@dataclass(frozen=True)
class _Terms:
    """Before when each kind of thing must have ended, and before when a mail went."""

    campaigns: datetime
    meetings: datetime
    mails: datetime

    @property
    def meetings_on(self) -> date:
        return local_day(self.meetings)


def retention_plan(*, now: datetime, by: Actor) -> RetentionPlan:
    """What is due now; changes nothing."""
    _require_administrator(by)
    session = reading()
    terms = _terms(session, now)
    count = select(func.count())
    return RetentionPlan(
        is_on=setting_flag(session, "retention_runs"),
        campaigns=tuple(_due_campaigns(session, terms)),
        meetings=session.scalar(count.select_from(Meeting).where(_old_meeting(terms))) or 0,
        enrolments=session.scalar(count.select_from(Enrolment).where(_old_enrolment(terms))) or 0,
        departed=session.scalar(count.select_from(_departed(terms).subquery())) or 0,
        mails=session.scalar(count.select_from(OutgoingMessage).where(_old_mail(terms))) or 0,
    )


def run_retention(*, now: datetime, by: Actor) -> RetentionPlan:
    """Do what is due, a transaction for each campaign, and give what was done."""
    plan = retention_plan(now=now, by=by)
    for due in plan.campaigns:
        with writing() as session:
            campaign_id = session.scalar(select(Campaign.id).where(Campaign.code == due.title))
            if campaign_id is not None:
                _anonymise_campaign(session, campaign_id, now, by)
    with writing() as session:
        terms = _terms(session, now)
        meetings = select(Meeting.id).where(_old_meeting(terms))
        ids = list(session.scalars(meetings))
        _anonymise_meetings(session, ids, _mapping(session, _people_at(session, ids), now))
        learners = set(session.scalars(select(Enrolment.person_id).where(_old_enrolment(terms))))
        _move(session, Enrolment, _old_enrolment(terms), _mapping(session, learners, now))
        gone = list(session.scalars(_departed(terms)))
        for person_id in gone:
            erase_departed(session, person_id, now=now)
        _forget_mails(session, terms)
        if not plan.is_empty:
            audit.record(
                session, now=now, by=by, action="anonymised", entity="retention",
                entity_id=local_day(now).isoformat(), meetings=len(ids), departed=len(gone),
                campaigns=[due.title for due in plan.campaigns], mails=plan.mails,
            )  # fmt: skip
    return plan


def run_daily(slot: datetime, *, now: datetime) -> None:
    """The daily job: mail bodies always, names only when the board has switched it on."""
    with writing() as session:
        if not first_run(session, "retention", slot, now=now):
            return
        _forget_mails(session, _terms(session, now))
        is_on = setting_flag(session, "retention_runs")
    if is_on:
        run_retention(now=now, by=SYSTEM)


def forget_sent_secrets() -> int:
    """Empty the letters that carried a secret link as soon as they have left; on every tick."""
    secret = and_(
        or_(
            OutgoingMessage.kind == "sign_in",
            and_(
                OutgoingMessage.kind == "notice", OutgoingMessage.dedup_key.startswith("data_link:")
            ),
        ),
        OutgoingMessage.state.in_(FINISHED),
        func.length(OutgoingMessage.body) > 0,
    )
    if reading().scalar(select(OutgoingMessage.id).where(secret).limit(1)) is None:
        return 0
    with writing() as session:
        done: Any = session.execute(
            update(OutgoingMessage)
            .where(secret)
            .values(body=b"")
            .execution_options(synchronize_session=False)
        )
        return int(done.rowcount)


def _require_administrator(by: Actor) -> None:
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên làm được việc này. Hãy hỏi quản trị viên."))


def _terms(session: Session, now: datetime) -> _Terms:
    today = local_day(now)

    def before(setting: str) -> datetime:
        return instant(months_before(today, setting_number(session, setting)), time(0))

    return _Terms(
        campaigns=before("retention_campaign_months"),
        meetings=before("retention_meeting_months"),
        mails=now - timedelta(days=setting_number(session, "retention_mail_days")),
    )


def _named(column: Any) -> ColumnElement[bool]:
    return exists().where(Person.id == column, Person.anonymised_at.is_(None))


def _due_campaigns(session: Session, terms: _Terms) -> list[Due]:
    rows = session.execute(
        select(Campaign.code, Campaign.closed_at, func.count(RollEntry.id))
        .join(RollEntry, RollEntry.campaign_id == Campaign.id)
        .join(Person, Person.id == RollEntry.person_id)
        .where(
            Campaign.state == "closed",
            Campaign.closed_at < terms.campaigns,
            Person.anonymised_at.is_(None),
        )
        .group_by(Campaign.code, Campaign.closed_at)
        .order_by(Campaign.closed_at)
    )
    return [
        Due("campaign", code, local_day(closed_at), people)
        for code, closed_at, people in rows
        if closed_at is not None
    ]


def _old_meeting(terms: _Terms) -> ColumnElement[bool]:
    """A meeting of no campaign that ended long ago and still names somebody."""
    return and_(
        Meeting.campaign_id.is_(None),
        Meeting.ends_at < terms.meetings,
        or_(
            exists().where(RegisterLine.meeting_id == Meeting.id, _named(RegisterLine.person_id)),
            exists().where(Invitation.meeting_id == Meeting.id, _named(Invitation.person_id)),
        ),
    )


def _old_enrolment(terms: _Terms) -> ColumnElement[bool]:
    """A learner of a class that closed long ago, without a certificate whose register is kept."""
    return and_(
        func.coalesce(Enrolment.certificate_number, "") == "",
        exists().where(Course.id == Enrolment.course_id, Course.closes_on < terms.meetings_on),
        _named(Enrolment.person_id),
    )


def _old_mail(terms: _Terms) -> ColumnElement[bool]:
    return and_(
        OutgoingMessage.state.in_(FINISHED),
        OutgoingMessage.created_at < terms.mails,
        func.length(OutgoingMessage.body) > 0,
    )


def _departed(terms: _Terms) -> Any:
    """Former members whom nothing names any more: no roll, no register, no certificate."""
    day = local_day(terms.campaigns)
    stays = or_(Membership.valid_to.is_(None), Membership.valid_to > day)
    return select(Person.id).where(
        Person.anonymised_at.is_(None),
        exists().where(Membership.person_id == Person.id),
        ~exists().where(Membership.person_id == Person.id, stays),
        *(
            ~exists().where(table.person_id == Person.id)
            for table in (RollEntry, RegisterLine, Invitation, Enrolment, ExternalCredit)
        ),
    )


def _forget_mails(session: Session, terms: _Terms) -> None:
    session.execute(
        update(OutgoingMessage)
        .where(_old_mail(terms))
        .values(body=b"")
        .execution_options(synchronize_session=False)
    )


def _anonymise_campaign(session: Session, campaign_id: int, now: datetime, by: Actor) -> None:
    meetings = list(session.scalars(select(Meeting.id).where(Meeting.campaign_id == campaign_id)))
    people = _people_at(session, meetings)
    for table in (RollEntry, ExternalCredit):
        people |= set(
            session.scalars(
                select(table.person_id).where(
                    table.campaign_id == campaign_id, _named(table.person_id)
                )
            )
        )
    mapping = _mapping(session, people, now)
    _move(session, RollEntry, RollEntry.campaign_id == campaign_id, mapping)
    _move(session, ExternalCredit, ExternalCredit.campaign_id == campaign_id, mapping)
    _anonymise_meetings(session, meetings, mapping)
    session.execute(
        update(ExternalCredit).where(ExternalCredit.campaign_id == campaign_id).values(evidence="")
    )
    session.execute(
        update(RollCorrection).where(RollCorrection.campaign_id == campaign_id).values(reason="")
    )
    audit.record(
        session, now=now, by=by, action="anonymised", entity="campaign", entity_id=campaign_id,
        people=len(mapping),
    )  # fmt: skip


def _people_at(session: Session, meetings: Iterable[int]) -> set[int]:
    """Everybody still named at these meetings."""
    people: set[int] = set()
    for part in in_parts(sorted(meetings)):
        for table in (Mark, RegisterLine, Invitation):
            people |= set(
                session.scalars(
                    select(table.person_id).where(
                        table.meeting_id.in_(part), _named(table.person_id)
                    )
                )
            )
    return people


def _mapping(session: Session, people: Iterable[int], now: datetime) -> dict[int, int]:
    """A nameless person for each one, in an order that tells nothing; the mapping is not kept."""
    old = sorted(people)
    if not old:
        return {}
    random.SystemRandom().shuffle(old)
    last = session.scalar(select(func.max(Person.id))) or 0
    fresh = [_nameless(last + place, now) for place in range(1, len(old) + 1)]
    session.add_all(fresh)
    session.flush()
    return dict(zip(old, (person.id for person in fresh), strict=True))


def _nameless(number: int, now: datetime) -> Person:
    name = anonymous_name(number)
    family, given = split_full_name(name)
    return Person(
        code=f"{ANONYMOUS_CODE}{number:08}",
        family_and_middle=family,
        given_name=given,
        full_name=name,
        fold=fold(name),
        sort_key=name_sort_key(family, given)[:400],
        wants_mail=False,
        wants_reminders=False,
        anonymised_at=now,
        created_at=now,
    )


def _move(session: Session, model: Any, where: Any, mapping: dict[int, int]) -> None:
    """Give the rows of these people to their nameless ones."""
    table: Any = inspect(model).local_table
    statement = (
        update(table)
        .where(where, table.c.person_id == bindparam("old"))
        .values(person_id=bindparam("new"))
    )
    if rows := [{"old": old, "new": new} for old, new in mapping.items()]:
        session.connection().execute(statement, rows)


def _move_at(session: Session, model: Any, part: list[int], mapping: dict[int, int]) -> None:
    """The same at these meetings, with the subject that a register knows them by."""
    table: Any = inspect(model).local_table
    pairs = select(table.c.meeting_id, table.c.person_id).where(table.c.meeting_id.in_(part))
    rows = [
        {"at": at, "old": old, "new": mapping[old], "new_subject": f"m:{mapping[old]}"}
        for at, old in session.execute(pairs.distinct())
        if old in mapping
    ]
    values: dict[str, Any] = {"person_id": bindparam("new")}
    if "subject" in table.columns:
        values["subject"] = bindparam("new_subject")
    here = (table.c.meeting_id == bindparam("at"), table.c.person_id == bindparam("old"))
    if rows:
        session.connection().execute(update(table).where(*here).values(values), rows)


def _anonymise_meetings(session: Session, ids: list[int], mapping: dict[int, int]) -> None:
    for part in in_parts(sorted(ids)):
        for table in (Mark, RegisterLine, Invitation):
            _move_at(session, table, part, mapping)
        session.execute(delete(Claim).where(Claim.meeting_id.in_(part)))
        session.execute(
            update(WalkIn)
            .where(WalkIn.meeting_id.in_(part))
            .values(name=WALK_IN_NAME, unit_text="")
        )
        session.execute(
            update(OutgoingMessage)
            .where(OutgoingMessage.meeting_id.in_(part), OutgoingMessage.person_id.is_not(None))
            .values(person_id=None, to_address="", to_name="", **NO_BODY)
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(IncomingReply)
            .where(IncomingReply.meeting_id.in_(part))
            .values(person_id=None, from_address="", attendee="", comment="", raw=b"", subject="")
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(CallListEntry)
            .where(CallListEntry.meeting_id.in_(part))
            .values(person_id=None, text="")
        )
