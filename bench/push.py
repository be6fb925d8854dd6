"""What pushing costs: from a row in the feed to a thousand clients, on a stack that `quire up` runs; with a floor.

    .venv/bin/python bench/push.py [--data .quire] [--clients 1000]

The floor is a bare asyncio server that writes frames made once to as many plain TCP clients, in the same run. Server and clients
share the cores of this machine: compare ratios, not machines. CPU is the notifier's own, per message delivered.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import uvloop
from serving import serving

COLLECTION = "push"
MARK = b'"sent":'
PAD = "x" * 180
SECONDS = 8.0
RATES = {"grouped, 10 messages each 25 ms": (10, 0.025), "single, 40 messages/s": (1, 0.025)}
BEHIND, RECOVERING = 500, 200
STARTED: list[Any] = []


class Reader(asyncio.Protocol):
    """Counts messages by their marks, and takes the latency of the last one of each chunk."""

    def __init__(self, hello: bytes, counts: dict[str, Any]) -> None:
        self._hello, self._counts = hello, counts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._hello)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        found = data.count(MARK)
        if found:
            self._counts["messages"] += found
            at = data.rfind(MARK) + len(MARK)
            end = data.find(b",", at)
            if end > at:
                self._counts["latencies"].append(time.time() - float(data[at:end]))


def handshake(port: int, query: str) -> bytes:
    lines = [f"GET /ws?{query} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""]
    return "\r\n".join(lines).encode()


def clients(pipe: Connection, port: int, count: int, hello: bytes) -> None:
    """A process of readers: says when all are connected, and their counts whenever asked."""

    async def run() -> None:
        counts: dict[str, Any] = {"messages": 0, "latencies": []}
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: Reader(hello, counts), "127.0.0.1", port)
        pipe.send("connected")
        while True:
            while not pipe.poll():
                await asyncio.sleep(0.002)
            pipe.recv()
            pipe.send(dict(counts))
            counts["latencies"] = []

    uvloop.run(run())


def bare(pipe: Connection) -> None:
    """The floor: a server that writes a frame to every connection as often as it is told."""

    async def run() -> None:
        transports: list[asyncio.WriteTransport] = []

        class Server(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transports.append(transport)  # type: ignore[arg-type]

        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            while not pipe.poll():
                await asyncio.sleep(0.002)
            group, pause, seconds = pipe.recv()
            began, number = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                frame = message(number).encode() * group
                for transport in transports:
                    transport.write(frame)
                number += 1
                await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))
            pipe.send("done")

    uvloop.run(run())


def message(seq: int) -> str:
    return (
        f'{{"type":"FILES_PROCESSED","collection_id":"{COLLECTION}","seq":{seq},{MARK.decode()}{time.time():.6f},'
        f'"batch_id":"00000000-0000-4000-8000-000000000000","pad":"{PAD}"}}'
    )


class Feed:
    """Appends rows as the projection does, and says so."""

    def __init__(self, connection: asyncpg.Connection, epoch: str) -> None:
        self._connection, self._epoch, self.seq = connection, epoch, 0

    async def append(self, count: int) -> None:
        seqs = list(range(self.seq + 1, self.seq + count + 1))
        self.seq += count
        async with self._connection.transaction():
            await self._connection.execute(
                "INSERT INTO notifier.collection (epoch, collection_id, last_seq) VALUES ($1::uuid, $2, $3) "
                "ON CONFLICT (epoch, collection_id) DO UPDATE SET last_seq = $3",
                self._epoch,
                COLLECTION,
                self.seq,
            )
            await self._connection.execute(
                "INSERT INTO notifier.feed SELECT $1::uuid, $2, seq, gen_random_uuid(), 'FILES_PROCESSED', now(), message "
                "FROM unnest($3::bigint[], $4::text[]) AS new (seq, message)",
                self._epoch,
                COLLECTION,
                seqs,
                [message(seq) for seq in seqs],
            )
            heads = json.dumps({"epoch": self._epoch, "last_seqs": {COLLECTION: self.seq}})
            await self._connection.execute("SELECT pg_notify('quire_feed', $1)", heads)

    async def pace(self, group: int, pause: float, seconds: float) -> None:
        began, number = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            await self.append(group)
            number += 1
            await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--clients", type=int, default=1_000)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    port = int(stack["notifier_url"].rpartition(":")[2])
    notifier = serving(stack, "notifier")
    connection = await asyncpg.connect(stack["postgres"])
    epoch = await connection.fetchval("SELECT id::text FROM notifier.epoch WHERE live")
    await connection.execute("DELETE FROM notifier.feed WHERE collection_id = $1", COLLECTION)
    await connection.execute("DELETE FROM notifier.collection WHERE collection_id = $1", COLLECTION)
    feed = Feed(connection, epoch)

    idle = notifier.memory_info().rss
    readers = start(clients, port, options.clients, handshake(port, f"collection_id={COLLECTION}"))
    await said(readers, "connected")
    await asyncio.sleep(2)
    print(f"{options.clients} idle connections: {(notifier.memory_info().rss - idle) / options.clients / 1024:.0f} KiB each")

    floor = start(bare)
    floor_process = psutil.Process(STARTED[-1].pid)
    plain = start(clients, await asyncio.to_thread(floor.recv), options.clients, b"")
    await said(plain, "connected")
    for name, (group, pause) in RATES.items():
        before, cpu = await asked(readers), spent(notifier)
        await feed.pace(group, pause, SECONDS)
        await asyncio.sleep(0.5)
        after, cpu = await asked(readers), spent(notifier) - cpu
        shown(name, after["messages"] - before["messages"], cpu, after["latencies"])
        before, cpu = await asked(plain), spent(floor_process)
        floor.send((group, pause, SECONDS))
        await said(floor, "done")
        after, cpu = await asked(plain), spent(floor_process) - cpu
        shown(f"  bare loop, {name.partition(',')[0]}", after["messages"] - before["messages"], cpu, after["latencies"])

    await feed.append(BEHIND)
    await asyncio.sleep(1)
    late = start(clients, port, RECOVERING, handshake(port, f"collection_id={COLLECTION}&after={feed.seq - BEHIND}"))
    began = time.monotonic()
    await said(late, "connected")
    while (await asked(late))["messages"] < RECOVERING * BEHIND:
        await asyncio.sleep(0.005)
    print(f"{RECOVERING} clients {BEHIND} behind: caught up in {time.monotonic() - began:.2f} s, their connecting included")
    for process in multiprocessing.active_children():
        process.kill()
    await connection.close()


def start(target: Any, *args: Any) -> Connection:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    STARTED.append(process)
    return ours


async def said(pipe: Connection, word: str) -> None:
    if (got := await asyncio.to_thread(pipe.recv)) != word:
        sys.exit(f"{got!r} where {word!r} was expected")


async def asked(pipe: Connection) -> dict[str, Any]:
    pipe.send("counts")
    answer: dict[str, Any] = await asyncio.to_thread(pipe.recv)
    return answer


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def shown(name: str, messages: int, cpu: float, latencies: list[float]) -> None:
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    cost = cpu / max(1, messages) * 1e6
    print(
        f"{name:<34} {messages:>9} delivered  {cost:6.2f} us each  p50 {cuts[49] * 1000:6.1f} ms  p99 {cuts[98] * 1000:6.1f} ms"
    )


if __name__ == "__main__":
    asyncio.run(main())
