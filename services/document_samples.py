"""Starters and samples of templates: a .docx with every field in its place, and invented data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateways.documents import Block, FieldValue, Grid, Letterhead, Paper, Text, docx
from rules.document_templates import KINDS, Field, TemplateKind

SAMPLE_LINES = 45
"""More than a page holds, so that a preview shows how the table goes on."""
SAMPLE_SHEETS = 3
NAMES = (
    "Trần Thị Thử", "Lê Văn Mẫu", "Nguyễn Thuỳ Ví Dụ", "Hoàng Đức Giả Định", "Phạm Quỳnh Minh Hoạ",
    "Vi Thị Thí Điểm", "Nông Văn Tượng Trưng", "Đặng Ngọc Bản Mẫu",
)  # fmt: skip
_HEAD = Letterhead(
    superior="{{ co_quan_cap_tren }}",
    issuer="{{ don_vi }}",
    motto="{{ tieu_ngu }}",
    authority="{{ quyen_han }}",
    post="{{ chuc_vu }}",
    signer="{{ nguoi_ky }}",
    recipients=("{{ noi_nhan.ten }}",),
)
_STARTER = Paper(
    _HEAD,
    "{{ loai_van_ban }}",
    "{{ trich_yeu }}",
    (),
    addressee="{{ kinh_gui }}",
    foot="{{ nguoi_xuat }}",
    number_line="{{ so_ky_hieu }}",
    day_line="{{ dia_danh_ngay_thang }}",
    draft_line="{{ du_thao }}",
)


@dataclass(frozen=True)
class Starter:
    """What the starter of a kind prints between title and signature; `annex` on pages of its own."""

    blocks: tuple[Block, ...]
    landscape: bool = False
    annex: tuple[Block, ...] = ()
    annex_landscape: bool = False


def starter(kind: TemplateKind) -> bytes:
    """A template with every field of a kind, for staff to change in Word."""
    made = _STARTERS[kind.key]()
    papers = [replace(_STARTER, blocks=made.blocks, landscape=made.landscape)]
    if made.annex:
        papers.append(
            replace(
                _STARTER,
                kind="PHỤ LỤC",
                addressee="",
                blocks=made.annex,
                landscape=made.annex_landscape,
                signs=False,
            )
        )
    return docx(papers)


def _table(
    name: str, columns: Sequence[tuple[str, str, int]], *, empty: Sequence[str] = ()
) -> Grid:
    """A table whose one row is repeated for a list: (column's field, head, share of the width)."""
    return Grid(
        (*(label for _field, label, _share in columns), *empty),
        [
            (
                *(f"{{{{ {name}.{field} }}}}" for field, _label, _share in columns),
                *("" for _ in empty),
            )
        ],
        (*(share for _field, _label, share in columns), *(4 for _ in empty)),
        centred=frozenset({0}),
    )


def _lines(*lines: str) -> tuple[Block, ...]:
    return tuple(Text(line) for line in lines)


_MEETING = _lines(
    "- Nội dung: {{ noi_dung_buoi }}.",
    "- Thời gian: {{ thoi_gian }}.",
    "- Địa điểm: {{ dia_diem }}.",
    "- Chủ trì: {{ chu_tri }}.",
)
_CLASS = _lines(
    "Lớp: {{ ten_lop }} ({{ loai_lop }}). Thời gian: {{ ngay_khai_giang }}–{{ ngay_be_giang }}, "
    "{{ so_buoi }} buổi, {{ so_tiet }} tiết, đã học {{ so_tiet_da_hoc }} tiết. "
    "Tổng số {{ so_hoc_vien }} học viên."
)


def _report() -> Starter:
    numbers = _lines(
        "Số liệu từ ngày {{ tu_ngay }} đến ngày {{ den_ngay }}. {{ cach_tinh }}",
        "1. Tuyên truyền miệng: đã tổ chức {{ so_buoi_tuyen_truyen }} buổi với "
        "{{ luot_nguoi_nghe }} lượt người nghe.",
        "2. Lý luận chính trị: đã mở {{ so_lop }} lớp, {{ luot_hoc_vien }} lượt học viên.",
        "3. Kế hoạch hành động: {{ ke_hoach_da_ban_hanh }}/{{ ke_hoach_phai_ban_hanh }} đơn vị đã "
        "ban hành.",
        "4. Lịch sử Đảng bộ: {{ lich_su_da_xuat_ban }} công trình đã xuất bản, "
        "{{ lich_su_dang_bien_soan }} công trình đang biên soạn.",
        "5. Khen thưởng: {{ luot_tap_the_khen_thuong }} lượt tập thể, "
        "{{ luot_ca_nhan_khen_thuong }} lượt cá nhân.",
        "6. Học tập, quán triệt:",
    )
    study = _table(
        "dot_hoc_tap",
        [
            ("ten", "Đợt học tập", 10),
            ("dien_phai_hoc", "Diện phải học", 4),
            ("da_hoc_dot_chinh", "Đã học đợt chính", 4),
            ("hoc_bu", "Học bù", 3),
            ("tong_da_hoc", "Tổng đã học", 4),
            ("ti_le", "Tỉ lệ", 3),
        ],
    )
    tables = _lines("{{ bang_tong_hop }}", *(f"{{{{ bieu_{number} }}}}" for number in range(1, 8)))
    return Starter((*numbers, replace(study, centred=frozenset()), *tables), landscape=True)


def _plan() -> Starter:
    body: tuple[Block, ...] = (
        Text(
            "Thực hiện {{ van_ban }} ({{ so_van_ban }}) của {{ co_quan_ban_hanh }}, đơn vị xây dựng "
            "kế hoạch tổ chức đợt học tập “{{ ten_dot }}” như sau:"
        ),
        Text("I. MỤC ĐÍCH, YÊU CẦU", bold=True),
        Text("(Viết mục đích, yêu cầu ở đây.)", italic=True),
        Text("II. ĐỐI TƯỢNG, CHỈ TIÊU", bold=True),
        Text(
            "1. Đảng viên: tổng số {{ tong_dang_vien }}, miễn {{ mien }}, diện phải học "
            "{{ dien_phai_hoc }}; chỉ tiêu {{ chi_tieu_dang_vien }}, tương ứng ít nhất "
            "{{ can_dat_dang_vien }} đảng viên."
        ),
        Text(
            "2. Hộ gia đình: tổng số {{ tong_ho }}; chỉ tiêu {{ chi_tieu_ho }}, tương ứng ít nhất "
            "{{ can_dat_ho }} hộ."
        ),
        Text("III. THỜI GIAN", bold=True),
        Text("Từ ngày {{ tu_ngay }} đến ngày {{ den_ngay }}; lịch cụ thể ở phụ lục kèm theo."),
        Text("IV. TỔ CHỨC THỰC HIỆN", bold=True),
        Text("(Viết phân công ở đây.)", italic=True),
    )
    timetable = _table(
        "lich",
        [
            ("stt", "STT", 2),
            ("thoi_gian", "Thời gian", 7),
            ("noi_dung", "Nội dung", 10),
            ("dia_diem", "Địa điểm", 8),
            ("bao_cao_vien", "Báo cáo viên", 7),
            ("thanh_phan", "Thành phần", 10),
        ],
    )
    return Starter(body, annex=(timetable,), annex_landscape=True)


def _summons() -> Starter:
    people = _table(
        "khach_moi",
        [("stt", "STT", 2), ("ho_ten", "Họ và tên", 9), ("don_vi", "Đơn vị", 9)],
        empty=("Ghi chú",),
    )
    letter = (
        *_lines("Đơn vị trân trọng triệu tập các đồng chí trong danh sách kèm theo đến dự:"),
        *_MEETING,
        *_lines("Đề nghị các đơn vị thông báo để đảng viên dự đúng giờ, đủ thành phần."),
    )
    return Starter(letter, annex=(people,))


def _invitations() -> Starter:
    return Starter(
        (
            Text("Trân trọng kính mời đồng chí: {{ nguoi_duoc_moi }}", bold=True),
            *_lines("Đơn vị: {{ don_vi_nguoi_moi }}", "Đến dự:"),
            *_MEETING,
            *_lines("{{ diem_cau }}", "Rất mong đồng chí đến dự đúng giờ."),
        )
    )


def _week() -> Starter:
    schedule = _table(
        "lich",
        [
            ("ngay", "Ngày", 5),
            ("buoi", "Buổi", 2),
            ("gio", "Giờ", 3),
            ("noi_dung", "Nội dung", 8),
            ("dia_diem", "Địa điểm", 6),
            ("chu_tri", "Chủ trì", 4),
            ("thanh_phan", "Thành phần", 6),
        ],
    )
    return Starter(
        (
            *_lines("Tuần từ ngày {{ tu_ngay }} đến ngày {{ den_ngay }}."),
            schedule,
            Text("Lịch này thay thư mời họp.", italic=True, align="left"),
        ),
        landscape=True,
    )


def _register() -> Starter:
    people = _table(
        "danh_sach",
        [("stt", "STT", 2), ("ho_ten", "Họ và tên", 9), ("nhom", "Đơn vị", 8)],
        empty=("Ký tên", "Ghi chú"),
    )
    return Starter(
        (
            *_MEETING,
            replace(people, row_height=9),
            Text("Mã sổ: {{ ma_so }}", size=11, indent=False),
        )
    )


def _class_list() -> Starter:
    learners = _table(
        "hoc_vien",
        [("stt", "STT", 2), ("ho_ten", "Họ và tên", 9), ("don_vi", "Đơn vị cử đi", 9)],
        empty=("Ký tên", "Ghi chú"),
    )
    return Starter((*_CLASS, replace(learners, row_height=8)))


def _class_results() -> Starter:
    learners = _table(
        "hoc_vien",
        [
            ("stt", "STT", 2),
            ("ho_ten", "Họ và tên", 10),
            ("so_buoi_du", "Số buổi dự", 4),
            ("ket_qua", "Kết quả", 5),
            ("so_giay", "Số giấy chứng nhận", 7),
        ],
    )
    sent = _lines("Học viên do {{ don_vi_cu }} cử: {{ so_hoc_vien_cu }}; trong đó {{ tom_tat }}.")
    return Starter((*_CLASS, *sent, replace(learners, centred=frozenset({0, 2}))))


def _certificates() -> Starter:
    given = _table(
        "giay",
        [
            ("stt", "STT", 2),
            ("so", "Số", 4),
            ("ngay_cap", "Ngày cấp", 5),
            ("ho_ten", "Họ và tên", 9),
            ("don_vi", "Đơn vị", 9),
            ("lop", "Lớp", 11),
            ("ket_qua", "Kết quả", 4),
        ],
        empty=("Ký nhận",),
    )
    return Starter((*_lines("Các giấy chứng nhận cấp trong năm {{ nam }}."), given), landscape=True)


_STARTERS: Mapping[str, Callable[[], Starter]] = {
    "report": _report,
    "plan": _plan,
    "summons": _summons,
    "invitations": _invitations,
    "week": _week,
    "register": _register,
    "class-list": _class_list,
    "class-results": _class_results,
    "certificates": _certificates,
}
if _STARTERS.keys() != KINDS.keys():
    raise RuntimeError("every kind of document has a starter")


def sample_papers(kind: TemplateKind, head: Letterhead, foot: str) -> list[Paper]:
    """A document of a kind with invented data under a unit's own head."""
    values = {one.name: one.example for one in kind.fields.values()}
    grid = Grid(
        ("STT", "Họ và tên", "Đơn vị"),
        [(str(number), _name(number), "Chi bộ khối phố 1") for number in _numbers()],
        (1, 5, 4),
        centred=frozenset({0}),
    )
    one = Paper(
        head,
        values["loai_van_ban"] if kind.key == "report" else kind.label.upper(),
        values["trich_yeu"],
        (Text("Nội dung và bảng dưới đây là dữ liệu bịa để xem thử mẫu."), grid),
        symbol="KH/THU",
        addressee=values["kinh_gui"],
        foot=foot,
        fields={field.name: _sample(field, grid) for field in kind.own if field.name != "noi_dung"},
    )
    return [one] * SAMPLE_SHEETS if kind.is_many else [one]


def _sample(one: Field, grid: Grid) -> FieldValue:
    if one.sort == "block":
        return (Text(one.label, bold=True, align="left", indent=False), grid)
    if one.sort == "list":
        return [_line(one, number) for number in _numbers()]
    return one.example


def _line(one: Field, number: int) -> Mapping[str, str]:
    found = {column.name: column.example for column in one.columns}
    numbered = {"stt": str(number), "ho_ten": _name(number)}
    return found | {name: value for name, value in numbered.items() if name in found}


def _numbers() -> range:
    return range(1, SAMPLE_LINES + 1)


def _name(number: int) -> str:
    return NAMES[number % len(NAMES)]
