"""An invitation's whole life by real mail, with Thunderbird as the guest's mail program."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd import smtp
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select

from gateways.smtp import SmtpSettings, SmtpTransport
from models import IncomingReply, Meeting, MeetingUnit, Person
from rules.permissions import SYSTEM
from services import incoming_replies, meetings, sending
from tests.clients.dovecot import Dovecot, free_port
from tests.clients.dovecot import program as dovecot
from tests.clients.programs import needs
from tests.clients.test_mailroom import MailServer, mailroom, reply_of
from tests.clients.thunderbird import Thunderbird, mail_account
from tests.clients.thunderbird import program as thunderbird
from tests.reply_corpus import CHI
from tests.services.post import publish
from tests.services.test_bundles import sittings
from tests.services.test_invitation_life import change, later, reworded, set_state
from tests.world import World, add_meeting, build_world

pytestmark = [pytest.mark.clients, pytest.mark.full, pytest.mark.backends("sqlite")]
__all__ = ["sittings"]  # a fixture shared with the letters about several meetings
ASKS = {"imipAcceptButton", "imipDeclineButton"}


@dataclass
class Post(MailServer):
    """The same mail server, which also brings Chi's mail into Chi's own mailbox."""

    chi: Dovecot | None = None

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: smtp.SMTP, session: Session, envelope: Envelope
    ) -> str:
        if envelope.rcpt_tos == [CHI] and self.chi is not None:
            self.chi.deliver(bytes(envelope.original_content or b""))
        return await super().handle_DATA(server, session, envelope)


@dataclass
class Guest:
    """Chi at her Thunderbird, and the office that writes to her; times are the real clock's."""

    program: Thunderbird
    office: Dovecot
    post: Post
    transport: SmtpTransport
    mails: int = 0

    def gets(self) -> dict[str, Any]:
        """Let the office send, and open the one new mail; gives what its bar says and offers."""
        while sending.send_due(self.transport, clock=now).sent:
            pass
        self.mails += 1
        assert self.program.until(lambda: self.program.mails() == self.mails)
        return self.program.open_mail(self.mails - 1)

    def answers(self, button: str) -> int:
        """Press a button of the bar; the office reads its mailbox; gives how many answers came."""
        before = self.office.kept()
        self.program.press(button)
        assert self.program.until(lambda: self.office.kept() == before + 1)
        room = mailroom(self.office)
        taken = incoming_replies.take_replies(room, now=now())
        room.close()
        return taken

    def shows(self) -> list[tuple[int, int, str]]:
        return [(one.starts, one.sequence, one.title) for one in self.program.kept()]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    made = build_world()
    db.session.get_one(Person, made.people["chi"].id).neutral_titles = False
    db.session.commit()
    return made


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    needs(dovecot(), "dovecot")
    needs(thunderbird(), "thunderbird")
    office, own, port = Dovecot(), Dovecot(), free_port()
    post = Post(office, chi=own)
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    program = Thunderbird(mail_account(CHI, "Đỗ Thị Kim Chi", own.port, port))
    transport = SmtpTransport(SmtpSettings("127.0.0.1", port, starttls=False))
    try:
        program.open_own_calendar()
        assert program.mails() == 0
        yield Guest(program, office, post, transport)
    finally:
        transport.close()
        program.stop()
        controller.stop()
        own.stop()
        office.stop()


def accepted(db: SQLAlchemy) -> int:
    db.session.rollback()
    asked = select(func.count()).where(IncomingReply.verdict == "accepted")
    return db.session.scalar(asked) or 0


def test_thunderbird_accepts_declines_updates_and_forgets_as_it_is_told(
    world: World, db: SQLAlchemy, guest: Guest
) -> None:
    meeting = add_meeting(world, at=(now() + timedelta(days=5)).replace(microsecond=0))
    first = int(meeting.starts_at.timestamp())
    publish(meeting, now())
    assert set(guest.gets()["offers"]) >= ASKS
    assert reply_of(world) == "none"
    assert guest.answers("imipAcceptButton") == 1
    assert reply_of(world) == "accepted"
    assert guest.shows() == [(first, 0, "Học tập nghị quyết")]

    change(meeting, now(), later)
    assert reply_of(world) == "none", "a new time asks again"
    assert set(guest.gets()["offers"]) >= ASKS
    assert guest.answers("imipDeclineButton") == 1
    assert (reply_of(world), accepted(db)) == ("declined", 2)
    assert guest.shows() == [(first + 1800, 1, "Học tập nghị quyết")]

    change(meeting, now(), reworded)
    shown = guest.gets()
    assert shown["offers"] == ["imipUpdateButton"], "a corrected word asks nothing"
    assert reply_of(world) == "declined"

    set_state(meeting, now(), "cancelled")
    assert guest.gets()["offers"] == ["imipDeleteButton"]
    guest.program.press("imipDeleteButton")
    assert guest.program.until(lambda: guest.shows() == [])

    set_state(meeting, now(), "published")
    assert set(guest.gets()["offers"]) >= ASKS
    assert guest.answers("imipAcceptButton") == 1
    assert (reply_of(world), accepted(db)) == ("accepted", 3)
    assert guest.shows() == [(first + 1800, 3, "Học tập nghị quyết")]

    def other_cell(row: Meeting) -> None:
        row.units[:] = [MeetingUnit(meeting_id=row.id, unit_id=world.units["cell-2"].id)]

    change(meeting, now(), other_cell)
    assert guest.gets()["offers"] == ["imipDeleteButton"]
    guest.program.press("imipDeleteButton")
    assert guest.program.until(lambda: guest.shows() == [])
    assert (guest.office.unread(), accepted(db)) == (0, 3)


def test_a_course_is_one_letter_whose_file_thunderbird_reads_whole(
    world: World, db: SQLAlchemy, guest: Guest, sittings: list[Meeting]
) -> None:
    ahead = timedelta(days=(now() - sittings[0].starts_at).days + 7)
    for one in sittings:
        one.starts_at, one.ends_at = one.starts_at + ahead, one.ends_at + ahead
    db.session.commit()
    meetings.publish_meetings([one.id for one in sittings], now=now(), by=SYSTEM)
    shown = guest.gets()
    assert not shown["hasBar"], "no button, which would take in part of what the file holds"
    assert shown["attachments"] == ["lich.ics"]
    (mail,) = guest.post.kept[CHI]
    (file,) = [part for part in mail.walk() if part.get_filename() == "lich.ics"]
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    told = guest.program.read(content)
    assert [one.uid for one in told] == sorted(one.uid for one in sittings)
