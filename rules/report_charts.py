"""The charts of a report, each made from the lines of one of its tables and from nothing else.

A closed report keeps its tables, so its charts are those of the day it was closed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from rules.charts import (
    BarChart,
    Chart,
    Day,
    DayChart,
    HeatCell,
    HeatChart,
    Pair,
    PairChart,
    Voice,
    bar,
    bar_chart,
)
from rules.coverage import Figure, percent_text, ratio_text
from rules.day_charts import DaysSoFar, day_chart
from rules.refusals import N_
from rules.report_tables import NOTHING_HELD, Fact, Line, ReportTable

MOST_TOPICS = 12
SHORT_WEEKDAYS = (N_("T2"), N_("T3"), N_("T4"), N_("T5"), N_("T6"), N_("T7"), N_("CN"))


def charts_of(table: ReportTable, voice: Voice | None = None) -> tuple[Chart, ...]:
    """The charts that belong beside a table, in the voice's language; none for an empty one."""
    voice = voice or Voice()
    form, _, rest = table.key.partition(":")
    makers: dict[str, Callable[[ReportTable, Voice], tuple[Chart, ...]]] = {
        "study": _study,
        "households": _households,
        "study_days": _days,
        "household_days": _days,
        "outreach": _outreach if rest else _nothing,
        "attendance": _attendance,
    }
    return makers.get(form, _nothing)(table, voice) if table.lines else ()


def _nothing(_table: ReportTable, _voice: Voice) -> tuple[Chart, ...]:
    return ()


Row = tuple[str, Figure, tuple[int, ...], str]
"""A line of a bar chart: its name, figure, the counts its bar is made of, and what must be said."""


def members_by_unit(voice: Voice, key: str, rows: Iterable[Row], whole: Figure) -> BarChart:
    """Units' members against their targets; a row's counts are the main round and the make-up."""
    title = voice.say(N_("Đảng viên theo đơn vị so với chỉ tiêu"))
    return _members(voice, key, title, rows, noun=N_("đơn vị"), whole=whole)


def households_by_group(voice: Voice, key: str, rows: Iterable[Row], whole: Figure) -> BarChart:
    """Groups' households against their targets; a row's one count is the covered."""
    title = voice.say(N_("Hộ theo khối phố so với chỉ tiêu"))
    return _of_households(voice, key, title, rows, noun=N_("khối phố, thôn"), whole=whole)


def _members(
    voice: Voice, key: str, title: str, rows: Iterable[Row], *, noun: str, whole: Figure | None
) -> BarChart:
    parts = (voice.say(N_("Đợt chính")), voice.say(N_("Học bù")))
    unit = voice.say(N_("%% diện phải học"))
    bars = [bar(voice, *row) for row in rows]
    return bar_chart(voice, key, title, unit, parts, bars, noun=noun, whole=whole)


def _of_households(
    voice: Voice, key: str, title: str, rows: Iterable[Row], *, noun: str, whole: Figure | None
) -> BarChart:
    unit, parts = voice.say(N_("%% tổng số hộ")), (voice.say(N_("Đã dự")),)
    bars = [bar(voice, *row) for row in rows]
    return bar_chart(voice, key, title, unit, parts, bars, noun=noun, whole=whole)


def _study(table: ReportTable, voice: Voice) -> tuple[Chart, ...]:
    parts = ("covered_main", "covered_makeup")
    rows = [_row(voice, line, "eligible", parts) for line in table.lines]
    if ":" in table.key:
        whole = _whole(table, "covered", "eligible")
        return (members_by_unit(voice, table.key, rows, whole),)
    title = voice.say(N_("Đảng viên theo đợt so với chỉ tiêu"))
    return (_members(voice, table.key, title, rows, noun=N_("đợt"), whole=None),)


def _households(table: ReportTable, voice: Voice) -> tuple[Chart, ...]:
    rows = [_row(voice, line, "total", ("covered",)) for line in table.lines]
    if ":" in table.key:
        return (households_by_group(voice, table.key, rows, _whole(table, "covered", "total")),)
    title = voice.say(N_("Hộ theo đợt so với chỉ tiêu"))
    return (_of_households(voice, table.key, title, rows, noun=N_("đợt"), whole=None),)


def _row(voice: Voice, line: Line, eligible: str, parts: Sequence[str]) -> Row:
    figure = Figure(_int(line, "covered"), _int(line, eligible), line.target_percent)
    remark = voice.say(NOTHING_HELD) if line.is_empty else ""
    return line.name, figure, tuple(_int(line, part) for part in parts), remark


def _whole(table: ReportTable, n: str, d: str) -> Figure:
    return Figure(_int(table.total, n), _int(table.total, d), table.target_percent)


def member_course(voice: Voice, key: str, known: DaysSoFar) -> DayChart:
    """A campaign's members day by day, main round and make-up apart."""
    title = voice.say(N_("Tiến độ đảng viên theo ngày"))
    return day_chart(voice, key, title, N_("người"), known, by_rounds=True)


def household_course(voice: Voice, key: str, known: DaysSoFar) -> DayChart:
    """A campaign's households day by day."""
    title = voice.say(N_("Tiến độ hộ gia đình theo ngày"))
    return day_chart(voice, key, title, N_("hộ"), known, by_rounds=False)


def _days(table: ReportTable, voice: Voice) -> tuple[Chart, ...]:
    of_members = table.key.startswith("study_days")
    main = "main_so_far" if of_members else "so_far"
    days = tuple(
        Day(date.fromisoformat(line.key), _int(line, main), _int(line, "so_far"))
        for line in table.lines
    )
    opens_on, deadline_on, as_of = (
        _date(table.marks[name]) for name in ("opens_on", "deadline_on", "as_of")
    )
    known = DaysSoFar(days, _whole(table, "so_far", "eligible"), opens_on, deadline_on, as_of)
    draw = member_course if of_members else household_course
    return (draw(voice, table.key, known),)


def _outreach(table: ReportTable, voice: Voice) -> tuple[Chart, ...]:
    is_time = table.key.endswith(":months")
    lines = table.lines if is_time else _with_others(table.lines, voice)
    titles = (
        (N_("Buổi tuyên truyền theo tháng"), N_("Lượt người nghe theo tháng"))
        if is_time
        else (N_("Buổi tuyên truyền theo nội dung"), N_("Lượt người nghe theo nội dung"))
    )
    return tuple(
        _pairs(table, lines, voice, measure, voice.say(title), voice.say(unit), is_time=is_time)
        for measure, title, unit in zip(
            ("meetings", "visits"), titles, (N_("buổi"), N_("lượt")), strict=True
        )
    )


def _with_others(lines: Sequence[Line], voice: Voice) -> tuple[Line, ...]:
    """The first topics, and the rest together, so that the chart still adds up to its table."""
    if len(lines) <= MOST_TOPICS:
        return tuple(lines)
    shown, rest = lines[: MOST_TOPICS - 1], lines[MOST_TOPICS - 1 :]
    facts: dict[str, Fact] = {
        name: sum(_int(line, name) for line in rest)
        for name in ("meetings", "visits", "meetings_before", "visits_before")
    }
    name = voice.say(N_("%(n)s nội dung khác"), n=voice.number(len(rest)))
    return (*shown, Line("others", name, facts))


def _pairs(
    table: ReportTable,
    lines: Sequence[Line],
    voice: Voice,
    measure: str,
    title: str,
    unit: str,
    *,
    is_time: bool,
) -> PairChart:
    def text(line: Line, name: str) -> str:
        return voice.number(_int(line, name))

    def told(line: Line, name: str) -> str:
        return f"{text(line, name)} {unit}"

    pairs = tuple(
        Pair(
            line.name,
            _int(line, measure),
            _int(line, f"{measure}_before"),
            text(line, measure),
            text(line, f"{measure}_before"),
        )
        for line in lines
    )
    return PairChart(
        key=f"{table.key}:{measure}",
        title=title,
        unit=unit,
        now=voice.say(N_("Kỳ này")),
        before=voice.say(N_("Cùng kỳ trước")),
        pairs=pairs,
        is_time=is_time,
        message=_told_of_pairs(
            voice, pairs, told(table.total, measure), told(table.total, f"{measure}_before"), unit
        ),
    )


def _told_of_pairs(voice: Voice, pairs: Sequence[Pair], now: str, before: str, unit: str) -> str:
    most = max(pairs, key=lambda pair: pair.now)
    return voice.sentences(
        voice.say(N_("Cộng %(now)s, cùng kỳ trước %(before)s."), now=now, before=before),
        voice.say(N_("Nhiều nhất: %(name)s, %(now)s."), name=most.name, now=f"{most.text} {unit}")
        if most.now
        else voice.say(N_("Chưa tổ chức buổi nào.")),
    )


def _attendance(table: ReportTable, voice: Voice) -> tuple[Chart, ...]:
    hours = sorted({_int(line, "at") for line in table.lines})
    cells = {
        (hours.index(_int(line, "at")), _int(line, "weekday")): _cell(line, voice)
        for line in table.lines
    }
    counted = [
        (Fraction(_int(line, "present"), _int(line, "invited")), place, line)
        for place, line in enumerate(table.lines)
        if _int(line, "invited")
    ]
    if not counted:
        return ()
    most, least = max(counted), min(counted)
    message = voice.sentences(
        voice.say(N_("Chung: %(share)s."), share=voice.share(_whole(table, "present", "invited"))),
        voice.say(N_("Đông nhất: %(slot)s."), slot=_slot(most[2], voice)),
        voice.say(N_("Vắng nhất: %(slot)s."), slot=_slot(least[2], voice))
        if len(counted) > 1
        else "",
    )
    legend = tuple(
        voice.say(words) for words in (N_("dưới 70%%"), N_("từ 70%%"), N_("từ 85%%"), N_("từ 95%%"))
    )
    chart = HeatChart(
        key=table.key,
        title=voice.say(N_("Tỉ lệ dự học theo thứ và giờ bắt đầu")),
        columns=tuple(voice.say(day) for day in SHORT_WEEKDAYS),
        rows=tuple(f"{hour}h" for hour in hours),
        cells=cells,
        legend=legend,
        corner=voice.say(N_("Giờ")),
        message=message,
    )
    return (chart,)


def _cell(line: Line, voice: Voice) -> HeatCell:
    figure = Figure(_int(line, "present"), _int(line, "invited"), line.target_percent)
    return HeatCell(
        figure,
        percent_text(figure, voice.language) if figure.percent else "–",
        ratio_text(figure, voice.language),
        voice.say(N_("%(n)s buổi"), n=voice.number(_int(line, "meetings"))),
    )


def _slot(line: Line, voice: Voice) -> str:
    figure = Figure(_int(line, "present"), _int(line, "invited"), line.target_percent)
    return f"{voice.word(line.name)} {_int(line, 'at')}h, {voice.share(figure)}"


def _int(line: Line, name: str) -> int:
    value = line.facts.get(name)
    return value if isinstance(value, int) else 0


def _date(value: Fact) -> date:
    if not isinstance(value, date):
        raise TypeError("a day chart's table keeps its days as dates")
    return value


def lowest_first(chart: BarChart, limit: int | None) -> BarChart:
    """The lines that are furthest from everybody, those with nobody to count left out."""
    counted = [one for one in chart.bars if one.figure.eligible]
    counted.sort(
        key=lambda one: (Fraction(one.figure.covered, one.figure.eligible), -one.figure.short)
    )
    return replace(chart, bars=tuple(counted[:limit]))
