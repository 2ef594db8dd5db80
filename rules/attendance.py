"""The register of a meeting: marks as facts, the status they amount to, and who may write when."""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from rules.refusals import N_, Malformed, NotAllowed, Refusal
from rules.text import clean

MARKS_PER_BATCH = 1000
NAME_LENGTH = 200
CLOCK_TOLERANCE = timedelta(minutes=10)
LATE_AFTER_END = timedelta(hours=24)


class Status(StrEnum):
    """What a mark says. `NONE` only takes another mark back; "not marked" is never stored."""

    PRESENT = "present"
    LATE = "late"
    LEFT_EARLY = "left_early"
    EXCUSED = "excused"
    UNEXCUSED = "unexcused"
    NONE = "none"


class RegisterState(StrEnum):
    """How far a meeting's register has come."""

    NOT_TAKEN = "not_taken"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    LOCKED = "locked"


NOT_MARKED = "not_marked"
_STATUSES = {one.value: one for one in Status}
ATTENDING = frozenset({Status.PRESENT, Status.LATE, Status.LEFT_EARLY})


class Mark(NamedTuple):
    """One fact of the ledger; `subject` is "m:<id>", "h:<id>" or "w:<uuid>" for a walk-in.

    `tapped_at` is what the device's clock said and never changes, so that a replay can be
    recognised; `corrected_at` is the same moment with the clock's error taken out, when known.
    """

    id: str
    subject: str
    status: Status
    tapped_at: datetime
    received_at: datetime
    marker: str = ""
    device: str = ""
    source: str = "page"
    annuls: str | None = None
    name: str = ""
    unit: str = ""
    corrected_at: datetime | None = None

    @property
    def counted_at(self) -> datetime:
        """The moment that decides between marks: never later than the server received it."""
        return min(self.corrected_at or self.tapped_at, self.received_at)

    @property
    def clock_error(self) -> timedelta:
        """How far the device's clock was behind when it sent; nothing when it did not say."""
        return (self.corrected_at or self.tapped_at) - self.tapped_at

    def says_the_same_as(self, other: "Mark") -> bool:
        """Whether a repeated id carries the same body, and so is a replay."""
        mine = (self.id, self.subject, self.status, self.tapped_at, self.annuls)
        return mine == (
            other.id,
            other.subject,
            other.status,
            other.tapped_at,
            other.annuls,
        )


class MarkCandidate(NamedTuple):
    """A well-formed mark as a phone sent it, before the server has judged it."""

    id: str
    subject: str
    status: Status
    tapped_at: datetime
    annuls: str | None = None
    name: str = ""
    unit: str = ""
    sent_at: datetime | None = None

    def received(
        self, now: datetime, *, marker: str = "", device: str = "", source: str = "page"
    ) -> Mark:
        """The mark this becomes on the server at `now`."""
        corrected = self.tapped_at + (now - self.sent_at) if self.sent_at else None
        return Mark(
            self.id,
            self.subject,
            self.status,
            self.tapped_at,
            now,
            marker,
            device,
            source,
            self.annuls,
            self.name,
            self.unit,
            corrected,
        )


@dataclass(frozen=True)
class BadMark:
    """An item of a batch that could not be read; the rest of the batch is not held back."""

    id: str | None
    reason: Refusal


@dataclass(frozen=True)
class MeetingWindow:
    """What the verdict on a mark needs to know of its meeting; `state` as in rules/meetings.py."""

    topic: str
    state: str
    register: RegisterState
    starts_at: datetime
    ends_at: datetime
    locked_at: datetime | None = None
    early_minutes: int = 60

    @cached_property
    def opens_at(self) -> datetime:
        return self.starts_at - timedelta(minutes=self.early_minutes)


class Verdict(NamedTuple):
    """`kind` is stored, known, flagged (stored, for somebody to look at) or refused.

    `flag` says why a flagged mark is doubtful: after_lock, clock or late.
    """

    kind: str
    reason: Refusal | None = None
    flag: str | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the mark now belongs in the ledger."""
        return self.kind in {"stored", "flagged"}


@dataclass(frozen=True)
class GroupCount:
    """How many stand where in one group of a register; `group` is "" for the whole."""

    group: str = ""
    present: int = 0
    late: int = 0
    left_early: int = 0
    excused: int = 0
    unexcused: int = 0
    not_marked: int = 0

    @property
    def attended(self) -> int:
        return self.present + self.late + self.left_early

    @property
    def total(self) -> int:
        return self.attended + self.excused + self.unexcused + self.not_marked

    def as_json(self) -> dict[str, int]:
        return {
            "total": self.total,
            "present": self.present,
            "late": self.late,
            "left_early": self.left_early,
            "excused": self.excused,
            "unexcused": self.unexcused,
            "not_marked": self.not_marked,
        }


def counts_as_attended(
    status: str | None, *, late_counts: bool = True, left_early_counts: bool = True
) -> bool:
    """Whether a status is attendance; coming late and leaving early are so by default."""
    if status == Status.LATE:
        return late_counts
    if status == Status.LEFT_EARLY:
        return left_early_counts
    return status == Status.PRESENT


def current_status(marks: Iterable[Mark]) -> Status | None:
    """What one subject's marks amount to, or None for "not marked".

    A pure function of the set: order and repetition do not matter. An annulled mark does not
    count, nor does the mark that only annuls; of the others the latest wins, ties by id.
    """
    deciding = deciding_mark(marks)
    return deciding.status if deciding else None


def current_statuses(marks: Iterable[Mark]) -> dict[str, Status]:
    """The status of every marked subject of a register; whoever is missing is not marked."""
    by_subject: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_subject[mark.subject].append(mark)
    found = {subject: current_status(of_one) for subject, of_one in by_subject.items()}
    return {subject: status for subject, status in found.items() if status is not None}


def is_contradicted(marks: Iterable[Mark]) -> bool:
    """Whether different devices say different things of one subject, for a person to look at."""
    standing = standing_marks(marks)
    if len(standing) < 2:
        return False
    statuses = {mark.status for mark in standing}
    return len(statuses) > 1 and len({mark.device for mark in standing}) > 1


def verdict(
    mark: Mark, meeting: MeetingWindow, roll: Container[str], known: Mapping[str, Mark]
) -> Verdict:
    """What becomes of an incoming mark.

    `roll` holds the subjects of the register, walk-ins already written down included; `known`
    the marks stored so far under their ids. A replay is always `known`, whatever has happened
    to the meeting since.
    """
    earlier = known.get(mark.id)
    if earlier is not None:
        return Verdict("known") if earlier.says_the_same_as(mark) else _refused(_conflict())
    refusal = (
        _refused_by_meeting(meeting)
        or _refused_by_window(mark, meeting)
        or _refused_by_subject(mark, roll, known)
        or _refused_by_lock(mark, meeting)
    )
    if refusal:
        return _refused(refusal)
    return _doubt(mark, meeting) or _STORED


def parse_marks(body: object) -> list[MarkCandidate | BadMark]:
    """Read the JSON body `{"marks": [...], "sent_at"?}`, item by item and in its order.

    `sent_at` is the device's clock while sending, by which its error is taken out of every
    `tapped_at`. Raises Malformed when the body as a whole has another shape.
    """
    if not isinstance(body, dict) or not isinstance(body.get("marks"), list):
        raise Malformed(N_("Nội dung gửi lên phải là {“marks”: […]}. Hãy tải lại trang điểm danh."))
    items: list[object] = body["marks"]
    if len(items) > MARKS_PER_BATCH:
        raise Malformed(
            N_("Mỗi lần chỉ gửi tối đa %(limit)d lượt điểm danh. Hãy chia thành nhiều lần gửi."),
            limit=MARKS_PER_BATCH,
        )
    sent_at = moment_of(body["sent_at"]) if body.get("sent_at") is not None else None
    return [_parse_mark(item, sent_at) for item in items]


def state_after_mark(state: RegisterState) -> RegisterState:
    """The first mark or head-count opens the register; later ones leave its state alone."""
    return RegisterState.DRAFT if state == RegisterState.NOT_TAKEN else state


def next_state(
    state: RegisterState, action: str, role: str, *, topic: str = "", reason: str = ""
) -> RegisterState:
    """The register's state after submit, reopen, lock or unlock by somebody of that role.

    Raises NotAllowed for the role, Refusal for the state or for unlocking without a reason.
    """
    step = _STEPS[action]
    if role not in step.roles:
        raise NotAllowed(step.not_allowed, topic=topic)
    if state not in step.from_states:
        raise Refusal(step.wrong_state.get(state, step.otherwise), topic=topic)
    if action == "unlock":
        check_unlock_reason(reason, topic)
    return step.to_state


def check_unlock_reason(reason: str, topic: str) -> str:
    """The reason for opening a locked register, cleaned; refused when there is none."""
    given = clean(reason)
    if not given:
        raise Refusal(
            N_("Mở sổ buổi “%(topic)s” cần có lý do. Hãy ghi lý do rồi gửi lại."),
            topic=topic,
        )
    return given


def count_statuses(statuses: Iterable[str]) -> GroupCount:
    """The counts on top of a register, over the statuses as they are shown there."""
    numbers = Counter(statuses)
    return GroupCount(
        present=numbers[Status.PRESENT],
        late=numbers[Status.LATE],
        left_early=numbers[Status.LEFT_EARLY],
        excused=numbers[Status.EXCUSED],
        unexcused=numbers[Status.UNEXCUSED],
        not_marked=numbers[NOT_MARKED] + numbers[Status.NONE],
    )


def count_groups(
    subjects: Sequence[tuple[str, str]], statuses: Mapping[str, Status]
) -> list[GroupCount]:
    """The counts of each group, in the order of first mention; subjects are (subject, group)."""
    by_group: dict[str, list[Status | None]] = {}
    for subject, group in subjects:
        by_group.setdefault(group, []).append(statuses.get(subject))
    return [_count(group, found) for group, found in by_group.items()]


@dataclass(frozen=True)
class _Step:
    from_states: frozenset[RegisterState]
    to_state: RegisterState
    roles: frozenset[str]
    not_allowed: str
    otherwise: str
    wrong_state: Mapping[RegisterState, str] = field(default_factory=dict)


_AT_THE_DOOR = frozenset({"instructor", "staff", "admin"})
_AT_THE_BOARD = frozenset({"staff", "admin"})
_LOCKED = N_("Buổi “%(topic)s” đã khoá sổ. Hãy gửi yêu cầu mở sổ.")
_NOBODY_MARKED = N_("Buổi “%(topic)s” chưa điểm danh. Hãy điểm danh hoặc đếm số người trước.")
_STEPS = {
    "submit": _Step(
        from_states=frozenset({RegisterState.DRAFT}),
        to_state=RegisterState.SUBMITTED,
        roles=_AT_THE_DOOR,
        not_allowed=N_("Bạn không được nộp sổ buổi “%(topic)s”. Hãy báo người phụ trách buổi."),
        otherwise=N_("Sổ buổi “%(topic)s” đã nộp rồi. Hãy tải lại trang để xem."),
        wrong_state={
            RegisterState.NOT_TAKEN: _NOBODY_MARKED,
            RegisterState.LOCKED: _LOCKED,
        },
    ),
    "reopen": _Step(
        from_states=frozenset({RegisterState.SUBMITTED}),
        to_state=RegisterState.DRAFT,
        roles=_AT_THE_DOOR,
        not_allowed=N_("Bạn không được sửa sổ buổi “%(topic)s”. Hãy báo người phụ trách buổi."),
        otherwise=N_("Sổ buổi “%(topic)s” chưa nộp nên cứ điểm danh tiếp."),
        wrong_state={RegisterState.LOCKED: _LOCKED},
    ),
    "lock": _Step(
        from_states=frozenset({RegisterState.SUBMITTED}),
        to_state=RegisterState.LOCKED,
        roles=_AT_THE_BOARD,
        not_allowed=N_("Chỉ cán bộ Ban được khoá sổ buổi “%(topic)s”. Hãy nộp sổ để Ban khoá."),
        otherwise=N_("Sổ buổi “%(topic)s” chưa nộp. Hãy nộp sổ trước khi khoá."),
        wrong_state={RegisterState.LOCKED: N_("Sổ buổi “%(topic)s” đã khoá rồi.")},
    ),
    "unlock": _Step(
        from_states=frozenset({RegisterState.LOCKED}),
        to_state=RegisterState.DRAFT,
        roles=_AT_THE_BOARD,
        not_allowed=N_(
            "Chỉ cán bộ Ban được mở sổ buổi “%(topic)s”. Hãy gửi yêu cầu mở sổ kèm lý do."
        ),
        otherwise=N_("Sổ buổi “%(topic)s” chưa khoá nên không cần mở."),
    ),
}


def standing_marks(marks: Iterable[Mark]) -> list[Mark]:
    """The marks that nobody took back; a mark that only takes back is not among them."""
    several = list(marks)
    if len(several) == 1 and several[0].annuls != several[0].id:
        return [] if several[0].status == Status.NONE else several
    facts: dict[str, Mark] = {}
    for mark in several:
        kept = facts.get(mark.id)
        if kept is None or mark.received_at < kept.received_at:
            facts[mark.id] = mark
    annulled = {mark.annuls for mark in facts.values()}
    return [
        mark for mark in facts.values() if mark.id not in annulled and mark.status != Status.NONE
    ]


def deciding_mark(marks: Iterable[Mark]) -> Mark | None:
    """The mark that decides a subject's status, or None; see `current_status`."""
    standing = standing_marks(marks)
    if len(standing) < 2:
        return standing[0] if standing else None
    return max(standing, key=lambda mark: (mark.counted_at, mark.id))


_STORED = Verdict("stored")


def _refused(reason: Refusal) -> Verdict:
    return Verdict("refused", reason)


def _conflict() -> Refusal:
    return Refusal(
        N_(
            "Mã lượt điểm danh này đã dùng cho nội dung khác; lượt ghi trước được giữ nguyên. "
            "Hãy điểm danh lại người này."
        )
    )


_NO_MARKS = {
    "draft": N_("Buổi “%(topic)s” chưa công bố. Hãy báo Ban công bố buổi rồi điểm danh."),
    "cancelled": N_("Buổi “%(topic)s” đã huỷ nên không điểm danh được. Hãy báo Ban nếu sai."),
    "not_held": N_(
        "Buổi “%(topic)s” đã ghi là không diễn ra nên không điểm danh được. Hãy báo Ban nếu sai."
    ),
}


def _refused_by_meeting(meeting: MeetingWindow) -> Refusal | None:
    sentence = _NO_MARKS.get(meeting.state)
    return Refusal(sentence, topic=meeting.topic) if sentence else None


def _refused_by_window(mark: Mark, meeting: MeetingWindow) -> Refusal | None:
    if mark.received_at < meeting.opens_at:
        return Refusal(
            N_("Buổi “%(topic)s” chưa đến giờ điểm danh (sớm nhất %(minutes)d phút trước giờ mở)."),
            topic=meeting.topic,
            minutes=meeting.early_minutes,
        )
    if mark.counted_at < meeting.opens_at:
        return Refusal(
            N_(
                "Lượt này ghi trước giờ điểm danh của buổi “%(topic)s”. "
                "Hãy xem lại ngày giờ trên máy rồi điểm danh lại."
            ),
            topic=meeting.topic,
        )
    return None


def _refused_by_subject(
    mark: Mark, roll: Container[str], known: Mapping[str, Mark]
) -> Refusal | None:
    target = known.get(mark.annuls) if mark.annuls else None
    if target is not None and target.subject != mark.subject:
        return Refusal(N_("Lượt cần bỏ là của người khác. Hãy tải lại trang rồi thử lại."))
    if mark.subject in roll:
        return None
    if not mark.subject.startswith("w:"):
        return Refusal(
            N_("Người hoặc hộ này không có trong danh sách buổi. Hãy thêm như người dự ngoài.")
        )
    if not mark.name and mark.status != Status.NONE:
        return Refusal(N_("Người dự ngoài danh sách cần có họ tên. Hãy nhập họ tên."))
    return None


def _refused_by_lock(mark: Mark, meeting: MeetingWindow) -> Refusal | None:
    if meeting.register != RegisterState.LOCKED:
        return None
    if meeting.locked_at is not None and mark.counted_at <= meeting.locked_at:
        return None
    return Refusal(_LOCKED, topic=meeting.topic)


def _doubt(mark: Mark, meeting: MeetingWindow) -> Verdict | None:
    """Why a kept mark deserves a second look, or None."""
    if meeting.register == RegisterState.LOCKED:
        reason = N_("Ghi trước khi khoá sổ nhưng đến sau; lượt được giữ và chờ Ban xem lại.")
        return Verdict("flagged", Refusal(reason), "after_lock")
    if (mark.corrected_at or mark.tapped_at) > mark.received_at + CLOCK_TOLERANCE:
        reason = N_("Đồng hồ trên máy chạy nhanh; lượt được giữ theo giờ máy chủ nhận được.")
        return Verdict("flagged", Refusal(reason), "clock")
    if abs(mark.clock_error) > CLOCK_TOLERANCE:
        reason = N_("Đồng hồ trên máy sai; lượt được giữ, giờ đã chỉnh theo máy chủ.")
        return Verdict("flagged", Refusal(reason), "clock")
    if mark.received_at > meeting.ends_at + LATE_AFTER_END:
        reason = N_("Lượt đến muộn hơn một ngày sau buổi; lượt được giữ và chờ Ban xem lại.")
        return Verdict("flagged", Refusal(reason), "late")
    return None


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUBJECT = re.compile(rf"[mh]:[0-9A-Za-z_-]{{1,64}}|w:{_UUID.pattern}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


_CLAIMS = {"marker", "marked_by", "marked_by_id", "link_id", "received_at"}
"""What only the sign-in and the server's clock say of a mark; a phone of ours never sends it."""


def _parse_mark(item: object, sent_at: datetime | None) -> MarkCandidate | BadMark:
    mark_id = uuid_of(item.get("id")) if isinstance(item, dict) else None
    try:
        if not isinstance(item, dict) or mark_id is None:
            raise Refusal(N_("Lượt điểm danh thiếu mã hoặc mã không đúng. Hãy điểm danh lại."))
        if not _CLAIMS.isdisjoint(item):
            raise Refusal(
                N_(
                    "Lượt điểm danh không được tự khai ai ghi hay ghi lúc nào ở máy chủ. "
                    "Hãy tải lại trang rồi điểm danh lại."
                )
            )
        return MarkCandidate(
            id=mark_id,
            subject=_subject(item.get("subject")),
            status=_status(item.get("status"), item.get("annuls")),
            tapped_at=moment_of(item.get("tapped_at")),
            annuls=_annulled_id(item.get("annuls"), mark_id),
            name=short_text(item.get("name")),
            unit=short_text(item.get("unit")),
            sent_at=sent_at,
        )
    except Refusal as reason:
        return BadMark(mark_id, reason)


def uuid_of(value: object) -> str | None:
    """The value as a UUID in small letters, or None when it is none."""
    small = value.lower() if isinstance(value, str) else ""
    return small if _UUID.fullmatch(small) else None


def _subject(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed(N_("Lượt điểm danh không ghi là của ai. Hãy điểm danh lại."))
    subject = value.lower() if value.startswith("w:") else value
    if not _SUBJECT.fullmatch(subject):
        raise Malformed(N_("Lượt điểm danh không ghi đúng là của ai. Hãy điểm danh lại."))
    return subject


def _status(value: object, annuls: object) -> Status:
    status = _STATUSES.get(value) if isinstance(value, str) else None
    if status is None:
        raise Malformed(N_("Tình trạng điểm danh không có trong danh mục. Hãy điểm danh lại."))
    if status == Status.NONE and annuls is None:
        raise Malformed(N_("Lượt bỏ điểm danh phải nêu lượt bị bỏ. Hãy điểm danh lại."))
    return status


def _annulled_id(value: object, own_id: str) -> str | None:
    if value is None:
        return None
    annulled = uuid_of(value)
    if annulled is None or annulled == own_id:
        raise Malformed(N_("Mã của lượt bị bỏ không đúng. Hãy tải lại trang rồi thử lại."))
    return annulled


def moment_of(value: object) -> datetime:
    """A moment with its offset (RFC 3339), as UTC; years outside 2000–2100 are no real clock."""
    try:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValueError
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.min.replace(tzinfo=UTC)
    if not 2000 <= moment.year <= 2100:
        raise Malformed(N_("Giờ điểm danh không đọc được. Hãy xem lại ngày giờ trên máy."))
    return moment


def short_text(value: object) -> str:
    """A name or a unit as somebody typed it, cleaned; Malformed when too long or no text."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > NAME_LENGTH:
        raise Malformed(
            N_("Họ tên hoặc đơn vị phải là chữ, không quá %(limit)d ký tự. Hãy nhập lại."),
            limit=NAME_LENGTH,
        )
    return clean(value)[:NAME_LENGTH]


def _count(group: str, statuses: Iterable[Status | None]) -> GroupCount:
    numbers = Counter(statuses)
    return GroupCount(
        group=group,
        present=numbers[Status.PRESENT],
        late=numbers[Status.LATE],
        left_early=numbers[Status.LEFT_EARLY],
        excused=numbers[Status.EXCUSED],
        unexcused=numbers[Status.UNEXCUSED],
        not_marked=numbers[None] + numbers[Status.NONE],
    )
