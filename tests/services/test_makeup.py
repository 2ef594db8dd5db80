"""Make-up in one action: exactly the missing are invited, and their presence counts at home."""

from datetime import date, time, timedelta

import pytest

from models import Invitation, Meeting, OutgoingMessage
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotFound, Refusal
from services import campaigns, coverage, coverage_ledger, makeup
from tests import world
from tests.services import campaign_plans as plans

AT = instant(date(2026, 11, 28), time(7, 30))


@pytest.fixture
def city(db):
    return world.build_world()


def called(city, code, *, by=SYSTEM, **values):
    values.setdefault("topic", "Học bù nghị quyết")
    values.setdefault("organiser_id", city.units["ward-1"].id)
    values.setdefault("venue_id", city.venue.id)
    call = makeup.MakeupCall(AT, AT + timedelta(hours=2), **values)
    return makeup.call_makeup(code, call, now=world.NOW, by=by)


def invited(db, meeting_id):
    rows = db.session.query(Invitation).filter_by(meeting_id=meeting_id)
    return {row.person_id for row in rows}


def test_exactly_the_missing_are_invited_and_presence_counts_to_the_campaign(db, city):
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    result = called(city, code, speaker_ids=(city.speaker.id,))
    [meeting_id] = result.meeting_ids
    assert result.invited == 5
    expected = {person.id for name, person in city.people.items() if name != "chi"}
    assert invited(db, meeting_id) == expected
    meeting = db.session.get(Meeting, meeting_id)
    assert (meeting.kind, meeting.is_makeup, meeting.state) == ("study", True, "draft")
    plans.attend(meeting, city.people["hien"])
    meeting.state = "published"
    db.session.flush()
    coverage_ledger.refresh_meeting(db.session(), meeting.id)
    db.session.commit()
    figure = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY).members
    assert (figure.covered_main, figure.covered_makeup) == (1, 1)


def test_one_unit_alone_can_be_called(db, city):
    code = plans.opened(city)
    result = called(city, code, unit="CB1")
    assert invited(db, result.meeting_ids[0]) == {
        city.people[name].id for name in ("chi", "hien", "anh")
    }


def test_a_full_hall_makes_several_sittings_on_following_days(db, city):
    code = plans.opened(city)
    result = called(city, code, seats=2)
    days = [db.session.get(Meeting, meeting_id).starts_at for meeting_id in result.meeting_ids]
    assert days == [AT, AT + timedelta(days=1), AT + timedelta(days=2)]
    everybody = [invited(db, meeting_id) for meeting_id in result.meeting_ids]
    assert sum(map(len, everybody)) == len(set.union(*everybody)) == 6


def test_who_is_invited_already_is_not_invited_twice(city):
    code = plans.opened(city)
    called(city, code, unit="CB1")
    candidates = makeup.makeup_candidates(code, now=world.NOW, by=SYSTEM)
    assert (len(candidates.to_invite), candidates.invited_already) == (3, 3)
    assert called(city, code).invited == 3
    with pytest.raises(Refusal, match="Không còn ai"):
        called(city, code)


def test_publishing_at_once_tells_the_invited(db, city):
    code = plans.opened(city)
    result = called(city, code, unit="CB1", publish=True)
    assert db.session.get(Meeting, result.meeting_ids[0]).state == "published"
    assert invited(db, result.meeting_ids[0]) == {
        city.people[name].id for name in ("chi", "hien", "anh")
    }
    told = db.session.query(OutgoingMessage).filter_by(meeting_id=result.meeting_ids[0])
    assert told.count() == 1


def test_staff_of_a_ward_call_only_their_own_people(db, city):
    code = plans.opened(city)
    dung = Actor(name="Dũng", grants=(Grant("staff", city.units["ward-2"].id),))
    with pytest.raises(NotFound):
        called(city, code, by=dung)
    result = called(
        city, code, by=dung, organiser_id=city.units["ward-2"].id, venue_id=None, place="Hội trường"
    )
    assert invited(db, result.meeting_ids[0]) == {city.people["hoa"].id, city.people["em"].id}


def test_a_reader_of_everything_who_is_staff_of_one_ward_calls_only_that_ward(city):
    code = plans.opened(city)
    mixed = Actor(name="x", grants=(Grant("reader"), Grant("staff", city.units["ward-2"].id)))
    assert len(makeup.makeup_candidates(code, now=world.NOW, by=mixed).to_invite) == 2


def test_a_closed_campaign_calls_nobody(city):
    code = plans.opened(city)
    campaigns.close_campaign(code, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="đã đóng"):
        called(city, code)
