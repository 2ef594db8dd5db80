"""Theory classes: a course of several meetings, its learners from many units, and their results."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from models import (
    Course,
    CourseType,
    Enrolment,
    Meeting,
    Membership,
    Person,
    RegisterLine,
    Unit,
)
from rules.courses import RESULTS, half_days, is_absent_too_often
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean, fold, matches, name_sort_key, split_full_name
from services import audit, invitations
from services.access import granted_unit_ids, require_role, require_unit, subtree, units_visible_to
from services.meeting_facts import facts_of
from services.settings import setting_flag, setting_number
from services.transaction import reading, writing

STATES = ("planned", "open", "finished", "cancelled")
ATTENDED = ("present", "late", "left_early")
TAKEN = ("submitted", "locked")
MOST_AT_ONCE = 1000
PAGE = 20
_CHUNK = 500


@dataclass(frozen=True)
class CourseFields:
    """What is filled in about a course."""

    code: str
    type_code: str
    title: str
    organiser_id: int
    opens_on: date
    closes_on: date
    periods: int = 0
    capacity: int | None = None
    state: str = "planned"


@dataclass(frozen=True)
class Outsider:
    """A learner who is not a member: they get no account and no membership."""

    name: str
    unit_id: int | None = None
    birth_year: int | None = None


@dataclass(frozen=True)
class Enrolled:
    """How many were added to a course, and how many were learners of it already."""

    added: int
    known: int


@dataclass(frozen=True)
class CourseLine:
    """A course in a list."""

    id: int
    code: str
    title: str
    type_name: str
    organiser: str
    opens_on: date
    closes_on: date
    state: str
    learners: int
    capacity: int | None
    meetings: int
    periods: int
    periods_done: int


@dataclass(frozen=True)
class CoursePage:
    """One page of the list of courses."""

    lines: list[CourseLine]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class LearnerLine:
    """A learner, the unit that sent them, and how many of the course's meetings they came to."""

    person_id: int
    code: str
    name: str
    unit: str
    is_member: bool
    attended: int
    result: str
    certificate_number: str
    is_absent_often: bool = False


@dataclass(frozen=True)
class UnitResult:
    """The learners one unit sent, how many of them passed, and how many got which result."""

    unit: str
    learners: int
    passed: int
    results: dict[str, int]


@dataclass(frozen=True)
class CourseView:
    """Everything a course's page shows."""

    line: CourseLine
    fields: CourseFields
    learners: tuple[LearnerLine, ...]
    units: tuple[UnitResult, ...]
    withdrawn: int
    may_edit: bool
    held: int
    half_days: int
    periods_planned: int
    without_periods: int


def create_course(wanted: CourseFields, *, now: datetime, by: Actor) -> str:
    """Make a course and return its code."""
    with writing() as session:
        wanted = _checked(session, wanted, None, now, by)
        course = Course(created_at=now)
        _apply(course, wanted)
        session.add(course)
        session.flush()
        _record(session, course, "created", now=now, by=by)
        return course.code


def save_course(code: str, wanted: CourseFields, *, now: datetime, by: Actor) -> str:
    """Change a course; return its code, which may be new."""
    with writing() as session:
        course = own_course(session, code, now, by)
        wanted = _checked(session, wanted, course, now, by)
        before = {name: getattr(course, name) for name in _NAMES}
        _apply(course, wanted)
        changed = {
            name: [before[name], getattr(course, name)]
            for name in _NAMES
            if before[name] != getattr(course, name)
        }
        _record(session, course, "changed", now=now, by=by, changes=changed)
        return course.code


def enrol(code: str, person_codes: Sequence[str], *, now: datetime, by: Actor) -> Enrolled:
    """Enrol people by their codes, whatever unit they are of: a centre teaches several wards.

    Each is stamped with the unit they belong to today. Somebody withdrawn comes back. Those
    invited to meetings already published are told.
    """
    with writing() as session:
        course = own_course(session, code, now, by)
        ids = _people_by_code(session, person_codes)
        return _enrol(session, course, ids, now, by)


def enrol_unit(code: str, unit_id: int, *, now: datetime, by: Actor) -> Enrolled:
    """Enrol every member of a unit and of all below it."""
    with writing() as session:
        course = own_course(session, code, now, by)
        today = local_day(now)
        require_unit(session, by, unit_id, today, "staff")
        members = select(Membership.person_id).where(
            Membership.unit_id.in_(subtree({unit_id}, today)), _holds(today)
        )
        return _enrol(session, course, list(session.scalars(members)), now, by)


def enrol_outsiders(
    code: str, outsiders: Sequence[Outsider], *, now: datetime, by: Actor
) -> Enrolled:
    """Enrol people outside the roll by name; the unit given is the one that sent them."""
    with writing() as session:
        course = own_course(session, code, now, by)
        if not 1 <= len(outsiders) <= MOST_AT_ONCE:
            raise Malformed(N_("Hãy nhập từ 1 đến %(most)d người mỗi lần."), most=MOST_AT_ONCE)
        is_neutral = setting_flag(session, "neutral_titles")
        sent_by: dict[int, int | None] = {}
        for outsider in outsiders:
            person = _new_person(outsider, is_neutral, now)
            session.add(person)
            session.flush()
            sent_by[person.id] = outsider.unit_id
        return _enrol(session, course, list(sent_by), now, by, sent_by)


def withdraw(code: str, person_id: int, *, now: datetime, by: Actor) -> None:
    """Take a learner off a course; the row stays, with the day."""
    with writing() as session:
        course = own_course(session, code, now, by)
        row = session.scalar(
            select(Enrolment).where(
                Enrolment.course_id == course.id,
                Enrolment.person_id == person_id,
                Enrolment.withdrawn_on.is_(None),
            )
        )
        if row is None:
            raise NotFound(N_("Không tìm thấy học viên này trong lớp."))
        row.withdrawn_on = local_day(now)
        _record(session, course, "withdrew", now=now, by=by, person_id=person_id)
        _tell_meetings(session, course, now, by)


def _enrol(
    session: Session,
    course: Course,
    person_ids: Iterable[int],
    now: datetime,
    by: Actor,
    sent_by: dict[int, int | None] | None = None,
) -> Enrolled:
    if course.state in ("finished", "cancelled"):
        raise Refusal(N_("Lớp “%(title)s” đã kết thúc hoặc đã huỷ."), title=course.title)
    today = local_day(now)
    rows = {
        row.person_id: row
        for row in session.scalars(select(Enrolment).where(Enrolment.course_id == course.id))
    }
    wanted = list(dict.fromkeys(person_ids))
    fresh = [one for one in wanted if one not in rows or rows[one].withdrawn_on is not None]
    learners = sum(row.withdrawn_on is None for row in rows.values())
    if course.capacity is not None and learners + len(fresh) > course.capacity:
        raise Refusal(
            N_("Lớp chỉ có %(capacity)d chỗ, đã có %(learners)d học viên. Hãy tăng số chỗ."),
            capacity=course.capacity,
            learners=learners,
        )
    units = _units_of(session, fresh, today) | (sent_by or {})
    for person_id in fresh:
        row = rows.get(person_id) or Enrolment(course_id=course.id, person_id=person_id)
        row.unit_id, row.enrolled_on, row.withdrawn_on = units.get(person_id), today, None
        session.add(row)
    session.flush()
    if fresh:
        _record(session, course, "enrolled", now=now, by=by, person_ids=fresh)
        _tell_meetings(session, course, now, by)
    return Enrolled(len(fresh), len(wanted) - len(fresh))


def _tell_meetings(session: Session, course: Course, now: datetime, by: Actor) -> None:
    """Bring the guest lists of the coming published meetings in line; who is new or gone is told."""
    session.flush()
    coming = select(Meeting).where(
        Meeting.course_id == course.id, Meeting.state == "published", Meeting.ends_at > now
    )
    meetings = session.scalars(coming).all()
    bundle = invitations.bundle_of(meetings, now)
    for meeting in meetings:
        before = facts_of(meeting)
        invitations.announce_changed(
            session, meeting, before, now=now, by=by, tell=False, bundle=bundle
        )


def _checked(
    session: Session, wanted: CourseFields, course: Course | None, now: datetime, by: Actor
) -> CourseFields:
    require_unit(session, by, wanted.organiser_id, local_day(now), "staff")
    code, title = clean(wanted.code), clean(wanted.title)
    if not code or len(code) > 40 or not title or len(title) > 300 or "/" in code:
        raise Malformed(N_("Mã lớp (tối đa 40 ký tự, không có dấu /) và tên lớp phải có."))
    if wanted.closes_on < wanted.opens_on:
        raise Malformed(N_("Ngày bế giảng phải từ ngày khai giảng trở đi. Hãy sửa lại."))
    if session.get(CourseType, wanted.type_code) is None or wanted.state not in STATES:
        raise Malformed(N_("Loại lớp hoặc trạng thái chưa đúng. Hãy chọn lại."))
    if not 0 <= wanted.periods <= 2000 or not (wanted.capacity is None or wanted.capacity > 0):
        raise Malformed(N_("Số tiết và số chỗ phải là số hợp lý. Hãy sửa lại."))
    other = session.scalar(select(Course.id).where(Course.code == code))
    if other is not None and (course is None or other != course.id):
        raise Refusal(N_("Đã có lớp mang mã “%(code)s”. Hãy chọn mã khác."), code=code)
    return CourseFields(
        code,
        wanted.type_code,
        title,
        wanted.organiser_id,
        wanted.opens_on,
        wanted.closes_on,
        wanted.periods,
        wanted.capacity,
        wanted.state,
    )


_NAMES = tuple(field.name for field in fields(CourseFields))


def _apply(course: Course, wanted: CourseFields) -> None:
    for name in _NAMES:
        setattr(course, name, getattr(wanted, name))


def own_course(session: Session, code: str, now: datetime, by: Actor) -> Course:
    """The course if staff of its organiser ask for it, else NotFound."""
    require_role(by, "staff")
    course = session.scalar(select(Course).where(Course.code == code))
    visible = units_visible_to(session, by, local_day(now), "staff")
    if course is None or (visible is not None and course.organiser_id not in visible):
        raise NotFound(N_("Không tìm thấy lớp này trong phạm vi của bạn."))
    return course


def _people_by_code(session: Session, codes: Sequence[str]) -> list[int]:
    wanted = list(dict.fromkeys(code.strip() for code in codes if code.strip()))
    if not 1 <= len(wanted) <= MOST_AT_ONCE:
        raise Malformed(N_("Hãy nhập từ 1 đến %(most)d mã mỗi lần."), most=MOST_AT_ONCE)
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = session.execute(
            select(Person.code, Person.id).where(Person.code.in_(wanted[start : start + _CHUNK]))
        )
        found.update((row.code, row.id) for row in rows)
    unknown = [code for code in wanted if code not in found]
    if unknown:
        raise Malformed(
            N_("Không tìm thấy người mang mã: %(codes)s. Chưa ai được thêm; hãy sửa rồi thêm lại."),
            codes=", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else ""),
        )
    return list(found.values())


def _new_person(outsider: Outsider, is_neutral: bool, now: datetime) -> Person:
    name = clean(outsider.name)
    if not name or len(name) > 180:
        raise Malformed(N_("Hãy nhập họ và tên của từng học viên, mỗi người một dòng."))
    family, given = split_full_name(name)
    return Person(
        code=f"HV-{uuid.uuid4().hex[:10].upper()}",
        family_and_middle=family[:120],
        given_name=given[:60],
        full_name=name,
        fold=fold(name),
        sort_key=name_sort_key(family, given)[:400],
        birth_year=outsider.birth_year,
        neutral_titles=is_neutral,
        created_at=now,
    )


def _holds(on: date) -> ColumnElement[bool]:
    return (Membership.valid_from <= on) & or_(
        Membership.valid_to.is_(None), Membership.valid_to > on
    )


def _units_of(session: Session, person_ids: Sequence[int], on: date) -> dict[int, int | None]:
    found: dict[int, int | None] = {}
    for start in range(0, len(person_ids), _CHUNK):
        part = person_ids[start : start + _CHUNK]
        rows = session.execute(
            select(Membership.person_id, Membership.unit_id).where(
                Membership.person_id.in_(part), _holds(on)
            )
        )
        found.update((row.person_id, row.unit_id) for row in rows)
    return found


def _record(
    session: Session, course: Course, action: str, *, now: datetime, by: Actor, **details: Any
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


def course_types() -> list[tuple[str, str]]:
    """Codes and names of the kinds of class."""
    rows = reading().execute(select(CourseType.code, CourseType.name).order_by(CourseType.code))
    return [(row.code, row.name) for row in rows]


def course_list(
    *,
    state: str = "",
    year: int | None = None,
    words: str = "",
    page: int = 1,
    today: date,
    by: Actor,
) -> CoursePage:
    """One page of the courses the actor organises or has sent learners to, the newest first."""
    session = reading()
    conditions = [_visible(by, today)]
    if state:
        conditions.append(Course.state == state)
    if year:
        conditions.append(Course.opens_on.between(date(year, 1, 1), date(year, 12, 31)))
    rows = session.execute(
        select(Course.id, Course.code, Course.title)
        .where(*conditions)
        .order_by(Course.opens_on.desc(), Course.code)
    )
    ids = [row.id for row in rows if matches(words, fold(f"{row.code} {row.title}"))]
    pages = max(1, -(-len(ids) // PAGE))
    page = min(max(1, page), pages)
    shown = ids[(page - 1) * PAGE : page * PAGE]
    return CoursePage(_course_lines(session, [Course.id.in_(shown)]), len(ids), page, pages)


def course_view(code: str, *, today: date, by: Actor) -> CourseView:
    """One course with its learners; somebody who only sent learners sees their own."""
    session = reading()
    found = _course_lines(session, [Course.code == code, _visible(by, today)])
    if not found:
        raise NotFound(N_("Không tìm thấy lớp này trong phạm vi của bạn."))
    course = session.get_one(Course, found[0].id)
    organisers = units_visible_to(session, by, today)
    is_organiser = organisers is None or course.organiser_id in organisers
    sittings = _sittings(session, course.id)
    held = sum(row.register_state in TAKEN for row in sittings)
    learners = _learners(session, course.id, None if is_organiser else organisers, held)
    editors = units_visible_to(session, by, today, "staff") if by.has_any("staff") else frozenset()
    withdrawn = select(func.count(Enrolment.id)).where(
        Enrolment.course_id == course.id, Enrolment.withdrawn_on.is_not(None)
    )
    return CourseView(
        line=found[0],
        fields=CourseFields(**{name: getattr(course, name) for name in _NAMES}),
        learners=learners,
        units=_by_unit(learners),
        withdrawn=session.scalar(withdrawn) or 0,
        may_edit=editors is None or course.organiser_id in editors,
        held=held,
        half_days=half_days((row.starts_at, row.ends_at) for row in sittings),
        periods_planned=sum(row.periods or 0 for row in sittings),
        without_periods=sum(row.periods is None for row in sittings),
    )


def _sittings(session: Session, course_id: int) -> Sequence[Any]:
    """Start, end, register's state and periods of the course's meetings that are not called off."""
    return session.execute(
        select(Meeting.starts_at, Meeting.ends_at, Meeting.register_state, Meeting.periods).where(
            Meeting.course_id == course_id, Meeting.state.not_in(("cancelled", "not_held"))
        )
    ).all()


def _visible(by: Actor, today: date) -> ColumnElement[bool]:
    granted = granted_unit_ids(by)
    if granted is None:
        return true()
    sent = select(Enrolment.course_id).where(Enrolment.unit_id.in_(subtree(granted, today)))
    return or_(Course.organiser_id.in_(subtree(granted, today)), Course.id.in_(sent))


def _course_lines(session: Session, conditions: Sequence[ColumnElement[bool]]) -> list[CourseLine]:
    learners = _of_course(func.count(Enrolment.id), Enrolment, Enrolment.withdrawn_on.is_(None))
    sittings = _of_course(func.count(Meeting.id), Meeting, Meeting.state != "cancelled")
    periods = func.coalesce(func.sum(Meeting.periods), 0)
    periods_done = _of_course(periods, Meeting, Meeting.state == "held")
    rows = session.execute(
        select(Course, CourseType.name, Unit.name, learners, sittings, periods_done)
        .join(CourseType, CourseType.code == Course.type_code)
        .join(Unit, Unit.id == Course.organiser_id)
        .where(*conditions)
        .order_by(Course.opens_on.desc(), Course.code)
    )
    return [
        CourseLine(
            course.id,
            course.code,
            course.title,
            type_name,
            organiser,
            course.opens_on,
            course.closes_on,
            course.state,
            enrolled,
            course.capacity,
            held,
            course.periods,
            periods,
        )
        for course, type_name, organiser, enrolled, held, periods in rows
    ]


def _of_course(
    counted: ColumnElement[Any],
    table: type[Enrolment] | type[Meeting],
    condition: ColumnElement[bool],
) -> Any:
    """A figure of each listed course, as a column."""
    figure = select(counted).where(table.course_id == Course.id, condition)
    return figure.correlate(Course).scalar_subquery()


def _learners(
    session: Session, course_id: int, within: frozenset[int] | None, held: int
) -> tuple[LearnerLine, ...]:
    most_absent = setting_number(session, "class_absence_percent")
    attended = dict(_attended(session, course_id))
    rows = session.execute(
        select(Enrolment, Person, Unit.name)
        .join(Person, Person.id == Enrolment.person_id)
        .outerjoin(Unit, Unit.id == Enrolment.unit_id)
        .where(Enrolment.course_id == course_id, Enrolment.withdrawn_on.is_(None))
        .order_by(Person.sort_key, Person.code)
    ).all()
    return tuple(
        LearnerLine(
            person.id,
            person.code,
            person.full_name,
            unit or "",
            not person.code.startswith("HV-"),
            attended.get(person.id, 0),
            row.result or "",
            row.certificate_number or "",
            is_absent_too_often(attended.get(person.id, 0), held, most_absent),
        )
        for row, person, unit in rows
        if within is None or row.unit_id in within
    )


def _attended(session: Session, course_id: int) -> Iterable[tuple[int, int]]:
    rows = session.execute(
        select(RegisterLine.person_id, func.count())
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(
            Meeting.course_id == course_id,
            Meeting.state.not_in(("cancelled", "not_held")),
            RegisterLine.status.in_(ATTENDED),
            RegisterLine.person_id.is_not(None),
        )
        .group_by(RegisterLine.person_id)
    )
    return ((person_id, count) for person_id, count in rows if person_id is not None)


def _by_unit(learners: Sequence[LearnerLine]) -> tuple[UnitResult, ...]:
    groups: dict[str, list[LearnerLine]] = defaultdict(list)
    for learner in learners:
        groups[learner.unit].append(learner)
    return tuple(
        UnitResult(
            unit,
            len(sent),
            sum(one.result not in ("", "failed") for one in sent),
            {result: sum(one.result == result for one in sent) for result in RESULTS},
        )
        for unit, sent in sorted(groups.items(), key=lambda item: fold(item[0]))
    )
