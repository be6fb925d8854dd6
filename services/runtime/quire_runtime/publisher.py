"""Publishes events to the log. An event is acknowledged by all in-sync replicas, or LogUnavailable is raised."""

import asyncio
import time
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    ProducerClosed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from msgspec import structs

from quire_runtime import metrics, tracing
from quire_runtime.aiokafka_private import abandon
from quire_runtime.kafka import LogUnavailable, connection, partition_of, started
from quire_runtime.logs import get_logger
from quire_runtime.settings import KafkaSettings
from quire_schemas.cloudevents import Record, encode
from quire_schemas.events import Event

log = get_logger(__name__)

LINGER_MS = 5
MAX_BATCH_BYTES = 131_072
DRAIN_SECONDS = 5.0
"""Seconds that a closing producer has to send the events that it still holds."""


class Publisher:
    """One idempotent producer, replaced after an error that it cannot recover from. Events that are published concurrently are
    sent in batches: concurrent sends reached 95,000 events a second, sends one by one 140. The reasons: docs/design.md,
    "Kafka as its client behaves".
    """

    def __init__(self, settings: KafkaSettings, client: str) -> None:
        """`client` is the producer's name in the broker's logs."""
        self._settings = settings
        self._client = client
        self._producer: AIOKafkaProducer | None = None
        self._topic_seen = False
        self._starting = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connects if Kafka answers; otherwise the first `publish` or `check` connects."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                await self._ready()
        except (LogUnavailable, TimeoutError) as error:
            log.warning("kafka is away, going on without it for now", error=str(error) or "no answer")

    async def aclose(self) -> None:
        """Sends the events that are still held, for a bounded time, and closes."""
        if self._producer is not None:
            self._retire(self._producer)
        while self._retired:
            await asyncio.wait(self._retired)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def publish(self, event: Event) -> tuple[int, int]:
        """Publishes an event. Returns its partition and offset once all in-sync replicas have it. The offset is -1 in the rare
        case that the broker recognizes a repetition but does not know where the first one is.

        Raises InvalidEvent when the codec refuses the event, and LogUnavailable when no acknowledgement came in time. The event
        may still arrive then, so a caller that gives up, or tries again with the same event, must accept either outcome.
        """
        if not tracing.enabled():
            return await self._publish(event)
        topic = self._settings.topic
        with tracing.span(f"send {topic}", _attributes(event, topic), kind="producer") as span:
            partition, offset = await self._publish(structs.replace(event, traceparent=span.traceparent or event.traceparent))
            span.set({"messaging.destination.partition.id": str(partition), "messaging.kafka.offset": offset})
            return partition, offset

    async def check(self) -> None:
        """Raises LogUnavailable unless a broker answers now."""
        producer = await self._ready()
        if not await producer.client.force_metadata_update():
            raise LogUnavailable(f"no Kafka broker answers at {self._settings.bootstrap}")

    async def _publish(self, event: Event) -> tuple[int, int]:
        record = encode(event)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                place = await self._send(await self._ready(), record)
        except TimeoutError:
            metrics.PUBLISH_FAILED.inc()
            limit = self._settings.publish_timeout_seconds
            raise LogUnavailable(f"no acknowledgement from Kafka within {limit:g} s; the event may still arrive") from None
        except LogUnavailable:
            metrics.PUBLISH_FAILED.inc()
            raise
        metrics.PUBLISHED[event.type].inc()
        metrics.PUBLISH_SECONDS.observe(time.monotonic() - started)
        return place

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> tuple[int, int]:
        topic = self._settings.topic
        partition = partition_of(record.key, self._settings.partitions)
        try:
            await self._require_topic(producer)
            if partition not in await producer.partitions_for(topic):
                raise LogUnavailable(f"the topic {topic} has no partition {partition}: it is not the topic it was at the start")
            sent = await producer.send(topic, record.value, record.key, partition, headers=record.headers)
        except (UnknownTopicOrPartitionError, TopicAuthorizationFailedError, KafkaTimeoutError) as error:
            raise LogUnavailable(f"Kafka does not take events for {topic}: {error!r}") from error
        except KafkaError as error:
            self._retire(producer)
            raise LogUnavailable(f"the producer had to be replaced: {error!r}") from error
        try:
            placed = await sent
        except KafkaError as error:
            # Once a batch has failed, the broker refuses all later sequence numbers (OutOfOrderSequenceNumber).
            self._retire(producer)
            raise LogUnavailable(f"Kafka refused a batch of events, the producer is replaced: {error!r}") from error
        return placed.partition, placed.offset

    async def _require_topic(self, producer: AIOKafkaProducer) -> None:
        """Raises LogUnavailable until the topic exists. The topic is looked up in the list of all topics: a broker with
        auto.create.topics.enable makes any topic that it is asked about by name, with its own number of partitions.
        """
        topic = self._settings.topic
        if not self._topic_seen and topic not in (await producer.client.fetch_all_metadata()).topics():
            raise LogUnavailable(f"the topic {topic} is not there (yet)")
        self._topic_seen = True

    async def _ready(self) -> AIOKafkaProducer:
        """Returns the producer in use, or a new one if there is none. Raises LogUnavailable."""
        if self._producer is not None:
            return self._producer
        async with self._starting:
            if self._producer is None:
                self._producer = await self._start_producer()
            return self._producer

    async def _start_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_batch_size=MAX_BATCH_BYTES,
            **connection(self._settings, self._client),
        )
        try:
            await started(producer.start)
        except BaseException as error:
            await producer.stop()
            if isinstance(error, KafkaError | OSError):
                raise LogUnavailable(f"no Kafka broker answers at {self._settings.bootstrap}: {error}") from error
            raise
        metrics.PRODUCERS.inc()
        return producer

    def _retire(self, producer: AIOKafkaProducer) -> None:
        """Takes the producer out of use, if it is the current one. It is closed in the background; `aclose` waits for that."""
        if self._producer is not producer:
            return
        self._producer = None
        task = asyncio.create_task(_discard(producer))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)


def _attributes(event: Event, topic: str) -> tracing.Attributes:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": topic,
        "messaging.kafka.message.key": event.batch_id,
        "cloudevents.event_id": event.id,
        "cloudevents.event_type": event.type,
        "quire.batch.id": event.batch_id,
        "quire.collection.id": event.collection_id,
    }


async def _discard(producer: AIOKafkaProducer) -> None:
    """Closes a producer in bounded time. Events that are not acknowledged after DRAIN_SECONDS fail."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await producer.flush()
    except TimeoutError:
        log.warning("events were still unacknowledged when their producer was closed")
    await abandon(producer, ProducerClosed())
    await producer.stop()
