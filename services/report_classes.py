"""Table 4 of a report: theory classes by kind, against the plan, and learners by who sent them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import ClassPlan, Course, CourseType, Enrolment, Meeting
from rules.refusals import N_
from rules.report_tables import CLASSES, CLASSES_TITLE, SENDERS, Fact, Line, ReportTable
from services.access import within_scope
from services.report_places import Asked, Places

RESULTS = ("excellent", "good", "fair", "passed", "failed")
OUTSIDE = "-"
"""The key of the line of those whom no unit sent."""


def opened_in(asked: Asked) -> list[ColumnElement[bool]]:
    """The conditions on classes opened in the period and not called off."""
    return [
        Course.opens_on.between(asked.period.first_on, asked.period.last_on),
        Course.state != "cancelled",
        within_scope(asked.by, Course.organiser_id, asked.today),
    ]


def class_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 4 by kind of class, and learners by the unit that sent them."""
    return [_classes_by_kind(session, asked), _classes_by_sender(session, asked, places)]


def _classes_by_kind(session: Session, asked: Asked) -> ReportTable:
    counts = _class_counts(session, asked)
    kinds = session.execute(select(CourseType.code, CourseType.name).order_by(CourseType.code))
    lines = []
    for code, name in kinds:
        its = counts[code]
        facts: dict[str, Fact] = {column.key: its[column.key] for column in CLASSES}
        # Without a plan there is nothing to measure against: 0/0, which is neither met nor missed.
        facts["opened_planned"] = its["opened"] if its["planned"] else 0
        lines.append(Line(code, name, facts, is_empty=not its["opened"]))
    return ReportTable(
        key="classes",
        number="4",
        title=CLASSES_TITLE,
        subject=N_("theo loại lớp"),
        columns=CLASSES,
        lines=tuple(lines),
        totals={"opened_planned": sum(_int(line.facts["opened_planned"]) for line in lines)},
        note=N_("Kế hoạch là của những năm mà kỳ báo cáo chạm tới."),
    )


def _class_counts(session: Session, asked: Asked) -> defaultdict[str, Counter[str]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    opened = opened_in(asked)
    for code, classes in session.execute(
        select(Course.type_code, func.count()).where(*opened).group_by(Course.type_code)
    ):
        counts[code]["opened"] = classes
    for code, result, learners, certificates in session.execute(
        select(
            Course.type_code,
            Enrolment.result,
            func.count(),
            func.count(Enrolment.certificate_number),
        )
        .join(Enrolment, Enrolment.course_id == Course.id)
        .where(*opened, Enrolment.withdrawn_on.is_(None))
        .group_by(Course.type_code, Enrolment.result)
    ):
        counts[code].update({"enrolments": learners, "certificates": certificates})
        counts[code][result or ""] += learners
    for code, sittings, periods in session.execute(
        select(Course.type_code, func.count(), func.sum(Meeting.periods))
        .join(Meeting, Meeting.course_id == Course.id)
        .where(*opened, Meeting.state == "held")
        .group_by(Course.type_code)
    ):
        counts[code].update({"sittings": sittings, "periods": int(periods or 0)})
    for code, planned in session.execute(
        select(ClassPlan.type_code, func.sum(ClassPlan.classes))
        .where(
            ClassPlan.year.between(asked.period.first_on.year, asked.period.last_on.year),
            within_scope(asked.by, ClassPlan.organiser_id, asked.today),
        )
        .group_by(ClassPlan.type_code)
    ):
        counts[code]["planned"] = int(planned)
    return counts


def _classes_by_sender(session: Session, asked: Asked, places: Places) -> ReportTable:
    rows = session.execute(
        select(
            Enrolment.unit_id,
            Enrolment.person_id,
            Course.opens_on,
            Enrolment.result,
            Enrolment.certificate_number,
        )
        .join(Course, Course.id == Enrolment.course_id)
        .where(*opened_in(asked), Enrolment.withdrawn_on.is_(None))
    ).all()
    facts, people = _sent(places, rows)
    placed = places.placed(facts)
    lines = [
        Line(
            unit.code,
            unit.name,
            {"enrolments": 0, "graded": 0, "certificates": 0, "people": len(people[unit.id])}
            | dict(placed.counts.get(unit.id, {})),
            is_estimate=unit.id in placed.estimated,
        )
        for unit in places.units(set(placed.counts) | places.reporting_lines())
    ]
    if 0 in placed.counts:
        outside = {**placed.counts[0], "people": len(people[0])}
        lines.append(Line(OUTSIDE, N_("Ngoài danh sách đảng viên"), outside))
    return ReportTable(
        key="classes:units",
        number="4",
        title=CLASSES_TITLE,
        subject=N_("theo đơn vị cử học viên"),
        columns=SENDERS,
        lines=tuple(lines),
        totals={"people": len({row.person_id for row in rows})},
        note=N_("Lượt học viên cộng theo lớp; số người là số người khác nhau."),
    )


def _sent(
    places: Places, rows: Iterable[Any]
) -> tuple[list[tuple[int, date, Mapping[str, int]]], defaultdict[int, set[int]]]:
    """Enrolments as facts of the reporting unit that sent them, and the distinct people of each."""
    facts: list[tuple[int, date, Mapping[str, int]]] = []
    people: defaultdict[int, set[int]] = defaultdict(set)
    for row in rows:
        unit = places.reporting_unit(row.unit_id, row.opens_on) if row.unit_id else 0
        counts = {
            "enrolments": 1,
            "graded": int(row.result is not None),
            "certificates": int(row.certificate_number is not None),
        }
        facts.append((unit, row.opens_on, counts))
        for now in places.units_now(unit, row.opens_on):
            people[now].add(row.person_id)
    return facts, people


def _int(value: Fact) -> int:
    return value if isinstance(value, int) else 0
