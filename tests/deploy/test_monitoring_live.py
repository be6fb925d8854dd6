"""Alerts and dashboard with a real Prometheus on a running stack: every panel shows something, and each alert is walked into and
out of again, as docs/operate.md tells it. (`for:` is left out: what is asked is whether the expression is true.)
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from tests.deploy.monitoring import panels
from tests.deploy.prometheus import Prometheus, watching
from tests.integration.client import Client, serving
from tests.integration.conftest import stack as stack  # noqa: PLC0414 -- the fixture
from tests.integration.stack import Stack
from tests.integration.test_metrics import work
from tests.samples_pdf import corrupt_pdf, simple_pdf, slow_page_pdf, slow_pdf
from websockets.asyncio.client import connect

from quire_runtime.settings import S3Settings
from quire_runtime.storage import ObjectStore
from quire_schemas.cloudevents import encode
from quire_schemas.events import BatchStarted, event_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


@asynccontextmanager
async def watched(
    stack: Stack, directory: Path, *, processors: int = 1, **settings: str
) -> AsyncIterator[tuple[Client, Prometheus]]:
    async with (
        serving(stack, processors=processors, settings=settings) as client,
        watching(client.quire, directory / "prometheus") as prometheus,
    ):
        yield client, prometheus


@asynccontextmanager
async def meanwhile(action: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Does it again and again, whatever comes of it."""

    async def repeat() -> None:
        while True:
            with suppress(httpx.HTTPError):
                await action()
            await asyncio.sleep(1)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_panel_shows_something_and_a_healthy_stack_wakes_nobody(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path, processors=2, QUIRE_WALL_LIMIT_SECONDS="5") as (client, prometheus):
        for _ in range(2):  # what first appears with a value has no rate yet
            async with (
                connect(client.quire.notifier_url.replace("http", "ws", 1) + "/ws?collection_id=default"),
                client.http.stream("GET", f"{client.quire.notifier_url}/api/collections/default/events"),
            ):
                await work(client)
        empty = [(panel.title, query) for panel in panels() for query in panel.queries if not await prometheus.query(query)]
        assert empty == []
        assert await prometheus.firing() == set()


async def test_kafka_away(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path) as (client, prometheus):
        [batch_id] = await client.accepted([(f"{n}.pdf", slow_pdf(f"{n}")) for n in range(8)])
        await client.until(batch_id, lambda batch: batch["processed"] > 0)
        await stack.kafka.stop()
        try:
            async with meanwhile(lambda: client.submit([("a.pdf", simple_pdf())])):
                await prometheus.true("QuireLogUnread", "QuirePublishFailures", "QuireIngestErrors")
                await prometheus.true("QuireDependencyAway", dependency="log")
        finally:
            await stack.kafka.restart()
        await client.ended(batch_id)
        await prometheus.false("QuireLogUnread", "QuireDependencyAway")


async def test_postgres_away(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path, QUIRE_OUTAGE_LIMIT_SECONDS="3600") as (client, prometheus):
        backing = client.quire.backing
        [batch_id] = await client.accepted([(f"{n}.pdf", slow_pdf(f"{n}")) for n in range(8)])
        await client.until(batch_id, lambda batch: batch["status"] == "processing")
        await stack.postgres.stop()
        late = [await client.accepted([(f"late {n}.pdf", simple_pdf())]) for n in range(12)]  # shown when postgres is back
        since = time.monotonic()
        try:
            async with meanwhile(lambda: client.http.get(f"{client.quire.notifier_url}/api/batches")):
                await prometheus.true("QuireNotifierErrors")
            await prometheus.true("QuireDependencyAway", dependency="database")
            async with AIOKafkaProducer(bootstrap_servers=backing.kafka) as producer:
                for number in range(11_000):
                    await producer.send(backing.topic, b"none of ours", partition=number % 24)
            await prometheus.true("QuireConsumerLag", group=f"quire-notifier{backing.group_suffix}")
            await stack.kafka.restart()
            await prometheus.true("QuirePartitionsUnplaced", group=f"quire-notifier{backing.group_suffix}")
            await asyncio.sleep(since + 15 - time.monotonic())
        finally:
            await stack.postgres.restart()
        for [small] in late:
            await client.ended(small)
        assert (await client.ended(batch_id))["status"] == "completed"
        await prometheus.true("QuireProjectionLate", "QuireInvalidRecords")
        await prometheus.false("QuireConsumerLag", "QuirePartitionsUnplaced", "QuireDependencyAway")


async def test_a_projection_that_cannot_write_stands_still(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path) as (client, prometheus):
        await stack.postgres.stop()
        try:
            await client.accepted([("a.pdf", simple_pdf())])
            await prometheus.true("QuireConsumerStandsStill", group=f"quire-notifier{client.quire.backing.group_suffix}")
        finally:
            await stack.postgres.restart()
        await prometheus.false("QuireConsumerStandsStill")


async def test_no_processor_and_then_files_that_fail(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path) as (client, prometheus):
        await client.quire.stop("processor-1")
        [batch_id] = await client.accepted([("gone.pdf", simple_pdf())])
        await prometheus.true("QuireServiceAbsent", service="processor")
        await prometheus.true("QuireTargetDown", job="quire-processor")
        await client.until(batch_id, lambda batch: batch["status"] == "queued")
        await client.rows("UPDATE notifier.batch SET created_at = created_at - interval '2 hours'")
        await prometheus.true("QuireNoProgress", "QuireOldestUnfinished")
        await remove_originals(client)
        await client.accepted([(f"{n}.pdf", corrupt_pdf(n)) for n in range(25)])
        await client.quire.start("processor-1")
        await prometheus.true("QuireFilesFailing")
        await prometheus.true("QuireFilesFailingHere", code="object_missing")
        await prometheus.false("QuireServiceAbsent", "QuireTargetDown", "QuireNoProgress", "QuireOldestUnfinished")


async def remove_originals(client: Client) -> None:
    backing = client.quire.backing
    settings = S3Settings(
        endpoint=backing.s3_endpoint, bucket=backing.bucket, access_key=backing.s3_access_key, secret_key=backing.s3_secret_key
    )
    async with ObjectStore(settings) as store:
        await store.delete_many([row["object_key"] for row in await client.rows("SELECT object_key FROM notifier.file_metadata")])


async def test_processors_that_die_again_and_again(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path, QUIRE_MAX_FRUITLESS_RUNS="2") as (client, prometheus):
        for _ in range(3):
            await client.quire.kill("processor-1")
            await client.quire.start("processor-1")
            await asyncio.sleep(2)  # for Prometheus to see this one
        await prometheus.true("QuireRestarting", job="quire-processor")
        await client.quire.kill("processor-1")
        [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
        for attempt in (1, 2):
            await begun_and_died(client, batch_id, attempt)
        await client.quire.start("processor-1")
        assert (await client.ended(batch_id))["error_code"] == "attempts_exhausted"
        await prometheus.true("QuireAttemptsExhausted")


async def begun_and_died(client: Client, batch_id: str, attempt: int) -> None:
    """A processor that died before it told which file it had in work."""
    begin = BatchStarted(attempt=attempt, run_id=str(uuid4()), worker=f"processor-{attempt + 1}")
    event = event_of(
        begin, id=str(uuid4()), batch_id=batch_id, collection_id="default", source="/quire/processor", time=datetime.now(UTC)
    )
    key, value, headers = encode(event)
    async with AIOKafkaProducer(bootstrap_servers=client.quire.backing.kafka) as producer:
        await producer.send_and_wait(client.quire.backing.topic, value, key=key, headers=headers)
    await client.until(batch_id, lambda batch: batch["attempt"] == attempt)


async def test_workers_that_are_killed_and_a_processor_that_freezes(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path, QUIRE_CPU_LIMIT_SECONDS="0.5", QUIRE_WORKERS="2") as (client, prometheus):
        [batch_id] = await client.accepted([(f"{n}.pdf", slow_page_pdf()) for n in range(10)])
        await prometheus.true("QuireWorkerKills")
        await client.ended(batch_id)
        [batch_id] = await client.accepted([(f"{n}.pdf", slow_pdf(f"{n}", 2_000)) for n in range(10)])
        await client.until(batch_id, lambda batch: batch["status"] == "processing")
        client.quire.freeze("processor-1")
        await asyncio.sleep(100)
        await prometheus.true("QuireBatchSilent")
        await prometheus.true("QuireTargetDown", job="quire-processor")
        client.quire.thaw("processor-1")
        await client.ended(batch_id)
        await prometheus.false("QuireBatchSilent", "QuireTargetDown")


async def test_strangers_in_the_log_and_lost_tables(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path) as (client, prometheus):
        [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
        await client.ended(batch_id)
        [_, _, event], *_ = await client.log()
        key, _, headers = encode(event)
        unknown = [(name, b"quire.batch.forgotten.v1" if name == "ce_type" else value) for name, value in headers]
        async with AIOKafkaProducer(bootstrap_servers=client.quire.backing.kafka) as producer:
            await producer.send_and_wait(client.quire.backing.topic, b"\xff none of ours", partition=0)
            await producer.send_and_wait(client.quire.backing.topic, b"{}", key=key, headers=unknown)
        for job in ("quire-notifier", "quire-processor"):
            await prometheus.true("QuireInvalidRecords", "QuireUnknownTypes", job=job)
        await client.lose("TABLE notifier.batch")
        await client.submit([("b.pdf", simple_pdf())])
        await prometheus.true("QuireRebuildNeeded")
        rebuild = [sys.executable, "-m", "quire_notifier", "rebuild"]
        await asyncio.to_thread(subprocess.run, rebuild, env=client.quire.env(), check=True, capture_output=True)
        await prometheus.false("QuireRebuildNeeded")


async def test_slow_clients_and_few_file_descriptors(stack: Stack, tmp_path: Path) -> None:
    async with watched(stack, tmp_path) as (client, prometheus):
        [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
        await client.ended(batch_id)
        await client.rows(LONG_FEED)
        with sleepers(client, 14):
            await prometheus.true("QuireSlowClients")
        ingest = psutil.Process(client.quire.pids["ingest"])
        soft, hard = ingest.rlimit(psutil.RLIMIT_NOFILE)
        ingest.rlimit(psutil.RLIMIT_NOFILE, (round(ingest.num_fds() / 0.9), hard))
        await prometheus.true("QuireOpenFiles", job="quire-ingest")
        ingest.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        await prometheus.false("QuireOpenFiles")


LONG_FEED = """
WITH c AS (UPDATE notifier.collection SET last_seq = last_seq + 3000 RETURNING *)
INSERT INTO notifier.feed
SELECT c.epoch, c.collection_id, c.last_seq - 3000 + n, gen_random_uuid(), 'FILES_PROCESSED', now(),
       '{"seq": ' || c.last_seq - 3000 + n || ', "pad": "' || repeat('x', 10000) || '"}'
FROM c, generate_series(1, 3000) AS n
"""


@contextmanager
def sleepers(client: Client, count: int) -> Iterator[None]:
    """WebSocket clients that ask for everything and read nothing."""
    address = urlsplit(client.quire.notifier_url)
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        one.connect((address.hostname, address.port))
        lines = ["GET /ws?collection_id=default&after=0 HTTP/1.1", f"Host: {address.netloc}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
        one.sendall("\r\n".join([*lines, "Sec-WebSocket-Version: 13", "", ""]).encode())
        sockets.append(one)
    try:
        yield
    finally:
        for one in sockets:
            one.close()
