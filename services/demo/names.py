"""Invented names: of people, wards, offices and topics. Nobody and no place is meant."""

from random import Random


def _words(text: str) -> list[str]:
    return text.split()


FAMILIES = _words(
    "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Nông Hà Lương "
    "Vi Lò Triệu Đàm Chu La Mã Bế Lường Tô Đinh"
)
MIDDLES = _words(
    "Văn Thị Đức Hữu Quốc Minh Ngọc Thanh Thu Kim Xuân Hồng Bích Công Duy Gia Khánh Mai "
    "Như Quang Thế Tuấn Anh Việt Đình Trọng"
)
GIVENS = _words(
    "An Anh Ánh Ân Bình Bích Chi Chiến Cường Dung Dũng Duyên Đạt Đức Giang Hà Hải Hạnh Hằng "
    "Hiền Hiếu Hoa Hoà Hoàn Hùng Huyền Hương Khánh Khôi Kiên Lan Lâm Liên Linh Loan Long Lộc "
    "Mai Mạnh Minh Nam Nga Ngân Nghĩa Ngọc Nguyệt Nhung Oanh Phong Phú Phúc Phương Quân Quý "
    "Quyên Sơn Tâm Tân Thái Thành Thảo Thắng Thịnh Thoa Thu Thuý Thuỷ Tiến Tú Tuấn Tùng Tuyết "
    "Uyên Vân Việt Vinh Xuân Yến"
)

WARDS = (
    ("phường", "Đông Phong"),
    ("phường", "Tây Phong"),
    ("phường", "Nam Phong"),
    ("phường", "Bắc Phong"),
    ("phường", "Trung Phong"),
    ("xã", "Thượng Lam"),
    ("xã", "Trung Lam"),
    ("xã", "Hạ Lam"),
)

OFFICES = (
    "Công an thành phố",
    "Ban Chỉ huy Quân sự thành phố",
    "Văn phòng Thành uỷ",
    "Khối Dân vận",
    "Uỷ ban Mặt trận Tổ quốc",
    "Toà án nhân dân",
    "Viện Kiểm sát nhân dân",
    "Phòng Giáo dục và Đào tạo",
    "Phòng Tài chính - Kế hoạch",
    "Phòng Quản lý đô thị",
    "Phòng Văn hoá và Thông tin",
    "Phòng Y tế",
    "Trung tâm Y tế",
    "Bệnh viện thành phố",
    "Trung tâm Chính trị",
    "Chi cục Thuế",
    "Chi cục Thống kê",
    "Kho bạc Nhà nước",
    "Bảo hiểm xã hội",
    "Ban Quản lý dự án",
    "Ban Quản lý chợ",
    "Trung tâm Văn hoá - Thể thao",
    "Đài Phát thanh - Truyền hình",
    "Đội Quản lý thị trường",
    "Hạt Kiểm lâm",
    "Trạm Khuyến nông",
    "Công ty Môi trường đô thị",
    "Công ty Cấp thoát nước",
    "Công ty Điện lực",
    "Công ty Thương mại",
    "Hợp tác xã Vận tải",
    "Bưu điện thành phố",
    "Trường THPT Số 1",
    "Trường THPT Số 2",
    "Trường THPT Số 3",
    "Trường THCS Số 1",
    "Trường THCS Số 2",
    "Trường THCS Số 3",
    "Trường THCS Số 4",
    "Trường Tiểu học Số 1",
    "Trường Tiểu học Số 2",
    "Trường Tiểu học Số 3",
    "Trường Tiểu học Số 4",
    "Trường Mầm non Số 1",
    "Trường Mầm non Số 2",
    "Trường Mầm non Số 3",
    "Trung tâm Giáo dục thường xuyên",
)

OUTREACH_TOPICS = (
    "Thông tin thời sự trong nước và quốc tế",
    "Tình hình biển, đảo và công tác bảo vệ chủ quyền",
    "Phòng, chống tham nhũng, lãng phí",
    "Xây dựng nông thôn mới, đô thị văn minh",
    "Học tập và làm theo tấm gương đạo đức Hồ Chí Minh",
    "Phòng, chống dịch bệnh và an toàn thực phẩm",
    "Phổ biến pháp luật mới ban hành",
    "Kỷ niệm các ngày lễ lớn trong năm",
)

COURSE_TYPES = (
    ("NTVD", "Bồi dưỡng nhận thức về Đảng", "Party awareness for applicants", 50, 10),
    ("DVM", "Bồi dưỡng lý luận chính trị cho đảng viên mới", "Theory for new members", 50, 10),
    ("CUV", "Bồi dưỡng cấp uỷ viên cơ sở, bí thư chi bộ", "Cell secretaries", 25, 5),
    ("SCLLCT", "Sơ cấp lý luận chính trị", "Elementary political theory", 90, 18),
    ("DT", "Nghiệp vụ Mặt trận, đoàn thể", "Front and associations", 25, 5),
    ("CD", "Chuyên đề, cập nhật kiến thức", "Topical updates", 10, 2),
)


def person_name(random: Random) -> tuple[str, str]:
    """Family and middle name, and given name; one in nine has two middle names."""
    middle = random.choice(MIDDLES)
    if random.random() < 0.11:
        middle = f"{middle} {random.choice(MIDDLES)}"
    return f"{random.choice(FAMILIES)} {middle}", random.choice(GIVENS)
