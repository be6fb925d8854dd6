"""What is removed or replaced because the log does not name it, is so only if the log is whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from tests.integration.client import Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf

from quire_runtime.scan import LogScan
from quire_runtime.settings import KafkaSettings, S3Settings
from quire_runtime.storage import ObjectStore
from quire_runtime.topic import ensure_topic


@pytest.fixture(scope="module")
async def client(stack: Stack) -> AsyncIterator[Client]:
    """Of services with one batch that has ended, and a whole log."""
    async with with_a_batch(stack) as client:
        yield client


@pytest.fixture(scope="module")
async def cut(stack: Stack) -> AsyncIterator[Client]:
    """As `client`, but every record is gone from the log, as after a retention."""
    async with with_a_batch(stack) as client:
        await empty_log(client)
        yield client


@asynccontextmanager
async def with_a_batch(stack: Stack) -> AsyncIterator[Client]:
    async with serving(stack) as client:
        [batch_id] = await client.accepted([("a.pdf", simple_pdf("a"))])
        await client.ended(batch_id)
        yield client


def ran(client: Client, module: str, *arguments: str, **settings: str) -> tuple[int, str]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=client.quire.env() | settings, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


async def objects(client: Client) -> set[str]:
    backing = client.quire.backing
    keys = {"access_key": backing.s3_access_key, "secret_key": backing.s3_secret_key}
    async with ObjectStore(S3Settings(endpoint=backing.s3_endpoint, bucket=backing.bucket, **keys)) as store:
        return {item.key async for item in store.list()}


async def empty_log(client: Client) -> None:
    backing = client.quire.backing
    async with LogScan(KafkaSettings(bootstrap=backing.kafka, topic=backing.topic), "test") as scan:
        ends = await scan.ends()
    admin = AIOKafkaAdminClient(bootstrap_servers=backing.kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(backing.topic, number): RecordsToDelete(before_offset=end) for number, end in ends.items() if end}
        )
    finally:
        await admin.close()


@pytest.mark.parametrize("age", [("--older-than", "3600"), ("--older-than", "0", "--force")], ids=["old ones", "of any age"])
async def test_nothing_is_swept_by_a_log_that_was_cut_unless_that_is_asked_for(cut: Client, age: tuple[str, ...]) -> None:
    before = await objects(cut)
    code, said = ran(cut, "quire_ingest", "sweep", *age)
    assert (code, "oldest records" in said) == (2, True), said
    assert await objects(cut) == before
    code, said = ran(cut, "quire_ingest", "sweep", *age, "--partial-log", "--dry-run")
    assert (code, said.startswith("Would remove")) == (0, True), said


async def test_nothing_is_swept_by_another_log(client: Client) -> None:
    before = await objects(client)
    code, said = ran(client, "quire_ingest", "sweep", "--older-than", "3600", QUIRE_KAFKA_TOPIC="t.misspelt")
    assert (code, "there is no topic t.misspelt" in said) == (2, True), said
    other = replace(client.quire.backing, topic=f"{client.quire.backing.topic}.other")
    await ensure_topic(KafkaSettings(bootstrap=other.kafka, topic=other.topic))
    for age in (("--older-than", "3600"), ("--older-than", "0", "--force")):
        code, said = ran(client, "quire_ingest", "sweep", *age, QUIRE_KAFKA_TOPIC=other.topic)
        assert (code, "the notifier lists the batch" in said) == (2, True), said
    assert await objects(client) == before


async def test_what_an_upload_is_just_storing_is_not_swept_by_mistake(client: Client) -> None:
    code, said = ran(client, "quire_ingest", "sweep", "--older-than", "60")
    assert (code, "an upload that is still coming in" in said) == (2, True), said


async def test_a_whole_log_sweeps(client: Client) -> None:
    code, said = ran(client, "quire_ingest", "sweep", "--older-than", "3600")
    assert (code, said.startswith("Removed 0 artefacts")) == (0, True), said


async def test_nothing_is_swept_while_nobody_says_which_batches_there_are(client: Client) -> None:
    await client.quire.stop("notifier")
    try:
        code, said = ran(client, "quire_ingest", "sweep", "--older-than", "3600")
    finally:
        await client.quire.start("notifier")
    assert (code, "does not say which batches there are" in said) == (2, True), said


async def test_a_rebuild_from_a_log_without_its_newest_records_changes_nothing_unless_forced(client: Client) -> None:
    """As Kafka is after a disk that lost what it had not written yet: the tables know more than the log."""
    connection = await asyncpg.connect(client.quire.backing.postgres)
    try:
        moved = "UPDATE notifier.projection SET next_offset = next_offset + $1 WHERE next_offset > 0 RETURNING partition"
        await client.quire.stop("notifier")
        [partition] = [row["partition"] for row in await connection.fetch(moved, 1)]
        code, said = ran(client, "quire_notifier", "rebuild")
        assert (code, f"partition {partition} of this log ends at" in said) == (2, True), said
        code, said = ran(client, "quire_notifier", "rebuild", "--force")
        assert code == 0, said
    finally:
        await connection.close()
        await client.quire.start("notifier")
    assert len((await client.get("/api/batches"))["items"]) == 1


async def test_a_rebuild_that_would_lose_batches_changes_nothing_unless_forced(cut: Client) -> None:
    code, said = ran(cut, "quire_notifier", "rebuild")
    assert (code, "does not know 1 batches" in said) == (2, True), said
    assert len((await cut.get("/api/batches"))["items"]) == 1
    code, said = ran(cut, "quire_notifier", "rebuild", "--force")
    assert code == 0, said
    assert (await cut.get("/api/batches"))["items"] == []
