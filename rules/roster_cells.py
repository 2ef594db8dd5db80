"""How one cell of a roster is understood: a reader gives the value or says what is wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from rules.refusals import N_
from rules.text import clean, fold

Cell: TypeAlias = str | int | float | bool | date | None


@dataclass(frozen=True)
class Said:
    """A Vietnamese sentence with its values, translated only where it is shown."""

    sentence: str
    params: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, sentence: str, /, **params: object) -> "Said":
        return cls(sentence, tuple(params.items()))

    @property
    def text(self) -> str:
        return self.sentence % dict(self.params) if self.params else self.sentence


class CellFault(Exception):
    """The cell cannot be understood; `said` tells the person why and what to write instead."""

    def __init__(self, sentence: str, /, **params: object) -> None:
        self.said = Said.of(sentence, **params)
        super().__init__(self.said.text)


@dataclass(frozen=True)
class PhoneRead:
    """A number in E.164 and what was mended on the way."""

    e164: str
    notes: tuple[Said, ...] = ()


PhoneReader: TypeAlias = Callable[[str], PhoneRead]


@dataclass(frozen=True)
class Exemption:
    """Exempt from meetings: only that, from when, until when and by which decision. No reason."""

    starts_on: date | None = None
    ends_on: date | None = None
    decision: str | None = None


_NOTHING = frozenset(
    {"-", "--", "---", ".", "..", "...", "/", "?", "n/a", "na", "null", "none"}
    | {
        "khong",
        "khong co",
        "chua co",
        "chua ro",
        "khong ro",
        "khong biet",
        "khong dung",
        "ko co",
    }
)


def cell_text(cell: Cell) -> str:
    """The cell as one clean line of text; 12.0 is 12 and a date is dd/mm/yyyy."""
    if isinstance(cell, str):
        return clean(cell)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "x" if cell else ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, date):
        return cell.strftime("%d/%m/%Y")
    return str(cell)


def is_blank(cell: Cell) -> bool:
    """Whether nothing is written there, spaces and invisible characters not counted."""
    return cell is None or (isinstance(cell, str) and not clean(cell))


def says_nothing(text: str) -> bool:
    """Whether the text only says that there is nothing: “-”, “không có”, “chưa rõ”."""
    return not text or fold(text) in _NOTHING


RECASED = N_("Họ tên “%(old)s” đã viết lại thành “%(new)s”.")
ADDRESS_REMOVED = N_("Đã bỏ tiếng xưng hô trước họ tên “%(old)s”.")

_ADDRESS = re.compile(r"^(?:đ\s*/\s*c|đc\.|đồng chí)[\s.:]*", re.IGNORECASE)
_LOOKALIKES = str.maketrans({"Ð": "Đ", "ð": "đ", "Ɖ": "Đ", "ɖ": "đ", "’": "'", "‘": "'", "`": "'"})
_OLD_FONT = frozenset("ÆÇËÎÏÖØÛÜÞßåæçëîïøûüþÿµ¸¶·¹¨»¾¼½©ª«¬®¤¥¦§×÷¡¢£±¿")
_WORD_START = re.compile(r"(?:^|(?<=[\s'\-.]))\w")
_NAME_LENGTH = 100


def person_name(text: str) -> tuple[str, tuple[Said, ...]]:
    """A person's whole name with proper capitals, and notes on what was changed.

    Capitals are mended only in names written wholly in capitals or wholly in small letters.
    """
    notes: list[Said] = []
    name = clean(text.translate(_LOOKALIKES))
    bare = _ADDRESS.sub("", name)
    if bare != name:
        notes.append(Said.of(ADDRESS_REMOVED, old=name))
        name = bare
    _check_name(name)
    if name.isupper() or name.islower():
        proper = proper_case(name)
        if proper != name:
            notes.append(Said.of(RECASED, old=name, new=proper))
            name = proper
    return name, tuple(notes)


def proper_case(name: str) -> str:
    """Each word with one capital, also after an apostrophe or hyphen: K'Brôi, Y-Bhăm."""
    return _WORD_START.sub(lambda match: match.group().upper(), name.lower())


def _check_name(name: str) -> None:
    if any(letter in _OLD_FONT for letter in name):
        raise CellFault(
            N_(
                "Họ tên “%(name)s” viết bằng phông chữ cũ (TCVN3, VNI). "
                "Hãy chuyển tệp sang Unicode rồi nhập lại."
            ),
            name=name[:60],
        )
    strange = next((c for c in name if not (c.isalpha() or c in " '-.")), None)
    if strange is not None:
        raise CellFault(
            N_("Họ tên “%(name)s” có ký tự “%(strange)s”. Hãy chỉ ghi họ và tên."),
            name=name[:60],
            strange=strange,
        )
    if len(name) > _NAME_LENGTH:
        raise CellFault(N_("Họ tên dài quá 100 ký tự. Hãy chỉ ghi họ và tên."))
    if len(name.split()) < 2:
        raise CellFault(
            N_("Họ tên “%(name)s” thiếu họ hoặc thiếu tên. Hãy ghi đủ họ và tên."),
            name=name,
        )


_SEPARATED = re.compile(r"^(\d{1,2})\s*[/.\-\s]\s*(\d{1,2})\s*[/.\-\s]\s*(\d{4}|\d{2})$")
_ISO = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]\d.*)?$")
_MONTH_YEAR = re.compile(r"^(?:tháng\s*)?(\d{1,2})\s*(?:[/.\-]|năm)\s*(\d{4})$", re.IGNORECASE)
_PROSE = re.compile(r"^(?:ngày\s*)?(\d{1,2})\s*tháng\s*(\d{1,2})\s*năm\s*(\d{4})$", re.IGNORECASE)
_YEAR = re.compile(r"^(?:năm\s*|sn\.?\s*)?(\d{4})$", re.IGNORECASE)
_SERIAL = re.compile(r"^\d{4,5}(?:\.\d+)?$")
_SERIAL_ZERO = date(1899, 12, 30)
_FIRST_SERIAL, _LAST_SERIAL = 2, 73_050
_OLDEST_AGE, _YOUNGEST_AGE = 110, 16


def calendar_date(cell: Cell, today: date) -> date | None:
    """A date written dd/mm/yyyy, d-m-yy, yyyy-mm-dd, in words, or as an Excel serial.

    None when nothing is written; `CellFault` for anything else, a date that never was included.
    """
    if isinstance(cell, date):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _of_serial(float(cell))
    text = cell_text(cell)
    if says_nothing(text):
        return None
    parts = _date_parts(text, today)
    if parts is None and _SERIAL.match(text):
        return _of_serial(float(text))
    if parts is None:
        raise CellFault(
            N_("Không đọc được ngày “%(text)s”. Hãy ghi ngày/tháng/năm, ví dụ 03/02/2026."),
            text=text[:60],
        )
    return _real_date(parts, text)


def birth_year(cell: Cell, today: date) -> int | None:
    """The year of birth, all that is kept of a date of birth (least data)."""
    year = _year_written(cell, today)
    if year is None:
        return None
    if not today.year - _OLDEST_AGE <= year <= today.year - _YOUNGEST_AGE:
        raise CellFault(
            N_("Năm sinh %(year)s không hợp lý. Hãy kiểm tra lại ngày sinh."), year=year
        )
    return year


def _year_written(cell: Cell, today: date) -> int | None:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if float(cell).is_integer() and 1800 <= cell <= 2200:
            return int(cell)
        return _of_serial(float(cell)).year
    text = cell_text(cell)
    for pattern, group in ((_YEAR, 1), (_MONTH_YEAR, 2)):
        found = pattern.match(text)
        if found:
            return int(found.group(group))
    unknown_day = re.match(r"^0{1,2}[/.\-]0{1,2}[/.\-](\d{4})$", text)
    if unknown_day:
        return int(unknown_day.group(1))
    day = calendar_date(cell, today)
    return day.year if day else None


def _date_parts(text: str, today: date) -> tuple[int, int, int] | None:
    found = _ISO.match(text)
    if found:
        return int(found[1]), int(found[2]), int(found[3])
    found = _SEPARATED.match(text) or _PROSE.match(text)
    if not found:
        return None
    year = int(found[3])
    if len(found[3]) == 2:
        year += 2000 if year <= today.year % 100 else 1900
    return year, int(found[2]), int(found[1])


def _real_date(parts: tuple[int, int, int], text: str) -> date:
    try:
        return date(*parts)
    except ValueError:
        raise CellFault(
            N_("Ngày “%(text)s” không có thật. Hãy ghi ngày trước, tháng sau: ngày/tháng/năm."),
            text=text[:60],
        ) from None


def _of_serial(serial: float) -> date:
    if not _FIRST_SERIAL <= serial <= _LAST_SERIAL:
        raise CellFault(
            N_("“%(text)s” không phải là ngày. Hãy ghi ngày/tháng/năm, ví dụ 03/02/2026."),
            text=cell_text(serial),
        )
    return _SERIAL_ZERO + timedelta(days=int(serial))


_EMAIL = re.compile(r"^[a-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}$", re.I)
_USUAL_SLIPS = {
    "gmail.con": "gmail.com",
    "gmail.co": "gmail.com",
    "gmail.cm": "gmail.com",
    "gmail.vn": "gmail.com",
    "gmail.com.vn": "gmail.com",
    "gamil.com": "gmail.com",
    "gmai.com": "gmail.com",
    "gmial.com": "gmail.com",
    "gmal.com": "gmail.com",
    "gnail.com": "gmail.com",
    "yaho.com": "yahoo.com",
    "yahoo.con": "yahoo.com",
    "yahoo.cm": "yahoo.com",
    "hotmail.con": "hotmail.com",
}


def email_address(cell: Cell) -> tuple[str | None, tuple[Said, ...]]:
    """An address with its domain in small letters; only the first when several are written."""
    text = cell_text(cell).removeprefix("mailto:").strip(" <>;,")
    if says_nothing(text):
        return None, ()
    several = [part for part in re.split(r"[;,\s/]+", text) if part]
    notes: tuple[Said, ...] = ()
    if len(several) > 1 and all("@" in part for part in several):
        text = several[0]
        notes = (Said.of(N_("Ô có nhiều địa chỉ e-mail, đã lấy %(kept)s."), kept=text),)
    text = text.rstrip(".")
    _check_email(text)
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}", notes


def _check_email(text: str) -> None:
    _, at, domain = text.rpartition("@")
    if not at:
        raise CellFault(N_("E-mail “%(text)s” thiếu ký tự @."), text=text[:60])
    if text.count("@") > 1:
        raise CellFault(N_("E-mail “%(text)s” có hai ký tự @."), text=text[:60])
    if " " in text:
        raise CellFault(N_("E-mail “%(text)s” có dấu cách ở giữa."), text=text[:60])
    if "," in text:
        raise CellFault(N_("E-mail “%(text)s” có dấu phẩy thay cho dấu chấm."), text=text[:60])
    if not text.isascii():
        raise CellFault(N_("E-mail “%(text)s” có chữ có dấu."), text=text[:60])
    meant = _USUAL_SLIPS.get(domain.lower())
    if meant:
        raise CellFault(
            N_("E-mail “%(text)s” có lẽ gõ nhầm đuôi: @%(meant)s chăng?"),
            text=text[:60],
            meant=meant,
        )
    local = text.rpartition("@")[0]
    dots_wrong = ".." in text or local.startswith(".") or local.endswith(".")
    if dots_wrong or not _EMAIL.match(text):
        raise CellFault(
            N_("E-mail “%(text)s” sai dạng. Hãy ghi như ten@coquan.vn hoặc để trống."),
            text=text[:60],
        )


_CODE = re.compile(r"^[\w./\-]{1,32}$")


def code(cell: Cell) -> str | None:
    """A code as one word; codes are compared without regard to case and marks."""
    text = cell_text(cell).replace(" ", "")
    if says_nothing(text):
        return None
    if not _CODE.match(text):
        raise CellFault(
            N_("Mã “%(text)s” chỉ được có chữ, số, dấu chấm, gạch nối và dài tối đa 32 ký tự."),
            text=text[:60],
        )
    return text


def household_number(cell: Cell) -> str | None:
    """A household's number as written on its door or list: “Hộ số 12” is 12."""
    text = re.sub(r"^(?:hộ\s*)?(?:số\s*)?(?=[\w])", "", cell_text(cell), flags=re.IGNORECASE)
    return code(text)


_YES = frozenset({"x", "xx", "v", "co", "1", "true", "yes", "y", "mien", "duoc mien", "dang mien"})
_NO = frozenset({"0", "o", "no", "n", "false", "khong", "khong mien", "het mien", "chua mien"})
_EXEMPT_WORDS = ("mien sinh hoat", "mien sh", "mien cong tac", "dien mien", "mien ct")
_REASONS = (
    "om", "benh", "tuoi cao", "cao tuoi", "gia yeu", "suc khoe", "thai san", "sinh con",
    "nuoc ngoai", "lam xa", "di xa", "chua benh", "dieu tri", "mat suc", "lao dong",
    "nghi huu", "cho huu", "xa nha",
)  # fmt: skip
REASON_DROPPED = N_("Có ghi lý do miễn: chỉ giữ là diện miễn, không lưu lý do.")
_DECISION = re.compile(
    r"(?:QĐ|QD|NQ|quyết định|nghị quyết|số)[\s.:]*(?:số[\s.:]*)?"
    r"(\d{1,5}(?:\s?[-/]\s?[A-ZĐ][\wĐ]*(?:[-/][\wĐ]+)*)?)",
    re.IGNORECASE,
)
_DATE_IN_TEXT = r"(\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}|\d{1,2}[/.]\d{4}|\d{4})"
_FROM = re.compile(r"(?:từ|tu|kể từ)\s*(?:ngày|tháng|năm|ngay)?\s*" + _DATE_IN_TEXT, re.IGNORECASE)
_UNTIL = re.compile(
    r"(?:đến|den|tới|hết)\s*(?:ngày|tháng|năm|ngay|hết)?\s*" + _DATE_IN_TEXT,
    re.IGNORECASE,
)


def is_yes(cell: Cell) -> bool | None:
    """True for x, có, 1; False for an empty cell, 0, không; None when it says something else."""
    folded = fold(cell_text(cell))
    if folded in _YES:
        return True
    if folded in _NO or says_nothing(folded):
        return False
    return None


def exemption(cell: Cell, today: date) -> tuple[Exemption | None, tuple[Said, ...]]:
    """Whether the person is exempt, with dates and decision where the cell gives them.

    A reason may be written there; it is dropped and the note says so (domain §4.2).
    """
    plain = is_yes(cell)
    if plain is not None:
        return (Exemption() if plain else None), ()
    text = cell_text(cell)
    folded = fold(text)
    if re.match(r"^(?:khong|chua|het|thoi)\b", folded):
        return None, ()
    found = Exemption(
        _date_after(_FROM, text, today, last=False),
        _date_after(_UNTIL, text, today, last=True),
        _decision(text),
    )
    known = found != Exemption() or folded.startswith(("mien", *_EXEMPT_WORDS))
    reason = any(re.search(rf"\b{word}\b", folded) for word in _REASONS)
    if not known and not reason:
        raise CellFault(
            N_(
                "Không hiểu diện miễn “%(text)s”. Hãy ghi x, hoặc “từ 01/01/2026 đến 31/12/2026”, "
                "hoặc để trống."
            ),
            text=text[:60],
        )
    check_exemption(found)
    return found, ((Said(REASON_DROPPED),) if reason else ())


def check_exemption(found: Exemption) -> None:
    """Refuse an exemption that ends before it begins."""
    if found.starts_on and found.ends_on and found.ends_on < found.starts_on:
        raise CellFault(N_("Ngày hết miễn đứng trước ngày bắt đầu miễn. Hãy kiểm tra lại."))


def _decision(text: str) -> str | None:
    found = _DECISION.search(text)
    return re.sub(r"\s", "", found.group(1)) if found else None


def _date_after(pattern: re.Pattern[str], text: str, today: date, *, last: bool) -> date | None:
    found = pattern.search(text)
    if not found:
        return None
    written = found.group(1)
    if re.fullmatch(r"\d{4}", written):
        return date(int(written), 12, 31) if last else date(int(written), 1, 1)
    month_year = re.fullmatch(r"(\d{1,2})[/.](\d{4})", written)
    if not month_year:
        return calendar_date(written, today)
    month, year = int(month_year[1]), int(month_year[2])
    first = _real_date((year, month, 1), written)
    if not last:
        return first
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


_FULL = frozenset({"chinh thuc", "ct", "dvct", "dang vien chinh thuc", "dv chinh thuc"})
_PROBATIONARY = frozenset({"du bi", "db", "dvdb", "dang vien du bi", "dv du bi"})


def probationary(cell: Cell) -> bool | None:
    """True for dự bị, False for chính thức, None when nothing is written."""
    text = cell_text(cell)
    folded = fold(text).strip(". ")
    if says_nothing(text):
        return None
    if folded in _FULL:
        return False
    if folded in _PROBATIONARY:
        return True
    raise CellFault(N_("Không hiểu “%(text)s”. Hãy ghi “chính thức” hoặc “dự bị”."), text=text[:60])
