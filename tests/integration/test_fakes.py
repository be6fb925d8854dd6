"""What tests make up is held to the real thing: the same promises, asked of both."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from tests.fakes.log import PARTITIONS, Log, Member
from tests.fakes.store import Store
from tests.integration.stack import Stack
from tests.integration.test_runtime_log import an_event, eventually
from tests.integration.test_runtime_storage import settings_of

from quire_runtime.consumer import Handler, LogConsumer, LogRecord, NotAMember
from quire_runtime.publisher import Publisher
from quire_runtime.settings import KafkaSettings
from quire_runtime.storage import AlreadyThere, ObjectMissing, ObjectStore
from quire_runtime.topic import ensure_topic
from quire_schemas.events import Event

AnyStore = Store | ObjectStore
AnyMember = Member | LogConsumer

# The object store.


@pytest.fixture(params=["real", "fake"])
async def store(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[AnyStore]:
    if request.param == "fake":
        yield Store()
        return
    async with ObjectStore(settings_of(stack)) as real:
        await real.ensure_bucket()
        yield real


async def keys(store: AnyStore, prefix: str) -> list[tuple[str, int]]:
    return [(item.key, item.size) async for item in store.list(prefix)]


async def test_what_is_put_is_read_whatever_it_comes_from(store: AnyStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"of a path")
    await store.put("a/bytes", b"of bytes", "text/plain")
    await store.put("a/path", tmp_path / "file", "text/plain")
    await store.put("a/file", BytesIO(b"of a file"), "text/plain")
    assert [await store.get(f"a/{name}") for name in ("bytes", "path", "file")] == [b"of bytes", b"of a path", b"of a file"]
    assert await keys(store, "a/") == [("a/bytes", 8), ("a/file", 9), ("a/path", 9)]
    assert await keys(store, "b") == []


async def test_the_last_put_counts_but_for_conditional_ones_the_first(store: AnyStore) -> None:
    await store.put("a", b"1")
    await store.put("a", b"2")
    with pytest.raises(AlreadyThere):
        await store.put("a", b"3", if_none_match=True)
    assert await store.get("a") == b"2"
    puts = [store.put("b", bytes([number]), if_none_match=True) for number in range(5)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    [first] = [number for number, result in enumerate(results) if result is None]
    assert await store.get("b") == bytes([first])


async def test_without_conditions_the_first_put_counts_for_those_that_come_later(store: AnyStore) -> None:
    store.conditional = False
    puts = [store.put("a", bytes([number]), if_none_match=True) for number in range(5)]
    assert any(result is None for result in await asyncio.gather(*puts, return_exceptions=True))
    kept = await store.get("a")
    with pytest.raises(AlreadyThere):
        await store.put("a", b"later", if_none_match=True)
    assert await store.get("a") == kept


async def test_what_is_not_there_is_said_and_may_be_deleted(store: AnyStore) -> None:
    await store.put("a", b"1")
    with pytest.raises(ObjectMissing):
        await store.get("b")
    await store.delete_many(["a", "b"])
    await store.delete_many([])
    with pytest.raises(ObjectMissing):
        await store.get("a")
    await store.put("a", b"2", if_none_match=True)
    assert await store.get("a") == b"2"


# The log and its consumer group.


class Reader(Handler):
    """Remembers what it was given, by partition, and goes on where it was."""

    def __init__(self) -> None:
        self.mine: frozenset[int] = frozenset()
        self.assignments = 0
        self.seen: dict[int, list[LogRecord]] = defaultdict(list)

    def assigned(self, partitions: frozenset[int]) -> None:
        self.mine = partitions
        self.assignments += 1

    def revoked(self, partitions: frozenset[int]) -> None:
        """The next assignment decides."""

    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        return {number: self.seen[number][-1].offset + 1 if self.seen[number] else 0 for number in partitions}

    async def records(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            self.seen[record.partition].append(record)

    def ids(self, partition: int) -> list[str]:
        return [record.event.id for record in self.seen[partition] if record.event is not None]

    def total(self) -> int:
        return sum(map(len, self.seen.values()))


class Group(Protocol):
    """A log of three partitions, and a consumer group."""

    async def publish(self, event: Event) -> tuple[int, int]: ...
    def member(self, reader: Reader) -> Any:
        """A context that is a member."""


class RealGroup:
    def __init__(self, settings: KafkaSettings, publisher: Publisher) -> None:
        self._settings, self._name = settings, f"group-{uuid4()}"
        self.publish = publisher.publish

    @asynccontextmanager
    async def member(self, reader: Reader) -> AsyncIterator[LogConsumer]:
        consumer = LogConsumer(self._settings, self._name, reader)
        running = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            consumer.stop()
            await running


class Calm(random.Random):
    """Nothing is slow and nothing fails; who gets which partition is chance all the same."""

    def choice(self, seq: Any) -> Any:
        return 0.0 if isinstance(seq[0], float) else super().choice(seq)

    def random(self) -> float:
        return 0.99


class FakeGroup:
    def __init__(self) -> None:
        self._log = Log(Calm(0))
        self._names: set[str] = set()
        self.publish = Member("publisher", self._log).publish

    @asynccontextmanager
    async def member(self, reader: Reader) -> AsyncIterator[Member]:
        member = Member(f"member-{uuid4()}", self._log)
        member.feed(reader)
        self._names.add(member.name)
        self._log.rebalance(self._names)
        running = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            member.stop()
            await running
            self._names.discard(member.name)
            self._log.rebalance(self._names)


@pytest.fixture(params=["real", "fake"])
async def group(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Group]:
    if request.param == "fake":
        yield FakeGroup()
        return
    bootstrap = stack.backing.kafka
    settings = KafkaSettings(bootstrap=bootstrap, topic=f"test-{uuid4()}", partitions=PARTITIONS, session_timeout_seconds=6)
    await ensure_topic(settings)
    async with Publisher(settings, "test") as publisher:
        yield RealGroup(settings, publisher)


def of_batch(number: int) -> Event:
    return an_event(f"00000000-0000-4000-8000-{number:012}")


async def test_a_member_is_given_what_was_published_each_partition_in_its_order(group: Group) -> None:
    reader = Reader()
    said = [(await group.publish(event := of_batch(number % 7)), event.id) for number in range(20)]
    async with group.member(reader) as member:
        said += [(await group.publish(event := of_batch(number % 7)), event.id) for number in range(20)]
        await eventually(lambda: reader.total() == len(said))
        ends = await member.end_offsets(range(PARTITIONS))
        assert await member.begin_offsets(range(PARTITIONS)) == dict.fromkeys(range(PARTITIONS), 0)
    for partition in range(PARTITIONS):
        mine = [(place[1], event_id) for place, event_id in said if place[0] == partition]
        assert [offset for offset, _ in mine] == list(range(ends[partition]))
        assert [event_id for _, event_id in mine] == reader.ids(partition)
    assert len({place[0] for place, _ in said}) > 1


async def test_what_a_member_commits_stays_and_only_its_own_partitions_are_its_to_commit(group: Group) -> None:
    reader = Reader()
    async with group.member(reader) as member:
        await eventually(lambda: len(reader.mine) == PARTITIONS)
        assert await member.committed(range(PARTITIONS)) == dict.fromkeys(range(PARTITIONS))
        await member.commit({0: 5})
        with pytest.raises(NotAMember):
            await member.commit({PARTITIONS: 1})
    later = Reader()
    async with group.member(later) as member:
        await eventually(lambda: len(later.mine) == PARTITIONS)
        assert await member.committed(range(PARTITIONS)) == {0: 5, 1: None, 2: None}


async def test_every_partition_has_one_owner_and_who_has_lost_it_is_told(group: Group) -> None:
    one, two = Reader(), Reader()
    async with group.member(one) as first:
        await eventually(lambda: len(one.mine) == PARTITIONS)
        await first.confirm_membership()
        async with group.member(two):
            await eventually(lambda: one.assignments > 1 and two.assignments > 0)
            await eventually(lambda: len(one.mine) + len(two.mine) == PARTITIONS)
            assert not one.mine & two.mine
            for number in range(20):
                await group.publish(of_batch(number))
            await eventually(lambda: one.total() + two.total() == 20)
            lost = [number for number in range(PARTITIONS) if number not in one.mine]
            for number in lost:
                with pytest.raises(NotAMember):
                    await first.commit({number: 1})
        await eventually(lambda: len(one.mine) == PARTITIONS)
        await eventually(lambda: sum(len(set(one.ids(number))) for number in range(PARTITIONS)) == 20)
