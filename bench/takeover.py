"""How soon the batch of a processor that is gone is worked on again, by another one, and how soon events are shown again after
the notifier is gone. The stack has to have two processors or more, and to start again what dies:

    quire up --processors 2 --restart
    .venv/bin/python bench/takeover.py [--data .quire]
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from batch import ended, submit
from serving import serving
from tests.samples_pdf import simple_pdf, slow_pdf

from quire_client import subscribe
from quire_schemas.messages import BatchCompletedMessage, BatchStartedMessage

ROUNDS = 3
PAUSE_SECONDS = 15.0
"""Seconds between two deaths: `quire up` gives a part up that dies five times within a minute."""
ROUND_SECONDS = 120.0

Deed = Callable[[dict[str, Any], str], None]


def stopped(stack: dict[str, Any], part: str) -> None:
    psutil.Process(stack["pids"][part]).send_signal(signal.SIGTERM)


def killed(stack: dict[str, Any], part: str) -> None:
    serving(stack, part).kill()


def lost(stack: dict[str, Any], part: str) -> None:
    psutil.Process(stack["pids"][part]).kill()


DEEDS: dict[str, Deed] = {"told to stop": stopped, "killed": killed, "killed with its guardian": lost}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    data = parser.parse_args().data
    async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
        for name, deed in DEEDS.items():
            took = [await within(processor(client, data, deed)) for _ in range(ROUNDS)]
            print(f"a processor {name}: its batch is worked on after {statistics.median(took):.1f} s (worst {max(took):.1f})")
        for name, deed in DEEDS.items():
            took = [await within(notifier(client, data, deed)) for _ in range(ROUNDS)]
            print(f"the notifier {name}: a batch is seen to end after {statistics.median(took):.1f} s (worst {max(took):.1f})")


async def within(seconds: Coroutine[Any, Any, float]) -> float:
    """What a round measures; raises TimeoutError where the stack does not come back."""
    await asyncio.sleep(PAUSE_SECONDS)
    async with asyncio.timeout(ROUND_SECONDS):
        return await seconds


async def processor(client: httpx.AsyncClient, data: Path, deed: Deed) -> float:
    """Seconds from the deed to the start of another run."""
    stack = await ready(client, data)
    files = [(f"{n}.pdf", slow_pdf(f"{n}", 300)) for n in range(25)]
    async with aclosing(subscribe(stack["notifier_url"], "takeover")) as feed:
        await anext(feed)
        [batch] = (await submit(client, stack, files, "takeover"))["batches"]
        began = 0.0
        async for message in feed:
            if not isinstance(message, BatchStartedMessage) or message.batch_id != batch["batch_id"]:
                continue
            if began:
                break
            await asyncio.sleep(1.0)
            view = (await client.get(f"{stack['notifier_url']}/api/batches/{batch['batch_id']}")).json()
            began = time.monotonic()
            deed(stack, view["worker"])
        took = time.monotonic() - began
    await client.post(f"{stack['ingest_url']}/api/batches/{batch['batch_id']}/cancel", json={})
    await ended(client, stack, batch["batch_id"])
    return took


async def notifier(client: httpx.AsyncClient, data: Path, deed: Deed) -> float:
    """Seconds from the deed, and an upload right after it, to the message that the batch is completed."""
    stack = await ready(client, data)
    async with aclosing(subscribe(stack["notifier_url"], "takeover")) as feed:
        await anext(feed)
        began = time.monotonic()
        deed(stack, "notifier")
        [batch] = (await submit(client, stack, [("a.pdf", simple_pdf())], "takeover"))["batches"]
        async for message in feed:
            if isinstance(message, BatchCompletedMessage) and message.batch_id == batch["batch_id"]:
                break
        return time.monotonic() - began


async def ready(client: httpx.AsyncClient, data: Path) -> dict[str, Any]:
    """The stack, once all its parts run and are ready; their process ids change with each start."""
    while True:
        stack: dict[str, Any] = json.loads((data / "stack.json").read_text())
        try:
            answers = [(await client.get(f"{url}/readyz")).status_code for url in stack["ops"].values()]
        except httpx.HTTPError:
            answers = [0]
        if all(answer == 200 for answer in answers) and stack["ops"].keys() <= stack["pids"].keys():
            await asyncio.sleep(2.0)  # what a rebalance still has to do
            return stack
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main())
