"""The message for the group chat: counts as the register has them, and nobody's name."""

from datetime import UTC, datetime

from rules.attendance import GroupCount
from rules.attendance_report import Tally, share_text

STARTS = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)
ENDS = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def told(counts: GroupCount, place: str = "Hội trường A", heads: int = 0) -> list[str]:
    return share_text(Tally("Học nghị quyết", STARTS, ENDS, place, counts, heads)).splitlines()


def test_the_message_tells_topic_time_and_every_count():
    counts = GroupCount(present=40, late=3, left_early=1, excused=4, unexcused=2, not_marked=5)
    assert told(counts) == [
        "Học nghị quyết",
        "7h30–11h00, thứ Năm, 26/11/2026, Hội trường A",
        "Có mặt: 44/55 (trong đó đến muộn 3, về sớm 1)",
        "Vắng có lý do: 4",
        "Vắng không lý do: 2",
        "Chưa điểm danh: 5",
    ]


def test_who_is_not_marked_is_told_apart_from_who_is_absent_and_left_out_when_nobody_is():
    lines = told(GroupCount(present=3), place="")
    assert lines[1:] == [
        "7h30–11h00, thứ Năm, 26/11/2026",
        "Có mặt: 3/3",
        "Vắng có lý do: 0",
        "Vắng không lý do: 0",
    ]


def test_a_meeting_counted_by_heads_tells_its_heads():
    assert told(GroupCount(), heads=1250)[2:] == ["Đếm được: 1.250 người"]
