"""What is told of a register once it is handed in: counts for a group chat."""

from dataclasses import dataclass
from datetime import datetime

from rules.attendance import GroupCount, Status
from rules.attendance_report import Tally
from rules.attendance_report import share_text as text_of
from rules.permissions import Actor
from services.attendance_shown import meeting_to_read, register
from services.transaction import reading


@dataclass(frozen=True)
class Share:
    """The message and how far the register it tells of has come."""

    topic: str
    register_state: str
    text: str


def share_text(meeting_id: int, *, now: datetime, by: Actor) -> Share:
    """The register's counts as a message, for whoever may take the register."""
    session = reading()
    meeting = meeting_to_read(session, by, meeting_id, now)
    counts = register(meeting_id, now=now, by=by)["counts"]
    names = [one.value for one in Status if one != Status.NONE]
    told = Tally(
        topic=meeting.topic,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        place=meeting.place or (meeting.venue.name if meeting.venue else ""),
        counts=GroupCount(not_marked=counts["not_marked"], **{one: counts[one] for one in names}),
        heads=counts["heads"],
    )
    return Share(meeting.topic, meeting.register_state, text_of(told))
