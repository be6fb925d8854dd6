"""How much a machine has to have: files a second and memory of a processor, memory of each connection of a notifier; on a stack
that `quire up --processors 1` runs. Prints tables.

    .venv/bin/python bench/sizing.py [--data .quire] [--connections 5000]
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from batch import cpu, ended, submit
from serving import serving
from tests.samples_pdf import simple_pdf, slow_pdf

MIB = 1024 * 1024
SAMPLE_SECONDS = 0.25
SETTLED_SECONDS = 3.0
PAGES = {"one page": (1, 1_000), "20 pages": (20, 200), "300 pages": (300, 30)}
CONNECTED_AT_ONCE = 200
PARTS = ("ingest", "processor-1", "notifier")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--connections", type=int, default=5_000)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    print(f"{psutil.cpu_count()} cores")
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        for name, (pages, count) in PAGES.items():
            await throughput(client, stack, name, pages, count)
    await connections(stack, options.connections)


async def throughput(client: httpx.AsyncClient, stack: dict[str, Any], name: str, pages: int, count: int) -> None:
    files = [(f"{n}.pdf", simple_pdf(f"{n}") if pages == 1 else slow_pdf(f"{n}", pages)) for n in range(count)]
    before, began = cpu(stack), time.monotonic()
    async with watching(stack) as peaks:
        for batch in (await submit(client, stack, files, "sizing"))["batches"]:
            await ended(client, stack, batch["batch_id"])
    took, after = time.monotonic() - began, cpu(stack)
    print(f"{name}: {count} files in {took:.1f} s, {count / took:.1f} files/s, {count * pages / took:.0f} pages/s")
    for part, peak in peaks.items():
        used = sum(after.get(one, 0.0) - before.get(one, 0.0) for one in (part, f"{part}'s children"))
        print(f"  {part:<12} {used / count * 1000:7.1f} CPU ms a file, {used / took:5.2f} cores, {peak:5.0f} MiB at most")


@contextlib.asynccontextmanager
async def watching(stack: dict[str, Any]) -> AsyncIterator[dict[str, float]]:
    """The most MiB at a time that each service takes with its children (PSS: of shared pages its part)."""
    peaks = dict.fromkeys(PARTS, 0.0)

    async def look() -> None:
        while True:
            for part in PARTS:
                peaks[part] = max(peaks[part], mib(psutil.Process(stack["pids"][part])))
            await asyncio.sleep(SAMPLE_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield peaks
    finally:
        looking.cancel()


def mib(process: psutil.Process) -> float:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += one.memory_full_info().pss
    return total / MIB


async def connections(stack: dict[str, Any], count: int) -> None:
    """Idle subscribers of one collection."""
    process = serving(stack, "notifier")
    port = int(stack["notifier_url"].rpartition(":")[2])
    before = process.memory_info().rss / MIB
    writers: list[asyncio.StreamWriter] = []
    began = time.monotonic()
    try:
        while len(writers) < count:
            writers += await asyncio.gather(*(subscribed(port) for _ in range(min(CONNECTED_AT_ONCE, count - len(writers)))))
        took = time.monotonic() - began
        await asyncio.sleep(SETTLED_SECONDS)
        more = process.memory_info().rss / MIB - before
        cpu = process.cpu_times()
        await asyncio.sleep(10)
        idle = sum(process.cpu_times()[:2]) - sum(cpu[:2])
    finally:
        for writer in writers:
            writer.transport.abort()
    print(
        f"notifier: {before:.0f} MiB alone; {count} idle WebSockets {more:.0f} MiB more, {more / count * 1024:.1f} KiB each; "
        f"{count / took:.0f} connected a second; {idle / 10:.2f} cores while they idle"
    )


async def subscribed(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    lines = ["GET /ws?collection_id=idle HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.readuntil(b"SUBSCRIBED")
    return writer


if __name__ == "__main__":
    asyncio.run(main())
