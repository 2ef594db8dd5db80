"""Units are founded, merged, split, moved, renamed and dissolved at random times; reports stay true.

"As it was" never changes, "restated" sums to the same persons, nobody is counted twice, and what
was closed stays as it was closed, whatever is marked, corrected or credited in between.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run
from sqlalchemy import select

from models import Household, HouseholdResidence, Membership, Person, RollEntry, Unit, db
from rules.days import instant
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Refusal
from rules.report_tables import ReportTable, table_json
from rules.unit_changes import Plan, Successor
from services import households, people, report_rows, report_snapshots, report_tables, roll, units
from services import unit_decisions as decisions
from services.report_places import AS_WAS, RESTATED, VIEWS
from services.roll import Correction, Credit
from tests import world
from tests.services import campaign_plans as plans

BEGINS = date(2026, 1, 5)
EXAMPLES, STEPS = int(os.environ.get("REPORT_EXAMPLES", "3")), 8
DISTINCT = ("people",)
"""Totals that are not sums of their lines."""
PICK = st.integers(0, 99)
MORE = st.lists(PICK, min_size=1, max_size=6)
KINDS = ("cell", "residential_group", "grassroots_org")


class Changing(RuleBasedStateMachine):
    """A small city whose units change; a day passes with everything that happens."""

    application: Any

    def __init__(self) -> None:
        super().__init__()
        self.context = self.application.fresh().app_context()
        self.context.push()
        self.city = world.build_world()
        self.root = self.city.units["city"].id
        self.day = BEGINS
        self.number = 0
        self.seen: dict[tuple[date, date], list[dict[str, object]]] = {}
        self.closed: dict[int, tuple[ReportTable, ...]] = {}

    def teardown(self) -> None:
        try:
            for period in self.seen:
                self.check(period)
        finally:
            db.session.remove()
            self.context.pop()

    @property
    def now(self) -> datetime:
        return datetime.combine(self.day, time(3), UTC)

    @property
    def codes(self) -> tuple[str, str]:
        return ("NQ01", "KHAI")

    def attempt(self, deed: Callable[[], object]) -> None:
        """Do it the next day; what a rule refuses changes nothing."""
        self.day += timedelta(days=1)
        self.number += 1
        try:
            deed()
        except Refusal:
            db.session.rollback()
        db.session.expire_all()

    def living(self, kind: str) -> list[Unit]:
        query = select(Unit).where(Unit.kind_code == kind, units.on_day(Unit, self.day))
        return list(db.session.scalars(query.where(Unit.valid_from < self.day).order_by(Unit.id)))

    def one(self, kind: str, place: int) -> Unit:
        found = self.living(kind)
        if not found:
            raise Refusal("không còn đơn vị nào")
        return found[place % len(found)]

    def above(self, unit: Unit) -> int | None:
        return units.parents_on(db.session(), self.day).get(unit.id)

    def new(self, kind: str, parent: int | None, letter: str = "") -> Successor:
        name = f"Đơn vị {self.number}{letter}"
        return Successor(None, f"M{self.number}{letter}", name, kind, parent)

    def decide(self, plan: Plan, **places: dict[int, int]) -> None:
        change = decisions.draft_decision(
            plan, number=f"{self.number}-QĐ/TU", decided_on=self.day, now=self.now, by=SYSTEM
        )
        if places:
            decisions.allot(change, **places, now=self.now, by=SYSTEM)
        decisions.confirm_decision(change, now=self.now, by=SYSTEM)

    @initialize(place=PICK, to=PICK, goes=MORE, absorbs=st.booleans())
    def begin(self, place: int, to: int, goes: list[int], absorbs: bool) -> None:
        """Two campaigns, something of everything in them, closed; then the first changes."""
        self.open()
        for one in (place, to):
            self.study(one, [0, 2, *goes], "present")
            self.evening(one, goes)
        self.study(place + 1, [1, 3], "excused")
        self.declare(1, place % 6)
        self.declare(2, to % 6)
        self.meet("outreach", place, 7)
        self.credit(place)
        self.close(AS_WAS)
        self.correct("moved", 2 * to + 1, place)
        self.correct("exempted", 2 * place + 1, to)
        self.split("cell", place, goes, absorbs)
        self.split("residential_group", to, goes, not absorbs)
        self.merge("cell", place + 1, to + 2, absorbs)
        self.merge("grassroots_org", 0, 1, not absorbs)
        self.close(RESTATED)

    def open(self) -> None:
        for code, counting in zip(self.codes, ("checklist", "tally"), strict=True):
            plans.opened(
                self.city,
                code=code,
                household_counting=counting,
                cutoff_on=BEGINS - timedelta(days=1),
                opens_on=BEGINS,
                deadline_on=date(2027, 12, 31),
            )

    @rule(kind=st.sampled_from(KINDS), place=PICK)
    def found(self, kind: str, place: int) -> None:
        self.attempt(lambda: self._found(kind, place))

    def _found(self, kind: str, place: int) -> None:
        beside = self.one(kind, place)
        self.decide(Plan("found", self.day, (), (self.new(kind, self.above(beside)),)))

    @rule(kind=st.sampled_from(KINDS), first=PICK, second=PICK, absorbs=st.booleans())
    def merge(self, kind: str, first: int, second: int, absorbs: bool) -> None:
        self.attempt(lambda: self._merge(kind, first, second, absorbs))

    def _merge(self, kind: str, first: int, second: int, absorbs: bool) -> None:
        one, other = self.one(kind, first), self.one(kind, second)
        into = Successor(one.id) if absorbs else self.new(kind, self.above(one))
        self.decide(Plan("merge", self.day, (one.id, other.id), (into,)))

    @rule(kind=st.sampled_from(KINDS), place=PICK, goes=MORE, stays=st.booleans())
    def split(self, kind: str, place: int, goes: list[int], stays: bool) -> None:
        self.attempt(lambda: self._split(kind, place, goes, stays))

    def _split(self, kind: str, place: int, goes: list[int], stays: bool) -> None:
        unit = self.one(kind, place)
        above = self.above(unit)
        first = Successor(unit.id) if stays else self.new(kind, above, "A")
        below = [
            one for one, at in units.parents_on(db.session(), self.day).items() if at == unit.id
        ]
        self.decide(
            Plan("split", self.day, (unit.id,), (first, self.new(kind, above, "B"))),
            units=_shared(below, goes),
            people=_shared(self._in(Membership, Membership.person_id, unit), goes),
            households=_shared(
                self._in(HouseholdResidence, HouseholdResidence.household_id, unit), goes
            ),
        )

    def _in(self, table: Any, column: Any, unit: Unit) -> list[int]:
        query = select(column).where(table.unit_id == unit.id, units.on_day(table, self.day))
        return list(db.session.scalars(query.order_by(column)))

    @rule(kind=st.sampled_from(("cell", "residential_group")), place=PICK, to=PICK)
    def move(self, kind: str, place: int, to: int) -> None:
        self.attempt(lambda: self._move(kind, place, to))

    def _move(self, kind: str, place: int, to: int) -> None:
        unit = self.one(kind, place)
        above = self.one("grassroots_org" if kind == "cell" else "ward", to)
        self.decide(Plan("move", self.day, (unit.id,), (Successor(unit.id, parent_id=above.id),)))

    @rule(kind=st.sampled_from(KINDS), place=PICK)
    def rename(self, kind: str, place: int) -> None:
        self.attempt(lambda: self._rename(self.one(kind, place)))

    def _rename(self, unit: Unit) -> None:
        named = Successor(unit.id, name=f"Tên mới {self.number}")
        self.decide(Plan("rename", self.day, (unit.id,), (named,)))

    @rule(kind=st.sampled_from(KINDS), place=PICK)
    def dissolve(self, kind: str, place: int) -> None:
        self.attempt(lambda: self.decide(Plan("dissolve", self.day, (self.one(kind, place).id,))))

    @rule(place=PICK, to=PICK)
    def transfer(self, place: int, to: int) -> None:
        self.attempt(
            lambda: people.transfer_person(
                self.person(place).id,
                unit_id=self.one("cell", to).id,
                from_on=self.day,
                now=self.now,
                by=SYSTEM,
            )
        )

    @rule(place=PICK, to=PICK)
    def move_household(self, place: int, to: int) -> None:
        self.attempt(
            lambda: households.move_household(
                self.household(place).id,
                unit_id=self.one("residential_group", to).id,
                from_on=self.day,
                now=self.now,
                by=SYSTEM,
            )
        )

    def person(self, place: int) -> Person:
        found = list(db.session.scalars(select(Person).order_by(Person.id)))
        return found[place % len(found)]

    def household(self, place: int) -> Household:
        found = list(db.session.scalars(select(Household).order_by(Household.id)))
        return found[place % len(found)]

    @rule(cell=PICK, came=MORE, status=st.sampled_from(["present", "excused", "unexcused"]))
    def study(self, cell: int, came: list[int], status: str) -> None:
        self.attempt(lambda: self._study("cell", cell, came, status))

    @rule(group=PICK, came=MORE)
    def evening(self, group: int, came: list[int]) -> None:
        self.attempt(lambda: self._study("residential_group", group, came, "present"))

    def _study(self, kind: str, place: int, came: list[int], status: str) -> None:
        self.city.units["here"] = self.one(kind, place)
        meeting = plans.sitting(
            self.city,
            self.codes[place % 2],
            at=instant(self.day, time(9)),
            state="held",
            invite=("here",),
            is_makeup=place % 3 == 0,
            visits_count=len(came),
        )
        for one in came:
            if kind == "cell":
                plans.attend(meeting, self.person(one), status)
            else:
                plans.attend_household(meeting, self.household(one).id)

    @rule(kind=st.sampled_from(("outreach", "cell")), place=PICK, heads=PICK)
    def meet(self, kind: str, place: int, heads: int) -> None:
        self.attempt(lambda: self._meet(kind, place, heads))

    def _meet(self, kind: str, place: int, heads: int) -> None:
        self.city.units["here"] = self.one("cell" if place % 2 else "residential_group", place)
        meeting = world.add_meeting(
            self.city,
            at=instant(self.day, time(9)),
            kind=kind,
            state="held",
            topic=f"Nội dung {place % 3}",
            invite=("here",),
            visits_count=heads,
            present_count=heads,
        )
        meeting.organiser_id = self.one("grassroots_org", place).id
        db.session.commit()

    @rule(place=PICK)
    def credit(self, place: int) -> None:
        self.attempt(
            lambda: roll.add_credit(
                self.codes[place % 2],
                Credit(self.person(place).code, self.day, "Nơi khác", "Giấy xác nhận"),
                now=self.now,
                by=SYSTEM,
            )
        )

    @rule(
        kind=st.sampled_from(["joined", "moved", "exempted", "unexempted", "died", "wrong_entry"]),
        place=PICK,
        to=PICK,
    )
    def correct(self, kind: str, place: int, to: int) -> None:
        self.attempt(lambda: self._correct(kind, place, to))

    def _correct(self, kind: str, place: int, to: int) -> None:
        is_household = place % 2 == 0
        who = self.household(place) if is_household else self.person(place)
        target = self.one("residential_group" if is_household else "cell", to)
        correction = Correction(kind, who.code, "Sửa", self.day, target.id, is_household)
        roll.correct_roll(self.codes[to % 2], correction, now=self.now, by=SYSTEM)

    @rule(group=st.integers(1, 2), count=st.integers(0, 5))
    def declare(self, group: int, count: int) -> None:
        self.attempt(
            lambda: roll.declare_households(
                "KHAI",
                self.city.units[f"group-{group}"].id,
                count,
                self.day,
                now=self.now,
                by=SYSTEM,
                is_correction=True,
            )
        )

    @rule(view=st.sampled_from(VIEWS))
    def close(self, view: str) -> None:
        """Close what was until yesterday, and remember what it said."""
        yesterday = self.day
        self.attempt(lambda: self._close(view, yesterday))

    def _close(self, view: str, last_on: date) -> None:
        kept = report_snapshots.close_report(
            f"Báo cáo {self.number}", BEGINS, last_on, view, now=self.now, by=SYSTEM
        )
        self.closed[kept] = self.snapshot(kept)
        self.seen[BEGINS, last_on] = self.told(BEGINS, last_on, AS_WAS)
        if view == AS_WAS:
            told = [table_json(table) for table in self.closed[kept] if table.key != "summary"]
            assert told == self.seen[BEGINS, last_on]

    def snapshot(self, kept: int) -> tuple[ReportTable, ...]:
        found = report_snapshots.snapshot(kept, today=self.day, by=SYSTEM)
        assert found.line.is_whole
        return found.tables

    def told(self, first_on: date, last_on: date, view: str) -> list[dict[str, object]]:
        return [table_json(table) for table in self.report(first_on, last_on, view).tables]

    def report(
        self, first_on: date, last_on: date, view: str, by: Actor = SYSTEM
    ) -> report_tables.Report:
        return report_tables.report(first_on, last_on, today=self.day, by=by, view=view)

    @invariant()
    def what_was_said_last_still_holds(self) -> None:
        if self.seen:
            period = list(self.seen)[-1]
            assert self.told(*period, AS_WAS) == self.seen[period]
        for kept, tables in self.closed.items():
            assert self.snapshot(kept) == tables

    def check(self, period: tuple[date, date]) -> None:
        """As it was stays; restated has the same sums, each person in one line."""
        as_was, restated = self.report(*period, AS_WAS), self.report(*period, RESTATED)
        assert [table_json(table) for table in as_was.tables] == self.seen[period]
        assert [table.key for table in as_was.tables] == [table.key for table in restated.tables]
        for before, after in zip(as_was.tables, restated.tables, strict=True):
            assert before.total.facts == after.total.facts, before.key
        for view, told in ((AS_WAS, as_was), (RESTATED, restated)):
            for code in self.codes:
                for form in ("study", "households"):
                    self.check_rows(told.table(f"{form}:{code}"), period, view)
        reader = Actor(name="Đọc", grants=(Grant("reader", self.root),))
        mine = self.report(*period, AS_WAS, reader).table("study:NQ01")
        assert mine.total.facts == as_was.table("study:NQ01").total.facts

    def check_rows(self, table: ReportTable, period: tuple[date, date], view: str) -> None:
        """Whom a table counts: each line its own, together everybody on the roll, once."""
        counted: Counter[str] = Counter()
        for line in table.lines:
            wanted = report_rows.Wanted(table.key, line.key, "total")
            behind = report_rows.rows_behind(wanted, *period, today=self.day, by=SYSTEM, view=view)
            assert behind.count == line.facts["total"], (table.key, line.key, view)
            counted.update(one.key for one in behind.table.lines)
        assert set(counted.values()) <= {1}
        on_roll = set(db.session.scalars(select(RollEntry.id)))
        assert {int(key) for key in counted} <= on_roll


def _shared(ids: list[int], goes: list[int]) -> dict[int, int]:
    return {one: goes[place % len(goes)] % 2 for place, one in enumerate(ids)}


@pytest.mark.slow
@pytest.mark.backends("sqlite")
def test_whatever_becomes_of_units_reports_stay_true(applications: Any, backend: str) -> None:
    application = applications(backend)

    class Here(Changing):
        pass

    Here.application = application
    try:
        run(
            Here,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        application.release()


def _renamed_afterwards(state: Changing) -> None:
    state.rename(kind="residential_group", place=42)


def _somebody_corrected_into_a_new_unit(state: Changing) -> None:
    state.split(goes=[70], kind="cell", place=40, stays=False)
    state.correct(kind="moved", place=74, to=16)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("becomes", [_renamed_afterwards, _somebody_corrected_into_a_new_unit])
def test_a_unit_of_later_leaves_earlier_days_alone(
    applications: Any, backend: str, becomes: Callable[[Changing], None]
) -> None:
    application = applications(backend)

    class Here(Changing):
        pass

    Here.application = application
    try:
        state = Here()
        state.begin(place=74, goes=[0, 49, 82, 0], absorbs=True, to=67)
        becomes(state)
        state.what_was_said_last_still_holds()
        state.teardown()
    finally:
        application.release()
