"""A campaign's days as a chart: how far it has come, and the pace that still reaches the target."""

from dataclasses import dataclass
from datetime import date

from rules.charts import Day, DayChart, DayWords, Voice
from rules.coverage import Figure, pace_needed
from rules.refusals import N_


@dataclass(frozen=True)
class DaysSoFar:
    """A campaign's days as far as they are known, its figure, and the days that bound it."""

    days: tuple[Day, ...]
    figure: Figure
    opens_on: date
    deadline_on: date
    as_of: date

    @property
    def left(self) -> int:
        """Days until the deadline; negative after it."""
        return (self.deadline_on - self.as_of).days

    @property
    def pace(self) -> int | None:
        """How many a day are needed; None before the opening, after the deadline, or when met."""
        return pace_needed(self.figure, self.left) if self.as_of >= self.opens_on else None

    @property
    def main(self) -> int:
        """How many the main round covered."""
        return self.days[-1].main if self.days else 0


def day_chart(
    voice: Voice, key: str, title: str, unit: str, known: DaysSoFar, *, by_rounds: bool
) -> DayChart:
    """A campaign's days with the pace that is needed; `by_rounds` tells the main round apart."""
    return DayChart(
        key=key,
        title=title,
        unit=voice.say(unit),
        days=known.days,
        figure=known.figure,
        opens_on=known.opens_on,
        deadline_on=known.deadline_on,
        as_of=known.as_of,
        pace=known.pace,
        words=_words(voice, unit, known, by_rounds=by_rounds),
        message=_told(voice, unit, known, by_rounds=by_rounds),
    )


def _words(voice: Voice, unit: str, known: DaysSoFar, *, by_rounds: bool) -> DayWords:
    figure, pace = known.figure, known.pace

    def number(sentence: str, count: int, **others: str) -> str:
        return voice.say(sentence, n=voice.number(count), **others)

    makeup = figure.covered - known.main
    return DayWords(
        covered=voice.say(N_("Luỹ kế: %(share)s"), share=voice.share(figure)),
        main=number(N_("Đợt chính: %(n)s"), known.main) if by_rounds else "",
        makeup=number(N_("Học bù: %(n)s"), makeup) if by_rounds else "",
        target=number(
            N_("Chỉ tiêu %(percent)s%%: %(n)s"), figure.need, percent=str(figure.target_percent)
        ),
        pace=number(N_("Cần %(n)s %(unit)s mỗi ngày"), pace, unit=voice.say(unit)) if pace else "",
        as_of=voice.say(N_("đến %(day)s"), day=f"{known.as_of:%d/%m}"),
        opens=voice.say(N_("mở %(day)s"), day=f"{known.opens_on:%d/%m/%Y}"),
        deadline=voice.say(N_("hạn %(day)s"), day=f"{known.deadline_on:%d/%m/%Y}"),
    )


def _told(voice: Voice, unit: str, known: DaysSoFar, *, by_rounds: bool) -> str:
    figure = known.figure
    if figure.met is None:
        return voice.say(N_("Chưa có đối tượng nào trong đợt."))
    by_now = voice.say(
        N_("Đến %(day)s: %(share)s; chỉ tiêu %(percent)s%% là %(need)s."),
        day=f"{known.as_of:%d/%m/%Y}",
        share=voice.share(figure),
        percent=str(figure.target_percent),
        need=voice.number(figure.need),
    )
    rounds = voice.say(
        N_("Đợt chính %(main)s, học bù %(makeup)s."),
        main=voice.number(known.main),
        makeup=voice.number(figure.covered - known.main),
    )
    return voice.sentences(by_now, rounds if by_rounds else "", _outcome(voice, unit, known))


def _outcome(voice: Voice, unit: str, known: DaysSoFar) -> str:
    figure = known.figure
    if figure.over:
        return voice.say(N_("Số liệu sai: quá 100%%."))
    if figure.met:
        return voice.say(N_("Đã đạt chỉ tiêu."))
    if known.as_of < known.opens_on:
        return voice.say(N_("Đợt chưa mở."))
    short = {"short": voice.number(figure.short), "unit": voice.say(unit)}
    if known.left <= 0:
        return voice.say(N_("Đã hết hạn, còn thiếu %(short)s %(unit)s."), **short)
    return voice.say(
        N_("Còn thiếu %(short)s %(unit)s trong %(days)s ngày, cần %(pace)s %(unit)s mỗi ngày."),
        days=voice.number(known.left),
        pace=voice.number(known.pace or 0),
        **short,
    )
