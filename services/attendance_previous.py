"""How each learner of a class attended the meeting before, for the names on this one's register."""

from datetime import datetime

from sqlalchemy import select

from models import Meeting, RegisterLine
from rules.permissions import Actor
from services.attendance_shown import meeting_to_read
from services.transaction import reading

TAKES_PLACE = ("published", "held")


def previous_statuses(meeting_id: int, *, now: datetime, by: Actor) -> dict[str, str]:
    """Status by subject at the class's last earlier meeting that has marks; empty for other meetings."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    if meeting.course_id is None:
        return {}
    lines = select(RegisterLine.subject, RegisterLine.status)
    earlier = session.scalar(
        select(Meeting.id)
        .where(
            Meeting.course_id == meeting.course_id,
            Meeting.starts_at < meeting.starts_at,
            Meeting.state.in_(TAKES_PLACE),
            select(RegisterLine.subject).where(RegisterLine.meeting_id == Meeting.id).exists(),
        )
        .order_by(Meeting.starts_at.desc(), Meeting.id.desc())
        .limit(1)
    )
    rows = session.execute(
        lines.where(RegisterLine.meeting_id == earlier, RegisterLine.subject.like("m:%"))
    )
    return {row.subject: row.status for row in rows}
