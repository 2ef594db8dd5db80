"""The replies' mailbox on a real IMAP server, and an invitation's whole life by real mail."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import Message

import pytest
from aiosmtpd import smtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session
from flask_sqlalchemy import SQLAlchemy
from icalendar import Calendar
from sqlalchemy import select

from gateways.errors import GatewayError
from gateways.imap import ImapMailroom, ImapSettings
from gateways.replies import MAIL_BYTES
from gateways.smtp import SmtpSettings, SmtpTransport
from models import IncomingReply, Invitation, Meeting, OutgoingMessage
from rules.permissions import SYSTEM
from services import incoming_replies, invitations, sending
from services.meeting_facts import facts_of
from services.transaction import writing
from tests import reply_corpus
from tests.clients.dovecot import PASSWORD, USER, Dovecot, free_port, program
from tests.clients.programs import needs
from tests.reply_corpus import CHI, OFFICE, Facts
from tests.services.post import calls, publish
from tests.world import NOW, World, add_meeting, build_world

pytestmark = pytest.mark.clients
LONG_AGO = date(2020, 1, 31)


@pytest.fixture
def server() -> Iterator[Dovecot]:
    needs(program(), "dovecot")
    running = Dovecot()
    yield running
    running.stop()


def mailroom(server: Dovecot, password: str = PASSWORD) -> ImapMailroom:
    return ImapMailroom(ImapSettings("127.0.0.1", server.port, USER, password))


def test_mails_are_fetched_unmarked_marked_when_told_and_never_deleted(server: Dovecot) -> None:
    first = reply_corpus.thunderbird(Facts())
    server.deliver(first)
    server.deliver(b"Message-ID: <2@x>\r\n\r\n" + b"bomb bomb\r\n" * (MAIL_BYTES // 10))
    room = mailroom(server)
    small, large = room.new_mails(10, LONG_AGO)
    assert (small.content, small.is_whole) == (first, True)
    assert not large.is_whole
    assert len(large.content) < 100
    assert server.unread() == 2
    room.mark_read(small.uid)
    assert [mail.uid for mail in room.new_mails(10, LONG_AGO)] == [large.uid]
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    assert room.new_mails(10, tomorrow) == []
    room.close()
    assert (server.unread(), server.kept()) == (1, 2)


def test_a_wrong_password_and_a_dead_server_are_the_gateways_error(server: Dovecot) -> None:
    with pytest.raises(GatewayError):
        mailroom(server, "wrong").new_mails(1, LONG_AGO)
    server.stop()
    with pytest.raises(GatewayError):
        mailroom(server).new_mails(1, LONG_AGO)


@dataclass
class MailServer:
    """Takes what is sent on loopback: the office's mail into its mailbox, the rest by address."""

    office: Dovecot
    kept: dict[str, list[Message]] = field(default_factory=dict)

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: smtp.SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = bytes(envelope.original_content or b"")
        address = envelope.rcpt_tos[0]
        if address == OFFICE:
            self.office.deliver(content)
        else:
            self.kept.setdefault(address, []).append(message_from_bytes(content))
        return "250 2.0.0 queued"


@dataclass
class Client:
    """A member's mail program: reads the newest invitation, and answers it as Thunderbird does."""

    post: MailServer
    transport: SmtpTransport
    sent: int = 0

    def newest(self) -> Calendar:
        for part in self.post.kept[CHI][-1].walk():
            if part.get_content_type() == "text/calendar":
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                return Calendar.from_ical(content)
        raise AssertionError("no calendar object")

    def answer(self, partstat: str, at: datetime) -> None:
        event = self.newest().events[0]
        organizer = str(event["ORGANIZER"]).removeprefix("mailto:")
        self.sent += 1
        facts = Facts(
            uid=str(event["UID"]),
            partstat=partstat,
            sequence=int(str(event["SEQUENCE"])),
            stamp=at,
            to=organizer,
            message_id=f"<{self.sent}@client.invalid>",
        )
        self.transport.send(CHI, organizer, reply_corpus.thunderbird(facts), lambda: None)


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def client(server: Dovecot) -> Iterator[Client]:
    post = MailServer(server)
    port = free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    transport = SmtpTransport(SmtpSettings("127.0.0.1", port, starttls=False))
    yield Client(post, transport)
    transport.close()
    controller.stop()


def send(client: Client, at: datetime) -> None:
    while sending.send_due(client.transport, clock=lambda: at).sent:
        pass


def read(server: Dovecot, at: datetime) -> int:
    room = mailroom(server)
    taken = incoming_replies.take_replies(room, now=at)
    room.close()
    return taken


def reply_of(world: World) -> str:
    with writing() as session:
        row = session.scalar(
            select(Invitation).where(Invitation.person_id == world.people["chi"].id)
        )
        assert row is not None
        session.refresh(row)
        return row.reply


def moved(meeting: Meeting, at: datetime) -> None:
    with writing() as session:
        row = session.get_one(Meeting, meeting.id)
        before = facts_of(row)
        row.starts_at += timedelta(hours=2)
        row.ends_at += timedelta(hours=2)
        invitations.announce_changed(session, row, before, now=at, by=SYSTEM, tell=True)


def test_an_invitation_is_sent_accepted_moved_and_declined_by_real_mail(
    world: World, server: Dovecot, client: Client
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=5))
    publish(meeting, NOW)
    send(client, NOW)
    client.answer("ACCEPTED", NOW + timedelta(minutes=10))
    assert reply_of(world) == "none"
    assert read(server, NOW + timedelta(minutes=11)) == 1
    assert reply_of(world) == "accepted"
    assert read(server, NOW + timedelta(minutes=12)) == 0

    moved(meeting, NOW + timedelta(minutes=20))
    client.answer("DECLINED", NOW + timedelta(minutes=21))
    send(client, NOW + timedelta(minutes=22))
    assert int(str(client.newest().events[0]["SEQUENCE"])) == 1
    assert read(server, NOW + timedelta(minutes=23)) == 1
    assert reply_of(world) == "none", "an answer to the old time says nothing about the new"

    client.answer("DECLINED", NOW + timedelta(minutes=24))
    assert read(server, NOW + timedelta(minutes=25)) == 1
    assert reply_of(world) == "declined"
    assert (server.unread(), server.kept()) == (0, 3)


def test_whatever_comes_back_by_real_mail_is_judged_and_one_answer_counts(
    world: World, db: SQLAlchemy, server: Dovecot, client: Client
) -> None:
    meeting = add_meeting(world, at=NOW + timedelta(days=5))
    publish(meeting, NOW)
    send(client, NOW)
    answer = Facts(uid=meeting.uid, stamp=NOW + timedelta(minutes=5), message_id="<answer@x>")
    asked = db.session.scalar(select(OutgoingMessage).where(OutgoingMessage.to_address == CHI))
    assert asked is not None
    returned = reply_corpus.bounce(asked.message_id)
    db.session.rollback()
    arrived = {
        "<away@x>": reply_corpus.out_of_office(replace(answer, message_id="<away@x>")),
        "<counter@x>": reply_corpus.counter(replace(answer, message_id="<counter@x>")),
        "<forward@x>": reply_corpus.outlook(
            replace(
                answer, attendee="la@x.invalid", sender="la@x.invalid", message_id="<forward@x>"
            )
        ),
        "<forged@x>": reply_corpus.outlook(
            replace(answer, sender="evil@x.invalid", partstat="DECLINED", message_id="<forged@x>")
        ),
        "<deputy@x>": reply_corpus.outlook(
            replace(answer, partstat="DELEGATED", message_id="<deputy@x>")
        ),
        "<answer@x>": reply_corpus.outlook(answer),
        "<again@x>": reply_corpus.thunderbird(replace(answer, message_id="<again@x>")),
        "returned": returned,
    }
    for content in arrived.values():
        server.deliver(content)
    assert read(server, NOW + timedelta(minutes=9)) == len(arrived)
    assert read(server, NOW + timedelta(minutes=10)) == 0
    db.session.rollback()
    rows = db.session.scalars(select(IncomingReply).order_by(IncomingReply.id)).all()
    assert [(row.verdict, row.reason) for row in rows] == [
        ("ignored", "automatic"),
        ("for_review", "counter"),
        ("for_review", "not_on_list"),
        ("for_review", "other_sender"),
        ("for_review", "delegated"),
        ("accepted", ""),
        ("duplicate", "again"),
        ("accepted", "known_bounce"),
    ]
    assert reply_of(world) == "accepted"
    db.session.refresh(world.people["chi"])
    assert world.people["chi"].email_failing_since is not None
    assert ("address_failing", str(world.people["chi"].id)) in calls(meeting)
    assert (server.unread(), server.kept()) == (0, len(arrived))
