"""Reminders and the chasing of what is left undone, on the rows they leave."""

from datetime import UTC, datetime, timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import (
    CallListEntry,
    Campaign,
    Invitation,
    Meeting,
    OutgoingMessage,
    Person,
    ReminderRule,
    RollEntry,
    Speaker,
)
from rules.refusals import NotFound
from services import reminders
from services.clock import first_run
from services.letters import opt_out_url
from services.transaction import writing
from tests.services.post import Postman, deliver, messages, publish
from tests.services.test_invitations import cancel, change, later
from tests.world import NOW, World, add_meeting, build_world

CHI, BINH, AN = "chi@test.invalid", "binh@test.invalid", "an@test.invalid"
START = NOW + timedelta(days=10)


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    reminders.make_usual_rules(now=NOW)
    return build_world()


@pytest.fixture
def meeting(world: World, db: SQLAlchemy) -> Meeting:
    planned = add_meeting(world, at=START, published_at=NOW)
    publish(planned, NOW)
    deliver(Postman(), NOW)
    return planned


def reminded(meeting: Meeting) -> list[tuple[str, str]]:
    return [(to, state) for kind, to, state in messages(meeting) if kind == "reminder"]


def test_the_usual_rules_are_made_once(world: World, db: SQLAlchemy) -> None:
    reminders.make_usual_rules(now=NOW)
    assert sorted(db.session.scalars(select(ReminderRule.minutes_before))) == [120, 1440, 10080]


def test_three_reminders_go_out_before_a_meeting_each_once(meeting: Meeting) -> None:
    postman = Postman()
    for hours in (-8 * 24, -7 * 24, -7 * 24 + 1, -24, -23, -2, -1, 0, 1):
        at = START + timedelta(hours=hours)
        reminders.remind(now=at)
        reminders.remind(now=at)
        deliver(postman, at)
    assert len(postman.mails(CHI)) == 3
    assert len(postman.mails(BINH)) == 3
    (first, *_) = postman.mails(CHI)
    assert first["Subject"].startswith("Nhắc: Học tập (")
    assert postman.calendars(CHI) == []


def test_a_clock_that_was_down_reminds_only_of_the_nearest(meeting: Meeting) -> None:
    reminders.remind(now=START - timedelta(hours=1, minutes=30))
    assert [to for to, _ in reminded(meeting)] == [CHI, BINH]
    reminders.remind(now=START + timedelta(minutes=1))
    assert len(reminded(meeting)) == 2


def test_of_two_reminders_due_after_an_outage_only_the_nearer_leaves(
    meeting: Meeting, db: SQLAlchemy
) -> None:
    """The mail server was away since before the first fell due, the clock was not."""
    reminders.remind(now=START - timedelta(days=1))
    reminders.remind(now=START - timedelta(hours=2))
    postman = Postman()
    deliver(postman, START - timedelta(hours=1, minutes=50))
    assert sorted(to for to, _ in postman.kept) == [BINH, CHI]
    assert reminded(meeting) == [
        (CHI, "dropped"),
        (BINH, "dropped"),
        (CHI, "sent"),
        (BINH, "sent"),
    ]
    reasons = select(OutgoingMessage.last_error).where(OutgoingMessage.state == "dropped")
    assert set(db.session.scalars(reasons)) == {"Đã có thư nhắc gần giờ họp hơn."}


def test_a_moved_meeting_is_reminded_of_anew_and_the_old_reminder_does_not_leave(
    meeting: Meeting,
) -> None:
    reminders.remind(now=START - timedelta(days=1))
    change(meeting, later, tell=False, minutes=9 * 24 * 60 + 30)
    postman = Postman()
    deliver(postman, START - timedelta(hours=23, minutes=20))
    subjects = [mail["Subject"] for mail in postman.mails(CHI)]
    assert [subject.split(":")[0] for subject in subjects] == ["Thay đổi"]
    assert reminders.remind(now=START - timedelta(hours=22)) == 2


def test_a_cancelled_meeting_takes_its_waiting_reminders_with_it(meeting: Meeting) -> None:
    reminders.remind(now=START - timedelta(days=7))
    cancel(meeting, minutes=3 * 24 * 60 + 1)
    postman = Postman()
    deliver(postman, START - timedelta(days=6))
    assert [mail["Subject"].split(":")[0] for mail in postman.mails(CHI)] == ["Huỷ"]
    assert reminders.remind(now=START - timedelta(days=1)) == 0


def test_who_declined_or_opted_out_is_not_reminded(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    signed = opt_out_url(world.people["chi"].id).rsplit("/", 1)[1]
    reminders.opt_out(signed, wants=False, now=NOW)
    assert not reminders.wants_reminders(signed)
    assert reminders.remind(now=START - timedelta(days=7)) == 1
    reminders.opt_out(signed, wants=True, now=NOW)
    row = db.session.scalar(
        select(Invitation).where(Invitation.person_id == world.people["chi"].id)
    )
    assert row is not None
    row.reply = "declined"
    db.session.commit()
    assert reminders.remind(now=START - timedelta(days=1)) == 1
    with pytest.raises(NotFound):
        reminders.wants_reminders(signed + "x")


def test_one_who_opts_out_after_the_reminder_was_written_does_not_get_it(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    reminders.remind(now=START - timedelta(days=7))
    db.session.get_one(Person, world.people["chi"].id).wants_reminders = False
    db.session.commit()
    postman = Postman()
    deliver(postman, START - timedelta(days=7))
    assert postman.mails(CHI) == []
    assert (CHI, "dropped") in reminded(meeting)


def test_a_reminder_links_to_its_answer_and_to_the_end_of_reminders(meeting: Meeting) -> None:
    reminders.remind(now=START - timedelta(days=7))
    postman = Postman()
    deliver(postman, START - timedelta(days=7))
    (mail,) = postman.mails(CHI)
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    text = body.get_content()
    assert "/replies/" in text
    assert "/reminders/" in text


def test_a_register_nobody_took_is_chased_once_a_day(world: World, db: SQLAlchemy) -> None:
    past = add_meeting(world, at=NOW - timedelta(hours=6))
    add_meeting(world, at=NOW - timedelta(hours=6), register_state="submitted")
    add_meeting(world, at=NOW - timedelta(days=9))
    slot = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert reminders.chase_registers(slot, now=slot) == 1
    assert reminders.chase_registers(slot, now=slot) == 0
    sent = db.session.execute(
        select(OutgoingMessage.kind, OutgoingMessage.to_address).order_by(OutgoingMessage.id)
    ).all()
    assert [tuple(row) for row in sent] == [("chase", BINH), ("chase", AN)]
    postman = Postman()
    assert deliver(postman, slot).sent == 2
    assert past.topic in postman.mails(BINH)[0]["Subject"]


def test_a_speaker_without_an_address_is_chased_by_phone(world: World, db: SQLAlchemy) -> None:
    db.session.get_one(Speaker, world.speaker.id).email = None
    db.session.commit()
    add_meeting(world, at=NOW - timedelta(hours=6))
    reminders.chase_registers(NOW, now=NOW)
    (call,) = db.session.scalars(select(CallListEntry))
    assert (call.kind, call.speaker_id) == ("chase", world.speaker.id)


def add_campaign_of_two(world: World, db: SQLAlchemy, days_left: int) -> None:
    """An open campaign of ward 1 with two members to study and nobody covered, on a Monday."""
    today = datetime(2026, 11, 23, tzinfo=UTC).date()
    campaign = Campaign(
        code="NQ1",
        title="Nghị quyết 1",
        owner_unit_id=world.units["ward-1"].id,
        opens_on=today - timedelta(days=30),
        deadline_on=today + timedelta(days=days_left),
        cutoff_on=today - timedelta(days=30),
        state="open",
        created_at=NOW,
        household_counting="none",
    )
    db.session.add(campaign)
    db.session.flush()
    for name in ("chi", "hien"):
        db.session.add(
            RollEntry(
                campaign_id=campaign.id,
                population="members",
                person_id=world.people[name].id,
                unit_id=world.units["cell-1"].id,
                grassroots_id=world.units["ward-1"].id,
            )
        )
    db.session.commit()


def test_staff_are_warned_of_a_target_that_is_not_met(world: World, db: SQLAlchemy) -> None:
    add_campaign_of_two(world, db, days_left=7)
    slot = NOW - timedelta(hours=8)
    assert reminders.warn_of_risk(slot, now=NOW) == 1
    assert reminders.warn_of_risk(slot, now=NOW) == 0
    postman = Postman()
    deliver(postman, NOW)
    (mail,) = postman.mails(AN)
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    assert "còn thiếu 2 để đạt 95%" in body.get_content()


def test_staff_are_warned_each_monday_once_planned_seats_cannot_close_the_gap(
    world: World, db: SQLAlchemy
) -> None:
    add_campaign_of_two(world, db, days_left=20)
    for day in (NOW, NOW + timedelta(days=1), NOW + timedelta(days=2)):
        reminders.warn_of_risk(day - timedelta(hours=8), now=day)
    postman = Postman()
    deliver(postman, NOW + timedelta(days=2))
    (mail,) = postman.mails(AN)
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    assert "chỉ có 0 chỗ, thiếu 2 chỗ" in body.get_content()


def test_a_slot_happens_once_and_only_with_its_effect(db: SQLAlchemy) -> None:
    def broken() -> None:
        with writing() as session:
            assert first_run(session, "job", NOW, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    for expected in (True, False):
        with writing() as session:
            assert first_run(session, "job", NOW, now=NOW) is expected
