"""The register as a phone and a page are shown it: subjects in their order, counts, and doubts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import and_, bindparam, func, inspect, select
from sqlalchemy.orm import Session

from models import Account, HeadCount, Meeting, MeetingLink
from rules.attendance import NOT_MARKED, Status, count_statuses, is_contradicted, standing_marks
from rules.attendance import Mark as Fact
from rules.days import LOCAL, local_day
from rules.heads import total_heads
from rules.permissions import Actor
from rules.refusals import N_, NotAllowed
from services.access import meeting_for
from services.attendance_ledger import AT_MEETING, MARK, ledger_of
from services.attendance_roll import Line, lines_of, marked_lines, there_is
from services.meeting_links import TAKER
from services.prepared import Listed, Prepared
from services.transaction import looking, remembered

TAKERS = ("staff", "instructor")
ASKED = (
    "id", "kind", "topic", "state", "counting", "starts_at", "ends_at", "campaign_id", "course_id",
    "organiser_id", "is_makeup", "heads_count", "present_count", "visits_count",
    "register_version", "register_state",
)  # fmt: skip
"""What the register asks of its meeting's row."""
_MEETING: Any = inspect(Meeting).local_table
_MEETING_ROW = Prepared(
    lambda _: select(*(_MEETING.c[name] for name in ASKED)).where(
        _MEETING.c.id == bindparam("meeting")
    )
)
_UNMARKED = (NOT_MARKED, "")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring
_MARKER = (
    select(MARK.c.id, Account.name, MeetingLink.label)
    .outerjoin(Account, Account.id == MARK.c.marked_by_id)
    .outerjoin(MeetingLink, MeetingLink.id == MARK.c.link_id)
)
_MARKERS = Listed(lambda among: _MARKER.where(among(MARK.c.id)))
_HEADS: Any = inspect(HeadCount).local_table
_HEADS_OF = Prepared(
    lambda _: select(
        *(_HEADS.c[name] for name in ("label", "heads", "counted_at", "received_at", "id"))
    ).where(_HEADS.c.meeting_id == bindparam("meeting"))
)
_TAKEN_BACK = MARK.alias()
_SEVERAL = Prepared(
    lambda _: (
        select(MARK.c.subject)
        .outerjoin(
            _TAKEN_BACK,
            and_(
                _TAKEN_BACK.c.meeting_id == MARK.c.meeting_id,
                _TAKEN_BACK.c.subject == MARK.c.subject,
                _TAKEN_BACK.c.annuls_id == MARK.c.id,
            ),
        )
        .where(AT_MEETING, MARK.c.status != Status.NONE.value, _TAKEN_BACK.c.id.is_(None))
        .group_by(MARK.c.subject)
        .having(func.count() > 1)
    )
)


@dataclass(frozen=True)
class Shown:
    """A whole register as the contract's JSON: what heads it, and its subjects as text already.

    Written down line by line, five hundred names take a third of the time that building a
    dictionary of each, and encoding that, would take.
    """

    head: dict[str, Any]
    subjects: str
    number: int

    def as_text(self) -> str:
        """The JSON object."""
        return f'{_encode(self.head)[:-1]},"subjects":[{self.subjects}]}}'

    def as_dict(self) -> dict[str, Any]:
        """The same for whoever looks at its parts."""
        return self.head | {"subjects": json.loads(f"[{self.subjects}]")}


def shown_register(meeting_id: int, *, now: datetime, by: Actor) -> Shown:
    """The whole register: subjects in their order, counts, version."""
    session = looking()
    return _shown(session, _columns_to_read(session, by, meeting_id, now), now)


def register(meeting_id: int, *, now: datetime, by: Actor) -> dict[str, Any]:
    """The same as plain values."""
    return shown_register(meeting_id, now=now, by=by).as_dict()


def register_if_newer(meeting_id: int, version: int, *, now: datetime, by: Actor) -> Shown | None:
    """The register when it is not the one the phone has already, else None."""
    session = looking()
    meeting = _columns_to_read(session, by, meeting_id, now)
    return None if meeting.register_version == version else _shown(session, meeting, now)


def meeting_to_read(session: Session, by: Actor, meeting_id: int, now: datetime) -> Meeting:
    """The meeting whose register the actor may see; those who only read see figures, not names."""
    if by.meeting_id is None and not by.has_any(*TAKERS):
        raise NotAllowed(N_("Bạn chỉ được xem số liệu. Hãy báo người phụ trách buổi điểm danh."))
    day = local_day(now)
    return remembered(
        session,
        ("register to read", by, meeting_id, day),
        lambda: meeting_for(session, by, meeting_id, day, *TAKERS),
    )


def _columns_to_read(session: Session, by: Actor, meeting_id: int, now: datetime) -> Any:
    """The same for a look at the register alone: the holder of its link needs no object of it."""
    if by.meeting_id == meeting_id:
        for row in _MEETING_ROW.rows(session, meeting=meeting_id):
            return SimpleNamespace(**dict(zip(ASKED, row, strict=True)))
    return meeting_to_read(session, by, meeting_id, now)


def full_register(session: Session, meeting: Meeting, now: datetime) -> dict[str, Any]:
    """Everything the page shows of a register."""
    return _shown(session, meeting, now).as_dict()


def _shown(session: Session, meeting: Meeting, now: datetime) -> Shown:
    marked = marked_lines(session, meeting.id)
    has = there_is(session, meeting.id)
    lines, names = lines_of(session, meeting, marked, has)
    standing = {row[0]: (row[1], row[2]) for row in marked}
    doubtful = _several_standing(session, meeting.id) if has.marked_twice else {}
    subjects = ",".join(_subject_texts(lines, names, standing, doubtful))
    # Whoever is marked has a line; the others' lines are of people not marked.
    statuses = [row[1] for row in marked] + [NOT_MARKED] * (len(lines) - len(marked))
    head = _head(meeting, now) | {
        "counts": count_statuses(statuses).as_json() | _head_totals(meeting),
        "groups": [{"id": unit, "name": name} for unit, name in names.items()],
        "heads": heads_by_label(session, meeting.id) if has.heads else {},
    }
    return Shown(head, subjects, len(lines))


def brief_register(meeting: Meeting, now: datetime) -> dict[str, Any]:
    """The register's state and totals alone, for a phone that keeps the names itself."""
    counts = {"attended": meeting.present_count} | _head_totals(meeting)
    return _head(meeting, now) | {"counts": counts}


def heads_by_label(session: Session, meeting_id: int) -> dict[str, int]:
    """The heads under each label as they stand now."""
    rows = _HEADS_OF.rows(session, meeting=meeting_id)
    return total_heads((label, heads, min(at, got), one) for label, heads, at, got, one in rows)


def _head(meeting: Meeting, now: datetime) -> dict[str, Any]:
    return {
        "meeting": meeting.id,
        "topic": meeting.topic,
        "kind": meeting.kind,
        "counting": meeting.counting,
        "starts_at": _rfc3339(meeting.starts_at),
        "ends_at": _rfc3339(meeting.ends_at),
        "meeting_state": meeting.state,
        "state": meeting.register_state,
        "version": meeting.register_version,
        "server_time": _rfc3339(now),
    }


def _head_totals(meeting: Meeting) -> dict[str, int]:
    return {"heads": meeting.heads_count, "visits": meeting.visits_count}


@lru_cache(maxsize=256)
def _rfc3339(at: datetime) -> str:
    return at.astimezone(LOCAL).isoformat(timespec="seconds")


def _subject_texts(
    lines: Iterable[Line],
    names: dict[int, str],
    standing: Mapping[str, tuple[str, str]],
    doubtful: Mapping[str, "_Standing"],
) -> Iterator[str]:
    """Each line as JSON; `standing` has the status and the deciding mark of who was marked.

    Subjects, statuses and marks' ids are letters, digits and signs that JSON takes as they are.
    """
    units = {group: _quoted(name) for group, name in names.items()}
    for subject, name, group, birth_year, unit in lines:
        status, mark = standing.get(subject, _UNMARKED)
        place = _quoted(unit) if unit else units.get(group or 0, '""')
        text = f'{{"subject":"{subject}","name":{_quoted(name)},"unit":{place},"status":"{status}"'
        if group is not None:
            text += f',"group":{group}'
        if birth_year is not None:
            text += f',"birth_year":{birth_year}'
        if mark:
            text += f',"mark":"{mark}"'
        if subject in doubtful:
            text += _doubt_text(doubtful[subject])
        yield text + "}"


def _doubt_text(doubt: "_Standing") -> str:
    """Of whom several marks stand, and what each said when they differ."""
    text = f',"others":{_encode([mark.id for mark in doubt.marks])}'
    return text + f',"said":{_encode(doubt.said)}' if doubt.said else text


@dataclass(frozen=True)
class _Standing:
    """The marks of one subject that nobody took back; `said` by whom, when they disagree."""

    marks: list[Fact]
    said: list[dict[str, str]]


def _several_standing(session: Session, meeting_id: int) -> dict[str, _Standing]:
    """The subjects of which several marks stand; those that differ are for somebody to settle."""
    subjects = {row[0] for row in _SEVERAL.rows(session, meeting=meeting_id)}
    ledger = ledger_of(session, meeting_id, subjects) if subjects else {}
    standing = {one: standing_marks(marks) for one, marks in ledger.items()}
    several = {one: marks for one, marks in standing.items() if len(marks) > 1}
    differing = {one for one, marks in several.items() if is_contradicted(marks)}
    names = _markers(session, [mark.id for one in differing for mark in several[one]])
    return {
        one: _Standing(marks, _said(marks, names) if one in differing else [])
        for one, marks in several.items()
    }


def _said(marks: list[Fact], names: dict[str, str]) -> list[dict[str, str]]:
    """Each differing mark with who said so and when, the one that is shown first."""
    newest_first = sorted(marks, key=lambda mark: (mark.counted_at, mark.id), reverse=True)
    return [
        {
            "mark": mark.id,
            "status": mark.status.value,
            "by": names.get(mark.id, ""),
            "at": _rfc3339(mark.counted_at),
        }
        for mark in newest_first
    ]


def _markers(session: Session, ids: list[str]) -> dict[str, str]:
    """Who made each mark: the account's name, or the label of the link."""
    return {row[0]: row[1] or row[2] or TAKER for row in _MARKERS.rows(session, ids)}
