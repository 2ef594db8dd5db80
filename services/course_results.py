"""What comes of classes: results pasted, certificates numbered and listed, plans against what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models import ClassPlan, Course, CourseType, Enrolment, Person, Unit
from rules.courses import RESULTS, Learner, certificate_numbers, pasted_results
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import require_unit, within_scope
from services.courses import own_course
from services.transaction import reading, writing
from services.units import unit_names_on

YEARS = range(1990, 2101)


@dataclass(frozen=True)
class CertificateLine:
    """One certificate in the register."""

    number: str
    on: date | None
    name: str
    birth_year: int | None
    unit: str
    course_code: str
    course_title: str
    result: str


@dataclass(frozen=True)
class PlanLine:
    """One kind of class in a year: planned against opened, by count and by learners."""

    type_code: str
    type_name: str
    organiser_id: int
    organiser: str
    planned: int
    opened: int
    learners_planned: int
    enrolments: int


@dataclass(frozen=True)
class Entry:
    """What a page says of one learner, beside what stood there when it was opened."""

    was: str
    result: str
    was_number: str
    number: str


@dataclass(frozen=True)
class Recorded:
    """How many learners were written; whom somebody else has written otherwise meanwhile."""

    changed: int
    clashes: list[str]


def record_results(
    code: str, entries: Mapping[int, Entry], *, now: datetime, by: Actor
) -> Recorded:
    """Write the results and certificate numbers that a page changed, by person.

    What somebody else wrote since the page was opened is not written over, but named.
    """
    if any(one.result not in ("", *RESULTS) for one in entries.values()):
        raise Malformed(N_("Kết quả học tập chưa đúng. Hãy chọn lại trong danh sách."))
    with writing() as session:
        course = own_course(session, code, now, by)
        changed, clashes = [], []
        for row, person in _rows(session, course.id):
            entry = entries.get(person.id)
            if entry is None or not (wanted := _wanted(row, entry)):
                continue
            if any(_shown(row, name) != was for name, was, _ in wanted):
                clashes.append(person.full_name)
                continue
            for name, _, value in wanted:
                setattr(row, name, value or None)
            if row.certificate_number:
                row.certificate_on = row.certificate_on or course.closes_on
            changed.append(person.id)
        if changed:
            _refuse_doubled(session)
            _record(session, course, "graded", now, by, person_ids=changed)
        return Recorded(len(changed), clashes)


def _wanted(row: Enrolment, entry: Entry) -> list[tuple[str, str, str]]:
    """Which columns a page changes: name, what it showed, what it asks for."""
    number = clean(entry.number)[:60]
    asked = [
        ("result", entry.was, entry.result),
        ("certificate_number", entry.was_number, number),
    ]
    return [
        (name, was, value) for name, was, value in asked if value not in (was, _shown(row, name))
    ]


def _shown(row: Enrolment, name: str) -> str:
    return getattr(row, name) or ""


def paste_results(code: str, text: str, *, now: datetime, by: Actor) -> int:
    """Write the results of pasted lines, all or none; return how many learners were named."""
    with writing() as session:
        course = own_course(session, code, now, by)
        rows = _rows(session, course.id)
        learners = [Learner(person.id, person.code, person.full_name) for _, person in rows]
        enrolments = {row.person_id: row for row, _ in rows}
        pasted = pasted_results(text, learners)
        for one in pasted:
            row = enrolments[one.person_id]
            row.result = one.result or None
            if one.certificate_number:
                row.certificate_number = one.certificate_number
                row.certificate_on = row.certificate_on or course.closes_on
        _refuse_doubled(session)
        _record(session, course, "graded", now, by, people=[one.person_id for one in pasted])
        return len(pasted)


def number_certificates(
    code: str, *, first: int, suffix: str, on: date, now: datetime, by: Actor
) -> int:
    """Number the certificates of those who passed and have none, by given name; how many."""
    with writing() as session:
        course = own_course(session, code, now, by)
        waiting = [
            row
            for row, _ in _rows(session, course.id)
            if row.result not in (None, "failed") and not row.certificate_number
        ]
        if not waiting:
            raise Refusal(N_("Không có học viên nào đạt mà chưa có số. Hãy ghi kết quả trước."))
        numbers = certificate_numbers(first, suffix, len(waiting))
        for row, number in zip(waiting, numbers, strict=True):
            row.certificate_number, row.certificate_on = number, on
        _refuse_doubled(session)
        _record(session, course, "certified", now, by, first=numbers[0], count=len(numbers))
        return len(numbers)


def _rows(session: Session, course_id: int) -> list[tuple[Enrolment, Person]]:
    rows = session.execute(
        select(Enrolment, Person)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.course_id == course_id, Enrolment.withdrawn_on.is_(None))
        .order_by(Person.sort_key, Person.code)
    )
    return [(row, person) for row, person in rows]


def _refuse_doubled(session: Session) -> None:
    """A certificate's number is given once in a year by one organiser."""
    session.flush()
    year = func.extract("year", Enrolment.certificate_on)
    doubled = session.execute(
        select(Enrolment.certificate_number)
        .join(Course, Course.id == Enrolment.course_id)
        .where(Enrolment.certificate_number.is_not(None), Enrolment.certificate_on.is_not(None))
        .group_by(Course.organiser_id, Enrolment.certificate_number, year)
        .having(func.count() > 1)
        .limit(1)
    ).first()
    if doubled is not None:
        raise Refusal(
            N_("Số giấy chứng nhận “%(number)s” đã cấp trong năm ấy. Hãy chọn số khác."),
            number=doubled[0],
        )


def _record(
    session: Session, course: Course, action: str, now: datetime, by: Actor, **details: Any
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="course",
        entity_id=course.id,
        unit_id=course.organiser_id,
        **details,
    )


def save_class_plan(
    year: int,
    organiser_id: int,
    type_code: str,
    *,
    classes: int,
    learners: int,
    now: datetime,
    by: Actor,
) -> None:
    """Plan how many classes of a kind an organiser opens in a year; none takes the line away."""
    if year not in YEARS or not 0 <= classes <= 1_000 or not 0 <= learners <= 1_000_000:
        raise Malformed(N_("Năm, số lớp hoặc số học viên chưa hợp lý. Hãy xem lại."))
    with writing() as session:
        require_unit(session, by, organiser_id, local_day(now), "staff")
        if session.get(CourseType, type_code) is None:
            raise NotFound(N_("Không có loại lớp này."))
        _keep_plan(session, year, organiser_id, type_code, classes, learners)
        audit.record(
            session,
            now=now,
            by=by,
            action="saved",
            entity="class_plan",
            entity_id=f"{year}/{type_code}",
            unit_id=organiser_id,
            classes=classes,
            learners=learners,
        )


def _keep_plan(
    session: Session, year: int, organiser_id: int, type_code: str, classes: int, learners: int
) -> None:
    row = session.scalar(
        select(ClassPlan).where(
            ClassPlan.year == year,
            ClassPlan.organiser_id == organiser_id,
            ClassPlan.type_code == type_code,
        )
    )
    if classes == 0:
        if row is not None:
            session.delete(row)
        return
    row = row or ClassPlan(year=year, organiser_id=organiser_id, type_code=type_code)
    row.classes, row.learners = classes, learners
    session.add(row)


def class_plan(year: int, *, today: date, by: Actor) -> list[PlanLine]:
    """A year's classes by organiser and kind, planned or opened; called-off classes do not count."""
    if year not in YEARS:
        raise Malformed(N_("Năm chưa hợp lý. Hãy chọn lại."))
    session = reading()
    planned = {
        (row.organiser_id, row.type_code): row
        for row in session.scalars(
            select(ClassPlan).where(
                ClassPlan.year == year, within_scope(by, ClassPlan.organiser_id, today)
            )
        )
    }
    opened = _opened(session, year, by, today)
    keys = sorted(planned.keys() | opened.keys())
    names = unit_names_on(session, [organiser for organiser, _ in keys], today)
    types = {row.code: row.name for row in session.scalars(select(CourseType))}
    return [
        PlanLine(
            type_code,
            types[type_code],
            organiser,
            names[organiser],
            planned[organiser, type_code].classes if (organiser, type_code) in planned else 0,
            opened.get((organiser, type_code), (0, 0))[0],
            planned[organiser, type_code].learners if (organiser, type_code) in planned else 0,
            opened.get((organiser, type_code), (0, 0))[1],
        )
        for organiser, type_code in keys
    ]


def _opened(
    session: Session, year: int, by: Actor, today: date
) -> dict[tuple[int, str], tuple[int, int]]:
    """Classes opened and enrolments not withdrawn, by organiser and kind."""
    rows = session.execute(
        select(
            Course.organiser_id,
            Course.type_code,
            func.count(func.distinct(Course.id)),
            func.count(case((Enrolment.withdrawn_on.is_(None), Enrolment.id))),
        )
        .outerjoin(Enrolment, Enrolment.course_id == Course.id)
        .where(
            Course.opens_on.between(date(year, 1, 1), date(year, 12, 31)),
            Course.state.in_(("open", "finished")),
            within_scope(by, Course.organiser_id, today),
        )
        .group_by(Course.organiser_id, Course.type_code)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def certificates(year: int, *, today: date, by: Actor, course: str = "") -> list[CertificateLine]:
    """The register of certificates given in a year, by number, for what the reader may see."""
    if year not in YEARS:
        raise Malformed(N_("Năm chưa hợp lý. Hãy chọn lại."))
    session = reading()
    rows: Any = session.execute(
        select(Enrolment, Person, Course)
        .join(Person, Person.id == Enrolment.person_id)
        .join(Course, Course.id == Enrolment.course_id)
        .where(
            Enrolment.certificate_number.is_not(None),
            func.coalesce(Enrolment.certificate_on, Course.closes_on).between(
                date(year, 1, 1), date(year, 12, 31)
            ),
            within_scope(by, Course.organiser_id, today),
            *([Course.code == course] if course else []),
        )
        .order_by(Enrolment.certificate_on, Course.id, Enrolment.certificate_number)
    ).all()
    return _certificate_lines(session, rows, today)


def certificate_years(*, today: date, by: Actor) -> list[tuple[int, int]]:
    """The years in which certificates were given, newest first, each with how many."""
    year = func.extract("year", func.coalesce(Enrolment.certificate_on, Course.closes_on))
    rows = reading().execute(
        select(year, func.count())
        .select_from(Enrolment)
        .join(Course, Course.id == Enrolment.course_id)
        .where(
            Enrolment.certificate_number.is_not(None),
            within_scope(by, Course.organiser_id, today),
        )
        .group_by(year)
        .order_by(year.desc())
    )
    return [(int(row[0]), row[1]) for row in rows]


def _certificate_lines(
    session: Session, rows: Sequence[tuple[Enrolment, Person, Course]], today: date
) -> list[CertificateLine]:
    names = unit_names_on(session, [row.unit_id for row, _, _ in rows if row.unit_id], today)
    return [
        CertificateLine(
            row.certificate_number or "",
            row.certificate_on or course.closes_on,
            person.full_name,
            person.birth_year,
            names.get(row.unit_id or 0, ""),
            course.code,
            course.title,
            row.result or "",
        )
        for row, person, course in rows
    ]


def organisers(*, today: date, by: Actor) -> list[tuple[int, str]]:
    """The units that may plan classes within scope: those that report, and those above them."""
    rows = reading().execute(
        select(Unit.id, Unit.name)
        .where(
            Unit.tree == "party",
            Unit.kind.has(holds_people=False),
            Unit.valid_to.is_(None),
            within_scope(by, Unit.id, today, "staff"),
        )
        .order_by(Unit.position, Unit.fold)
    )
    return [(row.id, row.name) for row in rows]
