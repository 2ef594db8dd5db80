"""A member sees what is kept, asks, chooses; staff answer in time; nothing leaks to others."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from models import AuditEntry, ChannelChoice, DataLink, OutgoingMessage, Person
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal, TooManyAttempts
from services import exports, feeds, invitations, own_data, privacy, privacy_desk, retention
from services.breach import BreachReport, breach_report
from services.tokens import token_hash
from tests import world
from tests.services import campaign_plans as plans
from tests.world import NOW


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


def staff_of(city: world.World, unit: str) -> Actor:
    who = {"ward-1": "an", "ward-2": "dung"}[unit]
    account = city.accounts[who]
    return Actor(account.name, account.id, (Grant("staff", city.units[unit].id),))


def token_for(city: world.World, who: str = "chi") -> str:
    url = privacy.make_link(city.people[who].id, now=NOW, by=staff_of(city, "ward-1"))
    return url.rpartition("/")[2]


def test_the_page_tells_everything_kept(city: world.World) -> None:
    code = plans.opened(city)
    meeting = plans.sitting(city, code)
    plans.attend(meeting, city.people["chi"])
    privacy.note_view(city.people["chi"].id, now=NOW, by=staff_of(city, "ward-1"))
    exports.missing_list(code, now=NOW, by=SYSTEM)
    data = own_data.own_data(token_for(city), now=NOW)
    assert (data.name, data.email, data.birth_year) == ("Đỗ Thị Kim Chi", "chi@test.invalid", 1970)
    assert [one.text for one in data.memberships] == ["Chi bộ 1"]
    assert [(one.title, one.covered_on) for one in data.studies] == [
        ("Nghị quyết thử nghiệm", world.TODAY)
    ]
    assert [one.status for one in data.sittings] == ["present"]
    assert [one.by_name for one in data.seen if one.action == "viewed"] == ["Nguyễn Văn An"]


def test_an_exported_list_is_told_to_those_on_it_only(city: world.World) -> None:
    code = plans.opened(city)
    plans.attend(plans.sitting(city, code), city.people["chi"])
    exports.missing_list(code, now=NOW, by=SYSTEM)
    seen = {
        who: [one.action for one in own_data.own_data(token_for(city, who), now=NOW).seen]
        for who in ("chi", "hien")
    }
    assert "exported" not in seen["chi"]
    assert "exported" in seen["hien"]


def test_the_link_is_kept_as_a_hash_and_ends_when_told(city: world.World, db: Any) -> None:
    token = token_for(city)
    assert db.session.scalar(select(DataLink.token_hash)) == token_hash(token)
    own_data.own_data(token, now=NOW)
    assert db.session.scalar(select(DataLink.last_used_on)) == world.TODAY
    link_id = db.session.scalar(select(DataLink.id))
    with pytest.raises(NotFound):
        privacy.revoke_link(link_id, now=NOW, by=staff_of(city, "ward-2"))
    privacy.revoke_link(link_id, now=NOW, by=staff_of(city, "ward-1"))
    for wrong in (token, "x" * 43, ""):
        with pytest.raises(NotFound):
            own_data.own_data(wrong, now=NOW)


def test_the_link_ends_after_ninety_days_or_by_its_holder(city: world.World) -> None:
    token = token_for(city)
    own_data.own_data(token, now=NOW + timedelta(days=89))
    with pytest.raises(NotFound):
        own_data.own_data(token, now=NOW + timedelta(days=91))
    privacy.close_own_link(token, now=NOW)
    with pytest.raises(NotFound):
        own_data.own_data(token, now=NOW)


def test_only_staff_of_the_unit_make_links(city: world.World) -> None:
    with pytest.raises(NotFound):
        privacy.make_link(city.people["chi"].id, now=NOW, by=staff_of(city, "ward-2"))


def test_from_the_calendar_page_the_link_goes_to_the_address_on_file(
    city: world.World, db: Any
) -> None:
    url = feeds.create_member_feed("DV001", now=NOW, by=SYSTEM)
    token = url.rpartition("/")[2].removesuffix(".ics")
    for _ in range(3):
        privacy.mail_link_by_feed(token, now=NOW)
    with pytest.raises(TooManyAttempts):
        privacy.mail_link_by_feed(token, now=NOW)
    sent = db.session.scalars(select(OutgoingMessage)).all()
    assert {one.to_address for one in sent} == {"chi@test.invalid"}
    for one in sent:
        one.state = "sent"
    db.session.commit()
    retention.forget_sent_secrets()
    assert db.session.scalar(select(func.max(func.length(OutgoingMessage.body)))) == 0


def test_a_request_runs_against_its_clocks(city: world.World) -> None:
    token = token_for(city)
    friday = NOW.replace(day=27)
    number = privacy.ask(token, kind="correction", field="birth_year", proposed="1971", now=friday)
    by = staff_of(city, "ward-1")
    row = privacy_desk.queue(now=friday, by=by)[0]
    assert (row.kind, row.due_on, row.is_late) == ("correction", date(2026, 12, 1), False)
    late = privacy_desk.queue(now=friday + timedelta(days=5), by=by)[0]
    assert late.is_late
    privacy_desk.answer(number, "Sẽ đối chiếu lý lịch.", now=friday, by=by)
    assert privacy_desk.queue(now=friday, by=by)[0].due_on == date(2026, 12, 7)
    privacy_desk.extend(number, "Chờ xác minh.", now=friday, by=by)
    assert privacy_desk.queue(now=friday, by=by)[0].due_on == date(2026, 12, 22)
    with pytest.raises(Refusal):
        privacy_desk.extend(number, "Chờ thêm.", now=friday, by=by)
    privacy_desk.finish(number, "Đã sửa.", now=friday, by=by)
    with pytest.raises(Refusal):
        privacy_desk.refuse(number, "Không.", now=friday, by=by)
    assert privacy_desk.queue(now=friday, by=by) == []
    told = own_data.own_data(token, now=friday).requests[0]
    assert [step.step for step in told.steps] == ["received", "answered", "extended", "done"]


def test_the_boards_days_off_do_not_count_as_working_days(city: world.World) -> None:
    from_eve = NOW.replace(month=12, day=31)
    privacy.ask(token_for(city), kind="access", now=from_eve)
    row = privacy_desk.queue(now=from_eve, by=SYSTEM)[0]
    assert row.due_on == date(2027, 1, 5), "1 January is a holiday, 2 and 3 a weekend"


def test_other_units_do_not_see_the_request(city: world.World) -> None:
    number = privacy.ask(token_for(city), kind="deletion", now=NOW)
    assert privacy_desk.queue(now=NOW, by=staff_of(city, "ward-2")) == []
    with pytest.raises(NotFound):
        privacy_desk.answer(number, "x", now=NOW, by=staff_of(city, "ward-2"))


def test_no_reason_is_kept_and_requests_are_limited(city: world.World) -> None:
    token = token_for(city)
    privacy.ask(token, kind="objection", field="name", proposed="vì ốm", now=NOW)
    request = own_data.own_data(token, now=NOW).requests[0]
    assert (request.field, request.proposed) == ("", "")
    with pytest.raises(Malformed):
        privacy.ask(token, kind="correction", field="religion", now=NOW)
    for _ in range(4):
        privacy.ask(token, kind="access", now=NOW)
    with pytest.raises(TooManyAttempts):
        privacy.ask(token, kind="access", now=NOW)


def test_a_channel_is_unticked_and_holds_at_once(city: world.World, db: Any) -> None:
    meeting = world.add_meeting(city)
    token = token_for(city)
    assert own_data.own_data(token, now=NOW).wants_mail is None
    privacy.choose(token, {}, now=NOW)
    db.session.expire_all()
    addresses = {one.name: one.address for one in _recipients(db, meeting, city)}
    assert addresses == {"Đỗ Thị Kim Chi": None}
    privacy.choose(token, {"mail": True}, now=NOW)
    assert {one.address for one in _recipients(db, meeting, city)} == {"chi@test.invalid"}
    kept = db.session.execute(select(ChannelChoice.channel, ChannelChoice.is_wanted)).all()
    assert [tuple(row) for row in kept] == [("mail", False), ("reminders", False), ("mail", True)]


def _recipients(db: Any, meeting: Any, city: world.World) -> list[invitations.Recipient]:
    chi = city.people["chi"]
    return invitations._people(db.session(), {chi.id: city.units["cell-1"].id})


def test_a_restriction_takes_effect_when_it_is_granted(city: world.World, db: Any) -> None:
    number = privacy.ask(token_for(city), kind="restriction", now=NOW)
    privacy_desk.finish(number, "Đã hạn chế.", now=NOW, by=SYSTEM)
    chi = db.session.get(Person, city.people["chi"].id)
    assert (chi.restricted_on, chi.wants_mail, chi.wants_reminders) == (world.TODAY, False, False)


def test_a_view_is_logged_once_an_hour_for_each_reader(city: world.World, db: Any) -> None:
    an, dung = staff_of(city, "ward-1"), staff_of(city, "ward-2")
    person = city.people["chi"].id
    for by, minutes in ((an, 0), (an, 5), (dung, 5), (an, 70)):
        privacy.note_view(person, now=NOW + timedelta(minutes=minutes), by=by)
    viewed = select(func.count()).where(AuditEntry.action == "viewed")
    assert db.session.scalar(viewed) == 3


def test_the_breach_helper_lists_whose_data_was_reached(city: world.World) -> None:
    code = plans.opened(city)
    privacy.note_view(city.people["chi"].id, now=NOW, by=staff_of(city, "ward-1"))
    before = NOW + timedelta(hours=2)
    exports.missing_list(code, now=before, by=staff_of(city, "ward-1"))
    privacy.note_view(city.people["em"].id, now=before, by=staff_of(city, "ward-2"))

    def report_of(first: datetime, last: datetime, name: str = "") -> BreachReport:
        return breach_report(first, last, found_at=before, account_name=name, now=before, by=SYSTEM)

    report = report_of(NOW, before)
    assert report.notify_by == before + timedelta(hours=72)
    assert report.lists == 1
    assert {one.code for one in report.people} == {"DV001", "DV002", "DV003", "DV004", "DV006"}
    chi = next(one for one in report.people if one.code == "DV001")
    assert "phone" in chi.fields
    assert chi.times == 2
    only = report_of(NOW, before, "Lê Tiến Dũng")
    assert {one.code for one in only.people} == {"DV006"}
    assert report_of(NOW - timedelta(days=2), NOW - timedelta(days=1)).people == []
