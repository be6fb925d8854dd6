"""How fast Quire is, end to end, on a stack that `quire up` runs: 25 one-page PDFs with the time split, and many mixed ones with
the CPU of each process. Prints tables.

    .venv/bin/python bench/batch.py [--data .quire] [--files 500]
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from serving import serving
from tests.samples_pdf import simple_pdf, slow_pdf

from quire_client import subscribe
from quire_schemas.messages import BatchCompletedMessage, BatchStartedMessage, FeedMessage

ROUNDS = 12
WARM_UP = 2


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--files", type=int, default=500)
    options = parser.parse_args()
    stack = json.loads((options.data / "stack.json").read_text())
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        splits = [await batch_of_25(client, stack) for _ in range(ROUNDS)][WARM_UP:]
        print(f"25 one-page PDFs, {len(splits)} rounds, median (worst) in ms")
        for name in splits[0]:
            values = [split[name] for split in splits]
            print(f"  {name:<28} {statistics.median(values):7.0f} ({max(values):.0f})")
        await mixed(client, stack, options.files)


async def batch_of_25(client: httpx.AsyncClient, stack: dict[str, Any]) -> dict[str, float]:
    """Milliseconds. Times of events are those of the processes that made them, on this one machine."""
    files = [(f"{n}.pdf", simple_pdf(f"file {n}")) for n in range(25)]
    async with aclosing(subscribe(stack["notifier_url"], "bench")) as feed:
        await anext(feed)
        began = datetime.now(UTC)
        body = await submit(client, stack, files, "bench")
        answered = datetime.now(UTC)
        [batch] = body["batches"]
        started = completed = pushed = answered
        async for message in feed:
            if isinstance(message, FeedMessage) and message.batch_id == batch["batch_id"]:
                if isinstance(message, BatchStartedMessage):
                    started = message.at
                if isinstance(message, BatchCompletedMessage):
                    completed, pushed = message.at, datetime.now(UTC)
                    break
    parts = {
        "upload, until the 202": answered - began,
        "log, until a run begins": started - answered,
        "work, until completed": completed - started,
        "log, projection and push": pushed - completed,
        "submit to completed": pushed - began,
    }
    return {name: part.total_seconds() * 1000 for name, part in parts.items()}


async def mixed(client: httpx.AsyncClient, stack: dict[str, Any], count: int) -> None:
    chance = random.Random(1)  # noqa: S311 -- the same mix each time
    sizes = [chance.choice((1, 1, 1, 2, 5, 20, 60)) for _ in range(count)]
    files = [(f"{n}.pdf", slow_pdf(f"file {n}", pages)) for n, pages in enumerate(sizes)]
    before = cpu(stack)
    began = time.monotonic()
    body = await submit(client, stack, files, "bench-mixed")
    uploaded = time.monotonic()
    counts = [await ended(client, stack, batch["batch_id"]) for batch in body["batches"]]
    took = time.monotonic() - began
    after = cpu(stack)
    total = {name: sum(each[name] for each in counts) for name in ("total", "processed", "failed", "cancelled")}
    size = sum(len(content) for _, content in files) / 1e6
    print(f"\n{count} PDFs of 1 to 60 pages, {sum(sizes)} pages, {size:.0f} MB: {took:.1f} s, {count / took:.1f} files/s")
    print(f"  upload {uploaded - began:.1f} s; accounted for: {total}")
    print("  CPU seconds: " + ", ".join(f"{name} {after[name] - before[name]:.1f}" for name in before))


async def submit(client: httpx.AsyncClient, stack: dict[str, Any], files: list[tuple[str, bytes]], collection: str) -> Any:
    parts = [("files", (name, content, "application/pdf")) for name, content in files]
    url = f"{stack['ingest_url']}/api/documents/process"
    answer = await client.post(url, params={"collection_id": collection}, files=parts)
    return answer.raise_for_status().json()


async def ended(client: httpx.AsyncClient, stack: dict[str, Any], batch_id: str) -> Any:
    while True:
        answer = await client.get(f"{stack['notifier_url']}/api/batches/{batch_id}")
        if answer.status_code == 200 and answer.json()["ended_at"]:
            return answer.json()
        await asyncio.sleep(0.2)


def cpu(stack: dict[str, Any]) -> dict[str, float]:
    """CPU seconds so far, per part with its living and reaped children."""
    found = {}
    for name in stack["pids"]:
        process = serving(stack, name)
        own = process.cpu_times()
        found[name] = own.user + own.system + own.children_user + own.children_system
        below = process.children(recursive=True)
        times = [child.cpu_times() for child in below]
        found[f"{name}'s children"] = sum(t.user + t.system + t.children_user + t.children_system for t in times)
    return {name: seconds for name, seconds in found.items() if seconds > 0.05}


if __name__ == "__main__":
    asyncio.run(main())
