"""The one topic: makes it if it is missing, and checks its number of partitions and that it keeps every record."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from quire_runtime.aiokafka_private import has_controller
from quire_runtime.errors import CannotServe
from quire_runtime.kafka import LogUnavailable, connection, started
from quire_runtime.logs import get_logger
from quire_runtime.retry import retrying
from quire_runtime.settings import KafkaSettings

log = get_logger(__name__)


KEPT = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
"""The topic's configuration that keeps every record for ever."""
BROKERS_SECONDS = 10.0
"""Seconds for which a cluster with fewer brokers than replicas counts as starting."""


class TopicMismatch(CannotServe):
    """The topic is not as the settings say, and cannot be used. Correct the topic, or the setting that the message names."""


class TooFewBrokers(TopicMismatch):
    """There are fewer brokers than the topic must have replicas. Start more brokers, or lower QUIRE_KAFKA_REPLICATION."""


class TopicMissing(LogUnavailable):
    """The topic is not there yet. Make it with the command `prepare`, or set QUIRE_PREPARE=true."""


async def ensure_topic(settings: KafkaSettings, *, make: bool = True, give_up_after: float | None = None) -> None:
    """Makes the topic if it is missing, and checks partitions and retention. Raises TopicMismatch. Without `make`, waits for a
    missing topic. Waits while Kafka is away, for `give_up_after` seconds at most (None: for ever), then raises LogUnavailable.
    """
    await retrying(
        lambda: _ensure(settings, make=make),
        transient=_may_pass(),
        give_up_after=give_up_after,
        on_retry=lambda error, attempt: log.warning("waiting for kafka", error=str(error), attempt=attempt),
    )


def _may_pass() -> Callable[[Exception], bool]:
    """Returns a function that says whether waiting can help. Missing brokers may be starting, but only for a while."""
    began = time.monotonic()
    return lambda error: (
        time.monotonic() - began < BROKERS_SECONDS if isinstance(error, TooFewBrokers) else isinstance(error, LogUnavailable)
    )


async def _ensure(settings: KafkaSettings, *, make: bool) -> None:
    admin = AIOKafkaAdminClient(**connection(settings, "quire-topic"))
    try:
        async with asyncio.timeout(settings.request_timeout_seconds * 2):
            await started(admin.start)
            if not has_controller(admin):
                raise LogUnavailable(f"the Kafka broker at {settings.bootstrap} is starting")
            if make:
                refusal = await _create(admin, settings)
                _compare(await _describe(admin, settings, refusal), settings)
            else:
                _compare(await _existing(admin, settings), settings)
            if not settings.allow_retention:
                _require_kept(await _config_of(admin, settings.topic), settings)
    except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
        reason = str(error) or "no answer in time"
        raise LogUnavailable(f"no Kafka broker serves {settings.topic} at {settings.bootstrap}: {reason}") from error
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> TopicMismatch | None:
    """Asks Kafka to make the topic. Returns None when it was made or exists. Otherwise returns the refusal, which matters only
    if the topic is missing.
    """
    answer = await admin.create_topics(
        [NewTopic(settings.topic, settings.partitions, settings.replication, topic_configs=_config(settings))]
    )
    _, code, *message = answer.topic_errors[0]
    kind = for_code(code)
    if kind is NoError:
        log.info("topic made", topic=settings.topic, partitions=settings.partitions, replication=settings.replication)
        return None
    if kind is TopicAlreadyExistsError:
        return None
    impossible = f"the topic {settings.topic} is missing and cannot be made: "
    if kind is InvalidReplicationFactorError:
        cure = "Start them, or lower QUIRE_KAFKA_REPLICATION"
        return TooFewBrokers(f"{impossible}{settings.replication} replicas are more than there are brokers. {cure}")
    why = f"{kind.__name__} {message[0] if message and message[0] else ''}".strip(" .")
    return TopicMismatch(f"{impossible}{why}. Correct QUIRE_KAFKA_TOPIC, or let somebody make it who may")


def _config(settings: KafkaSettings) -> dict[str, str]:
    """Returns the topic's configuration. Records are kept for ever and never compacted, because the log is the only truth about
    batches.
    """
    in_sync = settings.min_insync_replicas or (2 if settings.replication >= 3 else 1)
    return KEPT | {"min.insync.replicas": str(in_sync)}


async def _existing(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> int:
    """Returns the number of partitions. Raises LogUnavailable when the topic does not exist yet. The topic is looked up in the
    list of all topics: a broker with auto.create.topics.enable makes any topic that it is asked about by name, with its own
    number of partitions.
    """
    count = await _partitions(admin, settings) if settings.topic in await admin.list_topics() else None
    if count is None:
        cure = "Make it with the command `prepare`, or set QUIRE_PREPARE=true"
        raise TopicMissing(f"the topic {settings.topic} is not there. {cure}")
    return count


async def _partitions(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> int | None:
    """Returns the number of partitions, or None when there is no topic, or none that we may see."""
    found: list[dict[str, Any]] = await admin.describe_topics([settings.topic])
    kind = for_code(found[0]["error_code"]) if found else UnknownTopicOrPartitionError
    return len(found[0]["partitions"]) if kind is NoError else None


async def _describe(admin: AIOKafkaAdminClient, settings: KafkaSettings, refusal: TopicMismatch | None) -> int:
    """Returns the number of partitions. Waits for a topic that was just made, which may take a moment to show."""
    while True:
        count = await _partitions(admin, settings)
        if count is not None:
            return count
        if refusal is not None:
            raise refusal
        await asyncio.sleep(0.1)


def _compare(partitions: int, settings: KafkaSettings) -> None:
    if partitions != settings.partitions:
        raise TopicMismatch(
            f"the topic {settings.topic} has {partitions} partitions, QUIRE_KAFKA_PARTITIONS says {settings.partitions}. A batch "
            f"lives in the partition its id gives, so their number never changes: set QUIRE_KAFKA_PARTITIONS={partitions}, "
            "or QUIRE_KAFKA_TOPIC to a new topic"
        )


async def _config_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str] | None:
    """Returns the topic's configuration, or None when we may not see it."""
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    code, message, _, _, entries = answer.resources[0]
    kind = for_code(code)
    if kind is TopicAuthorizationFailedError:
        return None
    if kind is not NoError:
        raise LogUnavailable(f"its settings cannot be read: {kind.__name__} {message or ''}".strip())
    return {entry[0]: entry[1] for entry in entries}


def _require_kept(config: dict[str, str] | None, settings: KafkaSettings) -> None:
    if config is None:
        log.warning("the topic's retention cannot be checked: grant DescribeConfigs on it", topic=settings.topic)
        return
    wrong = {name: config.get(name) for name, value in KEPT.items() if config.get(name) != value}
    if wrong:
        given = ", ".join(f"{name}={value}" for name, value in wrong.items())
        wanted = ",".join(f"{name}={KEPT[name]}" for name in wrong)
        raise TopicMismatch(
            f"the topic {settings.topic} has {given}, and its records are the only truth about batches: none may go. Mend it: "
            f"kafka-configs.sh --bootstrap-server {settings.bootstrap} --alter --entity-type topics --entity-name "
            f"{settings.topic} --add-config {wanted}; or set QUIRE_KAFKA_ALLOW_RETENTION=true and lose them"
        )
