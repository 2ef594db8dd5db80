"""What calendars say about a meeting: its facts from the rows, and the kept bytes of its event."""

import hashlib
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from gateways.calendar import BLOCK_VERSION, EventBlock, Organizer, event_block, sortable
from models import Meeting, MeetingPoint
from rules.calendar import MeetingFacts, clean_line, neutral, next_last_modified
from rules.letters import OFF_STATES as OFF_STATES
from services.office import office
from services.settings import setting_text

KIND_NAMES = {
    "study": "Học nghị quyết",
    "class": "Lớp lý luận chính trị",
    "outreach": "Tuyên truyền",
    "cell": "Sinh hoạt chi bộ",
}


def facts_of(meeting: Meeting, point: MeetingPoint | None = None) -> MeetingFacts:
    """Give the meeting's facts as everybody sees them, or as the people of one point do."""
    return MeetingFacts(
        uid=meeting.uid,
        sequence=meeting.sequence,
        created_at=meeting.created_at,
        last_modified_at=meeting.modified_at,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        summary=meeting.topic,
        location=point_place(point) if point else place_of(meeting),
        description=_description(meeting),
        url=page_of(meeting),
        categories=(KIND_NAMES[meeting.kind],),
        cancelled=meeting.state in OFF_STATES,
        online_url=meeting.online_url,
        place_key=_place_key(meeting),
    )


def page_of(meeting: Meeting) -> str:
    """Give the address of the meeting's page, the same in every mail and feed.

    It opens nothing by itself: calendars are shared and forwarded, so no signed link stands in them.
    Who has no account finds there how to answer and whom to ask.
    """
    return f"{office().public_url}/meetings/{meeting.id}" if meeting.id else ""


def place_of(meeting: Meeting) -> str:
    """Give the place in words; an online meeting without a place says so."""
    venue = meeting.venue
    name = meeting.place or (venue.name if venue else "")
    if venue and venue.address and venue.address not in name:
        name = f"{name}, {venue.address}" if name else venue.address
    return name or ("Trực tuyến" if meeting.online_url or meeting.mode == "online" else "")


def point_place(point: MeetingPoint) -> str:
    """Give the place of one of a meeting's points."""
    venue = point.venue
    parts = [point.name]
    if venue:
        parts += [part for part in (venue.name, venue.address) if part and part not in point.name]
    return ", ".join(parts)


def organizer_of(session: Session) -> Organizer:
    """Give who calls the meetings: the sender's address and the name the board chose for it."""
    return Organizer(office().mail_from, setting_text(session, "mail_name"))


def keep_blocks(meeting: Meeting, organizer: Organizer) -> None:
    """Serialise the meeting's event once, with its title and without, and keep the bytes."""
    stamp = _stamp_of(meeting, organizer)
    facts = facts_of(meeting)
    meeting.calendar_block = stamp + event_block(facts, organizer).content
    meeting.neutral_block = stamp + event_block(neutral(facts), organizer).content


def reword(session: Session, chosen: Select[int], now: datetime) -> None:
    """Note that meetings to come read differently, since the name of their place or speaker does.

    The calendars that hold them take the new words at their next look; nobody is written to.
    """
    coming = select(Meeting).where(Meeting.id.in_(chosen), Meeting.starts_at > now)
    for meeting in session.scalars(coming):
        meeting.modified_at = next_last_modified(meeting.modified_at, now)


def kept_block(
    of_office: bytes,
    uid: str,
    sequence: int,
    modified: str,
    starts: str,
    state: str,
    kept: bytes | None,
) -> EventBlock | None:
    """Give kept bytes if they are of this revision and this `office_stamp`, else None.

    The moments are `sortable` words, or longer ones that begin so; every joining of a feed asks this
    of hundreds of meetings.
    """
    stamp = _stamp(of_office, sequence, modified, starts, state)
    if kept is None or not kept.startswith(stamp):
        return None
    return EventBlock(starts[:19], uid, kept[len(stamp) :])


def written_block(meeting: Meeting, organizer: Organizer) -> EventBlock:
    """Serialise the event as all see it."""
    return event_block(facts_of(meeting), organizer)


def _stamp_of(meeting: Meeting, organizer: Organizer) -> bytes:
    modified, starts = sortable(meeting.modified_at), sortable(meeting.starts_at)
    return _stamp(office_stamp(organizer), meeting.sequence, modified, starts, meeting.state)


def _stamp(of_office: bytes, sequence: int, modified: str, starts: str, state: str) -> bytes:
    """Say of which office, revision and state kept bytes are: one line before them."""
    off = "off" if state in OFF_STATES else "on"
    return of_office + f" {sequence} {modified[:19]} {starts[:19]} {off}\n".encode()


def office_stamp(organizer: Organizer) -> bytes:
    """Say in whose name, at which address, and by which version of the code events are written."""
    return _office_stamp(organizer, office().public_url)


@lru_cache(maxsize=16)
def _office_stamp(organizer: Organizer, public_url: str) -> bytes:
    written = f"{BLOCK_VERSION}|{organizer.address}|{organizer.name}|{public_url}"
    return hashlib.sha256(written.encode()).hexdigest()[:16].encode()


def _description(meeting: Meeting) -> str:
    lines = []
    if names := [clean_line(link.speaker.name) for link in meeting.speakers]:
        lines.append(f"Báo cáo viên: {', '.join(names)}")
    if meeting.chair:
        lines.append(f"Chủ trì: {clean_line(meeting.chair)}")
    if meeting.description:
        lines.append(meeting.description)
    return "\n".join(lines)


def _place_key(meeting: Meeting) -> str:
    """Name every place of the meeting by id, so that a corrected name is no move."""
    main = f"v{meeting.venue_id}" if meeting.venue_id else clean_line(meeting.place)
    points = sorted(
        f"{point.id}:v{point.venue_id}" if point.venue_id else f"{point.id}:{point.name}"
        for point in meeting.points
    )
    return "|".join([meeting.mode, main, *points])
