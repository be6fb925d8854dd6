"""Converts Kafka's records to LogRecords. Records that cannot be decoded, or are in a wrong
partition, are counted and logged.
"""

from aiokafka import ConsumerRecord

from quire_runtime import metrics
from quire_runtime.handler import LogRecord
from quire_runtime.kafka import partition_of
from quire_runtime.logs import get_logger
from quire_schemas.cloudevents import CodecError, InvalidEvent, UnknownType, decode
from quire_schemas.events import Event

log = get_logger(__name__)


def read(record: ConsumerRecord, partitions: int) -> LogRecord:
    """Returns the LogRecord of a Kafka record. Never raises for its contents. `partitions` is the
    topic's number of partitions.
    """
    event: Event | None = None
    invalid: CodecError | None = None
    try:
        event = _event(record, partitions)
    except UnknownType as error:
        invalid = error
        metrics.UNKNOWN.inc()
    except CodecError as error:
        invalid = error
        metrics.INVALID.inc()
        log.error("record left behind", partition=record.partition, offset=record.offset, reason=str(error))  # noqa: TRY400 -- the reason is enough
    return LogRecord(
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        event=event,
        invalid=invalid,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )


def _event(record: ConsumerRecord, partitions: int) -> Event:
    event = decode(record.key, record.value, record.headers)
    home = partition_of(event.batch_id.encode(), partitions)
    if home != record.partition:
        raise InvalidEvent(f"it is in partition {record.partition}, its batch lives in {home}: the producer must use murmur2")
    return event
