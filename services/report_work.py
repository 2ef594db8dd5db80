"""Tables 3 to 6 of a report: outreach, classes, themed cell meetings, and plans to carry out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Campaign,
    ClassPlan,
    Course,
    CourseType,
    Enrolment,
    Invitation,
    LeaderVisit,
    Meeting,
    MeetingSpeaker,
    MeetingUnit,
    Speaker,
    Unit,
    UnitKind,
)
from rules.days import instant, local_day
from rules.refusals import N_
from rules.report_tables import (
    CLASSES,
    CLASSES_TITLE,
    OUTREACH,
    OUTREACH_TITLE,
    OUTREACH_TOPICS,
    PLANS,
    PLANS_TITLE,
    SENDERS,
    THEMES,
    THEMES_TITLE,
    Fact,
    Line,
    ReportTable,
)
from rules.reports import Period, same_period_before
from services.access import within_scope
from services.report_months import outreach_months_table
from services.report_places import Asked, Places
from services.units import on_day

LEVELS = ("central", "province", "ward", "grassroots")
RESULTS = ("excellent", "good", "fair", "passed", "failed")
TOPICS_SHOWN = 3
OUTSIDE = "-"
"""The key of the line of those whom no unit sent."""


@dataclass(frozen=True)
class Talk:
    """One outreach meeting held: the reporting unit it was for, its listeners, who spoke."""

    meeting_id: int
    unit_id: int
    starts_at: datetime
    visits: int
    topic: str
    level: str

    @property
    def on(self) -> date:
        """The local day."""
        return local_day(self.starts_at)


def held_in(period: Period) -> list[ColumnElement[bool]]:
    """The conditions on meetings held in a period, both days included, by local date."""
    return [
        Meeting.state == "held",
        Meeting.starts_at >= instant(period.first_on, time.min),
        Meeting.starts_at < instant(period.last_on + timedelta(days=1), time.min),
    ]


def talks(session: Session, asked: Asked, places: Places) -> list[Talk]:
    """The outreach meetings of the period. One that is held by a board for a single unit counts
    for that unit, any other for whoever held it; the level is that of the first speaker."""
    invited = _single_units(session, asked, "outreach")
    first = (
        select(Speaker.level)
        .join(MeetingSpeaker, MeetingSpeaker.speaker_id == Speaker.id)
        .where(MeetingSpeaker.meeting_id == Meeting.id)
        .order_by(MeetingSpeaker.position, Speaker.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.organiser_id,
            Meeting.starts_at,
            Meeting.visits_count,
            Meeting.topic,
            first.label("level"),
        ).where(
            *held_in(asked.period),
            Meeting.kind == "outreach",
            within_scope(asked.by, Meeting.organiser_id, asked.today),
        )
    )
    found = []
    for row in rows:
        day = local_day(row.starts_at)
        unit = places.reporting_unit(row.organiser_id, day)
        if unit not in places.reporting and row.id in invited:
            unit = places.reporting_unit(invited[row.id], day)
        level = row.level or ""
        found.append(Talk(row.id, unit, row.starts_at, row.visits_count, row.topic, level))
    return found


def outreach_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 3 by unit, by topic and by month, each beside the same days of before."""
    now = talks(session, asked, places)
    before = talks(session, replace(asked, period=same_period_before(asked.period)), places)
    by_month = outreach_months_table(
        session,
        asked,
        ((talk.on, talk.visits) for talk in now),
        ((talk.on, talk.visits) for talk in before),
    )
    return [_outreach_by_unit(places, now, before), _outreach_by_topic(now, before), by_month]


def _outreach_by_unit(places: Places, now: list[Talk], before: list[Talk]) -> ReportTable:
    def counted(found: Iterable[Talk], suffix: str = "") -> list[tuple[int, date, dict[str, int]]]:
        return [
            (
                talk.unit_id,
                talk.on,
                {f"meetings{suffix}": 1, f"visits{suffix}": talk.visits}
                | ({talk.level: 1} if talk.level and not suffix else {}),
            )
            for talk in found
        ]

    placed = places.placed([*counted(now), *counted(before, "_before")])
    lines = []
    for unit in places.units(places.reporting_lines() | set(placed.counts)):
        facts: dict[str, Fact] = dict.fromkeys(
            ("meetings", "visits", *LEVELS, "meetings_before", "visits_before"), 0
        )
        facts |= placed.counts.get(unit.id, {})
        empty, guessed = not facts["meetings"], unit.id in placed.estimated
        lines.append(Line(unit.code, unit.name, facts, is_empty=empty, is_estimate=guessed))
    return ReportTable(
        key="outreach",
        number="3",
        title=OUTREACH_TITLE,
        subject=N_("theo đơn vị"),
        columns=OUTREACH,
        lines=tuple(lines),
        note=N_("Lượt người nghe cộng theo buổi, không phải số người. BCV: báo cáo viên."),
    )


def _outreach_by_topic(now: list[Talk], before: list[Talk]) -> ReportTable:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for suffix, found in (("", now), ("_before", before)):
        for talk in found:
            counts[talk.topic].update({f"meetings{suffix}": 1, f"visits{suffix}": talk.visits})
    names = [column.key for column in OUTREACH_TOPICS]
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1]["meetings"], pair[0]))
    return ReportTable(
        key="outreach:topics",
        number="3",
        title=OUTREACH_TITLE,
        subject=N_("theo nội dung"),
        columns=OUTREACH_TOPICS,
        lines=tuple(
            Line(topic, topic, {name: its[name] for name in names}) for topic, its in ordered
        ),
    )


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


def theme_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 5: the cells' meetings of the period by quarter, with who came and which leaders."""
    facts, topics = _cell_meetings(session, asked)
    for unit_id, done_on in session.execute(
        select(LeaderVisit.unit_id, LeaderVisit.done_on).where(
            LeaderVisit.done_on.between(asked.period.first_on, asked.period.last_on),
            within_scope(asked.by, LeaderVisit.unit_id, asked.today),
        )
    ):
        if done_on is not None:
            facts.append((unit_id, done_on, {"leaders": 1}))
    placed = places.placed(facts)
    lines = []
    for unit in places.units(_cells(session, asked, places) | set(placed.counts)):
        its: dict[str, Fact] = {column.key: 0 for column in THEMES if column.kind == "count"}
        its |= placed.counts.get(unit.id, {})
        its["topics"] = "; ".join(list(topics.get(unit.id, {}))[:TOPICS_SHOWN]) or None
        empty = not any(its[name] for name in ("q1", "q2", "q3", "q4"))
        guessed = unit.id in placed.estimated
        lines.append(Line(unit.code, unit.name, its, is_empty=empty, is_estimate=guessed))
    return [
        ReportTable(
            key="themes",
            number="5",
            title=THEMES_TITLE,
            subject="",
            columns=THEMES,
            lines=tuple(lines),
            note=N_("Lượt dự và lượt diện dự cộng theo buổi."),
        )
    ]


def _cell_meetings(
    session: Session, asked: Asked
) -> tuple[list[tuple[int, date, Mapping[str, int]]], defaultdict[int, dict[str, None]]]:
    """The cells' meetings as facts, and their topics in order, each once."""
    invited = (
        select(func.count())
        .where(Invitation.meeting_id == Meeting.id, Invitation.removed_at.is_(None))
        .scalar_subquery()
    )
    single = _single_units(session, asked, "cell")
    rows = session.execute(
        select(
            Meeting.id,
            Meeting.organiser_id,
            Meeting.starts_at,
            Meeting.topic,
            Meeting.present_count,
            invited.label("invited"),
        )
        .where(
            *held_in(asked.period),
            Meeting.kind == "cell",
            Meeting.is_thematic,
            within_scope(asked.by, Meeting.organiser_id, asked.today),
        )
        .order_by(Meeting.starts_at, Meeting.id)
    )
    facts: list[tuple[int, date, Mapping[str, int]]] = []
    topics: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for row in rows:
        day = local_day(row.starts_at)
        unit = single.get(row.id, row.organiser_id)
        counts = {f"q{(day.month + 2) // 3}": 1, "present": row.present_count}
        facts.append((unit, day, counts | {"invited": row.invited}))
        topics[unit][row.topic] = None
    return facts, topics


def _cells(session: Session, asked: Asked, places: Places) -> frozenset[int]:
    """The cells of the report's day within scope."""
    found = session.scalars(
        select(Unit.id)
        .join(UnitKind, UnitKind.code == Unit.kind_code)
        .where(UnitKind.tree == "party", UnitKind.holds_people, on_day(Unit, asked.units_on))
    )
    return places.within_scope(frozenset(found))


def plan_tables(session: Session, asked: Asked, places: Places) -> list[ReportTable]:
    """Table 6: the plans due in the period, issued by its last day or not."""
    rows = session.execute(
        select(ActionPlan, Campaign.title)
        .join(Campaign, Campaign.id == ActionPlan.campaign_id)
        .where(
            ActionPlan.due_on.between(asked.period.first_on, asked.period.last_on),
            within_scope(asked.by, ActionPlan.unit_id, asked.today),
        )
        .order_by(ActionPlan.due_on, ActionPlan.id)
    ).all()
    by_unit: defaultdict[int, list[tuple[ActionPlan, str]]] = defaultdict(list)
    for plan, title in rows:
        # A duty is not shared out: the part that took over most of the unit answers for it.
        by_unit[_answering(places, plan.unit_id, plan.due_on)].append((plan, title))
    lines = [
        Line(f"{unit.code}:{plan.id}", unit.name, _plan_facts(plan, title, asked))
        for unit in places.units(set(by_unit))
        for plan, title in by_unit[unit.id]
    ]
    return [
        ReportTable(
            key="plans",
            number="6",
            title=PLANS_TITLE,
            subject="",
            columns=PLANS,
            lines=tuple(lines),
        )
    ]


def _answering(places: Places, unit_id: int, on: date) -> int:
    now = places.placed([(unit_id, on, {"plan": 1})]).counts
    return next(unit for unit, counts in now.items() if counts["plan"])


def _plan_facts(plan: ActionPlan, title: str, asked: Asked) -> dict[str, Fact]:
    issued = plan.issued_on is not None and plan.issued_on <= asked.period.last_on
    late = plan.due_on < min(asked.today, asked.period.last_on + timedelta(days=1))
    return {
        "campaign": title,
        "due_on": plan.due_on,
        "document": f"{plan.issued_number}, {plan.issued_on:%d/%m/%Y}" if issued else None,
        "state": N_("Đã ban hành") if issued else N_("Quá hạn") if late else N_("Chưa ban hành"),
        "due": 1,
        "issued": int(issued),
    }


def _single_units(session: Session, asked: Asked, kind: str) -> dict[int, int]:
    """The unit of each meeting of the period that invites exactly one."""
    rows: Sequence[tuple[int, int]] = [
        (row[0], row[1])
        for row in session.execute(
            select(MeetingUnit.meeting_id, func.min(MeetingUnit.unit_id))
            .join(Meeting, Meeting.id == MeetingUnit.meeting_id)
            .where(*held_in(asked.period), Meeting.kind == kind)
            .group_by(MeetingUnit.meeting_id)
            .having(func.count() == 1)
        )
    ]
    return dict(rows)


def _int(value: Fact) -> int:
    return value if isinstance(value, int) else 0
