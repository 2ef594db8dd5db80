"""Feeds and invitations read by programs that share no code: the same meetings and times in all."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateways.calendar import Attendee, Method, Organizer, event_block, feed, invitation
from rules.calendar import (
    Change,
    MeetingFacts,
    change_between,
    next_last_modified,
    next_sequence,
)
from tests.clients.readers import READERS, Told, same
from tests.world import NOW

pytestmark = pytest.mark.clients
OFFICE = Organizer("lich@thanhuy.example", "Ban Tuyên giáo, Thành uỷ")
CHI = Attendee("chi@test.invalid", 'Đỗ Thị "Kim" Chi')
FACTS = MeetingFacts(
    uid="7f3a2c@thanhuy.example",
    sequence=0,
    created_at=NOW,
    last_modified_at=NOW,
    starts_at=NOW + timedelta(days=5),
    ends_at=NOW + timedelta(days=5, hours=3),
    summary="Học tập, quán triệt nghị quyết; chuyên đề 1",
    location="Hội trường số 2, trụ sở Thành uỷ",
    description="Mang theo sổ tay.\nCó mặt trước 15 phút; đi cửa B.",
    url="https://lich.example/m/7f3a2c",
    categories=("Học nghị quyết",),
)


def read(content: bytes, folder: Path) -> list[Told]:
    return same(reader(content, folder) for reader in READERS)


def numbered(number: int) -> MeetingFacts:
    shift = timedelta(days=number % 300, minutes=number)
    return replace(
        FACTS,
        uid=f"{number:05d}@thanhuy.example",
        sequence=number % 4,
        starts_at=FACTS.starts_at + shift,
        ends_at=FACTS.ends_at + shift,
        summary=f"Buổi {number}: " + "nghị quyết, " * (number % 30),
        cancelled=number % 11 == 3,
    )


@pytest.mark.parametrize("count", [0, 1, 200, 1000])
def test_a_feed_of_any_size_is_the_same_meetings_in_every_program(
    count: int, tmp_path: Path
) -> None:
    content = feed("Lịch học tập", [event_block(numbered(n), OFFICE) for n in range(count)])
    told = read(content, tmp_path)
    assert len(told) == count
    assert sum(one.cancelled for one in told) == len(range(3, count, 11))
    assert {one.starts for one in told} == {
        int(numbered(n).starts_at.timestamp()) for n in range(count)
    }
    assert len(content) < 1_000_000 or count > 900


def revised(before: MeetingFacts, **values: object) -> MeetingFacts:
    """The facts after an edit, with SEQUENCE and LAST-MODIFIED as the rules give them."""
    after = replace(before, **values)  # type: ignore[arg-type]  # any field of it
    change = change_between(before, after)
    if change is Change.NONE:
        return before
    return replace(
        after,
        sequence=next_sequence(before.sequence, change),
        last_modified_at=next_last_modified(before.last_modified_at, NOW),
    )


LIFE: tuple[tuple[str, dict[str, object]], ...] = (
    ("a new time", {"starts_at": NOW + timedelta(days=6), "ends_at": NOW + timedelta(days=6, hours=2)}),
    ("a new place", {"location": "Nhà văn hoá khối 3", "place_key": "v3"}),
    ("a corrected word", {"summary": "Học tập nghị quyết, chuyên đề 2"}),
    ("cancelled", {"cancelled": True}),
    ("held after all", {"cancelled": False}),
)  # fmt: skip


def test_every_stage_of_an_invitations_life_is_understood_alike(tmp_path: Path) -> None:
    facts, sequences, seconds = FACTS, [], 0
    for edit in ({}, *(edit for _, edit in LIFE)):
        facts = revised(facts, **edit)
        seconds += 60
        method = Method.CANCEL if facts.cancelled else Method.REQUEST
        stamp = NOW + timedelta(seconds=seconds)
        (told,) = read(invitation(facts, OFFICE, CHI, method=method, stamp=stamp), tmp_path)
        assert (told.uid, told.cancelled) == (FACTS.uid, facts.cancelled)
        assert told.starts == facts.starts_at.timestamp()
        sequences.append(told.sequence)
        (in_feed,) = read(feed("Lịch", [event_block(facts, OFFICE)]), tmp_path)
        assert in_feed == told
    assert sequences == [0, 1, 2, 2, 3, 4]


def test_being_taken_off_a_list_says_nothing_about_the_meeting(tmp_path: Path) -> None:
    gone = invitation(FACTS, OFFICE, CHI, method=Method.CANCEL, stamp=NOW, removed=True)
    (told,) = read(gone, tmp_path)
    assert not told.cancelled


def test_a_course_with_one_moved_and_one_cancelled_is_ten_objects(tmp_path: Path) -> None:
    course = [numbered(number) for number in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)]
    course[3] = revised(course[3], starts_at=course[3].starts_at - timedelta(hours=1))
    course[7] = revised(course[7], cancelled=True)
    told = read(feed("Lớp sơ cấp", [event_block(one, OFFICE) for one in course]), tmp_path)
    assert [one.sequence for one in told] == [one.sequence for one in course]
    assert [one.uid for one in told if one.cancelled] == [course[7].uid]
