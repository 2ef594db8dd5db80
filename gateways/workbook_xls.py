"""Where formulas stand in an old .xls workbook: its compound file and records, read just for that."""

import struct
from collections.abc import Iterator

_END = 0xFFFFFFFA
_BOUNDSHEET, _FORMULA, _EOF = 0x0085, 0x0006, 0x000A
_STREAMS = ("Workbook", "Book")


def xls_formulas(content: bytes, sheet: str) -> list[tuple[int, int]]:
    """The places (row, column) from 0 of the sheet's formulas; none when the file is unusual."""
    try:
        stream = _workbook_stream(content)
        return list(_formulas(stream, sheet))
    except (struct.error, IndexError, ValueError):
        return []


def _workbook_stream(content: bytes) -> bytes:
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    if size not in (512, 4096):
        raise ValueError("an unusual sector size")
    table = _allocation_table(content, size)
    directory = _chain(content, table, struct.unpack_from("<I", content, 48)[0], size)
    for at in range(0, len(directory), 128):
        entry = directory[at : at + 128]
        length = struct.unpack_from("<H", entry, 64)[0]
        name = entry[: max(length - 2, 0)].decode("utf-16-le", "replace")
        if name in _STREAMS:
            start, stream_size = struct.unpack_from("<II", entry, 116)
            return _chain(content, table, start, size)[:stream_size]
    raise ValueError("no workbook stream")


def _allocation_table(content: bytes, size: int) -> list[int]:
    heads = list(struct.unpack_from("<109I", content, 76))
    following, count = struct.unpack_from("<II", content, 68)
    for _ in range(min(count, 1000)):
        if following >= _END:
            break
        part = struct.unpack_from(f"<{size // 4}I", content, (following + 1) * size)
        heads.extend(part[:-1])
        following = part[-1]
    table: list[int] = []
    for head in heads:
        if head < _END:
            table.extend(struct.unpack_from(f"<{size // 4}I", content, (head + 1) * size))
    return table


def _chain(content: bytes, table: list[int], sector: int, size: int) -> bytes:
    parts: list[bytes] = []
    while sector < _END and len(parts) <= len(table):
        parts.append(content[(sector + 1) * size : (sector + 2) * size])
        sector = table[sector]
    return b"".join(parts)


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records from a place up to the end of their substream."""
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        if kind == _EOF:
            return
        at += 4 + length


def _formulas(stream: bytes, sheet: str) -> Iterator[tuple[int, int]]:
    for kind, data in _records(stream, 0):
        if kind == _BOUNDSHEET and _sheet_name(data) == sheet:
            for inner, cell in _records(stream, struct.unpack_from("<I", data, 0)[0]):
                if inner == _FORMULA:
                    row, column = struct.unpack_from("<HH", cell, 0)
                    yield int(row), int(column)


def _sheet_name(data: bytes) -> str:
    letters, wide = data[6], data[7] & 1
    return data[8 : 8 + letters * (2 if wide else 1)].decode("utf-16-le" if wide else "latin-1")
