"""Feeds: what they carry, that their bytes hold still, and that a revoked one is as if unknown."""

from datetime import timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from icalendar import Calendar
from sqlalchemy import event, text

from gateways.calendar import EventBlock, Organizer, event_block
from models import (
    Campaign,
    FeedToken,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingUnit,
    Person,
    RollEntry,
    Setting,
)
from rules.calendar import MeetingFacts
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotFound
from services import feed_choice, feed_meetings, feeds, meeting_facts
from services.feed_meetings import Feed
from services.prepared import Prepared
from services.speakers import SpeakerFacts, save_speaker
from services.transaction import writing
from services.venues import VenueFacts, save_venue
from tests.ics_lint import faults
from tests.services.post import publish
from tests.services.test_invitations import cancel, change, later
from tests.world import NOW, TODAY, World, add_meeting, build_world


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


def token_of(url: str) -> str:
    return url.rsplit("/", 1)[1].removesuffix(".ics")


@pytest.fixture
def token(world: World) -> str:
    return token_of(feeds.create_member_feed("DV001", now=NOW, by=SYSTEM))


def state(token: str, kind: str = "member", days: int = 0) -> Feed:
    return feeds.feed_state(token, kind=kind, now=NOW + timedelta(days=days))


def titles(content: bytes) -> list[str]:
    return [str(one["SUMMARY"]) for one in Calendar.from_ical(content).events]


def test_a_member_sees_their_meetings_and_nobody_elses(world: World, token: str) -> None:
    mine = add_meeting(world, at=NOW + timedelta(days=3))
    other = add_meeting(world, at=NOW + timedelta(days=4), invite=("cell-3",))
    draft = add_meeting(world, at=NOW + timedelta(days=5), state="draft")
    for meeting in (mine, other):
        publish(meeting, NOW)
    content = feeds.feed_content(state(token))
    assert faults(content) == []
    events = Calendar.from_ical(content).events
    assert [str(one["UID"]) for one in events] == [mine.uid]
    assert draft.uid.encode() not in content
    assert b"ATTENDEE" not in content
    assert titles(content) == ["Học tập"]


def test_a_member_may_have_full_titles(world: World, token: str, db: SQLAlchemy) -> None:
    publish(add_meeting(world, at=NOW + timedelta(days=3)), NOW)
    before = state(token)
    db.session.get_one(Person, world.people["chi"].id).neutral_titles = False
    db.session.commit()
    after = state(token)
    assert titles(feeds.feed_content(after)) == ["Học tập nghị quyết"]
    assert after.etag != before.etag


def test_an_unchanged_feed_keeps_its_tag_and_its_bytes(world: World, token: str) -> None:
    publish(add_meeting(world, at=NOW + timedelta(days=3)), NOW)
    first, second = (
        state(token),
        feeds.feed_state(token, kind="member", now=NOW + timedelta(hours=5)),
    )
    assert first.etag == second.etag
    assert first.modified_at == second.modified_at
    assert feeds.feed_content(first) == feeds.feed_content(second)


def test_a_moved_meeting_changes_the_tag_and_a_cancelled_one_stays_a_month(
    world: World, token: str
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    first = state(token)
    change(meeting, later, tell=False, minutes=5)
    second = state(token)
    assert second.etag != first.etag
    assert second.modified_at > first.modified_at
    assert b"SEQUENCE:1" in feeds.feed_content(second)
    cancel(meeting, minutes=9)
    off = feeds.feed_content(state(token))
    assert b"STATUS:CANCELLED" in off
    assert b"SEQUENCE:2" in off
    assert titles(feeds.feed_content(state(token, days=32))) == ["ĐÃ HUỶ: Học tập"]
    assert titles(feeds.feed_content(state(token, days=35))) == []


def test_a_place_or_speaker_renamed_reaches_the_calendars_without_asking_again(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    meeting.place = ""
    db.session.commit()
    publish(meeting, NOW)
    before = state(token)
    minutes = NOW + timedelta(minutes=5)
    facts = VenueFacts("Nhà văn hoá mới", "1 Lê Lợi", world.units["ward-1"].id)
    save_venue(world.venue.id, facts, now=minutes, by=SYSTEM)
    after = state(token)
    assert after.etag != before.etag
    assert after.modified_at > before.modified_at
    (event,) = Calendar.from_ical(feeds.feed_content(after)).events
    assert str(event["LOCATION"]) == "Nhà văn hoá mới, 1 Lê Lợi"
    assert event["SEQUENCE"] == 0
    speaker = SpeakerFacts("Lê Thị Khánh", level="ward", unit_id=world.units["ward-1"].id)
    save_speaker(world.speaker.id, speaker, now=minutes, by=SYSTEM)
    assert state(token).modified_at > after.modified_at


def test_a_feed_looked_at_again_costs_one_look_up_until_something_is_written_down(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    later_on = NOW + timedelta(hours=1)

    def asked(minutes: int) -> tuple[int, str]:
        statements: list[str] = []

        def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        db.session.rollback()
        event.listen(db.engine, "before_cursor_execute", count)
        at = later_on + timedelta(minutes=minutes)
        found = feeds.feed_state(token, kind="member", now=at)
        event.remove(db.engine, "before_cursor_execute", count)
        return len(statements), found.etag

    asked(0)
    _, before = asked(1)
    assert asked(2) == (1, before)
    change(meeting, later, tell=False, minutes=63)
    several, after = asked(4)
    assert several > 1
    assert after != before
    assert asked(5)[0] > 1, "somebody may still be writing what was noted earlier"
    asked(6)
    assert asked(7) == (1, after)
    covered(world, meeting, db, 0)
    assert asked(8)[1] != after, "a mark alone leaves no entry"
    settled, day_after = asked(24 * 60)
    assert settled > 1
    assert day_after == asked(24 * 60 + 1)[1]


def test_a_moved_meeting_is_written_once_however_many_subscribe(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = add_meeting(world, at=NOW + timedelta(days=3))
    others = [add_meeting(world, at=NOW + timedelta(days=4 + day)) for day in range(5)]
    for meeting in (moved, *others):
        publish(meeting, NOW)
    made = [feeds.create_member_feed("DV001", now=NOW, by=SYSTEM) for _ in range(20)]
    tokens = [token_of(one) for one in made]
    for each in tokens:
        feeds.feed_content(state(each))
    written: list[str] = []

    def counted(facts: MeetingFacts, organizer: Organizer) -> EventBlock:
        written.append(facts.uid)
        return event_block(facts, organizer)

    for module in (meeting_facts, feed_meetings):
        monkeypatch.setattr(module, "event_block", counted)
    change(moved, later, tell=False, minutes=5)
    contents = [feeds.feed_content(state(each)) for each in tokens]
    assert all(b"SEQUENCE:1" in one for one in contents)
    assert written == [moved.uid, moved.uid], "once with its title and once without"


def test_one_taken_off_the_list_no_longer_has_it_and_the_tag_changes(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    before = state(token)

    def other_cell(row: Meeting) -> None:
        db.session.delete(db.session.get_one(MeetingUnit, (row.id, world.units["cell-1"].id)))

    change(meeting, other_cell, tell=False, minutes=5)
    after = state(token)
    assert after.etag != before.etag
    assert after.modified_at > before.modified_at
    assert titles(feeds.feed_content(after)) == []


def test_a_member_of_a_point_sees_that_point(world: World, token: str, db: SQLAlchemy) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    point = MeetingPoint(meeting_id=meeting.id, name="Điểm cầu chi bộ 1")
    db.session.add(point)
    db.session.flush()
    row = db.session.get_one(MeetingUnit, (meeting.id, world.units["cell-1"].id))
    row.point_id = point.id
    db.session.commit()
    publish(meeting, NOW)
    content = feeds.feed_content(state(token))
    assert "LOCATION:Điểm cầu chi bộ 1" in content.decode()
    assert faults(content) == []


def test_a_unit_sees_its_own_its_lower_and_its_upper_units_meetings(world: World) -> None:
    token = token_of(feeds.create_unit_feed("DB1", now=NOW, by=SYSTEM))
    below = add_meeting(world, at=NOW + timedelta(days=3), invite=("cell-2",))
    above = add_meeting(world, at=NOW + timedelta(days=4), invite=("city",))
    content = feeds.feed_content(state(token, "unit"))
    found = {str(one["UID"]) for one in Calendar.from_ical(content).events}
    assert found == {below.uid, above.uid}
    assert faults(content) == []
    with pytest.raises(NotFound):
        state(token, "member")


def test_unknown_and_revoked_addresses_are_alike(world: World, token: str, db: SQLAlchemy) -> None:
    _, (row,) = feeds.member_feeds("DV001", now=NOW, by=SYSTEM)
    feeds.revoke_feed(row.id, now=NOW, by=SYSTEM)
    answers = []
    for one in (token, "unknown", ""):
        with pytest.raises(NotFound) as refused:
            state(one)
        answers.append(str(refused.value))
    assert len(set(answers)) == 1


def test_rotation_ends_the_old_address(world: World, token: str) -> None:
    new = token_of(feeds.create_member_feed("DV001", now=NOW, by=SYSTEM, rotate=True))
    with pytest.raises(NotFound):
        state(token)
    assert state(new).person_id == world.people["chi"].id
    _, rows = feeds.member_feeds("DV001", now=NOW, by=SYSTEM)
    assert [row.last_used_on is not None for row in rows] == [True]


def test_only_the_hash_of_an_address_is_kept(world: World, token: str, db: SQLAlchemy) -> None:
    row = db.session.query(FeedToken).one()
    assert token not in str(vars(row))


def test_staff_of_another_ward_cannot_make_an_address(world: World) -> None:
    stranger = Actor("Dũng", grants=(Grant("staff", world.units["ward-2"].id),))
    with pytest.raises(NotFound):
        feeds.create_member_feed("DV001", now=NOW, by=stranger)
    with pytest.raises(NotFound):
        feeds.create_unit_feed("CB1", now=NOW, by=stranger)


@pytest.mark.parametrize("count", [1, 60])
def test_the_work_for_a_304_and_for_a_feed_does_not_grow_by_query(
    world: World, token: str, db: SQLAlchemy, count: int
) -> None:
    for number in range(count):
        meeting = add_meeting(world, at=NOW + timedelta(days=1, hours=number * 3))
        db.session.add(
            Invitation(meeting_id=meeting.id, person_id=world.people["chi"].id, created_at=NOW)
        )
    db.session.commit()
    feeds.feed_content(state(token))
    db.session.rollback()
    queries: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        queries.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        known = state(token)
        for_state = len(queries)
        assert titles(feeds.feed_content(known)) == ["Học tập"] * count
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    selects = [one for one in queries if one.startswith("SELECT")]
    assert for_state <= 10
    assert len(selects) <= 13


def test_an_invitation_object_is_what_would_be_sent_now(world: World) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    content = feeds.invitation_object(meeting.id, now=NOW, by=SYSTEM, member_code="DV001")
    assert faults(content) == []
    assert b"METHOD:REQUEST" in content
    assert b"mailto:chi@test.invalid" in content.replace(b"\r\n ", b"")
    general = feeds.invitation_object(meeting.id, now=NOW, by=SYSTEM)
    assert faults(general) == []
    with pytest.raises(NotFound):
        feeds.invitation_object(meeting.id, now=NOW, by=SYSTEM, member_code="DV999")
    with writing() as session:
        session.get_one(Meeting, meeting.id).state = "cancelled"
    off = feeds.invitation_object(meeting.id, now=NOW, by=SYSTEM, member_code="DV001")
    assert b"METHOD:CANCEL" in off


def covered(world: World, meeting: Meeting, db: SQLAlchemy, days: int) -> None:
    """Chi has done the study of the meeting's campaign so many days from now."""
    unit = world.units["cell-1"].id
    campaign = Campaign(
        code="NQ4",
        title="Nghị quyết",
        opens_on=TODAY,
        deadline_on=TODAY + timedelta(days=60),
        cutoff_on=TODAY,
        owner_unit_id=world.units["ward-1"].id,
        state="open",
        created_at=NOW,
    )
    db.session.add(campaign)
    db.session.flush()
    db.session.add(
        RollEntry(
            campaign_id=campaign.id,
            population="members",
            person_id=world.people["chi"].id,
            unit_id=unit,
            grassroots_id=unit,
            covered_on=TODAY + timedelta(days=days),
            covered_round="main",
        )
    )
    db.session.get_one(Meeting, meeting.id).campaign_id = campaign.id
    db.session.commit()


def test_an_obligation_met_already_is_marked_or_leaves_the_feed(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    before = state(token)
    covered(world, meeting, db, days=1)
    after = state(token)
    assert after.etag != before.etag
    content = feeds.feed_content(after)
    assert titles(content) == ["Đã học: Học tập"]
    assert faults(content) == []
    (event,) = Calendar.from_ical(content).events
    assert meeting.modified_at < event.LAST_MODIFIED
    db.session.add(Setting(key="feed_marks_done", value="0"))
    db.session.commit()
    gone = state(token)
    assert gone.etag != after.etag
    assert titles(feeds.feed_content(gone)) == []


def test_the_meeting_at_which_the_study_was_done_stays_as_it_is(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    covered(world, meeting, db, days=3)
    assert titles(feeds.feed_content(state(token))) == ["Học tập"]


def test_a_feed_stays_under_a_megabyte_and_keeps_the_latest(
    world: World, token: str, db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch
) -> None:
    meetings = [add_meeting(world, at=NOW + timedelta(days=number)) for number in (1, 2, 3)]
    for meeting in meetings:
        publish(meeting, NOW)
    whole = feeds.feed_content(state(token))
    monkeypatch.setattr(feed_meetings, "FEED_OCTETS", len(whole) - 800)
    cut = feeds.feed_content(state(token))
    assert len(cut) < len(whole)
    assert meetings[0].uid.encode() not in cut.replace(b"\r\n ", b"")
    assert meetings[2].uid.encode() in cut.replace(b"\r\n ", b"")
    assert faults(cut) == []


def test_a_feed_of_too_many_meetings_keeps_the_last_ones(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meetings = [add_meeting(world, at=NOW + timedelta(days=number)) for number in (3, 1, 2, 4)]
    for meeting in meetings:
        publish(meeting, NOW)
    monkeypatch.setattr(feed_choice, "FEED_EVENTS", 2)
    # The statements are written down once, with the number that stood there then.
    for statements in (feed_choice._KEPT_EVENTS, feed_choice._LAST_EVENTS):
        for form, statement in statements.items():
            monkeypatch.setitem(statements, form, Prepared(statement._make))
    events = Calendar.from_ical(feeds.feed_content(state(token))).events
    assert [str(one["UID"]) for one in events] == [meetings[0].uid, meetings[3].uid]


def test_an_event_leads_to_its_page_and_to_nothing_secret(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    page = f"http://127.0.0.1:5000/meetings/{meeting.id}"
    content = feeds.feed_content(state(token))
    (told,) = Calendar.from_ical(content).events
    assert (told["URL"], told["SUMMARY"], told["SEQUENCE"]) == (page, "Học tập", 0)
    assert "CATEGORIES" not in told, "the kind of meeting would say what a neutral title hides"
    mailed = feeds.invitation_object(meeting.id, now=NOW, by=SYSTEM, member_code="DV001")
    (told,) = Calendar.from_ical(mailed).events
    assert told["URL"] == page
    assert b"/replies/" not in mailed.replace(b"\r\n ", b"")
    for name in ("CREATED", "LAST-MODIFIED", "DTSTAMP", "ORGANIZER", "UID"):
        assert name in told, name
    assert b"COLOR:" in content
    db.session.get_one(Person, world.people["chi"].id).neutral_titles = False
    db.session.commit()
    (told,) = Calendar.from_ical(feeds.feed_content(state(token))).events
    assert "Học nghị quyết" in feeds.feed_content(state(token)).decode()


def test_events_kept_by_an_older_program_are_written_anew_without_a_new_revision(
    world: World, token: str, db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    before = state(token)
    now_written = feeds.feed_content(before)
    with monkeypatch.context() as older:
        older.setattr(meeting_facts, "BLOCK_VERSION", 2)
        meeting_facts._office_stamp.cache_clear()
        with writing() as session:
            row = session.get_one(Meeting, meeting.id)
            meeting_facts.keep_blocks(row, meeting_facts.organizer_of(session))
            assert row.neutral_block is not None
            row.neutral_block = row.neutral_block.replace(b"URL:", b"X-OLD:")
            assert b"X-OLD" in row.neutral_block
        old = state(token)
    meeting_facts._office_stamp.cache_clear()
    assert old.etag != before.etag
    feeds._store().forget(before.token_hash)
    after = state(token)
    assert after.etag == before.etag
    assert feeds.feed_content(after) == now_written


@pytest.mark.backends("postgresql")
def test_kept_events_are_known_again_whatever_zone_the_database_speaks_in(
    world: World, token: str, db: SQLAlchemy
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=3))
    publish(meeting, NOW)
    wanted = state(token).choice
    found = []
    for zone in ("UTC", "Asia/Ho_Chi_Minh"):
        db.session.execute(text(f"SET LOCAL TIME ZONE '{zone}'"))
        (row,) = feed_choice.kept_rows(db.session(), wanted, is_neutral=True)
        found.append((row.modified, row.starts))
    assert found[0] == found[1]
    assert found[0][1].startswith(f"{meeting.starts_at:%Y-%m-%d %H:%M:%S}")
