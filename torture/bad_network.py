"""What lies between a phone and the server: answers that are lost, doubled requests, foreign answers."""

import asyncio
import contextlib
import os
import random
from pathlib import Path

LOST, NEVER_SENT, TWICE = 0.08, 0.01, 0.03
FOREIGN = {
    b"401 Unauthorized": 0.02,
    b"409 Conflict": 0.01,
    b"429 Too Many Requests": 0.02,
    b"503 Service Unavailable": 0.05,
    b"200 OK": 0.01,  # the sign-in page of somebody's free Wi-Fi
}
PAGE = b"<!doctype html><title>Wi-Fi</title>"


def run_network(port: int, server_port: int, record: Path, calm: Path, seed: int) -> None:
    """Listen at `port` and pass on to `server_port`, badly, until the file `calm` is there.

    Each answer of the server and each fault is a letter in `record`: "v" an answer passed on, "l"
    one lost, "n" a request that never went out, "2" one sent twice, "f" a foreign answer.
    """
    asyncio.run(_Network(server_port, record, calm, seed).serve(port))


class _Network:
    def __init__(self, server_port: int, record: Path, calm: Path, seed: int) -> None:
        self.server_port, self.calm = server_port, calm
        self.chance = random.Random(seed)
        self.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self.carry, "127.0.0.1", port)
        await server.serve_forever()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer, or what becomes of it."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            writer.write(await self.answer(head + await reader.readexactly(length)))
            await writer.drain()
        writer.close()

    async def answer(self, request: bytes) -> bytes:
        """What the phone gets to see; nothing at all when it is lost."""
        fate = 1.0 if self.calm.exists() else self.chance.random()
        for status, share in FOREIGN.items():
            if 0 <= fate < share:
                self._note(b"f")
                kind = b"Content-Type: text/html\r\nContent-Length: %d" % len(PAGE)
                return b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, kind, PAGE)
            fate -= share
        if 0 <= fate < NEVER_SENT:
            self._note(b"n")
            return b""
        fate -= NEVER_SENT
        if 0 <= fate < TWICE:
            self._note(b"2")
            answers = await asyncio.gather(self._passed_on(request), self._passed_on(request))
            return answers[0] or answers[1]
        found = await self._passed_on(request)
        is_lost = 0 <= fate - TWICE < LOST
        self._note(b"l" if is_lost else b"v" if found.startswith(b"HTTP/1.1 200") else b"-")
        return b"" if is_lost else found

    async def _passed_on(self, request: bytes) -> bytes:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
            writer.write(request)
            await writer.drain()
            answer = await reader.read()
            writer.close()
        except OSError:
            return b""
        return answer

    def _note(self, letter: bytes) -> None:
        os.write(self.record, letter)
