"""The message that tells a meeting's attendance in a group chat: numbers, and nobody's name."""

from dataclasses import dataclass
from datetime import datetime

from rules.attendance import GroupCount
from rules.calendar import spoken_time
from rules.coverage import number_text


@dataclass(frozen=True)
class Tally:
    """What the message tells; `heads` counts people nobody has named."""

    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str
    counts: GroupCount
    heads: int = 0


def share_text(told: Tally) -> str:
    """The message, in Vietnamese whatever the reader's language; a line without a number is left out."""
    counts = told.counts
    when = spoken_time(told.starts_at, told.ends_at)
    lines = [told.topic, f"{when}, {told.place}" if told.place else when]
    if counts.total:
        lines.append(_present(counts))
        lines.append(f"Vắng có lý do: {number_text(counts.excused)}")
        lines.append(f"Vắng không lý do: {number_text(counts.unexcused)}")
    if counts.not_marked:
        lines.append(f"Chưa điểm danh: {number_text(counts.not_marked)}")
    if told.heads:
        lines.append(f"Đếm được: {number_text(told.heads)} người")
    return "\n".join(lines)


def _present(counts: GroupCount) -> str:
    line = f"Có mặt: {number_text(counts.attended)}/{number_text(counts.total)}"
    parts = [
        f"{word} {number_text(number)}"
        for word, number in (("đến muộn", counts.late), ("về sớm", counts.left_early))
        if number
    ]
    return f"{line} (trong đó {', '.join(parts)})" if parts else line
