"""The quick report from the hall: what each place counts so far, and the text to send on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rules.coverage import number_text
from rules.days import LOCAL


@dataclass(frozen=True)
class PlaceCount:
    """What one place (điểm cầu, or a meeting held in one place) counts so far; numbers only."""

    meeting_id: int
    name: str
    invited: int
    present: int
    extra: int
    """Named and present without being on the list: never part of n/N."""
    excused: int
    unexcused: int
    households: int
    heads: int
    is_started: bool


@dataclass(frozen=True)
class QuickReport:
    """All places of one study so far, as of a moment."""

    title: str
    at: datetime
    places: Sequence[PlaceCount]

    @property
    def total(self) -> PlaceCount:
        """The sum over the places."""

        def summed(name: str) -> int:
            return sum(getattr(place, name) for place in self.places)

        return PlaceCount(
            0,
            "",
            summed("invited"),
            summed("present"),
            summed("extra"),
            summed("excused"),
            summed("unexcused"),
            summed("households"),
            summed("heads"),
            any(place.is_started for place in self.places),
        )


def report_text(report: QuickReport) -> str:
    """The text to copy, in Vietnamese; a place that has not begun to count says so."""
    at = report.at.astimezone(LOCAL)
    total = report.total
    started = sum(place.is_started for place in report.places)
    lines = [
        f"BÁO CÁO NHANH lúc {at.hour} giờ {at.minute:02}, ngày {at:%d/%m/%Y}",
        report.title,
        f"Điểm đã báo: {number_text(started)}/{number_text(len(report.places))}",
        _counted("Tổng có mặt", total),
        *(_counted(f"- {place.name}", place) for place in report.places),
    ]
    return "\n".join(lines)


def _counted(name: str, place: PlaceCount) -> str:
    if not place.is_started:
        return f"{name}: chưa báo"
    text = f"{number_text(place.present)}/{number_text(place.invited)}"
    parts = [
        f"{word} {number_text(number)}"
        for word, number in (
            ("vắng có lý do", place.excused),
            ("vắng không lý do", place.unexcused),
            ("dự ngoài danh sách", place.extra),
            ("đếm đầu người", place.heads),
            ("hộ gia đình", place.households),
        )
        if number
    ]
    return f"{name}: {text}" + (f" ({', '.join(parts)})" if parts else "")
