"""Mail that comes back, taken in: what counts, what waits, and what changes nothing."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from gateways.errors import GatewayError
from gateways.imap import FetchedMail, ImapSettings
from models import (
    CallListEntry,
    IncomingReply,
    Invitation,
    Mark,
    Meeting,
    MeetingSpeaker,
    OutgoingMessage,
    Setting,
)
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotAllowed, NotFound, Refusal
from services import incoming_replies, invitations
from services.incoming_replies import review_lines, settle, take_replies
from services.meeting_facts import facts_of
from services.office import office as read_office
from services.transaction import writing
from tests import reply_corpus
from tests.reply_corpus import CHI, Facts
from tests.services.post import Postman, calls, deliver, publish
from tests.world import NOW, World, add_meeting, build_world

ANSWERED = NOW + timedelta(hours=1)
TAKEN = NOW + timedelta(hours=2)


@dataclass
class Box:
    """A mailbox in memory: what was marked as read is not given again."""

    mails: list[bytes] = field(default_factory=list)
    read: set[int] = field(default_factory=set)

    def new_mails(self, most: int, since: date) -> list[FetchedMail]:
        new = [FetchedMail(n, mail) for n, mail in enumerate(self.mails) if n not in self.read]
        return new[:most]

    def mark_read(self, uid: int) -> None:
        self.read.add(uid)

    def close(self) -> None:
        pass


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def meeting(world: World) -> Meeting:
    """A published meeting in five days, its invitations delivered."""
    made = add_meeting(world, at=NOW + timedelta(days=5))
    publish(made, NOW)
    deliver(Postman(), NOW)
    return made


def facts(meeting: Meeting, **values: object) -> Facts:
    return replace(Facts(uid=meeting.uid, stamp=ANSWERED), **values)  # type: ignore[arg-type]  # any field of it


def take(*mails: bytes, at: datetime = TAKEN) -> list[tuple[str, str]]:
    """Take these mails in; gives verdict and reason of every mail ever taken, in order."""
    take_replies(Box(list(mails)), now=at)
    return verdicts()


def verdicts() -> list[tuple[str, str]]:
    with writing() as session:
        rows = session.scalars(select(IncomingReply).order_by(IncomingReply.id))
        return [(row.verdict, row.reason) for row in rows]


def invitation(world: World, who: str = "chi") -> Invitation:
    with writing() as session:
        row = session.scalar(select(Invitation).where(Invitation.person_id == world.people[who].id))
        assert row is not None
        session.refresh(row)
        return row


def staff(world: World, account: str, unit: str) -> Actor:
    grant = Grant("staff", world.units[unit].id)
    return Actor(account, world.accounts[account].id, (grant,))


@pytest.mark.parametrize(
    "client", [reply_corpus.thunderbird, reply_corpus.outlook, reply_corpus.bare_line_feeds]
)
def test_an_answer_of_any_client_is_put_on_the_invitation(
    world: World, meeting: Meeting, client: Callable[[Facts], bytes]
) -> None:
    assert take(client(facts(meeting))) == [("accepted", "")]
    row = invitation(world)
    assert (row.reply, row.replied_at) == ("accepted", ANSWERED)


def test_an_answer_never_marks_attendance(world: World, meeting: Meeting, db: SQLAlchemy) -> None:
    take(reply_corpus.thunderbird(facts(meeting)))
    db.session.rollback()
    assert db.session.scalars(select(Mark)).all() == []
    assert db.session.get_one(Meeting, meeting.id).present_count == 0


def test_a_mail_fetched_twice_changes_the_state_once(world: World, meeting: Meeting) -> None:
    mail = reply_corpus.thunderbird(facts(meeting))
    take(mail)
    decline = facts(meeting, partstat="DECLINED", stamp=ANSWERED + timedelta(minutes=1))
    take(reply_corpus.outlook(replace(decline, message_id="<2@client.invalid>")))
    assert take(mail) == [("accepted", ""), ("accepted", "")]
    assert invitation(world).reply == "declined"


def test_a_mail_is_marked_as_read_only_when_it_is_kept(
    world: World, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box([reply_corpus.thunderbird(facts(meeting))])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no room left")

    monkeypatch.setattr(incoming_replies, "judge_answer", broken)
    with pytest.raises(RuntimeError):
        take_replies(box, now=TAKEN)
    assert box.read == set()
    assert verdicts() == []
    monkeypatch.undo()
    assert take_replies(box, now=TAKEN) == 1
    assert box.read == {0}


def test_answers_out_of_order_leave_the_newest(world: World, meeting: Meeting) -> None:
    first = facts(meeting, partstat="DECLINED", stamp=ANSWERED)
    second = facts(meeting, stamp=ANSWERED + timedelta(minutes=5), message_id="<2@client.invalid>")
    third = replace(second, message_id="<3@client.invalid>")
    found = take(*map(reply_corpus.thunderbird, (second, first, third)))
    assert found == [("accepted", ""), ("stale", "older"), ("duplicate", "again")]
    assert invitation(world).reply == "accepted"


def moved(meeting: Meeting, at: datetime) -> None:
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        before = facts_of(row)
        row.starts_at += timedelta(hours=1)
        row.ends_at += timedelta(hours=1)
        invitations.announce_changed(session, row, before, now=at, by=SYSTEM, tell=True)


def test_an_answer_to_the_old_time_is_not_one_to_the_new(world: World, meeting: Meeting) -> None:
    moved(meeting, NOW + timedelta(minutes=30))
    deliver(Postman(), NOW + timedelta(minutes=31))
    assert take(reply_corpus.thunderbird(facts(meeting))) == [("stale", "old_time")]
    assert invitation(world).reply == "none"
    new = facts(meeting, sequence=1, message_id="<2@client.invalid>")
    assert take(reply_corpus.thunderbird(new))[-1] == ("accepted", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"attendee": "em@test.invalid"}, "not_on_list"),
        ({"sender": "evil@x.invalid", "partstat": "DECLINED"}, "other_sender"),
        ({"partstat": "DELEGATED"}, "delegated"),
        ({"sequence": 9}, "future"),
        ({"method": "REFRESH"}, "method"),
    ],
)
def test_a_doubtful_answer_waits_and_changes_nothing(
    world: World, meeting: Meeting, change: dict[str, object], reason: str
) -> None:
    assert take(reply_corpus.thunderbird(facts(meeting, **change))) == [("for_review", reason)]
    assert invitation(world).reply == "none"


def test_two_attendees_a_counter_and_garbage_wait_for_staff(world: World, meeting: Meeting) -> None:
    one = facts(meeting)
    found = take(
        reply_corpus.two_attendees(one),
        reply_corpus.counter(replace(one, message_id="<2@x>")),
        reply_corpus.garbage(one),
        reply_corpus.handwritten(replace(one, message_id="<4@x>")),
    )
    reasons = ["attendees", "counter", "letter", "letter"]
    assert found == [("for_review", reason) for reason in reasons]
    lines = review_lines(now=TAKEN, by=staff(world, "an", "ward-1"))
    shown = next(line for line in lines if line.reason == "counter")
    assert shown.proposed_start is not None
    assert (shown.comment, shown.topic) == ("Xin lùi một ngày", meeting.topic)
    assert not shown.can_use


def test_automatic_mail_and_other_peoples_meetings_are_laid_by(
    world: World, meeting: Meeting
) -> None:
    other = facts(meeting, uid="khac@x.invalid", message_id="<2@x>")
    found = take(reply_corpus.out_of_office(facts(meeting)), reply_corpus.thunderbird(other))
    assert found == [("ignored", "automatic"), ("ignored", "unknown_meeting")]


def test_a_shared_address_is_told_apart_only_by_its_token(
    world: World, meeting: Meeting, db: SQLAlchemy
) -> None:
    world.people["hien"].email = CHI
    db.session.commit()
    other = add_meeting(world, at=NOW + timedelta(days=6))
    publish(other, NOW)
    deliver(Postman(), NOW)
    assert take(reply_corpus.thunderbird(facts(other))) == [("for_review", "shared_address")]


def test_with_own_addresses_only_the_right_one_is_believed(world: World, db: SQLAlchemy) -> None:
    db.session.add(Setting(key="reply_addresses", value="1"))
    db.session.commit()
    meeting = add_meeting(world, at=NOW + timedelta(days=5))
    publish(meeting, NOW)
    postman = Postman()
    deliver(postman, NOW)
    (mail,) = postman.mails(CHI)
    (calendar,) = postman.calendars(CHI)
    own = mail["From"].addresses[0].addr_spec
    assert str(calendar.events[0]["ORGANIZER"]) == f"mailto:{own}"
    assert own.startswith("tuyenhuan+i")
    plain = facts(meeting, partstat="DECLINED")
    forged = replace(plain, to=own[:-20] + "x@localhost", message_id="<2@x>")
    right = replace(plain, to=own, sender="chi@alias.invalid", message_id="<3@x>")
    found = take(*map(reply_corpus.thunderbird, (plain, forged, right)))
    assert found == [("for_review", "no_token"), ("for_review", "forged"), ("accepted", "")]


def test_a_speaker_answers_too(world: World, meeting: Meeting, db: SQLAlchemy) -> None:
    binh = facts(meeting, attendee="binh@test.invalid", sender="binh@test.invalid")
    assert take(reply_corpus.thunderbird(replace(binh, partstat="DECLINED"))) == [("accepted", "")]
    db.session.rollback()
    link = db.session.get_one(MeetingSpeaker, (meeting.id, world.speaker.id))
    db.session.refresh(link)
    assert link.reply == "declined"


def test_a_returned_letter_flags_the_address_and_asks_for_a_call(
    world: World, meeting: Meeting, db: SQLAlchemy
) -> None:
    before = len(calls(meeting))
    message = db.session.scalar(select(OutgoingMessage).where(OutgoingMessage.to_address == CHI))
    assert message is not None
    name = message.message_id
    found = take(
        reply_corpus.bounce(name, status="4.4.1", action="delayed"),
        reply_corpus.bounce("<unknown@localhost>"),
        reply_corpus.bounce(name, address="hoa@test.invalid", status="5.7.1"),
    )
    unknown = ("for_review", "unknown_bounce")
    assert found == [("ignored", "delayed"), unknown, unknown]
    assert world.people["chi"].email_failing_since is None
    assert take(reply_corpus.bounce(name))[-1] == ("accepted", "known_bounce")
    db.session.refresh(world.people["chi"])
    assert world.people["chi"].email_failing_since == TAKEN
    assert len(calls(meeting)) == before + 1
    assert (
        db.session.scalar(select(CallListEntry.kind).order_by(CallListEntry.id.desc()).limit(1))
        == "address_failing"
    )


def test_staff_count_a_doubtful_answer_or_lay_it_by(world: World, meeting: Meeting) -> None:
    an, dung = staff(world, "an", "ward-1"), staff(world, "dung", "ward-2")
    alias = facts(meeting, sender="chi@alias.invalid", partstat="DECLINED")
    take(reply_corpus.thunderbird(alias))
    (line,) = review_lines(now=TAKEN, by=an)
    assert (line.can_use, line.partstat, line.name) == (True, "declined", "Đỗ Thị Kim Chi")
    assert review_lines(now=TAKEN, by=dung) == []
    with pytest.raises(NotFound):
        settle(line.id, use=True, now=TAKEN, by=dung)
    with pytest.raises(NotAllowed):
        settle(line.id, use=True, now=TAKEN, by=Actor("Đọc", 1, (Grant("reader"),)))
    settle(line.id, use=True, now=TAKEN, by=an)
    assert invitation(world).reply == "declined"
    assert review_lines(now=TAKEN, by=an) == []
    with pytest.raises(NotFound):
        settle(line.id, use=False, now=TAKEN, by=an)


def test_a_letter_is_seen_by_its_writers_ward_and_cannot_count(
    world: World, meeting: Meeting
) -> None:
    take(
        reply_corpus.handwritten(facts(meeting)),
        reply_corpus.handwritten(facts(meeting, sender="la@x.invalid", message_id="<2@x>")),
    )
    an = staff(world, "an", "ward-1")
    (line,) = review_lines(now=TAKEN, by=an)
    assert len(review_lines(now=TAKEN, by=SYSTEM)) == 2
    with pytest.raises(Refusal):
        settle(line.id, use=True, now=TAKEN, by=an)
    settle(line.id, use=False, now=TAKEN, by=an)
    assert verdicts()[0] == ("ignored", "settled")


def test_a_mail_too_large_is_kept_by_its_head_for_staff(world: World, meeting: Meeting) -> None:
    class Large(Box):
        def new_mails(self, most: int, since: date) -> list[FetchedMail]:
            return [FetchedMail(1, b"Message-ID: <9@x>\r\n", is_whole=False)]

    assert take_replies(Large(), now=TAKEN) == 1
    assert verdicts() == [("for_review", "too_large")]


def test_the_mailbox_is_looked_into_once_a_minute_and_its_trouble_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[datetime] = []

    class Broken(Box):
        def __init__(self, _settings: object) -> None:
            super().__init__()

        def new_mails(self, most: int, since: date) -> list[FetchedMail]:
            looks.append(NOW)
            raise GatewayError("Không đọc được hộp thư mx:993: timed out", permanent=False)

    assert incoming_replies.take_new(now=NOW) == 0
    office = replace(read_office(), imap=ImapSettings("mx"))
    monkeypatch.setattr(incoming_replies, "office", lambda: office)
    monkeypatch.setattr(incoming_replies, "ImapMailroom", Broken)
    for seconds in (0, 10, 59, 60):
        incoming_replies.take_new(now=NOW + timedelta(seconds=seconds))
    assert len(looks) == 2
    assert "timed out" in incoming_replies.trouble()


def test_mails_are_forgotten_after_thirty_days_and_their_verdict_stays(
    world: World, meeting: Meeting, db: SQLAlchemy
) -> None:
    take(reply_corpus.thunderbird(facts(meeting)))
    late = TAKEN + timedelta(days=31)
    incoming_replies.forget_old_mails(late, now=late)
    db.session.rollback()
    row = db.session.scalars(select(IncomingReply)).one()
    db.session.refresh(row, ["raw", "from_address", "verdict"])
    assert (row.raw, row.from_address, row.verdict) == (b"", "", "accepted")


def take_mutations(world: World, how_many: int, seed: int) -> None:
    """Take mutated mails in with own addresses on: none carries the right one, so none counts."""
    for start in range(0, how_many, 200):
        box = Box(list(reply_corpus.mutations(200, seed + start)))
        while take_replies(box, now=TAKEN):
            pass
    assert {verdict for verdict, _ in verdicts()}.isdisjoint({"accepted"})
    assert invitation(world).reply == "none"


@pytest.fixture
def guarded(world: World, meeting: Meeting, db: SQLAlchemy) -> World:
    db.session.merge(Setting(key="reply_addresses", value="1"))
    meeting = db.session.get_one(Meeting, meeting.id)
    meeting.uid = Facts().uid
    db.session.commit()
    return world


def test_mutated_mails_change_nothing_without_the_right_address(guarded: World) -> None:
    take_mutations(guarded, max(200, int(os.environ.get("MUTATIONS", "0"))), seed=1)
