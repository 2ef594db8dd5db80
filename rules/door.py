"""The code at the door: a number that changes with the time, and what a scan of it is answered.

It makes taking the register quicker and proves nothing: a scan is a claim, and only whoever takes
the register turns it into a mark.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rules.refusals import N_
from rules.text import fold, split_full_name

STEP_SECONDS = 30
CODE_DIGITS = 8
PASS_LASTS = timedelta(minutes=10)
CLOSES_AFTER = timedelta(hours=1)


class Outcome(StrEnum):
    """What becomes of a scan."""

    CONFIRMED = "confirmed"
    ALREADY = "already"
    OTHER_MEETING = "other_meeting"
    NOT_ON_ROLL = "not_on_roll"
    CANCELLED = "cancelled"
    NOT_YET_OPEN = "not_yet_open"
    OVER = "over"


@dataclass(frozen=True)
class Doorway:
    """What a scan needs to know of the meeting; `state` as in rules/meetings.py.

    Members' scans end at `closes_at`; whoever takes the register scans until it is locked (None).
    """

    topic: str
    state: str
    register: str
    opens_at: datetime
    closes_at: datetime | None = None


@dataclass(frozen=True)
class Scanned:
    """What is known of the person who scans: on this roll, known here already, expected elsewhere."""

    is_expected: bool
    is_known: bool = False
    elsewhere: str = ""


def door_secret(office_secret: str, meeting_uid: str) -> bytes:
    """A meeting's own secret: derived, so that nothing is stored that could be read out."""
    return hmac.digest(office_secret.encode(), f"door\n{meeting_uid}".encode(), hashlib.sha256)


def door_code(secret: bytes, now: datetime) -> str:
    """The digits shown during the time step of `now` (HMAC-SHA256, truncated as in RFC 4226 5.3)."""
    return _code(secret, _step(now))


def accepts(secret: bytes, code: str, now: datetime) -> bool:
    """Whether these are the digits of the present time step or of the one before."""
    given = "".join(code.split())
    right = (_code(secret, step) for step in (_step(now), _step(now) - 1))
    found = [hmac.compare_digest(given.encode(), one.encode()) for one in right]
    return any(found)


def seconds_left(now: datetime) -> int:
    """How long the code stays on the screen: from one second to a whole step."""
    return STEP_SECONDS - int(now.timestamp()) % STEP_SECONDS


def outcome(door: Doorway, scanned: Scanned, now: datetime) -> Outcome:
    """What a scan is answered; the meeting's own state comes before the person's."""
    if door.state in {"cancelled", "not_held"}:
        return Outcome.CANCELLED
    if now < door.opens_at:
        return Outcome.NOT_YET_OPEN
    is_late = door.closes_at is not None and now > door.closes_at
    if is_late or door.register == "locked":
        return Outcome.OVER
    if scanned.is_known:
        return Outcome.ALREADY
    if scanned.is_expected:
        return Outcome.CONFIRMED
    return Outcome.OTHER_MEETING if scanned.elsewhere else Outcome.NOT_ON_ROLL


def names_agree(typed: str, full_name: str) -> bool:
    """Whether the typed given name is this person's, marks and capitals aside."""
    _, given = split_full_name(full_name)
    return bool(fold(typed)) and fold(typed) == fold(given)


MEMBER_SENTENCES = {
    Outcome.CONFIRMED: N_(
        "Đã ghi nhận bạn đến dự “%(topic)s”. Người điểm danh sẽ xác nhận; bạn có thể vào chỗ."
    ),
    Outcome.ALREADY: N_("Bạn đã được ghi nhận ở buổi “%(topic)s” rồi. Không cần quét lại."),
    Outcome.OTHER_MEETING: N_(
        "Bạn không có trong danh sách buổi này mà ở buổi %(elsewhere)s. "
        "Nếu vẫn dự ở đây, hãy báo người điểm danh ở cửa."
    ),
    Outcome.NOT_ON_ROLL: N_(
        "Không thấy mã và tên này trong danh sách buổi “%(topic)s”. "
        "Hãy xem lại mã và tên, hoặc báo người điểm danh ở cửa."
    ),
    Outcome.CANCELLED: N_("Buổi “%(topic)s” không diễn ra. Hãy chờ Ban báo lịch mới."),
    Outcome.NOT_YET_OPEN: N_("Buổi “%(topic)s” chưa đến giờ điểm danh. Hãy quét lại từ %(opens)s."),
    Outcome.OVER: N_(
        "Buổi “%(topic)s” đã hết giờ quét mã. Hãy báo người điểm danh để được ghi vào sổ."
    ),
}
TAKER_SENTENCES = {
    Outcome.CONFIRMED: N_("Đã ghi %(name)s có mặt."),
    Outcome.ALREADY: N_("%(name)s đã được ghi có mặt từ trước."),
    Outcome.OTHER_MEETING: N_(
        "Người có mã này không ở danh sách này mà ở buổi %(elsewhere)s. "
        "Nếu vẫn dự ở đây, hãy thêm người ở sổ điểm danh."
    ),
    Outcome.NOT_ON_ROLL: N_(
        "Mã này không có trong danh sách buổi. Hãy xem lại mã hoặc thêm người ở sổ điểm danh."
    ),
    Outcome.CANCELLED: N_("Buổi “%(topic)s” không diễn ra nên không điểm danh được."),
    Outcome.NOT_YET_OPEN: N_("Buổi “%(topic)s” chưa đến giờ điểm danh. Sổ mở từ %(opens)s."),
    Outcome.OVER: N_("Sổ buổi “%(topic)s” đã khoá. Hãy gửi yêu cầu mở sổ kèm lý do."),
}


def _step(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def _code(secret: bytes, step: int) -> str:
    digest = hmac.digest(secret, step.to_bytes(8, "big", signed=True), hashlib.sha256)
    place = digest[-1] & 0x0F
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
