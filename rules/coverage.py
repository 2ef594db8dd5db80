"""The figures of coverage: who counts, how many are needed, and how a percentage is shown."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rules.refusals import N_, Refusal

NOBODY = {"vi": N_("chưa có đối tượng"), "en": "nobody to count yet"}


@dataclass(frozen=True)
class Figure:
    """n of N against a target in whole percent; compared as integers, never as a rounded value."""

    covered: int
    eligible: int
    target_percent: int

    @property
    def need(self) -> int:
        """How many must be covered to meet the target: 4700 for 95% of 4947."""
        return -(-self.target_percent * self.eligible // 100)

    @property
    def short(self) -> int:
        """How many are still missing to the target; never negative."""
        return max(self.need - self.covered, 0)

    @property
    def tenths(self) -> int | None:
        """Tenths of a percent, cut and not rounded: 975 for 4826 of 4947; None for nobody."""
        return self.covered * 1000 // self.eligible if self.eligible else None

    @property
    def percent(self) -> str | None:
        """One decimal, cut and not rounded: "97.5"; None when there is nobody to count."""
        if self.tenths is None:
            return None
        return f"{self.tenths // 10}.{self.tenths % 10}"

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None for 0/0, which is neither met nor missed."""
        if self.eligible == 0:
            return None
        return self.covered * 100 >= self.target_percent * self.eligible

    @property
    def over(self) -> bool:
        """More covered than there are: a fault in the data, shown as such and never capped."""
        return self.covered > self.eligible


class _Measured(ABC):
    """What every figure tells, taken from the one `Figure` beneath it."""

    @property
    @abstractmethod
    def figure(self) -> Figure:
        """The covered over the eligible, against the target."""

    @property
    def need(self) -> int:
        return self.figure.need

    @property
    def short(self) -> int:
        return self.figure.short

    @property
    def percent(self) -> str | None:
        return self.figure.percent

    @property
    def met(self) -> bool | None:
        return self.figure.met

    @property
    def over(self) -> bool:
        return self.figure.over


@dataclass(frozen=True)
class MemberFigure(_Measured):
    """Members of a campaign: total − exempt = eligible; covered = main round + make-up."""

    total: int
    exempt: int
    eligible: int
    covered: int
    covered_main: int
    covered_makeup: int
    target_percent: int

    @property
    def figure(self) -> Figure:
        return Figure(self.covered, self.eligible, self.target_percent)

    @property
    def figure_main(self) -> Figure:
        """The main round alone, as the report's first column tells it."""
        return Figure(self.covered_main, self.eligible, self.target_percent)

    @property
    def figure_of_total(self) -> Figure:
        """The same people over everybody, the exempt included; shown beside, never instead."""
        return Figure(self.covered, self.total, self.target_percent)


@dataclass(frozen=True)
class HouseholdFigure(_Measured):
    """Households of a campaign: a household is covered once anybody came for it."""

    total: int
    covered: int
    target_percent: int

    @property
    def eligible(self) -> int:
        return self.total

    @property
    def figure(self) -> Figure:
        return Figure(self.covered, self.total, self.target_percent)


@dataclass(frozen=True)
class Attended:
    """One sitting a person attended, or one credit for study elsewhere.

    `source` is "meeting" or "credit"; a credit's `meeting_id` is the credit's own id.
    """

    meeting_id: int | str | None
    on: date
    topic_id: int | None = None
    is_makeup: bool = False
    source: str = "meeting"


@dataclass(frozen=True)
class CompletionRule:
    """What completes a campaign for a person: `kind` is "any", "all_topics" or "at_least"."""

    kind: str
    topic_ids: frozenset[int] = frozenset()
    at_least: int = 1


@dataclass(frozen=True)
class Completion:
    """The day a person became covered, and whether the main round and credits alone sufficed then.

    Who was covered by a make-up stays in its column, whatever they attend later: the figures of
    days gone by do not change.
    """

    covered_on: date
    in_main_round: bool


@dataclass(frozen=True)
class StudyState:
    """One line of the roll as counted: exempt or not, complete or not yet."""

    is_exempt: bool
    completion: Completion | None


@dataclass(frozen=True)
class Gap:
    """How far it is to the target and whether the seats planned before the deadline suffice."""

    missing: int
    seats_planned: int
    days_left: int
    can_close: bool

    @property
    def seats_short(self) -> int:
        return max(self.missing - self.seats_planned, 0)


@dataclass(frozen=True)
class RollState:
    """How a person stands on a campaign's roll: the unit that answers for them, exempt or not."""

    unit_id: int
    is_exempt: bool


@dataclass(frozen=True)
class RollCorrection:
    """A logged change of the frozen roll; None stands for "not on the roll".

    `sequence` orders the corrections as they were made, `made_on` is the day of the log entry.
    """

    sequence: int
    member_id: int
    made_on: date
    before: RollState | None
    after: RollState | None


def any_meeting() -> CompletionRule:
    return CompletionRule("any")


def all_topics(topic_ids: Iterable[int]) -> CompletionRule:
    return CompletionRule("all_topics", topic_ids=frozenset(topic_ids))


def at_least(meetings: int) -> CompletionRule:
    return CompletionRule("at_least", at_least=meetings)


def check_completion_rule(rule: CompletionRule) -> None:
    """Refuse a rule that nobody could complete, or everybody would without attending."""
    if rule.kind not in {"any", "all_topics", "at_least"}:
        raise Refusal(N_("Quy tắc hoàn thành “%(kind)s” không có. Hãy chọn lại."), kind=rule.kind)
    if rule.kind == "all_topics" and not rule.topic_ids:
        raise Refusal(
            N_("Đợt yêu cầu học đủ các chuyên đề nhưng chưa có chuyên đề nào. Hãy thêm chuyên đề.")
        )
    if rule.kind == "at_least" and rule.at_least < 1:
        raise Refusal(N_("Số buổi tối thiểu phải từ 1 trở lên. Hãy nhập lại."))


def completed_on(rule: CompletionRule, attended: Sequence[Attended]) -> Completion | None:
    """When a person completed the campaign, or None while they have not.

    The order of `attended` does not matter, and the same sitting twice counts once. A credit
    without a topic stands for the whole study under "all_topics" and for one sitting under
    "at_least"; a meeting without a topic stands for no topic.
    """
    covered_on = _first_day_complete(rule, attended)
    if covered_on is None:
        return None
    main_round = [sitting for sitting in attended if not sitting.is_makeup]
    return Completion(covered_on, _first_day_complete(rule, main_round) == covered_on)


def count_members(states: Iterable[StudyState], target_percent: int) -> MemberFigure:
    """The figure of a roll. The exempt leave the denominator, and the numerator with it."""
    total = exempt = main = makeup = 0
    for state in states:
        total += 1
        if state.is_exempt:
            exempt += 1
        elif state.completion is not None:
            main += state.completion.in_main_round
            makeup += not state.completion.in_main_round
    return MemberFigure(total, exempt, total - exempt, main + makeup, main, makeup, target_percent)


def declared_households(total: int, declared: int) -> int:
    """The cumulative tally a group's head declares; refused when it exceeds the households."""
    if declared < 0 or declared > total:
        raise Refusal(
            N_(
                "Luỹ kế số hộ đã khai (%(declared)d) phải từ 0 đến tổng số hộ (%(total)d). "
                "Hãy kiểm tra lại con số hoặc danh sách hộ."
            ),
            declared=declared,
            total=total,
        )
    return declared


def sum_figures(figures: Iterable[Figure], target_percent: int) -> Figure:
    """A roll-up is Σn/Σd, never a mean of percentages."""
    chosen = list(figures)
    return Figure(
        sum(figure.covered for figure in chosen),
        sum(figure.eligible for figure in chosen),
        target_percent,
    )


def sum_members(figures: Iterable[MemberFigure], target_percent: int) -> MemberFigure:
    """Σ of every column of members' figures, measured against the target of the whole."""
    chosen = list(figures)
    return MemberFigure(
        total=sum(figure.total for figure in chosen),
        exempt=sum(figure.exempt for figure in chosen),
        eligible=sum(figure.eligible for figure in chosen),
        covered=sum(figure.covered for figure in chosen),
        covered_main=sum(figure.covered_main for figure in chosen),
        covered_makeup=sum(figure.covered_makeup for figure in chosen),
        target_percent=target_percent,
    )


def sum_households(figures: Iterable[HouseholdFigure], target_percent: int) -> HouseholdFigure:
    """Σ of households' figures, measured against the target of the whole."""
    chosen = list(figures)
    return HouseholdFigure(
        total=sum(figure.total for figure in chosen),
        covered=sum(figure.covered for figure in chosen),
        target_percent=target_percent,
    )


def gap(figure: Figure | MemberFigure | HouseholdFigure, seats_planned: int, days_left: int) -> Gap:
    """What is missing to the target against the seats of the meetings still to come.

    `days_left` counts the deadline's own day as 0; after it no seat helps any more.
    """
    can_close = figure.short == 0 or (days_left >= 0 and seats_planned >= figure.short)
    return Gap(figure.short, seats_planned, days_left, can_close)


def pace_needed(figure: Figure | MemberFigure | HouseholdFigure, days_left: int) -> int | None:
    """How many a day reach the target by the deadline; None when it is met or no day is left.

    `days_left` as in `gap`: tomorrow is the first day that can help, the deadline's own the last.
    """
    if figure.short == 0 or days_left <= 0:
        return None
    return -(-figure.short // days_left)


def roll_as_of(
    current: Mapping[int, RollState], corrections: Iterable[RollCorrection], as_of: date
) -> dict[int, RollState]:
    """The roll as it stood at the end of a day: later corrections are taken back, newest first."""
    roll = dict(current)
    later = [correction for correction in corrections if correction.made_on > as_of]
    for correction in sorted(later, key=lambda found: found.sequence, reverse=True):
        if correction.before is None:
            roll.pop(correction.member_id, None)
        else:
            roll[correction.member_id] = correction.before
    return roll


def attended_as_of(attended: Iterable[Attended], as_of: date) -> list[Attended]:
    """What had been attended by the end of a day."""
    return [sitting for sitting in attended if sitting.on <= as_of]


def number_text(number: int, language: str = "vi") -> str:
    """4.947 in Vietnamese, 4,947 in English."""
    return f"{number:,}".replace(",", "." if language == "vi" else ",")


def percent_text(figure: Figure | MemberFigure | HouseholdFigure, language: str = "vi") -> str:
    """97,5% in Vietnamese, 97.5% in English; words when there is nobody to count."""
    if figure.percent is None:
        return NOBODY.get(language, NOBODY["en"])
    percent = figure.percent.replace(".", ",") if language == "vi" else figure.percent
    return f"{percent}%"


def ratio_text(figure: Figure | MemberFigure | HouseholdFigure, language: str = "vi") -> str:
    """The n/N that stands beside every percentage: 4.826/4.947."""
    return f"{number_text(figure.covered, language)}/{number_text(figure.eligible, language)}"


def members_json(figure: MemberFigure) -> dict[str, int | str | bool | None]:
    """The shape in which commands and addresses answer for members."""
    return {
        "total": figure.total,
        "exempt": figure.exempt,
        "eligible": figure.eligible,
        "covered": figure.covered,
        "covered_main": figure.covered_main,
        "covered_makeup": figure.covered_makeup,
        "need": figure.need,
        "short": figure.short,
        "percent": figure.percent,
        "met": figure.met,
    }


def households_json(figure: HouseholdFigure) -> dict[str, int | str | bool | None]:
    """The shape in which commands and addresses answer for households."""
    return {
        "total": figure.total,
        "covered": figure.covered,
        "need": figure.need,
        "short": figure.short,
        "percent": figure.percent,
        "met": figure.met,
    }


def _first_day_complete(rule: CompletionRule, attended: Iterable[Attended]) -> date | None:
    sittings: set[tuple[str, int | str | None]] = set()
    topics: set[int] = set()
    for sitting in sorted(attended, key=lambda found: found.on):
        sittings.add((sitting.source, sitting.meeting_id))
        if sitting.topic_id is not None:
            topics.add(sitting.topic_id)
        elif sitting.source == "credit":
            topics |= rule.topic_ids
        if _is_complete(rule, len(sittings), topics):
            return sitting.on
    return None


def _is_complete(rule: CompletionRule, sittings: int, topics: set[int]) -> bool:
    if rule.kind == "all_topics":
        return bool(rule.topic_ids) and rule.topic_ids <= topics
    if rule.kind == "at_least":
        return sittings >= max(rule.at_least, 1)
    return sittings >= 1
