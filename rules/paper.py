"""The register on paper: its columns, its empty rows, the code on its foot, and what is typed from it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from rules.attendance import NOT_MARKED, Status
from rules.days import LOCAL
from rules.refusals import N_

FEWEST_SPARE_ROWS = 8
SPARE_PERCENT = 5
NOON, AFTERNOON, EVENING = time(12, 0), time(13, 30), time(17, 30)
CHOICES = (
    Status.PRESENT.value,
    Status.LATE.value,
    Status.EXCUSED.value,
    Status.UNEXCUSED.value,
)
MORNING_COLUMN, AFTERNOON_COLUMN, EVENING_COLUMN = N_("Sáng"), N_("Chiều"), N_("Tối")


@dataclass(frozen=True)
class Typed:
    """One row as it was typed: what the register said when the page was made, and what it shall say."""

    was: str
    wanted: str


@dataclass(frozen=True)
class Change:
    """A mark to be written for one row; `annuls` is the mark it puts right, if any."""

    subject: str
    status: Status
    annuls: str | None = None


def signature_columns(starts_at: datetime, ends_at: datetime) -> tuple[str, ...]:
    """One column to sign in for each half of the day the meeting runs into."""
    first, last = starts_at.astimezone(LOCAL), ends_at.astimezone(LOCAL)
    if last.date() > first.date():
        return (MORNING_COLUMN, AFTERNOON_COLUMN)
    begins, ends = first.time(), last.time()
    columns = []
    if begins < NOON:
        columns.append(MORNING_COLUMN)
    if begins < EVENING and ends > AFTERNOON:
        columns.append(AFTERNOON_COLUMN)
    if ends > EVENING and begins >= NOON:
        columns.append(EVENING_COLUMN)
    return tuple(columns) or (AFTERNOON_COLUMN,)


def spare_rows(expected: int) -> int:
    """How many empty rows stand ready for those who come without being on the list."""
    return max(FEWEST_SPARE_ROWS, math.ceil(expected * SPARE_PERCENT / 100))


def sheet_code(meeting_id: int) -> str:
    """The short code under a paper register: the meeting's number with two check digits."""
    return f"{meeting_id}-{_check(meeting_id)}"


def meeting_of_code(text: str) -> int | None:
    """The meeting whose paper bears this code, or None when it was mistyped."""
    found = re.fullmatch(r"0*([1-9][0-9]{0,8})[\s.\-–]?([0-9]{2})", text.strip(), re.ASCII)
    if not found or found[2] != _check(int(found[1])):
        return None
    return int(found[1])


def paper_changes(
    register: Sequence[Mapping[str, str]], typed: Mapping[str, Typed]
) -> list[Change]:
    """What typing from paper changes, in the register's order.

    A row left as the page showed it changes nothing, even when somebody has marked it since. A row
    that somebody has marked otherwise since is added to, not put right: both facts stand.
    """
    changes = []
    for one in register:
        row = typed.get(one["subject"])
        if row is None or row.wanted == row.was or row.wanted == one["status"]:
            continue
        is_untouched = row.was == one["status"]
        if row.wanted == NOT_MARKED:
            if is_untouched and one.get("mark"):
                changes.append(Change(one["subject"], Status.NONE, one["mark"]))
        elif row.wanted in CHOICES:
            annuls = one.get("mark") if is_untouched else None
            changes.append(Change(one["subject"], Status(row.wanted), annuls))
    return changes


def _check(number: int) -> str:
    """Two digits that catch any one wrong digit and any two exchanged (ISO 7064, MOD 97-10)."""
    return f"{98 - number * 100 % 97:02d}"
