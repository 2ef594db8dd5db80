"""The outbox under two senders, dead senders, bad addresses and a mail server that is down."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, select

from gateways.errors import GatewayError
from gateways.mail import Letter, Mailbox
from models import CallListEntry, Meeting, OutgoingMessage, Person
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import NotFound, Refusal
from services import letters, outbox, sending
from services.meetings import cancel_meeting
from services.transaction import writing
from tests.services.post import Postman, deliver, messages, publish
from tests.world import NOW, World, add_meeting, build_world

CHI, BINH = "chi@test.invalid", "binh@test.invalid"
LETTER = Letter("Kính gửi đồng chí,", ["Nội dung thử."])


@pytest.fixture
def world(db: SQLAlchemy) -> World:
    return build_world()


@pytest.fixture
def meeting(world: World) -> Meeting:
    planned = add_meeting(world, at=NOW + timedelta(days=5))
    publish(planned, NOW)
    return planned


def notices(count: int, kind: str = "notice", **values: Any) -> None:
    with writing() as session:
        for number in range(count):
            outbox.enqueue_letter(
                session,
                LETTER,
                kind=kind,
                to=Mailbox(f"b{number}@test.invalid", f"Người {number}"),
                subject=f"Thông báo {number}",
                dedup_key=f"{kind}:{number}",
                now=NOW,
                **values,
            )


def states(db: SQLAlchemy) -> list[str]:
    db.session.rollback()
    rows = select(OutgoingMessage.state).order_by(OutgoingMessage.id)
    return list(db.session.scalars(rows))


def test_the_same_cause_is_one_message(db: SQLAlchemy) -> None:
    notices(2)
    notices(2)
    assert states(db) == ["queued", "queued"]


def test_a_cause_undone_takes_its_message_with_it(db: SQLAlchemy) -> None:
    def fails() -> None:
        with writing() as session:
            outbox.enqueue_letter(
                session,
                LETTER,
                kind="notice",
                to=Mailbox("b@test.invalid"),
                subject="x",
                dedup_key="x",
                now=NOW,
            )
            raise Refusal("Không được.")

    with pytest.raises(Refusal):
        fails()
    assert states(db) == []


def test_two_senders_at_once_send_everything_exactly_once(app: Flask, db: SQLAlchemy) -> None:
    notices(60)
    db.session.remove()
    postmen = [Postman(), Postman()]

    def work(postman: Postman) -> None:
        with app.app_context():
            while sending.send_due(postman, clock=lambda: NOW).sent:
                pass

    threads = [threading.Thread(target=work, args=(postman,)) for postman in postmen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [address for postman in postmen for address, _ in postman.kept]
    assert sorted(kept) == sorted(f"b{number}@test.invalid" for number in range(60))
    assert set(states(db)) == {"sent"}


def test_the_rate_per_minute_is_kept(app: Flask, db: SQLAlchemy) -> None:
    notices(30)
    from services import office

    was = office.office()
    office.use(office.Office(was.public_url, was.mail_from, was.secret_key, 10))
    try:
        postman = Postman()
        assert deliver(postman, NOW).sent == 10
        assert deliver(postman, NOW + timedelta(seconds=30)).sent == 0
        assert deliver(postman, NOW + timedelta(seconds=61)).sent == 10
    finally:
        office.use(was)


def test_a_clean_stop_finishes_the_message_in_hand_and_nothing_goes_twice(
    db: SQLAlchemy,
) -> None:
    notices(5)
    postman = Postman()
    sending.send_due(postman, clock=lambda: NOW, stopping=lambda: len(postman.kept) == 2)
    assert states(db) == ["sent", "sent", "queued", "queued", "queued"]
    deliver(postman, NOW)
    assert len(postman.kept) == 5
    assert len(set(postman.kept)) == 5


class Killed(BaseException):
    """What a process sees when it is killed: nothing more runs."""


def test_a_sender_killed_in_mid_send_leaves_the_message_visible_and_the_rest_waiting(
    db: SQLAlchemy,
) -> None:
    notices(2, kind="sign_in")

    class Dying(Postman):
        def send(self, sender, recipient, content, before_data):
            before_data()
            raise Killed

    with pytest.raises(Killed):
        sending.send_due(Dying(), clock=lambda: NOW)
    assert states(db) == ["sending", "claimed"]
    assert deliver(Postman(), NOW + timedelta(minutes=1)).sent == 0
    postman = Postman()
    deliver(postman, NOW + timedelta(minutes=6))
    assert states(db) == ["in_doubt", "sent"]
    assert [address for address, _ in postman.kept] == ["b1@test.invalid"]


def test_a_calendar_message_in_doubt_goes_again_with_the_same_bytes(
    meeting: Meeting, db: SQLAlchemy
) -> None:
    lost: list[bytes] = []

    class Dying(Postman):
        def send(self, sender, recipient, content, before_data):
            before_data()
            lost.append(content)
            raise Killed

    with pytest.raises(Killed):
        sending.send_due(Dying(), clock=lambda: NOW)
    postman = Postman()
    deliver(postman, NOW + timedelta(minutes=6))
    assert lost[0] in [content for _, content in postman.kept]
    assert len(postman.kept) == 2


def test_a_sender_whose_lease_was_taken_over_stops_before_the_first_byte(db: SQLAlchemy) -> None:
    notices(1)
    slow = Postman()

    class Slow(Postman):
        def send(self, sender, recipient, content, before_data):
            deliver(slow, NOW + timedelta(minutes=6))
            return super().send(sender, recipient, content, before_data)

    late = Slow()
    sending.send_due(late, clock=lambda: NOW)
    assert (len(slow.kept), len(late.kept)) == (1, 0)
    assert states(db) == ["sent"]


def test_a_failure_waits_and_a_permanent_one_is_dead_until_retried(db: SQLAlchemy) -> None:
    notices(2)
    postman = Postman()
    postman.trouble["b0@test.invalid"] = GatewayError("451 chờ", permanent=False)
    postman.trouble["b1@test.invalid"] = GatewayError("552 quá lớn", permanent=True)
    deliver(postman, NOW)
    assert states(db) == ["failed", "dead"]
    postman.trouble.clear()
    assert deliver(postman, NOW + timedelta(seconds=10)).sent == 0
    assert deliver(postman, NOW + timedelta(minutes=1)).sent == 1
    dead = db.session.scalar(select(OutgoingMessage).where(OutgoingMessage.state == "dead"))
    assert dead is not None
    assert "552" in dead.last_error
    outbox.retry(dead.id, now=NOW + timedelta(minutes=2), by=SYSTEM)
    assert deliver(postman, NOW + timedelta(minutes=2)).sent == 1
    with pytest.raises(Refusal, match="sent"):
        outbox.retry(dead.id, now=NOW, by=SYSTEM)


def test_a_mail_server_that_is_down_pauses_everything_and_burns_no_attempts(
    db: SQLAlchemy,
) -> None:
    notices(3)
    down = Postman()
    error = GatewayError("Không kết nối được máy chủ thư.", permanent=False, everyone=True)
    down.trouble = {f"b{number}@test.invalid": error for number in range(3)}
    sending.send_due(down, clock=lambda: NOW)
    assert states(db) == ["queued"] * 3
    assert set(db.session.scalars(select(OutgoingMessage.attempts))) == {0}
    assert "máy chủ thư" in outbox.trouble()
    healthy = Postman()
    assert deliver(healthy, NOW + timedelta(seconds=30)).sent == 0
    assert deliver(healthy, NOW + timedelta(seconds=90)).sent == 3
    assert outbox.trouble() == ""


def test_broken_connections_open_the_breaker_at_the_fifth_and_one_probe_a_minute_goes(
    db: SQLAlchemy,
) -> None:
    notices(12)
    tried: list[str] = []
    error = GatewayError("Máy chủ thư ngắt kết nối.", permanent=False, unavailable=True)

    class Broken(Postman):
        def send(self, sender, recipient, content, before_data):
            tried.append(recipient)
            raise error

    sending.send_due(Broken(), clock=lambda: NOW)
    assert len(tried) == 5
    assert sending.send_due(Broken(), clock=lambda: NOW + timedelta(seconds=30)).failed == 0
    later = NOW + timedelta(seconds=61)
    assert sending.send_due(Broken(), clock=lambda: later).failed == 1
    assert sending.send_due(Broken(), clock=lambda: later).failed == 0
    db.session.rollback()
    attempts = list(db.session.scalars(select(OutgoingMessage.attempts)))
    assert sum(attempts) == 4
    assert deliver(Postman(), NOW + timedelta(minutes=5)).sent == 12


def test_a_row_that_cannot_be_composed_holds_up_no_other_and_is_dead_at_last(
    db: SQLAlchemy, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices(3)
    whole = letters.Writer.letter

    def letter(self, message, *, now):
        if message.to_address == "b0@test.invalid":
            raise ZeroDivisionError("hàng hỏng")
        return whole(self, message, now=now)

    monkeypatch.setattr(letters.Writer, "letter", letter)
    assert deliver(Postman(), NOW).sent == 2
    assert states(db) == ["failed", "sent", "sent"]
    for number in range(1, 13):
        deliver(Postman(), NOW + timedelta(hours=number))
    assert states(db) == ["dead", "sent", "sent"]
    row = db.session.scalars(select(OutgoingMessage).order_by(OutgoingMessage.id)).first()
    assert row is not None
    assert "hàng hỏng" in row.last_error


def test_what_arrived_is_written_before_the_next_message_leaves(db: SQLAlchemy) -> None:
    notices(3)
    seen: list[list[str]] = []

    class Watching(Postman):
        def send(self, sender, recipient, content, before_data):
            before_data()
            seen.append(states(db))
            return super().send(sender, recipient, content, lambda: None)

    assert deliver(Watching(), NOW).sent == 3
    assert seen == [
        ["sending", "claimed", "claimed"],
        ["sent", "sending", "claimed"],
        ["sent", "sent", "sending"],
    ]


class Interrupted(Postman):
    """Lets something happen between the writing of the first letter and its first byte."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self.happens: Callable[[], None] | None = happens

    def send(self, sender, recipient, content, before_data):
        happens, self.happens = self.happens, None
        if happens:
            happens()
        return super().send(sender, recipient, content, before_data)


def test_a_letter_whose_grounds_change_before_its_first_byte_is_written_anew(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    def renamed() -> None:
        db.session.get_one(Person, world.people["chi"].id).full_name = "Đỗ Thị Kim Chi Lan"
        db.session.commit()

    postman = Interrupted(renamed)
    sending.send_due(postman, clock=lambda: NOW)
    assert [to for to, _ in postman.kept] == [BINH]
    assert states(db) == ["queued", "sent"]
    assert set(db.session.scalars(select(OutgoingMessage.attempts))) == {0, 1}
    deliver(postman, NOW)
    (mail,) = postman.mails(CHI)
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    assert "Kim Chi Lan" in body.get_content()


def test_a_meeting_called_off_before_the_first_byte_takes_its_letters_along(
    meeting: Meeting, db: SQLAlchemy
) -> None:
    def called_off() -> None:
        cancel_meeting(meeting.id, "Mưa bão.", now=NOW, by=SYSTEM)

    postman = Interrupted(called_off)
    deliver(postman, NOW)
    deliver(postman, NOW)
    assert postman.kept == []
    assert {state for _, _, state in messages(meeting)} == {"dropped"}


def test_somebody_who_wants_no_mail_any_more_is_heard_until_the_first_byte(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    def declines() -> None:
        db.session.get_one(Person, world.people["chi"].id).wants_mail = False
        db.session.commit()

    postman = Interrupted(declines)
    deliver(postman, NOW)
    deliver(postman, NOW)
    assert [to for to, _ in postman.kept] == [BINH]


def test_a_letter_costs_as_few_statements_in_a_batch_of_many_as_of_few(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    from tests.world import add_person

    for number in range(30):
        email = f"nguoi{number}@test.invalid"
        add_person(f"X{number}", f"Nguyễn Văn {number}", world.units["cell-2"], email=email)
    db.session.commit()
    deliver(Postman(), NOW)
    publish(add_meeting(world, at=NOW + timedelta(days=6), invite=("cell-2",)), NOW)
    db.session.remove()
    seen: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        sent = sending.send_due(Postman(), clock=lambda: NOW).sent
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    assert sent >= 30
    assert len(seen) <= 5 * sent + 40


def test_a_message_can_be_stopped_until_it_has_left(db: SQLAlchemy) -> None:
    notices(2)
    outbox.stop(1, now=NOW, by=SYSTEM)
    assert deliver(Postman(), NOW).sent == 1
    assert states(db) == ["dropped", "sent"]
    with pytest.raises(Refusal, match="sent"):
        outbox.stop(2, now=NOW, by=SYSTEM)


def test_an_address_that_does_not_exist_is_flagged_and_the_news_goes_by_phone(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    postman = Postman()
    postman.trouble[CHI] = GatewayError("550 no such user", permanent=True, bad_address=True)
    deliver(postman, NOW)
    assert ("request", CHI, "dead") in messages(meeting)
    chi = db.session.get_one(Person, world.people["chi"].id, populate_existing=True)
    assert chi.email_failing_since == NOW
    kinds = db.session.scalars(
        select(CallListEntry.kind).where(CallListEntry.person_id == chi.id)
    ).all()
    assert kinds == ["address_failing"]


def test_an_invitation_that_waited_past_the_start_is_dropped_not_sent(db: SQLAlchemy) -> None:
    world = build_world()
    meeting = add_meeting(world)
    publish(meeting, NOW)
    postman = Postman()
    assert deliver(postman, meeting.starts_at).sent == 0
    assert postman.kept == []
    assert {state for _, _, state in messages(meeting)} == {"dropped"}


def test_an_expired_message_is_dropped_not_sent(db: SQLAlchemy) -> None:
    notices(1, kind="sign_in", expires_at=NOW + timedelta(minutes=10))
    postman = Postman()
    assert deliver(postman, NOW + timedelta(minutes=11)).sent == 0
    assert states(db) == ["dropped"]


def test_the_counts_say_what_waits_and_since_when(db: SQLAlchemy) -> None:
    notices(3)
    counted = outbox.counts(now=NOW + timedelta(minutes=5))
    assert (counted.queued, counted.sent, counted.oldest_due_at) == (3, 0, NOW)
    deliver(Postman(), NOW)
    counted = outbox.counts(now=NOW)
    assert (counted.queued, counted.sent, counted.oldest_due_at) == (0, 3, None)


def test_staff_see_their_own_meetings_messages_and_nobody_elses(
    meeting: Meeting, world: World, db: SQLAlchemy
) -> None:
    one = Actor("An", grants=(Grant("staff", world.units["ward-1"].id),))
    other = Actor("Dũng", grants=(Grant("staff", world.units["ward-2"].id),))
    rows, total = outbox.messages(by=one, now=NOW)
    assert total == 2
    shown = outbox.message(rows[0].id, by=one, now=NOW)
    assert "Học tập nghị quyết" in shown.text
    assert ("Auto-Submitted", "auto-generated") in shown.headers
    assert outbox.messages(by=other, now=NOW) == ([], 0)
    with pytest.raises(NotFound):
        outbox.message(rows[0].id, by=other, now=NOW)


def test_a_message_shown_while_waiting_is_what_would_leave_now(
    meeting: Meeting, db: SQLAlchemy
) -> None:
    rows, _ = outbox.messages(by=SYSTEM, now=NOW)
    shown = outbox.message(rows[0].id, by=SYSTEM, now=NOW)
    postman = Postman()
    deliver(postman, NOW)
    assert shown.source.encode() in [content for _, content in postman.kept]


def test_five_thousand_invitations_are_enqueued_within_seconds(
    world: World, db: SQLAlchemy
) -> None:
    from tests.world import add_person

    for number in range(500):
        email = f"nguoi{number}@test.invalid"
        add_person(f"X{number}", f"Nguyễn Văn {number}", world.units["cell-2"], email=email)
    db.session.commit()
    planned = add_meeting(world, at=NOW + timedelta(days=5), invite=("cell-2",))
    begun = datetime.now().astimezone()
    assert publish(planned, NOW).mails == 501
    assert (datetime.now().astimezone() - begun).total_seconds() < 3
