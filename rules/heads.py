"""Counts of heads as a phone sends them: how many, under which label, counted when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rules.attendance import BadMark, Mark, Status, moment_of, uuid_of
from rules.refusals import N_, Malformed, Refusal
from rules.text import clean

COUNTS_PER_BATCH = 100
MOST_HEADS = 100_000
LABEL_LENGTH = 80


@dataclass(frozen=True)
class HeadCandidate:
    """A well-formed count, before the server has judged it; an empty label is the whole hall."""

    id: str
    label: str
    heads: int
    counted_at: datetime

    def as_mark(self, received_at: datetime) -> Mark:
        """The same as a mark, so that one rule tells replays, windows and locks of both."""
        subject = f"heads:{self.heads}:{self.label}"
        return Mark(self.id, subject, Status.PRESENT, self.counted_at, received_at)


def parse_head_counts(body: object) -> list[HeadCandidate | BadMark]:
    """Read `{"counts": [{"id", "label", "heads", "counted_at"}]}`, item by item."""
    if not isinstance(body, dict) or not isinstance(body.get("counts"), list):
        raise Malformed(N_("Nội dung gửi lên phải là {“counts”: […]}. Hãy tải lại trang."))
    items: list[object] = body["counts"]
    if len(items) > COUNTS_PER_BATCH:
        raise Malformed(
            N_("Mỗi lần chỉ gửi tối đa %(limit)d lượt đếm. Hãy chia thành nhiều lần gửi."),
            limit=COUNTS_PER_BATCH,
        )
    return [_parse_count(item) for item in items]


def total_heads(counts: Iterable[tuple[str, int, datetime, str]]) -> dict[str, int]:
    """The heads under each label: the latest count of a label counts, ties by id.

    Each count is (label, heads, moment, id); the order in which they come does not matter.
    """
    latest: dict[str, tuple[datetime, str, int]] = {}
    for label, heads, at, one in counts:
        latest[label] = max(latest.get(label, (at, one, heads)), (at, one, heads))
    return {label: heads for label, (_, _, heads) in sorted(latest.items())}


def _parse_count(item: object) -> HeadCandidate | BadMark:
    count_id = uuid_of(item.get("id")) if isinstance(item, dict) else None
    try:
        if not isinstance(item, dict) or count_id is None:
            raise Malformed(N_("Lượt đếm thiếu mã hoặc mã không đúng. Hãy đếm lại."))
        return HeadCandidate(
            count_id,
            _label(item.get("label")),
            _heads(item.get("heads")),
            moment_of(item.get("counted_at")),
        )
    except Refusal as reason:
        return BadMark(count_id, reason)


def _label(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(clean(value)) > LABEL_LENGTH:
        raise Malformed(N_("Tên nhóm phải là chữ, không quá 80 ký tự. Hãy đặt tên ngắn hơn."))
    return clean(value)


def _heads(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_HEADS:
        raise Malformed(N_("Số người phải là số nguyên từ 0 đến 100.000. Hãy nhập lại."))
    return value
