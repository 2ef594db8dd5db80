"""Which files may become a template: an honest .docx, judged by what is in it and not by its name."""

import io
import re
import zipfile

from gateways.packages import BROKEN_ZIP, Limits, Sentences, check_package
from rules.document_templates import MAX_FILE_BYTES, TOO_LARGE
from rules.refusals import N_, Malformed

LIMITS = Limits(entries=300, unpacked_bytes=30_000_000, ratio=100)

EMPTY = N_("Tệp trống. Hãy chọn tệp mẫu .docx.")
BOMB = N_(
    "Tệp nén bất thường: mở ra lớn gấp nhiều lần nên bị từ chối. "
    "Hãy chép nội dung mẫu sang một tệp Word mới."
)
BROKEN = N_("Tệp bị hỏng hoặc tải lên chưa hết. Hãy mở bằng Word, lưu lại rồi thử lần nữa.")
DTD = N_(
    "Tệp chứa khai báo XML không an toàn nên bị từ chối. "
    "Hãy chép nội dung mẫu sang một tệp Word mới."
)
ENCRYPTED = N_("Tệp có mật khẩu. Hãy bỏ mật khẩu (Tệp → Thông tin → Bảo vệ) rồi lưu lại.")
MACROS = N_("Tệp có macro nên bị từ chối. Hãy lưu lại dưới dạng “Word Document (.docx)”.")
OLD_WORD = N_("Đây là tệp Word kiểu cũ (.doc). Hãy mở bằng Word và lưu lại dưới dạng .docx.")
WORD_TEMPLATE = N_("Đây là tệp khuôn Word (.dotx). Hãy mở bằng Word và lưu lại dưới dạng .docx.")
NOT_WORD = N_("Đây không phải văn bản Word. Hãy chọn tệp mẫu .docx.")
STOPPED = N_(
    "Mẫu mất quá nhiều thời gian nên đã dừng. "
    "Hãy bỏ bớt bảng và ảnh, hoặc chép nội dung mẫu sang một tệp Word mới."
)
TOO_MUCH = N_(
    "Mẫu lặp quá nhiều hoặc quá lớn để điền. "
    "Hãy để mỗi danh sách ở một dòng của một bảng và bỏ bớt ảnh."
)
EMBEDDED = N_(
    "Mẫu có đối tượng nhúng («%(part)s»): bảng Excel, biểu đồ, điều khiển hay tệp khác. "
    "Hãy xoá đối tượng đó hoặc thay bằng ảnh rồi lưu lại."
)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAIN = "wordprocessingml.document.main+xml"
_EMBEDDED = re.compile(
    r"^(word/(embeddings|activeX|charts|diagrams|controls)/|customUI/|userCustomization/)"
    r"|\.(bin|exe|dll|vbs|js|html?|mht|rtf|docx?|xlsx?)$",
    re.IGNORECASE,
)
_HARMLESS_PARTS = re.compile(r"^word/printerSettings/", re.IGNORECASE)


def check_docx(content: bytes) -> None:
    """Raises `Malformed` with a sentence for whatever must not be opened; parses no XML."""
    if not content:
        raise Malformed(EMPTY)
    if len(content) > MAX_FILE_BYTES:
        raise Malformed(TOO_LARGE)
    if content.startswith(_OLE):
        raise Malformed(_what_ole_is(content))
    if not content.startswith(b"PK"):
        raise Malformed(NOT_WORD)
    raw = io.BytesIO(content)
    try:
        with zipfile.ZipFile(raw) as archive:
            entries = archive.infolist()
            _refuse_by_names(entries)
            check_package(entries, io.BytesIO(content), LIMITS, Sentences(BOMB, BROKEN, DTD))
            _refuse_by_type(archive.read("[Content_Types].xml").decode())
    except (*BROKEN_ZIP, KeyError) as error:
        raise Malformed(BROKEN) from error


def _what_ole_is(content: bytes) -> str:
    def holds(stream: str) -> bool:
        return stream.encode("utf-16-le") in content

    if holds("EncryptedPackage"):
        return ENCRYPTED
    return OLD_WORD if holds("WordDocument") else NOT_WORD


def _refuse_by_names(entries: list[zipfile.ZipInfo]) -> None:
    names = {entry.filename for entry in entries}
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Malformed(ENCRYPTED)
    if any(name.lower().endswith(("vbaproject.bin", "vbadata.xml")) for name in names):
        raise Malformed(MACROS)
    if not {"word/document.xml", "[Content_Types].xml"} <= names:
        raise Malformed(NOT_WORD)
    for name in sorted(names):
        if _EMBEDDED.search(name) and not _HARMLESS_PARTS.match(name):
            raise Malformed(EMBEDDED, part=name[:80])


def _refuse_by_type(types: str) -> None:
    if "macroEnabled" in types or "vbaProject" in types:
        raise Malformed(MACROS)
    if "wordprocessingml.template.main+xml" in types:
        raise Malformed(WORD_TEMPLATE)
    if _MAIN not in types:
        raise Malformed(NOT_WORD)
