"""Everything that reaches into private parts of aiokafka, as there is no public way: an upgrade has one file to look at.

`pyproject.toml` bounds the version, and tests/runtime/test_private_parts.py holds that each of these names is there.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

# ruff: noqa: SLF001 - this is the place for it


def has_given_up_reading(consumer: AIOKafkaConsumer) -> bool:
    """Whether the task that fetches records has ended, of which aiokafka says nothing."""
    fetcher = consumer._fetcher
    return fetcher is not None and bool(fetcher._fetch_task.done())


def knows_coordinator(consumer: AIOKafkaConsumer) -> bool:
    """Whether the group's coordinator has answered the last heartbeat."""
    coordinator = consumer._coordinator
    return coordinator is not None and coordinator.coordinator_id is not None


async def commit_once(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """One attempt; raises KafkaError. The public `commit` repeats it for ever, also when the group has moved on meanwhile, and
    leaves a task behind when it is cancelled.
    """
    await consumer._coordinator._do_commit_offsets(None, offsets)


async def heartbeat(consumer: AIOKafkaConsumer) -> bool:
    """Whether the coordinator confirms the membership; raises KafkaError."""
    return bool(await consumer._coordinator._do_heartbeat())


async def broker_answers(consumer: AIOKafkaConsumer) -> bool:
    return bool(await consumer._client.force_metadata_update())


async def cut(consumer: AIOKafkaConsumer, stopping: "asyncio.Task[None]") -> None:
    """Ends the consumer's tasks and connections without its help; `stopping` is its `stop`, which hangs."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks: set[Any] = {stopping}
    if coordinator is not None:
        tasks |= {coordinator._coordination_task, coordinator._heartbeat_task, coordinator._commit_refresh_task}
    if fetcher is not None:
        tasks |= {fetcher._fetch_task, *fetcher._pending_tasks}
    tasks.discard(None)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await consumer._client.close()


async def abandon(producer: AIOKafkaProducer, error: Exception) -> None:
    """Fails what is not acknowledged with `error`. `stop` alone waits for ever on batches that no broker takes: an idempotent
    producer never lets a batch expire.
    """
    await producer._sender.close()
    producer._message_accumulator.fail_all(error)


def has_controller(admin: AIOKafkaAdminClient) -> bool:
    """False while the broker is starting, over which aiokafka stumbles."""
    return admin._client.cluster.controller is not None
