"""Tables 1 and 2 of a report: study by campaign and unit, and households by residential group."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from models import (
    ActionPlan,
    Campaign,
    Meeting,
    RegisterLine,
    RollEntry,
)
from rules.coverage import HouseholdFigure, MemberFigure, sum_households, sum_members
from rules.refusals import N_
from rules.report_tables import (
    HOUSEHOLDS,
    HOUSEHOLDS_ALL,
    HOUSEHOLDS_TITLE,
    STUDY,
    STUDY_ALL,
    STUDY_TITLE,
    Fact,
    Line,
    ReportTable,
)
from services.campaigns import campaign_for, campaign_list, roll_within_scope
from services.coverage import CampaignFigures, figures_of
from services.report_places import RESTATED, Asked, PlacedUnit, Places
from services.report_roll import PLACING, RollPlaces
from services.report_sittings import Sittings, meetings_of
from services.units import parents_on, unit_names_on

OFFICIALS = "chu chot"
CAME_EXEMPT = N_("người miễn vẫn dự")


@dataclass(frozen=True)
class StudyLine:
    """A unit's figure in one campaign, in the view asked for."""

    unit: PlacedUnit
    members: MemberFigure
    is_estimate: bool
    came_exempt: int = 0


@dataclass(frozen=True)
class GroupLine:
    """A residential group's figure in one campaign."""

    unit: PlacedUnit
    households: HouseholdFigure
    is_estimate: bool


@dataclass(frozen=True)
class Study:
    """One campaign in a report: what `services.coverage` tells of it, by the units of the view."""

    campaign: Campaign
    figures: CampaignFigures
    roll: RollPlaces
    units: tuple[StudyLine, ...]
    groups: tuple[GroupLine, ...]


def studies(session: Session, asked: Asked, places: Places) -> list[Study]:
    """Every campaign whose window touches the period, as of its last day, oldest first."""
    period = asked.period
    chosen = [
        line
        for line in campaign_list(today=asked.today, by=asked.by, states=("open", "closed"))
        if line.opens_on <= period.last_on and line.deadline_on >= period.first_on
    ]
    found = []
    for line in sorted(chosen, key=lambda line: (line.opens_on, line.code)):
        # Figures are those of the period's last day, whenever it began.
        key = ("study", line.code, period.last_on)
        found.append(places.once(key, partial(_read_study, session, line.code, asked, places)))
    return found


def _read_study(session: Session, code: str, asked: Asked, places: Places) -> Study:
    campaign = campaign_for(session, asked.by, code, asked.today)
    as_of = asked.period.last_on if asked.period.last_on < asked.today else None
    figures = figures_of(session, campaign, by=asked.by, today=asked.today, as_of=as_of)
    return _study(session, campaign, figures, asked, places)


def study_tables(
    session: Session, asked: Asked, places: Places, found: Iterable[Study]
) -> list[ReportTable]:
    """Table 1: all campaigns, then one table for each with a line for every unit."""
    found = list(found)
    return [
        _study_all(found),
        *_once_for_each(places, found, partial(_study_table, session, asked, places)),
    ]


def household_tables(
    session: Session, asked: Asked, places: Places, found: Iterable[Study]
) -> list[ReportTable]:
    """Table 2: all campaigns that count households, then each by residential group."""
    counting = [one for one in found if one.figures.counts_households]
    return [
        _households_all(counting),
        *_once_for_each(places, counting, partial(_household_table, session, asked, places)),
    ]


def _once_for_each(
    places: Places, found: Iterable[Study], table: "partial[ReportTable]"
) -> list[ReportTable]:
    """Each campaign's table; one of the same last day is the same table, and made once."""
    return [
        places.once((table.func.__name__, one.figures.code, one.figures.as_of), partial(table, one))
        for one in found
    ]


def _study(
    session: Session,
    campaign: Campaign,
    figures: CampaignFigures,
    asked: Asked,
    places: Places,
) -> Study:
    roll = RollPlaces(session, campaign, figures, asked)
    if asked.view == RESTATED:
        units, groups = _restated(session, roll, asked, places)
        return Study(campaign, figures, roll, units, groups)
    known = {
        unit.id: unit
        for unit in places.units(
            {one.unit_id for one in figures.units} | {one.unit_id for one in figures.groups}
        )
    }

    def named(unit_id: int, name: str) -> PlacedUnit:
        return PlacedUnit(unit_id, known[unit_id].code, name, known[unit_id].order)

    areas = _areas(session, [one.unit_id for one in figures.groups], campaign.cutoff_on)
    return Study(
        campaign,
        figures,
        roll,
        tuple(
            StudyLine(named(one.unit_id, one.name), one.members, False, one.exempt_who_came)
            for one in figures.units
        ),
        tuple(
            GroupLine(
                named(one.unit_id, _with_area(one.name, areas.get(one.unit_id))),
                one.households,
                False,
            )
            for one in figures.groups
        ),
    )


def _restated(
    session: Session, roll: RollPlaces, asked: Asked, places: Places
) -> tuple[tuple[StudyLine, ...], tuple[GroupLine, ...]]:
    """The same people by the units of today: each line of the roll stands in exactly one."""
    counted = roll.restated()
    areas = _areas(session, counted.households, asked.today)
    units, groups = [], []
    for unit in places.units({*counted.members, *counted.households}):
        guessed = unit.id in counted.estimated
        if figure := counted.members.get(unit.id):
            units.append(StudyLine(unit, figure, guessed, counted.came_exempt[unit.id]))
        if tally := counted.households.get(unit.id):
            named = replace(unit, name=_with_area(unit.name, areas.get(unit.id)))
            groups.append(GroupLine(named, tally, guessed))
    return tuple(units), tuple(groups)


def member_facts(figure: MemberFigure) -> dict[str, Fact]:
    """The facts of a members' figure, by column."""
    names = ("total", "exempt", "eligible", "covered_main", "covered_makeup", "covered")
    return {name: getattr(figure, name) for name in names}


def _study_all(found: list[Study]) -> ReportTable:
    whole = [sum_members((line.members for line in one.units), _target(one)) for one in found]
    return ReportTable(
        key="study",
        number="1",
        title=STUDY_TITLE,
        subject=N_("các đợt trong kỳ"),
        columns=STUDY_ALL,
        lines=tuple(
            Line(one.figures.code, one.figures.title, member_facts(figure), figure.target_percent)
            for one, figure in zip(found, whole, strict=True)
        ),
        note=N_(
            "Diện phải học = tổng số − miễn. Tỉ lệ cắt một chữ số thập phân, không làm tròn lên."
        ),
    )


def _target(study: Study) -> int:
    return study.figures.members.target_percent


def _study_table(session: Session, asked: Asked, places: Places, study: Study) -> ReportTable:
    sittings = Sittings(session, study.campaign, asked, places, "party")
    absent = _absent(session, study, asked)
    plans = _plans(session, study.campaign, asked, places)
    lines = []
    for one in study.units:
        unit = one.unit.id
        facts: dict[str, Fact] = {
            **member_facts(one.members),
            **sittings.of(unit),
            "excused": absent[unit]["excused"],
            "unexcused": absent[unit]["unexcused"],
            "plan": plans.get(unit),
            "note": f"{one.came_exempt} {CAME_EXEMPT}" if one.came_exempt else None,
        }
        nothing = not (one.members.covered or sittings.of(unit)["in_person"])
        empty = nothing and not sittings.of(unit)["points"]
        target = one.members.target_percent
        lines.append(Line(one.unit.code, one.unit.name, facts, target, empty, one.is_estimate))
    return ReportTable(
        key=f"study:{study.figures.code}",
        number="1",
        title=STUDY_TITLE,
        subject=study.figures.title,
        columns=STUDY,
        lines=tuple(lines),
        totals=sittings.totals,
        target_percent=study.figures.members.target_percent,
        note=N_("Hội nghị chung của nhiều đơn vị ghi ở từng đơn vị, ở dòng cộng chỉ tính một lần."),
    )


def _households_all(found: list[Study]) -> ReportTable:
    lines = []
    for one in found:
        target = one.figures.households.target_percent
        figure = sum_households((line.households for line in one.groups), target)
        facts: dict[str, Fact] = {"total": figure.total, "covered": figure.covered}
        lines.append(Line(one.figures.code, one.figures.title, facts, target))
    return ReportTable(
        key="households",
        number="2",
        title=HOUSEHOLDS_TITLE,
        subject=N_("các đợt trong kỳ"),
        columns=HOUSEHOLDS_ALL,
        lines=tuple(lines),
        note=N_("Một hộ chỉ tính một lần trong một đợt, dù dự nhiều buổi."),
    )


def _household_table(session: Session, asked: Asked, places: Places, study: Study) -> ReportTable:
    sittings = Sittings(session, study.campaign, asked, places, "residential")
    lines = []
    for one in study.groups:
        held = sittings.of(one.unit.id)
        facts: dict[str, Fact] = {
            "total": one.households.total,
            "covered": one.households.covered,
            "meetings": held["meetings"],
            "visits": held["visits"],
        }
        empty = not (held["meetings"] or one.households.covered)
        target = one.households.target_percent
        lines.append(Line(one.unit.code, one.unit.name, facts, target, empty, one.is_estimate))
    return ReportTable(
        key=f"households:{study.figures.code}",
        number="2",
        title=HOUSEHOLDS_TITLE,
        subject=study.figures.title,
        columns=HOUSEHOLDS,
        lines=tuple(lines),
        totals=sittings.totals,
        target_percent=study.figures.households.target_percent,
        note=N_("Lượt người nghe cộng theo buổi; số hộ là số hộ khác nhau."),
    )


def _absent(session: Session, study: Study, asked: Asked) -> defaultdict[int, Counter[str]]:
    """Who must study and has not, by what their registers say: excused once is excused."""
    as_of = study.figures.as_of
    rows = session.execute(
        select(*PLACING, func.max(case((RegisterLine.status == "excused", 1), else_=0)).label("ok"))
        .select_from(RollEntry)
        .join(RegisterLine, RegisterLine.person_id == RollEntry.person_id)
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(
            RollEntry.campaign_id == study.campaign.id,
            RollEntry.population == "members",
            or_(RollEntry.covered_on.is_(None), RollEntry.covered_on > as_of),
            roll_within_scope(asked.by, study.campaign.cutoff_on, asked.today),
            RegisterLine.status.in_(("excused", "unexcused")),
            *meetings_of(study.campaign.id, asked),
        )
        .group_by(*PLACING)
    )
    absent: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        where = study.roll.placement(row)
        if where.state == "eligible" and where.at is not None:
            absent[where.at]["excused" if row.ok else "unexcused"] += 1
    return absent


def _plans(session: Session, campaign: Campaign, asked: Asked, places: Places) -> dict[int, str]:
    """Number and date of each unit's plan, issued by the end of the period."""
    rows = session.execute(
        select(ActionPlan.unit_id, ActionPlan.issued_number, ActionPlan.issued_on).where(
            ActionPlan.campaign_id == campaign.id, ActionPlan.issued_on <= asked.period.last_on
        )
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for unit_id, number, issued_on in rows:
        if issued_on is None:
            continue
        for unit in places.units_now(unit_id, issued_on):
            found[unit].append(f"{number}, {issued_on:%d/%m/%Y}")
    return {unit: "; ".join(texts) for unit, texts in found.items()}


def _areas(session: Session, group_ids: Iterable[int], on: date) -> dict[int, str]:
    """The ward or commune each group lies in: groups of different wards bear the same names."""
    parents = parents_on(session, on)
    above = {unit: parents[unit] for unit in group_ids if unit in parents}
    names = unit_names_on(session, above.values(), on)
    return {unit: names[parent] for unit, parent in above.items()}


def _with_area(name: str, area: str | None) -> str:
    return f"{name} · {area}" if area else name
