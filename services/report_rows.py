"""The rows behind a figure of a report: the people, meetings, classes or visits that it counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import (
    Course,
    Enrolment,
    Household,
    LeaderVisit,
    Meeting,
    Person,
    RegisterLine,
    RollEntry,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from rules.report_tables import DAY, TEXT, Column, Fact, Line, ReportTable, columns_of
from rules.reports import (
    check_period,
    counting_month,
    same_period_before,
    years_to_same_before,
)
from services.access import require_role, within_scope
from services.campaigns import roll_within_scope
from services.report_classes import OUTSIDE, RESULTS, opened_in
from services.report_outreach import talks
from services.report_places import AS_WAS, Asked, Places
from services.report_sittings import held_in, invited_units, meetings_of
from services.report_study import Study, studies
from services.settings import setting_number
from services.transaction import reading
from services.units import unit_by_code, unit_names_on

MOST_ROWS = 2000
BEFORE = "_before"
MONTHS = "outreach:months"
FORMS_WITH_ROWS = ("study", "households", "outreach", "classes", "themes")
WITHOUT_ROWS = ("planned", "sittings", "periods")
EXEMPT = N_("miễn")
ROUNDS = {"main": N_("đợt chính"), "makeup": N_("học bù"), None: N_("chưa học")}
PEOPLE = columns_of(
    Column("unit", N_("Chi bộ"), TEXT),
    Column("on", N_("Ngày học"), DAY),
    Column("round", N_("Đợt"), TEXT),
)
MEETINGS = columns_of(
    Column("on", N_("Ngày"), DAY),
    Column("place", N_("Địa điểm"), TEXT),
    ("visits", N_("Lượt người nghe")),
)
COURSES = columns_of(
    Column("on", N_("Khai giảng"), DAY),
    ("enrolments", N_("Lượt học viên")),
)
LEARNERS = columns_of(
    Column("course", N_("Lớp"), TEXT),
    Column("on", N_("Khai giảng"), DAY),
)
VISITS = columns_of(Column("on", N_("Ngày dự"), DAY))


@dataclass(frozen=True)
class Wanted:
    """Which figure: a table, one of its lines ("" for its total) and a column."""

    table: str
    line: str
    column: str


@dataclass(frozen=True)
class Behind:
    """The rows behind a figure, shaped like every table, and how many there are in all.

    `meeting_ids` leads from a line's key to its meeting's page.
    """

    table: ReportTable
    count: int
    meeting_ids: Mapping[str, int]


def rows_behind(
    wanted: Wanted, first_on: date, last_on: date, *, today: date, by: Actor, view: str = AS_WAS
) -> Behind:
    """The rows that a figure of a report counts, at most 2.000 of them; NotFound without any form."""
    require_role(by, "admin", "staff", "reader")
    session = reading()
    asked = Asked(check_period(first_on, last_on), view, today, by)
    if wanted.column.endswith(BEFORE):
        years = years_to_same_before(asked.period)
        asked = replace(asked, period=same_period_before(asked.period))
        wanted = replace(wanted, column=wanted.column.removesuffix(BEFORE))
        if wanted.table == MONTHS and wanted.line:
            year, _, month = wanted.line.partition("-")
            wanted = replace(wanted, line=f"{_whole(year) - years}-{month}")
    places = Places(session, asked)
    form, _, campaign = wanted.table.partition(":")
    if form in ("study", "households") and not campaign:
        wanted = Wanted(f"{form}:{wanted.line}", "", wanted.column)
        campaign = wanted.table.partition(":")[2]
    sources: Mapping[str, Callable[[Session, Asked, Places, Wanted], Behind]] = {
        "study": _study_rows,
        "households": _study_rows,
        "outreach": _outreach_rows,
        "classes": _class_rows,
        "themes": _theme_rows,
    }
    if form not in sources:
        raise NotFound(N_("Con số này không có danh sách phía sau."))
    return sources[form](session, asked, places, wanted)


def _behind(columns: tuple[Column, ...], lines: list[Line], title: str) -> Behind:
    table = ReportTable("rows", "", title, "", columns, tuple(lines[:MOST_ROWS]), has_total=False)
    meetings = {
        line.key: number for line in lines if isinstance(number := line.facts.get("meeting"), int)
    }
    return Behind(table, len(lines), meetings)


def _unit_id(session: Session, wanted: Wanted) -> int | None:
    """The unit of a line; None for the total, 0 for those whom no unit sent."""
    if wanted.line == OUTSIDE:
        return 0
    return unit_by_code(session, wanted.line).id if wanted.line else None


def _study_rows(session: Session, asked: Asked, places: Places, wanted: Wanted) -> Behind:
    form, _, code = wanted.table.partition(":")
    found = next((one for one in studies(session, asked, places) if one.figures.code == code), None)
    if found is None:
        raise NotFound(N_("Không tìm thấy đợt này trong kỳ báo cáo."))
    unit = _unit_id(session, wanted)
    if wanted.column in ("in_person", "points", "others", "officials", "meetings", "visits"):
        return _sittings(session, asked, places, found, unit, form)
    return _roll_rows(session, asked, found, unit, form, wanted.column)


def _roll_rows(
    session: Session, asked: Asked, study: Study, unit: int | None, form: str, column: str
) -> Behind:
    """The entries of the roll behind a count, as they stood at the end of the period."""
    population = "members" if form == "study" else "households"
    absent = _absences(session, study, asked) if column in ("excused", "unexcused") else {}
    lines: list[Line] = []
    rows = _entries(session, asked, study, population)
    names = unit_names_on(session, {row[0].unit_id for row in rows}, study.campaign.cutoff_on)
    for entry, name, _, number, representative in sorted(
        rows, key=lambda row: (names[row[0].unit_id], row[2] or "", row[3] or "")
    ):
        where = study.roll.placement(entry)
        if unit not in (None, where.at):
            continue
        by_then = entry.covered_on is not None and entry.covered_on <= study.figures.as_of
        its_round = entry.covered_round if by_then else None
        if not _counts(column, where.state, its_round, absent.get(entry.person_id)):
            continue
        facts: dict[str, Fact] = {
            "unit": names[entry.unit_id],
            "on": entry.covered_on if by_then else None,
            "round": EXEMPT if where.state == "exempt" else ROUNDS[its_round],
        }
        shown = name or " · ".join(filter(None, (number, representative)))
        lines.append(Line(str(entry.id), shown, facts))
    return _behind(PEOPLE, lines, study.figures.title)


def _entries(session: Session, asked: Asked, study: Study, population: str) -> Sequence[Any]:
    """The roll's entries within scope, each with the name or number of whom it is about."""
    return session.execute(
        select(
            RollEntry,
            Person.full_name,
            Person.sort_key,
            Household.number,
            Household.representative,
        )
        .outerjoin(Person, Person.id == RollEntry.person_id)
        .outerjoin(Household, Household.id == RollEntry.household_id)
        .where(
            RollEntry.campaign_id == study.campaign.id,
            RollEntry.population == population,
            roll_within_scope(asked.by, study.campaign.cutoff_on, asked.today),
        )
    ).all()


def _counts(column: str, state: str | None, its_round: str | None, absence: str | None) -> bool:
    """Whether an entry of that state and round is counted in a column."""
    if state in (None, "removed"):
        return False
    if column == "exempt":
        return state == "exempt"
    if column == "total":
        return True
    if state != "eligible":
        return False
    return {
        "eligible": True,
        "covered": its_round is not None,
        "covered_main": its_round == "main",
        "covered_makeup": its_round == "makeup",
        "excused": its_round is None and absence == "excused",
        "unexcused": its_round is None and absence == "unexcused",
    }.get(column, False)


def _absences(session: Session, study: Study, asked: Asked) -> dict[int | None, str]:
    """What the registers say of those who were away: excused once is excused."""
    rows = session.execute(
        select(RegisterLine.person_id, RegisterLine.status)
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(
            *meetings_of(study.campaign.id, asked),
            RegisterLine.status.in_(("excused", "unexcused")),
        )
        .order_by(RegisterLine.status.desc())
    )
    return {row[0]: row[1] for row in rows}


def _sittings(
    session: Session,
    asked: Asked,
    places: Places,
    study: Study,
    unit: int | None,
    form: str,
) -> Behind:
    """The campaign's meetings that were held for a line's unit."""
    tree = "party" if form == "study" else "residential"
    where = meetings_of(study.campaign.id, asked)
    invited, elsewhere, _ = invited_units(session, where, tree)
    lines = []
    for meeting in session.scalars(
        select(Meeting).where(*where).order_by(Meeting.starts_at, Meeting.id)
    ):
        day = local_day(meeting.starts_at)
        if meeting.id not in invited and (form != "study" or meeting.id in elsewhere):
            continue
        units = invited.get(meeting.id) or {meeting.organiser_id}
        if form == "study":
            units = {places.reporting_unit(one, day) for one in units}
        if unit is None or any(unit in places.units_now(one, day) for one in units):
            lines.append(_meeting_line(meeting))
    return _behind(MEETINGS, lines, study.figures.title)


def _meeting_line(meeting: Meeting) -> Line:
    place = meeting.place or (meeting.venue.name if meeting.venue else "")
    facts: dict[str, Fact] = {
        "on": local_day(meeting.starts_at),
        "place": place,
        "visits": meeting.visits_count,
        "meeting": meeting.id,
    }
    return Line(str(meeting.id), meeting.topic, facts)


def _outreach_rows(session: Session, asked: Asked, places: Places, wanted: Wanted) -> Behind:
    by_topic, by_month = wanted.table == "outreach:topics", wanted.table == MONTHS
    unit = None if by_topic or by_month else _unit_id(session, wanted)
    cutoff_day = setting_number(session, "report_cutoff_day")

    def in_month(on: date) -> bool:
        month = f"{counting_month(on, cutoff_day):%Y-%m}"
        return not by_month or not wanted.line or month == wanted.line

    chosen = [
        talk
        for talk in talks(session, asked, places)
        if (unit is None or unit in places.units_now(talk.unit_id, talk.on))
        and (not by_topic or not wanted.line or talk.topic == wanted.line)
        and in_month(talk.on)
        and wanted.column in ("meetings", "visits", talk.level)
    ]
    chosen.sort(key=lambda talk: (talk.starts_at, talk.meeting_id))
    held = _meetings(session, [talk.meeting_id for talk in chosen[:MOST_ROWS]])
    lines = [
        _meeting_line(held[talk.meeting_id])
        if talk.meeting_id in held
        else Line(str(talk.meeting_id), talk.topic, {"on": talk.on, "visits": talk.visits})
        for talk in chosen
    ]
    return _behind(MEETINGS, lines, "")


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _meetings(session: Session, ids: list[int]) -> dict[int, Meeting]:
    found: dict[int, Meeting] = {}
    for start in range(0, len(ids), 500):
        query = select(Meeting).where(Meeting.id.in_(ids[start : start + 500]))
        found.update({meeting.id: meeting for meeting in session.scalars(query)})
    return found


def _class_rows(session: Session, asked: Asked, places: Places, wanted: Wanted) -> Behind:
    if wanted.table == "classes:units":
        return _learner_rows(session, asked, places, wanted)
    rows = session.execute(
        select(Course, Enrolment.result, Enrolment.certificate_number, Enrolment.id)
        .outerjoin(
            Enrolment,
            (Enrolment.course_id == Course.id) & Enrolment.withdrawn_on.is_(None),
        )
        .where(*opened_in(asked), *([Course.type_code == wanted.line] if wanted.line else []))
        .order_by(Course.opens_on, Course.id)
    )
    counted: dict[int, int] = {}
    found: dict[int, Course] = {}
    for course, result, certificate, enrolment in rows:
        found[course.id] = course
        matches = (
            result == wanted.column
            if wanted.column in RESULTS
            else certificate is not None
            if wanted.column == "certificates"
            else enrolment is not None
        )
        counted[course.id] = counted.get(course.id, 0) + matches
    narrow = wanted.column in (*RESULTS, "certificates")
    lines = [
        Line(str(one.id), one.title, {"on": one.opens_on, "enrolments": counted[one.id]})
        for one in found.values()
        if counted[one.id] or not narrow
    ]
    return _behind(COURSES, lines, "")


def _learner_rows(session: Session, asked: Asked, places: Places, wanted: Wanted) -> Behind:
    unit = _unit_id(session, wanted)
    rows = session.execute(
        select(Enrolment, Course.title, Course.opens_on, Person.full_name)
        .join(Course, Course.id == Enrolment.course_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(*opened_in(asked), Enrolment.withdrawn_on.is_(None))
        .order_by(Person.sort_key, Course.opens_on, Enrolment.id)
    )
    lines = []
    for one, title, opens_on, name in rows:
        at = places.reporting_unit(one.unit_id, opens_on) if one.unit_id else 0
        kept = {"graded": one.result, "certificates": one.certificate_number}
        if kept.get(wanted.column, one) is None:
            continue
        if unit is None or unit in places.units_now(at, opens_on):
            facts: dict[str, Fact] = {"course": title, "on": opens_on}
            lines.append(Line(str(one.id), name, facts))
    return _behind(LEARNERS, lines, "")


def _theme_rows(session: Session, asked: Asked, places: Places, wanted: Wanted) -> Behind:
    unit = _unit_id(session, wanted)
    if wanted.column == "leaders":
        return _visit_rows(session, asked, places, unit)
    quarter = int(wanted.column[1]) if wanted.column in ("q1", "q2", "q3", "q4") else None
    lines = []
    for meeting in session.scalars(
        select(Meeting)
        .where(
            *held_in(asked.period),
            Meeting.kind == "cell",
            Meeting.is_thematic,
            within_scope(asked.by, Meeting.organiser_id, asked.today),
        )
        .order_by(Meeting.starts_at, Meeting.id)
    ):
        day = local_day(meeting.starts_at)
        invited = [one.unit_id for one in meeting.units]
        at = invited[0] if len(invited) == 1 else meeting.organiser_id
        if quarter not in (None, (day.month + 2) // 3):
            continue
        if unit is None or unit in places.units_now(at, day):
            lines.append(_meeting_line(meeting))
    return _behind(MEETINGS, lines, "")


def _visit_rows(session: Session, asked: Asked, places: Places, unit: int | None) -> Behind:
    rows = session.scalars(
        select(LeaderVisit)
        .where(
            LeaderVisit.done_on.between(asked.period.first_on, asked.period.last_on),
            within_scope(asked.by, LeaderVisit.unit_id, asked.today),
        )
        .order_by(LeaderVisit.done_on, LeaderVisit.id)
    )
    lines = [
        Line(str(one.id), one.leader, {"on": one.done_on})
        for one in rows
        if one.done_on and (unit is None or unit in places.units_now(one.unit_id, one.done_on))
    ]
    return _behind(VISITS, lines, "")
