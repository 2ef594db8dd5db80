"""The log's page: who did what, when and why."""

from datetime import date

from flask import Blueprint, render_template, request

from rules.refusals import N_, Malformed
from services import audit_log
from services.audit_log import LogFilters
from web.fields import id_or_none, said
from web.identity import current_actor, now, requires

bp = Blueprint("audit", __name__, url_prefix="/log")

ENTITY_NAMES = {
    "account": said(N_("Tài khoản")),
    "person": said(N_("Đảng viên")),
    "household": said(N_("Hộ gia đình")),
    "unit": said(N_("Đơn vị")),
    "unit_kind": said(N_("Cấp đơn vị")),
    "campaign": said(N_("Đợt học tập")),
    "roll_entry": said(N_("Diện phải học")),
    "meeting": said(N_("Buổi")),
    "course": said(N_("Lớp")),
    "speaker": said(N_("Báo cáo viên")),
    "venue": said(N_("Địa điểm")),
    "setting": said(N_("Thiết lập")),
    "calendar_day": said(N_("Ngày nghỉ")),
    "reminder_rule": said(N_("Lời nhắc")),
    "roster_import": said(N_("Nhập danh sách")),
    "feed_token": said(N_("Lịch điện thoại")),
    "outgoing_message": said(N_("Thư")),
}
ACTION_NAMES = {
    "created": said(N_("thêm")),
    "changed": said(N_("sửa")),
    "removed": said(N_("bỏ")),
    "renamed": said(N_("đổi tên")),
    "moved": said(N_("chuyển")),
    "linked": said(N_("giao phụ trách")),
    "ended": said(N_("kết thúc")),
    "transferred": said(N_("chuyển sinh hoạt")),
    "standing": said(N_("đổi tư cách")),
    "exempted": said(N_("miễn sinh hoạt")),
    "unexempted": said(N_("kết thúc miễn")),
    "died": said(N_("ghi từ trần")),
    "left": said(N_("ghi rời đi")),
    "opened": said(N_("mở")),
    "closed": said(N_("đóng")),
    "published": said(N_("công bố")),
    "cancelled": said(N_("huỷ")),
    "corrected": said(N_("điều chỉnh")),
    "exported": said(N_("xuất ra")),
    "imported": said(N_("nhập vào")),
    "link_made": said(N_("tạo đường liên kết")),
    "link_revoked": said(N_("thu hồi đường liên kết")),
    "password_set": said(N_("đặt mật khẩu")),
    "submitted": said(N_("nộp sổ")),
    "locked": said(N_("khoá sổ")),
    "unlocked": said(N_("mở sổ")),
}


def _day(name: str) -> date | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed(N_("Ngày trong địa chỉ trang chưa đúng. Hãy chọn lại ngày.")) from None


@bp.get("")
@requires("staff")
def index() -> str:
    """The log, narrowed by day, person and thing."""
    filters = LogFilters(
        first=_day("first"),
        last=_day("last"),
        by_name=request.args.get("by", ""),
        entity=request.args.get("entity", ""),
        entity_id=request.args.get("id", ""),
    )
    page = audit_log.log_page(
        filters,
        page=max(1, id_or_none(request.args.get("page")) or 1),
        now=now(),
        by=current_actor(),
    )
    return render_template(
        "audit/index.html",
        page=page,
        filters=filters,
        entity_names=ENTITY_NAMES,
        action_names=ACTION_NAMES,
    )
