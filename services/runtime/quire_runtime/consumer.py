"""The one consumer loop. It fulfils the lifecycle contract of `Handler`.

The reasons for its design: docs/design.md, "Kafka as its client behaves". The path of a record: `Member.poll` → `_deliver` →
`reading.read` → `Handler.records`. The path of a partition: `_on_assigned` pauses it → `_place` asks where it goes on →
`_start_at` seeks and resumes it. `Assignment` holds its state in between.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from quire_runtime import metrics
from quire_runtime.assignment import Assignment
from quire_runtime.handler import Handler, LogRecord, OffsetOutOfRange, SeekTo
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.member import Member, NotAMember
from quire_runtime.reading import read
from quire_runtime.retry import backoff
from quire_runtime.settings import KafkaSettings
from quire_runtime.stopping import Stopped, result_of, settled

__all__ = ["Handler", "LogConsumer", "LogRecord", "NotAMember", "OffsetOutOfRange", "SeekTo"]

log = get_logger(__name__)
T = TypeVar("T")

STEADY_SECONDS = 60.0
"""A connection that lasted this many seconds resets the count of failed attempts."""


class LogConsumer:
    """Reads the topic as a member of `group` and feeds `handler`, until `stop`."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        handler: Handler,
        *,
        client: str | None = None,
        max_records: int = 500,
        transient: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        """`client` names this member in the broker's logs. `max_records` bounds one poll. `transient` returns whether an
        exception of `Handler.positions` is worth another attempt, besides LogUnavailable, NotAMember and OSError.
        """
        self._settings = settings
        self._group = group
        self._handler = handler
        self._client = client or group
        self._max_records = max_records
        self._transient = transient
        self._stop = asyncio.Event()
        self._member: Member | None = None
        self._joined = False
        self._assignment = Assignment()
        self._failures = 0  # failed attempts in a row to learn positions
        self._ask_again_at = 0.0
        self._broken: Exception | None = None
        self._consumed = metrics.CONSUMED.labels(group)
        metrics.LAG.labels(group).set_function(self._lag)
        metrics.ASSIGNED.labels(group).set_function(lambda: len(self.assignment) if self._is_connected() else 0)
        metrics.UNPLACED.labels(group).set_function(lambda: len(self._assignment.unplaced))

    async def run(self) -> None:
        """Reads until `stop`, then leaves the group. While Kafka is away, waits and logs it. Raises OffsetOutOfRange, and every
        exception of the handler that its contract does not cover.
        """
        stopped = asyncio.create_task(self._stop.wait())
        attempt = 0
        try:
            while not stopped.done():
                began = time.monotonic()
                try:
                    await self._session(stopped)
                except Stopped:
                    return
                except (KafkaError, LogUnavailable) as error:
                    attempt = 1 if time.monotonic() - began > STEADY_SECONDS else attempt + 1
                    metrics.RECONNECTS.inc()
                    log.warning("kafka is away, trying again", group=self._group, error=str(error), attempt=attempt)
                    await asyncio.wait([stopped], timeout=backoff(attempt))
        finally:
            stopped.cancel()

    def stop(self) -> None:
        """Lets `run` return after the current poll; a running `Handler.records` is not cancelled."""
        self._stop.set()

    async def check(self) -> None:
        """Raises LogUnavailable unless we are in the group and a broker answers now."""
        if not self._joined:
            raise LogUnavailable(f"not (yet) a member of the consumer group {self._group}")
        await self._connected().ping()

    @property
    def assignment(self) -> frozenset[int]:
        """The partitions that are assigned to us now."""
        return self._assignment.partitions

    def position(self, partition: int) -> int | None:
        """Returns the offset after the last handled record, or None until `Handler.positions` has answered."""
        return self._assignment.position(partition)

    def seek(self, partition: int, offset: int) -> None:
        """Goes on from `offset`, once it is found to be in the log's range. Does nothing for a partition that is not ours."""
        if partition in self.assignment:
            self._connected().pause({partition})
            self._assignment.seek(partition, offset)
            self._ask_again_at = 0.0

    def ask_anew(self) -> None:
        """Asks the handler again where every partition goes on: what it answered before no longer holds."""
        self._assignment.forget()
        self._ask_again_at = 0.0

    async def committed(self, partitions: Collection[int]) -> dict[int, int | None]:
        """Returns the group's committed offset of each partition, or None where there is none. Raises LogUnavailable."""
        return await self._connected().committed(partitions)

    async def begin_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """Returns the offset of the oldest record of each partition. Raises LogUnavailable."""
        return await self._connected().begin_offsets(partitions)

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """Returns the high watermark of each partition: the offset that the next record will get. Raises LogUnavailable."""
        return await self._connected().end_offsets(partitions)

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commits the offset of the next record that is wanted of each partition. Raises NotAMember, LogUnavailable."""
        rebalances = self._assignment.number
        await self._connected().commit(offsets)
        self._still(rebalances)

    async def confirm_membership(self) -> None:
        """Sends one heartbeat now. Returns when the group's coordinator has confirmed us, so that the assignment is still
        valid. Raises NotAMember or LogUnavailable otherwise.
        """
        rebalances = self._assignment.number
        if not self._joined:
            raise NotAMember(f"the group {self._group} is being rebalanced")
        await self._connected().heartbeat()
        self._still(rebalances)

    async def _session(self, stopped: "asyncio.Task[bool]") -> None:
        """Joins the group, polls until stopped or until an error, and leaves the group."""
        member = Member(self._settings, self._group, self._client, revoked=self._on_revoked, assigned=self._on_assigned)
        self._member = member
        try:
            await self._or_stop(member.join(), stopped)
            while True:
                await self._place(stopped)
                await self._deliver(await self._or_stop(member.poll(self._max_records), stopped))
        finally:
            self._end_assignment()
            self._member = None
            await member.aclose()

    async def _or_stop(self, work: Awaitable[T], stopped: "asyncio.Task[bool]") -> T:
        """Returns the result of `work`. Raises Stopped when `stop` comes first, and any exception of a rebalance callback."""
        task = await settled(work, stopped)
        if self._broken is not None:
            raise self._broken
        if task.cancelled() and not stopped.done():
            raise LogUnavailable("the Kafka client gave up from inside")
        return result_of(task)

    # Rebalances. aiokafka calls these methods without an await, so that nothing is fetched from a wrong position before we pause.

    def _on_revoked(self, partitions: frozenset[int]) -> None:
        if self._member is None:
            return  # the rebalance ended while we were leaving
        self._joined = False
        self._guard(self._handler.revoked, partitions)

    def _on_assigned(self, partitions: frozenset[int]) -> None:
        if self._member is None:
            return
        self._assignment.begin(partitions)
        self._member.pause(partitions)
        self._ask_again_at = 0.0
        self._joined = True
        metrics.REBALANCES.inc()
        log.info("partitions assigned", group=self._group, partitions=sorted(partitions))
        self._guard(self._handler.assigned, partitions)

    def _end_assignment(self) -> None:
        if self._joined:
            self._on_revoked(self.assignment)
        self._assignment.end()

    def _guard(self, callback: Callable[[frozenset[int]], None], partitions: frozenset[int]) -> None:
        """Calls a callback and keeps its exception for the poll loop to raise, because aiokafka would only log it."""
        try:
            callback(partitions)
        except Exception as error:  # noqa: BLE001 -- raised by `_or_stop`
            self._broken = error

    # Positions. The poll loop asks for them, so that a database that is away delays only the partitions that need it.

    async def _place(self, stopped: "asyncio.Task[bool]") -> None:
        """Finds the positions of unplaced partitions, and starts reading them."""
        if not self._assignment.unplaced or time.monotonic() < self._ask_again_at:
            return
        asked = self._assignment.asked
        try:
            positions = await self._or_stop(self._positions(self._assignment.unplaced), stopped)
        except Exception as error:
            if not (isinstance(error, LogUnavailable | NotAMember | OSError) or self._transient(error)):
                raise
            self._ask_later(error)
            return
        if asked == self._assignment.asked:
            self._failures = 0
            for partition, offset in positions.items():
                self._start_at(partition, offset)

    async def _positions(self, partitions: frozenset[int]) -> dict[int, int]:
        """Returns where each partition goes on: where it was sought, or where the handler says. Raises OffsetOutOfRange."""
        positions = self._assignment.sought()
        if asked := partitions - positions.keys():
            answer = await self._handler.positions(asked)
            positions |= {p: answer[p] for p in asked}
        begins, ends = await self.begin_offsets(partitions), await self.end_offsets(partitions)
        for partition, offset in positions.items():
            if not begins[partition] <= offset <= ends[partition]:
                raise OffsetOutOfRange(self._settings.topic, partition, offset, begins[partition], ends[partition])
        self._assignment.ends |= ends
        return positions

    def _start_at(self, partition: int, offset: int) -> None:
        if not self._assignment.may_start(partition, offset) or not self._connected().seek(partition, offset):
            return  # another offset was sought meanwhile, or a rebalance is about to take the partition
        self._assignment.start(partition, offset)
        self._connected().resume({partition})

    def _ask_later(self, error: Exception) -> None:
        self._failures += 1
        self._ask_again_at = time.monotonic() + backoff(self._failures)
        log.warning("positions are not known yet", group=self._group, error=str(error), attempt=self._failures)

    async def _deliver(self, fetched: list[ConsumerRecord]) -> None:
        records = [record for record in fetched if self._assignment.reads(record.partition)]
        if not records:
            return
        await self._check_continuity(records)
        rebalances = self._assignment.number
        sought: dict[int, int] = {}
        try:
            await self._handler.records([read(record, self._settings.partitions) for record in records])
        except SeekTo as seek:
            sought = seek.positions
        except (NotAMember, LogUnavailable) as error:
            self._ask_anew({record.partition for record in records}, error)
            return
        self._consumed.inc(sum(record.partition not in sought for record in records))
        if rebalances == self._assignment.number:
            for record in records:
                self._assignment.handled(record.partition, record.offset)
            for partition, offset in sought.items():
                self.seek(partition, offset)

    def _lag(self) -> float:
        """Returns how many records of our partitions are not handled yet, or NOT_KNOWN without a connection or a position."""
        if self._member is None or not self._is_connected() or not self._assignment.known:
            return metrics.NOT_KNOWN
        return self._assignment.lag(self._member.highwater(self.assignment))

    def _ask_anew(self, partitions: set[int], error: Exception) -> None:
        mine = partitions & self.assignment
        self._connected().pause(mine)
        self._assignment.ask_anew(mine)
        self._ask_later(error)

    async def _check_continuity(self, records: list[ConsumerRecord]) -> None:
        """Raises OffsetOutOfRange when aiokafka has jumped to the oldest record, as it does without a word."""
        for partition, offset, wanted in self._assignment.gaps(records):  # a rebalance may happen during the requests
            begin = (await self.begin_offsets([partition]))[partition]
            if offset < wanted or begin > wanted:
                end = (await self.end_offsets([partition]))[partition]
                raise OffsetOutOfRange(self._settings.topic, partition, wanted, begin, end)

    def _is_connected(self) -> bool:
        return self._joined and self._member is not None and self._member.connected

    def _connected(self) -> Member:
        if self._member is None:
            raise LogUnavailable(f"not connected to Kafka as a member of {self._group}")
        return self._member

    def _still(self, rebalances: int) -> None:
        if rebalances != self._assignment.number:
            raise NotAMember(f"the group {self._group} was rebalanced meanwhile")
