"""What a person may ask about their own data, by when it is answered, and how long it is kept."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from rules.refusals import N_, Refusal

ANSWER_WORKING_DAYS = 2
EXTENSION_DAYS = 15
DAYS_BY_KIND = {
    "access": 10,
    "correction": 10,
    "objection": 15,
    "restriction": 15,
    "deletion": 20,
}
"""Days within which each kind of request is carried out (Decree 356/2025 and Law 91/2025/QH15)."""
CORRECTABLE = ("name", "birth_year", "phone", "email", "unit", "standing", "exemption", "study")
"""What can be wrong about somebody; anything else is not kept."""
CHANNELS = ("mail", "reminders")
OPEN_STATES = ("new", "answered")
BREACH_HOURS = 72
ANONYMOUS_CODE = "AD-"
ERASED_CODE = "XOA-"


@dataclass(frozen=True)
class Clocks:
    """The two clocks of a request: to say that it is being dealt with, and to be done with it."""

    answer_by: date
    done_by: date


def clocks(kind: str, received_on: date, is_working: Callable[[date], bool]) -> Clocks:
    """Two working days to answer, then 10, 15 or 20 days by kind; days run from the day after."""
    answer_by, left = received_on, ANSWER_WORKING_DAYS
    while left:
        answer_by += timedelta(days=1)
        left -= is_working(answer_by)
    return Clocks(answer_by, received_on + timedelta(days=DAYS_BY_KIND[kind]))


def extended(done_by: date, *, was_extended: bool) -> date:
    """Fifteen days more, once."""
    if was_extended:
        raise Refusal(N_("Yêu cầu này đã được gia hạn một lần, không gia hạn thêm được."))
    return done_by + timedelta(days=EXTENSION_DAYS)


def refuse_settled(state: str) -> None:
    """A request that is done or refused takes no further step."""
    if state not in OPEN_STATES:
        raise Refusal(N_("Yêu cầu này đã xong. Nếu cần, đồng chí hãy gửi yêu cầu mới."))


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the month's last day when it has no such day."""
    place = day.year * 12 + day.month - 1 - months
    year, month = divmod(place, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def anonymous_name(number: int) -> str:
    """What stands in place of a name whose time is over; says nothing of whom it was."""
    return f"Người đã ẩn danh {number:06}"


@dataclass(frozen=True)
class Purpose:
    """One line of the notice: what data is used for, on what basis, who gets it, how long."""

    key: str
    title: str
    data: str
    purpose: str
    basis: str
    recipients: str
    kept: str


NOTICE = (
    Purpose(
        "roll",
        N_("Danh sách đảng viên"),
        N_(
            "Họ tên, năm sinh, chi bộ, chính thức hay dự bị, được miễn hay không và thời gian miễn."
        ),
        N_("Biết ai thuộc diện phải học của mỗi đợt và tính tỉ lệ tham gia của đơn vị."),
        N_(
            "Nhiệm vụ tổ chức học tập nghị quyết của cấp uỷ. Việc lập danh sách không dựa vào sự"
            " đồng ý."
        ),
        N_("Cán bộ tuyên giáo của đơn vị và cấp trên trực tiếp; người điểm danh của buổi đó."),
        N_("Trong thời gian sinh hoạt tại đơn vị."),
    ),
    Purpose(
        "attendance",
        N_("Điểm danh"),
        N_("Có mặt, đến muộn, về sớm, vắng có lý do hay không. Lý do vắng không được ghi."),
        N_("Biết ai đã học và mời học bù những người còn thiếu."),
        N_("Nhiệm vụ tổ chức học tập nghị quyết của cấp uỷ."),
        N_("Cán bộ tuyên giáo của đơn vị. Không công bố danh sách người vắng."),
        N_("Tên được thay bằng mã ẩn danh 12 tháng sau khi đóng đợt; số liệu tổng giữ nguyên."),
    ),
    Purpose(
        "contact",
        N_("Thư điện tử, điện thoại, lịch điện thoại"),
        N_("Địa chỉ thư, số điện thoại, đường lịch riêng."),
        N_("Gửi giấy mời, báo thay đổi, nhắc lịch."),
        N_("Đồng chí tự chọn từng kênh và rút lại bất cứ lúc nào."),
        N_("Máy chủ thư của cơ quan. Không chuyển cho bên thứ ba."),
        N_("Đến khi đồng chí rút lại hoặc thôi sinh hoạt; nội dung thư đã gửi xoá sau 30 ngày."),
    ),
    Purpose(
        "certificates",
        N_("Sổ cấp giấy chứng nhận"),
        N_("Họ tên, lớp, kết quả, số giấy chứng nhận."),
        N_("Xác nhận lại khi đồng chí cần."),
        N_("Quy định về lưu giữ sổ sách của cơ sở đào tạo."),
        N_("Cán bộ tuyên giáo và trung tâm chính trị mở lớp."),
        N_("Lâu dài."),
    ),
    Purpose(
        "log",
        N_("Nhật ký hệ thống"),
        N_("Ai đã xem, sửa, xuất dữ liệu, lúc nào."),
        N_("Bảo vệ dữ liệu và trả lời khi có sự cố."),
        N_("Nghĩa vụ bảo vệ dữ liệu cá nhân."),
        N_("Quản trị viên."),
        N_("Lâu dài; người trong nhật ký chỉ được ghi bằng mã số."),
    ),
)
