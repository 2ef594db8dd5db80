"""What anybody would try first is refused; a sentence is not."""

import pytest

from rules.passwords import is_easy

_EASY = """
password12 password123! P@ssw0rd2026 1234567890 0987654321 qwertyuiop qwerty123456
1q2w3e4r5t abcdefghij aaaaaaaaaa abcabcabcabc iloveyou123 matkhau123 matkhau2026 MatKhau@123
admin123456 Admin@2026 administrator quantri123 welcome2026 letmein12345 vietnam2026
VietNam@123 hanoi123456 tuyenhuan1 tuyenhuan@2026 danguy2026 dangvien123 chibo12345
12341234123 1qaz2wsx3edc asdfghjkl1 zxcvbnm123 111111111111 anhyeuem123 changeme123
superadmin1 passwordpassword 00000000000 football2024 facebook123 canbo123456 xinchao123
chao123456789 abc123456789 test123456 nguyenvanan1 an@test.invalid
"""
GOOD = [
    "sáng nay ra chợ mua rau",
    "con mèo trèo cây cau",
    "tau-hoa-xanh-leo-nui-7",
    "Wq8#vLr2!zKp",
    "cây bàng trước ngõ rụng lá",
    "correct horse battery",
    "hoa gao no thang ba",
]


@pytest.mark.parametrize("password", _EASY.split())
def test_what_is_tried_first_is_easy(password: str) -> None:
    assert is_easy(password, "Nguyễn Văn An", "nguyenvanan@test.invalid", "an@test.invalid")


@pytest.mark.parametrize("password", GOOD)
def test_a_sentence_is_not_easy(password: str) -> None:
    assert not is_easy(password, "Nguyễn Văn An", "an@test.invalid")
