"""`check-config --connect` meets every server as a start would, makes nothing, and tells each problem with its cure."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.gate import gated
from tests.integration.stack import Stack
from tests.integration.test_other_stores import conditions
from tests.integration.test_prepare import restricted
from tests.integration.test_refusals import SERVICES, make_topic
from tests.integration.test_runtime_storage import settings_of

from quire_local.services import Backing
from quire_runtime.storage import ObjectStore


async def met(service: str, backing: Backing, **settings: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and what it says of each server."""
    environment = {**os.environ, **backing.environment, **settings}
    arguments = ("-m", f"quire_{service}", "check-config", "--connect", "--json")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment, stdout=pipe, stderr=pipe)
    said, problems = await process.communicate()
    servers = {one["name"]: one for one in json.loads(said)["connections"]}
    assert problems.decode().splitlines() == [one["problem"] for one in servers.values() if one["problem"]]
    return process.returncode or 0, servers


@pytest.mark.parametrize("service", SERVICES)
async def test_servers_that_answer(stack: Stack, service: str) -> None:
    code, servers = await met(service, await stack.fresh())
    assert code == 0
    assert {name: one["problem"] for name, one in servers.items()} == dict.fromkeys(servers)
    assert all("is not there yet" in servers[name]["notes"][0] for name in ("Kafka", "S3"))
    assert ("Postgres" in servers) == (service != "ingest")


@pytest.mark.parametrize("service", SERVICES)
async def test_servers_that_are_away(stack: Stack, service: str) -> None:
    nowhere = "127.0.0.1:9"
    away = replace(stack.backing, kafka=nowhere, postgres=f"postgresql://a:b@{nowhere}/a", s3_endpoint=f"http://{nowhere}")
    code, servers = await met(service, away)
    assert code == 2
    cures = {"Kafka": "QUIRE_KAFKA_BOOTSTRAP", "Postgres": "QUIRE_POSTGRES_DSN", "S3": "QUIRE_S3_ENDPOINT"}
    for name, one in servers.items():
        assert one["problem"].endswith(f"Start it, or correct {cures[name]}")


async def test_what_has_to_be_made_by_others(stack: Stack) -> None:
    _, theirs = await restricted(await stack.fresh())
    code, servers = await met("processor", theirs, QUIRE_PREPARE="false")
    assert code == 2
    assert all("Make it with the command `prepare`" in servers[name]["problem"] for name in ("Kafka", "S3"))
    assert "Make them with the command `prepare`" in servers["Postgres"]["problem"]
    _, servers = await met("processor", theirs)
    assert "may not make the tables of the schema processor. Grant CREATE on it" in servers["Postgres"]["problem"]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_topic_that_forgets_unless_that_is_allowed(stack: Stack, service: str) -> None:
    backing = await stack.fresh()
    await make_topic(backing, **{"retention.ms": "604800000"})
    code, servers = await met(service, backing)
    assert code == 2
    assert "kafka-configs.sh" in servers["Kafka"]["problem"]
    assert "QUIRE_KAFKA_ALLOW_RETENTION=true" in servers["Kafka"]["problem"]
    code, servers = await met(service, backing, QUIRE_KAFKA_ALLOW_RETENTION="true")
    assert (code, servers["Kafka"]["problem"]) == (0, None)


async def test_what_ingest_can_do_without(stack: Stack) -> None:
    backing = await stack.fresh()
    async with ObjectStore(settings_of(stack, bucket=backing.bucket)) as store:
        await store.ensure_bucket()
    async with gated(stack, refuse=conditions) as gate:
        code, servers = await met("ingest", replace(backing, s3_endpoint=gate.endpoint))
    assert code == 0
    [note] = servers["S3"]["notes"]
    assert "Idempotency-Key holds for requests one after the other" in note
