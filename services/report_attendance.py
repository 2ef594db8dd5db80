"""Table 7 of a report: who came of those expected, by the weekday and hour meetings began."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from models import Invitation, Meeting, RegisterLine
from rules.attendance import ATTENDING
from rules.days import LOCAL
from rules.paperwork import WEEKDAYS
from rules.refusals import N_
from rules.report_tables import ATTENDANCE, ATTENDANCE_TITLE, Line, ReportTable
from services.access import within_scope
from services.report_places import Asked, Places
from services.report_sittings import held_in

_CAME = func.sum(case((RegisterLine.status.in_([str(one) for one in ATTENDING]), 1), else_=0))


def attendance_tables(session: Session, asked: Asked, _places: Places) -> list[ReportTable]:
    """Meetings of the period whose named register was handed in, by weekday and hour of start.

    Expected are the invited; where nobody was invited by name, those whom the register names.
    """
    slots: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for at, present, expected in _meetings(session, asked):
        slots[at].update({"meetings": 1, "present": present, "invited": expected})
    lines = [
        Line(
            f"{weekday + 1}-{hour:02}",
            WEEKDAYS[weekday],
            {**slots[weekday, hour], "hour": f"{hour}h", "weekday": weekday, "at": hour},
        )
        for weekday, hour in sorted(slots)
    ]
    table = ReportTable(
        key="attendance",
        number="7",
        title=ATTENDANCE_TITLE,
        subject="",
        columns=ATTENDANCE,
        lines=tuple(lines),
        note=N_(
            "Chỉ tính buổi điểm danh theo danh sách đã nộp sổ. Diện dự là người được mời; "
            "buổi không mời đích danh tính theo người có tên trong sổ."
        ),
    )
    return [table]


def _meetings(session: Session, asked: Asked) -> Iterable[tuple[tuple[int, int], int, int]]:
    """Each meeting's weekday and local hour, who came and who was expected; none without either."""
    counted = (
        *held_in(asked.period),
        Meeting.counting == "roll",
        Meeting.register_state.in_(("submitted", "locked")),
        within_scope(asked.by, Meeting.organiser_id, asked.today),
    )
    invited = {
        meeting_id: (expected, int(came or 0))
        for meeting_id, expected, came in session.execute(
            select(Invitation.meeting_id, func.count(), _CAME)
            .select_from(Invitation)
            .join(Meeting, Meeting.id == Invitation.meeting_id)
            .outerjoin(
                RegisterLine,
                (RegisterLine.meeting_id == Invitation.meeting_id)
                & (RegisterLine.person_id == Invitation.person_id),
            )
            .where(*counted, Invitation.removed_at.is_(None))
            .group_by(Invitation.meeting_id)
        )
    }
    named = {
        meeting_id: (expected, int(came or 0))
        for meeting_id, expected, came in session.execute(
            select(RegisterLine.meeting_id, func.count(), _CAME)
            .join(Meeting, Meeting.id == RegisterLine.meeting_id)
            .where(*counted, RegisterLine.person_id.is_not(None))
            .group_by(RegisterLine.meeting_id)
        )
    }
    for meeting_id, starts_at in session.execute(
        select(Meeting.id, Meeting.starts_at).where(*counted)
    ):
        expected, came = invited.get(meeting_id) or named.get(meeting_id) or (0, 0)
        if expected:
            local = starts_at.astimezone(LOCAL)
            yield (local.weekday(), local.hour), came, expected
