"""Reads the log outside of any consumer group: for rebuilds, for people, for checks."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from quire_runtime.handler import LogRecord
from quire_runtime.kafka import LogUnavailable, by_partition, connection, started
from quire_runtime.reading import read
from quire_runtime.settings import KafkaSettings
from quire_runtime.topic import TopicMismatch

POLL_MS = 500
STALLED_SECONDS = 30.0


class LogScan:
    """Use as `async with LogScan(settings, "rebuild") as scan`, which raises TopicMismatch when the topic does not exist. Every
    method raises LogUnavailable while Kafka is away.
    """

    def __init__(self, settings: KafkaSettings, client: str) -> None:
        self._settings = settings
        self._partitions = [TopicPartition(settings.topic, number) for number in range(settings.partitions)]
        self._consumer = AIOKafkaConsumer(
            auto_offset_reset="earliest", enable_auto_commit=False, **connection(settings, f"quire-{client}")
        )

    async def __aenter__(self) -> Self:
        try:
            await started(self._consumer.start)
            if self._settings.topic not in await self._consumer.topics():  # if asked for it by name, a broker might make it
                await self._consumer.stop()
                raise TopicMismatch(
                    f"there is no topic {self._settings.topic} at {self._settings.bootstrap}. Set QUIRE_KAFKA_TOPIC"
                )
            self._consumer.assign(self._partitions)
        except KafkaError as error:
            await self._consumer.stop()
            raise LogUnavailable(f"no Kafka broker answers at {self._settings.bootstrap}: {error}") from error
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._consumer.stop()

    async def begins(self) -> dict[int, int]:
        """Returns the offset of the oldest record of each partition."""
        with _translated():
            return by_partition(await self._consumer.beginning_offsets(self._partitions))

    async def ends(self) -> dict[int, int]:
        """Returns the high watermark of each partition: the offset that the next record will get."""
        with _translated():
            return by_partition(await self._consumer.end_offsets(self._partitions))

    async def read(
        self, first: Mapping[int, int], end: Mapping[int, int], *, at_once: int = 1_000
    ) -> AsyncIterator[list[LogRecord]]:
        """Yields the records from `first` up to, but not including, `end`. Several partitions are read together, each in its
        order.
        """
        missing = {partition for partition, offset in first.items() if offset < end[partition]}
        self._consumer.pause(*self._partitions)
        for partition in missing:
            self._consumer.seek(TopicPartition(self._settings.topic, partition), first[partition])
            self._consumer.resume(TopicPartition(self._settings.topic, partition))
        while missing:
            found = await self._poll(at_once)
            records = [record for some in found.values() for record in some if record.offset < end[record.partition]]
            if records:
                yield [read(record, self._settings.partitions) for record in records]
            for tp in found:
                with _translated():
                    position = await self._consumer.position(tp)
                if position >= end[tp.partition]:
                    self._consumer.pause(tp)
                    missing.discard(tp.partition)

    async def _poll(self, at_once: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        with _translated():
            async with asyncio.timeout(STALLED_SECONDS):
                found: dict[TopicPartition, list[ConsumerRecord]] = {}
                while not found:
                    found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=at_once)
        return found


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise LogUnavailable(f"Kafka does not answer: {str(error) or 'no answer in time'}") from error
