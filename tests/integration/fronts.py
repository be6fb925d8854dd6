"""What stands in front of a notifier: small proxies that look at the head of a request, one for each connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

Route = Callable[[bytes], tuple[bytes, str] | None]
"""From a request's head to the head that is passed on, and the address it goes to; None: refused with a page of HTML."""


@asynccontextmanager
async def passing(route: Route) -> AsyncIterator[str]:
    """Yields the proxy's address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = route(await reader.readuntil(b"\r\n\r\n"))
        if passed is None:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        head, url = passed
        inner, outer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        outer.write(head if b"upgrade: websocket" in head.lower() else _alone(head))
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _alone(head: bytes) -> bytes:
    """It is the only request of its connection."""
    return head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1).replace(b"Connection: keep-alive\r\n", b"")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
