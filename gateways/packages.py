"""Zip packages of unknown origin (workbooks, documents): their shape and size, before any is parsed."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from rules.refusals import Malformed

_RATIO_MATTERS_FROM = 1_000_000
_CHUNK = 1 << 18
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,  # raised by zipfile for a compression it does not know
)
"""What the reading of a damaged package raises."""


@dataclass(frozen=True)
class Limits:
    """How many entries a package may have, how large it may unpack, and how many times larger."""

    entries: int
    unpacked_bytes: int
    ratio: int


@dataclass(frozen=True)
class Sentences:
    """What is said of a package that unpacks too large, is damaged, or declares XML entities."""

    bomb: str
    broken: str
    dtd: str


def check_package(
    entries: list[zipfile.ZipInfo], raw: IO[bytes], limits: Limits, said: Sentences
) -> None:
    """Look at every entry and unpack it once, keeping nothing: sizes stated in a file may lie.

    Raises `Malformed` with one of the sentences, or one of `BROKEN_ZIP`.
    """
    _refuse_dangerous_shape(entries, raw, limits, said)
    total = 0
    for entry in entries:
        total = _unpack(entry, raw, total, limits, said)


def _refuse_dangerous_shape(
    entries: list[zipfile.ZipInfo], raw: IO[bytes], limits: Limits, said: Sentences
) -> None:
    """Too many entries, the same name twice, entries that share bytes, strange compression."""
    if len(entries) > limits.entries or len({e.filename for e in entries}) < len(entries):
        raise Malformed(said.bomb)
    if sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
        raise Malformed(said.bomb)
    end_of_last = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Malformed(said.broken)
        if entry.header_offset < end_of_last:
            raise Malformed(said.bomb)
        end_of_last = _data_offset(entry, raw) + entry.compress_size


def _data_offset(entry: zipfile.ZipInfo, raw: IO[bytes]) -> int:
    raw.seek(entry.header_offset)
    header = raw.read(30)
    if header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("no local header")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    return entry.header_offset + 30 + int(name_length) + int(extra_length)


def _unpack(
    entry: zipfile.ZipInfo, raw: IO[bytes], total: int, limits: Limits, said: Sentences
) -> int:
    """Unpack one entry; the bytes unpacked of all entries so far."""
    size = 0
    tail = b""
    is_xml = entry.filename.lower().endswith((".xml", ".rels"))
    for chunk in _chunks(entry, raw):
        if is_xml and size == 0 and _is_wide(chunk):
            raise Malformed(said.dtd)
        size += len(chunk)
        total += len(chunk)
        if total > limits.unpacked_bytes:
            raise Malformed(said.bomb)
        if size > _RATIO_MATTERS_FROM and size > limits.ratio * max(entry.compress_size, 1):
            raise Malformed(said.bomb)
        if is_xml:
            seen = tail + chunk
            if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
                raise Malformed(said.dtd)
            tail = chunk[-16:]
    return total


def _is_wide(chunk: bytes) -> bool:
    """XML in two-byte letters would hide a declaration from the search; no program writes it."""
    return chunk[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in chunk[:4]


def _chunks(entry: zipfile.ZipInfo, raw: IO[bytes]) -> Iterator[bytes]:
    offset, left = _data_offset(entry, raw), entry.compress_size
    raw.seek(offset)
    unpack = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0:
        packed = raw.read(min(_CHUNK, left))
        if not packed:
            raise zipfile.BadZipFile("truncated")
        left -= len(packed)
        if unpack is None:
            yield packed
            continue
        while packed:
            plain = unpack.decompress(packed, _CHUNK)
            packed = unpack.unconsumed_tail
            if plain:
                yield plain
