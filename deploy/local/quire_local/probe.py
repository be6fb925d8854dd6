"""Is somebody there, and ready? Each probe answers within a second and never raises for a server that is not there yet."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

from quire_local.ports import HOST

Probe = Callable[[], Awaitable[bool]]
PROBE_TIMEOUT_S = 1.0

API_VERSIONS = struct.pack(">hhih5s", 18, 0, 1, 5, b"quire")
"""Kafka's ApiVersions request: key 18, version 0, correlation id 1, client id."""


async def exchange(port: int, request: bytes, answer_bytes: int) -> bytes | None:
    """The first bytes of the answer to a request, None where nobody answers."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                return await reader.readexactly(answer_bytes)
            finally:
                writer.close()
    except (OSError, EOFError):  # TimeoutError is an OSError
        return None


async def http_status(port: int, path: str = "/") -> int | None:
    """The status code of a GET, None where nobody answers in HTTP."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    answer = await exchange(port, request.encode(), len(b"HTTP/1.1 200"))
    return int(answer[9:]) if answer and answer.startswith(b"HTTP/1.") and answer[9:].isdigit() else None


async def kafka_answers(port: int) -> bool:
    """A broker takes requests on its client listener only once it is registered and has caught up."""
    answer = await exchange(port, struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS, 10)
    return answer is not None and struct.unpack(">ih", answer[4:10]) == (1, 0)
