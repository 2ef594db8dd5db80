"""A mail as bytes: its headers and parts, written as Python's `email` writes them, a hundred times
as fast; tests/gateways/test_mime.py compares the two."""

import re
from base64 import encodebytes
from collections.abc import Sequence
from email.errors import MessageError
from email.header import Header, decode_header, make_header
from email.parser import BytesHeaderParser
from functools import lru_cache

from gateways.errors import GatewayError

CRLF = b"\r\n"
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def part(kind: str, content: bytes, disposition: str = "") -> bytes:
    """One part in base64, whose letters can be no border and no header."""
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
    if disposition:
        head += f"Content-Disposition: {disposition}\r\n"
    return head.encode("ascii") + CRLF + encodebytes(content).replace(b"\n", CRLF)


def text(content: str) -> bytes:
    """A text in UTF-8 whose lines end in CRLF, the last one too."""
    lines = content.encode().splitlines()
    return CRLF.join([*lines, b""])


def parts(kind: str, border: str, several: Sequence[bytes]) -> bytes:
    """Several parts as one; the border begins with `=_`, which base64 never writes."""
    line = f"--{border}".encode("ascii")
    head = f'Content-Type: multipart/{kind}; boundary="{border}"\r\n\r\n'.encode("ascii")
    body = b"".join(line + CRLF + one + CRLF for one in several)
    return head + body + line + b"--" + CRLF


def message(headers: Sequence[tuple[str, str]], content: bytes) -> bytes:
    """The whole mail: its headers, then the part or parts, whose own headers end the mail's.

    Raises GatewayError when the headers, read back by the library, are not those that were given.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"{lines}MIME-Version: 1.0\r\n".encode("ascii")
    read = BytesHeaderParser().parsebytes(head + CRLF)
    if read.keys() != [*(name for name, _ in headers), "MIME-Version"] or read.defects:
        raise GatewayError("Đầu thư đọc lại không khớp: có thể bị chèn dòng.", permanent=True)
    return head + content


@lru_cache(maxsize=1024)
def encoded(header: str, words: str) -> str:
    """Write a header's text in encoded words of our own cutting, and read it back.

    Python 3.11.7's way of folding a long header loses the space between two of them.
    """
    written = Header(words, "utf-8", header_name=header).encode(linesep="\r\n")
    if str(make_header(decode_header(written))) != words:
        raise GatewayError(f"Đầu thư đọc lại không khớp: {words!r}.", permanent=True)
    return written


def hides_a_line(line: str) -> bool:
    """Say whether the line, or what it says once decoded, breaks out of its header.

    Python 3.11.7 turns an encoded word with a line end in it into a second header (CVE-2024-6923).
    """
    if "=?" in line:
        try:
            line += str(make_header(decode_header(line)))
        except (MessageError, LookupError, ValueError):
            return True
    return _BREAKS.search(line) is not None
