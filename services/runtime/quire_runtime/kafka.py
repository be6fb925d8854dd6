"""What publisher, consumer and topic have in common: how to connect, and which partition a batch lives in."""

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
"""aiokafka's pause between attempts of a request; its own 100 ms mostly fills the log while a broker is away."""

_END_WITHIN = 1.0  # seconds for a start that was cancelled


class LogUnavailable(Exception):
    """Kafka does not answer. Wait and try again with the same event: a repeated one changes nothing."""


@lru_cache(maxsize=16_384)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: murmur2 as in Java's and aiokafka's default partitioner (librdkafka's default is another)."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def connection(settings: KafkaSettings, client: str) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes."""
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
    """Starts a client of aiokafka. Where this is cancelled, the start gets a second to come to its end: aiokafka forgets the
    connection on which it has asked for metadata, and leaves it open.
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
    """Offsets of the one topic, by the numbers of its partitions."""
    return {tp.partition: offset for tp, offset in offsets.items()}
