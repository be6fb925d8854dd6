"""A gate before the S3 server of the stack, with the habits of other stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Headers = dict[str, str]


@dataclass
class Gate:
    """`refuse` gets method, path with query, and headers in lower case; it names the error that the store shall answer with
    (status, code), or None. `hide`: the error instead of a 404. `drop`: a header that the store ignores. `seen` are all requests.
    """

    refuse: Callable[[str, str, Headers], tuple[int, str] | None] = lambda *_: None
    hide: tuple[int, str] | None = None
    drop: str = ""
    seen: list[str] = field(default_factory=list)
    endpoint: str = ""

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").rstrip().split("\r\n")
            method, path, _ = line.split(" ")
            headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.seen.append(f"{method} {path}")
            refusal = self.refuse(method, path, headers)
            answer = said(method, refusal) if refusal else await self._upstream(line, fields, body, port)
            if self.hide and is_object(path) and answer.startswith(b"HTTP/1.1 404"):
                answer = said(method, self.hide)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def _upstream(self, line: str, fields: list[str], body: bytes, port: int) -> bytes:
        kept = [each for each in fields if each.partition(":")[0].lower() not in {"connection", self.drop}]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join([line, *kept, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = await reader.read(-1)
        writer.close()
        return answer


def is_object(path: str) -> bool:
    return "/" in path.partition("?")[0].strip("/")


def said(method: str, refusal: tuple[int, str]) -> bytes:
    status, code = refusal
    body = b"" if method == "HEAD" else f"<Error><Code>{code}</Code><Message>as the gate was told</Message></Error>".encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def gated(stack: Any, **habits: Any) -> AsyncIterator[Gate]:
    gate = Gate(**habits)
    port = urlsplit(stack.backing.s3_endpoint).port
    assert port is not None
    server = await asyncio.start_server(lambda reader, writer: gate.pass_on(reader, writer, port), "127.0.0.1", 0)
    async with server:
        gate.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield gate
