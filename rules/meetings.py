"""A meeting's life from draft to held, its times, and the changes its guests must hear of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rules.days import LOCAL
from rules.refusals import N_, NotAllowed, Refusal
from rules.text import clean

LONGEST = timedelta(hours=16)
EARLIEST_YEAR = 2000
LATEST_YEAR = 2100


class MeetingState(StrEnum):
    """Where a meeting stands; only draft and published can still be changed."""

    DRAFT = "draft"
    PUBLISHED = "published"
    HELD = "held"
    NOT_HELD = "not_held"
    CANCELLED = "cancelled"


class MeetingKind(StrEnum):
    """What a meeting is: a study sitting, a class sitting, an outreach meeting, a cell meeting."""

    STUDY = "study"
    CLASS = "class"
    OUTREACH = "outreach"
    CELL = "cell"


KIND_LABELS = {
    MeetingKind.STUDY: N_("Buổi học tập, quán triệt"),
    MeetingKind.CLASS: N_("Buổi học của lớp"),
    MeetingKind.OUTREACH: N_("Buổi tuyên truyền"),
    MeetingKind.CELL: N_("Sinh hoạt chi bộ"),
}
STATE_LABELS = {
    MeetingState.DRAFT: N_("Dự thảo"),
    MeetingState.PUBLISHED: N_("Đã công bố"),
    MeetingState.HELD: N_("Đã diễn ra"),
    MeetingState.NOT_HELD: N_("Không diễn ra"),
    MeetingState.CANCELLED: N_("Đã huỷ"),
}


@dataclass(frozen=True)
class MeetingDetails:
    """What a meeting tells its guests; names are as shown, ids decide whether a thing changed."""

    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str = ""
    points: tuple[str, ...] = ()
    online_link: str = ""
    speakers: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    capacity: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Change:
    """One difference between two versions; `label` is Vietnamese, the values are text to show.

    `guests_must_know` is false for what only concerns the organisers, such as the capacity.
    """

    field: str
    label: str
    before: str
    after: str
    guests_must_know: bool


def check_times(starts_at: datetime, ends_at: datetime) -> None:
    """Refuse times that no sitting can have: backwards, over 16 hours, or a mistyped year."""
    if ends_at <= starts_at:
        raise Refusal(N_("Giờ kết thúc phải sau giờ bắt đầu. Hãy sửa lại giờ của buổi."))
    if ends_at - starts_at > LONGEST:
        raise Refusal(
            N_("Một buổi không dài quá %(hours)d giờ. Hãy tách thành nhiều buổi."),
            hours=LONGEST // timedelta(hours=1),
        )
    if not EARLIEST_YEAR <= starts_at.year <= LATEST_YEAR:
        raise Refusal(
            N_("Năm %(year)d không hợp lý. Hãy nhập năm từ %(first)d đến %(last)d."),
            year=starts_at.year,
            first=EARLIEST_YEAR,
            last=LATEST_YEAR,
        )


def next_meeting_state(
    state: MeetingState,
    action: str,
    *,
    now: datetime,
    details: MeetingDetails,
    reason: str = "",
    role: str = "staff",
) -> MeetingState:
    """The state after publish, hold, not_hold or cancel.

    Raises NotAllowed for a role other than staff or administrator (an instructor may also tell
    that a meeting was held), Refusal for a wrong state, a wrong moment or a missing reason.
    """
    if role not in {"staff", "admin"} and (role, action) != ("instructor", "hold"):
        raise NotAllowed(
            N_("Bạn không được đổi trạng thái buổi “%(topic)s”. Hãy báo cán bộ Ban."),
            topic=details.topic,
        )
    return _TRANSITIONS[action](state, now, details, clean(reason))


def check_editable(state: MeetingState, topic: str) -> None:
    """Refuse to change a meeting that is over or called off."""
    if state not in {MeetingState.DRAFT, MeetingState.PUBLISHED}:
        raise Refusal(
            N_("Buổi “%(topic)s” đã kết thúc hoặc đã huỷ nên không sửa được. Hãy tạo buổi mới."),
            topic=topic,
        )


def changes_that_matter(before: MeetingDetails, after: MeetingDetails) -> list[Change]:
    """The differences for the publish dialog, in the order a reader asks for them."""
    found: list[Change] = []
    for name, label, guests_must_know in _SHOWN_FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            found.append(Change(name, label, _shown(old), _shown(new), guests_must_know))
    return found


def must_tell_guests(changes: list[Change]) -> bool:
    """Whether any change is one that invited people have to hear of."""
    return any(change.guests_must_know for change in changes)


_SHOWN_FIELDS = (
    ("topic", N_("Chuyên đề"), True),
    ("starts_at", N_("Bắt đầu"), True),
    ("ends_at", N_("Kết thúc"), True),
    ("place", N_("Địa điểm"), True),
    ("points", N_("Điểm cầu"), True),
    ("online_link", N_("Đường dẫn trực tuyến"), True),
    ("speakers", N_("Báo cáo viên"), True),
    ("units", N_("Đơn vị được mời"), False),
    ("capacity", N_("Sức chứa"), False),
    ("note", N_("Ghi chú"), True),
)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(LOCAL)
        return f"{local.hour}h{local.minute:02d} {local:%d/%m/%Y}"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return str(value)


def _publish(
    state: MeetingState, now: datetime, details: MeetingDetails, reason: str
) -> MeetingState:
    if state != MeetingState.DRAFT:
        raise Refusal(
            N_("Buổi “%(topic)s” không còn là dự thảo nên không công bố lại được."),
            topic=details.topic,
        )
    check_times(details.starts_at, details.ends_at)
    if not details.topic:
        raise Refusal(N_("Buổi chưa có chuyên đề. Hãy nhập chuyên đề rồi công bố."))
    if details.ends_at <= now:
        raise Refusal(
            N_("Buổi “%(topic)s” đã qua giờ nên không mời được nữa. Hãy sửa ngày giờ."),
            topic=details.topic,
        )
    if not (details.place or details.points or details.online_link):
        raise Refusal(
            N_("Buổi “%(topic)s” chưa có địa điểm hoặc đường dẫn. Hãy bổ sung rồi công bố."),
            topic=details.topic,
        )
    return MeetingState.PUBLISHED


def _hold(state: MeetingState, now: datetime, details: MeetingDetails, reason: str) -> MeetingState:
    _must_be_published(state, details.topic)
    if now < details.starts_at:
        raise Refusal(
            N_("Buổi “%(topic)s” chưa bắt đầu nên chưa ghi là đã diễn ra được."),
            topic=details.topic,
        )
    return MeetingState.HELD


def _not_hold(
    state: MeetingState, now: datetime, details: MeetingDetails, reason: str
) -> MeetingState:
    _must_be_published(state, details.topic)
    if now < details.starts_at:
        raise Refusal(
            N_("Buổi “%(topic)s” chưa đến giờ. Nếu không tổ chức nữa, hãy huỷ buổi."),
            topic=details.topic,
        )
    _must_have_reason(reason, details.topic)
    return MeetingState.NOT_HELD


def _cancel(
    state: MeetingState, now: datetime, details: MeetingDetails, reason: str
) -> MeetingState:
    if state not in {MeetingState.DRAFT, MeetingState.PUBLISHED}:
        raise Refusal(
            N_("Buổi “%(topic)s” đã kết thúc hoặc đã huỷ nên không huỷ được nữa."),
            topic=details.topic,
        )
    if state == MeetingState.PUBLISHED:
        _must_have_reason(reason, details.topic)
    return MeetingState.CANCELLED


def _must_be_published(state: MeetingState, topic: str) -> None:
    if state != MeetingState.PUBLISHED:
        raise Refusal(
            N_("Chỉ buổi đã công bố mới ghi được kết quả; buổi “%(topic)s” thì không."),
            topic=topic,
        )


def _must_have_reason(reason: str, topic: str) -> None:
    if not reason:
        raise Refusal(
            N_("Hãy ghi lý do buổi “%(topic)s” không diễn ra để báo cho người được mời."),
            topic=topic,
        )


_TRANSITIONS: dict[str, Callable[[MeetingState, datetime, MeetingDetails, str], MeetingState]] = {
    "publish": _publish,
    "hold": _hold,
    "not_hold": _not_hold,
    "cancel": _cancel,
}
