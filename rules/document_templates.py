"""Templates of documents: the kinds, the fields each kind offers, and how a written name is known.

A field is written {{ name }} in Word. A text stands anywhere; a block (a table, several paragraphs)
stands alone in a paragraph; a column of a list ({{ hoc_vien.ho_ten }}) stands in a row of a table,
or a paragraph, which is then repeated for every one of the list.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from rules.refusals import N_, Malformed, Refusal
from rules.text import fold

MAX_FILE_BYTES = 2_000_000
TOO_LARGE = N_("Tệp mẫu quá lớn (tối đa 2 MB). Hãy bỏ bớt ảnh trong mẫu rồi thử lại.")
NAME_RULES = (
    N_(
        "Viết tên trường giữa hai ngoặc nhọn kép, như {{ don_vi }}. "
        "Chữ hoa, dấu tiếng Việt, khoảng trống thay gạch dưới đều nhận."
    ),
    N_(
        "Trường có dấu chấm là cột của một danh sách: đặt vào một dòng của bảng, "
        "dòng ấy lặp lại cho từng mục và dòng tiêu đề phía trên lặp ở mỗi trang."
    ),
    N_("Trường “đứng một mình” là cả bảng hoặc nhiều đoạn: để riêng trong một đoạn, ngoài bảng."),
    N_("Đoạn chỉ có trường mà văn bản không có giá trị thì tự bỏ, không để lại dòng trống."),
)
Sort = Literal["text", "block", "list"]
NEAR_ENOUGH = 0.6


class WrongTemplate(Malformed):
    """What is wrong with a template; `faults` has every sentence, the first is its own."""

    def __init__(self, faults: Sequence[Refusal]) -> None:
        self.faults = tuple(faults)
        super().__init__(faults[0].sentence, **faults[0].params)


@dataclass(frozen=True)
class Column:
    """One value of every line of a list."""

    name: str
    label: str
    example: str


@dataclass(frozen=True)
class Field:
    """One named place: what is put there, and an example of it.

    `instead` says that it holds what other fields of the starter hold one by one; `by_row` that a
    list repeats the whole row of a table in which it stands, and not only its paragraph.
    """

    name: str
    label: str
    example: str = ""
    sort: Sort = "text"
    columns: tuple[Column, ...] = ()
    instead: bool = False
    by_row: bool = True

    def written(self) -> Iterator[tuple[str, str, str]]:
        """What staff write in braces, with its explanation and example."""
        if self.sort != "list":
            yield self.name, self.label, self.example
        for column in self.columns:
            yield f"{self.name}.{column.name}", column.label, column.example


@dataclass(frozen=True)
class TemplateKind:
    """A kind of document. `is_many` says that one file holds a sheet for each of several people or
    units; `needs` are groups of fields of which each wants at least one."""

    key: str
    label: str
    own: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    is_many: bool = False
    fields: Mapping[str, Field] = field(init=False)

    def __post_init__(self) -> None:
        found = {one.name: one for one in (*HEAD, *self.own)}
        object.__setattr__(self, "fields", found)

    def differs(self, name: str) -> bool:
        """Whether the field may differ from sheet to sheet of one file."""
        return self.is_many and (name in DIFFERING or name in {one.name for one in self.own})


def text(name: str, label: str, example: str) -> Field:
    """A field of plain text."""
    return Field(name, label, example)


def block(name: str, label: str, *, instead: bool = False) -> Field:
    """A field of paragraphs and tables made by the program."""
    return Field(name, label, sort="block", instead=instead)


def listed(name: str, label: str, *columns: Column) -> Field:
    """A field of many lines."""
    return Field(name, label, sort="list", columns=columns)


HEAD = (
    text("co_quan_cap_tren", N_("Cơ quan cấp trên"), "ĐẢNG UỶ PHƯỜNG THỬ NGHIỆM"),
    text("don_vi", N_("Đơn vị ban hành"), "BAN XÂY DỰNG ĐẢNG"),
    text("so_ky_hieu", N_("Dòng số và ký hiệu, chừa chỗ ghi số"), "Số      -BC/BXDĐ"),
    text("tieu_ngu", N_("Tiêu đề bên phải"), "ĐẢNG CỘNG SẢN VIỆT NAM"),
    text("dia_danh_ngay_thang", N_("Địa danh, ngày, tháng, năm"), "Lam Sơn, ngày 09 tháng 01 năm 2026"),
    text("du_thao", N_("Chữ DỰ THẢO khi văn bản còn là dự thảo"), "DỰ THẢO"),
    text("loai_van_ban", N_("Tên loại văn bản"), "BÁO CÁO"),
    text("trich_yeu", N_("Trích yếu"), "Học tập, quán triệt nghị quyết"),
    text("kinh_gui", N_("Dòng Kính gửi"), "Kính gửi: Chi bộ khối phố 1"),
    text("quyen_han", N_("Quyền hạn ký"), "T/M BAN XÂY DỰNG ĐẢNG"),
    text("chuc_vu", N_("Chức vụ người ký"), "TRƯỞNG BAN"),
    text("nguoi_ky", N_("Họ tên người ký"), "Nguyễn Văn Thử"),
    Field(
        "noi_nhan",
        N_("Nơi nhận"),
        sort="list",
        columns=(Column("ten", N_("Mỗi nơi nhận một đoạn"), "Thường trực Đảng uỷ,"),),
        by_row=False,
    ),
    text(
        "nguoi_xuat",
        N_("Ai tải văn bản về và lúc nào"),
        "Nguyễn Văn Thử xuất lúc 08:00 ngày 09/01/2026",
    ),
)  # fmt: skip
DIFFERING = ("trich_yeu", "kinh_gui")
CONTENT = block("noi_dung", N_("Toàn bộ nội dung như mẫu có sẵn"), instead=True)
TOPIC = Column("noi_dung", N_("Nội dung buổi"), "Chuyên đề 1")
PLACE = Column("dia_diem", N_("Địa điểm"), "Hội trường phường")
WHO_COMES = Column("thanh_phan", N_("Thành phần"), "Chi bộ khối phố 1")
NUMBER = Column("stt", N_("Số thứ tự"), "1")
NAME = Column("ho_ten", N_("Họ và tên"), "Trần Thị Thử")
UNIT = Column("don_vi", N_("Đơn vị"), "Chi bộ khối phố 1")
MEETING = (
    text("noi_dung_buoi", N_("Nội dung buổi"), "Học tập Nghị quyết Đại hội XIV của Đảng"),
    text("thoi_gian", N_("Giờ và ngày"), "7 giờ 30, thứ Bảy, ngày 7/2/2026"),
    text("dia_diem", N_("Địa điểm"), "Hội trường phường"),
    text("chu_tri", N_("Người chủ trì"), "Đ/c Bí thư Đảng uỷ"),
)
DAYS = (
    text("tu_ngay", N_("Từ ngày"), "01/01/2026"),
    text("den_ngay", N_("Đến ngày"), "31/03/2026"),
)
CLASS = (
    text("ten_lop", N_("Tên lớp"), "Lớp bồi dưỡng nhận thức về Đảng khoá I"),
    text("loai_lop", N_("Loại lớp"), "Bồi dưỡng nhận thức về Đảng"),
    text("ngay_khai_giang", N_("Ngày khai giảng"), "02/03/2026"),
    text("ngay_be_giang", N_("Ngày bế giảng"), "06/03/2026"),
    text("so_buoi", N_("Số buổi"), "10"),
    text("so_tiet", N_("Số tiết theo kế hoạch; bỏ trống khi lớp không ghi"), "50"),
    text("so_tiet_da_hoc", N_("Số tiết của những buổi đã học; bỏ trống khi chưa có"), "45"),
    text("so_hoc_vien", N_("Số học viên của lớp"), "86"),
)
INDICATORS: Mapping[str, str] = {
    "outreach_meetings": "so_buoi_tuyen_truyen",
    "outreach_visits": "luot_nguoi_nghe",
    "classes": "so_lop",
    "enrolments": "luot_hoc_vien",
    "plans_due": "ke_hoach_phai_ban_hanh",
    "plans_issued": "ke_hoach_da_ban_hanh",
    "histories_published": "lich_su_da_xuat_ban",
    "histories_in_progress": "lich_su_dang_bien_soan",
    "collectives": "luot_tap_the_khen_thuong",
    "individuals": "luot_ca_nhan_khen_thuong",
}
"""The report's headline figures, by the name a template gives them."""
STUDY_COLUMNS = {
    "ten": "",
    "dien_phai_hoc": "eligible",
    "da_hoc_dot_chinh": "covered_main",
    "hoc_bu": "covered_makeup",
    "tong_da_hoc": "covered",
    "ti_le": "percent",
}
"""The columns of a campaign in a report's template, and those of the report's table."""

REPORT = TemplateKind(
    "report",
    N_("Báo cáo"),
    (
        *DAYS,
        text("cach_tinh", N_("Cách tính theo đơn vị"), "Số liệu theo đơn vị tại thời điểm."),
        text(INDICATORS["outreach_meetings"], N_("Buổi tuyên truyền đã tổ chức"), "132"),
        text(INDICATORS["outreach_visits"], N_("Lượt người nghe"), "14.208"),
        text(INDICATORS["classes"], N_("Lớp lý luận chính trị đã mở"), "6"),
        text(INDICATORS["enrolments"], N_("Lượt học viên"), "512"),
        text(INDICATORS["plans_due"], N_("Kế hoạch hành động phải ban hành"), "55"),
        text(INDICATORS["plans_issued"], N_("Kế hoạch hành động đã ban hành"), "54"),
        text(INDICATORS["histories_published"], N_("Công trình lịch sử đã xuất bản"), "2"),
        text(INDICATORS["histories_in_progress"], N_("Công trình lịch sử đang biên soạn"), "3"),
        text(INDICATORS["collectives"], N_("Lượt tập thể được khen thưởng"), "7"),
        text(INDICATORS["individuals"], N_("Lượt cá nhân được khen thưởng"), "21"),
        listed(
            "dot_hoc_tap",
            N_("Các đợt học tập"),
            Column("ten", N_("Tên đợt học tập"), "Nghị quyết Đại hội XIV của Đảng"),
            Column("dien_phai_hoc", N_("Diện phải học"), "4.947"),
            Column("da_hoc_dot_chinh", N_("Đã học đợt chính"), "4.700"),
            Column("hoc_bu", N_("Học bù"), "126"),
            Column("tong_da_hoc", N_("Tổng đã học"), "4.826"),
            Column("ti_le", N_("Tỉ lệ"), "97,5%"),
        ),
        block("bang_tong_hop", N_("Bảng tổng hợp các chỉ tiêu")),
        block("bieu_1", N_("Biểu 1: kết quả học tập, quán triệt")),
        block("bieu_2", N_("Biểu 2: hộ gia đình")),
        block("bieu_3", N_("Biểu 3: tuyên truyền miệng")),
        block("bieu_4", N_("Biểu 4: lớp lý luận chính trị")),
        block("bieu_5", N_("Biểu 5: sinh hoạt chuyên đề")),
        block("bieu_6", N_("Biểu 6: theo dõi kế hoạch thực hiện")),
        block("bieu_7", N_("Biểu 7: dự học theo thứ và giờ")),
        CONTENT,
    ),
    needs=(
        ("nguoi_xuat",),
        ("noi_dung", "bang_tong_hop", "dot_hoc_tap", *(f"bieu_{n}" for n in range(1, 8))),
    ),
)
PLAN = TemplateKind(
    "plan",
    N_("Kế hoạch"),
    (
        text("ten_dot", N_("Tên đợt học tập"), "Nghị quyết Đại hội XIV của Đảng"),
        text("van_ban", N_("Tên văn bản được học tập"), "Nghị quyết Đại hội XIV của Đảng"),
        text("so_van_ban", N_("Số văn bản"), "01-CT/TW"),
        text("co_quan_ban_hanh", N_("Cơ quan ban hành văn bản"), "Bộ Chính trị"),
        *DAYS,
        text("tong_dang_vien", N_("Tổng số đảng viên"), "5.480"),
        text("mien", N_("Số đảng viên được miễn"), "533"),
        text("dien_phai_hoc", N_("Diện phải học"), "4.947"),
        text("chi_tieu_dang_vien", N_("Chỉ tiêu đảng viên"), "95%"),
        text("can_dat_dang_vien", N_("Số đảng viên ít nhất phải đạt"), "4.700"),
        text("tong_ho", N_("Tổng số hộ; bỏ trống khi đợt không tính hộ"), "23.500"),
        text("chi_tieu_ho", N_("Chỉ tiêu hộ; bỏ trống khi đợt không tính hộ"), "85%"),
        text("can_dat_ho", N_("Số hộ ít nhất phải đạt; bỏ trống khi không tính hộ"), "19.975"),
        listed(
            "lich",
            N_("Lịch các buổi"),
            NUMBER,
            Column("thoi_gian", N_("Giờ và ngày"), "7 giờ 30, thứ Bảy, ngày 7/2/2026"),
            TOPIC,
            PLACE,
            Column("bao_cao_vien", N_("Báo cáo viên"), "Trần Thị Thử"),
            WHO_COMES,
        ),
        CONTENT,
        block("phu_luc", N_("Phụ lục lịch như mẫu có sẵn"), instead=True),
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "ten_dot"), ("lich", "phu_luc")),
)
SUMMONS = TemplateKind(
    "summons",
    N_("Công văn triệu tập"),
    (
        *MEETING,
        listed("khach_moi", N_("Người được triệu tập"), NUMBER, NAME, UNIT),
        CONTENT,
        block("phu_luc", N_("Danh sách triệu tập như mẫu có sẵn"), instead=True),
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "noi_dung_buoi"), ("khach_moi", "phu_luc")),
)
INVITATIONS = TemplateKind(
    "invitations",
    N_("Giấy mời từng người"),
    (
        text("nguoi_duoc_moi", N_("Họ tên người được mời"), "Trần Thị Thử"),
        text("don_vi_nguoi_moi", N_("Đơn vị của người được mời"), "Chi bộ khối phố 1"),
        *MEETING,
        text("diem_cau", N_("Điểm cầu; bỏ trống khi buổi chỉ có một nơi"), "Nhà văn hoá khối 1"),
        CONTENT,
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "nguoi_duoc_moi"), ("noi_dung", "thoi_gian")),
    is_many=True,
)
WEEK = TemplateKind(
    "week",
    N_("Lịch công tác tuần"),
    (
        *DAYS,
        listed(
            "lich",
            N_("Các buổi trong tuần"),
            Column("ngay", N_("Thứ, ngày"), "Thứ Bảy, ngày 7/2/2026"),
            Column("buoi", N_("Sáng, chiều hay tối"), "Sáng"),
            Column("gio", N_("Giờ"), "7 giờ 30"),
            TOPIC,
            PLACE,
            Column("chu_tri", N_("Người chủ trì"), "Đ/c Bí thư Đảng uỷ"),
            WHO_COMES,
        ),
        CONTENT,
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "lich")),
)
REGISTER = TemplateKind(
    "register",
    N_("Danh sách điểm danh"),
    (
        *MEETING,
        text("ma_so", N_("Mã sổ, để nhập lại từ bản giấy"), "TH-12-3F7A"),
        listed(
            "danh_sach",
            N_("Người trong danh sách và dòng trống"),
            NUMBER,
            NAME,
            Column("nhom", N_("Đơn vị hoặc nhóm"), "Chi bộ khối phố 1"),
        ),
        CONTENT,
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "danh_sach"), ("noi_dung", "ma_so")),
)
CLASS_LIST = TemplateKind(
    "class-list",
    N_("Danh sách học viên"),
    (*CLASS, listed("hoc_vien", N_("Học viên của lớp"), NUMBER, NAME, UNIT), CONTENT),
    needs=(("nguoi_xuat",), ("noi_dung", "hoc_vien")),
)
CLASS_RESULTS = TemplateKind(
    "class-results",
    N_("Kết quả học tập theo đơn vị cử"),
    (
        *CLASS,
        text("don_vi_cu", N_("Đơn vị cử học viên"), "Đảng uỷ phường Thử Nghiệm"),
        text("so_hoc_vien_cu", N_("Số học viên đơn vị cử"), "14"),
        text("tom_tat", N_("Số học viên theo từng kết quả"), "xuất sắc 1, giỏi 4, khá 6, đạt 3"),
        listed(
            "hoc_vien",
            N_("Học viên đơn vị cử"),
            NUMBER,
            NAME,
            Column("so_buoi_du", N_("Số buổi dự trên số buổi đã học"), "10/10"),
            Column("ket_qua", N_("Kết quả"), "Giỏi"),
            Column("so_giay", N_("Số giấy chứng nhận"), "12/GCN"),
        ),
        CONTENT,
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "hoc_vien")),
    is_many=True,
)
CERTIFICATES = TemplateKind(
    "certificates",
    N_("Sổ cấp giấy chứng nhận"),
    (
        text("nam", N_("Năm"), "2026"),
        listed(
            "giay",
            N_("Giấy chứng nhận đã cấp"),
            NUMBER,
            Column("so", N_("Số giấy chứng nhận"), "12/GCN"),
            Column("ngay_cap", N_("Ngày cấp"), "06/03/2026"),
            NAME,
            UNIT,
            Column("lop", N_("Tên lớp"), "Lớp nhận thức về Đảng"),
            Column("ket_qua", N_("Kết quả"), "Giỏi"),
        ),
        CONTENT,
    ),
    needs=(("nguoi_xuat",), ("noi_dung", "giay")),
)
KINDS: Mapping[str, TemplateKind] = {
    one.key: one
    for one in (
        REPORT,
        PLAN,
        SUMMONS,
        INVITATIONS,
        WEEK,
        REGISTER,
        CLASS_LIST,
        CLASS_RESULTS,
        CERTIFICATES,
    )
}


def canonical(written: str) -> str:
    """A name as fields are named, however it was typed: «Đơn vị» and «Don_Vi» are don_vi."""
    return fold(written).replace(" ", "_")


def names_of(kind: TemplateKind) -> list[str]:
    """Every name that may be written in a template of this kind."""
    return [name for one in kind.fields.values() for name, _label, _example in one.written()]


def nearest(written: str, kind: TemplateKind) -> str | None:
    """The known name that somebody most likely meant."""
    found = get_close_matches(canonical(written), names_of(kind), n=1, cutoff=NEAR_ENOUGH)
    return found[0] if found else None


def missing(kind: TemplateKind, used: Iterable[str]) -> list[tuple[str, ...]]:
    """The groups of needed fields of which a template uses none."""
    taken = set(used)
    return [group for group in kind.needs if taken.isdisjoint(group)]
