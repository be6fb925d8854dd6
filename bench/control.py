"""How soon a cancel is final and its workers are idle, and how long few files wait beside a large drop of another collection, and
beside files that take seconds each.

.venv/bin/python bench/control.py [--data .quire]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from batch import submit
from serving import serving
from tests.samples_pdf import simple_pdf, slow_page_pdf, slow_pdf

from quire_client import subscribe
from quire_schemas.messages import BatchCancelledMessage

ROUNDS = 8
IDLE_PERCENT = 5.0
DROP = 5_000
BOMBS = 34


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    stack = json.loads((parser.parse_args().data / "stack.json").read_text())
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        rounds = [await cancelled(client, stack) for _ in range(ROUNDS)]
        for name, values in zip(("final in the feed", "workers idle"), zip(*rounds, strict=True), strict=True):
            print(f"cancel of a running batch, {name}: {statistics.median(values):.0f} ms (worst {max(values):.0f})")
        alone = [await few(client, stack, 3) for _ in range(ROUNDS)]
        drop = await submit(client, stack, [(f"{n}.pdf", slow_pdf(f"{n}", 20)) for n in range(DROP)], "drop")
        beside = [await few(client, stack, 3) for _ in range(ROUNDS)]
        print(f"3 files alone: {statistics.median(alone):.0f} ms; beside {DROP} of another collection: ", end="")
        print(f"{statistics.median(beside):.0f} ms (worst {max(beside):.0f})")
        for batch in drop["batches"]:
            await client.post(f"{stack['ingest_url']}/api/batches/{batch['batch_id']}/cancel", json={})
        for batch in drop["batches"]:
            await ended(client, stack, batch["batch_id"])
        alone = [await few(client, stack, 25) for _ in range(ROUNDS)]
        await submit(client, stack, [(f"{n}.pdf", slow_page_pdf()) for n in range(BOMBS)], "bombs")
        await asyncio.sleep(1.0)
        took = await few(client, stack, 25)
        print(f"25 files alone: {statistics.median(alone):.0f} ms; beside {BOMBS} of seconds each: {took:.0f} ms")


async def cancelled(client: httpx.AsyncClient, stack: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds from the request to the message, and to workers that do nothing."""
    files = [(f"{n}.pdf", slow_pdf(f"{n}", 900)) for n in range(4)]
    async with aclosing(subscribe(stack["notifier_url"], "cancel")) as feed:
        await anext(feed)
        [batch] = (await submit(client, stack, files, "cancel"))["batches"]
        await asyncio.sleep(0.8)
        began = time.monotonic()
        url = f"{stack['ingest_url']}/api/batches/{batch['batch_id']}/cancel"
        (await client.post(url, json={})).raise_for_status()
        async for message in feed:
            if isinstance(message, BatchCancelledMessage):
                break
        final = time.monotonic()
    while await busy(stack):
        await asyncio.sleep(0.01)
    return (final - began) * 1000, (time.monotonic() - began) * 1000


async def busy(stack: dict[str, Any]) -> bool:
    children = serving(stack, "processor-1").children(recursive=True)
    try:
        before = [sum(child.cpu_times()[:2]) for child in children]
        await asyncio.sleep(0.1)
        used = [sum(child.cpu_times()[:2]) - then for child, then in zip(children, before, strict=True)]
    except psutil.NoSuchProcess:
        return True
    return any(seconds / 0.1 * 100 > IDLE_PERCENT for seconds in used)


async def few(client: httpx.AsyncClient, stack: dict[str, Any], count: int) -> float:
    """Milliseconds from the request to the end of a batch of so many one-page files."""
    began = time.monotonic()
    [batch] = (await submit(client, stack, [(f"{n}.pdf", simple_pdf(f"{n}")) for n in range(count)], "few"))["batches"]
    await ended(client, stack, batch["batch_id"])
    return (time.monotonic() - began) * 1000


async def ended(client: httpx.AsyncClient, stack: dict[str, Any], batch_id: str) -> None:
    while True:
        answer = await client.get(f"{stack['notifier_url']}/api/batches/{batch_id}")
        if answer.status_code == 200 and answer.json()["ended_at"]:
            return
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
