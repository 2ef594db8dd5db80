"""Clashes are looked for over all meetings, and quickly."""

from datetime import time, timedelta
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import event, insert

from models import Meeting, MeetingPoint, MeetingSpeaker, Venue
from rules.clashes import Clash
from rules.days import instant
from rules.permissions import SYSTEM
from services import clashes
from services.clashes import Wanted
from tests.world import NOW, TODAY, World, add_meeting, build_world

AT = instant(TODAY + timedelta(days=3), time(8))


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def wanted(**values: Any) -> Wanted:
    values.setdefault("starts_at", AT)
    return Wanted(topic="Buổi mới", ends_at=values["starts_at"] + timedelta(hours=2), **values)


def kinds(found: list[Clash]) -> set[tuple[str, str]]:
    return {(clash.kind, clash.severity) for clash in found}


def test_the_same_place_and_speaker_block(world: World) -> None:
    add_meeting(world, at=AT, invite=())
    found = clashes.clashes_of(
        wanted(venue_ids=frozenset({world.venue.id}), speaker_ids=frozenset({world.speaker.id})),
        by=SYSTEM,
    )
    assert kinds(found) == {("place", "block"), ("speaker", "block")}


def test_a_point_of_another_meeting_takes_its_place_too(world: World, db: Any) -> None:
    hall = Venue(name="Nhà văn hoá", fold="nha van hoa")
    db.session.add(hall)
    db.session.flush()
    other = add_meeting(world, at=AT, invite=())
    db.session.add(MeetingPoint(meeting_id=other.id, venue_id=hall.id, name="Điểm 2"))
    db.session.commit()
    found = clashes.clashes_of(wanted(venue_ids=frozenset({hall.id})), by=SYSTEM)
    assert kinds(found) == {("place", "block")}


def test_a_shared_building_holds_many_meetings(world: World, db: Any) -> None:
    world.venue.is_shared = True
    db.session.commit()
    add_meeting(world, at=AT, invite=())
    found = clashes.clashes_of(wanted(venue_ids=frozenset({world.venue.id})), by=SYSTEM)
    assert found == []


def test_a_speaker_needs_time_to_travel(world: World, db: Any) -> None:
    hall = Venue(name="Nhà văn hoá", fold="nha van hoa")
    db.session.add(hall)
    db.session.commit()
    add_meeting(world, at=AT - timedelta(minutes=130), invite=())
    found = clashes.clashes_of(
        wanted(venue_ids=frozenset({hall.id}), speaker_ids=frozenset({world.speaker.id})),
        by=SYSTEM,
    )
    assert kinds(found) == {("travel", "warning")}


def test_a_ward_and_its_cell_are_the_same_guests(world: World) -> None:
    add_meeting(world, at=AT, invite=("ward-1",))
    cell = frozenset({world.units["cell-1"].id})
    assert ("unit", "warning") in kinds(clashes.clashes_of(wanted(unit_ids=cell), by=SYSTEM))
    far = frozenset({world.units["cell-3"].id})
    assert clashes.clashes_of(wanted(unit_ids=far), by=SYSTEM) == []


def test_a_small_hall_is_noticed(world: World) -> None:
    unit = frozenset({world.units["ward-1"].id})
    found = clashes.clashes_of(wanted(unit_ids=unit, capacity=2), by=SYSTEM)
    assert kinds(found) == {("capacity", "warning")}


def test_what_is_cancelled_or_the_meeting_itself_is_in_nobodys_way(world: World) -> None:
    itself = add_meeting(world, at=AT, invite=())
    add_meeting(world, at=AT, invite=(), state="cancelled")
    found = clashes.clashes_of(
        wanted(meeting_id=itself.id, venue_ids=frozenset({world.venue.id})), by=SYSTEM
    )
    assert found == []


def test_planned_meetings_clash_with_each_other(world: World, db: Any) -> None:
    place = frozenset({world.venue.id})
    both = [wanted(venue_ids=place), wanted(venue_ids=place)]
    found = clashes.clashes_among(db.session(), both, by=SYSTEM)
    assert [kinds(one) for one in found] == [{("place", "block")}, {("place", "block")}]


def test_three_and_a_half_thousand_meetings_are_searched_at_once(world: World, db: Any) -> None:
    span = timedelta(hours=3)
    db.session.execute(
        insert(Meeting),
        [
            {
                "uid": f"nhieu-{number}",
                "kind": "outreach",
                "topic": "Buổi cũ",
                "organiser_id": world.units["ward-1"].id,
                "starts_at": AT + (number - 1750) * span,
                "ends_at": AT + (number - 1750) * span + timedelta(hours=1),
                "venue_id": world.venue.id,
                "state": "published",
                "created_at": NOW,
                "modified_at": NOW,
            }
            for number in range(3500)
        ],
    )
    ids = [meeting.id for meeting in db.session.query(Meeting.id)]
    db.session.execute(
        insert(MeetingSpeaker),
        [{"meeting_id": each, "speaker_id": world.speaker.id} for each in ids],
    )
    db.session.commit()
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    began = perf_counter()
    found = clashes.clashes_of(wanted(venue_ids=frozenset({world.venue.id})), by=SYSTEM)
    assert kinds(found) == {("place", "block")}
    assert perf_counter() - began < 1
    assert len(seen) < 25
