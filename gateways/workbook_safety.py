"""What a file really is, whatever its name, and which files are refused before they are opened."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, TypeAlias

from rules.refusals import N_, Malformed

Format: TypeAlias = Literal["xlsx", "xls", "ods", "csv"]

# A sheet of 100.000 rows and 15 columns is about 100 MB of XML before compression.
MAX_FILE_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 220_000_000
MAX_ENTRIES = 600
MAX_RATIO = 100
_RATIO_MATTERS_FROM = 1_000_000
_CHUNK = 1 << 18

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
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
)
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
            _refuse_dangerous_shape(entries, raw)
            for _ in _unpacked(entries, raw):
                pass
            return kind
    except _BROKEN_ZIP as error:
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


def _refuse_dangerous_shape(entries: list[zipfile.ZipInfo], raw: IO[bytes]) -> None:
    """Too many entries, the same name twice, entries that share bytes, strange compression."""
    if len(entries) > MAX_ENTRIES or len({e.filename for e in entries}) < len(entries):
        raise Malformed(BOMB)
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise Malformed(BOMB)
    end_of_last = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Malformed(BROKEN)
        if entry.header_offset < end_of_last:
            raise Malformed(BOMB)
        end_of_last = _data_offset(entry, raw) + entry.compress_size


def _data_offset(entry: zipfile.ZipInfo, raw: IO[bytes]) -> int:
    raw.seek(entry.header_offset)
    header = raw.read(30)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("no local header")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    return entry.header_offset + 30 + int(name_length) + int(extra_length)


def _unpacked(entries: list[zipfile.ZipInfo], raw: IO[bytes]) -> Iterator[str]:
    """Unpack every entry once, keeping nothing: sizes stated in the file may lie."""
    total = 0
    for entry in entries:
        size = 0
        tail = b""
        is_xml = entry.filename.lower().endswith((".xml", ".rels"))
        for chunk in _chunks(entry, raw):
            if is_xml and size == 0 and _is_wide(chunk):
                raise Malformed(DTD)
            size += len(chunk)
            total += len(chunk)
            if total > MAX_UNPACKED_BYTES:
                raise Malformed(BOMB)
            if size > _RATIO_MATTERS_FROM and size > MAX_RATIO * max(entry.compress_size, 1):
                raise Malformed(BOMB)
            if is_xml:
                seen = tail + chunk
                if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
                    raise Malformed(DTD)
                tail = chunk[-16:]
        yield entry.filename


def _is_wide(chunk: bytes) -> bool:
    """XML in two-byte letters would hide a declaration from the search; no program writes it."""
    return chunk[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in chunk[:4]


def _chunks(entry: zipfile.ZipInfo, raw: IO[bytes]) -> Iterator[bytes]:
    offset, left = _data_offset(entry, raw), entry.compress_size
    raw.seek(offset)
    unpack = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0:
        packed = raw.read(min(_CHUNK, left))
        if not packed:
            raise zipfile.BadZipFile("truncated")
        left -= len(packed)
        if unpack is None:
            yield packed
            continue
        while packed:
            plain = unpack.decompress(packed, _CHUNK)
            packed = unpack.unconsumed_tail
            if plain:
                yield plain
