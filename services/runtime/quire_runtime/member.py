"""One membership in a consumer group: wraps an AIOKafkaConsumer, uses plain partition numbers, and bounds every wait."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import IllegalGenerationError, KafkaError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.structs import OffsetAndMetadata

from quire_runtime import aiokafka_private
from quire_runtime.guardian import board
from quire_runtime.kafka import LogUnavailable, by_partition, connection, started
from quire_runtime.logs import get_logger
from quire_runtime.settings import KafkaSettings

log = get_logger(__name__)
T = TypeVar("T")

POLL_MS = 500
FETCH_WAIT_MS = 200
"""Milliseconds that a broker holds a fetch that finds nothing. A partition that was just resumed waits at most as long."""
HEARTBEAT_MS = 1_000
"""Milliseconds between heartbeats, so the longest that it takes a member to learn of a rebalance. The other members wait for
it.
"""
CLOSE_SECONDS = 5.0
"""Seconds that leaving the group may take. After that, the broker notices by the session timeout."""


class NotAMember(Exception):
    """The consumer group did not confirm that we are a member: the partitions may belong to another member. Nothing was
    changed.
    """


class Member:
    """A member with its own connection. It is used for one session and not again."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        client: str,
        *,
        revoked: Callable[[frozenset[int]], None],
        assigned: Callable[[frozenset[int]], None],
    ) -> None:
        """The callbacks are called inside the rebalance."""
        self._settings = settings
        self._group = group
        session_ms = int(settings.session_timeout_seconds * 1000)
        options = connection(settings, client)
        options["request_timeout_ms"] = max(options["request_timeout_ms"], session_ms + 5000)  # a join may take a whole rebalance
        self._consumer = AIOKafkaConsumer(
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=session_ms,
            heartbeat_interval_ms=min(session_ms // 4, HEARTBEAT_MS),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            **options,
        )

        def joined(partitions: frozenset[int]) -> None:
            board.member(group, aiokafka_private.member_id(self._consumer))
            assigned(partitions)

        self._consumer.subscribe([settings.topic], listener=_Listener(revoked, joined))

    async def join(self) -> None:
        """Joins the group and returns after the first assignment. Raises KafkaError."""
        await started(self._consumer.start)

    async def poll(self, max_records: int) -> list[ConsumerRecord]:
        """Returns the next records, for each partition in the order of offsets, or none after half a second. Raises KafkaError,
        and LogUnavailable when aiokafka has silently stopped reading.
        """
        if aiokafka_private.has_given_up_reading(self._consumer):
            raise LogUnavailable("the task that fetches records has ended; the connection is made anew")
        found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=max_records)
        return [record for records in found.values() for record in records]

    @property
    def connected(self) -> bool:
        """Whether the group's coordinator is known, that is, has answered the last heartbeat. A dead broker is noticed within
        seconds, one that hangs after the request's timeout.
        """
        return aiokafka_private.knows_coordinator(self._consumer)

    def pause(self, partitions: Iterable[int]) -> None:
        self._consumer.pause(*self._held(partitions))

    def resume(self, partitions: Iterable[int]) -> None:
        self._consumer.resume(*self._held(partitions))

    def seek(self, partition: int, offset: int) -> bool:
        """Moves the position of a partition. Returns False when the partition is not ours (any more)."""
        held = self._held([partition])
        for tp in held:
            self._consumer.seek(tp, offset)
        return bool(held)

    def highwater(self, partitions: Iterable[int]) -> dict[int, int]:
        """Returns the high watermark as of the last fetch, for partitions that were fetched."""
        found = {tp.partition: self._consumer.highwater(tp) for tp in self._held(partitions)}
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def committed(self, partitions: Collection[int]) -> dict[int, int | None]:
        return {p: await self._ask(self._consumer.committed(self._tp(p))) for p in partitions}

    async def begin_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        return by_partition(await self._ask(self._consumer.beginning_offsets([self._tp(p) for p in partitions])))

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        return by_partition(await self._ask(self._consumer.end_offsets([self._tp(p) for p in partitions])))

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commits in one attempt. Raises NotAMember, LogUnavailable."""
        wanted = {tp: OffsetAndMetadata(offsets[tp.partition], "") for tp in self._held(offsets)}
        if len(wanted) < len(offsets):
            raise NotAMember(f"not all of the partitions {sorted(offsets)} are ours")
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                await aiokafka_private.commit_once(self._consumer, wanted)
        except (TimeoutError, UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
            raise NotAMember(f"the group {self._group} did not take our offsets: {_reason(error)}") from error
        except KafkaError as error:
            raise LogUnavailable(f"Kafka did not take our offsets: {error!r}") from error

    async def heartbeat(self) -> None:
        """Raises NotAMember unless the group's coordinator confirms us now."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                confirmed = await aiokafka_private.heartbeat(self._consumer)
        except (TimeoutError, KafkaError) as error:
            raise NotAMember(f"the group {self._group} did not confirm us: {_reason(error)}") from error
        if not confirmed:
            raise NotAMember(f"the group {self._group} did not confirm us as a member")

    async def ping(self) -> None:
        """Raises LogUnavailable unless a broker answers now."""
        if not await aiokafka_private.broker_answers(self._consumer):
            raise LogUnavailable(f"no Kafka broker answers at {self._settings.bootstrap}")

    async def aclose(self) -> None:
        """Leaves the group and closes the connection, in bounded time."""
        # In a task of its own: aiokafka's fetcher awaits tasks it has cancelled, which looks like a cancellation of its caller.
        stopping = asyncio.create_task(self._consumer.stop())
        try:
            await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
        finally:
            clean = stopping.done() and not stopping.cancelled() and stopping.exception() is None
            if clean:
                board.member(self._group, None)
            else:
                log.warning("the consumer did not stop cleanly, its connections are cut", group=self._group)
                await aiokafka_private.cut(self._consumer, stopping)

    async def _ask(self, question: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                return await question
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailable(f"Kafka does not answer: {_reason(error)}") from error

    def _held(self, partitions: Iterable[int]) -> list[TopicPartition]:
        """Returns the partitions that aiokafka knows as ours. It applies a new assignment a little before it reports it."""
        held = self._consumer.assignment()
        return [tp for tp in map(self._tp, partitions) if tp in held]

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Passes rebalances on. The methods are no coroutines: aiokafka calls them without yielding, so that nothing is fetched
    before we pause.
    """

    def __init__(self, revoked: Callable[[frozenset[int]], None], assigned: Callable[[frozenset[int]], None]) -> None:
        self._revoked, self._assigned = revoked, assigned

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._revoked(frozenset(tp.partition for tp in revoked))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._assigned(frozenset(tp.partition for tp in assigned))


def _reason(error: Exception) -> str:
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))
