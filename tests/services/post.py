"""What tests of mail share: a transport that keeps or refuses, and a published meeting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from icalendar import Calendar
from sqlalchemy import select

from gateways.errors import GatewayError
from models import CallListEntry, Meeting, OutgoingMessage, db
from rules.permissions import SYSTEM
from services import invitations, sending
from services.transaction import writing


@dataclass
class Postman:
    """Takes messages like a mail server; `trouble` makes it fail for an address."""

    kept: list[tuple[str, bytes]] = field(default_factory=list)
    trouble: dict[str, GatewayError] = field(default_factory=dict)

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        error = self.trouble.get(recipient)
        if error is not None and not error.in_doubt:
            raise error
        before_data()
        if error is not None:
            raise error
        self.kept.append((recipient, content))
        return "250 kept"

    def hurry(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass

    def mails(self, address: str) -> list[EmailMessage]:
        found = [message_from_bytes(c, policy=default) for to, c in self.kept if to == address]
        return [message for message in found if isinstance(message, EmailMessage)]

    def calendars(self, address: str) -> list[Calendar]:
        return [
            Calendar.from_ical(part.get_content())
            for message in self.mails(address)
            for part in message.walk()
            if part.get_content_type() == "text/calendar"
        ]


def deliver(postman: Postman, at: datetime) -> sending.Sent:
    """Send everything that is due at that moment, batch after batch."""
    total = sending.Sent()
    while True:
        one = sending.send_due(postman, clock=lambda: at)
        total = sending.Sent(
            total.sent + one.sent, total.failed + one.failed, total.dropped + one.dropped
        )
        if not one.sent and not one.dropped:
            return total


def publish(meeting: Meeting, at: datetime) -> invitations.Told:
    with writing() as session:
        return invitations.announce_published(
            session, session.get_one(Meeting, meeting.id), now=at, by=SYSTEM
        )


def messages(meeting: Meeting) -> list[tuple[str, str, str]]:
    """Kind, address and state of every message about a meeting, oldest first."""
    db.session.rollback()
    rows = db.session.scalars(
        select(OutgoingMessage)
        .where(OutgoingMessage.meeting_id == meeting.id)
        .order_by(OutgoingMessage.id)
        .execution_options(populate_existing=True)
    )
    return [(row.kind, row.to_address, row.state) for row in rows]


def calls(meeting: Meeting) -> list[tuple[str, str]]:
    """Kind and name of every open call about a meeting."""
    db.session.rollback()
    rows = db.session.scalars(
        select(CallListEntry)
        .where(CallListEntry.meeting_id == meeting.id, CallListEntry.done_at.is_(None))
        .order_by(CallListEntry.id)
    )
    return [(row.kind, str(row.person_id)) for row in rows]
