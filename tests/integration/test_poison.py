"""Records in the topic that are none of Quire's: counted and shown, and nobody stops because of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

from aiokafka import AIOKafkaProducer
from tests.integration.client import serving
from tests.integration.stack import Stack
from tests.samples_pdf import simple_pdf

from quire_runtime.kafka import partition_of
from quire_runtime.settings import KafkaSettings
from quire_schemas.cloudevents import encode

PARTITIONS = KafkaSettings().partitions


async def test_poison_in_every_partition_stops_nobody_and_is_visible(stack: Stack) -> None:
    async with serving(stack) as client:
        [first] = await client.accepted([("a.pdf", simple_pdf())])
        await client.ended(first)
        _, _, event = (await client.log())[0]
        key, value, headers = encode(event)
        stranger = [(name, b"quire.batch.forgotten.v1" if name == "ce_type" else content) for name, content in headers]
        wrong = (partition_of(key, PARTITIONS) + 1) % PARTITIONS
        topic = client.quire.backing.topic
        async with AIOKafkaProducer(bootstrap_servers=client.quire.backing.kafka) as producer:
            for partition in range(PARTITIONS):
                await producer.send_and_wait(topic, b"\xff\x00 no json", partition=partition)
                await producer.send_and_wait(topic, None, key=b"tombstone", partition=partition)
                await producer.send_and_wait(topic, b"{}", key=key, headers=stranger, partition=partition)
            await producer.send_and_wait(topic, b"{" + b" " * 900_000, key=key, headers=headers, partition=wrong)
            await producer.send_and_wait(topic, value, key=key, headers=headers, partition=wrong)
        ids = [await client.accepted([(f"{n}.pdf", simple_pdf(f"{n}"))]) for n in range(20)]
        for [batch_id] in ids:
            assert (await client.ended(batch_id))["status"] == "completed"
        assert [batch["batch_id"] for batch in (await client.get("/api/batches", limit=500))["items"]].count(first) == 1
        for service in ("notifier", "processor-1"):
            metrics = (await client.http.get(f"{client.quire.ops_url(service)}/metrics")).text
            assert f"quire_log_invalid_total {2 * PARTITIONS + 2}.0" in metrics
            assert f"quire_log_unknown_type_total {PARTITIONS}.0" in metrics
        command = [sys.executable, "-m", "quire_cli", "events", "--invalid", "--json"]
        shown = await asyncio.to_thread(
            subprocess.run,
            command,
            env=client.quire.env(),
            capture_output=True,
            text=True,
            check=True,
        )
        records = [json.loads(line) for line in shown.stdout.splitlines()]
        assert len(records) == 3 * PARTITIONS + 2
        assert {record["partition"] for record in records} == set(range(PARTITIONS))
