"""What a file really is, whatever its name, and which files are refused before they are opened."""

import re
import zipfile
from pathlib import Path
from typing import Literal, TypeAlias

from gateways.packages import BROKEN_ZIP, Limits, Sentences, check_package
from rules.refusals import N_, Malformed

Format: TypeAlias = Literal["xlsx", "xls", "ods", "csv"]

# A sheet of 100.000 rows and 15 columns is about 100 MB of XML before compression.
MAX_FILE_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 220_000_000
MAX_ENTRIES = 600
MAX_RATIO = 100

TOO_LARGE = N_(
    "Tệp quá lớn. Hãy chỉ giữ một trang tính với danh sách, tối đa 100.000 dòng và 20 MB."
)
BOMB = N_(
    "Tệp nén bất thường: mở ra lớn gấp nhiều lần nên bị từ chối. "
    "Hãy chép danh sách sang một tệp Excel mới."
)
BROKEN = N_("Tệp bị hỏng hoặc tải lên chưa hết. Hãy mở bằng Excel, lưu lại rồi thử lần nữa.")
ENCRYPTED = N_("Tệp có mật khẩu. Hãy bỏ mật khẩu (Tệp → Thông tin → Bảo vệ) rồi lưu lại.")
MACROS = N_("Tệp có macro nên bị từ chối. Hãy lưu lại dưới dạng “Excel Workbook (.xlsx)”.")
DTD = N_(
    "Tệp chứa khai báo XML không an toàn nên bị từ chối. Hãy chép danh sách sang một tệp Excel mới."
)
EMPTY = N_("Tệp trống. Hãy chọn tệp có danh sách.")

PDF = N_("Đây là tệp PDF, không phải bảng tính. Hãy xin tệp Excel gốc của danh sách.")
PICTURE = N_("Đây là tệp ảnh, không phải bảng tính. Hãy xin tệp Excel gốc của danh sách.")
WEB_PAGE = N_(
    "Đây là trang web (HTML) mang đuôi Excel, không phải bảng tính. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)
OLD_XML = N_(
    "Đây là bảng XML kiểu cũ, không phải bảng tính đọc được. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)
WORD = N_(
    "Đây là văn bản Word, không phải bảng tính. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)
SLIDES = N_(
    "Đây là bài trình chiếu, không phải bảng tính. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)
BINARY_WORKBOOK = N_(
    "Đây là bảng tính nhị phân .xlsb, không phải bảng tính đọc được. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)
ARCHIVE = N_("Đây là tệp nén, không phải bảng tính. Hãy giải nén rồi chọn tệp bảng tính bên trong.")
UNKNOWN = N_(
    "Đây là tệp không rõ loại, không phải bảng tính. "
    "Hãy mở ra và lưu danh sách dưới dạng .xlsx, .xls, .ods hoặc .csv."
)

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", PDF),
    (b"\x89PNG", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"BM", PICTURE),
    (b"II*\x00", PICTURE),
    (b"MM\x00*", PICTURE),
    (b"{\\rtf", WORD),
    (b"Rar!", ARCHIVE),
    (b"7z\xbc\xaf", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"MZ", UNKNOWN),
    (b"\x7fELF", UNKNOWN),
)
LIMITS = Limits(MAX_ENTRIES, MAX_UNPACKED_BYTES, MAX_RATIO)
SENTENCES = Sentences(BOMB, BROKEN, DTD)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def checked_format(path: Path) -> Format:
    """The format by content. Raises `Malformed` for what cannot or must not be opened."""
    size = path.stat().st_size
    if size == 0:
        raise Malformed(EMPTY)
    if size > MAX_FILE_BYTES:
        raise Malformed(TOO_LARGE)
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"PK"):
        return _checked_zip(path)
    if start.startswith(_OLE):
        return _checked_ole(path)
    for signature, what in _SIGNATURES:
        if start.startswith(signature) and not _reads_as_text(start, signature):
            raise Malformed(what)
    _refuse_markup(start)
    return "csv"


def _reads_as_text(start: bytes, signature: bytes) -> bool:
    """“BM” and “MZ” may begin an honest text; binary files have a zero byte soon after."""
    return len(signature) == 2 and signature.isalpha() and b"\x00" not in start


def _refuse_markup(start: bytes) -> None:
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if b"schemas-microsoft-com:office:spreadsheet" in text:
        raise Malformed(OLD_XML)
    if re.match(rb"<(?:!doctype html|html|head|body|table|meta|style|script|div)\b", text):
        raise Malformed(WEB_PAGE)
    if text.startswith((b"<?xml", b"<!doctype")):
        raise Malformed(WEB_PAGE if b"<html" in text else OLD_XML)
    if b"\x00" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Malformed(UNKNOWN)


def _checked_ole(path: Path) -> Format:
    """Old Excel files, encrypted new ones and Word's: all are compound files."""
    content = path.read_bytes()

    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in content

    if holds("EncryptedPackage"):
        raise Malformed(ENCRYPTED)
    if holds("_VBA_PROJECT_CUR") or holds("_VBA_PROJECT"):
        raise Malformed(MACROS)
    if holds("WordDocument"):
        raise Malformed(WORD)
    if holds("PowerPoint Document"):
        raise Malformed(SLIDES)
    if not (holds("Workbook") or holds("Book")):
        raise Malformed(UNKNOWN)
    return "xls"


def _checked_zip(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
            entries = archive.infolist()
            kind = _kind_of_zip(entries)
            check_package(entries, raw, LIMITS, SENTENCES)
            return kind
    except BROKEN_ZIP as error:
        raise Malformed(BROKEN) from error


def _kind_of_zip(entries: list[zipfile.ZipInfo]) -> Format:
    names = {entry.filename for entry in entries}
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Malformed(ENCRYPTED)
    _refuse_macros(names)
    if "xl/workbook.bin" in names:
        raise Malformed(BINARY_WORKBOOK)
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "content.xml" in names and "mimetype" in names:
        return "ods"
    if "word/document.xml" in names:
        raise Malformed(WORD)
    if "ppt/presentation.xml" in names:
        raise Malformed(SLIDES)
    raise Malformed(ARCHIVE)


def _refuse_macros(names: set[str]) -> None:
    lowered = {name.lower() for name in names}
    if any(name.endswith("vbaproject.bin") for name in lowered):
        raise Malformed(MACROS)
    if any(name.startswith(("xl/macrosheets/", "basic/", "scripts/")) for name in lowered):
        raise Malformed(MACROS)
