"""Publisher, topic and consumer on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from quire_runtime.consumer import Handler, LogConsumer, LogRecord, NotAMember, OffsetOutOfRange, SeekTo
from quire_runtime.kafka import LogUnavailable, partition_of
from quire_runtime.member import Member
from quire_runtime.publisher import Publisher
from quire_runtime.retry import retrying
from quire_runtime.settings import KafkaSettings
from quire_runtime.topic import TooFewBrokers, TopicMismatch, ensure_topic
from quire_schemas.cloudevents import UnknownType, encode
from quire_schemas.events import BatchCancelRequested, Event, event_of

PARTITIONS = 4


def an_event(batch_id: str | None = None, reason: str | None = None) -> Event:
    return event_of(
        BatchCancelRequested(generation=0, reason=reason),
        id=str(uuid4()),
        batch_id=batch_id or str(uuid4()),
        collection_id="default",
        source="/quire/test",
        time=datetime.now(UTC),
    )


def events_in(partition: int, count: int, settings: KafkaSettings) -> list[Event]:
    """Events of different batches that all live in one partition."""
    found: list[Event] = []
    while len(found) < count:
        event = an_event()
        if partition_of(event.batch_id.encode(), settings.partitions) == partition:
            found.append(event)
    return found


async def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def log(stack: Any) -> KafkaSettings:
    """A topic of its own for each test."""
    settings = KafkaSettings(
        bootstrap=stack.backing.kafka,
        topic=f"test-{uuid4()}",
        partitions=PARTITIONS,
        session_timeout_seconds=6,
        publish_timeout_seconds=10,
    )
    await ensure_topic(settings)
    return settings


@pytest.fixture
async def publisher(log: KafkaSettings) -> AsyncIterator[Publisher]:
    async with Publisher(log, "test") as publisher:
        yield publisher


class Reader(Handler):
    """Handles by remembering. `start` is where partitions begin that it has not read from."""

    def __init__(self, start: int = 0) -> None:
        self.consumer: LogConsumer | None = None
        self.start = start
        self.story: list[str] = []
        self.asked: list[frozenset[int]] = []
        self.assignments: list[frozenset[int]] = []
        self.seen: list[LogRecord] = []
        self.next: dict[int, int] = {}
        self.on_positions: Callable[[frozenset[int]], Awaitable[None]] | None = None
        self.on_records: Callable[[Sequence[LogRecord]], Awaitable[None]] | None = None

    def assigned(self, partitions: frozenset[int]) -> None:
        self.story.append("assigned")
        self.assignments.append(partitions)

    def revoked(self, partitions: frozenset[int]) -> None:
        self.story.append("revoked")

    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        self.story.append("positions")
        self.asked.append(partitions)
        if self.on_positions is not None:
            await self.on_positions(partitions)
        return {partition: self.next.get(partition, self.start) for partition in partitions}

    async def records(self, records: Sequence[LogRecord]) -> None:
        self.story.append("records")
        if self.on_records is not None:
            await self.on_records(records)
        for record in records:
            assert record.partition in self.assignments[-1]
            assert record.offset == self.next.get(record.partition, self.start)
            self.next[record.partition] = record.offset + 1
            self.seen.append(record)

    @property
    def ids(self) -> list[str]:
        return [record.event.id for record in self.seen if record.event is not None]


@asynccontextmanager
async def reading(settings: KafkaSettings, handler: Reader, group: str, **options: Any) -> AsyncIterator[LogConsumer]:
    consumer = LogConsumer(settings, group, handler, **options)
    handler.consumer = consumer
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(consumer.run())
        try:
            yield consumer
        finally:
            consumer.stop()


def group() -> str:
    return f"group-{uuid4()}"


# topic


async def test_a_topic_is_made_once_and_its_partitions_are_checked(stack: Any):
    settings = KafkaSettings(bootstrap=stack.backing.kafka, topic=f"test-{uuid4()}", partitions=3)
    await asyncio.gather(*(ensure_topic(settings) for _ in range(3)))
    with pytest.raises(TopicMismatch, match="QUIRE_KAFKA_PARTITIONS=3"):
        await ensure_topic(KafkaSettings(bootstrap=settings.bootstrap, topic=settings.topic, partitions=5))


async def test_a_topic_is_kept_for_ever_and_never_compacted(stack: Any, log: KafkaSettings):
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, log.topic)])
    finally:
        await admin.close()
    config = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert (config["retention.ms"], config["cleanup.policy"], config["min.insync.replicas"]) == ("-1", "delete", "1")


async def test_more_replicas_than_brokers_are_refused_with_what_to_do(stack: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quire_runtime.topic.BROKERS_SECONDS", 0.5)
    with pytest.raises(TopicMismatch, match="QUIRE_KAFKA_REPLICATION"):
        await ensure_topic(KafkaSettings(bootstrap=stack.backing.kafka, topic=f"test-{uuid4()}", replication=3))


async def test_brokers_that_are_missing_while_kafka_starts_are_waited_for(monkeypatch: pytest.MonkeyPatch):
    answers = iter([TooFewBrokers("none yet"), LogUnavailable("away"), TooFewBrokers("none yet"), None])

    async def ensured(*_: Any, **__: Any) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr("quire_runtime.topic._ensure", ensured)
    await ensure_topic(KafkaSettings())
    assert next(answers, "asked for the last one") == "asked for the last one"


async def test_a_missing_kafka_is_waited_for_and_then_named():
    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:9"):
        await ensure_topic(KafkaSettings(bootstrap="127.0.0.1:9"), give_up_after=0.3)


# publisher


async def test_an_event_lands_in_its_batchs_partition(log: KafkaSettings, publisher: Publisher):
    events = [an_event() for _ in range(50)]
    places = await asyncio.gather(*(publisher.publish(event) for event in events))
    assert [place[0] for place in places] == [partition_of(event.batch_id.encode(), PARTITIONS) for event in events]
    assert len(set(places)) == 50


async def test_events_of_a_batch_keep_the_order_in_which_they_were_published(publisher: Publisher):
    batch = str(uuid4())
    places = await asyncio.gather(*(publisher.publish(an_event(batch)) for _ in range(200)))
    assert [offset for _, offset in places] == list(range(200))


async def test_without_kafka_publishing_fails_in_bounded_time_and_start_does_not():
    settings = KafkaSettings(bootstrap="127.0.0.1:9", publish_timeout_seconds=0.5, request_timeout_seconds=1)
    async with Publisher(settings, "test") as publisher:
        with pytest.raises(LogUnavailable):
            await publisher.publish(an_event())
        with pytest.raises(LogUnavailable):
            await publisher.check()


async def test_a_producer_that_cannot_go_on_is_replaced(log: KafkaSettings, publisher: Publisher):
    event = an_event()
    await publisher.publish(event)
    producer = publisher._producer
    tp = TopicPartition(log.topic, partition_of(event.batch_id.encode(), PARTITIONS))
    producer._txn_manager._sequence_numbers[tp] += 7  # what a lost batch leaves behind: OutOfOrderSequenceNumber for ever
    results = await asyncio.gather(*(publisher.publish(an_event(event.batch_id)) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, LogUnavailable) for result in results)
    assert await publisher.publish(an_event(event.batch_id)) == (tp.partition, 1)
    assert publisher._producer is not producer


async def test_the_publisher_is_ready_while_kafka_answers(publisher: Publisher):
    await publisher.check()


# consumer


async def test_every_record_is_handled_once_and_in_order(log: KafkaSettings, publisher: Publisher):
    events = [an_event() for _ in range(300)]
    await asyncio.gather(*(publisher.publish(event) for event in events[:200]))
    reader = Reader()
    async with reading(log, reader, group(), max_records=50) as consumer:
        await eventually(lambda: len(reader.seen) == 200)
        await asyncio.gather(*(publisher.publish(event) for event in events[200:]))
        await eventually(lambda: len(reader.seen) == 300)
        assert {p: consumer.position(p) for p in range(PARTITIONS)} == await consumer.end_offsets(range(PARTITIONS))
        await consumer.check()
    assert sorted(reader.ids) == sorted(event.id for event in events)
    assert reader.story[:2] == ["assigned", "positions"] or reader.story[:3] == ["revoked", "assigned", "positions"]
    assert reader.story[-1] == "revoked"


async def test_a_client_that_gives_up_from_inside_is_replaced(
    log: KafkaSettings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
):
    poll, members = Member.poll, list[Member]()

    async def cancelled_once(member: Member, max_records: int) -> Any:
        if member not in members:
            members.append(member)
        elif len(members) == 1:
            raise asyncio.CancelledError
        return await poll(member, max_records)

    monkeypatch.setattr(Member, "poll", cancelled_once)
    reader = Reader()
    async with reading(log, reader, group()):
        await eventually(lambda: len(members) == 2)
        await publisher.publish(an_event())
        await eventually(lambda: len(reader.seen) == 1)


async def test_reading_goes_on_where_the_handler_says(log: KafkaSettings, publisher: Publisher):
    for event in events_in(1, 5, log):
        await publisher.publish(event)
    reader = Reader()
    reader.next = {1: 3}
    async with reading(log, reader, group()):
        await eventually(lambda: len(reader.seen) == 2)
    assert [record.offset for record in reader.seen] == [3, 4]


async def test_a_committed_offset_is_there_for_the_next_member(log: KafkaSettings, publisher: Publisher):
    await publisher.publish(events_in(2, 1, log)[0])
    name = group()
    async with reading(log, Reader(), name) as consumer:
        await eventually(lambda: consumer.position(2) == 1)
        assert await consumer.committed([1, 2]) == {1: None, 2: None}
        await consumer.commit({2: 1})
    reader = Reader()
    async with reading(log, reader, name) as consumer:
        await eventually(lambda: consumer.position(2) is not None)
        assert await consumer.committed([1, 2]) == {1: None, 2: 1}


async def test_what_cannot_be_decoded_is_passed_on_as_invalid_and_stops_nobody(log: KafkaSettings, publisher: Publisher):
    good = events_in(0, 2, log)
    stray = an_event(events_in(1, 1, log)[0].batch_id)
    strange = encode(good[0])
    newer = [(name, b"quire.batch.archived.v1" if name == "ce_type" else value) for name, value in strange.headers]
    await publisher.publish(good[0])
    producer = AIOKafkaProducer(bootstrap_servers=log.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(log.topic, b"\xff not json", b"key", 0)
        await producer.send_and_wait(log.topic, None, b"key", 0)
        await producer.send_and_wait(log.topic, encode(stray).value, encode(stray).key, 0, headers=encode(stray).headers)
        await producer.send_and_wait(log.topic, strange.value, strange.key, 0, headers=newer)
    finally:
        await producer.stop()
    await publisher.publish(good[1])
    reader = Reader()
    async with reading(log, reader, group()):
        await eventually(lambda: len(reader.seen) == 6)
    assert reader.ids == [event.id for event in good]
    assert [type(record.invalid).__name__ for record in reader.seen[1:4]] == ["InvalidEvent"] * 3
    assert "murmur2" in str(reader.seen[3].invalid)
    assert isinstance(reader.seen[4].invalid, UnknownType)
    assert all((record.event is None) != (record.invalid is None) for record in reader.seen)


async def test_a_seek_gives_the_same_records_again(log: KafkaSettings, publisher: Publisher):
    for event in events_in(3, 4, log):
        await publisher.publish(event)
    reader = Reader()
    jumped = False

    async def jump(records: Sequence[LogRecord]) -> None:
        nonlocal jumped
        if not jumped and records[-1].offset == 3:
            jumped = True
            reader.next[3] = 1
            raise SeekTo({3: 1})

    reader.on_records = jump
    async with reading(log, reader, group()):
        await eventually(lambda: reader.next.get(3) == 4)
    assert [record.offset for record in reader.seen][-3:] == [1, 2, 3]


async def test_positions_are_asked_again_while_the_database_is_away(log: KafkaSettings, publisher: Publisher):
    await publisher.publish(an_event())
    reader = Reader()

    async def away(_partitions: frozenset[int]) -> None:
        if len(reader.asked) < 4:
            raise ConnectionRefusedError("postgres is away")

    reader.on_positions = away
    async with reading(log, reader, group()):
        await eventually(lambda: len(reader.seen) == 1)
    assert len(reader.asked) >= 4


async def test_positions_that_hang_do_not_hinder_stopping(log: KafkaSettings):
    reader = Reader()

    async def hang(_partitions: frozenset[int]) -> None:
        await asyncio.sleep(3600)

    reader.on_positions = hang
    async with asyncio.timeout(20), reading(log, reader, group()):
        await eventually(lambda: len(reader.asked) == 1)


async def test_a_handler_that_was_no_member_is_asked_again_where_to_go_on(log: KafkaSettings, publisher: Publisher):
    await publisher.publish(events_in(0, 1, log)[0])
    reader = Reader()
    tries = 0

    async def evicted(_records: Sequence[LogRecord]) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise NotAMember("evicted")

    reader.on_records = evicted
    async with reading(log, reader, group()):
        await eventually(lambda: len(reader.seen) == 1)
    assert [partitions for partitions in reader.asked if partitions == {0}] == [frozenset({0})] * 2


@pytest.mark.parametrize("position", [9, 10_000])
async def test_nobody_jumps_in_silence_to_an_offset_that_is_there(log: KafkaSettings, publisher: Publisher, position: int):
    for event in events_in(0, 5, log):
        await publisher.publish(event)
    reader = Reader()
    reader.next = {0: position}
    with pytest.raises(OffsetOutOfRange, match=f"offsets 0 up to 5, but work is to go on at {position}"):
        await LogConsumer(log, group(), reader).run()


async def test_records_that_were_deleted_are_missed_aloud(log: KafkaSettings, publisher: Publisher):
    for event in events_in(0, 5, log):
        await publisher.publish(event)
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(log.topic, 0): RecordsToDelete(before_offset=3)})
    finally:
        await admin.close()
    with pytest.raises(OffsetOutOfRange, match="offsets 3 up to 5, but work is to go on at 0"):
        await LogConsumer(log, group(), Reader()).run()


async def test_records_deleted_behind_our_back_are_missed_aloud(log: KafkaSettings, publisher: Publisher):
    reader = Reader()
    consumer = LogConsumer(log, group(), reader)
    run = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.position(0) == 0)
    member: Any = consumer._member
    member.pause([0])  # as if the broker were slow
    for event in events_in(0, 5, log):
        await publisher.publish(event)
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(log.topic, 0): RecordsToDelete(before_offset=3)})
    finally:
        await admin.close()
    member.resume([0])
    with pytest.raises(OffsetOutOfRange, match="offsets 3 up to 5, but work is to go on at 0"):
        async with asyncio.timeout(30):
            await run


async def test_partitions_are_shared_and_come_back_where_they_were(log: KafkaSettings, publisher: Publisher):
    name, first, second = group(), Reader(), Reader()
    events = [an_event() for _ in range(100)]
    await asyncio.gather(*(publisher.publish(event) for event in events[:50]))
    async with reading(log, first, name) as one:
        await eventually(lambda: len(first.seen) == 50)
        async with reading(log, second, name) as two:
            await eventually(lambda: len(one.assignment) == len(two.assignment) == PARTITIONS // 2)
            assert one.assignment.isdisjoint(two.assignment)
            await eventually(lambda: all(two.position(p) is not None for p in two.assignment))
            await asyncio.gather(*(publisher.publish(event) for event in events[50:]))
            await eventually(lambda: set(first.ids) | set(second.ids) == {event.id for event in events})
            await one.confirm_membership()
            await two.commit(dict.fromkeys(two.assignment, 1))
            stranger = next(iter(two.assignment))
            with pytest.raises(NotAMember):
                await one.commit({stranger: 1})
        await eventually(lambda: len(one.assignment) == PARTITIONS)
        await eventually(lambda: set(first.ids) == {event.id for event in events})
    assert len(first.ids) == 100


async def test_one_who_was_thrown_out_of_the_group_is_told_so(log: KafkaSettings):
    async with reading(log, Reader(), group()) as consumer:
        await eventually(lambda: consumer.position(0) == 0)
        coordinator = consumer._member._consumer._coordinator
        coordinator.generation -= 1  # as if a rebalance had passed us by
        with pytest.raises(NotAMember):
            await consumer.commit({0: 0})
        coordinator.generation -= 1
        await eventually(lambda: consumer.position(0) == 0)
        before = len(consumer._handler.assignments)
        coordinator.generation -= 1
        with pytest.raises(NotAMember):
            await consumer.confirm_membership()
        await eventually(lambda: len(consumer._handler.assignments) > before)


async def test_a_handlers_bug_ends_the_run(log: KafkaSettings, publisher: Publisher):
    await publisher.publish(an_event())
    reader = Reader()

    async def bug(_records: Sequence[LogRecord]) -> None:
        raise ZeroDivisionError

    reader.on_records = bug
    with pytest.raises(ZeroDivisionError):
        await LogConsumer(log, group(), reader).run()


async def test_a_bug_in_a_rebalance_callback_is_not_swallowed(log: KafkaSettings):
    class Broken(Reader):
        def assigned(self, partitions: frozenset[int]) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(30):
            await LogConsumer(log, group(), Broken()).run()


@pytest.mark.parametrize("after", [0.0, 0.01, 0.1, 0.6])
async def test_a_cancelled_consumer_leaves_the_group_and_nothing_else_behind(log: KafkaSettings, after: float):
    name = group()
    run = asyncio.create_task(LogConsumer(log, name, Reader()).run())
    await asyncio.sleep(after)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    reader = Reader()
    async with asyncio.timeout(5), reading(log, reader, name) as consumer:
        await eventually(lambda: len(consumer.assignment) == PARTITIONS)


async def test_without_kafka_a_consumer_waits_is_not_ready_and_can_be_stopped():
    consumer = LogConsumer(KafkaSettings(bootstrap="127.0.0.1:9"), group(), Reader())
    run = asyncio.create_task(consumer.run())
    await asyncio.sleep(0.5)
    with pytest.raises(LogUnavailable):
        await consumer.check()
    consumer.stop()
    async with asyncio.timeout(5):
        await run


def test_murmur2_is_javas():
    # From Kafka's own test of Utils.murmur2.
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, value in known.items():
        assert partition_of(key, 1_000_003) == (value & 0x7FFFFFFF) % 1_000_003


# outages


async def published(publisher: Publisher, event: Event) -> None:
    """As a service does it: again and again, the same event."""
    await retrying(lambda: publisher.publish(event), transient=lambda error: isinstance(error, LogUnavailable), give_up_after=60)


class KafkaOutage:
    """Kafka taken away: stopped, it refuses connections; frozen, it keeps them and says nothing."""

    def __init__(self, kafka: Any, kind: str) -> None:
        self.kafka, self.kind, self.going_on = kafka, kind, False

    async def begin(self) -> None:
        self.going_on = True
        if self.kind == "stopped":
            await self.kafka.stop()
        else:
            self.kafka.freeze()

    async def end(self) -> None:
        if self.going_on and self.kind == "stopped":
            await self.kafka.restart()
        elif self.going_on:
            self.kafka.thaw()
        self.going_on = False


@pytest.fixture(params=["stopped", "frozen"])
async def outage(stack: Any, request: pytest.FixtureRequest) -> AsyncIterator[KafkaOutage]:
    outage = KafkaOutage(stack.kafka, request.param)
    yield outage
    await outage.end()


async def test_an_outage_is_said_survived_and_loses_nothing(log: KafkaSettings, outage: KafkaOutage):
    settings = msgspec.structs.replace(log, publish_timeout_seconds=1, request_timeout_seconds=2)
    events = [an_event() for _ in range(40)]
    reader = Reader()
    async with Publisher(settings, "test") as publisher, reading(settings, reader, group()) as consumer:
        await asyncio.gather(*(published(publisher, event) for event in events[:20]))
        await eventually(lambda: len(set(reader.ids)) == 20)
        await outage.begin()
        results = await asyncio.gather(*(publisher.publish(event) for event in events[20:]), return_exceptions=True)
        assert {type(result) for result in results} == {LogUnavailable}
        for check in (publisher.check, consumer.check):
            with pytest.raises((LogUnavailable, TimeoutError)):
                async with asyncio.timeout(3):
                    await check()
        await outage.end()
        await asyncio.gather(*(published(publisher, event) for event in events[20:]))
        await eventually(lambda: {event.id for event in events} == set(reader.ids), 60)
        await retrying(publisher.check, transient=lambda error: isinstance(error, LogUnavailable), give_up_after=30)
    places = [(record.partition, record.offset) for record in reader.seen]
    assert len(set(places)) == len(places)


async def test_an_outage_does_not_hinder_stopping(log: KafkaSettings, outage: KafkaOutage):
    settings = msgspec.structs.replace(log, publish_timeout_seconds=1, request_timeout_seconds=2)
    async with asyncio.timeout(40):
        async with Publisher(settings, "test") as publisher, reading(settings, Reader(), group()) as consumer:
            await eventually(lambda: consumer.position(0) == 0)
            await publisher.publish(an_event())
            await outage.begin()
            with pytest.raises(LogUnavailable):
                await publisher.publish(an_event())


async def test_a_commit_in_an_outage_says_that_it_did_not_happen(log: KafkaSettings, outage: KafkaOutage):
    settings = msgspec.structs.replace(log, request_timeout_seconds=2)
    async with reading(settings, Reader(), group()) as consumer:
        await eventually(lambda: consumer.position(0) == 0)
        await outage.begin()
        async with asyncio.timeout(10):
            with pytest.raises((NotAMember, LogUnavailable)):
                await consumer.commit({0: 0})
            with pytest.raises((NotAMember, LogUnavailable)):
                await consumer.confirm_membership()
            with pytest.raises(LogUnavailable):
                await consumer.end_offsets([0])
