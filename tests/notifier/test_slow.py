"""Readers that are slow while they catch up, on real sockets: who takes too little is sent away, who takes enough gets it all."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.notifier.test_limits import PATIENCE, notifier
from tests.notifier.world import MemoryFeed

from quire_notifier.projecting.rows import BatchRow
from quire_notifier.pushing import pace
from quire_notifier.pushing.cursors import Onward
from quire_notifier.pushing.feed import Active
from quire_notifier.pushing.pace import Pace
from quire_notifier.sockets import wire
from quire_notifier.sockets.wire import TOO_SLOW

MESSAGES = 500
PAD = "x" * 4_000
"""Of a message, and of a batch: two megabytes in all."""
RATE = 1_000_000
"""Bytes a second that a client has to take, here."""


class Large(MemoryFeed):
    """Messages and batches of 4 KB each."""

    def append(self, count: int) -> None:
        for _ in range(count):
            self.texts.append(json.dumps({"seq": len(self.texts) + 1, "pad": PAD}).encode())

    async def active(self, name: str, after: Onward | None, limit: int) -> Active:
        head = (await super().active(name, after, limit)).head
        row = BatchRow(*[PAD if field == "worker" else None for field in BatchRow._fields])  # type: ignore[arg-type]
        return Active(head, MESSAGES, [(row, None)] * MESSAGES)


def large() -> Large:
    feed = Large(random.Random(1))  # noqa: S311 -- repeatable on purpose
    feed.append(MESSAGES)
    return feed


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SLOWEST", RATE)
    monkeypatch.setattr(pace, "STALLED_SECONDS", 0.3)
    monkeypatch.setattr(wire, "CLOSING_SECONDS", 1.0)


@asynccontextmanager
async def reading(port: int, head: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client whose kernel takes little for it."""
    sock = socket.socket()
    sock.setblocking(False)  # noqa: FBT003 -- its name
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1_024)
    try:
        writer.write(f"GET {head} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE if head.startswith('/ws') else ''}\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.transport.abort()


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
PLACES = {"the history": "collection_id=c&after=0", "a snapshot": "collection_id=c"}
STREAMS = {"the history": "after=0", "a snapshot": ""}


async def received(reader: asyncio.StreamReader, end: bytes = b"") -> bytes:
    """What comes at a quarter of the rate, until the end of the connection, or this."""
    found = b""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            while (data := await reader.read(8_192)) and not (end and data.endswith(end)):
                found += data
                await asyncio.sleep(4 * len(data) / RATE)
    return found


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_socket_that_takes_too_little_while_it_catches_up_is_closed_as_too_slow(place: str) -> None:
    async with notifier(feed=large()) as quire, reading(quire.port, f"/ws?{place}") as (reader, _):
        found = await received(reader)
    position = found.rindex(b"\x88")
    assert int.from_bytes(found[position + 2 : position + 4], "big") == TOO_SLOW
    assert len(found) < MESSAGES * len(PAD)


@pytest.mark.parametrize("query", STREAMS.values(), ids=STREAMS)
async def test_and_so_does_an_event_stream_end(query: str) -> None:
    async with notifier(feed=large()) as quire, reading(quire.port, f"/events?{query}") as (reader, _):
        assert len(await received(reader, b"0\r\n\r\n")) < MESSAGES * len(PAD)


@pytest.mark.parametrize(
    "path", [*(f"/ws?{place}" for place in PLACES.values()), *(f"/events?{query}" for query in STREAMS.values())]
)
async def test_one_that_takes_what_comes_gets_all_of_it_and_may_then_be_idle(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "STALLED_SECONDS", 0.7)
    feed = large()
    async with notifier(feed=feed) as quire, reading(quire.port, path) as (reader, _), asyncio.TaskGroup() as tasks:
        found = bytearray()
        taking = tasks.create_task(taken(reader, found))
        async with asyncio.timeout(PATIENCE):
            while len(found) < MESSAGES * len(PAD):
                await asyncio.sleep(0.01)
            await asyncio.sleep(1.1 * pace.STALLED_SECONDS)
            feed.append(1)
            while b'{"seq": %d,' % (MESSAGES + 1) not in found:
                assert not taking.done()
                await asyncio.sleep(0.05)
        taking.cancel()


async def taken(reader: asyncio.StreamReader, found: bytearray) -> None:
    while data := await reader.read(65_536):
        found += data


def test_a_client_has_time_as_long_as_it_takes_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "STALLED_SECONDS", 5.0)
    quick, slow = Pace(), Pace()
    for _ in range(100):
        quick.waited(1.0, RATE)
        slow.waited(1.0, RATE * 9 // 10)
    assert (quick.seconds, slow.seconds) == (5.0, 0.0)
