"""All code that uses private parts of aiokafka, where it has no public API. After an upgrade of aiokafka, only this file has to
be checked.

`pyproject.toml` bounds the version, and tests/runtime/test_private_parts.py checks that each of these names exists.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import for_code
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata

# ruff: noqa: SLF001 - the purpose of this file


def has_given_up_reading(consumer: AIOKafkaConsumer) -> bool:
    """Returns whether the task that fetches records has ended, which aiokafka does not report."""
    fetcher = consumer._fetcher
    return fetcher is not None and bool(fetcher._fetch_task.done())


def knows_coordinator(consumer: AIOKafkaConsumer) -> bool:
    """Returns whether the group's coordinator has answered the last heartbeat."""
    coordinator = consumer._coordinator
    return coordinator is not None and coordinator.coordinator_id is not None


async def commit_once(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """Commits in one attempt; raises KafkaError. The public `commit` repeats the attempt for ever, even when the group has been
    rebalanced meanwhile, and leaves a task behind when it is cancelled.
    """
    await consumer._coordinator._do_commit_offsets(None, offsets)


async def heartbeat(consumer: AIOKafkaConsumer) -> bool:
    """Sends a heartbeat and returns whether the coordinator confirms the membership. Raises KafkaError."""
    return bool(await consumer._coordinator._do_heartbeat())


def member_id(consumer: AIOKafkaConsumer) -> str:
    """Returns the id that the coordinator has given to this member."""
    return str(consumer._coordinator.member_id)


async def leave_group(options: Mapping[str, Any], group: str, member: str) -> None:
    """Leaves a group as a member of another process. Raises KafkaError."""
    client = AIOKafkaClient(**options)
    try:
        await client.bootstrap()
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        await client.ready(node)
        answer = await client.send(node, LeaveGroupRequest(group, member))
    finally:
        await client.close()
    error = for_code(answer.error_code)
    if error.errno:
        raise error(f"as {member} of {group}")


async def broker_answers(consumer: AIOKafkaConsumer) -> bool:
    return bool(await consumer._client.force_metadata_update())


async def cut(consumer: AIOKafkaConsumer, stopping: "asyncio.Task[None]") -> None:
    """Ends the consumer's tasks and connections by force. `stopping` is the task of its `stop`, which hangs."""
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
    """Fails all unacknowledged events with `error`. `stop` alone would wait for ever for batches that no broker takes, because
    an idempotent producer never lets a batch expire.
    """
    await producer._sender.close()
    producer._message_accumulator.fail_all(error)


def has_controller(admin: AIOKafkaAdminClient) -> bool:
    """Returns whether the cluster has a controller. It has none while the broker is starting, which aiokafka cannot handle."""
    return admin._client.cluster.controller is not None
