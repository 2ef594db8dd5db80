"""What comes back by mail and what it is worth: an answer that counts, one too late, or a doubt."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from rules.refusals import N_

ANSWERS = {"ACCEPTED": "accepted", "TENTATIVE": "tentative", "DECLINED": "declined"}
TOKEN_CHARACTERS = 20

# What each verdict's reason means, for the person who reads it.
REASONS = {
    "": N_("Đã ghi câu trả lời."),
    "older": N_("Đã có câu trả lời mới hơn."),
    "again": N_("Câu trả lời này đã nhận rồi."),
    "old_time": N_("Trả lời cho giờ hoặc nơi cũ; người này đã được hỏi lại."),
    "over": N_("Buổi đã bắt đầu hoặc đã huỷ."),
    "unknown_meeting": N_("Không có buổi nào mang mã này."),
    "automatic": N_("Thư trả lời tự động."),
    "delayed": N_("Máy chủ thư báo chậm, chưa phải bị trả lại."),
    "known_bounce": N_("Thư bị trả lại; đã đánh dấu địa chỉ."),
    "speaker_bounce": N_("Thư tới báo cáo viên bị trả lại. Hãy sửa địa chỉ của báo cáo viên."),
    "unknown_bounce": N_("Thư bị trả lại nhưng không khớp thư nào đã gửi."),
    "counter": N_("Người dự đề nghị giờ khác."),
    "method": N_("Thư lịch nhưng không phải câu trả lời."),
    "attendees": N_("Thư không ghi đúng một người trả lời."),
    "not_on_list": N_(
        "Người trả lời không có trong danh sách mời (thư chuyển tiếp hoặc địa chỉ khác)."
    ),
    "shared_address": N_("Nhiều người trong danh sách dùng chung địa chỉ này."),
    "other_sender": N_("Người gửi thư khác người trả lời."),
    "forged": N_("Địa chỉ nhận thư không đúng của người trả lời: có thể giả mạo."),
    "no_token": N_("Thư không gửi tới địa chỉ trả lời riêng của người này."),
    "delegated": N_("Người dự cử người khác đi thay."),
    "partstat": N_("Không rõ nhận lời hay từ chối."),
    "future": N_("Trả lời cho một bản mời chưa từng gửi."),
    "never_asked": N_("Người này chưa được gửi thư mời."),
    "letter": N_("Thư viết tay, cần người đọc."),
    "unreadable": N_("Không đọc được thư."),
    "too_large": N_("Thư quá lớn, không mở."),
    "settled": N_("Đã xem và không dùng."),
}


@dataclass(frozen=True)
class CalendarAnswer:
    """What the calendar object of a mail says; addresses are lower-case and without `mailto:`.

    `events` counts the different UIDs in it. The proposed times are those of a COUNTER.
    """

    method: str
    uid: str
    events: int
    attendees: tuple[str, ...]
    partstat: str
    sequence: int
    stamped_at: datetime | None
    comment: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Bounce:
    """What a mail server says of a letter it could not deliver."""

    address: str
    is_final: bool
    message_id: str


@dataclass(frozen=True)
class ReceivedMail:
    """One mail of the replies' mailbox, read; `kind` says which of its parts counts."""

    message_key: str
    kind: str
    from_address: str
    to_addresses: tuple[str, ...]
    subject: str
    answer: CalendarAnswer | None = None
    bounce: Bounce | None = None


@dataclass(frozen=True)
class Occasion:
    """The meeting that an answer names."""

    sequence: int
    starts_at: datetime
    is_off: bool


@dataclass(frozen=True)
class GuestRecord:
    """What is known of the one guest who answers.

    `told_sequence` is the newest SEQUENCE that a letter to them carries, None when there was no
    letter. `newest` is the (SEQUENCE, DTSTAMP) of their last answer by mail, `answered_at` the
    time of the answer in force however it came.
    """

    address: str
    told_sequence: int | None
    newest: tuple[int, datetime] | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True)
class Proof:
    """What speaks for a sender: who the mail is from, and the token of the address it went to.

    `token` is "right", "wrong" or "none"; `needs_token` is the board's choice.
    """

    from_address: str
    token: str = "none"
    needs_token: bool = False


@dataclass(frozen=True)
class Judgement:
    """What becomes of an answer; `reply` is set only when it counts."""

    verdict: str
    reason: str = ""
    reply: str = ""


def judge_answer(
    answer: CalendarAnswer,
    proof: Proof,
    meeting: Occasion | None,
    guest: GuestRecord | None,
    *,
    received_at: datetime,
) -> Judgement:
    """Decide what an iTIP answer is worth (RFC 5546 2.1.5 and 3.2.3; RFC 6047 2.2.1).

    Only a REPLY of the one invited guest, about a revision that guest was told of, newer than the
    guest's last answer, counts. Whatever a person could still make sense of goes to review; an
    ORGANIZER, a thread or times are not asked for, since real clients leave them out.
    """
    if meeting is None:
        return Judgement("ignored", "unknown_meeting")
    if answer.method == "COUNTER":
        return Judgement("for_review", "counter")
    if answer.method != "REPLY":
        return Judgement("for_review", "method")
    if len(answer.attendees) != 1 or answer.events != 1:
        return Judgement("for_review", "attendees")
    if guest is None or answer.attendees[0] != guest.address:
        return Judgement("for_review", "not_on_list")
    if doubt := _doubt(answer, proof, meeting, guest):
        return Judgement("for_review", doubt)
    return _in_time(answer, meeting, guest, received_at)


def stamp_of(answer: CalendarAnswer, received_at: datetime) -> datetime:
    """Give when an answer was made: never later than it arrived, so that a wrong clock in the
    future does not shut out every later answer."""
    return min(answer.stamped_at or received_at, received_at)


def answer_token(secret: str, key: str) -> str:
    """Give the word in a guest's own answer address; lower case, since mail servers fold case."""
    digest = hmac.digest(secret.encode(), f"answer\n{key}".encode(), hashlib.sha256)
    return digest.hex()[:TOKEN_CHARACTERS]


def answer_address(address: str, secret: str, key: str) -> str:
    """Give the address that only this guest's letter names: `office+key.token@domain`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{key}.{answer_token(secret, key)}@{domain}"


def token_in(addresses: tuple[str, ...], secret: str, key: str) -> str:
    """Say whether one of the addresses carries this guest's token: "right", "wrong" or "none"."""
    found = "none"
    for address in addresses:
        local, _, _ = address.rpartition("@")
        _, plus, detail = local.partition("+")
        if not plus:
            continue
        named, _, token = detail.rpartition(".")
        expected = answer_token(secret, key)
        if named == key and hmac.compare_digest(token.encode(), expected.encode()):
            return "right"
        found = "wrong"
    return found


def _doubt(answer: CalendarAnswer, proof: Proof, meeting: Occasion, guest: GuestRecord) -> str:
    """Why a person must look first, or nothing."""
    if proof.token == "wrong":
        return "forged"
    if proof.token == "none" and proof.needs_token:
        return "no_token"
    if proof.token == "none" and proof.from_address != guest.address:
        return "other_sender"
    if answer.partstat not in ANSWERS:
        return "delegated" if answer.partstat == "DELEGATED" else "partstat"
    if guest.told_sequence is None:
        return "never_asked"
    return "future" if answer.sequence > meeting.sequence else ""


def _in_time(
    answer: CalendarAnswer, meeting: Occasion, guest: GuestRecord, received_at: datetime
) -> Judgement:
    stamp = stamp_of(answer, received_at)
    if guest.newest == (answer.sequence, stamp):
        return Judgement("duplicate", "again")
    if meeting.is_off or meeting.starts_at <= received_at:
        return Judgement("stale", "over")
    if answer.sequence < (guest.told_sequence or 0):
        return Judgement("stale", "old_time")
    if guest.newest is not None and (answer.sequence, stamp) < guest.newest:
        return Judgement("stale", "older")
    if guest.answered_at is not None and stamp < guest.answered_at:
        return Judgement("stale", "older")
    return Judgement("accepted", reply=ANSWERS[answer.partstat])
