"""Processes killed, frozen and restarted, servers taken away, at random, while people submit, cancel and retry; then every
promise is checked from outside. `make chaos` runs it for ten minutes; a seed repeats the order of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from tests.chaos.checks import Facts, violations
from tests.folding import folded
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import corrupt_pdf, simple_pdf, slow_pdf

from quire_client import subscribe
from quire_local.services import Service
from quire_runtime.settings import S3Settings
from quire_runtime.storage import ObjectStore
from quire_schemas.events import TERMINAL
from quire_schemas.messages import FeedMessage, Subscribed

SECONDS = float(os.environ.get("QUIRE_CHAOS_SECONDS", "25"))
SEED = int(os.environ.get("QUIRE_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
COLLECTIONS = ("red", "blue")
SETTINGS = {"QUIRE_HEARTBEAT_SECONDS": "2", "QUIRE_DRAIN_SECONDS": "0.2", "QUIRE_KAFKA_PUBLISH_TIMEOUT_SECONDS": "4"}
CALM_SECONDS = 120.0
SWEEP_AFTER_SECONDS = 12.0


class Storm:
    def __init__(self, stack: Stack, client: Client, seed: int) -> None:
        self.stack, self.client, self.quire = stack, client, client.quire
        self.chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self.accepted: list[str] = []
        self.seen: list[list[int]] = []
        self.until = time.monotonic() + SECONDS

    def told(self, what: str) -> None:
        print(f"{SECONDS - (self.until - time.monotonic()):6.1f} s  {what}", flush=True)  # noqa: T201 -- pytest shows it with a failure

    async def harm(self) -> None:
        while time.monotonic() < self.until:
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
            part = self.chance.choice(self.quire.parts)
            deed = self.chance.choice((self.kill, self.restart, self.freeze, self.outage))
            with contextlib.suppress(ProcessLookupError):
                await deed(part)

    async def kill(self, part: Service) -> None:
        guardian_too = self.chance.random() < 0.5
        self.told(f"kill -9 {part.name}{' and its guardian' if guardian_too else ''}")
        await (self.quire.lose if guardian_too else self.quire.kill)(part.name)
        await asyncio.sleep(self.chance.uniform(0.0, 2.0))
        await part.start()

    async def restart(self, part: Service) -> None:
        self.told(f"SIGTERM {part.name}")
        await self.quire.stop(part.name)
        await part.start()

    async def freeze(self, part: Service) -> None:
        seconds = self.chance.choice((1.0, 9.0))
        self.told(f"freeze {part.name} for {seconds:.0f} s")
        part.freeze()
        await asyncio.sleep(seconds)
        part.thaw()

    async def outage(self, _part: Service) -> None:
        server = self.chance.choice((self.stack.kafka, self.stack.postgres, self.stack.s3))
        seconds = self.chance.uniform(0.5, 3.0)
        if self.chance.random() < 0.5:
            self.told(f"{server.name} answers nobody for {seconds:.1f} s")
            server.freeze()
            await asyncio.sleep(seconds)
            server.thaw()
        else:
            self.told(f"{server.name} is away for {seconds:.1f} s")
            await server.stop()
            await asyncio.sleep(seconds)
            await server.restart()

    async def submit(self, collection: str) -> None:
        while time.monotonic() < self.until:
            files = [(f"{n}.pdf", self.content()) for n in range(self.chance.randint(1, 40))]
            policy = self.chance.choice(("isolate", "isolate", "isolate", "all_or_nothing"))
            with contextlib.suppress(httpx.HTTPError):
                key = f"{collection}-{self.chance.random()}"
                for _ in range(2):
                    answer = await self.client.submit(files, key=key, collection_id=collection, policy=policy)
                    if answer.status_code == 202:
                        self.accepted += [batch["batch_id"] for batch in answer.json()["batches"]]
                        break
            await asyncio.sleep(self.chance.uniform(0.2, 2.0))

    def content(self) -> bytes:
        kind = self.chance.random()
        if kind < 0.1:
            return corrupt_pdf(self.chance.randrange(100))
        return slow_pdf(str(kind), 60) if kind < 0.3 else simple_pdf(str(kind), 2)

    async def command(self) -> None:
        while time.monotonic() < self.until:
            await asyncio.sleep(self.chance.uniform(0.5, 2.0))
            if self.accepted:
                what = self.chance.choice(({"command": "cancel"}, {"command": "retry"}, {"command": "retry", "force": True}))
                with contextlib.suppress(httpx.HTTPError):
                    await self.client.command(self.chance.choice(self.accepted[-20:]), **what)

    async def watch(self, collection: str) -> None:
        seqs: list[int] = []
        self.seen.append(seqs)
        async with aclosing(subscribe(self.quire.notifier_url, collection)) as feed:
            async for message in feed:
                if isinstance(message, Subscribed) and not message.recovered:
                    seqs = []
                    self.seen.append(seqs)
                elif isinstance(message, FeedMessage):
                    seqs.append(message.seq)

    async def calm(self) -> None:
        """Everybody is back, and every batch has ended: as long as some do, there is more to wait for."""
        for part in self.quire.parts:
            part.thaw()
            if not part.alive:
                await part.start()
            await part.wait_ready()
        fewest, since = sys.maxsize, time.monotonic()
        while unfinished := await self.unfinished():
            if len(unfinished) < fewest:
                fewest, since = len(unfinished), time.monotonic()
            assert time.monotonic() - since < CALM_SECONDS, f"{CALM_SECONDS:.0f} s without an end: {unfinished}, seed {SEED}"
            await asyncio.sleep(0.5)

    async def unfinished(self) -> list[str]:
        """What has not ended as the tables have it; once all has, what the log says otherwise."""
        rows = await self.client.rows("SELECT batch_id::text, status FROM notifier.batch")
        projected = {row["batch_id"]: row["status"] for row in rows}
        known = dict.fromkeys([*self.accepted, *projected])
        if waiting := [batch_id for batch_id in known if projected.get(batch_id) not in TERMINAL]:
            return [f"{batch_id} is {projected.get(batch_id)} in the tables" for batch_id in waiting]
        states, _ = folded([(offset, event) for _, offset, event in await self.client.log()])
        return [
            f"{batch_id} is {state and state.status} in the log, {projected.get(batch_id)} in the tables"
            for batch_id in dict.fromkeys([*self.accepted, *states])
            if (state := states.get(batch_id)) is None or not state.terminal or projected.get(batch_id) != state.status
        ]

    async def facts(self) -> Facts:
        await asyncio.sleep(SWEEP_AFTER_SECONDS)
        command = [sys.executable, "-m", "quire_ingest", "sweep", "--older-than", "0", "--force"]
        await asyncio.to_thread(subprocess.run, command, env=self.quire.env(), check=True, capture_output=True)
        rows = self.client.rows
        return Facts(
            accepted=self.accepted,
            log=[(offset, event) for _, offset, event in await self.client.log()],
            batches=await rows("SELECT batch_id::text, status, generation, attempt, processed, failed FROM notifier.batch"),
            files=await rows("SELECT batch_id::text, id::text, processing_status FROM notifier.file_metadata"),
            documents=await rows("SELECT file_id::text FROM processor.document"),
            feed={name: await self.client.feed(name) for name in COLLECTIONS},
            seen=self.seen,
            objects=await self.objects(),
        )

    async def objects(self) -> frozenset[str]:
        backing = self.quire.backing
        keys = {"access_key": backing.s3_access_key, "secret_key": backing.s3_secret_key}
        settings = S3Settings(endpoint=backing.s3_endpoint, bucket=backing.bucket, **keys)
        async with ObjectStore(settings) as store:
            return frozenset([item.key async for item in store.list()])


@pytest.mark.timeout(3 * SECONDS + CALM_SECONDS + 180)
async def test_after_the_storm_every_promise_is_kept(stack: Stack) -> None:
    print(f"seed {SEED}, {SECONDS:.0f} s")  # noqa: T201 -- pytest shows it with a failure
    async with serving(stack, processors=2, settings=SETTINGS) as client:
        storm = Storm(stack, client, SEED)
        watching: list[asyncio.Task[Any]] = [asyncio.create_task(storm.watch(name)) for name in COLLECTIONS for _ in range(3)]
        await asyncio.gather(storm.harm(), storm.command(), *(storm.submit(name) for name in COLLECTIONS))
        storm.told(f"calm; {len(storm.accepted)} batches were accepted")
        await storm.calm()
        await asyncio.sleep(1)
        for task in watching:
            task.cancel()
        assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*watching, return_exceptions=True))
        found = violations(await storm.facts())
        assert not found, f"seed {SEED}"
