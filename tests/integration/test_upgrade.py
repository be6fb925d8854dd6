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

import asyncpg
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
END = "BATCH_PROCESSING_COMPLETED"
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
async def one_more_notifier(client: Client, settings: Mapping[str, str], *, ready: bool = True) -> AsyncIterator[Service]:
    """Beside the one that is there, in the same group; once it is ready, or at once."""
    quire = client.quire
    ports = with_free_ports(1)
    part = services(quire.backing, ports, processors=1, logs=quire.logs / "more", settings={**quire.settings, **settings})[1]
    try:
        await part.start()
        if ready:
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
    while not messages or messages[-1]["type"] != END or messages[-1]["batch_id"] != batch_id:
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


class Hold:
    """Stops the build of an epoch beside the live one: at its first message for the feed, in the middle of a transaction."""

    KEY = 13
    TRIGGER = """
        CREATE FUNCTION notifier.held() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock_shared({key}); RETURN NEW; END';
        CREATE TRIGGER held BEFORE INSERT ON notifier.feed
        FOR EACH ROW WHEN (NEW.epoch <> '{live}') EXECUTE FUNCTION notifier.held()
    """
    WAITING = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted"

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def begin(self, live: str) -> None:
        await self._connection.execute("SELECT pg_advisory_lock($1)", self.KEY)
        await self._connection.execute(self.TRIGGER.format(live=live, key=self.KEY))

    async def reached(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._connection.fetch(self.WAITING, self.KEY):
                await asyncio.sleep(0.05)

    async def release(self) -> None:
        await self._connection.execute("SELECT pg_advisory_unlock($1)", self.KEY)


@asynccontextmanager
async def held(client: Client, live: str) -> AsyncIterator[Hold]:
    connection = await asyncpg.connect(client.quire.backing.postgres)
    try:
        hold = Hold(connection)
        await hold.begin(live)
        yield hold
    finally:
        await connection.close()  # this releases the lock


@asynccontextmanager
async def submitting(client: Client) -> AsyncIterator[list[str]]:
    """Batches come all the time, until the end of the block; their ids."""
    batch_ids: list[str] = []
    enough = asyncio.Event()

    async def submit() -> None:
        while not enough.is_set():
            batch_ids.extend(await client.accepted([("a.pdf", simple_pdf("a"))]))
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        group.create_task(submit())
        yield batch_ids
        enough.set()


async def told(socket: Any, epoch: str, seq: int) -> list[dict[str, Any]]:
    """Every message up to the one with this seq of this epoch."""
    messages: list[dict[str, Any]] = []
    at = ""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while at != epoch or messages[-1]["seq"] < seq:
            messages.append(json.loads(await socket.recv()))
            at = messages[-1].get("epoch", at)
    return messages


@pytest.mark.long
async def test_where_nothing_can_be_carried_on_a_new_read_model_is_built_beside_and_the_old_one_goes_on(
    stack: Stack, newer_tree: dict[str, str]
) -> None:
    async with serving(stack) as client:
        await ended(client, "before")
        epoch, version = await live_epoch(client)
        address = client.quire.notifier_url.replace("http", "ws", 1) + "/ws?collection_id=default"
        async with (
            connect(address) as socket,
            held(client, epoch) as hold,
            one_more_notifier(client, newer_tree, ready=False) as new,
        ):
            probes = [f"{url}/readyz" for url in (client.quire.ops_url("notifier"), f"http://127.0.0.1:{new.ops_port}")]
            async with submitting(client) as submitted:
                await hold.reached()
                meanwhile = [await ended(client, "meanwhile") for _ in range(3)]
                assert await live_epoch(client) == (epoch, version)
                answers = [await client.http.get(url) for url in probes]
                assert [answer.status_code for answer in answers] == [httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE]
                assert "upgrade" in answers[1].text
                await hold.release()
                await new.wait_ready()
                assert "epoch built" in new.child.log.read_text()
                now, version = await live_epoch(client)
                assert (now != epoch, version) == (True, 999)
                async with asyncio.timeout(
                    60
                ):  # the older one learns of it by the first batch that falls to one of its partitions
                    while "a newer version projects, this one serves" not in client.quire.log("notifier"):
                        await asyncio.sleep(0.05)
            await ended(client, "after")
            for batch_id in submitted:
                await client.ended(batch_id)
            answers = [await client.http.get(url) for url in probes]
            assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 2
            listed = [batch["batch_id"] for batch in (await client.get("/api/batches", limit=500))["items"]]
            feed = await client.feed("default")
            seen = await told(socket, now, feed[-1]["seq"])
        assert [message["seq"] for message in feed] == list(range(1, len(feed) + 1))
        ends = {message["batch_id"]: message["seq"] for message in feed if message["type"] == END}
        assert ends.keys() == set(listed) > {*meanwhile, *submitted}
        one_switch(seen, epoch, now, meanwhile, ends)


def one_switch(seen: list[dict[str, Any]], old: str, new: str, meanwhile: list[str], ends: dict[str, int]) -> None:
    """What a subscriber was told goes from one epoch to the other: nothing is missing, nothing is told twice. `meanwhile` are
    batches of the old one, `ends` are the seqs of the new one at which batches ended.
    """
    first, second = (number for number, message in enumerate(seen) if message["type"] == "SUBSCRIBED")
    assert [seen[first]["epoch"], seen[second]["epoch"]] == [old, new]
    for part in (seen[first:second], seen[second:]):
        assert [message["seq"] for message in part] == list(range(part[0]["seq"], part[0]["seq"] + len(part)))
    by_old, by_new = (
        [message["batch_id"] for message in part if message["type"] == END] for part in (seen[:second], seen[second:])
    )
    assert set(meanwhile) <= set(by_old)
    assert len({*by_old, *by_new}) == len([*by_old, *by_new])
    assert by_new
    unseen = ends.keys() - {*by_old, *by_new}
    assert all(ends[batch_id] <= seen[second]["seq"] for batch_id in unseen)


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
