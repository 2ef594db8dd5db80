"""Any life of a meeting: one name, revisions that only rise, and calendars that end up right."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.calendar import Attendee, Method, Organizer, event_block, invitation
from rules.calendar import (
    Change,
    MeetingFacts,
    change_between,
    next_last_modified,
    next_sequence,
    shown_title,
)
from tests.ics_lint import faults
from tests.itip_client import ItipClient

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
OFFICE = Organizer("lich@thanhuy.example", "Ban Tuyên giáo Thành uỷ")
CHI = Attendee("chi@test.invalid", "Đỗ Thị Kim Chi")
FACTS = MeetingFacts(
    uid="7f3a2c@thanhuy.example",
    sequence=0,
    created_at=NOW,
    last_modified_at=NOW,
    starts_at=NOW + timedelta(days=5),
    ends_at=NOW + timedelta(days=5, hours=2),
    summary="Học tập nghị quyết",
    location="Hội trường 1",
    place_key="v1",
)
EDITS = st.one_of(
    st.tuples(st.just("move"), st.integers(-3, 3)),
    st.tuples(st.just("place"), st.integers(1, 3)),
    st.tuples(st.just("typo"), st.sampled_from(["Học tập nghị quyết", "Học tập nghị quyết 4"])),
    st.tuples(st.sampled_from(["cancel", "restore", "remove", "add", "resend"]), st.none()),
)


@dataclass
class Life:
    """A meeting and one guest, edited as the program edits them, with every mail it would send."""

    facts: MeetingFacts = FACTS
    invited: bool = True
    at: datetime = NOW
    mails: list[bytes] = field(default_factory=list)
    revisions: list[MeetingFacts] = field(default_factory=lambda: [FACTS])

    def __post_init__(self) -> None:
        self.tell()

    def tell(self, *, removed: bool = False) -> None:
        off = removed or self.facts.cancelled
        method = Method.CANCEL if off else Method.REQUEST
        self.mails.append(
            invitation(self.facts, OFFICE, CHI, method=method, stamp=self.at, removed=removed)
        )

    def edit(self, kind: str, value: object) -> None:
        """Every edit takes at least a second of the clock, as two mails to one person do."""
        self.at += timedelta(seconds=1)
        if kind == "resend":
            if self.invited:
                self.tell()
        elif kind in ("remove", "add"):
            self._list(kind == "add")
        else:
            self._change(self._edited(kind, value))

    def _edited(self, kind: str, value: object) -> MeetingFacts:
        if kind == "move":
            assert isinstance(value, int)
            starts_at = FACTS.starts_at + timedelta(hours=value)
            return replace(self.facts, starts_at=starts_at, ends_at=starts_at + timedelta(hours=2))
        if kind == "place":
            return replace(self.facts, location=f"Hội trường {value}", place_key=f"v{value}")
        if kind == "typo":
            return replace(self.facts, summary=str(value))
        return replace(self.facts, cancelled=kind == "cancel")

    def _change(self, after: MeetingFacts) -> None:
        change = change_between(self.facts, after)
        if change is Change.NONE:
            return
        self.facts = self._revised(after, next_sequence(self.facts.sequence, change))
        if self.invited:
            self.tell()

    def _list(self, invited: bool) -> None:
        if invited == self.invited or self.facts.cancelled:
            return
        self.invited = invited
        if not invited:
            self.facts = self._revised(self.facts, self.facts.sequence + 1)
        self.tell(removed=not invited)

    def _revised(self, facts: MeetingFacts, sequence: int) -> MeetingFacts:
        modified = next_last_modified(self.facts.last_modified_at, self.at)
        revised = replace(facts, sequence=sequence, last_modified_at=modified)
        self.revisions.append(revised)
        return revised

    def face(self) -> tuple[object, ...]:
        """What the guest's calendar should show."""
        if not self.invited or self.facts.cancelled:
            return (False,)
        facts = self.facts
        return (True, facts.starts_at, facts.ends_at, shown_title(facts), facts.location)


def lived(edits: list[tuple[str, object]]) -> Life:
    life = Life()
    for kind, value in edits:
        life.edit(kind, value)
    return life


EASY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EASY
@given(st.lists(EDITS, max_size=12))
def test_the_name_stays_the_revisions_rise_and_the_same_state_has_the_same_bytes(
    edits: list[tuple[str, object]],
) -> None:
    life = lived(edits)
    sequences = [one.sequence for one in life.revisions]
    moments = [one.last_modified_at for one in life.revisions]
    assert {one.uid for one in life.revisions} == {FACTS.uid}
    assert sequences == sorted(sequences)
    assert all(later > earlier for earlier, later in pairwise(moments))
    blocks = [event_block(one, OFFICE).content for one in life.revisions]
    assert blocks == [event_block(replace(one), OFFICE).content for one in life.revisions]
    assert len(set(blocks)) == len(blocks), "each revision has one state, and each state its bytes"
    assert lived(edits).mails == life.mails
    assert all(faults(mail) == [] for mail in life.mails)


@EASY
@given(st.lists(EDITS, max_size=12), st.data())
def test_a_calendar_that_saw_any_mails_in_any_order_shows_the_newest_of_them(
    edits: list[tuple[str, object]], data: st.DataObject
) -> None:
    life = lived(edits)
    seen = data.draw(st.lists(st.sampled_from(range(len(life.mails))), min_size=1, max_size=15))
    in_turn, shuffled = ItipClient(), ItipClient()
    for number in sorted(set(seen)):
        in_turn.receive(life.mails[number])
    for number in seen:
        shuffled.receive(life.mails[number])
    assert shuffled.face(FACTS.uid) == in_turn.face(FACTS.uid)
    if len(life.mails) - 1 in seen:
        assert shuffled.face(FACTS.uid) == life.face()
