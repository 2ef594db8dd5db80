"""The log's page: who did what, when and why."""

from datetime import date

from flask import Blueprint, render_template, request

from rules.days import written_day
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
    "feed": said(N_("Lịch điện thoại")),
    "outgoing_message": said(N_("Thư")),
    "incoming_reply": said(N_("Thư trả lời")),
    "call_list_entry": said(N_("Danh sách gọi điện")),
    "external_credit": said(N_("Học nơi khác")),
    "household_tally": said(N_("Số hộ khai luỹ kế")),
    "report": said(N_("Báo cáo")),
    "action_plan": said(N_("Kế hoạch hành động")),
    "history_project": said(N_("Lịch sử Đảng bộ")),
    "commendation": said(N_("Khen thưởng")),
    "history_step": said(N_("Bước viết lịch sử")),
    "leader_visit": said(N_("Lãnh đạo dự sinh hoạt")),
    "unit_change": said(N_("Quyết định về đơn vị")),
    "letterhead": said(N_("Trình bày văn bản")),
    "document_template": said(N_("Mẫu văn bản")),
    "class_plan": said(N_("Kế hoạch mở lớp")),
    "notice": said(N_("Thông báo về dữ liệu cá nhân")),
    "retention": said(N_("Thời hạn lưu")),
    "breach": said(N_("Báo cáo sự cố dữ liệu")),
    "database": said(N_("Cơ sở dữ liệu")),
    "installation": said(N_("Nơi chạy chương trình")),
    "demo": said(N_("Dữ liệu minh hoạ")),
    "clock": said(N_("Đồng hồ")),
}
ACTION_NAMES = {
    "put_back": said(N_("được chỉnh lại")),
    "released": said(N_("cho chạy tiếp")),
    "stopped": said(N_("dừng")),
    "created": said(N_("thêm")),
    "changed": said(N_("sửa")),
    "removed": said(N_("bỏ")),
    "renamed": said(N_("đổi tên")),
    "moved": said(N_("chuyển")),
    "linked": said(N_("giao phụ trách")),
    "drafted": said(N_("dự thảo")),
    "allotted": said(N_("ghi cách chia")),
    "draft_discarded": said(N_("bỏ dự thảo")),
    "confirmed": said(N_("xác nhận")),
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
    "viewed": said(N_("mở xem")),
    "erased": said(N_("xoá dữ liệu")),
    "anonymised": said(N_("ẩn danh")),
    "data_link_made": said(N_("tạo đường xem dữ liệu")),
    "data_link_revoked": said(N_("thu hồi đường xem dữ liệu")),
    "data_asked": said(N_("gửi yêu cầu về dữ liệu")),
    "data_answered": said(N_("trả lời yêu cầu về dữ liệu")),
    "data_extended": said(N_("gia hạn yêu cầu về dữ liệu")),
    "data_done": said(N_("làm xong yêu cầu về dữ liệu")),
    "data_refused": said(N_("không nhận yêu cầu về dữ liệu")),
    "channels_chosen": said(N_("chọn kênh nhận thư")),
    "exported": said(N_("xuất ra")),
    "imported": said(N_("nhập vào")),
    "link_made": said(N_("tạo đường liên kết")),
    "link_revoked": said(N_("thu hồi đường liên kết")),
    "password_set": said(N_("đặt mật khẩu")),
    "register_submitted": said(N_("nộp sổ")),
    "register_reopened": said(N_("mở lại để điểm danh")),
    "register_locked": said(N_("khoá sổ")),
    "register_rebuilt": said(N_("dựng lại sổ từ các lượt ghi")),
    "unlock_requested": said(N_("yêu cầu mở sổ")),
    "unlock_granted": said(N_("đồng ý mở sổ")),
    "unlock_refused": said(N_("từ chối mở sổ")),
    "marked": said(N_("điểm danh")),
    "heads_counted": said(N_("đếm người")),
    "guest_added": said(N_("thêm người vào danh sách")),
    "claimed": said(N_("tự báo có mặt")),
    "claims_confirmed": said(N_("xác nhận người tự báo")),
    "claims_refused": said(N_("không nhận người tự báo")),
    "held": said(N_("ghi đã diễn ra")),
    "not_held": said(N_("ghi không diễn ra")),
    "invited": said(N_("mời")),
    "told_change": said(N_("báo thay đổi")),
    "told_cancelled": said(N_("báo huỷ")),
    "called_makeup": said(N_("mời học bù")),
    "called": said(N_("đánh dấu đã gọi")),
    "replied": said(N_("trả lời thư mời")),
    "settled": said(N_("xử lý thư trả lời")),
    "bounced": said(N_("ghi thư bị trả lại")),
    "retried": said(N_("gửi lại")),
    "opted_in": said(N_("nhận lại lời nhắc")),
    "opted_out": said(N_("thôi nhận lời nhắc")),
    "declared": said(N_("khai số hộ")),
    "discarded": said(N_("bỏ tệp")),
    "deleted": said(N_("xoá")),
    "reopened": said(N_("mở lại")),
    "revoked": said(N_("thu hồi")),
    "chose": said(N_("chọn lại lời nhắc và tên")),
    "expired": said(N_("hết hạn vì lâu không dùng")),
    "owner_left": said(N_("hết hạn vì người dùng đã rời đi")),
    "saved": said(N_("lưu")),
    "uploaded": said(N_("tải lên")),
    "put_in_use": said(N_("đưa vào dùng")),
    "put_out_of_use": said(N_("thôi dùng")),
    "enrolled": said(N_("ghi danh")),
    "withdrew": said(N_("rút tên")),
    "certified": said(N_("cấp số giấy chứng nhận")),
    "graded": said(N_("ghi kết quả")),
    "backed_up": said(N_("sao lưu")),
    "restored": said(N_("phục hồi")),
    "adopted": said(N_("nhận là hệ thống chính")),
    "joined": said(N_("thêm máy")),
    "loaded": said(N_("nạp dữ liệu")),
    "repaired": said(N_("sửa số liệu")),
}


def _day(name: str) -> date | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        return written_day(text)
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
