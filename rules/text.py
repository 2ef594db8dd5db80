"""How names are cleaned, searched and sorted the Vietnamese way."""

import re
import unicodedata

_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
_LOOKALIKES_OF_D = str.maketrans({"ð": "d", "ɖ": "d", "đ": "d"})
_LOOKALIKES_OF_D_WITH_STROKE = str.maketrans({"ð": "đ", "ɖ": "đ"})

# The letters f, j, w and z are not Vietnamese; they stand where a reader of Latin script looks.
_ALPHABET = "0123456789aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_WORD_BREAK = "01"
_LETTER_CODES = {letter: f"{place:02d}" for place, letter in enumerate(_ALPHABET, start=2)}
_TONES = {"\u0300": 1, "\u0309": 2, "\u0303": 3, "\u0301": 4, "\u0323": 5}
_QUALITY_MARKS = frozenset("\u0306\u0302\u031b")


def clean(text: str) -> str:
    """The text as it is stored: NFC, one space between words, nothing invisible.

    Control, bidirectional and zero-width characters and lone surrogates are removed; every kind
    of white space, line breaks included, counts as a space.
    """
    # Printable text holds nothing to drop; rosters of 100.000 rows come through here.
    visible = text
    if not text.isprintable():
        visible = "".join(
            letter
            for letter in text
            if letter.isspace() or unicodedata.category(letter) not in _DROPPED_CATEGORIES
        )
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def fold(text: str) -> str:
    """The search key: small letters without marks, đ as d, so that hoà = hòa = HOA."""
    small = clean(text).lower().translate(_LOOKALIKES_OF_D)
    decomposed = unicodedata.normalize("NFD", small)
    bare = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    return " ".join(bare.split())


def matches(query: str, folded_name: str) -> bool:
    """Whether each word of the query begins some word of the name, in any order.

    `folded_name` has been through `fold`; the query is as typed. An empty query matches all.
    """
    names = folded_name.split()
    return all(any(name.startswith(word) for name in names) for word in fold(query).split())


def split_full_name(full_name: str) -> tuple[str, str]:
    """Family and middle names, and the given name, which is the last word."""
    family_and_middle, _, given = clean(full_name).rpartition(" ")
    return family_and_middle, given


def name_sort_key(family_and_middle: str, given: str) -> str:
    """A string of digits that puts names in Vietnamese order: given name, then family name.

    Digits compare alike in every database and every collation. A difference of letters outranks
    a difference of tones; the tone belongs to the whole word, so hoà and hòa stand together.
    """
    return _part_key(given) + _part_key(family_and_middle)


def _part_key(part: str) -> str:
    letters: list[str] = []
    tones: list[str] = []
    for word in re.split(r"[\s\-–.,]+", clean(part).lower()):
        if word:
            word_letters, tone = _word_key(word)
            letters.append(word_letters)
            tones.append(str(tone))
    return _WORD_BREAK.join(letters) + "00" + "".join(tones)


def _word_key(word: str) -> tuple[str, int]:
    codes: list[str] = []
    tone = 0
    for letter in word.translate(_LOOKALIKES_OF_D_WITH_STROKE):
        decomposed = unicodedata.normalize("NFD", letter)
        base, marks = decomposed[0], decomposed[1:]
        tone = next((_TONES[mark] for mark in marks if mark in _TONES), tone)
        tone = _TONES.get(base, tone)
        quality = "".join(mark for mark in marks if mark in _QUALITY_MARKS)
        codes.append(_letter_code(unicodedata.normalize("NFC", base + quality), base))
    return "".join(codes), tone


def _letter_code(letter: str, base: str) -> str:
    known = _LETTER_CODES.get(letter) or _LETTER_CODES.get(base)
    if known:
        return known
    return f"99{ord(base):07d}" if base.isalnum() else ""
