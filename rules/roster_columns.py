"""Where the table of a roster begins and what its columns hold, whatever they are called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rules.refusals import N_, Malformed
from rules.roster_cells import Cell, cell_text, is_blank
from rules.text import fold

Kind: TypeAlias = Literal["members", "households"]
Merged: TypeAlias = tuple[tuple[int, int], tuple[int, int]]

_HEADER_SEARCH_ROWS = 60
_LONGEST_HEADER = 90

FIELD_LABELS: dict[str, str] = {
    "name": N_("Họ và tên"),
    "family": N_("Họ đệm"),
    "given": N_("Tên"),
    "unit": N_("Chi bộ"),
    "parent_unit": N_("Đơn vị cấp trên (đảng bộ, phường)"),
    "birth": N_("Năm sinh"),
    "phone": N_("Số điện thoại"),
    "email": N_("E-mail"),
    "exempt": N_("Diện miễn"),
    "exempt_from": N_("Miễn từ ngày"),
    "exempt_until": N_("Miễn đến ngày"),
    "exempt_decision": N_("Số quyết định miễn"),
    "code": N_("Mã"),
    "status": N_("Chính thức hay dự bị"),
    "probationary": N_("Dự bị (đánh dấu)"),
    "full": N_("Chính thức (đánh dấu)"),
    "joined_on": N_("Ngày vào chi bộ"),
    "household": N_("Số hộ"),
    "group": N_("Khối phố, tổ dân phố, thôn"),
    "representative": N_("Chủ hộ"),
}
MEMBER_FIELDS = (
    "name", "family", "given", "unit", "parent_unit", "birth", "phone", "email", "exempt",
    "exempt_from", "exempt_until", "exempt_decision", "code", "status", "probationary", "full",
    "joined_on",
)  # fmt: skip
HOUSEHOLD_FIELDS = ("household", "group", "parent_unit", "representative", "phone")
# A list may give several columns for these: years of men and of women, two numbers.
REPEATABLE = frozenset({"birth", "phone"})

_ORDINAL = "ordinal"
_UNNEEDED = "unneeded"

_COMMON_NAMES: dict[str, str] = {
    _ORDINAL: "stt|tt|so tt|so thu tu|thu tu|no|#|s t t",
    "phone": "sdt|so dt|dt|dien thoai|so dien thoai|so dien thoai di dong|dien thoai di dong"
    "|dtdd|so dtdd|di dong|so di dong|tel|phone|mobile|zalo|so zalo|dien thoai lien he"
    "|so dien thoai lien he|lien he|phone number|sdt lien he|sdt di dong|dien thoai zalo",
    _UNNEEDED: "cccd|so cccd|cmnd|so cmnd|cmt|cmtnd|can cuoc|so can cuoc|can cuoc cong dan"
    "|so can cuoc cong dan|cccd cmnd|cmnd cccd|so dinh danh|ma dinh danh|so dinh danh ca nhan"
    "|chung minh nhan dan|dan toc|ton giao|que quan|noi sinh|dia chi|noi o|noi o hien nay|ho khau"
    "|thuong tru|tam tru|noi thuong tru|cho o hien nay|gioi tinh|nam nu|gioi|phai|ngay vao dang"
    "|ngay chinh thuc|ngay vao dang chinh thuc|ngay ket nap|ngay vao dang du bi|nam vao dang"
    "|vao dang|ngay cong nhan chinh thuc|trinh do|trinh do hoc van|hoc van|trinh do chuyen mon"
    "|chuyen mon|trinh do van hoa|van hoa|trinh do llct|trinh do ly luan|ly luan chinh tri|llct"
    "|trinh do ly luan chinh tri|ngoai ngu|tin hoc|nghe nghiep|nghe nghiep hien nay|chuc vu"
    "|chuc vu dang|chuc vu chinh quyen|chuc danh|don vi cong tac|noi lam viec|co quan cong tac"
    "|noi cong tac|ghi chu|ly do|ly do mien|ly do mien sinh hoat|suc khoe|tinh trang suc khoe"
    "|anh|hinh anh|anh 3x4|hoan canh gia dinh|thanh phan gia dinh|danh gia|xep loai|khen thuong"
    "|ky luat|tuoi dang|huy hieu dang|huy hieu|luong|ngay cap|noi cap|nhom mau|ma so thue|bhyt"
    "|tai khoan|so tai khoan|facebook|quan he voi chu ho|so nhan khau|nhan khau|so khau|tuoi"
    "|gia canh|thanh phan|ky ten|chu ky|nam|nu|loi can sua",
}
_MEMBER_NAMES: dict[str, str] = {
    **_COMMON_NAMES,
    "name": "ho va ten|ho ten|ho & ten|ho ten dang vien|ho va ten dang vien|ten dang vien"
    "|ho va ten khai sinh|ho ten khai sinh|ho ten day du|ho va ten day du|dang vien|full name|name"
    "|ho ten dv|ho va ten dv|ho chu dem va ten|ho dem va ten|ho chu lot va ten|ho lot va ten"
    "|ho va ten dong chi|dong chi",
    "family": "ho dem|ho va dem|ho va ten dem|ho ten dem|ho chu dem|ho va chu dem|ho va chu lot"
    "|ho chu lot|ho lot|ho va ten lot|ho|ho va lot|family name|last name|ho dem dang vien"
    "|ho va ten ho dem|ho va ten ho|ho va ten ho va dem|ho va ten ho va chu dem",
    "given": "ten|given name|first name|ten goi|ho va ten ten",
    "unit": "chi bo|ten chi bo|don vi|ten don vi|to chuc dang|chi bo sinh hoat|noi sinh hoat"
    "|don vi sinh hoat|chi bo don vi|sinh hoat tai chi bo|thuoc chi bo|ma chi bo|ma don vi|cell"
    "|unit|cb|tccs dang|tccsd|to chuc co so dang|chi bo truc thuoc|dang bo chi bo|chi dang bo"
    "|sinh hoat tai|noi sinh hoat dang|ten to chuc dang|chi bo dang sinh hoat",
    "parent_unit": "dang bo|ten dang bo|dang uy|dang bo bo phan|dang bo co so|thuoc dang bo"
    "|don vi cap tren|to chuc dang cap tren|dang bo truc thuoc|truc thuoc",
    "birth": "ngay sinh|nam sinh|ngay thang nam sinh|ngay thang sinh|sinh ngay|sinh nam|ntns"
    "|ngay sinh nam sinh|nam sinh nam|nam sinh nu|ngay sinh nam|ngay sinh nu|date of birth|dob"
    "|ngay thang nam sinh nam|ngay thang nam sinh nu|birth year|sinh|nam sinh nam nu|nsinh",
    "email": "email|e mail|thu dien tu|dia chi email|hop thu|mail|gmail|dia chi thu dien tu"
    "|hop thu dien tu|dia chi e mail",
    "exempt": "dien mien|mien|mien sinh hoat|mien sh|mien cong tac|mien sinh hoat dang|mien sh dang"
    "|mien cong tac va sinh hoat dang|mien cong tac sinh hoat|dv mien|dang vien mien sinh hoat"
    "|duoc mien|mien ct sh|thuoc dien mien|dang vien duoc mien|dien mien sinh hoat|exempt"
    "|mien sinh hoat cong tac|dien duoc mien|mien ctsh|mien cong tac va sinh hoat",
    "exempt_from": "mien tu|mien tu ngay|dien mien tu|dien mien tu ngay|ngay bat dau mien"
    "|mien sinh hoat tu|mien sinh hoat tu ngay|tu ngay|thoi gian mien tu",
    "exempt_until": "mien den|mien den ngay|dien mien den|dien mien den ngay|ngay het mien"
    "|mien sinh hoat den|mien sinh hoat den ngay|den ngay|thoi han mien|thoi gian mien den",
    "exempt_decision": "so quyet dinh mien|qd mien|so qd mien|quyet dinh mien|so qd"
    "|so quyet dinh|quyet dinh so|dien mien so qd|dien mien so quyet dinh|mien sinh hoat so qd"
    "|van ban mien|nghi quyet mien|so nghi quyet mien",
    "code": "ma|ma dv|ma dang vien|ma so|so the|so the dang|so the dang vien|so the dv|the dang"
    "|the dang vien|ma so dang vien|ma so dv|so hieu dang vien|member code|code|ma dinh danh dv"
    "|so the dang vien so|so hieu|ma the",
    "status": "chinh thuc du bi|du bi chinh thuc|ct db|db ct|loai dang vien|dang vien ct db"
    "|tinh trang dang vien|loai dv|dien dang vien|trang thai|chinh thuc hay du bi|tinh trang"
    "|dv chinh thuc du bi|dang vien chinh thuc du bi|dang vien du bi chinh thuc",
    "probationary": "du bi|dang vien du bi|dv du bi|dvdb",
    "full": "chinh thuc|dang vien chinh thuc|dv chinh thuc|dvct",
    "joined_on": "ngay vao chi bo|ngay ve chi bo|ngay chuyen den|chuyen den ngay|ngay den chi bo"
    "|ngay chuyen sinh hoat|ngay chuyen ve|sinh hoat tai chi bo tu ngay|ngay ve sinh hoat",
}
_HOUSEHOLD_NAMES: dict[str, str] = {
    **_COMMON_NAMES,
    "household": "so ho|ma ho|so ho gia dinh|ma ho gia dinh|ho so|so hieu ho|ma so ho|household"
    "|ma|ho|ma ho dan|so ho dan|so thu tu ho|stt ho|code|so nha",
    "group": "khoi pho|khoi|to dan pho|tdp|thon|khu pho|ap|ban|to|khoi thon|thon ban|to dan pho so"
    "|khoi pho thon|thon khoi pho|to dan pho thon|thon to dan pho|dia ban|khu dan cu|ten to dan pho"
    "|ten thon|ten khoi pho|khoi pho to dan pho thon|thon khoi|khoi pho to dan pho|ma khoi pho|kp"
    "|don vi|ma to dan pho|group|khoi pho to dan pho|thon ban khoi pho|to khoi pho|ten khoi|cum"
    "|thon to dan pho khu pho|ma thon",
    "parent_unit": "phuong|xa|phuong xa|xa phuong|ten phuong|ten xa|dia phuong",
    "representative": "chu ho|ho va ten chu ho|ho ten chu ho|ten chu ho|dai dien|nguoi dai dien"
    "|dai dien ho|nguoi dai dien ho|ho va ten|ho ten|ho va ten dai dien|ho ten dai dien"
    "|ho va ten nguoi dai dien|dai dien ho gia dinh",
}


def _lookup(names: Mapping[str, str]) -> dict[str, str]:
    return {name: key for key, joined in names.items() for name in joined.split("|")}


_KNOWN: dict[Kind, dict[str, str]] = {
    "members": _lookup(_MEMBER_NAMES),
    "households": _lookup(_HOUSEHOLD_NAMES),
}
# Words that, when a longer header begins with them, say enough: "Số điện thoại (của con)".
_TELLING_STARTS = (
    "ho va ten", "ho ten", "so dien thoai", "dien thoai", "ngay sinh", "nam sinh", "sinh ngay",
    "ngay thang nam sinh", "email", "e mail", "dia chi email", "chi bo", "ten chi bo", "dien mien",
    "mien sinh hoat", "ma dang vien", "so the dang", "ngay vao dang", "ngay chinh thuc", "dia chi",
    "noi o", "so cccd", "cccd", "can cuoc", "cmnd", "so cmnd", "dan toc", "ton giao", "que quan",
    "ghi chu", "chuc vu", "trinh do", "ly do", "gioi tinh", "nghe nghiep", "so ho", "ma ho",
    "chu ho", "khoi pho", "to dan pho", "dang bo", "ngay vao chi bo", "ho dem", "sdt",
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A worksheet as plain values. Places are counted from 0; `formulas` holds (row, column)."""

    name: str
    rows: Sequence[Sequence[Cell]]
    merged: Sequence[Merged] = ()
    formulas: frozenset[tuple[int, int]] = frozenset()
    other_sheets: tuple[str, ...] = ()
    format: str = "xlsx"


@dataclass(frozen=True)
class Column:
    """One column of the file: what it is called there, and what it is read as.

    `meaning` is a key of FIELD_LABELS, or None: not imported. `unneeded` marks data the program
    does not want to know (identity papers, ethnicity, reasons).
    """

    index: int
    label: str
    meaning: str | None
    unneeded: bool = False
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the table stands and how its columns are read."""

    kind: Kind
    header_row: int
    first_row: int
    columns: tuple[Column, ...] = field(default_factory=tuple)

    def column_of(self, meaning: str) -> Column | None:
        return next((column for column in self.columns if column.meaning == meaning), None)

    def columns_of(self, meaning: str) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.meaning == meaning)

    def remapped(self, meanings: Mapping[int, str | None]) -> "Layout":
        """The same table with the user's corrections, by column index."""
        columns = tuple(
            Column(
                c.index,
                c.label,
                meanings.get(c.index, c.meaning),
                c.unneeded and not meanings.get(c.index, c.meaning),
                c.samples,
            )
            for c in self.columns
        )
        return Layout(self.kind, self.header_row, self.first_row, columns)


def header_key(text: str) -> str:
    """A header without marks, remarks in brackets and punctuation."""
    without_remark = re.sub(r"\([^)]*\)", " ", text)
    key = " ".join(re.sub(r"[^0-9a-z#&]+", " ", fold(without_remark)).split())
    return key or " ".join(re.sub(r"[^0-9a-z#&]+", " ", fold(text)).split())


def meaning_of(text: str, kind: Kind, *, exact: bool = False) -> str | None:
    """What a header means, with or without marks; None when it is not known."""
    if not text or len(text) > _LONGEST_HEADER:
        return None
    known = _KNOWN[kind]
    key = header_key(text)
    if key in known or exact:
        return known.get(key)
    starts = [start for start in _TELLING_STARTS if key.startswith(start + " ")]
    return known.get(max(starts, key=len)) if starts else None


def numbers_rows(label: str) -> bool:
    """Whether a header is that of the running number (STT), which nobody misses."""
    return meaning_of(label, "members", exact=True) == _ORDINAL


def find_layout(sheet: Sheet, kind: Kind) -> Layout:
    """The header row below titles and merged cells, one or two rows high.

    Raises `Malformed` when no row names the person (or household) of each row.
    """
    best: tuple[int, Layout] | None = None
    for row in range(min(_HEADER_SEARCH_ROWS, len(sheet.rows))):
        # A title over a header of one row is no header of two: two rows must tell more than one.
        for layout, drawback in ((_one_row(sheet, kind, row), 0), (_two_rows(sheet, kind, row), 1)):
            score = _score(layout) - drawback if layout else 0
            if layout and score and (best is None or score > best[0]):
                best = (score, layout)
    if best is None:
        raise Malformed(_no_header(sheet, kind))
    found = best[1]
    first = _after_numbering(sheet, found)
    return Layout(kind, found.header_row, first, _with_samples(sheet, found.columns, first))


def _no_header(sheet: Sheet, kind: Kind) -> str:
    other: Kind = "households" if kind == "members" else "members"
    for row in range(min(_HEADER_SEARCH_ROWS, len(sheet.rows))):
        layout = _one_row(sheet, other, row)
        if layout and _score(layout) >= 3:
            if kind == "members":
                return N_(
                    "Tệp này có vẻ là danh sách hộ gia đình. "
                    "Hãy chọn nhập hộ gia đình thay vì đảng viên."
                )
            return N_(
                "Tệp này có vẻ là danh sách đảng viên. Hãy chọn nhập đảng viên thay vì hộ gia đình."
            )
    if kind == "members":
        return N_(
            "Không tìm thấy dòng tiêu đề có cột “Họ và tên” (hoặc “Họ đệm” và “Tên”). "
            "Hãy thêm một dòng tiêu đề trên danh sách."
        )
    return N_(
        "Không tìm thấy dòng tiêu đề có cột “Số hộ”. Hãy thêm một dòng tiêu đề trên danh sách."
    )


def names_its_rows(layout: Layout) -> bool:
    """Whether the columns say who each row is about."""
    meanings = {column.meaning for column in layout.columns}
    if layout.kind == "households":
        return "household" in meanings
    return "name" in meanings or {"family", "given"} <= meanings


def _score(layout: Layout) -> int:
    if not names_its_rows(layout):
        return 0
    known = sum(1 for column in layout.columns if column.meaning or column.unneeded)
    strange = sum(1 for column in layout.columns if not column.meaning and not column.unneeded)
    return max(2, 3 * known - strange)


def _one_row(sheet: Sheet, kind: Kind, row: int) -> Layout | None:
    labels = [cell_text(cell) for cell in sheet.rows[row]]
    if not any(labels):
        return None
    if any(isinstance(cell, int | float) for cell in sheet.rows[row]):
        return None
    return _layout(kind, row, row + 1, labels, [meaning_of(label, kind) for label in labels])


def _two_rows(sheet: Sheet, kind: Kind, row: int) -> Layout | None:
    """A header whose second row divides the merged cells of the first."""
    if row + 1 >= len(sheet.rows):
        return None
    above = _spread(sheet, row)
    below = [cell_text(cell) for cell in sheet.rows[row + 1]]
    if not any(above) or not any(below) or _has_number(sheet.rows[row + 1]):
        return None
    width = max(len(above), len(below))
    above += [""] * (width - len(above))
    below += [""] * (width - len(below))
    own = [cell_text(cell) for cell in sheet.rows[row]] + [""] * width
    labels: list[str] = []
    meanings: list[str | None] = []
    divided = False
    for index in range(width):
        label, meaning = _joined(above[index], below[index], kind)
        if below[index] and meaning is None:
            return None
        divided = divided or bool(below[index] and (not own[index] or above[index]))
        labels.append(label)
        meanings.append(meaning)
    return _layout(kind, row, row + 2, labels, meanings) if divided else None


def _joined(above: str, below: str, kind: Kind) -> tuple[str, str | None]:
    if not below:
        return above, meaning_of(above, kind)
    if not above:
        return below, meaning_of(below, kind, exact=True)
    label = f"{above} – {below}"
    joined = meaning_of(f"{above} {below}", kind, exact=True)
    return label, joined or meaning_of(below, kind, exact=True)


def _has_number(row: Sequence[Cell]) -> bool:
    return any(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in row)


def _spread(sheet: Sheet, row: int) -> list[str]:
    """The row's texts with each merged cell repeated over the columns it covers."""
    texts = [cell_text(cell) for cell in sheet.rows[row]]
    ranges = [m for m in sheet.merged if m[0][0] <= row <= m[1][0]]
    for (top, left), (_, right) in ranges:
        source = cell_text(sheet.rows[top][left]) if left < len(sheet.rows[top]) else ""
        texts += [""] * (min(right + 1, 60) - len(texts))
        for index in range(left, min(right + 1, len(texts))):
            texts[index] = source if top == row else texts[index]
    if not sheet.merged:
        for index in range(1, len(texts)):
            texts[index] = texts[index] or _heading_of_the_left(sheet, row, texts, index)
    return texts


def _heading_of_the_left(sheet: Sheet, row: int, texts: list[str], index: int) -> str:
    """Where merged ranges are unknown, a blank cell over a named one belongs to its left."""
    below = sheet.rows[row + 1] if row + 1 < len(sheet.rows) else ()
    return texts[index - 1] if index < len(below) and not is_blank(below[index]) else ""


def _layout(
    kind: Kind, row: int, first: int, labels: list[str], meanings: list[str | None]
) -> Layout:
    columns: list[Column] = []
    taken: set[str] = set()
    for index, (label, meaning) in enumerate(zip(labels, meanings, strict=True)):
        if not label:
            continue
        special = meaning in {_ORDINAL, _UNNEEDED}
        usable = (
            meaning if not special and (meaning in REPEATABLE or meaning not in taken) else None
        )
        if usable:
            taken.add(usable)
        columns.append(Column(index, label, usable, special))
    if kind == "members" and "name" not in taken:
        columns = [_given_alone(column, taken) for column in columns]
    return Layout(kind, row, first, tuple(columns))


def _given_alone(column: Column, taken: set[str]) -> Column:
    """A column called “Tên” with no “Họ đệm” beside it holds the whole name."""
    if column.meaning == "given" and "family" not in taken:
        return Column(column.index, column.label, "name")
    return column


def _after_numbering(sheet: Sheet, layout: Layout) -> int:
    """The first row of the table, below a row that numbers the columns: (1) (2) (3)."""
    first = layout.first_row
    if first < len(sheet.rows) and _numbers_columns(sheet.rows[first]):
        return first + 1
    return first


def _numbers_columns(row: Sequence[Cell]) -> bool:
    texts = [cell_text(cell).strip("()[] ") for cell in row if not is_blank(cell)]
    if len(texts) < 3:
        return False
    numbers = [text for text in texts if text.isdigit()]
    rest = [text for text in texts if not text.isdigit()]
    counts_up = (
        numbers == [str(n) for n in range(int(numbers[0]), int(numbers[0]) + len(numbers))]
        if numbers
        else True
    )
    return counts_up and len(numbers) >= 2 and all(len(text) == 1 for text in rest)


def _with_samples(sheet: Sheet, found: Sequence[Column], first: int) -> tuple[Column, ...]:
    """Three values of each column that may be imported, to help the user to map it."""
    columns: list[Column] = []
    for column in found:
        samples: list[str] = []
        if not column.unneeded:
            for row in sheet.rows[first : first + 40]:
                text = cell_text(row[column.index]) if column.index < len(row) else ""
                if text and text not in samples:
                    samples.append(text[:40])
                if len(samples) == 3:
                    break
        columns.append(
            Column(
                column.index,
                column.label,
                column.meaning,
                column.unneeded,
                tuple(samples),
            )
        )
    return tuple(columns)
