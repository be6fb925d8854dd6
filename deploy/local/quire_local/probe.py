"""Probes that tell whether a server is ready. Each answers within a second by default and does not raise while no server is
there.
"""

from __future__ import annotations

import asyncio
import struct

from quire_local.ports import HOST

PROBE_TIMEOUT_S = 1.0
ANSWER_LIMIT = 65_536
"""Number of bytes that are read at once, and after which an answer is enough by default."""

API_VERSIONS = struct.pack(">hhih5s", 18, 0, 1, 5, b"quire")
"""Kafka's ApiVersions request: key 18, version 0, correlation id 1, client id."""


async def http_get(port: int, path: str = "/", within: float = PROBE_TIMEOUT_S) -> tuple[int, str] | None:
    """Returns the status code and body of a GET; None when no HTTP server answers within `within` seconds."""
    request = f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n"
    head, _, body = (await exchange(port, request.encode(), within)).partition(b"\r\n\r\n")
    protocol, _, rest = head.partition(b" ")
    return (int(rest[:3]), body.decode(errors="replace")) if protocol.startswith(b"HTTP/") and rest[:3].isdigit() else None


async def kafka_answers(port: int) -> bool:
    """Returns whether Kafka answers. A broker takes requests on its client listener only once it is registered and has caught
    up.
    """
    answer = await exchange(port, struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS, PROBE_TIMEOUT_S, enough=10)
    return len(answer) >= 10 and struct.unpack(">ih", answer[4:10]) == (1, 0)


async def exchange(port: int, request: bytes, within: float, enough: int = ANSWER_LIMIT) -> bytes:
    """Returns the answer to a request: at least `enough` bytes of it, or all of it if it is shorter. The answer is empty when
    no server answers, and may be cut after `within` seconds.
    """
    answer = b""
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                while len(answer) < enough and (chunk := await reader.read(ANSWER_LIMIT)):
                    answer += chunk
            finally:
                writer.close()
    except OSError:  # TimeoutError is an OSError
        pass
    return answer
