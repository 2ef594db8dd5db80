"""A meeting's life: drafts change quietly, guests hear of the rest once, clashes are seen."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from models import AuditEntry, Invitation, Meeting, OutgoingMessage
from rules.days import instant
from rules.permissions import Actor, Grant
from rules.refusals import Malformed, NotAllowed, NotFound, Refusal
from services import meeting_lists, meetings
from services.meeting_fields import MeetingFields, PointFields
from services.meeting_lists import MeetingFilter
from tests.world import NOW, TODAY, World, add_meeting, build_world

TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def staff(world: World, ward: int = 1) -> Actor:
    unit = world.units[f"ward-{ward}"]
    account = world.accounts["an" if ward == 1 else "dung"]
    return Actor(name=account.name, account_id=account.id, grants=(Grant("staff", unit.id),))


def reader(world: World) -> Actor:
    return Actor(
        name="Đọc",
        account_id=world.accounts["doc"].id,
        grants=(Grant("reader", world.units["city"].id),),
    )


def fields(world: World, **values: Any) -> MeetingFields:
    made = MeetingFields(
        kind="study",
        topic="Học nghị quyết Đại hội",
        starts_at=instant(TOMORROW, time(7, 30)),
        ends_at=instant(TOMORROW, time(11)),
        organiser_id=world.units["ward-1"].id,
        venue_id=world.venue.id,
        speaker_ids=(world.speaker.id,),
        unit_ids=(world.units["cell-1"].id,),
    )
    return replace(made, **values)


def create(world: World, **values: Any) -> int:
    return meetings.create_meeting(fields(world, **values), now=NOW, by=staff(world))


def publish(world: World, *ids: int, **values: Any) -> int:
    return meetings.publish_meetings(ids, now=NOW, by=staff(world), **values)


def meeting(db: Any, meeting_id: int) -> Meeting:
    found = db.session.get(Meeting, meeting_id, populate_existing=True)
    assert found is not None
    return found


def mails(db: Any, kind: str) -> int:
    rows = db.session.scalars(select(OutgoingMessage).where(OutgoingMessage.kind == kind))
    return len(rows.all())


def test_a_new_meeting_is_a_draft_nobody_hears_of(world: World, db: Any) -> None:
    found = meeting(db, create(world))
    assert (found.state, found.sequence) == ("draft", 0)
    assert db.session.scalars(select(OutgoingMessage)).all() == []
    assert db.session.scalars(select(Invitation)).all() == []


def test_what_was_filled_in_reads_back_the_same(world: World) -> None:
    wanted = fields(
        world,
        person_codes=("DV004",),
        points=(PointFields("Điểm chính", world.venue.id, "Bí thư"),),
        capacity=50,
        chair="Đồng chí Bí thư",
    )
    meeting_id = meetings.create_meeting(wanted, now=NOW, by=staff(world))
    found = meetings.meeting_fields(meeting_id, now=NOW, by=staff(world))
    assert replace(found, points=()) == replace(wanted, points=())
    assert [point.name for point in found.points] == ["Điểm chính"]


def test_publishing_tells_each_guest_once(world: World, db: Any) -> None:
    meeting_id = create(world)
    assert publish(world, meeting_id) == 1
    assert meeting(db, meeting_id).state == "published"
    sent = mails(db, "request")
    assert sent > 0
    with pytest.raises(Refusal):
        publish(world, meeting_id)
    assert mails(db, "request") == sent


def test_several_drafts_are_published_together_or_not_at_all(world: World, db: Any) -> None:
    good = create(world, speaker_ids=(), venue_id=None, place="Nhà văn hoá")
    placeless = create(world, speaker_ids=(), venue_id=None)
    with pytest.raises(Refusal):
        publish(world, good, placeless)
    assert meeting(db, good).state == "draft"


def test_a_taken_place_stops_publishing_but_not_saving(world: World, db: Any) -> None:
    add_meeting(world, at=instant(TOMORROW, time(8)))
    meeting_id = create(world)
    with pytest.raises(Refusal, match="Hội trường phường Một"):
        publish(world, meeting_id)
    publish(world, meeting_id, override_reason="Hội trường có hai phòng")
    entry = db.session.scalar(
        select(AuditEntry).where(AuditEntry.action == "published", AuditEntry.entity == "meeting")
    )
    assert entry is not None
    assert entry.reason == "Hội trường có hai phòng"


def test_a_new_time_is_told_whatever_was_chosen(world: World, db: Any) -> None:
    meeting_id = create(world)
    publish(world, meeting_id)
    before = meeting(db, meeting_id).sequence
    later = fields(
        world,
        starts_at=instant(TOMORROW, time(13, 30)),
        ends_at=instant(TOMORROW, time(16)),
    )
    db.session.query(OutgoingMessage).update({"state": "sent"})
    db.session.commit()
    changes = meetings.save_meeting(meeting_id, later, tell=False, now=NOW, by=staff(world))
    assert {change.field for change in changes} == {"starts_at", "ends_at"}
    assert meeting(db, meeting_id).sequence == before + 1
    assert mails(db, "update") > 0


def test_a_corrected_word_is_told_only_when_asked(world: World, db: Any) -> None:
    meeting_id = create(world)
    publish(world, meeting_id)
    db.session.query(OutgoingMessage).update({"state": "sent"})
    db.session.commit()
    corrected = fields(world, topic="Học nghị quyết Đại hội XIV")
    meetings.save_meeting(meeting_id, corrected, tell=False, now=NOW, by=staff(world))
    found = meeting(db, meeting_id)
    assert (found.topic, found.sequence, mails(db, "update")) == (corrected.topic, 0, 0)


def test_somebody_elses_change_is_not_overwritten(world: World, db: Any) -> None:
    meeting_id = create(world)
    seen_at = meeting(db, meeting_id).modified_at
    meetings.save_meeting(meeting_id, fields(world, topic="Một"), now=NOW, by=staff(world))
    with pytest.raises(Refusal, match="người khác sửa"):
        meetings.save_meeting(
            meeting_id, fields(world, topic="Hai"), seen_at=seen_at, now=NOW, by=staff(world)
        )


def test_a_draft_moves_at_once_and_a_published_one_asks(world: World, db: Any) -> None:
    meeting_id = create(world)
    to = instant(TOMORROW, time(14)), instant(TOMORROW, time(16))
    add_meeting(world, at=to[0])
    clashes = meetings.move_meeting(meeting_id, *to, now=NOW, by=staff(world))
    assert {clash.kind for clash in clashes} >= {"place", "speaker", "unit"}
    publish(world, meeting_id, override_reason="vẫn họp")
    with pytest.raises(Refusal, match="đã công bố"):
        meetings.move_meeting(meeting_id, *to, now=NOW, by=staff(world))


def test_cancelling_needs_a_reason_and_tells_the_told(world: World, db: Any) -> None:
    meeting_id = create(world)
    publish(world, meeting_id)
    db.session.query(OutgoingMessage).update({"state": "sent"})
    db.session.commit()
    with pytest.raises(Refusal):
        meetings.cancel_meeting(meeting_id, " ", now=NOW, by=staff(world))
    meetings.cancel_meeting(meeting_id, "Mưa bão", now=NOW, by=staff(world))
    found = meeting(db, meeting_id)
    assert (found.state, found.state_reason, found.sequence) == ("cancelled", "Mưa bão", 1)
    assert mails(db, "cancel") > 0


def test_what_did_not_take_place_has_a_reason_and_no_visits(world: World, db: Any) -> None:
    held = add_meeting(world, at=NOW - timedelta(hours=5))
    with pytest.raises(Refusal):
        meetings.mark_not_held(held.id, "", now=NOW, by=staff(world))
    db.session.query(Meeting).filter_by(id=held.id).update({"visits_count": 3})
    db.session.commit()
    with pytest.raises(Refusal, match="3 lượt"):
        meetings.mark_not_held(held.id, "Mất điện", now=NOW, by=staff(world))
    db.session.query(Meeting).filter_by(id=held.id).update({"visits_count": 0})
    db.session.commit()
    meetings.mark_not_held(held.id, "Mất điện", now=NOW, by=staff(world))
    assert meeting(db, held.id).state == "not_held"


def test_only_a_draft_can_be_deleted(world: World, db: Any) -> None:
    meeting_id = create(world, person_codes=("DV001",))
    meetings.delete_draft(meeting_id, now=NOW, by=staff(world))
    assert db.session.get(Meeting, meeting_id) is None
    published = create(world)
    publish(world, published)
    with pytest.raises(Refusal):
        meetings.delete_draft(published, now=NOW, by=staff(world))


def test_another_ward_neither_sees_nor_changes_it(world: World) -> None:
    meeting_id = create(world)
    dung = staff(world, 2)
    with pytest.raises(NotFound):
        meeting_lists.meeting_view(meeting_id, now=NOW, by=dung)
    with pytest.raises(NotFound):
        meetings.save_meeting(meeting_id, fields(world), now=NOW, by=dung)


def test_a_reader_sees_and_does_not_change(world: World) -> None:
    meeting_id = create(world)
    view = meeting_lists.meeting_view(meeting_id, now=NOW, by=reader(world))
    assert not view.may_edit
    with pytest.raises(NotFound):
        meetings.cancel_meeting(meeting_id, "vì", now=NOW, by=reader(world))
    with pytest.raises(NotAllowed):
        meetings.create_meeting(fields(world), now=NOW, by=reader(world))


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "  "},
        {"online_url": "javascript:alert(1)"},
        {"capacity": 0},
        {"venue_id": 999},
        {"speaker_ids": (999,)},
        {"person_codes": ("KHONGCO",)},
        {"person_codes": ("DV005",)},
        {"kind": "class"},
        {"is_makeup": True},
        {"is_thematic": True},
        {"campaign_id": 999},
        {"points": (PointFields("", 1),)},
        {"place": "x" * 301},
    ],
)
def test_what_is_filled_in_wrongly_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        create(world, **wrong)


def test_a_unit_outside_the_scope_cannot_be_invited(world: World) -> None:
    with pytest.raises(Malformed, match="ngoài phạm vi"):
        create(world, unit_ids=(world.units["cell-3"].id,))


def test_people_invited_twice_are_noticed(world: World) -> None:
    add_meeting(world, at=instant(TOMORROW, time(8)), invite=("cell-1",), state="draft")
    found = meetings.planned_clashes(
        fields(world, venue_id=None, speaker_ids=(), unit_ids=(world.units["ward-1"].id,)),
        now=NOW,
        by=staff(world),
    )
    assert [clash.kind for clash in found] == ["unit"]
    assert all(not clash.is_block for clash in found)


def test_a_clash_with_a_strangers_meeting_hides_its_topic(world: World) -> None:
    add_meeting(world, at=instant(TOMORROW, time(8)), topic="Chuyện riêng")
    found = meetings.planned_clashes(
        fields(world, organiser_id=world.units["ward-2"].id, unit_ids=()),
        now=NOW,
        by=staff(world, 2),
    )
    assert {clash.kind for clash in found} == {"place", "speaker"}
    assert all("Chuyện riêng" not in clash.text for clash in found)


def test_the_list_finds_without_marks_and_filters(world: World) -> None:
    create(world)
    add_meeting(world, at=instant(date(2026, 12, 24), time(19)), kind="outreach", topic="Biển đảo")
    by = staff(world)

    def topics(**wanted: Any) -> list[str]:
        page = meeting_lists.meeting_page(MeetingFilter(**wanted), now=NOW, by=by)
        return [line.topic for line in page.lines]

    assert topics(words="dai hoi") == ["Học nghị quyết Đại hội"]
    assert topics(kind="outreach") == ["Biển đảo"]
    assert topics(first_on=date(2026, 12, 1)) == ["Biển đảo"]
    assert topics(state="draft") == ["Học nghị quyết Đại hội"]
    assert topics(unit_id=world.units["cell-1"].id) == ["Học nghị quyết Đại hội", "Biển đảo"]
    assert topics(words="tran binh") == ["Học nghị quyết Đại hội", "Biển đảo"]


def test_a_register_not_taken_is_found_once_its_meeting_is_over(world: World) -> None:
    over = add_meeting(world, at=NOW - timedelta(hours=4))
    add_meeting(world, at=NOW - timedelta(hours=1))
    page = meeting_lists.meeting_page(
        MeetingFilter(register_missing=True), now=NOW, by=staff(world)
    )
    assert [line.id for line in page.lines] == [over.id]


def test_past_times_are_not_published(world: World) -> None:
    at: datetime = NOW - timedelta(days=1)
    past = create(world, starts_at=at, ends_at=at + timedelta(hours=1))
    with pytest.raises(Refusal, match="qua giờ"):
        publish(world, past)
