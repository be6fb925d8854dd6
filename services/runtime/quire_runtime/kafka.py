"""What publisher, consumer and topic have in common: how to connect, and the partition of a batch."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

from aiokafka import TopicPartition
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2

from quire_runtime.settings import KafkaSettings

RETRY_BACKOFF_MS = 200
"""Milliseconds between aiokafka's attempts of a request. Its default of 100 ms mainly fills the log while a broker is away."""

_END_WITHIN = 1.0  # seconds for a cancelled start to end


class LogUnavailable(Exception):
    """Kafka does not answer. Wait, and try again with the same event: repeating an event changes nothing."""


@lru_cache(maxsize=16_384)
def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition of a key, by murmur2 as in the default partitioner of Java's client and of aiokafka (librdkafka's
    default differs).
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def connection(settings: KafkaSettings, client: str) -> dict[str, Any]:
    """Returns the keyword arguments that every aiokafka client takes."""
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap.split(",")],
        "client_id": f"{client}@{socket.gethostname()}.{os.getpid()}",
        "request_timeout_ms": int(settings.request_timeout_seconds * 1000),
        "retry_backoff_ms": RETRY_BACKOFF_MS,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = create_ssl_context(cafile=settings.ssl_cafile)
    if settings.security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
        }
    return options


async def started(start: Callable[[], Awaitable[None]]) -> None:
    """Starts a client of aiokafka. When this is cancelled, the start gets a second to end by itself, because aiokafka would
    leave open the connection on which it asks for metadata.
    """
    starting = asyncio.ensure_future(start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=_END_WITHIN)
        starting.cancel()
        await asyncio.wait([starting], timeout=_END_WITHIN)
        raise


def by_partition(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    """Returns the offsets of the one topic by partition number."""
    return {tp.partition: offset for tp, offset in offsets.items()}
