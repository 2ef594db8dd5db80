"""Meetings made in bulk: every Thursday evening in twelve groups except holidays."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta

from rules.refusals import N_, Refusal

MOST_SITTINGS = 200
FURTHEST = timedelta(days=5 * 366)


@dataclass(frozen=True)
class Rule:
    """When sittings recur.

    `frequency` is "weekly" or "monthly"; `weekdays` count from Monday = 0. A monthly rule has
    either `nth` (1–4, or -1 for the last) of those weekdays, or `month_day`; a month that lacks
    the day is passed over. It ends on `until_on`, after `count` days that were not excluded, or
    at whichever comes first. `interval` 2 means every other week or month from the first one.
    """

    frequency: str
    from_on: date
    starts: time
    ends: time
    weekdays: frozenset[int] = frozenset()
    nth: int | None = None
    month_day: int | None = None
    interval: int = 1
    until_on: date | None = None
    count: int | None = None


@dataclass(frozen=True)
class Sitting:
    """One meeting to create, in local dates and times."""

    on: date
    starts: time
    ends: time
    group: int | str | None = None


def check_rule(rule: Rule) -> None:
    """Refuse a rule that names no day, no end, or more than can be meant."""
    if rule.frequency not in {"weekly", "monthly"}:
        raise Refusal(N_("Hãy chọn lặp hằng tuần hoặc hằng tháng."))
    if rule.ends <= rule.starts:
        raise Refusal(N_("Giờ kết thúc phải sau giờ bắt đầu. Hãy sửa lại giờ."))
    if rule.until_on is None and rule.count is None:
        raise Refusal(N_("Hãy cho biết lặp đến ngày nào hoặc bao nhiêu buổi."))
    if rule.until_on is not None and not (rule.from_on <= rule.until_on <= rule.from_on + FURTHEST):
        raise Refusal(N_("Ngày cuối phải sau ngày đầu và không quá năm năm. Hãy sửa lại."))
    if rule.count is not None and not 1 <= rule.count <= MOST_SITTINGS:
        raise Refusal(N_("Số buổi phải từ 1 đến %(most)d. Hãy sửa lại."), most=MOST_SITTINGS)
    if not 1 <= rule.interval <= 52:
        raise Refusal(N_("Khoảng lặp phải từ 1 đến 52. Hãy sửa lại."))
    _check_days(rule)


def recurring_days(rule: Rule, excluded: Collection[date] = ()) -> list[date]:
    """The days of a rule without the excluded ones (holidays, days crossed out by hand)."""
    check_rule(rule)
    last = rule.until_on or rule.from_on + FURTHEST
    days: list[date] = []
    for day in _days(rule, last):
        if day > last or len(days) == rule.count:
            break
        if day >= rule.from_on and day not in excluded:
            days.append(day)
    return days


def recurring_sittings(
    rule: Rule,
    groups: Sequence[int | str] = (),
    excluded: Collection[date] = (),
    *,
    in_turn: bool = False,
) -> list[Sitting]:
    """The meetings to create: every group on every day, or one group a day `in_turn`.

    Raises Refusal when there would be none, or more than 200.
    """
    days = recurring_days(rule, excluded)
    if not groups:
        pairs: list[tuple[date, int | str | None]] = [(day, None) for day in days]
    elif in_turn:
        pairs = [(day, groups[place % len(groups)]) for place, day in enumerate(days)]
    else:
        pairs = [(day, group) for day in days for group in groups]
    if not pairs:
        raise Refusal(N_("Quy tắc này không cho buổi nào. Hãy xem lại ngày và các ngày loại trừ."))
    if len(pairs) > MOST_SITTINGS:
        raise Refusal(
            N_("Quy tắc này cho %(count)d buổi, mỗi lần chỉ tạo tối đa %(most)d. Hãy rút ngắn."),
            count=len(pairs),
            most=MOST_SITTINGS,
        )
    return [Sitting(day, rule.starts, rule.ends, group) for day, group in pairs]


def _check_days(rule: Rule) -> None:
    if not rule.weekdays <= set(range(7)):
        raise Refusal(N_("Thứ trong tuần không đúng. Hãy chọn lại."))
    if rule.frequency == "weekly" or rule.month_day is None:
        if not rule.weekdays:
            raise Refusal(N_("Hãy chọn ít nhất một thứ trong tuần."))
    elif not 1 <= rule.month_day <= 31:
        raise Refusal(N_("Ngày trong tháng phải từ 1 đến 31. Hãy sửa lại."))
    if rule.frequency == "monthly" and rule.month_day is None and rule.nth not in {1, 2, 3, 4, -1}:
        raise Refusal(N_("Hãy chọn tuần thứ mấy trong tháng (1 đến 4, hoặc tuần cuối)."))


def _days(rule: Rule, last: date) -> Iterator[date]:
    if rule.frequency == "weekly":
        monday = rule.from_on - timedelta(days=rule.from_on.weekday())
        while monday <= last:
            yield from (monday + timedelta(days=weekday) for weekday in sorted(rule.weekdays))
            monday += timedelta(weeks=rule.interval)
    else:
        month = rule.from_on.replace(day=1)
        while month <= last:
            yield from sorted(_days_of_month(rule, month))
            for _ in range(rule.interval):
                month = _next_month(month)


def _days_of_month(rule: Rule, month: date) -> Iterator[date]:
    length = (_next_month(month) - month).days
    if rule.month_day is not None:
        if rule.month_day <= length:
            yield month.replace(day=rule.month_day)
        return
    for weekday in rule.weekdays:
        first = 1 + (weekday - month.weekday()) % 7
        days = range(first, length + 1, 7)
        nth = rule.nth or 1
        yield month.replace(day=days[nth - 1] if nth > 0 else days[-1])


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
