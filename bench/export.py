"""What it takes to give people their results, on a stack that `quire up` runs: seconds and the notifier's memory while the texts
of an upload are exported as lines and as an archive, how long lists and searches take, and how soon texts are indexed.

    .venv/bin/python bench/export.py [--data .quire] [--files 2000] [--pages 10] [--index-seconds 60]

Files and texts are written into the notifier's tables and the object store as if they had been processed, and removed afterwards.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import psutil
from serving import serving

from quire_notifier.projecting import tables
from quire_notifier.projecting.fold import fold
from quire_runtime.settings import S3Settings
from quire_runtime.storage import ObjectStore
from quire_schemas.events import BatchCompleted, BatchCreated, BatchStarted, Event, EventData, FileProcessed, FileSpec, event_of

COLLECTION = "bench-export"
BATCH = 25
TEXTS = 2_000
"""Objects in the store at most: beyond, files share them, and texts are not exported."""
PREFIX = "artefacts/bench-export/"
WORDS = [f"word{number}" for number in range(5_000)]
ROUNDS = 10


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--index-seconds", type=float, default=60.0)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    notifier = serving(stack, "notifier")
    async with (
        written(stack, options.files, options.pages) as request_id,
        httpx.AsyncClient(timeout=600, trust_env=False) as http,
    ):
        url = stack["notifier_url"]
        await asyncio.sleep(5)
        for form in ("jsonl", "zip", "csv") if options.files <= TEXTS else ():
            await measured(http, notifier, f"{url}/api/export?request_id={request_id}&format={form}", form)
        await measured(http, notifier, f"{url}/api/export?collection_id={COLLECTION}&kind=report", "report")
        for name, path in (
            ("requests", f"/api/requests?collection_id={COLLECTION}"),
            ("request", f"/api/requests/{request_id}"),
            ("failures", f"/api/requests/{request_id}/failures"),
            ("files of it", f"/api/files?request_id={request_id}"),
            ("failed of it", f"/api/files?request_id={request_id}&status=failed"),
            ("collections", "/api/collections"),
        ):
            print(f"  {name:<16} {await milliseconds(http, url + path):8.1f} ms", flush=True)
        await indexed(http, f"{url}/api/files?collection_id={COLLECTION}&in=text&limit=50", options.index_seconds)


@asynccontextmanager
async def written(stack: dict[str, Any], files: int, pages: int) -> AsyncIterator[str]:
    """The id of the request; everything is removed at the end."""
    keys = [f"{PREFIX}{number}.json" for number in range(min(files, TEXTS))]
    s3 = stack["s3"]
    settings = S3Settings(endpoint=s3["endpoint"], bucket=s3["bucket"], access_key=s3["access_key"], secret_key=s3["secret_key"])
    connection = await asyncpg.connect(stack["postgres"], server_settings={"search_path": "notifier"})
    async with ObjectStore(settings) as store:
        try:
            for start in range(0, len(keys), 20):
                await asyncio.gather(*(store.put(key, text(key, pages), "application/json") for key in keys[start : start + 20]))
            request_id = str(uuid4())
            await fill(connection, request_id, files, keys)
            yield request_id
        finally:
            for table in ("batch", "file_metadata", "feed", "collection", "request", "unindexed"):
                await connection.execute(f"DELETE FROM {table} WHERE collection_id = $1", COLLECTION)  # noqa: S608 -- our own names
            await connection.execute("DELETE FROM indexed_text WHERE starts_with(text_key, $1)", PREFIX)
            await connection.close()
            await store.delete_many(keys)


def text(key: str, pages: int) -> bytes:
    """As the processor writes it, 2 KB a page; the first word of each is the file's own."""
    chance = random.Random(key)  # noqa: S311 -- the same each time
    words = [" ".join([f"own{key[len(PREFIX) : -5]}", *chance.choices(WORDS, k=250)]) for _ in range(pages)]
    listed = [{"page": number, "text": page} for number, page in enumerate(words, start=1)]
    return msgspec.json.encode({"page_count": pages, "truncated": False, "title": None, "metadata": {}, "pages": listed})


async def fill(connection: asyncpg.Connection, request_id: str, files: int, keys: list[str]) -> None:
    epoch = await connection.fetchval("SELECT id::text FROM epoch WHERE live")
    for start in range(0, files, BATCH * 40):
        events: list[tuple[Event, int]] = []
        for first in range(start, min(files, start + BATCH * 40), BATCH):
            events += enumerate_told(request_id, range(first, min(files, first + BATCH)), keys)
        async with connection.transaction():
            await tables.write(connection, epoch, fold(events, {}))


def enumerate_told(request_id: str, numbers: range, keys: list[str]) -> list[tuple[Event, int]]:
    """What the log tells of one batch, all of it processed."""
    batch_id, run_id = str(uuid4()), str(uuid4())
    specs = tuple(
        FileSpec(
            file_id=str(uuid4()), filename=f"scan-{number:06}.pdf", size=50_000, sha256="0" * 64, object_key=f"none/{number}"
        )
        for number in numbers
    )
    data: list[EventData] = [
        BatchCreated(collection_id=COLLECTION, request_id=request_id, files=specs, request_name="Bench"),
        BatchStarted(attempt=1, run_id=run_id, worker="bench"),
        *(
            FileProcessed(run_id=run_id, file_id=spec.file_id, page_count=10, text_key=keys[number % len(keys)], duration_ms=100)
            for number, spec in zip(numbers, specs, strict=True)
        ),
        BatchCompleted(run_id=run_id),
    ]
    now = datetime.now(UTC)
    return [
        (event_of(each, id=str(uuid4()), batch_id=batch_id, collection_id=COLLECTION, source="/bench", time=now), offset)
        for offset, each in enumerate(data)
    ]


async def measured(http: httpx.AsyncClient, notifier: psutil.Process, url: str, name: str) -> None:
    before = peak = notifier.memory_info().rss
    began, size = time.monotonic(), 0
    async with http.stream("GET", url) as answer:
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            peak = max(peak, notifier.memory_info().rss)
    seconds = time.monotonic() - began
    print(
        f"  {name:<16} {size / 1e6:8.1f} MB {seconds:6.1f} s   {(peak - before) / 1e6:6.1f} MB more memory at the peak",
        flush=True,
    )


async def milliseconds(http: httpx.AsyncClient, url: str) -> float:
    spent = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        (await http.get(url)).raise_for_status()
        spent.append((time.monotonic() - began) * 1000)
    return statistics.median(spent)


async def indexed(http: httpx.AsyncClient, url: str, seconds: float) -> None:
    began = time.monotonic()
    while (left := (await http.get(f"{url}&q=own7")).json()["unindexed"]) and time.monotonic() - began < seconds:
        await asyncio.sleep(1)
    print(f"  {left} texts are not indexed after {time.monotonic() - began:.0f} s")
    for name, words in (
        ("a rare word", "own7"),
        ("a common word", "word7"),
        ("two words", "word7 word9"),
        ("a phrase", '"word7 word9"'),
    ):
        print(f"  {name:<16} {await milliseconds(http, f'{url}&q={words}'):8.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
