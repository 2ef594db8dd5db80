"""The clock as a process and as ticks: each slot once, a clean stop, and a row that says it lives."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import ClockTick, JobRun, OutgoingMessage
from rules.clock import Daily
from scheduler import jobs
from scheduler.__main__ import Clock
from services import clock
from services.transaction import writing
from tests.services.post import publish
from tests.world import add_meeting, build_world

ROOT = Path(__file__).resolve().parents[2]


def test_two_clocks_tick_and_every_slot_happens_once(
    app: Flask, db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def work(slot: datetime, now: datetime) -> None:
        with writing() as session:
            if clock.first_run(session, "probe", slot, now=now):
                ran.append("probe")

    midnight = (datetime.now(UTC) - timedelta(hours=1)).astimezone().time()
    always = jobs.Slotted("probe", Daily(midnight, catch_up=timedelta(hours=30)), work)
    monkeypatch.setattr("scheduler.__main__.ONCE_A_DAY", (always,))
    clocks = [Clock(app), Clock(app)]
    for one in clocks * 3:
        one.tick()
    db.session.rollback()
    slots = list(db.session.scalars(select(JobRun.slot).where(JobRun.job == "probe")))
    assert len(ran) == len(slots) >= 1
    assert clock.last_tick_at() is not None


def test_a_job_that_fails_stops_neither_the_others_nor_the_clock(
    app: Flask, db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[datetime] = []

    def breaks(_now: datetime) -> None:
        raise RuntimeError

    monkeypatch.setattr(
        "scheduler.__main__.EVERY_TICK",
        (jobs.EveryTick("broken", breaks), jobs.EveryTick("next", ran.append)),
    )
    one = Clock(app)
    one.tick()
    one.tick()
    assert len(ran) == 2
    db.session.rollback()
    assert db.session.scalar(select(ClockTick.clock)) == one.name


def test_every_name_in_the_timetable_is_its_own() -> None:
    names = [job.name for job in (*jobs.EVERY_TICK, *jobs.ONCE_A_DAY)]
    assert len(names) == len(set(names))
    assert all(len(name) <= 40 for name in names)


@pytest.mark.slow
def test_the_process_sends_what_is_due_and_stops_cleanly(
    app: Flask, db: SQLAlchemy, tmp_path: Path
) -> None:
    world = build_world()
    now = datetime.now(UTC)
    publish(add_meeting(world, at=now + timedelta(days=5)), now)
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    db.session.remove()
    environment = os.environ | {"INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "only for tests"}
    if url.startswith("sqlite"):
        url = f"sqlite:////{url.removeprefix('sqlite:///').lstrip('/')}"
    environment["DATABASE_URL"] = url
    process = subprocess.Popen(
        [sys.executable, "-m", "scheduler"], cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            db.session.rollback()
            states = set(db.session.scalars(select(OutgoingMessage.state)))
            if states == {"sent"}:
                break
            time.sleep(0.3)
        assert states == {"sent"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    assert len(list((tmp_path / "mailbox" / "new").iterdir())) == 2
    db.session.rollback()
    assert clock.last_tick_at() is not None
