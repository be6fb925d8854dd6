"""What joins, leaves, deaths and a rolling restart of processors cost: throughput, partitions moved, runs interrupted, files done
twice.

    quire up --processors 1
    .venv/bin/python bench/rebalance.py [--data .quire] [--seconds 30]

Four processors with one worker each are started beside the stack's own. Files keep coming all the time. A run counts as
interrupted where its batch was begun again, a file as repeated where the log has two outcomes of it.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer

sys.path.insert(0, str(Path(__file__).parents[1]))

from batch import ended, submit
from tests.samples_pdf import slow_pdf

from quire_cli.target import read_stack

BESIDE = 4
FILES = 10
WAITING = 6
"""Batches that are kept in hand."""


class Counted(NamedTuple):
    """What has happened since the beginning."""

    files: int
    interrupted: int
    repeated: int
    moved: int


class Processor:
    """One that this program starts."""

    def __init__(self, name: str, environment: dict[str, str], logs: Path) -> None:
        self._name, self.log = name, logs / f"{name}.log"
        self._environment = {**environment, "QUIRE_WORKER_NAME": name, "QUIRE_OPS_PORT": "0", "QUIRE_WORKERS": "1"}

    async def start(self) -> None:
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "quire_processor"]
            self.process = subprocess.Popen(command, env={**os.environ, **self._environment}, stdout=log, stderr=log)  # noqa: ASYNC220
        while b"partitions assigned" not in self.log.read_bytes()[before:]:
            await asyncio.sleep(0.05)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait)


class Load:
    """Files that keep coming, and what has become of them."""

    def __init__(self, client: httpx.AsyncClient, stack: dict[str, Any]) -> None:
        self._client, self._stack = client, stack
        self.batches: list[str] = []

    async def run(self) -> None:
        open_now: set[asyncio.Task[Any]] = set()
        files = [(f"{n}.pdf", slow_pdf(f"{n}", 40)) for n in range(FILES)]
        try:
            while True:
                for batch in (await submit(self._client, self._stack, files, "rebalance"))["batches"]:
                    self.batches.append(batch["batch_id"])
                    open_now.add(asyncio.create_task(ended(self._client, self._stack, batch["batch_id"])))
                while len(open_now) >= WAITING:
                    _, open_now = await asyncio.wait(open_now, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.gather(*open_now)

    async def settled(self) -> tuple[int, int]:
        """How many files are processed, and how many runs were interrupted."""
        processed = interrupted = 0
        for batch_id in self.batches:
            answer = await self._client.get(f"{self._stack['notifier_url']}/api/batches/{batch_id}")
            if answer.status_code == 200:
                view = answer.json()
                processed += view["processed"]
                interrupted += max(0, view["attempt"] - 1)
        return processed, interrupted


class Bench:
    def __init__(self, client: httpx.AsyncClient, data: Path, logs: Path) -> None:
        self._stack = json.loads((data / "stack.json").read_text())
        known = read_stack(data)
        if known is None:
            raise SystemExit(f"no stack runs on {data}: start one with `quire up`")
        self._environment = known.environment
        self._own = data / "logs" / "processor-1.log"
        self.load = Load(client, self._stack)
        self.processors = [Processor(f"beside-{n}", known.environment, logs) for n in range(BESIDE)]

    async def counted(self) -> Counted:
        files, interrupted = await self.load.settled()
        return Counted(files, interrupted, await self._repeated(), self._moved())

    async def _repeated(self) -> int:
        command = [sys.executable, "-m", "quire_notifier", "events", "--json"]
        done = await asyncio.to_thread(
            subprocess.run, command, env={**os.environ, **self._environment}, capture_output=True, text=True, check=True
        )
        outcomes = Counter(
            (event["batch_id"], event["data"]["file_id"])
            for event in map(json.loads, done.stdout.splitlines())
            if event.get("type", "").endswith("FileProcessed")
        )
        return sum(times - 1 for times in outcomes.values())

    def _moved(self) -> int:
        """Partitions that another processor got than had them before, by the processors' logs."""
        told = [
            (found[1], name, {int(number) for number in found[2].split(",") if number.strip()})
            for name, log in [("own", self._own), *((one.log.stem, one.log) for one in self.processors)]
            for line in (log.read_text(errors="replace").splitlines() if log.exists() else ())
            if (found := re.search(r"^(\S+) .*partitions assigned.*partitions=\[([\d, ]*)\]", line))
        ]
        owner: dict[int, str] = {}
        moved = 0
        for _, name, partitions in sorted(told):
            moved += sum(owner.get(partition, name) != name for partition in partitions)
            owner |= dict.fromkeys(partitions, name)
        return moved

    async def passers_by(self, seconds: float) -> None:
        """A member that joins each second and leaves again at once, and works on nothing."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(5), _member(self._stack["kafka"]):
                    await asyncio.sleep(0.5)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _member(bootstrap: str) -> AsyncIterator[None]:
    consumer = AIOKafkaConsumer(
        "quire.batches",
        bootstrap_servers=bootstrap,
        group_id="quire-processor",
        enable_auto_commit=False,
        session_timeout_ms=6000,
    )
    await consumer.start()
    try:
        yield
    finally:
        await consumer.stop()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".quire"))
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with httpx.AsyncClient(timeout=600, trust_env=False) as client:
            bench = Bench(client, options.data, Path(folder))
            try:
                await _all(bench, options.seconds)
            finally:
                for one in bench.processors:
                    with suppress(ProcessLookupError, AttributeError):
                        one.process.kill()


async def _all(bench: Bench, seconds: float) -> None:
    first, *others = bench.processors
    for one in others:
        await one.start()
    coming = asyncio.create_task(bench.load.run())
    await asyncio.sleep(5.0)

    async def restarted() -> None:
        for one in bench.processors:
            await one.stop()
            await one.start()

    deeds: dict[str, Callable[[], Awaitable[None]]] = {
        "nothing": lambda: asyncio.sleep(seconds),
        "a fifth joins": first.start,
        "it leaves": first.stop,
        "it joins again": first.start,
        "one is killed": lambda: others[0].stop(signal.SIGKILL),
        "it comes back": others[0].start,
        "four of five are restarted, one after the other": restarted,
        "each second somebody joins and leaves": lambda: bench.passers_by(seconds),
    }
    for name, deed in deeds.items():
        before, began = await bench.counted(), time.monotonic()
        await deed()
        await asyncio.sleep(max(5.0 - (time.monotonic() - began), 2.0))
        took, after = time.monotonic() - began, await bench.counted()
        gone = Counted(*(now - then for now, then in zip(after, before, strict=True)))
        print(
            f"{name}: {gone.files / took:.1f} files/s over {took:.0f} s, {gone.moved} partitions moved, "
            f"{gone.interrupted} runs interrupted, {gone.repeated} finished files repeated",
            flush=True,
        )
    coming.cancel()
    with suppress(asyncio.CancelledError):
        await coming


if __name__ == "__main__":
    asyncio.run(main())
