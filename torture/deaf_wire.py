"""A wire to a server that goes deaf: bytes are taken and never passed on, and nobody hangs up.

What lies between two machines does that when it forgets a connection. Every connection that exists
when the number in the file `deaf` grows is deaf from then on; what is opened later works.
"""

import asyncio
import contextlib
from pathlib import Path


def run_wire(port: int, server_port: int, deaf: Path) -> None:
    """Carry connections at `port` to `server_port` until the process is ended."""
    asyncio.run(_Wire(server_port, deaf).serve(port))


def times_deaf(deaf: Path) -> int:
    """How often the wire has gone deaf; the file grows by a byte each time."""
    return deaf.stat().st_size if deaf.exists() else 0


class _Wire:
    def __init__(self, server_port: int, deaf: Path) -> None:
        self.server_port, self.deaf = server_port, deaf
        # Whoever is deaf must stay so: a task that nobody holds would be ended, and hang up.
        self.held: list[asyncio.StreamWriter] = []

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self.carry, "127.0.0.1", port)
        await server.serve_forever()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions of one connection."""
        born = times_deaf(self.deaf)
        there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        self.held += [writer, back]
        await asyncio.gather(self._flow(reader, back, born), self._flow(there, writer, born))

    async def _flow(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, born: int
    ) -> None:
        """Pass bytes on; once deaf, swallow them, the end of the conversation included."""
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if times_deaf(self.deaf) == born:
                    target.write(data)
                    await target.drain()
        if times_deaf(self.deaf) == born:
            target.close()
