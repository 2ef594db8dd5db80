"""The clock as a process and as ticks: each slot once, a clean stop, and a row that says it lives."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from models import ClockTick, JobRun, OutgoingMessage
from rules.clock import Daily
from rules.permissions import Actor, Grant
from rules.refusals import NotAllowed
from scheduler import jobs
from scheduler.__main__ import Clock
from scheduler.trigger import EverySeconds
from scheduler.watch import Watch
from services import clock
from services.transaction import writing
from tests.services.post import Postman, deliver, publish
from tests.world import add_meeting, build_world

ROOT = Path(__file__).resolve().parents[2]


def test_two_clocks_tick_and_every_slot_happens_once(app: Flask, db: SQLAlchemy) -> None:
    ran: list[str] = []

    def work(slot: datetime, now: datetime) -> None:
        with writing() as session:
            if clock.first_run(session, "probe", slot, now=now):
                ran.append("probe")

    midnight = (datetime.now(UTC) - timedelta(hours=1)).astimezone().time()
    always = jobs.Slotted("probe", Daily(midnight, catch_up=timedelta(hours=30)), work)
    clocks = [Clock(app, slotted=(always,)), Clock(app, slotted=(always,))]
    for one in clocks * 3:
        one.tick()
    db.session.rollback()
    slots = list(db.session.scalars(select(JobRun.slot).where(JobRun.job == "probe")))
    assert len(ran) == len(slots) >= 1
    assert clock.last_tick_at() is not None


def test_a_job_that_fails_stops_neither_the_others_nor_the_clock(
    app: Flask, db: SQLAlchemy
) -> None:
    ran: list[datetime] = []

    def breaks(_now: datetime) -> None:
        raise RuntimeError

    timetable = (jobs.EveryTick("broken", breaks), jobs.EveryTick("next", ran.append))
    one = Clock(app, jobs=timetable, slotted=())
    for _ in range(4):
        one.tick()
    assert len(ran) == 4
    db.session.rollback()
    tick = db.session.scalars(select(ClockTick)).one()
    assert tick.clock == one.name
    assert "“broken” lỗi 3 lần" in tick.trouble
    assert clock.troubles(now=datetime.now(UTC)) == [tick.trouble]


class Hands:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.backends("sqlite")
def test_a_clock_that_leaps_a_day_holds_everything_until_it_is_confirmed(
    app: Flask, db: SQLAlchemy
) -> None:
    ran: list[datetime] = []
    world = build_world()
    publish(add_meeting(world, at=datetime.now(UTC) + timedelta(days=5)), datetime.now(UTC))
    hands, post = Hands(), Postman()
    one = Clock(app, now=hands, jobs=(jobs.EveryTick("probe", ran.append),), slotted=())
    one.tick()
    assert len(ran) == 1
    hands.ahead = timedelta(days=2)
    one._run_job(one.jobs[0])
    one.tick()
    assert len(ran) == 1
    assert deliver(post, hands()).sent == 0
    found = clock.hold_in_force()
    assert found is not None
    assert timedelta(days=1, hours=23) < found.after - found.before < timedelta(days=2, hours=1)
    with pytest.raises(NotAllowed):
        clock.release(now=hands(), by=Actor("An", grants=(Grant("staff", None),)))
    clock.release(now=hands(), by=Actor("Quản", grants=(Grant("admin", None),)))
    one.tick()
    assert len(ran) == 2
    assert deliver(post, hands()).sent == 2


@pytest.mark.backends("sqlite")
def test_a_clock_that_is_put_back_goes_on_by_itself(app: Flask, db: SQLAlchemy) -> None:
    ran: list[datetime] = []
    hands = Hands()
    one = Clock(app, now=hands, jobs=(jobs.EveryTick("probe", ran.append),), slotted=())
    one.tick()
    hands.ahead = timedelta(days=3 * 365)
    one.tick()
    assert clock.hold_in_force() is not None
    hands.ahead = timedelta(0)
    one.tick()
    db.session.rollback()
    assert clock.hold_in_force() is None
    assert len(ran) == 2
    db.session.rollback()
    assert clock.last_tick_at() is not None
    assert clock.last_tick_at() < datetime.now(UTC) + timedelta(minutes=1)  # type: ignore[operator]  # None would fail here


@pytest.mark.parametrize(("days", "is_held"), [(3, False), (8, True), (3 * 365, True)])
def test_a_clock_that_starts_catches_up_with_three_days_and_doubts_a_week(
    app: Flask, db: SQLAlchemy, days: int, is_held: bool
) -> None:
    clock.record_tick("trước", now=datetime.now(UTC) - timedelta(days=days))
    Clock(app, jobs=(), slotted=()).tick()
    db.session.rollback()
    assert (clock.hold_in_force() is not None) is is_held


def test_a_job_that_hangs_is_named_and_the_process_ends_when_it_is_hopeless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch()
    with watch.over("take_replies"):
        assert watch.troubles() == []
        monkeypatch.setattr(Watch, "HANGING_SECONDS", -1.0)
        assert "“take_replies” đã chạy" in watch.troubles()[0]
        assert watch.stuck() == ""
        monkeypatch.setattr(Watch, "HOPELESS_SECONDS", -1.0)
        assert "take_replies" in watch.stuck()
    assert watch.troubles() == []
    assert watch.stuck() == ""
    monkeypatch.setattr(Watch, "SILENT_SECONDS", -1.0)
    assert "no heartbeat" in watch.stuck()


def test_a_clock_three_years_ahead_lists_none_of_the_ticks_it_leapt_over() -> None:
    began = datetime.now(UTC)
    job = BackgroundScheduler(timezone=UTC).add_job(list, EverySeconds(10), next_run_time=began)
    later = began + timedelta(days=3 * 365)
    assert job._get_run_times(later) == [began]
    assert job.trigger.get_next_fire_time(began, later) == later + timedelta(seconds=10)
    assert job.trigger.get_next_fire_time(began, began) == began + timedelta(seconds=10)


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
    db.session.rollback()
    letters = db.session.scalars(select(OutgoingMessage.kind)).all()
    assert letters.count("request") == 2, "on some days a digest goes as well"
    assert len(list((tmp_path / "mailbox" / "new").iterdir())) == len(letters)
    assert clock.last_tick_at() is not None
