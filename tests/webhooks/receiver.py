"""A real HTTP receiver that notes what it gets and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the body after the reference library has verified its signature."""
        event: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return event

    @property
    def event_id(self) -> int:
        return int(self.headers["webhook-id"].removeprefix("evt_"))


@dataclass(slots=True)
class Receiver:
    """Listens on 127.0.0.1 between `start` and `stop`; keeps its port."""

    tls: ssl.SSLContext | None = None
    #: Status line and headers, then what to send as the body, again and again where `endless`.
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    endless: bytes = b""
    #: Answers wait for it.
    released: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook?from=risk"

    def says(self, status: int, *headers: str) -> None:
        """Answer so from now on."""
        self.answer = "\r\n".join((f"HTTP/1.1 {status} -", "Content-Length: 0", *headers, "", "")).encode()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while True:
                self.got.append(await _read(reader))
                await self.released.wait()
                writer.write(self.answer)
                while self.endless:
                    writer.write(self.endless)
                    await writer.drain()
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Give a receiver that answers 204 at once."""
    receiver = Receiver(tls)
    receiver.released.set()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Received(first.split(" ")[1], headers, await reader.readexactly(int(headers["content-length"])))
