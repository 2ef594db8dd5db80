"""Table 3 of a report: outreach meetings held, by unit, by topic and by month, beside those before."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Meeting, MeetingSpeaker, Speaker
from rules.days import local_day
from rules.refusals import N_
from rules.report_tables import OUTREACH, OUTREACH_TITLE, OUTREACH_TOPICS, Fact, Line, ReportTable
from rules.reports import same_period_before
from services.access import within_scope
from services.report_months import outreach_months_table
from services.report_places import Asked, Places
from services.report_sittings import held_in, single_units

LEVELS = ("central", "province", "ward", "grassroots")


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


def talks(session: Session, asked: Asked, places: Places) -> list[Talk]:
    """The outreach meetings of the period. One that is held by a board for a single unit counts
    for that unit, any other for whoever held it; the level is that of the first speaker."""
    invited = single_units(session, asked, "outreach")
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
