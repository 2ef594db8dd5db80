"""Work that is due by a day and done on a day: plans, steps of a history, visits to cell meetings."""

from dataclasses import dataclass
from datetime import date

from rules.refusals import N_, Malformed

KINDS = ("action_plan", "history_step", "leader_visit")
STATES = ("overdue", "due", "done")
REMIND_DAYS = (7, 1)
"""Days before the due day on which those who answer for the unit are reminded."""
SOON_DAYS = 14
"""What is due within so many days, today included, is due soon."""
MONDAY = 0


@dataclass(frozen=True)
class Progress:
    """How many of those that are due have been done; printed as n/N. `soon` are due, not overdue."""

    done: int
    total: int
    overdue: int
    soon: int = 0


def state_of(due_on: date, done_on: date | None, today: date) -> str:
    """Done, due, or overdue: the day itself is still in time."""
    if done_on is not None:
        return "done"
    return "overdue" if due_on < today else "due"


def is_reminded(due_on: date, done_on: date | None, today: date) -> bool:
    """Remind 7 days and 1 day before, the day after, and each Monday while it is overdue."""
    if done_on is not None:
        return False
    days_left = (due_on - today).days
    return days_left in REMIND_DAYS or days_left == -1 or (days_left < 0 and _is_monday(today))


def _is_monday(day: date) -> bool:
    return day.weekday() == MONDAY


def check_done(due_on: date, done_on: date | None, today: date) -> None:
    """Refuse days that cannot be: done in the future, or due decades away."""
    if done_on is not None and done_on > today:
        raise Malformed(N_("Ngày làm xong không thể sau hôm nay. Hãy xem lại ngày."))
    if done_on is not None and abs((done_on - due_on).days) > 3660:
        raise Malformed(N_("Ngày làm xong và hạn cách nhau quá 10 năm. Hãy xem lại."))
