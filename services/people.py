"""Members: who they are, in which cell by date, exempt or not; every change is dated and logged."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from gateways.mail import is_address
from gateways.phones import read_phone
from models import Exemption, FeedToken, Membership, Person, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.roster_cells import CellFault
from rules.text import clean, fold, name_sort_key, split_full_name
from services import audit
from services.access import require_unit, within_scope
from services.transaction import writing

STANDINGS = ("full", "probationary")
LANGUAGES = ("vi", "en")
GENERATED = "DV-"


@dataclass(frozen=True)
class PersonFacts:
    """Who somebody is, as a form gives it; an empty text is nothing."""

    full_name: str
    code: str = ""
    birth_year: int | None = None
    phone: str = ""
    email: str = ""
    language: str = "vi"
    neutral_titles: bool = True
    wants_reminders: bool = True


def holds_on(table: type[Membership] | type[Exemption], on: date) -> ColumnElement[bool]:
    """The memberships or exemptions that hold on a day."""
    return and_(table.valid_from <= on, or_(table.valid_to.is_(None), table.valid_to > on))


def add_person(
    facts: PersonFacts,
    *,
    unit_id: int,
    standing: str,
    joined_on: date,
    now: datetime,
    by: Actor,
) -> int:
    """Add a member to a cell from a day on, and give the person's id."""
    values = _checked(facts)
    _check_standing(standing)
    with writing() as session:
        _cell_for(session, by, unit_id, joined_on, local_day(now))
        code = clean(facts.code) or _next_code(session)
        _refuse_taken_code(session, code)
        person = Person(code=code, created_at=now, **values)
        session.add(person)
        session.flush()
        session.add(
            Membership(
                person_id=person.id, unit_id=unit_id, standing=standing, valid_from=joined_on
            )
        )
        _record(session, now, by, person, unit_id, "created", joined_on=joined_on)
        return person.id


def save_person(person_id: int, facts: PersonFacts, *, now: datetime, by: Actor) -> None:
    """Change who somebody is; the log names what changed, not the values."""
    values = _checked(facts)
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        code = clean(facts.code) or person.code
        if code != person.code:
            _refuse_taken_code(session, code)
        values["code"] = code
        changed = [key for key, value in values.items() if getattr(person, key) != value]
        for key in changed:
            setattr(person, key, values[key])
        if "email" in changed:
            person.email_failing_since = None
        if changed:
            _record(session, now, by, person, unit_id, "changed", fields=sorted(changed))


def transfer_person(
    person_id: int, *, unit_id: int, from_on: date, now: datetime, by: Actor
) -> None:
    """Move a member to another cell from a day on; before it they belonged where they did."""
    with writing() as session:
        today = local_day(now)
        person, _unit_id = person_for(session, by, person_id, today, "staff")
        _cell_for(session, by, unit_id, from_on, today)
        last = _last_membership(session, person.id)
        before = last.unit_id if last else None
        standing = last.standing if last else "full"
        if last and last.valid_to is None and last.unit_id == unit_id:
            raise Refusal(N_("Người này đang ở đúng chi bộ ấy. Hãy chọn chi bộ khác."))
        _succeed(session, person, last, unit_id, standing, from_on)
        _record(
            session,
            now,
            by,
            person,
            unit_id,
            "transferred",
            before=before,
            after=unit_id,
            from_on=from_on,
        )


def change_standing(
    person_id: int, *, standing: str, from_on: date, now: datetime, by: Actor
) -> None:
    """Make a probationary member full (or set right) from a day on."""
    _check_standing(standing)
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        last = _last_membership(session, person.id)
        if last is None or last.valid_to is not None:
            raise Refusal(N_("Người này không còn sinh hoạt ở chi bộ nào."))
        if last.standing == standing:
            raise Refusal(N_("Người này đã đúng tư cách ấy."))
        _succeed(session, person, last, last.unit_id, standing, from_on)
        _record(session, now, by, person, unit_id, "standing", standing=standing, from_on=from_on)


def exempt_person(
    person_id: int,
    *,
    decision_number: str,
    from_on: date,
    until_on: date | None,
    now: datetime,
    by: Actor,
) -> None:
    """Exempt a member from a day to another (the last day; open when none); no reason is kept."""
    decision_number = clean(decision_number)
    if len(decision_number) > 60:
        raise Malformed(N_("Số quyết định không quá 60 ký tự."))
    valid_to = _day_after(until_on)
    if valid_to is not None and valid_to <= from_on:
        raise Malformed(N_("Ngày cuối được miễn phải từ ngày bắt đầu trở đi."))
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        overlap = select(Exemption.id).where(
            Exemption.person_id == person.id,
            or_(Exemption.valid_to.is_(None), Exemption.valid_to > from_on),
        )
        if valid_to is not None:
            overlap = overlap.where(Exemption.valid_from < valid_to)
        if session.scalar(overlap.limit(1)):
            raise Refusal(
                N_("Khoảng này trùng với lần miễn đã ghi. Hãy kết thúc lần trước rồi ghi lại.")
            )
        session.add(
            Exemption(
                person_id=person.id,
                decision_number=decision_number or None,
                valid_from=from_on,
                valid_to=valid_to,
            )
        )
        _record(session, now, by, person, unit_id, "exempted", from_on=from_on, until_on=until_on)


def end_exemption(person_id: int, exemption_id: int, *, on: date, now: datetime, by: Actor) -> None:
    """End an exemption: `on` is the first day without it; on its first day it is taken back."""
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        row = session.get(Exemption, exemption_id)
        if row is None or row.person_id != person.id:
            raise NotFound(N_("Không tìm thấy lần miễn này."))
        if on < row.valid_from or (row.valid_to is not None and on >= row.valid_to):
            raise Refusal(N_("Ngày kết thúc phải nằm trong thời gian được miễn."))
        if on == row.valid_from:
            session.delete(row)
        else:
            row.valid_to = on
        _record(session, now, by, person, unit_id, "unexempted", on=on)


def leave(person_id: int, *, on: date, died: bool, reason: str, now: datetime, by: Actor) -> None:
    """A member died or left: `on` is the first day without them; their calendar address ends."""
    reason = clean(reason)
    if len(reason) > 300 or not (reason or died):
        raise Malformed(N_("Hãy ghi lý do, không quá 300 ký tự."))
    with writing() as session:
        today = local_day(now)
        if on > today:
            raise Malformed(N_("Ngày này ở sau hôm nay. Hãy ghi khi việc đã xảy ra."))
        person, unit_id = person_for(session, by, person_id, today, "staff")
        last = _last_membership(session, person.id)
        if last is None or last.valid_to is not None:
            raise Refusal(N_("Người này không còn sinh hoạt ở chi bộ nào."))
        if on <= last.valid_from:
            raise Refusal(_before_latest(), day=f"{last.valid_from:%d/%m/%Y}")
        last.valid_to = on
        if died:
            person.died_on = on
        session.execute(
            update(FeedToken)
            .where(FeedToken.person_id == person.id, FeedToken.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        action = "died" if died else "left"
        _record(session, now, by, person, unit_id, action, reason=reason, on=on)


def _before_latest() -> str:
    return N_("Đã ghi một thay đổi từ ngày %(day)s. Hãy chọn ngày sau đó.")


def _succeed(
    session: Session,
    person: Person,
    last: Membership | None,
    unit_id: int,
    standing: str,
    from_on: date,
) -> None:
    """Close the latest membership on the day and begin the next; on its first day, set it right."""
    if person.died_on is not None:
        raise Refusal(N_("Người này đã từ trần."))
    if last and from_on < (last.valid_to or last.valid_from):
        day = last.valid_to or last.valid_from
        raise Refusal(_before_latest(), day=f"{day:%d/%m/%Y}")
    if last and last.valid_from == from_on:
        last.unit_id, last.standing = unit_id, standing
        return
    if last and last.valid_to is None:
        last.valid_to = from_on
    session.add(
        Membership(person_id=person.id, unit_id=unit_id, standing=standing, valid_from=from_on)
    )


def person_for(
    session: Session, by: Actor, person_id: int, today: date, *roles: str
) -> tuple[Person, int | None]:
    """The person and their (latest) cell, if their cell of today or the latest is within scope.

    Somebody who never was a member belongs to no unit: only those who see everything see them.
    """
    person = session.get(Person, person_id)
    last = _last_membership(session, person_id)
    seen = or_(holds_on(Membership, today), Membership.id == (last.id if last else 0))
    within = select(Membership.unit_id).where(
        Membership.person_id == person_id,
        seen,
        within_scope(by, Membership.unit_id, today, *roles),
    )
    units = session.scalars(within.order_by(Membership.valid_from.desc())).all()
    sees_all = last is None and _is_global(by, roles)
    if person is None or not (units or sees_all):
        raise NotFound(N_("Không tìm thấy người này trong phạm vi của bạn."))
    return person, units[0] if units else None


def _is_global(by: Actor, roles: tuple[str, ...]) -> bool:
    return any(grant.unit_id is None and grant.role in {"admin", *roles} for grant in by.grants)


def _last_membership(session: Session, person_id: int) -> Membership | None:
    return session.scalar(
        select(Membership)
        .where(Membership.person_id == person_id)
        .order_by(Membership.valid_from.desc())
        .limit(1)
    )


def _cell_for(session: Session, by: Actor, unit_id: int, on: date, today: date) -> Unit:
    require_unit(session, by, unit_id, today, "staff")
    unit = session.get(Unit, unit_id)
    if unit is None or unit.tree != "party" or not unit.kind.holds_people:
        raise Refusal(N_("Hãy chọn một chi bộ; đảng viên sinh hoạt ở chi bộ."))
    if on < unit.valid_from or (unit.valid_to is not None and on >= unit.valid_to):
        raise Refusal(N_("Ngày này chi bộ không hoạt động. Hãy chọn ngày khác."))
    if not 1900 <= on.year <= 2100:
        raise Malformed(N_("Ngày chưa đúng. Hãy viết như 26/11/2026."))
    return unit


def _checked(facts: PersonFacts) -> dict[str, object]:
    name = clean(facts.full_name)
    if not name or len(name) > 180:
        raise Malformed(N_("Hãy ghi họ và tên, không quá 180 ký tự."))
    if any(letter.isdecimal() for letter in name):
        raise Malformed(N_("Họ tên không có chữ số. Hãy sửa lại."))
    family, given = split_full_name(name)
    if len(family) > 120 or len(given) > 60:
        raise Malformed(N_("Họ đệm hoặc tên quá dài. Hãy xem lại."))
    if facts.birth_year is not None and not 1900 <= facts.birth_year <= 2100:
        raise Malformed(N_("Năm sinh chưa đúng. Hãy ghi bốn chữ số, ví dụ 1970."))
    if len(clean(facts.code)) > 40:
        raise Malformed(N_("Mã không quá 40 ký tự."))
    return {
        "full_name": name,
        "family_and_middle": family,
        "given_name": given,
        "fold": fold(name),
        "sort_key": name_sort_key(family, given)[:400],
        "birth_year": facts.birth_year,
        "phone": checked_phone(facts.phone),
        "email": checked_email(facts.email),
        "language": facts.language if facts.language in LANGUAGES else "vi",
        "neutral_titles": facts.neutral_titles,
        "wants_reminders": facts.wants_reminders,
    }


def checked_phone(text: str) -> str | None:
    """A telephone number as E.164, None for an empty text; Malformed when it is no number."""
    if not clean(text):
        return None
    try:
        return read_phone(clean(text)).e164
    except CellFault as fault:
        raise Malformed(fault.said.sentence, **dict(fault.said.params)) from fault


def checked_email(text: str) -> str | None:
    """An e-mail address in small letters, None for an empty text; Malformed when it is none."""
    email = clean(text).lower()
    if email and (not is_address(email) or len(email) > 254):
        raise Malformed(
            N_("“%(email)s” không phải địa chỉ thư. Hãy viết như ten@example.vn."), email=email[:80]
        )
    return email or None


def _check_standing(standing: str) -> None:
    if standing not in STANDINGS:
        raise Malformed(N_("Hãy chọn chính thức hoặc dự bị."))


def _next_code(session: Session) -> str:
    highest = session.scalar(select(func.max(Person.id))) or 0
    number = highest + 1
    while session.scalar(select(Person.id).where(Person.code == f"{GENERATED}{number:06}")):
        number += 1
    return f"{GENERATED}{number:06}"


def _refuse_taken_code(session: Session, code: str) -> None:
    if session.scalar(select(Person.id).where(func.lower(Person.code) == code.lower())):
        raise Refusal(N_("Mã “%(code)s” đã dùng cho người khác. Hãy chọn mã khác."), code=code)


def _day_after(day: date | None) -> date | None:
    return date.fromordinal(day.toordinal() + 1) if day else None


def _record(
    session: Session,
    now: datetime,
    by: Actor,
    person: Person,
    unit_id: int | None,
    action: str,
    *,
    reason: str = "",
    **details: object,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="person",
        entity_id=person.id,
        unit_id=unit_id,
        reason=reason,
        **details,
    )
