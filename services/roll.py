"""A campaign's roll: frozen at opening, corrected by logged rows; credits and household tallies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, insert, or_, select
from sqlalchemy.orm import Session

from models import (
    Account,
    Campaign,
    Exemption,
    ExternalCredit,
    Household,
    HouseholdResidence,
    HouseholdTally,
    Meeting,
    Membership,
    Person,
    RegisterLine,
    RollCorrection,
    RollEntry,
    Unit,
)
from rules.campaigns import (
    RollLine,
    check_credit,
    check_not_empty,
    check_open,
    check_opening,
    check_tally,
    corrected,
)
from rules.coverage import declared_households
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean, fold
from services import audit
from services.access import require_unit
from services.campaigns import campaign_for, covered_unit_ids, roll_within_scope
from services.coverage_ledger import refresh_subjects
from services.transaction import reading, writing
from services.units import grassroots_of, natural_key, unit_names_on

PAGE = 100
ROWS_PER_INSERT = 2_000
UNITS_PER_QUERY = 500


@dataclass(frozen=True)
class RollCount:
    """What a unit would bring (or has brought) to a roll."""

    unit_id: int
    name: str
    tree: str
    total: int
    exempt: int

    @property
    def eligible(self) -> int:
        return self.total - self.exempt


@dataclass(frozen=True)
class RollRow:
    """One line of a frozen roll as the list shows it."""

    subject: str
    code: str
    name: str
    unit_name: str
    grassroots_name: str
    state: str
    standing: str | None
    covered_on: date | None
    covered_round: str | None


@dataclass(frozen=True)
class RollPage:
    """A page of the roll and how many lines there are in all."""

    rows: list[RollRow]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class CorrectionLine:
    """A logged correction, with who made it."""

    kind: str
    code: str
    name: str
    before: str
    after: str
    state_before: str | None
    state_after: str
    effective_on: date
    reason: str
    by_name: str
    at: datetime


@dataclass(frozen=True)
class CreditLine:
    """A credit for study elsewhere; annulled ones stay to be seen."""

    id: int
    code: str
    name: str
    studied_on: date
    place: str
    evidence: str
    is_makeup: bool
    by_name: str
    annulled_at: datetime | None


@dataclass(frozen=True)
class TallyLine:
    """A declared cumulative count of a group's covered households."""

    group_name: str
    households: int
    declared_on: date
    by_name: str
    at: datetime


@dataclass(frozen=True)
class Correction:
    """What staff ask to change on a roll; `subject_code` is a person's or household's code."""

    kind: str
    subject_code: str
    reason: str
    effective_on: date
    unit_id: int | None = None
    is_household: bool = False


@dataclass(frozen=True)
class Credit:
    """Study elsewhere to be credited, with its evidence."""

    person_code: str
    studied_on: date
    place: str
    evidence: str
    is_makeup: bool = False


def open_campaign(code: str, *, now: datetime, by: Actor) -> int:
    """Freeze the roll of the cut-off day and open the campaign; how many entries it has.

    Sittings that took place before count at once.
    """
    with writing() as session:
        campaign = campaign_for(session, by, code, now, change=True)
        units = covered_unit_ids(session, campaign.id, campaign.cutoff_on)
        check_opening(
            title=campaign.title,
            state=campaign.state,
            cutoff_on=campaign.cutoff_on,
            today=local_day(now),
            units=len(units),
        )
        entries = _frozen_entries(session, campaign, units)
        check_not_empty(len(entries))
        for start in range(0, len(entries), ROWS_PER_INSERT):
            session.execute(insert(RollEntry), entries[start : start + ROWS_PER_INSERT])
        campaign.state, campaign.opened_at = "open", now
        refresh_subjects(session, campaign.id, _subjects_with_facts(session, campaign.id))
        audit.record(
            session,
            now=now,
            by=by,
            action="opened",
            entity="campaign",
            entity_id=campaign.id,
            unit_id=campaign.owner_unit_id,
            cutoff_on=campaign.cutoff_on,
            entries=len(entries),
        )
        return len(entries)


def correct_roll(code: str, correction: Correction, *, now: datetime, by: Actor) -> None:
    """Change one entry of an open campaign's roll, and log what it was, who changed it and why."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        check_open(campaign.title, campaign.state)
        subject = _subject(session, correction)
        entry = session.scalar(
            select(RollEntry).where(RollEntry.campaign_id == campaign.id, subject.is_entry)
        )
        before = RollLine(entry.state, entry.unit_id, entry.grassroots_id) if entry else None
        target = _target(session, campaign, correction, subject)
        for unit_id in {line.unit_id for line in (before, target) if line is not None}:
            require_unit(session, by, unit_id, local_day(now), "staff")
        after = corrected(
            correction.kind,
            before,
            target,
            is_household=correction.is_household,
            reason=correction.reason,
        )
        entry = _apply(session, campaign, entry, subject, after)
        _log_correction(session, entry, before, after, correction, now, by)
        refresh_subjects(session, campaign.id, [subject.key])
        audit.record(
            session,
            now=now,
            by=by,
            action="corrected",
            entity="roll_entry",
            entity_id=entry.id,
            unit_id=after.unit_id,
            reason=clean(correction.reason),
            campaign=campaign.code,
            kind=correction.kind,
            subject=subject.key,
        )


def add_credit(code: str, credit: Credit, *, now: datetime, by: Actor) -> None:
    """Credit study done elsewhere to somebody on the roll; it counts once."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        check_open(campaign.title, campaign.state)
        check_credit(
            studied_on=credit.studied_on,
            opens_on=campaign.opens_on,
            today=local_day(now),
            place=credit.place,
            evidence=credit.evidence,
        )
        person = _person(session, credit.person_code)
        entry = _entry_of(session, campaign, person)
        require_unit(session, by, entry.unit_id, local_day(now), "staff")
        _refuse_second_credit(session, campaign.id, person, credit)
        row = ExternalCredit(
            campaign_id=campaign.id,
            person_id=person.id,
            studied_on=credit.studied_on,
            place=clean(credit.place),
            evidence=clean(credit.evidence),
            is_makeup=credit.is_makeup,
            by_account_id=by.account_id,
            at=now,
        )
        session.add(row)
        session.flush()
        refresh_subjects(session, campaign.id, [f"m:{person.id}"])
        _record_credit(session, campaign, row, "credited", entry.unit_id, now, by)


def annul_credit(code: str, credit_id: int, *, now: datetime, by: Actor) -> None:
    """Take a credit back; the row stays with the moment it was annulled."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        check_open(campaign.title, campaign.state)
        row = session.scalar(
            select(ExternalCredit).where(
                ExternalCredit.id == credit_id,
                ExternalCredit.campaign_id == campaign.id,
                ExternalCredit.annulled_at.is_(None),
            )
        )
        if row is None:
            raise NotFound(N_("Không tìm thấy ghi nhận này, hoặc nó đã được huỷ."))
        unit_id = session.scalar(
            select(RollEntry.unit_id).where(
                RollEntry.campaign_id == campaign.id, RollEntry.person_id == row.person_id
            )
        )
        require_unit(session, by, unit_id, local_day(now), "staff")
        row.annulled_at = now
        session.flush()
        refresh_subjects(session, campaign.id, [f"m:{row.person_id}"])
        _record_credit(session, campaign, row, "annulled", unit_id, now, by)


def declare_households(
    code: str,
    unit_id: int,
    households: int,
    declared_on: date,
    *,
    now: datetime,
    by: Actor,
    is_correction: bool = False,
) -> None:
    """Write down a group's cumulative count of covered households; earlier declarations stay."""
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        check_open(campaign.title, campaign.state)
        _refuse_tally(campaign, declared_on, local_day(now))
        require_unit(session, by, unit_id, local_day(now), "staff")
        declared_households(_households_of(session, campaign.id, unit_id), households)
        previous = _declared_before(session, campaign.id, unit_id, declared_on)
        check_tally(households, previous, is_correction=is_correction)
        row = HouseholdTally(
            campaign_id=campaign.id,
            unit_id=unit_id,
            households=households,
            declared_on=declared_on,
            by_account_id=by.account_id,
            at=now,
        )
        _add_tally(session, row, previous, campaign.code, by)


def roll_preview(code: str, *, today: date, by: Actor) -> list[RollCount]:
    """What opening would freeze now, by reporting unit and by residential group."""
    session = reading()
    campaign = campaign_for(session, by, code, today, change=True)
    units = covered_unit_ids(session, campaign.id, campaign.cutoff_on)
    totals: Counter[int] = Counter()
    exempt: Counter[int] = Counter()
    for entry in _frozen_entries(session, campaign, units):
        totals[entry["grassroots_id"]] += 1
        exempt[entry["grassroots_id"]] += entry["state"] == "exempt"
    return _roll_counts(session, campaign, totals, exempt)


def roll_page(
    code: str,
    *,
    today: date,
    by: Actor,
    population: str = "members",
    query: str = "",
    page: int = 1,
) -> RollPage:
    """A page of the frozen roll, by unit and given name; `query` matches names and codes folded."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    listed = _listed(population, query).where(
        RollEntry.campaign_id == campaign.id, roll_within_scope(by, campaign.cutoff_on, today)
    )
    total = session.scalar(select(func.count()).select_from(listed.subquery())) or 0
    pages = max(-(-total // PAGE), 1)
    page = min(max(page, 1), pages)
    rows = session.execute(listed.limit(PAGE).offset((page - 1) * PAGE)).all()
    ids = {row.unit_id for row in rows} | {row.grassroots_id for row in rows}
    names = unit_names_on(session, ids, campaign.cutoff_on)
    return RollPage([_roll_row(row, population, names) for row in rows], total, page, pages)


def corrections_of(code: str, *, today: date, by: Actor) -> list[CorrectionLine]:
    """The corrections of a campaign's roll within scope, newest first."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    rows = session.execute(
        select(RollCorrection, Person, Household, Account.name)
        .join(RollEntry, RollEntry.id == RollCorrection.roll_entry_id)
        .outerjoin(Person, Person.id == RollEntry.person_id)
        .outerjoin(Household, Household.id == RollEntry.household_id)
        .outerjoin(Account, Account.id == RollCorrection.by_account_id)
        .where(
            RollCorrection.campaign_id == campaign.id,
            roll_within_scope(by, campaign.cutoff_on, today),
        )
        .order_by(RollCorrection.id.desc())
    ).all()
    unit_ids = {row[0].unit_after_id for row in rows}
    unit_ids |= {row[0].unit_before_id for row in rows if row[0].unit_before_id}
    names = unit_names_on(session, unit_ids, today)
    return [
        CorrectionLine(
            kind=correction.kind,
            code=person.code if person else household.code,
            name=person.full_name if person else household.number,
            before=names.get(correction.unit_before_id or 0, ""),
            after=names.get(correction.unit_after_id, ""),
            state_before=correction.state_before,
            state_after=correction.state_after,
            effective_on=correction.effective_on,
            reason=correction.reason,
            by_name=account_name or "",
            at=correction.at,
        )
        for correction, person, household, account_name in rows
    ]


def credits_of(code: str, *, today: date, by: Actor) -> list[CreditLine]:
    """The credits of a campaign within scope, newest first."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    rows = session.execute(
        select(ExternalCredit, Person.code, Person.full_name, Account.name)
        .join(Person, Person.id == ExternalCredit.person_id)
        .join(
            RollEntry,
            and_(
                RollEntry.campaign_id == ExternalCredit.campaign_id,
                RollEntry.person_id == ExternalCredit.person_id,
            ),
        )
        .outerjoin(Account, Account.id == ExternalCredit.by_account_id)
        .where(
            ExternalCredit.campaign_id == campaign.id,
            roll_within_scope(by, campaign.cutoff_on, today),
        )
        .order_by(ExternalCredit.id.desc())
    )
    return [
        CreditLine(
            id=credit.id,
            code=person_code,
            name=name,
            studied_on=credit.studied_on,
            place=credit.place,
            evidence=credit.evidence,
            is_makeup=credit.is_makeup,
            by_name=account_name or "",
            annulled_at=credit.annulled_at,
        )
        for credit, person_code, name, account_name in rows
    ]


def tallies_of(code: str, *, today: date, by: Actor) -> list[TallyLine]:
    """What the groups' heads have declared, newest first."""
    session = reading()
    campaign = campaign_for(session, by, code, today)
    on_roll = select(RollEntry.unit_id).where(
        RollEntry.campaign_id == campaign.id, roll_within_scope(by, campaign.cutoff_on, today)
    )
    rows = session.execute(
        select(HouseholdTally, Account.name)
        .outerjoin(Account, Account.id == HouseholdTally.by_account_id)
        .where(HouseholdTally.campaign_id == campaign.id, HouseholdTally.unit_id.in_(on_roll))
        .order_by(HouseholdTally.declared_on.desc(), HouseholdTally.id.desc())
    ).all()
    names = unit_names_on(session, {row[0].unit_id for row in rows}, campaign.cutoff_on)
    return [
        TallyLine(names[tally.unit_id], tally.households, tally.declared_on, name or "", tally.at)
        for tally, name in rows
    ]


@dataclass(frozen=True)
class _Subject:
    """Whom a correction is about."""

    kind: str
    id: int

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def is_entry(self) -> ColumnElement[bool]:
        return (RollEntry.person_id if self.kind == "m" else RollEntry.household_id) == self.id


Entry = dict[str, Any]


def _frozen_entries(session: Session, campaign: Campaign, units: Iterable[int]) -> list[Entry]:
    """The rows a roll is made of: everybody in the covered units on the cut-off day."""
    on = campaign.cutoff_on
    grassroots = grassroots_of(session, units, on)
    found: dict[tuple[str, int], Entry] = {}
    ordered = sorted(units)
    for start in range(0, len(ordered), UNITS_PER_QUERY):
        part = ordered[start : start + UNITS_PER_QUERY]
        for row in session.execute(_members_on(part, on)):
            state = "exempt" if row.is_exempt else "eligible"
            entry = _entry(campaign.id, "members", row.unit_id, grassroots[row.unit_id], state)
            entry |= {"person_id": row.person_id, "standing": row.standing}
            found["m", row.person_id] = entry
        if campaign.household_counting == "none":
            continue
        for row in session.execute(_households_on(part, on)):
            entry = _entry(campaign.id, "households", row.unit_id, row.unit_id, "eligible")
            entry["household_id"] = row.household_id
            found["h", row.household_id] = entry
    return list(found.values())


def _entry(
    campaign_id: int, population: str, unit_id: int, grassroots_id: int, state: str
) -> Entry:
    return {
        "campaign_id": campaign_id,
        "population": population,
        "person_id": None,
        "household_id": None,
        "unit_id": unit_id,
        "grassroots_id": grassroots_id,
        "standing": None,
        "state": state,
    }


def _members_on(unit_ids: Sequence[int], on: date) -> Select[*tuple[Any, ...]]:
    is_exempt = exists().where(
        Exemption.person_id == Membership.person_id,
        Exemption.valid_from <= on,
        or_(Exemption.valid_to.is_(None), Exemption.valid_to > on),
    )
    return (
        select(
            Membership.person_id,
            Membership.unit_id,
            Membership.standing,
            is_exempt.label("is_exempt"),
        )
        .join(Person, Person.id == Membership.person_id)
        .where(
            Membership.unit_id.in_(unit_ids),
            Membership.valid_from <= on,
            or_(Membership.valid_to.is_(None), Membership.valid_to > on),
            or_(Person.died_on.is_(None), Person.died_on > on),
        )
        .order_by(Membership.valid_from)
    )


def _households_on(unit_ids: Sequence[int], on: date) -> Select[*tuple[Any, ...]]:
    return (
        select(HouseholdResidence.household_id, HouseholdResidence.unit_id)
        .where(
            HouseholdResidence.unit_id.in_(unit_ids),
            HouseholdResidence.valid_from <= on,
            or_(HouseholdResidence.valid_to.is_(None), HouseholdResidence.valid_to > on),
        )
        .order_by(HouseholdResidence.valid_from)
    )


def _subjects_with_facts(session: Session, campaign_id: int) -> set[str]:
    marked = session.scalars(
        select(RegisterLine.subject)
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(Meeting.campaign_id == campaign_id)
        .distinct()
    )
    credited = session.scalars(
        select(ExternalCredit.person_id).where(ExternalCredit.campaign_id == campaign_id)
    )
    return set(marked) | {f"m:{person_id}" for person_id in credited}


def _roll_counts(
    session: Session, campaign: Campaign, totals: Counter[int], exempt: Counter[int]
) -> list[RollCount]:
    rows = session.execute(select(Unit.id, Unit.tree, Unit.fold).where(Unit.id.in_(list(totals))))
    units = sorted(rows, key=lambda row: (row.tree, natural_key(row.fold)))
    names = unit_names_on(session, totals, campaign.cutoff_on)
    return [
        RollCount(unit.id, names[unit.id], unit.tree, totals[unit.id], exempt[unit.id])
        for unit in units
    ]


def _listed(population: str, query: str) -> Select[*tuple[Any, ...]]:
    """The entries of one population in order, matching every word typed."""
    subject: type[Person] | type[Household] = Person if population == "members" else Household
    joined = RollEntry.person_id if population == "members" else RollEntry.household_id
    shown = (
        (Person.full_name.label("name"), Person.sort_key)
        if population == "members"
        else (Household.representative.label("name"), Household.number.label("sort_key"))
    )
    words = [
        or_(subject.fold.contains(word, autoescape=True), subject.code.icontains(word))
        for word in fold(query).split()
    ]
    return (
        select(
            RollEntry.id,
            RollEntry.unit_id,
            RollEntry.grassroots_id,
            RollEntry.state,
            RollEntry.standing,
            RollEntry.covered_on,
            RollEntry.covered_round,
            subject.id.label("subject_id"),
            subject.code,
            *shown,
        )
        .join(subject, subject.id == joined)
        .join(Unit, Unit.id == RollEntry.unit_id)
        .where(RollEntry.population == population, *words)
        .order_by(Unit.position, Unit.fold, RollEntry.unit_id, shown[1], subject.code)
    )


def _roll_row(row: Row[*tuple[Any, ...]], population: str, names: dict[int, str]) -> RollRow:
    kind = "m" if population == "members" else "h"
    return RollRow(
        subject=f"{kind}:{row.subject_id}",
        code=row.code,
        name=row.name or "",
        unit_name=names[row.unit_id],
        grassroots_name=names[row.grassroots_id],
        state=row.state,
        standing=row.standing,
        covered_on=row.covered_on,
        covered_round=row.covered_round,
    )


def _subject(session: Session, correction: Correction) -> _Subject:
    if not correction.is_household:
        return _Subject("m", _person(session, correction.subject_code).id)
    household_id = session.scalar(
        select(Household.id).where(Household.code == clean(correction.subject_code))
    )
    if household_id is None:
        raise NotFound(
            N_("Không có hộ mang mã “%(code)s”. Hãy xem lại mã hộ."),
            code=correction.subject_code[:40],
        )
    return _Subject("h", household_id)


def _person(session: Session, code: str) -> Person:
    person = session.scalar(select(Person).where(Person.code == clean(code)))
    if person is None:
        raise NotFound(N_("Không có đảng viên mang mã “%(code)s”. Hãy xem lại mã."), code=code[:40])
    return person


def _target(
    session: Session, campaign: Campaign, correction: Correction, subject: _Subject
) -> RollLine | None:
    """Where a correction puts somebody: a unit of the campaign that holds such subjects."""
    if correction.unit_id is None or correction.kind not in {"joined", "moved"}:
        return None
    covered = covered_unit_ids(session, campaign.id, campaign.cutoff_on)
    covered |= covered_unit_ids(session, campaign.id, correction.effective_on)
    unit = session.get(Unit, correction.unit_id)
    tree = "party" if subject.kind == "m" else "residential"
    if unit is None or unit.id not in covered or unit.tree != tree or not unit.kind.holds_people:
        raise Refusal(
            N_("Đơn vị đã chọn không thuộc đợt này. Hãy chọn chi bộ hoặc khối phố trong đợt.")
        )
    reporting = unit.id
    if tree == "party":
        reporting = grassroots_of(session, [unit.id], correction.effective_on)[unit.id]
    return RollLine("eligible", unit.id, reporting)


def _apply(
    session: Session,
    campaign: Campaign,
    entry: RollEntry | None,
    subject: _Subject,
    after: RollLine,
) -> RollEntry:
    if entry is None:
        entry = RollEntry(
            campaign_id=campaign.id,
            population="members" if subject.kind == "m" else "households",
            person_id=subject.id if subject.kind == "m" else None,
            household_id=subject.id if subject.kind == "h" else None,
            standing="full" if subject.kind == "m" else None,
        )
        session.add(entry)
    entry.state = after.state
    entry.unit_id, entry.grassroots_id = after.unit_id, after.grassroots_id
    session.flush()
    return entry


def _log_correction(
    session: Session,
    entry: RollEntry,
    before: RollLine | None,
    after: RollLine,
    correction: Correction,
    now: datetime,
    by: Actor,
) -> None:
    session.add(
        RollCorrection(
            roll_entry_id=entry.id,
            campaign_id=entry.campaign_id,
            kind=correction.kind,
            state_before=before.state if before else None,
            state_after=after.state,
            unit_before_id=before.unit_id if before else None,
            unit_after_id=after.unit_id,
            grassroots_before_id=before.grassroots_id if before else None,
            grassroots_after_id=after.grassroots_id,
            effective_on=correction.effective_on,
            reason=clean(correction.reason)[:300],
            by_account_id=by.account_id,
            at=now,
        )
    )


def _entry_of(session: Session, campaign: Campaign, person: Person) -> RollEntry:
    entry = session.scalar(
        select(RollEntry).where(
            RollEntry.campaign_id == campaign.id,
            RollEntry.person_id == person.id,
            RollEntry.state != "removed",
        )
    )
    if entry is None:
        raise Refusal(
            N_("%(name)s không có trong danh sách chốt của đợt. Hãy điều chỉnh danh sách trước."),
            name=person.full_name,
        )
    return entry


def _refuse_second_credit(
    session: Session, campaign_id: int, person: Person, credit: Credit
) -> None:
    same = session.scalar(
        select(ExternalCredit.id).where(
            ExternalCredit.campaign_id == campaign_id,
            ExternalCredit.person_id == person.id,
            ExternalCredit.studied_on == credit.studied_on,
            ExternalCredit.annulled_at.is_(None),
        )
    )
    if same is not None:
        raise Refusal(
            N_("%(name)s đã được ghi nhận học nơi khác ngày %(day)s rồi."),
            name=person.full_name,
            day=f"{credit.studied_on:%d/%m/%Y}",
        )


def _record_credit(
    session: Session,
    campaign: Campaign,
    row: ExternalCredit,
    action: str,
    unit_id: int | None,
    now: datetime,
    by: Actor,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="external_credit",
        entity_id=row.id,
        unit_id=unit_id,
        campaign=campaign.code,
        person=row.person_id,
        studied_on=row.studied_on,
    )


def _add_tally(
    session: Session, row: HouseholdTally, previous: int | None, code: str, by: Actor
) -> None:
    session.add(row)
    session.flush()
    audit.record(
        session,
        now=row.at,
        by=by,
        action="declared",
        entity="household_tally",
        entity_id=row.id,
        unit_id=row.unit_id,
        campaign=code,
        households=row.households,
        previous=previous,
    )


def _refuse_tally(campaign: Campaign, declared_on: date, today: date) -> None:
    if campaign.household_counting != "tally":
        raise Refusal(
            N_("Đợt “%(title)s” không tính hộ theo số khai. Hãy đánh dấu từng hộ ở buổi."),
            title=campaign.title,
        )
    if declared_on > today:
        raise Malformed(N_("Ngày khai chưa đến. Hãy chọn ngày từ hôm nay trở về trước."))


def _households_of(session: Session, campaign_id: int, unit_id: int) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                RollEntry.campaign_id == campaign_id,
                RollEntry.population == "households",
                RollEntry.grassroots_id == unit_id,
                RollEntry.state == "eligible",
            )
        )
        or 0
    )


def _declared_before(
    session: Session, campaign_id: int, unit_id: int, declared_on: date
) -> int | None:
    return session.scalar(
        select(HouseholdTally.households)
        .where(
            HouseholdTally.campaign_id == campaign_id,
            HouseholdTally.unit_id == unit_id,
            HouseholdTally.declared_on <= declared_on,
        )
        .order_by(HouseholdTally.declared_on.desc(), HouseholdTally.id.desc())
        .limit(1)
    )
