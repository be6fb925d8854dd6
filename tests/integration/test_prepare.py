"""Services that may make nothing: a job with more rights has made topic, bucket and tables, or will."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from tests.integration.client import PATIENCE_SECONDS, Client, serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf

from quire_local.services import Backing
from quire_runtime.kafka import LogUnavailable
from quire_runtime.settings import KafkaSettings, S3Settings
from quire_runtime.storage import ObjectStore, StorageUnavailable
from quire_runtime.topic import ensure_topic

MAKES_NOTHING = {"QUIRE_PREPARE": "false"}


async def command(service: str, backing: Backing, *arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"quire_{service}",
        *arguments,
        env={**os.environ, **backing.environment, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def restricted(backing: Backing) -> tuple[str, Backing]:
    """A role that may log in and nothing else; the same backing as this role sees it."""
    role = f"app_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(backing.postgres)
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'app'")
    finally:
        await connection.close()
    address = backing.postgres.rpartition("@")[2]
    return role, replace(backing, postgres=f"postgresql://{role}:app@{address}")


async def prepare(backing: Backing, role: str) -> None:
    for service in ("processor", "notifier", "ingest", "processor"):  # once more, as it is safe to repeat
        code, output = await command(service, backing, "prepare", QUIRE_PREPARE="false", QUIRE_PREPARE_GRANT_TO=role)
        assert code == 0, output


async def processed_one(client: Client) -> None:
    [batch_id] = await client.accepted([("a.pdf", simple_pdf("a"))])
    assert (await client.ended(batch_id))["status"] == "completed"


async def test_services_without_rights_wait_until_all_is_prepared_and_then_work(stack: Stack) -> None:
    backing = await stack.fresh()
    role, theirs = await restricted(backing)

    async def prepare_later() -> None:
        await asyncio.sleep(2)
        await prepare(backing, role)

    preparing = asyncio.create_task(prepare_later())
    async with serving(stack, backing=theirs, settings=MAKES_NOTHING) as client:
        await preparing
        assert "Make them with the command `prepare`" in client.quire.log("processor-1")
        await processed_one(client)


@pytest.mark.long
async def test_a_rebuild_by_the_owner_leaves_the_tables_to_the_service(stack: Stack) -> None:
    backing = await stack.fresh()
    role, theirs = await restricted(backing)
    await prepare(backing, role)
    async with serving(stack, backing=theirs, settings=MAKES_NOTHING) as client:
        await processed_one(client)
        code, output = await command("notifier", theirs, "rebuild", **MAKES_NOTHING)
        assert (code, "Run it as the role that made the tables" in output, "Traceback" in output) == (2, True, False)
        code, output = await command("notifier", backing, "rebuild", QUIRE_PREPARE_GRANT_TO=role)
        assert code == 0, output
        await processed_one(client)


@pytest.mark.long
async def test_a_rebuild_without_a_schema_and_the_right_to_make_it_says_who_has_to(stack: Stack) -> None:
    _, theirs = await restricted(await stack.fresh())
    code, output = await command("notifier", theirs, "rebuild", **MAKES_NOTHING)
    assert (code, output.count("\n")) == (2, 1), output
    assert "Run it as the role that made the tables" in output


@pytest.mark.long
async def test_what_cannot_be_prepared_in_time_is_one_sentence(stack: Stack) -> None:
    backing = replace(await stack.fresh(), kafka="127.0.0.1:9")
    code, output = await command("ingest", backing, "prepare", "--within", "0.5", QUIRE_LOG_LEVEL="error")
    assert code == 2
    assert "127.0.0.1:9" in output
    assert "Traceback" not in output


async def test_a_topic_and_a_bucket_of_others_are_waited_for(stack: Stack) -> None:
    backing = await stack.fresh()
    with pytest.raises(LogUnavailable, match="prepare"):
        await ensure_topic(KafkaSettings(bootstrap=backing.kafka, topic=backing.topic), make=False, give_up_after=0.2)
    settings = S3Settings(
        endpoint=backing.s3_endpoint, bucket=backing.bucket, access_key=backing.s3_access_key, secret_key=backing.s3_secret_key
    )
    async with ObjectStore(settings) as store:
        with pytest.raises(StorageUnavailable, match="prepare"):
            await store.ensure_bucket(make=False, give_up_after=0.2)


@pytest.mark.parametrize("cure", ["prepare", pytest.param("rebuild", marks=pytest.mark.long)])
async def test_a_lost_schema_comes_back_by_a_command_of_its_owner(stack: Stack, cure: str) -> None:
    """After `prepare`, the notifier folds the whole log by itself."""
    backing = await stack.fresh()
    role, theirs = await restricted(backing)
    await prepare(backing, role)
    async with serving(stack, backing=theirs, settings=MAKES_NOTHING) as client:
        for _ in range(4):  # batches in several partitions
            await processed_one(client)
        before = await client.get("/api/batches")
        connection = await asyncpg.connect(backing.postgres)
        try:
            await connection.execute("DROP SCHEMA notifier CASCADE")
        finally:
            await connection.close()
        code, output = await command("notifier", backing, cure, QUIRE_PREPARE_GRANT_TO=role, **MAKES_NOTHING)
        assert code == 0, output
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await client.get("/api/batches") != before:
                await asyncio.sleep(0.1)
