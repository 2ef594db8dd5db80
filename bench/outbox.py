"""How fast invitations are enqueued and sent, beside smtplib alone to the same sink.

    python -m bench.outbox [--invited 5000] [--sent 400]

Publishes one meeting of a fresh demonstration city that invites so many members with addresses, then
sends some of its invitations to a sink in a process of its own that writes down what it takes;
smtplib sends as many plain messages, each built when its turn comes, over one connection. One
line of JSON per figure.
"""

import argparse
import json
import os
import smtplib
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from multiprocessing import get_context
from pathlib import Path
from socket import socket
from threading import Thread

from flask import Flask
from sqlalchemy import func, insert, select, update

from app import create_app
from gateways.smtp import SmtpSettings, SmtpTransport
from models import Invitation, Meeting, Membership, OutgoingMessage, Person, Unit, db
from rules.permissions import SYSTEM
from services import sending
from services.ledger import Ledger
from services.meetings import publish_meetings
from torture.sink import run_sink

SENDERS = 3
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Enqueue, send, and send the same number without us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invited", type=int, default=5000)
    parser.add_argument("--sent", type=int, default=400)
    options = parser.parse_args()
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        sink = get_context("spawn").Process(
            target=run_sink, args=(port, Path(name) / "taken", 0, 0)
        )
        sink.start()
        try:
            prepare(name, port)
            app = create_app()
            with app.app_context():
                measure(app, options.invited, options.sent, port)
        finally:
            sink.kill()
            sink.join()


def prepare(name: str, port: int) -> None:
    """A demonstration city whose mail goes to the sink without a limit."""
    os.environ["DATABASE_URL"] = f"sqlite:///{Path(name) / 'bench.db'}"
    os.environ |= {"INSTANCE_PATH": name, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
    os.environ |= {"SMTP_STARTTLS": "0", "MAIL_FROM": "bench@bench.invalid"}
    os.environ["MAIL_RATE_PER_MINUTE"] = "100000"
    for command in (("db", "upgrade"), ("demo", "load", "--scale", "city")):
        flask = (sys.executable, "-m", "flask", *command)
        subprocess.run(flask, cwd=ROOT, check=True, capture_output=True)


def measure(app: Flask, invited: int, sent: int, port: int) -> None:
    """Our enqueueing and sending, then smtplib's sending."""
    meeting_id = draft(invited)
    db.session.execute(update(OutgoingMessage).values(state="dropped"))
    db.session.commit()
    began, cpu = time.perf_counter(), time.process_time()
    publish_meetings([meeting_id], now=datetime.now(UTC), by=SYSTEM)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    waiting = select(func.count()).where(OutgoingMessage.state == "queued")
    messages = db.session.scalar(waiting) or 0
    tell("enqueued", seconds=round(took, 2), cpu_seconds=round(cpu, 2), messages=messages)
    db.session.rollback()
    for senders in (1, SENDERS):
        began, cpu = time.perf_counter(), time.process_time()
        done = send(app, senders, sent, port)
        per_second = done / (time.perf_counter() - began)
        milliseconds = 1000 * (time.process_time() - cpu) / done
        alone, alone_milliseconds = plainly(sent, port)
        tell(
            "sent by us",
            senders=senders,
            per_second=round(per_second),
            cpu_ms=round(milliseconds, 1),
            smtplib_per_second=round(alone),
            smtplib_cpu_ms=round(alone_milliseconds, 1),
            ours_of_smtplib=round(per_second / alone, 2),
        )


def send(app: Flask, senders: int, most: int, port: int) -> int:
    """Send as the scheduler does: so many threads, each with its connection, one ledger."""
    ledger, counts = Ledger(), [0] * senders

    def work(place: int) -> None:
        transport = SmtpTransport(SmtpSettings("127.0.0.1", port, starttls=False))
        with app.app_context():
            while sum(counts) < most:
                counts[place] += sending.send_due(transport, clock=clock, ledger=ledger).sent
        transport.close()

    threads = [Thread(target=work, args=(place,)) for place in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def draft(invited: int) -> int:
    """A draft of tomorrow that invites so many members, every one with an address."""
    now = clock()
    top = select(Unit.id).where(Unit.parent_id.is_(None), Unit.tree == "party").limit(1)
    meeting = Meeting(
        uid=f"{uuid.uuid4()}@bench.invalid",
        kind="study",
        topic="Buổi đo tốc độ gửi thư",
        organiser_id=db.session.scalar(top),
        starts_at=now + timedelta(days=20),
        ends_at=now + timedelta(days=20, hours=2),
        place="Hội trường",
        counting="roll",
        state="draft",
        created_at=now,
        modified_at=now,
    )
    db.session.add(meeting)
    db.session.flush()
    db.session.execute(update(Person).values(email="p" + Person.code + "@bench.invalid"))
    members = db.session.execute(
        select(Membership.person_id, Membership.unit_id)
        .where(Membership.valid_to.is_(None))
        .limit(invited)
    )
    rows = [
        {"meeting_id": meeting.id, "person_id": one, "unit_id": unit, "source": "person"}
        | {"created_at": now}
        for one, unit in members
    ]
    db.session.execute(insert(Invitation), rows)
    db.session.commit()
    return meeting.id


def plainly(count: int, port: int) -> tuple[float, float]:
    """Messages a second and CPU milliseconds of smtplib alone, built one by one as ours are."""
    began, cpu = time.perf_counter(), time.process_time()
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for number in range(count):
            message = EmailMessage()
            message["Subject"] = "Lịch học tập: mời dự buổi học"
            message["From"], message["To"] = "bench@bench.invalid", f"p{number}@bench.invalid"
            message.set_content("Kính mời đồng chí dự buổi học.\n" * 20)
            message.add_alternative("<p>Kính mời đồng chí dự buổi học.</p>" * 20, subtype="html")
            connection.send_message(message)
    return count / (time.perf_counter() - began), 1000 * (time.process_time() - cpu) / count


def clock() -> datetime:
    return datetime.now(UTC)


def tell(what: str, **figures: float) -> None:
    """One figure as one line."""
    print(json.dumps({"what": what, **figures}), flush=True)


if __name__ == "__main__":
    main()
