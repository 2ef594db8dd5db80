"""Which telephone numbers a cell holds, and how the usual damage of spreadsheets is undone."""

import re
import unicodedata
from dataclasses import dataclass

from rules.refusals import N_

# The change of September–November 2018 from eleven digits to ten, by network.
OLD_PREFIXES = {
    "0120": "070",
    "0121": "079",
    "0122": "077",
    "0126": "076",
    "0128": "078",
    "0123": "083",
    "0124": "084",
    "0125": "085",
    "0127": "081",
    "0129": "082",
    "0162": "032",
    "0163": "033",
    "0164": "034",
    "0165": "035",
    "0166": "036",
    "0167": "037",
    "0168": "038",
    "0169": "039",
    "0186": "056",
    "0188": "058",
    "0199": "059",
}

LOST_ZERO = N_("Số %(old)s mất số 0 ở đầu, đã thêm lại thành %(new)s.")
OLD_NUMBER = N_("Số cũ 11 số %(old)s đã đổi thành %(new)s (đầu số mới từ năm 2018).")

_SEPARATORS = re.compile(r"[,;/|\n&]|\bhoặc\b|\bhoac\b|\bvà\b|\s-\s", re.IGNORECASE)
_EXPONENT = re.compile(r"^\d(?:[.,]\d+)?[eE]\+?\d{1,2}$")
_TRAILING_ZERO = re.compile(r"^(\+?\d{8,})[.,]0+$")
_EXTENSION = re.compile(r"\(?\b(?:máy lẻ|may le|ext|nb)\b.*$", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:sđt|sdt|đtdđ|dtdd|đt|dt|tel|mobile|phone|zalo|di động|nhà riêng|nr|cq)\b[.:]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DialledNumber:
    """A number as a person in Vietnam would dial it, or with +; `repair` says what was mended."""

    number: str
    written: str
    repair: str | None = None


def dialled_numbers(text: str) -> list[DialledNumber]:
    """Every number written in the text, repaired where the repair is certain.

    Undone: the zero that Excel drops, `.0` and exponents, spaces, dots and dashes, 84 and +84,
    the eleven-digit prefixes of before 2018. Whether a number exists is not decided here.
    """
    plain = unicodedata.normalize("NFKC", text)
    plain = _LABEL.sub(" ", _EXTENSION.sub("", plain)).strip()
    found: list[DialledNumber] = []
    for part in _SEPARATORS.split(plain):
        found.extend(_numbers_of_part(part.strip()))
    return found


def _numbers_of_part(part: str) -> list[DialledNumber]:
    if _EXPONENT.match(part):
        part = str(int(float(part.replace(",", "."))))
    part = _TRAILING_ZERO.sub(r"\1", part)
    plus = part.startswith("+")
    digits = "".join(letter for letter in part if letter in "0123456789")
    if not digits:
        return []
    if len(digits) in (20, 21, 22) and digits[0] == "0":
        halves = _two_numbers(digits)
        if halves:
            return [_repaired(half, half, False) for half in halves]
    return [_repaired(digits, part, plus)]


def _two_numbers(digits: str) -> tuple[str, str] | None:
    for length in (10, 11):
        first, second = digits[:length], digits[length:]
        if second.startswith("0") and len(second) in (10, 11):
            return first, second
    return None


def _repaired(digits: str, written: str, plus: bool) -> DialledNumber:
    if digits.startswith("00") and len(digits) > 10:
        digits, plus = digits[2:], True
    if digits.startswith("84") and (plus or len(digits) >= 11):
        digits, plus = "0" + digits[2:].lstrip("0"), False
    if plus:
        return DialledNumber("+" + digits, written)
    repair = None
    if not digits.startswith("0") and len(digits) in (9, 10):
        digits, repair = "0" + digits, LOST_ZERO
    new_prefix = OLD_PREFIXES.get(digits[:4]) if len(digits) == 11 else None
    if new_prefix:
        digits, repair = new_prefix + digits[4:], OLD_NUMBER
    return DialledNumber(digits, written, repair)
