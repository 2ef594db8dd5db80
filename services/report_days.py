"""Tables of a campaign's days in a report: how many were covered by the end of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from rules.charts import Day
from rules.coverage import Figure, sum_households, sum_members
from rules.refusals import N_
from rules.report_tables import DAYS_TITLE, HOUSEHOLD_DAYS, STUDY_DAYS, Fact, Line, ReportTable
from services.covered_days import household_days, member_days
from services.report_places import Asked
from services.report_study import Study

NOTE = N_("Chỉ ghi ngày mở đợt và những ngày có thêm người hoặc hộ được tính.")


@dataclass(frozen=True)
class _Days:
    """The days of one population of one campaign, beside the figure they lead to."""

    study: Study
    figure: Figure
    days: Sequence[Day]


def study_days_table(session: Session, asked: Asked, study: Study) -> ReportTable:
    """Members covered day by day; the last line's sum is the total of the campaign's table.

    Whole campaigns have the same days in both views of units.
    """
    figures = study.figures
    whole = sum_members((line.members for line in study.units), figures.members.target_percent)
    days = member_days(
        session,
        study.campaign,
        by=asked.by,
        today=asked.today,
        as_of=figures.as_of,
    )
    found = _Days(study, whole.figure, _from_the_opening(study, days))
    lines = []
    before = Day(figures.opens_on, 0, 0)
    for day in found.days:
        main, both = day.main - before.main, day.covered - before.covered
        facts = {"main": main, "makeup": both - main, "main_so_far": day.main}
        lines.append(_line(found, day, facts))
        before = day
    totals = {"main_so_far": before.main, "so_far": before.covered, "eligible": whole.eligible}
    return ReportTable(
        key=f"study_days:{figures.code}",
        number="1",
        title=DAYS_TITLE,
        subject=figures.title,
        columns=STUDY_DAYS,
        lines=tuple(lines),
        totals=totals,
        target_percent=whole.target_percent,
        note=NOTE,
        marks=_marks(found),
    )


def household_days_table(session: Session, asked: Asked, study: Study) -> ReportTable:
    """Households covered day by day."""
    figures = study.figures
    target = figures.households.target_percent
    whole = sum_households((line.households for line in study.groups), target)
    days = household_days(
        session,
        study.campaign,
        {group.unit_id for group in figures.groups},
        by=asked.by,
        today=asked.today,
        as_of=figures.as_of,
    )
    found = _Days(study, whole.figure, _from_the_opening(study, days))
    lines, before = [], 0
    for day in found.days:
        lines.append(_line(found, day, {"covered": day.covered - before}))
        before = day.covered
    return ReportTable(
        key=f"household_days:{figures.code}",
        number="2",
        title=DAYS_TITLE,
        subject=figures.title,
        columns=HOUSEHOLD_DAYS,
        lines=tuple(lines),
        totals={"so_far": before, "eligible": whole.total},
        target_percent=target,
        note=NOTE,
        marks=_marks(found),
    )


def _from_the_opening(study: Study, days: Sequence[Day]) -> list[Day]:
    """The days with the opening at their head, unless the campaign has not opened by then."""
    opens_on = study.figures.opens_on
    if opens_on > study.figures.as_of or any(day.on <= opens_on for day in days):
        return list(days)
    return [Day(opens_on, 0, 0), *days]


def _line(found: _Days, day: Day, facts: dict[str, int]) -> Line:
    whole: dict[str, Fact] = {
        **facts,
        "so_far": day.covered,
        "eligible": found.figure.eligible,
    }
    name = f"{day.on:%d/%m/%Y}"
    return Line(day.on.isoformat(), name, whole, found.figure.target_percent)


def _marks(found: _Days) -> dict[str, date]:
    figures = found.study.figures
    return {
        "opens_on": figures.opens_on,
        "deadline_on": figures.deadline_on,
        "as_of": figures.as_of,
    }
