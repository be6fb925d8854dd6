"""What a page costs that opens while 100,000 files are queued, on a stack that `quire up` runs: bytes and milliseconds until a
WebSocket has its snapshot, and what 50 that come at once add to the notifier's memory.

    .venv/bin/python bench/snapshot.py [--data .quire] [--batches 4000]

The batches are written into the notifier's tables, as the projection does it, and removed afterwards; nothing processes them.
"""

import argparse
import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import psutil
from serving import serving
from websockets.asyncio.client import connect

from quire_notifier.projecting import tables
from quire_notifier.projecting.fold import fold
from quire_schemas.events import BatchCreated, BatchProgressed, BatchStarted, Event, EventData, FileSpec, InFlight, event_of

COLLECTION = "bench-snapshot"
FILES = 25
PROCESSING = 4
AT_ONCE = 200
ROUNDS = 10
CLIENTS = 50


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--batches", type=int, default=4_000)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    notifier = serving(stack, "notifier")
    connection = await asyncpg.connect(stack["postgres"], server_settings={"search_path": "notifier"})
    try:
        await fill(connection, options.batches)
        url = f"{stack['notifier_url'].replace('http', 'ws', 1)}/ws?collection_id={COLLECTION}"
        before = notifier.memory_info().rss
        rounds = [await opened(url) for _ in range(ROUNDS)]
        for name in rounds[0]:
            print(f"  {name:<12} {statistics.median(each[name] for each in rounds):12,.0f}")
        began = time.monotonic()
        opening = asyncio.gather(*(opened(url) for _ in range(CLIENTS)))
        peak = await peak_until(opening, notifier)
        print(f"  {CLIENTS} at once: {time.monotonic() - began:.2f} s, {(peak - before) / 1024 / 1024:.0f} MiB more at the peak")
    finally:
        for table in ("batch", "file_metadata", "feed", "collection"):
            await connection.execute(f"DELETE FROM {table} WHERE collection_id = $1", COLLECTION)  # noqa: S608 -- our own names
        await connection.close()


async def fill(connection: asyncpg.Connection, batches: int) -> None:
    epoch = await connection.fetchval("SELECT id::text FROM epoch WHERE live")
    for start in range(0, batches, AT_ONCE):
        numbers = range(start, min(batches, start + AT_ONCE))
        folded = fold([(event, offset) for number in numbers for offset, event in enumerate(told(number))], {})
        async with connection.transaction():
            await tables.write(connection, epoch, folded)


def told(number: int) -> list[Event]:
    """What the log tells of one batch: the first ones are being processed, with two files in flight."""
    batch_id, run_id = str(uuid4()), str(uuid4())
    specs = tuple(file(f"scan-{number:05}-{position:02}.pdf") for position in range(FILES))
    data: list[EventData] = [BatchCreated(collection_id=COLLECTION, request_id=str(uuid4()), files=specs)]
    if number < PROCESSING:
        in_flight = tuple(InFlight(file_id=spec.file_id, stage="extracting", page=3, pages=12) for spec in specs[:2])
        data.append(BatchStarted(attempt=1, run_id=run_id, worker="bench"))
        data.append(BatchProgressed(run_id=run_id, stage="heartbeat", in_flight=in_flight))
    now = datetime.now(UTC)
    return [
        event_of(each, id=str(uuid4()), batch_id=batch_id, collection_id=COLLECTION, source="/bench", time=now) for each in data
    ]


def file(filename: str) -> FileSpec:
    return FileSpec(file_id=str(uuid4()), filename=filename, size=48_213, sha256="ab" * 32, object_key=f"originals/{uuid4()}")


async def peak_until(done: asyncio.Future[Any], process: psutil.Process) -> int:
    """The most bytes that the process had in memory."""
    peak = 0
    while not done.done():
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(0.02)
    await done
    return peak


async def opened(url: str) -> dict[str, float]:
    """What comes until the first snapshot is whole."""
    began, size, batches = time.monotonic(), 0, 0
    async with connect(url, compression=None, max_size=None) as socket:
        while True:
            text = await socket.recv()
            size += len(text)
            frame = json.loads(text)
            batches += len(frame["snapshot"]["batches"])
            if not frame.get("more"):
                return {"milliseconds": (time.monotonic() - began) * 1000, "bytes": size, "batches": batches}


if __name__ == "__main__":
    asyncio.run(main())
