"""Which passwords are too easy: what anybody would try first, worked out by rule, not by a list."""

import re
from functools import lru_cache

AT_LEAST = 10
AT_MOST = 200
_WORDS = """
    password passwd pass matkhau mat khau admin administrator quantri quan tri root user
    nguoidung welcome xinchao chao hello letmein login dangnhap dang nhap secret bimat bi
    mat changeme doimat vietnam viet nam hanoi saigon langson danang hochiminh tuyenhuan
    tuyen huan tuyengiao giao danguy dang uy chibo chi bo dangvien vien nghiquyet quyet
    canbo can thanhuy thanh phuong xa iloveyou anhyeuem yeu em anh love master monkey dragon
    football bongda bong da sunshine princess summer winter spring autumn monday friday
    january computer maytinh may tinh internet samsung iphone google facebook zalo gmail
    test thu demo default macdinh temp guest khach super abc xyz mot hai ba bon nam sau bay
    tam chin muoi one two three the my your this is it me
"""
WORDS = frozenset(_WORDS.split())
"""What people type when asked for a password, in both languages, without marks."""
WALKS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujm",
)
LETTERS = str.maketrans("013457@$!|", "oleastasil")
SHORTEST_WALK = 4


def is_easy(password: str, *about: str) -> bool:
    """Whether what remains is nothing once easy parts are taken out.

    Easy parts: common words (also with digits for letters), walks over the keyboard either way,
    repeats, years and dates, and the person's own name or address (`about`). Ten characters of
    anything else are asked for; a sentence has them by itself.
    """
    text = password.lower()
    own = [word for name in about for word in re.split(r"[\W_]+", name.lower()) if len(word) > 2]
    return any(len(set(left)) < 4 or len(left) < 5 for left in _leftovers(text, tuple(own)))


def _leftovers(text: str, own: tuple[str, ...]) -> list[str]:
    """What is left of the text as typed, and with digits read as the letters they stand for."""
    left = []
    for form in {text, text.translate(LETTERS)}:
        rest = form
        for word in sorted((*own, *_long_words()), key=len, reverse=True):
            rest = rest.replace(word, "·")
        rest = _without_walks(rest)
        rest = re.sub(r"(.{1,6}?)\1{2,}", r"\1", rest)
        rest = re.sub(r"(?:19|20)\d\d", "", rest)
        left.append(re.sub(r"[\W_]+", "", rest))
    return left


@lru_cache(maxsize=1)
def _long_words() -> tuple[str, ...]:
    return tuple(word for word in WORDS if len(word) > 2)


def _without_walks(text: str) -> str:
    for walk in (*WALKS, *(walk[::-1] for walk in WALKS)):
        for length in range(len(walk), SHORTEST_WALK - 1, -1):
            for start in range(len(walk) - length + 1):
                text = text.replace(walk[start : start + length], "")
    return text
