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
from tests.integration.test_other_stores import conditions, deleting, listing, putting
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


async def met_s3(stack: Stack, service: str, refuse: Any) -> tuple[int, dict[str, Any]]:
    """Exit code, and what it says of a store that refuses this and has the bucket."""
    backing = await stack.fresh()
    async with ObjectStore(settings_of(stack, bucket=backing.bucket)) as store:
        await store.ensure_bucket()
    async with gated(stack, refuse=refuse) as gate:
        code, servers = await met(service, replace(backing, s3_endpoint=gate.endpoint))
    return code, servers["S3"]


@pytest.mark.parametrize("service", ["ingest", "processor"])
async def test_what_a_store_lacks_that_a_service_can_do_without(stack: Stack, service: str) -> None:
    code, s3 = await met_s3(stack, service, lambda *ask: conditions(*ask) or listing(*ask) or deleting(*ask))
    assert (code, s3["problem"]) == (0, None)
    wanted = ["Grant s3:ListBucket on the bucket", "Grant s3:DeleteObject on it"]
    wanted += ["Idempotency-Key holds for requests one after the other"] if service == "ingest" else []
    assert [want in note for note, want in zip(s3["notes"], wanted, strict=True)] == [True] * len(wanted), s3["notes"]


async def test_a_store_that_takes_no_objects_is_a_problem(stack: Stack) -> None:
    code, s3 = await met_s3(stack, "processor", putting)
    assert code == 2
    assert s3["problem"].endswith("Grant s3:PutObject on it")
