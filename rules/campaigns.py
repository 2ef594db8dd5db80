"""A campaign's life: a plan that can be carried out, opening, closing, corrections of its roll."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from rules.coverage import CompletionRule, check_completion_rule
from rules.refusals import N_, Malformed, Refusal
from rules.text import clean

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
STATE_LABELS = {"draft": N_("Bản nháp"), "open": N_("Đang mở"), "closed": N_("Đã đóng")}
COMPLETION_LABELS = {
    "any": N_("Dự một buổi bất kỳ"),
    "all_topics": N_("Dự đủ các chuyên đề"),
    "at_least": N_("Dự ít nhất một số buổi"),
}
COUNTING_LABELS = {
    "checklist": N_("Đánh dấu theo số hộ"),
    "tally": N_("Trưởng khối khai luỹ kế"),
    "none": N_("Không tính hộ"),
}
CORRECTION_LABELS = {
    "joined": N_("Chuyển đến"),
    "moved": N_("Chuyển đi"),
    "exempted": N_("Được miễn"),
    "unexempted": N_("Hết miễn"),
    "died": N_("Từ trần"),
    "wrong_entry": N_("Ghi nhầm"),
}
OF_MEMBERS_ONLY = frozenset({"exempted", "unexempted", "died"})


@dataclass(frozen=True)
class CampaignPlan:
    """What staff write down before a campaign opens; unit ids are of both trees."""

    code: str
    title: str
    opens_on: date
    deadline_on: date
    cutoff_on: date
    owner_unit_id: int | None = None
    document_number: str = ""
    document_on: date | None = None
    document_issuer: str = ""
    document_title: str = ""
    members_target_percent: int = 95
    households_target_percent: int = 85
    completion_rule: str = "any"
    completion_count: int = 1
    household_counting: str = "checklist"
    unit_ids: frozenset[int] = frozenset()
    topics: tuple[str, ...] = ()
    unit_targets: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RollLine:
    """How somebody stands on a roll; None instead of a line means "not on it"."""

    state: str
    unit_id: int
    grassroots_id: int


def check_plan(plan: CampaignPlan) -> None:
    """Refuse a plan with a missing name, dates out of order or a target nobody can set."""
    if not CODE.fullmatch(plan.code):
        raise Malformed(
            N_(
                "Mã đợt “%(code)s” chưa đúng. Hãy dùng chữ không dấu, số, dấu chấm hoặc gạch nối, "
                "tối đa 40 ký tự."
            ),
            code=plan.code[:40],
        )
    if not clean(plan.title):
        raise Malformed(N_("Đợt chưa có tên. Hãy nhập tên đợt học tập."))
    if plan.deadline_on < plan.opens_on:
        raise Malformed(N_("Hạn chót phải từ ngày bắt đầu trở đi. Hãy sửa lại ngày."))
    if plan.cutoff_on > plan.deadline_on:
        raise Malformed(N_("Ngày chốt danh sách phải trước hạn chót. Hãy sửa lại ngày."))
    _check_percentages(plan)
    check_completion_rule(
        CompletionRule(
            plan.completion_rule,
            frozenset(range(len(plan.topics))),
            plan.completion_count,
        )
    )


def _check_percentages(plan: CampaignPlan) -> None:
    targets = (
        plan.members_target_percent,
        plan.households_target_percent,
        *plan.unit_targets.values(),
    )
    for target in targets:
        if not 1 <= target <= 100:
            raise Malformed(
                N_("Chỉ tiêu %(target)d%% không hợp lệ. Hãy nhập từ 1 đến 100."), target=target
            )


def check_opening(*, title: str, state: str, cutoff_on: date, today: date, units: int) -> None:
    """Refuse to freeze a roll twice, of nobody, or of a day that has not come."""
    if state != "draft":
        raise Refusal(
            N_("Đợt “%(title)s” đã mở rồi nên danh sách không chốt lại. Hãy dùng mục Điều chỉnh."),
            title=title,
        )
    if not units:
        raise Refusal(
            N_("Đợt “%(title)s” chưa chọn đơn vị nào. Hãy chọn đơn vị rồi mở đợt."), title=title
        )
    if cutoff_on > today:
        raise Refusal(
            N_(
                "Ngày chốt danh sách %(day)s chưa đến nên chưa biết ai phải học. "
                "Hãy đợi hoặc lùi ngày chốt."
            ),
            day=f"{cutoff_on:%d/%m/%Y}",
        )


def check_not_empty(entries: int) -> None:
    """Refuse to open a campaign whose roll would have nobody on it."""
    if not entries:
        raise Refusal(
            N_(
                "Ngày chốt không có đảng viên hay hộ nào trong các đơn vị đã chọn. "
                "Hãy nhập danh sách hoặc chọn lại đơn vị, ngày chốt."
            )
        )


def check_open(title: str, state: str) -> None:
    """Refuse to change the roll, credits or tallies of a campaign that is not open."""
    if state == "draft":
        raise Refusal(
            N_("Đợt “%(title)s” chưa mở nên chưa có danh sách. Hãy mở đợt trước."), title=title
        )
    if state == "closed":
        raise Refusal(
            N_("Đợt “%(title)s” đã đóng. Hãy mở lại đợt, nêu lý do, rồi sửa."), title=title
        )


def state_after_closing(title: str, state: str) -> str:
    """Closed, from open only."""
    if state != "open":
        raise Refusal(N_("Chỉ đợt đang mở mới đóng được; “%(title)s” thì không."), title=title)
    return "closed"


def state_after_reopening(title: str, state: str, reason: str) -> str:
    """Open again, from closed only and with a reason."""
    if state != "closed":
        raise Refusal(N_("Đợt “%(title)s” chưa đóng nên không cần mở lại."), title=title)
    if not clean(reason):
        raise Refusal(N_("Mở lại đợt cần có lý do. Hãy ghi lý do rồi gửi lại."))
    return "open"


def corrected(
    kind: str, before: RollLine | None, target: RollLine | None, *, is_household: bool, reason: str
) -> RollLine:
    """How somebody stands after a correction.

    `target` is where they go: needed for joining; for a move it is the new unit, or None when
    they leave the campaign's scope. Raises Refusal when the correction says nothing new.
    """
    if kind not in CORRECTION_LABELS or (is_household and kind in OF_MEMBERS_ONLY):
        raise Malformed(N_("Loại điều chỉnh này không dùng được ở đây. Hãy chọn lại."))
    if not clean(reason):
        raise Malformed(N_("Điều chỉnh danh sách cần có lý do. Hãy ghi lý do rồi gửi lại."))
    if kind == "joined":
        return _joined(before, target)
    if before is None or before.state == "removed":
        raise Refusal(N_("Người hoặc hộ này không có trong danh sách chốt của đợt."))
    if kind == "moved":
        return _moved(before, target)
    if kind in {"died", "wrong_entry"}:
        return RollLine("removed", before.unit_id, before.grassroots_id)
    state = "exempt" if kind == "exempted" else "eligible"
    if before.state == state:
        raise Refusal(
            N_("Người này đã được ghi là miễn rồi.")
            if state == "exempt"
            else N_("Người này đang thuộc diện phải học nên không có gì để đổi.")
        )
    return RollLine(state, before.unit_id, before.grassroots_id)


def _joined(before: RollLine | None, target: RollLine | None) -> RollLine:
    if before is not None and before.state != "removed":
        raise Refusal(
            N_("Người hoặc hộ này đã có trong danh sách. Nếu đổi đơn vị, hãy chọn “Chuyển đi”.")
        )
    if target is None:
        raise Malformed(N_("Hãy chọn chi bộ hoặc khối phố mà người này chuyển đến."))
    return target


def _moved(before: RollLine, target: RollLine | None) -> RollLine:
    if target is None:
        return RollLine("removed", before.unit_id, before.grassroots_id)
    if target.unit_id == before.unit_id:
        raise Refusal(N_("Đơn vị mới trùng đơn vị đang ghi. Hãy chọn đơn vị khác."))
    return RollLine(before.state, target.unit_id, target.grassroots_id)


def check_credit(
    *, studied_on: date, opens_on: date, today: date, place: str, evidence: str
) -> None:
    """Refuse study elsewhere without a place, without evidence, or on a day that cannot be."""
    if not clean(place) or not clean(evidence):
        raise Malformed(
            N_("Ghi nhận học nơi khác cần nơi học và minh chứng (số giấy xác nhận, danh sách…).")
        )
    if studied_on > today:
        raise Malformed(N_("Ngày học %(day)s chưa đến. Hãy xem lại."), day=f"{studied_on:%d/%m/%Y}")
    if studied_on < opens_on:
        raise Malformed(
            N_("Ngày học %(day)s trước khi đợt bắt đầu nên không tính cho đợt này."),
            day=f"{studied_on:%d/%m/%Y}",
        )


def check_tally(households: int, previous: int | None, *, is_correction: bool) -> None:
    """Refuse a cumulative count below the one before it, unless it is said to correct that one."""
    if previous is not None and households < previous and not is_correction:
        raise Refusal(
            N_(
                "Luỹ kế %(households)d hộ thấp hơn lần khai trước (%(previous)d). Số khai là luỹ "
                "kế từ đầu đợt; nếu lần trước khai sai, hãy đánh dấu “Sửa lần khai trước”."
            ),
            households=households,
            previous=previous,
        )
