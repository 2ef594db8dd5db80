"""Results of a class: words as they are typed, lists as they are pasted, absence that only warns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rules.paper import signature_columns
from rules.refusals import N_, Malformed
from rules.text import clean, fold

RESULTS = ("excellent", "good", "fair", "passed", "failed")
LABELS = {
    "excellent": N_("Xuất sắc"),
    "good": N_("Giỏi"),
    "fair": N_("Khá"),
    "passed": N_("Đạt"),
    "failed": N_("Không đạt"),
}
_WORDS = {
    "xuat sac": "excellent",
    "xs": "excellent",
    "x": "excellent",
    "gioi": "good",
    "g": "good",
    "kha": "fair",
    "k": "fair",
    "dat": "passed",
    "d": "passed",
    "trung binh": "passed",
    "khong dat": "failed",
    "kd": "failed",
    "o": "failed",
}
MOST_LINES = 2_000
MOST_TOLD = 8


@dataclass(frozen=True)
class Learner:
    """Whom a pasted line may mean."""

    person_id: int
    code: str
    name: str


@dataclass(frozen=True)
class Pasted:
    """One line understood: whose result, and the certificate's number if one was given."""

    person_id: int
    result: str
    certificate_number: str


def result_of(text: str) -> str | None:
    """The result a word or its first letters stand for; "" for none; None when not understood."""
    word = fold(text)
    if not word:
        return ""
    return _WORDS.get(word)


def pasted_results(text: str, learners: Sequence[Learner]) -> list[Pasted]:
    """Lines copied from a spreadsheet: code or full name, result, and a certificate's number.

    Columns are parted by tabs or semicolons. A line that is not understood refuses them all, so
    nothing is half-written; the sentence names the first few lines and what is wrong with each.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines or len(lines) > MOST_LINES:
        raise Malformed(
            N_("Hãy dán từ 1 đến %(most)s dòng, mỗi học viên một dòng."), most=MOST_LINES
        )
    by_code = {fold(one.code): one for one in learners}
    by_name: dict[str, list[Learner]] = {}
    for one in learners:
        by_name.setdefault(fold(one.name), []).append(one)
    found: list[Pasted] = []
    wrong: list[str] = []
    for number, line in lines:
        columns = [clean(part) for part in line.replace(";", "\t").split("\t")]
        meant = _meant(columns[0], by_code, by_name)
        result = result_of(columns[1]) if len(columns) > 1 else None
        if len(meant) != 1 or result is None:
            wrong.append(f"{number} ({columns[0][:40]})")
        else:
            number_given = columns[2][:60] if len(columns) > 2 else ""
            found.append(Pasted(meant[0].person_id, result, number_given))
    if wrong:
        raise Malformed(
            N_(
                "Chưa hiểu dòng %(lines)s: mỗi dòng cần mã hoặc họ tên của đúng một học viên, rồi "
                "kết quả (xuất sắc, giỏi, khá, đạt, không đạt). Chưa ghi gì; hãy sửa rồi dán lại."
            ),
            lines=", ".join(wrong[:MOST_TOLD]) + (" …" if len(wrong) > MOST_TOLD else ""),
        )
    return found


def _meant(
    text: str, by_code: Mapping[str, Learner], by_name: Mapping[str, list[Learner]]
) -> list[Learner]:
    key = fold(text)
    return [by_code[key]] if key in by_code else by_name.get(key, [])


def is_absent_too_often(attended: int, held: int, most_percent: int) -> bool:
    """Absent from more than so many percent of the sittings held; it warns and decides nothing."""
    return (held - attended) * 100 > most_percent * held


def half_days(sittings: Iterable[tuple[datetime, datetime]]) -> int:
    """How many half-days (buổi: morning, afternoon, evening) the sittings run into."""
    return sum(len(signature_columns(starts_at, ends_at)) for starts_at, ends_at in sittings)


def usual_periods(periods: int, sittings: int) -> int | None:
    """The periods (tiết) of one sitting of a kind of class, as its programme has them: 50 periods
    in 10 half-days are 5 each (Guidance 61-HD/BTGTW). None when the programme does not say.
    """
    return periods // sittings or None if periods > 0 and sittings > 0 else None


def periods_shared(periods: int, sittings: int) -> list[int | None]:
    """A class's periods over its sittings, evenly; the first ones get one more."""
    if periods <= 0 or sittings <= 0:
        return [None] * max(sittings, 0)
    share, rest = divmod(periods, sittings)
    return [share + (place < rest) for place in range(sittings)]


def certificate_numbers(first: int, suffix: str, count: int) -> list[str]:
    """Running numbers as a register has them: 07/GCN, 08/GCN …"""
    suffix = clean(suffix)
    if not 1 <= first <= 99_999 or len(suffix) > 40:
        raise Malformed(N_("Số đầu phải từ 1 đến 99.999, ký hiệu không quá 40 ký tự."))
    return [f"{number:02}{suffix}" for number in range(first, first + count)]
