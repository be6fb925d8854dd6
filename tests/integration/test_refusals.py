"""A service that cannot start as things are says so in one line with the cure, and ends with exit code 2."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from tests.integration.client import serving
from tests.integration.stack import Stack
from tests.integration.test_pooler import needs_pgbouncer, pooled
from tests.integration.test_prepare import restricted
from tests.samples_pdf import simple_pdf

from quire_local.ports import free_ports
from quire_local.services import Backing, services
from quire_runtime.topic import KEPT

PROCESSOR, NOTIFIER = (pytest.param(service, marks=pytest.mark.long) for service in ("processor", "notifier"))
SERVICES = ("ingest", PROCESSOR, NOTIFIER)
WITH_TABLES = ("processor", NOTIFIER)


async def refusal(service: str, backing: Backing, **settings: str) -> str:
    """The one line on standard error that the service ends with, without its log."""
    http, ops = free_ports(2)
    environment = {**os.environ, **backing.environment, "QUIRE_HTTP_PORT": str(http), "QUIRE_OPS_PORT": str(ops)}
    environment |= {"QUIRE_LOG_LEVEL": "error", **settings}
    command = (sys.executable, "-m", f"quire_{service}")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode == 2, said.decode()
    lines = [line for line in said.decode().splitlines() if not line.startswith("{")]  # Kafka's client logs errors that pass
    assert len(lines) == 1, said.decode()
    return lines[0]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("service", ["ingest", NOTIFIER])
async def test_a_taken_port(stack: Stack, service: str, taken: int) -> None:
    line = await refusal(service, await stack.fresh(), QUIRE_HTTP_PORT=str(taken))
    assert f"port {taken} on 127.0.0.1 is taken" in line
    assert line.endswith("set QUIRE_HTTP_PORT to a free port")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_taken_ops_port_and_an_address_of_others(stack: Stack, service: str, taken: int) -> None:
    backing = await stack.fresh()
    assert (await refusal(service, backing, QUIRE_OPS_PORT=str(taken))).endswith("set QUIRE_OPS_PORT to a free port")
    assert "QUIRE_OPS_HOST" in await refusal(service, backing, QUIRE_OPS_HOST="192.0.2.1")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_topic_with_another_number_of_partitions(stack: Stack, service: str) -> None:
    backing = await stack.fresh()
    await make_topic(backing, partitions=3)
    assert "set QUIRE_KAFKA_PARTITIONS=3" in await refusal(service, backing)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_topic_that_forgets(stack: Stack, service: str) -> None:
    backing = await stack.fresh()
    await make_topic(backing, **{"retention.ms": "604800000", "cleanup.policy": "compact"})
    line = await refusal(service, backing)
    assert "has retention.ms=604800000, cleanup.policy=compact" in line
    assert f"--entity-name {backing.topic} --add-config retention.ms=-1,cleanup.policy=delete" in line


@pytest.mark.parametrize("service", WITH_TABLES)
async def test_a_database_that_lets_nobody_in(stack: Stack, service: str) -> None:
    backing = await stack.fresh()
    user, _, host = backing.postgres.partition("@")
    wrong = replace(backing, postgres=f"{user.rpartition(':')[0]}:wrong@{host}")
    line = await refusal(service, wrong)
    assert "password authentication failed" in line
    assert "Correct QUIRE_POSTGRES_DSN" in line
    missing = replace(backing, postgres=f"{backing.postgres.rpartition('/')[0]}/nowhere")
    assert 'database "nowhere" does not exist' in await refusal(service, missing)


@pytest.mark.parametrize("service", WITH_TABLES)
async def test_a_role_that_may_make_nothing(stack: Stack, service: str) -> None:
    _, theirs = await restricted(await stack.fresh())
    line = await refusal(service, theirs)
    assert "permission denied for database" in line
    assert "run `prepare`, and set QUIRE_PREPARE=false" in line


@pytest.mark.parametrize("service", WITH_TABLES)
async def test_tables_of_another_history(stack: Stack, service: str) -> None:
    backing = await stack.fresh()
    connection = await asyncpg.connect(backing.postgres)
    try:
        await connection.execute(f"CREATE SCHEMA {service}; SET search_path = {service}")
        await connection.execute(
            "CREATE TABLE migration (version integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now()); INSERT INTO migration VALUES (1, 'other', 'other')"
        )
    finally:
        await connection.close()
    assert "undo the change and add a new file" in await refusal(service, backing)


async def test_a_log_that_was_replaced(stack: Stack) -> None:
    backing = await stack.fresh()
    group = f"quire-{uuid4()}"
    await make_topic(backing, **KEPT)
    await commit_beyond_the_end(backing, group)
    assert "another QUIRE_GROUP" in await refusal("processor", backing, QUIRE_GROUP=group)


@pytest.mark.parametrize("service", ["ingest", PROCESSOR])
async def test_an_object_store_that_refuses(stack: Stack, service: str) -> None:
    line = await refusal(service, await stack.fresh(), QUIRE_S3_SECRET_KEY="another")
    assert "the object store refuses " in line
    assert "(SignatureDoesNotMatch)" in line
    assert line.endswith("Correct QUIRE_S3_ACCESS_KEY and QUIRE_S3_SECRET_KEY")


@needs_pgbouncer
@pytest.mark.parametrize("service", WITH_TABLES)
async def test_a_pooler_that_does_not_pool_sessions(stack: Stack, service: str, tmp_path: Path) -> None:
    backing = await stack.fresh()
    async with pooled(backing.postgres, "transaction", tmp_path) as dsn:
        line = await refusal(service, replace(backing, postgres=dsn))
    assert "behind a pooler that does not pool sessions" in line
    assert "Set pool_mode = session" in line


@pytest.mark.long
@pytest.mark.parametrize("service", ["ingest", "processor", "notifier"])
async def test_fewer_brokers_than_replicas(stack: Stack, service: str) -> None:
    line = await refusal(service, await stack.fresh(), QUIRE_KAFKA_REPLICATION="3")
    assert "3 replicas are more than there are brokers" in line
    assert line.endswith("Start them, or lower QUIRE_KAFKA_REPLICATION")


@pytest.mark.long
async def test_a_text_search_configuration_that_postgres_does_not_have(stack: Stack) -> None:
    line = await refusal("notifier", await stack.fresh(), QUIRE_TEXT_SEARCH="klingon")
    assert "QUIRE_TEXT_SEARCH: Postgres has no text search configuration 'klingon'. Set it to one of " in line
    assert "english" in line


@pytest.mark.long
async def test_a_notifier_on_a_log_that_was_replaced_serves_and_says_that_it_stands_still(stack: Stack) -> None:
    async with serving(stack) as client:
        [batch_id] = await client.accepted([("a.pdf", simple_pdf())])
        await client.ended(batch_id)
        await client.quire.stop("notifier")
        replaced = replace(client.quire.backing, topic=f"{client.quire.backing.topic}.anew")
        await make_topic(replaced, **KEPT)
        quire = client.quire
        notifier = services(replaced, quire.ports, processors=1, logs=quire.logs / "anew", settings=quire.settings)[1]
        await notifier.start()
        try:
            async with asyncio.timeout(60):
                while "the projection stands still" not in notifier.child.log.read_text():
                    await asyncio.sleep(0.2)
            answer = await client.http.get(f"{quire.ops_url('notifier')}/readyz")
            assert answer.status_code == 503
            assert "the notifier by `quire rebuild`" in answer.json()["checks"]["log"]["error"]
            assert (await client.batch(batch_id) or {})["status"] == "completed"
        finally:
            await notifier.stop()


async def make_topic(backing: Backing, *, partitions: int = 24, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=backing.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(backing.topic, partitions, 1, topic_configs=config)])
    finally:
        await admin.close()


async def commit_beyond_the_end(backing: Backing, group: str) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=backing.kafka, group_id=group, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(backing.topic, number) for number in range(24)]
        consumer.assign(partitions)
        await consumer.commit(dict.fromkeys(partitions, 7))
