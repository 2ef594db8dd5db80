"""Households: by number in a residential group, where they are by date; the name is optional."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from models import Household, HouseholdResidence, Meeting, RegisterLine, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import require_role, require_unit, subtree, within_scope
from services.people import checked_phone
from services.people_lists import MeetingLine, Span, word_conditions
from services.roster_records import household_fold
from services.transaction import reading, writing
from services.units import unit_names_on

PAGE = 50
RECENT = 12


@dataclass(frozen=True)
class HouseholdFacts:
    """What is kept of a household; the representative's name and number are optional."""

    number: str
    code: str = ""
    representative: str = ""
    phone: str = ""


@dataclass(frozen=True)
class HouseholdRow:
    """One household in the list."""

    id: int
    code: str
    number: str
    representative: str | None
    phone: str | None
    unit_id: int
    unit_name: str


@dataclass(frozen=True)
class HouseholdsPage:
    """One page of the list."""

    rows: list[HouseholdRow]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class HouseholdPage:
    """Everything the page of one household shows."""

    id: int
    code: str
    number: str
    representative: str | None
    phone: str | None
    unit_id: int | None
    unit_name: str
    residences: list[Span]
    meetings: list[MeetingLine]
    is_changeable: bool


def _there(on: date) -> ColumnElement[bool]:
    ends = HouseholdResidence.valid_to
    return and_(HouseholdResidence.valid_from <= on, or_(ends.is_(None), ends > on))


def add_household(
    facts: HouseholdFacts, *, unit_id: int, from_on: date, now: datetime, by: Actor
) -> int:
    """Add a household to a residential group from a day on, and give its id."""
    values = _checked(facts)
    with writing() as session:
        group = _group_for(session, by, unit_id, from_on, local_day(now))
        code = clean(facts.code) or _free_code(session, group, facts.number)
        _refuse_taken_code(session, code)
        _refuse_taken_number(session, unit_id, values["number"], from_on)
        household = Household(code=code, created_at=now, fold="", **values)
        household.fold = household_fold(code, household.number, household.representative)
        session.add(household)
        session.flush()
        session.add(
            HouseholdResidence(household_id=household.id, unit_id=unit_id, valid_from=from_on)
        )
        _record(session, now, by, household, unit_id, "created", from_on=from_on)
        return household.id


def save_household(household_id: int, facts: HouseholdFacts, *, now: datetime, by: Actor) -> None:
    """Change a household; the log names what changed, not the values."""
    values = _checked(facts)
    with writing() as session:
        today = local_day(now)
        household, unit_id = _household_for(session, by, household_id, today, "staff")
        values["code"] = clean(facts.code) or household.code
        if values["code"] != household.code:
            _refuse_taken_code(session, values["code"])
        if values["number"] != household.number and unit_id is not None:
            _refuse_taken_number(session, unit_id, values["number"], today)
        changed = [key for key, value in values.items() if getattr(household, key) != value]
        for key in changed:
            setattr(household, key, values[key])
        household.fold = household_fold(household.code, household.number, household.representative)
        if changed:
            _record(session, now, by, household, unit_id, "changed", fields=sorted(changed))


def move_household(
    household_id: int, *, unit_id: int | None, from_on: date, now: datetime, by: Actor
) -> None:
    """Move a household to another group from a day on; to none when it has moved away."""
    with writing() as session:
        today = local_day(now)
        household, before = _household_for(session, by, household_id, today, "staff")
        if unit_id is not None:
            _group_for(session, by, unit_id, from_on, today)
            _refuse_taken_number(session, unit_id, household.number, from_on)
        last = _last_residence(session, household.id)
        if last and last.valid_to is None and last.unit_id == unit_id:
            raise Refusal(N_("Hộ đang ở đúng địa bàn ấy. Hãy chọn địa bàn khác."))
        _refuse_early(last, from_on)
        if last and last.valid_to is None:
            last.valid_to = from_on
        if unit_id is not None:
            session.add(
                HouseholdResidence(household_id=household.id, unit_id=unit_id, valid_from=from_on)
            )
        _record(
            session,
            now,
            by,
            household,
            before,
            "moved",
            before=before,
            after=unit_id,
            from_on=from_on,
        )


def _refuse_early(last: HouseholdResidence | None, from_on: date) -> None:
    if last and (from_on <= last.valid_from or (last.valid_to and from_on < last.valid_to)):
        raise Refusal(
            N_("Đã ghi một thay đổi từ ngày %(day)s. Hãy chọn ngày sau đó."),
            day=f"{last.valid_to or last.valid_from:%d/%m/%Y}",
        )


def _group_for(session: Session, by: Actor, unit_id: int, on: date, today: date) -> Unit:
    require_unit(session, by, unit_id, today, "staff")
    unit = session.get(Unit, unit_id)
    if unit is None or unit.tree != "residential" or not unit.kind.holds_people:
        raise Refusal(N_("Hãy chọn một khối, tổ dân phố hoặc thôn; hộ thuộc địa bàn ấy."))
    if on < unit.valid_from or (unit.valid_to is not None and on >= unit.valid_to):
        raise Refusal(N_("Ngày này địa bàn không hoạt động. Hãy chọn ngày khác."))
    return unit


def _household_for(
    session: Session, by: Actor, household_id: int, today: date, *roles: str
) -> tuple[Household, int | None]:
    household = session.get(Household, household_id)
    last = _last_residence(session, household_id)
    rows = session.scalars(
        select(HouseholdResidence.unit_id)
        .where(
            HouseholdResidence.household_id == household_id,
            or_(_there(today), HouseholdResidence.id == (last.id if last else 0)),
            within_scope(by, HouseholdResidence.unit_id, today, *roles),
        )
        .order_by(HouseholdResidence.valid_from.desc())
    ).all()
    if household is None or not rows:
        raise NotFound(N_("Không tìm thấy hộ này trong phạm vi của bạn."))
    return household, rows[0]


def _last_residence(session: Session, household_id: int) -> HouseholdResidence | None:
    return session.scalar(
        select(HouseholdResidence)
        .where(HouseholdResidence.household_id == household_id)
        .order_by(HouseholdResidence.valid_from.desc())
        .limit(1)
    )


def _checked(facts: HouseholdFacts) -> dict[str, Any]:
    number, representative = clean(facts.number), clean(facts.representative)
    if not number or len(number) > 20:
        raise Malformed(N_("Hãy ghi số hộ, không quá 20 ký tự."))
    if len(representative) > 180 or len(clean(facts.code)) > 40:
        raise Malformed(N_("Tên đại diện không quá 180 ký tự, mã không quá 40 ký tự."))
    return {
        "number": number,
        "representative": representative or None,
        "phone": checked_phone(facts.phone),
    }


def _free_code(session: Session, group: Unit, number: str) -> str:
    wanted = f"{group.code[:28]}-{clean(number):0>3}"[:36]
    code, turn = wanted, 1
    while session.scalar(select(Household.id).where(Household.code == code)):
        turn += 1
        code = f"{wanted}/{turn}"
    return code


def _refuse_taken_code(session: Session, code: str) -> None:
    if session.scalar(select(Household.id).where(func.lower(Household.code) == code.lower())):
        raise Refusal(N_("Mã “%(code)s” đã dùng cho hộ khác. Hãy chọn mã khác."), code=code)


def _refuse_taken_number(session: Session, unit_id: int, number: str, on: date) -> None:
    taken = session.scalar(
        select(Household.id)
        .join(HouseholdResidence, HouseholdResidence.household_id == Household.id)
        .where(HouseholdResidence.unit_id == unit_id, _there(on), Household.number == number)
        .limit(1)
    )
    if taken is not None:
        raise Refusal(N_("Địa bàn này đã có hộ số %(number)s. Hãy xem lại số hộ."), number=number)


def _record(
    session: Session,
    now: datetime,
    by: Actor,
    household: Household,
    unit_id: int | None,
    action: str,
    **details: Any,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="household",
        entity_id=household.id,
        unit_id=unit_id,
        **details,
    )


def households_page(
    *, query: str, unit_id: int | None, page: int, on: date, by: Actor
) -> HouseholdsPage:
    """The households within scope by group and number, cut into pages; a fixed few queries."""
    require_role(by, "staff", "reader")
    session = reading()
    listed = (
        select(Household, HouseholdResidence.unit_id)
        .join(HouseholdResidence, HouseholdResidence.household_id == Household.id)
        .where(
            _there(on),
            within_scope(by, HouseholdResidence.unit_id, on, "staff", "reader"),
            *word_conditions(query, Household.fold),
        )
    )
    if unit_id is not None:
        listed = listed.where(HouseholdResidence.unit_id.in_(subtree({unit_id}, on)))
    total = session.scalar(select(func.count()).select_from(listed.subquery())) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    rows = session.execute(
        listed.order_by(HouseholdResidence.unit_id, func.length(Household.number), Household.number)
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    ).all()
    return HouseholdsPage(_household_rows(session, rows, on), total, page, pages)


def _household_rows(session: Session, rows: Sequence[Any], on: date) -> list[HouseholdRow]:
    names = unit_names_on(session, [group_id for _household, group_id in rows], on)
    return [
        HouseholdRow(
            id=household.id,
            code=household.code,
            number=household.number,
            representative=household.representative,
            phone=household.phone,
            unit_id=group_id,
            unit_name=names.get(group_id, ""),
        )
        for household, group_id in rows
    ]


def household_page(household_id: int, *, on: date, by: Actor) -> HouseholdPage:
    """One household with its dated groups and latest meetings; NotFound outside the scope."""
    require_role(by, "staff", "reader")
    session = reading()
    household, _unit_id = _household_for(session, by, household_id, on, "staff", "reader")
    residences = _residences(session, household.id, on)
    current = next((span for span in residences if span.is_open), None)
    return HouseholdPage(
        id=household.id,
        code=household.code,
        number=household.number,
        representative=household.representative,
        phone=household.phone,
        unit_id=current.unit_id if current else None,
        unit_name=current.text if current else "",
        residences=residences,
        meetings=_meetings(session, household.id),
        is_changeable=by.has_any("staff") and _may_change(session, by, household.id, on),
    )


def _may_change(session: Session, by: Actor, household_id: int, on: date) -> bool:
    try:
        _household_for(session, by, household_id, on, "staff")
    except NotFound:
        return False
    return True


def _residences(session: Session, household_id: int, on: date) -> list[Span]:
    rows = session.scalars(
        select(HouseholdResidence)
        .where(HouseholdResidence.household_id == household_id)
        .order_by(HouseholdResidence.valid_from.desc())
    ).all()
    names = unit_names_on(session, [row.unit_id for row in rows], on)
    return [
        Span(
            row.id,
            row.unit_id,
            names[row.unit_id],
            "",
            row.valid_from,
            row.valid_to - timedelta(days=1) if row.valid_to else None,
            row.valid_from <= on and (row.valid_to is None or row.valid_to > on),
        )
        for row in rows
    ]


def _meetings(session: Session, household_id: int) -> list[MeetingLine]:
    rows = session.execute(
        select(Meeting, RegisterLine.status)
        .join(RegisterLine, RegisterLine.meeting_id == Meeting.id)
        .where(RegisterLine.household_id == household_id, RegisterLine.status != "none")
        .order_by(Meeting.starts_at.desc())
        .limit(RECENT)
    )
    return [
        MeetingLine(meeting.id, meeting.topic, meeting.starts_at, meeting.state, "none", status)
        for meeting, status in rows
    ]
