"""Charts as data: bars against a target, days against a pace, pairs, and a grid of hours.

A chart holds the very figures of its table and every word that stands in it, so that the picture
on a page (SVG) and the one in a document (a chart of the word processor) tell the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from rules.coverage import Figure, number_text, percent_text, ratio_text
from rules.refusals import N_
from rules.report_tables import NOTHING_HELD

WHOLE = 1000
"""A hundred percent, in tenths of a percent."""
HEAT_LEVELS = ((950, 4), (850, 3), (700, 2), (0, 1))
"""From how many tenths of a percent a cell is how dark."""
MET, NOBODY = N_("đạt"), N_("chưa có đối tượng")
FAULT = N_("số liệu sai: quá 100%%")


def _untranslated(sentence: str) -> str:
    return sentence


@dataclass(frozen=True)
class Voice:
    """In which language a chart speaks; `word` translates a Vietnamese sentence."""

    language: str = "vi"
    word: Callable[[str], str] = _untranslated

    def say(self, sentence: str, **values: str) -> str:
        """A sentence with its places filled."""
        return self.word(sentence) % values

    def number(self, number: int) -> str:
        """4.947."""
        return number_text(number, self.language)

    def share(self, figure: Figure) -> str:
        """97,5% · 4.826/4.947: n/N never stands apart from its percentage."""
        if figure.percent is None:
            return self.say(NOBODY)
        return f"{percent_text(figure, self.language)} · {ratio_text(figure, self.language)}"

    def sentences(self, *parts: str) -> str:
        """Those that have something to say, one after another."""
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Bar:
    """One line: its figure, the counts of which its bar is made, and what is said beside it."""

    name: str
    figure: Figure
    counts: tuple[int, ...]
    text: str
    remark: str

    @property
    def edges(self) -> tuple[int, ...]:
        """Where each part ends, in tenths of a percent; the last is the figure's own percentage."""
        so_far, found = 0, []
        for count in self.counts:
            so_far += count
            found.append(Figure(so_far, self.figure.eligible, 0).tenths or 0)
        return tuple(found)

    @property
    def missing(self) -> int:
        """Tenths of a percent from the bar's end to its target; 0 when it is met."""
        if self.figure.tenths is None or self.figure.met:
            return 0
        return max(self.figure.target_percent * 10 - self.figure.tenths, 0)


@dataclass(frozen=True)
class BarChart:
    """Lines against their targets; `parts` names what a bar is made of, `unit` what 100% is."""

    key: str
    title: str
    unit: str
    parts: tuple[str, ...]
    bars: tuple[Bar, ...]
    words: "BarWords"
    message: str

    def in_parts(self, most: int) -> list["BarChart"]:
        """The same chart on as few pictures as may be, none with more lines than `most`."""
        count = max(1, -(-len(self.bars) // most))
        size = -(-len(self.bars) // count)
        return [
            replace(self, key=f"{self.key}/{start}", bars=self.bars[start : start + size])
            for start in range(0, len(self.bars), size or 1)
        ] or [self]

    @property
    def top(self) -> int:
        """Where the scale ends, in tenths of a percent: 100%, or the next ten beyond the most."""
        most = max((bar.figure.tenths or 0 for bar in self.bars), default=0)
        return max(WHOLE, -(-most // 100) * 100)


@dataclass(frozen=True)
class BarWords:
    """What the marks of a bar chart are called."""

    target: str
    missing: str
    fault: str


@dataclass(frozen=True)
class Day:
    """How many were covered by the end of a day, and of them in the main round alone."""

    on: date
    main: int
    covered: int


@dataclass(frozen=True)
class DayChart:
    """A campaign's days: covered so far, the target, and the pace that still reaches it.

    `pace` is how many a day from `as_of` to the deadline, None when none is needed or possible.
    """

    key: str
    title: str
    unit: str
    days: tuple[Day, ...]
    figure: Figure
    opens_on: date
    deadline_on: date
    as_of: date
    pace: int | None
    words: "DayWords"
    message: str

    @property
    def first_on(self) -> date:
        """Where the days begin: the opening, or the first who was counted before it."""
        return min([self.opens_on, *(day.on for day in self.days)])

    @property
    def last_on(self) -> date:
        """Where they end: the deadline, or the last one counted after it."""
        return max([self.deadline_on, *(day.on for day in self.days)])

    @property
    def until(self) -> date:
        """The last day of which something is known."""
        return max(min(self.as_of, self.last_on), self.first_on)

    def reached(self, on: date) -> Day:
        """What had been reached by the end of a day."""
        before = [day for day in self.days if day.on <= on]
        return before[-1] if before else Day(on, 0, 0)


@dataclass(frozen=True)
class DayWords:
    """What the lines of a day chart are called, each with its figure; "" leaves one out."""

    covered: str
    main: str
    makeup: str
    target: str
    pace: str
    as_of: str
    opens: str
    deadline: str


@dataclass(frozen=True)
class Pair:
    """One name with its number now and in the same days of before, and how both are written."""

    name: str
    now: int
    before: int
    text: str
    text_before: str

    def told(self, chart: "PairChart") -> str:
        """The pair as a sentence: 11/2026: 28 buổi; Cùng kỳ trước: 30 buổi."""
        return (
            f"{self.name}: {self.text} {chart.unit}; "
            f"{chart.before}: {self.text_before} {chart.unit}"
        )


@dataclass(frozen=True)
class PairChart:
    """Numbers beside those of before: along the months when `is_time`, else one name a line."""

    key: str
    title: str
    unit: str
    now: str
    before: str
    pairs: tuple[Pair, ...]
    is_time: bool
    message: str

    @property
    def top(self) -> int:
        """The largest number drawn; at least one."""
        return max((max(pair.now, pair.before) for pair in self.pairs), default=1) or 1

    @property
    def has_before(self) -> bool:
        """Whether anything at all was counted in the days of before."""
        return any(pair.before for pair in self.pairs)


@dataclass(frozen=True)
class HeatCell:
    """One weekday and hour: who came of those expected, and at how many meetings."""

    figure: Figure
    percent: str
    ratio: str
    meetings: str

    @property
    def level(self) -> int:
        """1 (few came) to 4 (nearly all); 0 where nobody was expected."""
        tenths = self.figure.tenths
        if tenths is None:
            return 0
        return next(level for least, level in HEAT_LEVELS if tenths >= least)


@dataclass(frozen=True)
class HeatChart:
    """Weekdays across, hours down; `cells` by (row, column), empty where nothing was held."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: dict[tuple[int, int], HeatCell]
    legend: tuple[str, ...]
    """What the levels 1 to 4 mean."""
    corner: str
    message: str


Chart = BarChart | DayChart | PairChart | HeatChart


def bar(voice: Voice, name: str, figure: Figure, counts: Sequence[int], remark: str = "") -> Bar:
    """A line's bar; unless something else has to be said, it says whether the target is met."""
    if figure.over:
        remark = voice.say(FAULT)
    elif not remark and figure.met is not None:
        short = voice.number(figure.short)
        remark = voice.say(MET) if figure.met else voice.say(N_("thiếu %(n)s"), n=short)
    return Bar(name, figure, tuple(counts), voice.share(figure), remark)


def bar_chart(
    voice: Voice,
    key: str,
    title: str,
    unit: str,
    parts: Sequence[str],
    bars: Iterable[Bar],
    *,
    noun: str,
    whole: Figure | None,
) -> BarChart:
    """Bars with what they add up to, said in sentences; `noun` is what a line is of, `whole` the
    figure of all together."""
    found = tuple(bars)
    words = BarWords(
        target=voice.say(N_("Vạch đứng: chỉ tiêu")),
        missing=voice.say(N_("Còn thiếu đến chỉ tiêu")),
        fault=voice.say(N_("Quá 100%%: số liệu sai")),
    )
    return BarChart(
        key, title, unit, tuple(parts), found, words, _told_of_bars(voice, found, noun, whole)
    )


def _told_of_bars(voice: Voice, bars: Sequence[Bar], noun: str, whole: Figure | None) -> str:
    counted = [one for one in bars if one.figure.met is not None]
    if not counted:
        return voice.say(N_("Chưa có đối tượng."))
    met, nothing = sum(bool(one.figure.met) for one in counted), voice.say(NOTHING_HELD)
    empty = sum(one.remark == nothing for one in counted)
    held = [one for one in counted if one.remark != nothing]
    faults = [one.name for one in counted if one.figure.over]
    told = [
        voice.say(
            N_("%(met)s/%(all)s %(noun)s đạt chỉ tiêu."),
            met=voice.number(met),
            all=voice.number(len(counted)),
            noun=voice.say(noun),
        )
    ]
    if whole:
        percent, share = str(whole.target_percent), voice.share(whole)
        told.append(voice.say(N_("Chung: %(share)s, chỉ tiêu %(n)s%%."), share=share, n=percent))
    if len(held) > 1:
        low = min(held, key=lambda one: Fraction(one.figure.covered, one.figure.eligible))
        told.append(voice.say(N_("Thấp nhất: %(name)s, %(share)s."), name=low.name, share=low.text))
    if empty:
        told.append(
            voice.say(
                N_("%(n)s %(noun)s chưa tổ chức."), n=voice.number(empty), noun=voice.say(noun)
            )
        )
    if faults:
        told.append(voice.say(N_("Số liệu sai, quá 100%%: %(names)s."), names=", ".join(faults)))
    return " ".join(told)
