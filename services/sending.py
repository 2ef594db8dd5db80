"""Sending what waits in the outbox: claimed under a lease, looked at once more, sent, accounted for."""

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from gateways.errors import GatewayError
from gateways.smtp import Transport
from models import CallListEntry, Invitation, Meeting, OutgoingMessage, Person, Setting
from rules.letters import Grounds, why_not
from rules.outbox import (
    PROBE_WAIT,
    after_failure,
    opens_breaker,
)
from services import bundles, claims, grounds, installation, letters, marks
from services.ledger import Ledger
from services.marks import Parcel
from services.office import office
from services.outbox import (
    FAILURES_KEY,
    PAUSE_KEY,
    TROUBLE_KEY,
    insert_new,
    set_value,
)
from services.transaction import DATABASE_FAILURES, reading


@dataclass(frozen=True)
class Sent:
    """What one round of sending did."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class _NotNow(GatewayError):
    """What the letter stands on has changed since it was written, or another sender holds it: it
    goes back in line, and is written anew."""


def send_due(
    transport: Transport,
    *,
    clock: Callable[[], datetime],
    most: int = 200,
    stopping: Callable[[], bool] = lambda: False,
    ledger: Ledger | None = None,
) -> Sent:
    """Send what is due, one message at a time, until done, over the rate, or asked to stop.

    Each message is claimed under a lease and marked `sending` in a commit of its own just before
    its first byte leaves; a clean stop finishes the message in hand and gives the others back.
    Senders of one process share a `ledger`.
    """
    if installation.holds_mail():
        return Sent()
    round_ = _Round(transport, clock, ledger or Ledger())
    claimed = claims.claim(round_.token, now=clock(), most=most)
    try:
        for together in round_.look(claimed):
            if stopping() or round_.is_paused:
                break
            round_.send(together)
    except DATABASE_FAILURES:
        # What arrived is known here and nowhere else: it is written as soon as the database is back.
        reading().rollback()
    if claimed.ids:
        round_.close()
    return Sent(round_.sent, round_.failed, round_.dropped)


class _Round:
    """One claim's messages on their way; its token fences everything it writes.

    That a message arrived is written together with the mark of the next one, so a message costs
    one commit; a crash between leaves one message in doubt, the same as a crash before.
    """

    def __init__(self, transport: Transport, clock: Callable[[], datetime], ledger: Ledger) -> None:
        self.token = str(uuid.uuid4())
        self.sent = self.failed = self.dropped = 0
        self.is_paused = False
        self._transport = transport
        self._clock = clock
        self._ledger = ledger
        self._arrived: tuple[Parcel, datetime] | None = None
        self._writer = letters.Writer()

    def look(self, claim: claims.Claim) -> list[list[Grounds]]:
        """Look at all that was claimed at once; gives what leaves together, in the claim's order."""
        session = reading()
        session.rollback()
        found = grounds.held(session, [*claim.ids, *claim.companions], self.token)
        session.rollback()
        by_bundle: dict[object, list[Grounds]] = defaultdict(list)
        for one in found:
            by_bundle[one.bundle or one.id].append(one)
        leaders = {one.id: one.bundle or one.id for one in found}
        return [by_bundle[leaders[one]] for one in claim.ids if one in leaders]

    def send(self, together: Sequence[Grounds]) -> None:
        """Send one letter; whatever goes wrong with it is written on the rows of its messages."""
        first = [together[0].id]
        try:
            parcel = self._prepared(together)
        except GatewayError as error:
            self._note_failure(first, error)
            return
        except DATABASE_FAILURES:
            raise
        except Exception as error:  # noqa: BLE001  # one bad row must not hold up the others
            reading().rollback()
            why = f"Lỗi của chương trình khi soạn thư: {type(error).__name__}: {error}"
            self._note_failure(first, GatewayError(why, permanent=False))
            return
        if parcel is None:
            self.dropped += 1
            return
        address = parcel.messages[0].to_address
        try:
            self._transport.send(
                office().mail_from, address, parcel.content, lambda: self._mark(parcel)
            )
        except _NotNow:
            return
        except GatewayError as error:
            self._note_failure(parcel.ids, error)
            return
        except DATABASE_FAILURES:
            raise
        except Exception as error:  # noqa: BLE001  # nor must one that breaks the transport
            why = f"Lỗi của chương trình khi gửi thư: {type(error).__name__}: {error}"
            self._note_failure(parcel.ids, GatewayError(why, permanent=False, in_doubt=True))
            return
        self.sent += 1
        self._arrived = (parcel, self._clock())

    def _prepared(self, together: Sequence[Grounds]) -> Parcel | None:
        """Write the letter from what is still true, wanted and in time.

        None when all that would have left was dropped, with the reason on each row. Raises
        GatewayError when it cannot be written.
        """
        now = self._clock()
        reasons = {one.id: why for one in together if (why := why_not(one, now))}
        true = tuple(one for one in together if one.id not in reasons)
        content = bundles.content_of(self._writer, true, now=now) if true else b""
        if reasons:
            self._ledger.write(lambda session: _drop(session, reasons, self.token))
        return Parcel(content, true) if true else None

    def close(self) -> None:
        """Write the last arrival, and put what has not left back in line.

        A database that is starting again is waited for: half a minute, which is within the lease.
        """

        def settle(session: Session) -> None:
            self._note_arrival(session)
            session.execute(
                _held(OutgoingMessage.state == "claimed", self.token).values(
                    state="queued", lease_token=None, lease_until=None
                )
            )

        for seconds in (1, 2, 4, 8, 15):
            try:
                self._ledger.write(settle)
                return
            except DATABASE_FAILURES:
                time.sleep(seconds)
        self._ledger.write(settle)

    def _mark(self, parcel: Parcel) -> None:
        """Commit that the first byte is about to leave, if all that the letter stands on is still
        so; a sender that lost its lease stops here."""
        now = self._clock()

        def mark(session: Session) -> bool:
            self._note_arrival(session)
            return marks.leaves(session, parcel, self.token, now)

        is_as_written = self._ledger.write(mark)
        self._arrived = None
        if not is_as_written:
            raise _NotNow("Thư này đã chuyển sang phiên gửi khác.", permanent=False)

    def _note_arrival(self, session: Session) -> None:
        if self._arrived is not None:
            parcel, at = self._arrived
            marks.arrived(session, parcel, self.token, at)

    def _note_failure(self, ids: Sequence[int], error: GatewayError) -> None:
        """Write why a message did not leave, and decide what becomes of it and its bundle."""
        now = self._clock()

        def note(session: Session) -> bool:
            self._note_arrival(session)
            return _note_failure(session, ids, self.token, error, now)

        self.is_paused = bool(self._ledger.write(note))
        self._arrived = None
        self.failed += 1


def _drop(session: Session, reasons: dict[int, str], token: str) -> None:
    for one, why in reasons.items():
        session.execute(
            _held(OutgoingMessage.id == one, token).values(
                state="dropped", last_error=why, lease_token=None, lease_until=None
            )
        )


def _held(which: ColumnElement[bool], token: str) -> Any:
    """A change of messages, only while this sender still holds them."""
    return (
        update(OutgoingMessage)
        .where(which, OutgoingMessage.lease_token == token)
        .execution_options(synchronize_session=False)
    )


def _still_held(session: Session, ids: Sequence[int], token: str) -> Sequence[OutgoingMessage]:
    return session.scalars(
        select(OutgoingMessage)
        .where(OutgoingMessage.id.in_(ids), OutgoingMessage.lease_token == token)
        .order_by(OutgoingMessage.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _note_failure(
    session: Session, ids: Sequence[int], token: str, error: GatewayError, now: datetime
) -> bool:
    """Write a failure on its rows; gives whether the whole mail is paused by it.

    A server that is down burns no attempts: the message goes back in line as it was.
    """
    is_down = _breaks(session, error, now)
    spread = random.random()
    messages = _still_held(session, ids, token)
    for message in messages:
        message.last_error = str(error)
        message.lease_token = message.lease_until = None
        if error.in_doubt and message.state == "sending":
            claims.doubt(session, message, now)
        elif is_down:
            message.attempts -= message.state == "sending"
            message.state = "queued"
        else:
            message.attempts += message.state != "sending"
            claims.settle(
                message,
                after_failure(
                    message.attempts,
                    permanent=error.permanent,
                    greylisted=error.greylisted,
                    now=now,
                    spread=spread,
                ),
            )
    if messages and error.bad_address and not error.in_doubt:
        mark_address(session, messages[0], now)
    return is_down


def _breaks(session: Session, error: GatewayError, now: datetime) -> bool:
    """Whether mail is paused now: nobody can be reached, or too many connections broke in a row."""
    if not (error.everyone or error.unavailable):
        return False
    counted = session.get(Setting, FAILURES_KEY)
    failures = 1 + int(counted.value or 0 if counted is not None else 0)
    set_value(session, FAILURES_KEY, str(failures))
    if not error.everyone and not opens_breaker(failures):
        return False
    set_value(session, PAUSE_KEY, (now + PROBE_WAIT).isoformat())
    set_value(session, TROUBLE_KEY, str(error))
    return True


def mark_address(session: Session, message: OutgoingMessage, now: datetime) -> None:
    """An address that does not exist: flag the person and put the news on the unit's call list."""
    if message.meeting_id is None or (message.person_id is None and message.speaker_id is None):
        return
    person = session.get(Person, message.person_id) if message.person_id else None
    if person is not None and person.email_failing_since is None:
        person.email_failing_since = now
    if person is not None:
        unit_id = session.scalar(
            select(Invitation.unit_id).where(
                Invitation.meeting_id == message.meeting_id, Invitation.person_id == person.id
            )
        )
    else:
        unit_id = session.scalar(
            select(Meeting.organiser_id).where(Meeting.id == message.meeting_id)
        )
    row = {
        "unit_id": unit_id,
        "person_id": message.person_id,
        "speaker_id": message.speaker_id,
        "meeting_id": message.meeting_id,
        "kind": "address_failing",
        "dedup_key": f"address:{message.dedup_key}"[:200],
        "text": f"Thư tới {message.to_address} bị trả lại. Hãy báo bằng điện thoại: "
        f"{message.subject}"[:1000],
        "created_at": now,
    }
    insert_new(session, CallListEntry, [row])
