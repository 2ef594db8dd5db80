"""A meeting's register on paper: what is printed, and what is typed in again from it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from models import Meeting, Unit
from rules.attendance import MARKS_PER_BATCH, Status
from rules.days import local_day
from rules.paper import Typed, paper_changes, sheet_code, signature_columns, spare_rows
from rules.permissions import Actor
from rules.refusals import Refusal
from rules.text import clean
from services.attendance import record_marks
from services.attendance_ledger import new_mark
from services.attendance_roll import lines_of
from services.attendance_shown import meeting_to_read, register
from services.transaction import reading
from services.units import unit_names_on


@dataclass(frozen=True)
class SheetLine:
    """One row to sign: its number runs through the whole register."""

    number: int
    name: str
    birth_year: int | None
    unit: str


@dataclass(frozen=True)
class SheetGroup:
    """The rows of one unit; those who came without being on the list stand under ""."""

    name: str
    lines: list[SheetLine]


@dataclass(frozen=True)
class Sheet:
    """Everything that is printed."""

    organiser: str
    above: str
    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str
    chair: str
    speakers: list[str]
    columns: tuple[str, ...]
    groups: list[SheetGroup]
    total: int
    spare_rows: int
    code: str


@dataclass(frozen=True)
class Entered:
    """What became of rows typed from paper: how many were saved, and who was refused with why."""

    saved: int
    refused: list[tuple[str, Refusal]]


def enter_paper(
    meeting_id: int,
    typed: Mapping[str, Typed],
    guests: Sequence[tuple[str, str]],
    *,
    now: datetime,
    by: Actor,
    device: str = "",
) -> Entered:
    """Write down what was typed from a paper register, as facts of their own source.

    The marks bear the time of typing and who typed; the register's own verdicts hold, so a locked
    register takes none.
    """
    found = register(meeting_id, now=now, by=by)["subjects"]
    marks: list[dict[str, Any]] = [
        new_mark(one.subject, one.status, now) | ({"annuls": one.annuls} if one.annuls else {})
        for one in paper_changes(found, typed)
    ]
    for name, unit in guests:
        if clean(name):
            guest = new_mark(f"w:{uuid.uuid4()}", Status.PRESENT, now)
            marks.append(guest | {"name": name, "unit": unit})
    names = {one["subject"]: one["name"] for one in found}
    names |= {mark["subject"]: mark["name"] for mark in marks if "name" in mark}
    saved, refused = 0, []
    for start in range(0, len(marks), MARKS_PER_BATCH):
        batch = marks[start : start + MARKS_PER_BATCH]
        body = {"marks": batch, "register": "counts"}
        done = record_marks(meeting_id, body, now=now, by=by, device=device, source="paper")
        for mark, (_, verdict) in zip(batch, done.verdicts, strict=True):
            if verdict.kind == "refused" and verdict.reason is not None:
                refused.append((names[mark["subject"]], verdict.reason))
            else:
                saved += 1
    return Entered(saved, refused)


def paper_sheet(meeting_id: int, *, now: datetime, by: Actor) -> Sheet:
    """The register as it is printed: by unit, then given name, in the phone's own order."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    groups = _groups(session, meeting)
    total = sum(len(group.lines) for group in groups)
    organiser, above = _issuers(session, meeting)
    return Sheet(
        organiser=organiser,
        above=above,
        topic=meeting.topic,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        place=meeting.place or (meeting.venue.name if meeting.venue else ""),
        chair=meeting.chair,
        speakers=[one.speaker.name for one in meeting.speakers],
        columns=signature_columns(meeting.starts_at, meeting.ends_at),
        groups=groups,
        total=total,
        spare_rows=spare_rows(total),
        code=sheet_code(meeting.id),
    )


def _groups(session: Session, meeting: Meeting) -> list[SheetGroup]:
    lines, names = lines_of(session, meeting)
    numbered = enumerate(lines, 1)
    return [
        SheetGroup(
            names.get(group or 0, ""),
            [SheetLine(number, one.name, one.birth_year, one.unit) for number, one in rows],
        )
        for group, rows in groupby(numbered, key=lambda pair: pair[1].group)
    ]


def _issuers(session: Session, meeting: Meeting) -> tuple[str, str]:
    """The names on that day of the unit that holds the meeting and of the one above it."""
    organiser = session.get_one(Unit, meeting.organiser_id)
    ids = {organiser.id, organiser.parent_id or organiser.id}
    names = unit_names_on(session, ids, local_day(meeting.starts_at))
    above = names.get(organiser.parent_id, "") if organiser.parent_id else ""
    return names.get(organiser.id, organiser.name), above
