"""Another version of the fold takes over while batches go on, and readers stay connected: one switch, no gap. What an older one
has ended is carried on.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from tests.integration.client import PATIENCE_SECONDS, Client, serving
from tests.integration.stack import Stack, with_free_ports
from tests.samples_pdf import corrupt_pdf, simple_pdf
from websockets.asyncio.client import connect

from quire_local.services import Service, services
from quire_runtime.publisher import Publisher
from quire_runtime.settings import KafkaSettings
from quire_schemas.events import BatchCreated
from quire_schemas.states import FOLD_VERSION
from quire_schemas.stored import fold_of

ROOT = Path(__file__).resolve().parents[2]
FIRST_FOLD = "42610d7"
"""The last commit whose fold was version 1."""
CODE = ("schemas", "services/runtime", "services/ingest", "services/processor", "services/notifier")


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which services are those of the first fold."""
    archive = subprocess.run(["git", "archive", FIRST_FOLD, *CODE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"this clone has no commit {FIRST_FOLD}, whose services are upgraded: {archive.stderr.decode().strip()}")
    tree = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(tree, filter="data")
    return {"PYTHONPATH": os.pathsep.join(str(tree / folder) for folder in CODE)}


@pytest.fixture(scope="module")
def newer_tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the fold is a newer one, whose states cannot be carried on from ours."""
    tree = tmp_path_factory.mktemp("newer") / "schemas"
    shutil.copytree(ROOT / "schemas", tree)
    states = tree / "quire_schemas" / "states.py"
    text, count = re.subn(r"^(FOLD_VERSION|CARRIES_ON_FROM) = \d+$", r"\1 = 999", states.read_text(), flags=re.MULTILINE)
    assert count == 2
    states.write_text(text)
    return {"PYTHONPATH": str(tree)}


@asynccontextmanager
async def one_more_notifier(client: Client, settings: Mapping[str, str]) -> AsyncIterator[Service]:
    """Beside the one that is there, in the same group, ready."""
    quire = client.quire
    ports = with_free_ports(1)
    part = services(quire.backing, ports, processors=1, logs=quire.logs / "more", settings={**quire.settings, **settings})[1]
    try:
        await part.start()
        await part.wait_ready()
        yield part
    finally:
        await part.stop()
        print(part.child.log.read_text()[-4000:])  # noqa: T201 -- pytest shows it with a failure


async def ended(client: Client, name: str) -> str:
    [batch_id] = await client.accepted([(f"{name}{number}.pdf", simple_pdf(name)) for number in range(3)])
    batch = await client.ended(batch_id)
    assert (batch["status"], batch["processed"]) == ("completed", 3)
    return batch_id


async def live_epoch(client: Client) -> tuple[str, int]:
    [row] = await client.rows("SELECT id::text, fold_version FROM notifier.epoch WHERE live")
    return row["id"], row["fold_version"]


async def received(socket: Any, batch_id: str) -> list[dict[str, Any]]:
    """Every message up to the batch's completion."""
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["type"] != "BATCH_PROCESSING_COMPLETED" or messages[-1]["batch_id"] != batch_id:
        messages.append(json.loads(await socket.recv()))
    return messages


async def test_a_newer_version_carries_on_what_an_older_one_has_folded(stack: Stack, old_tree: dict[str, str]) -> None:
    async with serving(stack, settings=old_tree) as client:
        await ended(client, "old")
        epoch, version = await live_epoch(client)
        assert version == 1
        address = client.quire.notifier_url.replace("http", "ws", 1) + "/ws?collection_id=default&after=0"
        async with connect(address) as socket, one_more_notifier(client, {"PYTHONPATH": ""}) as new:
            assert await live_epoch(client) == (epoch, FOLD_VERSION)
            assert "epoch carried on" in new.child.log.read_text()
            messages = await received(socket, await ended(client, "new"))
        assert [message["seq"] for message in messages[1:]] == list(range(1, len(messages)))


@pytest.mark.long
async def test_where_nothing_can_be_carried_on_a_new_read_model_is_built_beside(stack: Stack, newer_tree: dict[str, str]) -> None:
    async with serving(stack) as client:
        before = [await ended(client, "old")]
        epoch, _ = await live_epoch(client)
        address = client.quire.notifier_url.replace("http", "ws", 1) + "/ws?collection_id=default"
        async with connect(address) as socket, one_more_notifier(client, newer_tree) as new:
            assert "epoch built" in new.child.log.read_text()
            now, version = await live_epoch(client)
            assert (now != epoch, version) == (True, 999)
            after = [await ended(client, "new")]
            messages = await received(socket, after[0])
            assert [message["epoch"] for message in messages if message["type"] == "SUBSCRIBED"][-1] == now
            async with asyncio.timeout(60):  # the older one learns of it by the first batch that falls to one of its partitions
                while "a newer version projects, this one serves" not in client.quire.log("notifier"):
                    after.append(await ended(client, "new"))
            for url in (client.quire.ops_url("notifier"), f"http://127.0.0.1:{new.ops_port}"):
                answer = await client.http.get(f"{url}/readyz")
                assert answer.status_code == httpx.codes.OK, answer.text
            listed = (await client.get("/api/batches"))["items"]
            assert [batch["batch_id"] for batch in listed] == [*reversed(after), *before]
            feed = await client.feed("default")
            assert [message["seq"] for message in feed] == list(range(1, len(feed) + 1))
            assert {message["batch_id"] for message in feed} == {*after, *before}


async def remembered(client: Client, batch_id: str, generation: int) -> int:
    """Waits until the end of this generation is remembered; the version of the fold that stored it."""
    sql = "SELECT state FROM processor.finished_batch WHERE batch_id = $1 AND generation = $2"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (rows := await client.rows(sql, batch_id, generation)):
            await asyncio.sleep(0.05)
    return fold_of(rows[0]["state"])


async def passed(client: Client, partition: int, offset: int) -> None:
    """Waits until no processor would come back to this record: nothing is to be done about it, or all is done."""
    backing = client.quire.backing
    place, group = TopicPartition(backing.topic, partition), f"quire-processor{backing.group_suffix}"
    admin = AIOKafkaAdminClient(bootstrap_servers=backing.kafka)
    await admin.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await admin.list_consumer_group_offsets(group))[place].offset <= offset:
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


@pytest.mark.long
async def test_a_batch_that_an_older_processor_has_ended_is_not_begun_again_and_can_be_retried(
    stack: Stack, old_tree: dict[str, str]
) -> None:
    backing = await stack.fresh()
    async with serving(stack, backing=backing, settings=old_tree) as client:
        [batch_id] = await client.accepted([("good.pdf", simple_pdf()), ("bad.pdf", corrupt_pdf())])
        assert (await client.ended(batch_id))["status"] == "completed_with_errors"
        assert await remembered(client, batch_id, generation=0) == 1
    async with serving(stack, backing=backing) as client:
        before = [event for _, _, event in await client.log()]
        [created] = [event for event in before if isinstance(event.data, BatchCreated)]
        async with Publisher(KafkaSettings(bootstrap=backing.kafka, topic=backing.topic), "test") as publisher:
            await passed(client, *await publisher.publish(created))
        assert [event for _, _, event in await client.log()] == [*before, created]

        assert (await client.command(batch_id, "retry")).status_code == httpx.codes.ACCEPTED
        await client.until(batch_id, lambda batch: batch["generation"] == 1)
        again = await client.ended(batch_id)
        assert (again["status"], again["attempt"]) == ("completed_with_errors", 2)
        assert [file["processing_status"] for file in again["files"]] == ["processed", "failed"]
        assert await remembered(client, batch_id, generation=1) == FOLD_VERSION
