"""HTTP as uvicorn speaks it, but head and body of an answer leave in one piece: half the system calls and wake-ups."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD: Final = b"HTTP/1.1 "


class JoinedTransport:
    """A transport that holds the head of an answer until its body comes, or the loop's next turn where none does."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        """Leave the rest to the transport."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold a head."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close behind what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        """Write the head that waits, if one does."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class HttpProtocol(HttpToolsProtocol):
    """A connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin."""
        super().connection_made(JoinedTransport(transport))  # type: ignore[arg-type] # it has all that is used
