"""A mail server on loopback that writes down what it takes, and misbehaves as it is told.

`XFAULT hang=0.01 greylist=0.1` on a connection of its own sets the faults from then on, by their
share of messages; `XFAULT` alone ends them. Whatever is taken is one line of the record: the time
(monotonic seconds), the Message-ID, the recipient and a digest of the bytes.
"""

import asyncio
import hashlib
import os
import random
import re
import smtplib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FAULTS = {
    "greylist",  # 451 at RCPT
    "refuse",  # 550 at RCPT
    "closing",  # 421 at MAIL, and the connection ends
    "drop_mid_data",  # the connection ends before the last byte is read
    "drop_before_250",  # the message is taken, and the connection ends without a word
    "hang",  # the message is not taken, and nothing is ever answered
    "drip",  # MAIL is answered by line after line that never ends
    "auth",  # 535 to every sign-in
}
USUAL_FAULTS = {
    "greylist": 0.1,
    "drop_before_250": 0.01,
    "drop_mid_data": 0.01,
    "hang": 0.002,
    "closing": 0.02,
    "refuse": 0.02,
}
_MESSAGE_ID = re.compile(rb"^Message-ID: *(<[^>]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Taken:
    """One message that the server took: when, which, to whom, and its bytes' digest."""

    at: float
    message_id: str
    recipient: str
    digest: str


class Sink:
    """The server's state: its faults, its record, and how often each fault struck."""

    def __init__(self, record: Path, ack_seconds: float, seed: int) -> None:
        self._ack_seconds = ack_seconds
        self._random = random.Random(seed)
        self._faults: Mapping[str, float] = {}
        self._struck: Counter[str] = Counter()
        self._counts = record.with_suffix(".faults")
        self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP with one client until it or a fault ends the connection."""
        try:
            await _say(writer, "220 sink.invalid ESMTP")
            recipient = ""
            while line := await reader.readline():
                command = line.decode(errors="replace").strip()
                verb = command[:4].upper()
                if verb == "QUIT":
                    await _say(writer, "221 bye")
                    return
                if verb == "RCPT":
                    recipient = command.partition("<")[2].partition(">")[0]
                if not await self._answer(verb, command, recipient, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(
        self,
        verb: str,
        command: str,
        recipient: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Answer one command; False ends the connection."""
        if verb == "DATA":
            return await self._take(recipient, reader, writer)
        if verb == "MAIL" and self._strikes("closing"):
            await _say(writer, "421 4.3.2 closing")
            return False
        if verb == "MAIL" and self._strikes("drip"):
            while True:
                await _say(writer, "250-wait")
                await asyncio.sleep(0.05)
        if command.upper().startswith("XFAULT"):
            pairs = (word.partition("=") for word in command.split()[1:])
            self._faults = {name: float(share) for name, _, share in pairs}
        await _say(writer, self._reply(verb))
        return True

    def _reply(self, verb: str) -> str:
        if verb == "EHLO":
            return "250-sink.invalid\r\n250-AUTH PLAIN\r\n250 8BITMIME"
        if verb == "AUTH":
            return "535 5.7.8 wrong" if self._strikes("auth") else "235 2.7.0 welcome"
        if verb == "RCPT" and self._strikes("greylist"):
            return "451 4.7.1 try again later"
        if verb == "RCPT" and self._strikes("refuse"):
            return "550 5.1.1 no such user"
        return "250 2.0.0 yes"

    async def _take(
        self, recipient: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        await _say(writer, "354 go on")
        if self._strikes("drop_mid_data"):
            await reader.readline()
            return False
        content = await reader.readuntil(b"\r\n.\r\n")
        if self._strikes("hang"):
            await asyncio.sleep(3600)
        found = _MESSAGE_ID.search(content)
        name = found[1].decode() if found else "-"
        digest = hashlib.sha256(content).hexdigest()[:16]
        line = f"{time.monotonic()} {name} {recipient} {digest}\n"
        os.write(self._record, line.encode())
        if self._strikes("drop_before_250"):
            return False
        if self._ack_seconds:
            await asyncio.sleep(self._ack_seconds)
        await _say(writer, "250 2.0.0 taken")
        return True

    def _strikes(self, fault: str) -> bool:
        share = self._faults.get(fault, 0.0)
        if not share or self._random.random() >= share:
            return False
        self._struck[fault] += 1
        self._counts.write_text("\n".join(f"{name} {n}" for name, n in self._struck.items()))
        return True


async def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\r\n".encode())
    await writer.drain()


def run_sink(port: int, record: Path, ack_seconds: float, seed: int) -> None:
    """Serve until the process is ended."""

    async def forever() -> None:
        sink = Sink(record, ack_seconds, seed)
        server = await asyncio.start_server(sink.serve, "127.0.0.1", port, limit=2**22)
        await server.serve_forever()

    asyncio.run(forever())


def set_faults(port: int, faults: Mapping[str, float]) -> None:
    """Tell a running sink how to misbehave from now on."""
    if wrong := set(faults) - FAULTS:
        raise ValueError(f"no such fault: {wrong}")
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as connection:
        connection.docmd("XFAULT", " ".join(f"{name}={share}" for name, share in faults.items()))


def taken(record: Path) -> list[Taken]:
    """Give what the server took so far, oldest first."""
    if not record.exists():
        return []
    words = (line.split(" ") for line in record.read_text().splitlines())
    return [Taken(float(at), name, to, digest) for at, name, to, digest in words]


def struck(record: Path) -> dict[str, int]:
    """Give how often each fault struck."""
    counts = record.with_suffix(".faults")
    if not counts.exists():
        return {}
    pairs = (line.split(" ") for line in counts.read_text().splitlines())
    return {name: int(number) for name, number in pairs}
