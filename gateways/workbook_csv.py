"""Comma-separated files in the encodings and separators that Vietnamese offices produce."""

import csv
import io
import unicodedata
from pathlib import Path

from gateways.workbook_safety import UNKNOWN
from rules.refusals import N_, Malformed

_SEPARATORS = ",;\t|"
MAX_CELL_LETTERS = 32_767

UNREADABLE = N_(
    "Không đọc được bảng mã của tệp CSV. Hãy mở bằng Excel và lưu dạng “CSV UTF-8”, hoặc .xlsx."
)
BAD_QUOTES = N_(
    "Tệp CSV có dấu ngoặc kép không khép lại ở gần dòng %(row)s. "
    "Hãy sửa dòng đó hoặc lưu dạng .xlsx."
)


def read_csv(path: Path) -> list[list[str]]:
    """The rows as text in NFC; encoding and separator are found by looking."""
    text = decoded(path.read_bytes())
    separator = separator_of(text)
    csv.field_size_limit(MAX_CELL_LETTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise Malformed(BAD_QUOTES, row=reader.line_num) from error
    return rows


def decoded(content: bytes) -> str:
    """UTF-8 with or without mark, UTF-16 with mark (Excel's “Unicode text”), else Windows-1258.

    Windows-1258 writes tones as separate letters, so the result is composed (NFC).
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strictly(content, "utf-16")
    if content.startswith(b"\xef\xbb\xbf"):
        return _strictly(content, "utf-8-sig")
    if b"\x00" in content:
        raise Malformed(UNKNOWN)
    try:
        return unicodedata.normalize("NFC", content.decode("utf-8"))
    except UnicodeDecodeError as error:
        if _was_utf_8(content):
            raise Malformed(UNREADABLE) from error
        return _strictly(content, "cp1258")


def _was_utf_8(content: bytes) -> bool:
    """Whether letters that only Vietnamese has are there in UTF-8: a damaged file, no other one."""
    text = content[:200_000].decode("utf-8", "ignore")
    return any("\u1ea0" <= letter <= "\u1ef9" for letter in text)


def _strictly(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Malformed(UNREADABLE) from error
    if sum(1 for letter in text[:4096] if letter < " " and letter not in "\r\n\t") > 4:
        raise Malformed(UNKNOWN)
    return unicodedata.normalize("NFC", text)


def separator_of(text: str) -> str:
    """The separator that divides the first lines into the most columns, the same in most lines."""
    lines = [line for line in text[:20_000].splitlines()[:40] if line.strip()]
    if lines and lines[0].lower().startswith("sep=") and len(lines[0]) >= 5:
        return lines[0][4]

    def evenness(separator: str) -> tuple[int, int]:
        counts = [_count_outside_quotes(line, separator) for line in lines]
        common = max(set(counts), key=lambda n: (counts.count(n), n)) if counts else 0
        return (counts.count(common) * common, sum(counts))

    return max(_SEPARATORS, key=evenness)


def _count_outside_quotes(line: str, separator: str) -> int:
    return sum(part.count(separator) for part in line.split('"')[::2])
