"""Outreach month by month, each beside the same month of before."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date

from sqlalchemy.orm import Session

from rules.refusals import N_
from rules.report_tables import OUTREACH_MONTHS, OUTREACH_TITLE, Fact, Line, ReportTable
from rules.reports import counting_month, months_of, years_to_same_before
from services.report_places import Asked
from services.settings import setting_number

NOT_YET = N_("chưa đến")


def outreach_months_table(
    session: Session,
    asked: Asked,
    now: Iterable[tuple[date, int]],
    before: Iterable[tuple[date, int]],
) -> ReportTable:
    """Meetings and listeners as (day, visits), by the months that the board's cut-off day makes."""
    cutoff_day = setting_number(session, "report_cutoff_day")
    years = years_to_same_before(asked.period)
    counts: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for suffix, shift, found in (("", 0, now), ("_before", years, before)):
        for day, visits in found:
            month = counting_month(day, cutoff_day)
            at = month.replace(year=month.year + shift)
            counts[at].update({f"meetings{suffix}": 1, f"visits{suffix}": visits})
    names = [column.key for column in OUTREACH_MONTHS if column.kind == "count"]
    lines = []
    for month in months_of(asked.period, cutoff_day):
        its = counts[month]
        coming = month > counting_month(asked.today, cutoff_day)
        facts: dict[str, Fact] = {name: its[name] for name in names}
        facts["note"] = NOT_YET if coming else None
        is_empty = not (its["meetings"] or coming)
        lines.append(Line(f"{month:%Y-%m}", f"{month:%m/%Y}", facts, is_empty=is_empty))
    return ReportTable(
        key="outreach:months",
        number="3",
        title=OUTREACH_TITLE,
        subject=N_("theo tháng"),
        columns=OUTREACH_MONTHS,
        lines=tuple(lines),
    )
