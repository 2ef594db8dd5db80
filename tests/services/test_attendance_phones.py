"""Phones with wrong clocks, lost answers and replays over a register that is locked and unlocked."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from models import Mark, Meeting
from models import db as handle
from rules.permissions import Actor, Grant
from rules.refusals import Refusal
from services import attendance, attendance_shown, attendance_states
from services.meeting_links import actor_of_link, create_meeting_link
from tests.world import NOW, World, add_meeting, build_world, invite_by_name

PHONES = 3
PEOPLE = ("chi", "hien", "anh")
CLOCKS = (timedelta(0), timedelta(days=-1), timedelta(hours=7))
HAS_IT = {"stored", "known", "flagged"}
STATUSES = ["present", "late", "left_early", "excused", "unexcused"]
phones = st.integers(0, PHONES - 1)


class Phones(RuleBasedStateMachine):
    """What three phones of one door do; the model is only what each of them was told."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        account = self.world.accounts["an"]
        self.by = Actor(account.name, account.id, (Grant("staff", None),))
        self.meeting: Meeting = invite_by_name(self.world, add_meeting(self.world), "chi", "hien")
        self.now: datetime = NOW + timedelta(minutes=30)
        made = create_meeting_link(self.meeting.id, now=self.now, by=self.by)
        link = actor_of_link(made.token, now=self.now)
        assert link is not None
        self.markers = (self.by, link, link)
        self.made: dict[str, dict[str, Any]] = {}
        self.queues: list[dict[str, dict[str, Any]]] = [{} for _ in range(PHONES)]
        self.batches: list[tuple[int, list[dict[str, Any]]]] = []
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()

    def clock(self, phone: int) -> datetime:
        return self.now + CLOCKS[phone]

    @rule(phone=phones, who=st.sampled_from(PEOPLE), status=st.sampled_from(STATUSES))
    def tap(self, phone: int, who: str, status: str) -> None:
        self._keep(phone, f"m:{self.world.people[who].id}", status)

    @rule(phone=phones, data=st.data())
    def take_back(self, phone: int, data: st.DataObject) -> None:
        if self.made:
            target = self.made[data.draw(st.sampled_from(sorted(self.made)))]
            self._keep(phone, target["subject"], "none", annuls=target["id"])

    @rule(phone=phones)
    def write_down_a_stranger(self, phone: int) -> None:
        self._keep(phone, f"w:{uuid.uuid4()}", "present", name="Khách lạ")

    def _keep(self, phone: int, subject: str, status: str, **more: str) -> None:
        one = {"id": str(uuid.uuid4()), "subject": subject, "status": status}
        one["tapped_at"] = self.clock(phone).isoformat()
        self.made[one["id"]] = self.queues[phone][one["id"]] = one | more
        self.now += timedelta(seconds=1)

    @rule(phone=phones, most=st.integers(1, 6), answer_arrives=st.booleans(), data=st.data())
    def send(self, phone: int, most: int, answer_arrives: bool, data: st.DataObject) -> None:
        waiting = data.draw(st.permutations(list(self.queues[phone].values())))[:most]
        self._deliver(phone, waiting, answer_arrives=answer_arrives)

    @rule(data=st.data())
    def an_old_request_arrives_again(self, data: st.DataObject) -> None:
        if self.batches:
            phone, batch = data.draw(st.sampled_from(self.batches))
            self._deliver(phone, batch, answer_arrives=False)

    def _deliver(self, phone: int, batch: list[dict[str, Any]], *, answer_arrives: bool) -> None:
        if not batch:
            return
        self.batches.append((phone, batch))
        body = {"marks": batch, "sent_at": self.clock(phone).isoformat(), "v": 1}
        device = f"phone-{phone}"
        told = attendance.record_marks(
            self.meeting.id, body, now=self.now, by=self.markers[phone], device=device
        )
        assert [one for one, _ in told.verdicts] == [one["id"] for one in batch]
        self.now += timedelta(seconds=1)
        if not answer_arrives:
            return
        for one, verdict in told.verdicts:
            assert one is not None
            (self.acknowledged if verdict.kind in HAS_IT else self.refused).add(one)
            self.queues[phone].pop(one, None)

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def lock_or_unlock(self) -> None:
        step: dict[str, Any] = {"now": self.now, "by": self.by}
        try:
            state = attendance_shown.register(self.meeting.id, **step)["state"]
            if state == "draft":
                attendance_states.submit_register(self.meeting.id, **step)
                attendance_states.lock_register(self.meeting.id, **step)
            elif state == "locked":
                asked = attendance_states.request_unlock(self.meeting.id, "Sửa sót", **step)
                attendance_states.answer_unlock(asked, granted=True, **step)
        except Refusal as refusal:
            assert refusal.status == 409
        self.now += timedelta(seconds=1)

    def stored(self) -> set[str]:
        found = select(Mark.id).where(Mark.meeting_id == self.meeting.id)
        return set(handle.session.scalars(found))

    @invariant()
    def what_a_phone_let_go_is_stored_or_was_refused_by_name(self) -> None:
        stored = self.stored()
        assert self.acknowledged <= stored
        waiting = {one for queue in self.queues for one in queue}
        assert set(self.made) == self.acknowledged | self.refused | waiting

    @invariant()
    def the_register_is_what_its_facts_add_up_to(self) -> None:
        assert attendance.register_differences(self.meeting.id) == []
        counts = attendance_shown.register(self.meeting.id, now=self.now, by=self.by)["counts"]
        attending = counts["present"] + counts["late"] + counts["left_early"]
        assert counts["visits"] == attending

    def teardown(self) -> None:
        for phone, queue in enumerate(self.queues):
            self._deliver(phone, list(queue.values()), answer_arrives=True)
        assert not any(self.queues)
        stored = self.stored()
        assert stored | self.refused == set(self.made)
        count = select(func.count()).where(Mark.meeting_id == self.meeting.id)
        assert handle.session.scalar(count) == len(stored)
        self.the_register_is_what_its_facts_add_up_to()


def test_whatever_the_phones_and_the_network_do_each_mark_is_stored_once_or_refused(db):
    class Here(Phones):
        world = build_world()

    few = settings(
        max_examples=15,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=few)
