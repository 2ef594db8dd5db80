"""Demonstration meetings and their registers: the same rows that a phone's marks would leave."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import HeadCount, Invitation, Mark, Meeting, MeetingSpeaker, MeetingUnit, RegisterLine
from services.demo.city import City
from services.demo.writer import Writer

ATTENDED = ("present", "late", "left_early")


@dataclass(frozen=True)
class Said:
    """What a register says of one subject."""

    status: str
    unit_id: int | None
    person_id: int | None = None
    household_id: int | None = None

    @property
    def subject(self) -> str:
        return f"m:{self.person_id}" if self.person_id else f"h:{self.household_id}"


def add_meeting(
    writer: Writer,
    city: City,
    *,
    kind: str,
    topic: str,
    starts_at: datetime,
    minutes: int = 120,
    units: Iterable[int] = (),
    said: Iterable[Said] = (),
    heads: int | None = None,
    state: str = "held",
    register_state: str = "locked",
    speaker: int | None = None,
    **values: object,
) -> int:
    """A meeting with its invited units, its speaker and what its register says."""
    said = list(said)
    present = sum(1 for line in said if line.status in ATTENDED)
    row: dict[str, object] = {
        "kind": kind,
        "topic": topic,
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=minutes),
        "counting": "roll" if heads is None else "heads",
        "state": state,
        "register_state": register_state,
        "present_count": present,
        "heads_count": heads or 0,
        "visits_count": present + (heads or 0),
    }
    meeting = writer.add(Meeting, **(_plain_row(writer, city, starts_at, state) | row | values))
    for unit in units:
        writer.put(MeetingUnit, meeting_id=meeting, unit_id=unit)
    speaker = speaker or writer.random.choice(city.speakers)
    writer.put(MeetingSpeaker, meeting_id=meeting, speaker_id=speaker, position=0, reply="accepted")
    if heads is not None:
        _count_heads(writer, meeting, starts_at, heads)
    _take_register(writer, meeting, starts_at, said)
    return meeting


def _plain_row(writer: Writer, city: City, starts_at: datetime, state: str) -> dict[str, object]:
    """What a meeting has unless said otherwise; bulk writing wants every row to have every key."""
    planned_at = starts_at - timedelta(days=10)
    return {
        "uid": f"{writer.uuid()}@tuyenhuan",
        "description": "",
        "campaign_id": None,
        "course_id": None,
        "is_makeup": False,
        "periods": None,
        "organiser_id": city.root_id,
        "venue_id": None,
        "place": "",
        "capacity": None,
        "created_at": planned_at,
        "modified_at": planned_at,
        "published_at": None if state == "draft" else planned_at,
    }


def _count_heads(writer: Writer, meeting: int, starts_at: datetime, heads: int) -> None:
    at = starts_at + timedelta(minutes=20)
    writer.put(
        HeadCount,
        id=writer.uuid(),
        meeting_id=meeting,
        label="",
        heads=heads,
        counted_at=at,
        received_at=at,
    )


def _take_register(writer: Writer, meeting: int, starts_at: datetime, said: list[Said]) -> None:
    opening = starts_at - timedelta(minutes=15)
    for place, line in enumerate(said):
        mark = writer.uuid()
        tapped_at = opening + timedelta(seconds=4 * place)
        facts = {
            "meeting_id": meeting,
            "subject": line.subject,
            "person_id": line.person_id,
            "household_id": line.household_id,
            "unit_id": line.unit_id,
            "status": line.status,
        }
        writer.put(
            Mark,
            id=mark,
            **facts,
            tapped_at=tapped_at,
            corrected_at=tapped_at,
            received_at=tapped_at + timedelta(seconds=2),
            device="demo",
            source="phone",
        )
        writer.put(RegisterLine, **facts, mark_id=mark)


def invite(
    writer: Writer,
    meeting: int,
    people: Iterable[tuple[int, int]],
    told_at: datetime,
    source: str = "unit",
) -> None:
    """Write down (person, cell) pairs as invited and told."""
    for person, cell in people:
        writer.add(
            Invitation,
            meeting_id=meeting,
            person_id=person,
            unit_id=cell,
            source=source,
            last_sent_sequence=0,
            last_told_at=told_at,
            created_at=told_at,
        )
