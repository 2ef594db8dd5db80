"""A link's marks are judged before the register is locked: what somebody else does meanwhile counts,
and what belongs to a mark is written with it or not at all."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from models import AuditEntry, Mark, Meeting, RegisterLine, WalkIn, db
from rules.permissions import SYSTEM, Actor
from services import attendance, attendance_look, attendance_states
from services.attendance_ledger import new_mark
from services.attendance_seal import MARKED
from services.meeting_links import actor_of_link, create_meeting_link
from tests.services import campaign_plans as plans
from tests.world import NOW, World, add_meeting, build_world, invite_by_name

AT = NOW + timedelta(minutes=30)


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture(autouse=True)
def nobody_was_overtaken_yet(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    crowded: dict[int, float] = {}
    monkeypatch.setattr(attendance, "_CROWDED", crowded)
    return crowded


def link_of(meeting: Meeting) -> Actor:
    made = create_meeting_link(meeting.id, now=AT, by=SYSTEM)
    link = actor_of_link(made.token, now=AT)
    assert link is not None
    return link


def invited(world: World, **values: Any) -> Meeting:
    """A published meeting to which everybody is invited by name."""
    return invite_by_name(world, add_meeting(world, **values), *world.people)


@pytest.fixture
def door(world: World) -> tuple[int, Actor, str]:
    """A meeting, the holder of its link, and one of those who are invited to it."""
    meeting = invited(world)
    return meeting.id, link_of(meeting), f"m:{world.people['chi'].id}"


def call_off(meeting_id: int) -> None:
    db.session.get_one(Meeting, meeting_id).state = "cancelled"
    db.session.commit()


def send(
    meeting_id: int, by: Actor, *marks: dict[str, Any], device: str = "A", brief: bool = False
) -> list[str]:
    body = {"marks": list(marks)} | ({"register": "counts"} if brief else {})
    done = attendance.record_marks(meeting_id, body, now=AT, by=by, device=device)
    return [verdict.kind for _, verdict in done.verdicts]


def mark(subject: str, status: str = "present", minutes: int = 0, **more: Any) -> dict[str, Any]:
    return new_mark(subject, status, AT + timedelta(minutes=minutes)) | more


def meanwhile(app: Flask, monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Let the deed be done by somebody else, once, between a look at the register and its change."""
    looked = attendance_look.look

    def elsewhere() -> None:
        with app.app_context():
            deed()

    def look(*arguments: Any) -> Any:
        found = looked(*arguments)
        monkeypatch.setattr(attendance, "look", looked)
        other = Thread(target=elsewhere)
        other.start()
        other.join(30)
        assert not other.is_alive()
        return found

    monkeypatch.setattr(attendance, "look", look)


def counters(meeting_id: int) -> tuple[int, int, int]:
    db.session.rollback()
    db.session.expire_all()
    meeting = db.session.get(Meeting, meeting_id)
    assert meeting is not None
    assert attendance.register_differences(meeting_id) == []
    number = db.session.scalar(select(func.count()).where(Mark.meeting_id == meeting_id))
    return meeting.present_count, meeting.register_version, number or 0


@pytest.mark.backends("postgresql")
def test_another_phones_mark_in_between_is_seen_and_flagged(
    app: Flask, door: tuple[int, Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, link, subject = door
    other = link_of(db.session.get_one(Meeting, meeting))
    theirs = mark(subject, "excused", -1)
    meanwhile(app, monkeypatch, lambda: send(meeting, other, theirs, device="B"))
    assert send(meeting, link, mark(subject)) == ["flagged"]
    assert counters(meeting) == (1, 2, 2)


@pytest.mark.backends("postgresql")
def test_a_line_is_not_put_back_to_a_mark_that_was_taken_back_in_between(
    app: Flask, door: tuple[int, Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, link, subject = door
    first = mark(subject)
    assert send(meeting, link, first) == ["stored"]
    undo = mark(subject, "none", 1, annuls=first["id"])

    def take_back_and_call_off() -> None:
        send(meeting, link, undo)
        call_off(meeting)

    meanwhile(app, monkeypatch, take_back_and_call_off)
    # Tapped before the first and sent after it: by what was looked at, the first still decides.
    assert send(meeting, link, mark(subject, "late", -2)) == ["refused"]
    assert counters(meeting) == (0, 2, 2)
    assert db.session.scalars(select(RegisterLine.status)).all() == []


@pytest.mark.backends("postgresql")
def test_the_same_mark_in_between_is_written_once(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = invited(world).id
    link = link_of(db.session.get_one(Meeting, meeting))
    several = [mark(f"m:{world.people[name].id}") for name in ("chi", "hien", "anh")]
    meanwhile(app, monkeypatch, lambda: send(meeting, link, *several))
    assert send(meeting, link, *several) == ["known"] * 3
    assert counters(meeting) == (3, 1, 3)


@pytest.mark.backends("postgresql")
def test_a_register_that_is_locked_in_between_flags_the_mark(
    app: Flask, world: World, door: tuple[int, Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, link, subject = door
    assert send(meeting, link, mark(f"m:{world.people['hien'].id}", minutes=-2)) == ["stored"]

    def lock() -> None:
        attendance_states.submit_register(meeting, now=AT, by=SYSTEM)
        attendance_states.lock_register(meeting, now=AT, by=SYSTEM)

    meanwhile(app, monkeypatch, lock)
    assert send(meeting, link, mark(subject, minutes=-1)) == ["flagged"]
    assert counters(meeting)[2] == 2
    noted = select(AuditEntry).where(AuditEntry.action == MARKED).order_by(AuditEntry.id)
    assert [one.details["flagged"] for one in db.session.scalars(noted)] == [0, 1]


@pytest.mark.backends("postgresql")
def test_a_meeting_that_is_called_off_in_between_takes_no_mark(
    app: Flask, door: tuple[int, Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, link, subject = door
    meanwhile(app, monkeypatch, lambda: call_off(meeting))
    assert send(meeting, link, mark(subject)) == ["refused"]
    assert counters(meeting)[2] == 0


@pytest.fixture
def asked(db: Any) -> Iterator[list[str]]:
    """Every statement, as it is asked."""
    found: list[str] = []

    def note(*given: Any) -> None:
        found.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    yield found
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.mark.backends("postgresql")
def test_a_tap_is_three_exchanges_and_locks_nothing_before_the_last(
    world: World, asked: list[str]
) -> None:
    meeting = invited(world).id
    made = create_meeting_link(meeting, now=AT, by=SYSTEM)
    subjects = [f"m:{world.people[name].id}" for name in ("hien", "chi")]
    for subject in subjects:  # the first opens the register, which is noted in the log
        asked.clear()
        link = actor_of_link(made.token, now=AT)
        assert link is not None
        assert send(meeting, link, mark(subject), brief=True) == ["stored"]
    assert len(asked) == 3
    assert not any("FOR UPDATE" in one for one in asked)


@pytest.mark.backends("postgresql")
@pytest.mark.parametrize("is_link", [True, False])
def test_many_at_one_register_are_all_written_once(app: Flask, world: World, is_link: bool) -> None:
    """Who waited for the register sees it as it is then; nobody waits for each other."""
    meeting = invited(world)
    by = [link_of(meeting) if is_link else SYSTEM for _ in range(4)]
    subjects = [f"m:{person.id}" for person in world.people.values()]
    meeting_id, told = meeting.id, []

    def phone(number: int) -> None:
        with app.app_context():
            given: dict[str, str] = {}
            for turn in range(30):
                subject = subjects[(turn + number) % len(subjects)]
                before = given.pop(subject, None)
                one = mark(subject, "none" if before else "present", annuls=before)
                if not before:
                    given[subject] = one["id"]
                told.extend(send(meeting_id, by[number], one, device=f"{number}"))

    phones = [Thread(target=phone, args=(number,)) for number in range(4)]
    for one in phones:
        one.start()
    for one in phones:
        one.join(60)
    assert len(told) == 120
    assert set(told) <= {"stored", "flagged"}
    assert counters(meeting_id)[1:] == (120, 120)


def _rare(world: World) -> dict[str, tuple[str, Callable[[Meeting], dict[str, Any]]]]:
    """What is written beside a mark: what fails behind it, and the mark that leads there."""
    chi = f"m:{world.people['chi'].id}"

    def undone(meeting: Meeting) -> dict[str, Any]:
        first = mark(chi, minutes=-1)
        send(meeting.id, link_of(meeting), first)
        return mark(chi, "none", annuls=first["id"])

    def handed_in(meeting: Meeting) -> dict[str, Any]:
        attendance_states.submit_register(meeting.id, now=AT, by=SYSTEM)
        return mark(chi)

    stranger = f"w:{new_mark('', 'present', AT)['id']}"
    return {
        "coverage": ("services.attendance.refresh_subjects", lambda _: mark(chi)),
        "line": ("services.attendance.delete_lines", undone),
        "walk-in": ("services.attendance.write_marks", lambda _: mark(stranger, name="Khách lạ")),
        "log": ("services.audit.seal_waiting", handed_in),
    }


@pytest.mark.parametrize("what", ["coverage", "line", "walk-in", "log"])
def test_what_belongs_to_a_mark_is_written_with_it_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    sitting = plans.sitting(world, plans.opened(world))
    counts = {"campaign_id": sitting.campaign_id} if what == "coverage" else {}
    meeting = invited(world, at=NOW, **counts)
    link = link_of(meeting)
    # The first mark opens the register; what comes after it is nothing for the log by itself.
    send(meeting.id, link, mark(f"m:{world.people['hien'].id}", minutes=-2))
    fails, made = _rare(world)[what]
    one, before = made(meeting), counters(meeting.id)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("gãy giữa chừng")

    with monkeypatch.context() as broken:
        broken.setattr(fails, fail)
        with pytest.raises(RuntimeError):
            send(meeting.id, link, one)
    assert counters(meeting.id) == before
    assert db.session.scalar(select(func.count()).select_from(WalkIn)) == 0
    assert send(meeting.id, link, one) in (["stored"], ["flagged"])
    assert counters(meeting.id)[2] == before[2] + 1
