"""The processes that scenarios start and kill: the program's own clock and sender, and a producer."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from gateways.mail import Letter, Mailbox
from gateways.smtp import Transport
from models import Meeting, OutgoingMessage, Speaker, Unit, Venue, db
from rules.permissions import SYSTEM
from scheduler.__main__ import Clock
from services import claims, invitations, outbox
from services.meetings import cancel_meeting
from services.office import office, use
from services.transaction import writing
from tests.world import World, add_meeting, add_person, build_world
from torture.stage import FastClock

GUESTS = 12
BACKLOG = 200
"""A dead sender keeps its messages until its lease ends; the others must find more than that."""
AT_ONCE = 30
LETTER = Letter("Kính gửi đồng chí,", ["Nội dung thử."])


def run_scheduler(clock: FastClock, naive: bool = False, report: Path | None = None) -> None:
    """Run the program's scheduler as `python -m scheduler` does, with the stage's clock.

    The total deadline of a message shrinks with the clock's speed, as the lease does, and so does the
    batch: else the dead would hold all there is until their leases end, and the living be idle. `naive`
    switches in the order that loses mail: marked as sent first, then sent, never tried again.
    What it sends is noted in `report`, for whoever wants to end it in the middle of its work.
    """
    logging.disable(logging.CRITICAL)
    app = create_app()
    was = office()
    if was.smtp is not None:
        seconds = was.smtp.deadline_seconds / clock.speed
        smtp = replace(was.smtp, deadline_seconds=seconds, reply_seconds=seconds)
        use(replace(was, smtp=smtp))
    claims.BATCH = max(2, round(claims.BATCH / clock.speed))
    scheduler = Clock(app, now=clock.now, goes_by_database=False)
    if naive:
        scheduler.transports = [MarkFirst(one) for one in scheduler.transports]
    if report is not None:
        scheduler.transports = [Noted(one, report) for one in scheduler.transports]
    scheduler.run()


class Noted:
    """A transport that notes, a letter each, that a message began to leave, that it was sent, or not."""

    def __init__(self, transport: Transport, report: Path) -> None:
        self._transport = transport
        self._report = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Pass it on, and note what became of it."""
        begun: list[bool] = []

        def begins() -> None:
            before_data()
            begun.append(True)
            os.write(self._report, b"b")

        try:
            answer = self._transport.send(sender, recipient, content, begins)
        except BaseException:
            if begun:
                os.write(self._report, b"f")
            raise
        os.write(self._report, b"s")
        return answer

    def hurry(self, seconds: float) -> None:
        """Pass it on."""
        self._transport.hurry(seconds)

    def close(self) -> None:
        """Pass it on."""
        self._transport.close()


def has_sent(report: Path) -> bool:
    """Whether the process with this report has sent a message since it started."""
    return report.exists() and b"s" in report.read_bytes()


def in_hand(report: Path) -> int:
    """How many messages had begun to leave and had not ended when the process with this report died."""
    noted = report.read_bytes() if report.exists() else b""
    return noted.count(b"b") - noted.count(b"s") - noted.count(b"f")


class MarkFirst:
    """The usual order of senders that lose mail: the row says sent before the server has it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(
        self, sender: str, recipient: str, content: bytes, before_data: Callable[[], None]
    ) -> str:
        """Mark, then send, and believe it whatever happens."""
        before_data()
        with writing() as session:
            message_id = content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
            row = session.scalar(
                select(OutgoingMessage).where(OutgoingMessage.message_id == message_id)
            )
            if row is not None:
                row.state = "sent"
        try:
            return self._transport.send(sender, recipient, content, lambda: None)
        except Exception:  # noqa: BLE001  # the fault this class stands for
            return "250 believed"

    def hurry(self, seconds: float) -> None:
        """Pass it on."""
        self._transport.hurry(seconds)

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()


def build_small_city(guests: int = GUESTS) -> World:
    """The tests' small city, with this many more members who have addresses."""
    world = build_world()
    for number in range(guests):
        email = f"dv{number}@torture.invalid"
        add_person(f"T{number}", f"Đảng Viên {number}", world.units["cell-2"], email=email)
    db.session.commit()
    return world


def run_producer(clock: FastClock, promises: Path, first: int, pause_seconds: float) -> None:
    """Publish and cancel meetings and write notices; note each promise once it is committed.

    A promise is a Message-ID whose row was acknowledged by the database. While little waits, many
    are made at once, so that every sender always has work.
    """
    logging.disable(logging.CRITICAL)
    ledger = os.open(promises, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = first
    with create_app().app_context():
        while True:
            try:
                promised = _promise(number, clock)
            except SQLAlchemyError:
                # Nothing was acknowledged, so nothing was promised.
                db.session.rollback()
                time.sleep(0.2)
                continue
            finally:
                number += 1
            os.write(ledger, "".join(f"{one}\n" for one in promised).encode())
            # More than the senders can take on a busy machine is no harder, it only takes longer.
            time.sleep(pause_seconds if _waiting() < 2 * BACKLOG else 1.0)


def _waiting() -> int:
    try:
        count = select(func.count()).where(OutgoingMessage.state.in_(outbox.WAITING))
        return db.session.scalar(count) or 0
    except SQLAlchemyError:
        return 0
    finally:
        db.session.rollback()


def _promise(number: int, clock: FastClock) -> list[str]:
    """Do one thing that promises mail, a meeting or notices; gives the Message-IDs promised."""
    if number % 4 == 0:
        return _invite(clock)
    many = AT_ONCE if _waiting() < BACKLOG else 2
    keys = []
    with writing() as session:
        for kind in ("sign_in", *("notice",) * many):
            keys.append(f"{kind}:{os.getpid()}:{number}:{os.urandom(8).hex()}")
            outbox.enqueue_letter(
                session,
                LETTER,
                kind=kind,
                to=Mailbox(f"{kind}{number}@torture.invalid", f"Người {number}"),
                subject=f"Thông báo {number}",
                dedup_key=keys[-1],
                now=clock.now(),
                priority=1 if kind == "sign_in" else 5,
            )
        told = select(OutgoingMessage.message_id).where(OutgoingMessage.dedup_key.in_(keys))
        return list(session.scalars(told))


def _invite(clock: FastClock) -> list[str]:
    """Publish a meeting for the city's members; now and then call off the one before."""
    world = _world()
    meeting = add_meeting(world, at=clock.now() + timedelta(days=30), invite=("cell-2",))
    with writing() as session:
        fresh = session.get_one(Meeting, meeting.id)
        invitations.announce_published(session, fresh, now=clock.now(), by=SYSTEM)
    promised = _message_ids(meeting.id)
    earlier = db.session.scalar(
        select(Meeting.id)
        .where(Meeting.state == "published", Meeting.id < meeting.id)
        .order_by(Meeting.id.desc())
        .limit(1)
    )
    if earlier is not None and meeting.id % 2 == 0:
        cancel_meeting(earlier, "Thử nghiệm.", now=clock.now(), by=SYSTEM)
        promised += _message_ids(earlier, "cancel")
    return promised


def _message_ids(meeting_id: int, kind: str = "request") -> list[str]:
    db.session.rollback()
    rows = select(OutgoingMessage.message_id).where(
        OutgoingMessage.meeting_id == meeting_id, OutgoingMessage.kind == kind
    )
    return list(db.session.scalars(rows))


def _world() -> World:
    """The few rows of the small city that a new meeting needs, read again by another process."""
    codes = {"ward-1": "DB1", "cell-2": "CB2"}
    return World(
        units={
            name: db.session.scalars(select(Unit).where(Unit.code == code)).one()
            for name, code in codes.items()
        },
        people={},
        accounts={},
        households=[],
        venue=db.session.scalars(select(Venue)).one(),
        speaker=db.session.scalars(select(Speaker)).one(),
    )
