"""The one consumer loop. It keeps the lifecycle that `Handler` promises.

Why it is as it is: docs/design.md, "Kafka as its client behaves".

The path of a record: `Member.poll` → `_deliver` → `reading.read` → `Handler.records`. The path of a partition: `_on_assigned`
pauses it → `_place` asks where it goes on → `_start_at` seeks and resumes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeVar

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from quire_runtime import metrics
from quire_runtime.errors import CannotServe
from quire_runtime.handler import Handler, LogRecord, SeekTo
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.member import Member, NotAMember
from quire_runtime.reading import read
from quire_runtime.retry import backoff
from quire_runtime.settings import KafkaSettings

__all__ = ["Handler", "LogConsumer", "LogRecord", "NotAMember", "OffsetOutOfRange", "SeekTo"]

log = get_logger(__name__)
T = TypeVar("T")

STEADY_SECONDS = 60.0
"""A connection that held this long has its failures forgotten."""


class OffsetOutOfRange(CannotServe):
    """A partition does not hold the offset that was to be read next: records are gone, or the log is another one. Go back to the
    right topic; or begin anew on this one: the notifier by `quire rebuild`, a processor with another QUIRE_GROUP.
    """

    def __init__(self, topic: str, partition: int, offset: int, begin: int, end: int) -> None:
        super().__init__(
            f"partition {partition} of {topic} holds offsets {begin} up to {end}, but work is to go on at {offset}: "
            "the log was cut, or replaced by another. Correct QUIRE_KAFKA_TOPIC; or begin anew on this log: processors with "
            "another QUIRE_GROUP, the notifier by `quire rebuild`"
        )
        self.partition, self.offset, self.begin, self.end = partition, offset, begin, end


class _StoppedError(Exception):
    """`stop` was called while waiting."""


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
        """`client` names this member in the broker's logs. `max_records` bounds one poll. `transient` says which exceptions of
        `Handler.positions` are worth asking again, besides LogUnavailable, NotAMember and OSError.
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
        self._rebalances = 0
        self._assigned: frozenset[int] = frozenset()
        self._unplaced: set[int] = set()  # paused until their position is known
        self._sought: dict[int, int] = {}  # positions of unplaced ones that are known already
        self._next: dict[int, int] = {}  # the offset after the last handled record
        self._ends: dict[int, int] = {}  # high watermarks as of the last time that positions were asked for
        self._failures = 0
        self._ask_again_at = 0.0
        self._broken: Exception | None = None
        self._consumed = metrics.CONSUMED.labels(group)
        metrics.LAG.labels(group).set_function(self._lag)
        metrics.ASSIGNED.labels(group).set_function(lambda: len(self._assigned) if self._is_connected() else 0)
        metrics.UNPLACED.labels(group).set_function(lambda: len(self._unplaced))

    async def run(self) -> None:
        """Reads until `stop`, then leaves the group. While Kafka is away it waits and says so. Raises OffsetOutOfRange, and what
        the handler raises beyond what its contract provides for.
        """
        stopped = asyncio.create_task(self._stop.wait())
        attempt = 0
        try:
            while not stopped.done():
                began = time.monotonic()
                try:
                    await self._session(stopped)
                except _StoppedError:
                    return
                except (KafkaError, LogUnavailable) as error:
                    attempt = 1 if time.monotonic() - began > STEADY_SECONDS else attempt + 1
                    metrics.RECONNECTS.inc()
                    log.warning("kafka is away, trying again", group=self._group, error=str(error), attempt=attempt)
                    await asyncio.wait([stopped], timeout=backoff(attempt))
        finally:
            stopped.cancel()

    def stop(self) -> None:
        """Lets `run` return after the poll in hand: `Handler.records` is not cut off."""
        self._stop.set()

    async def check(self) -> None:
        """Raises LogUnavailable unless we are in the group and a broker answers now."""
        if not self._joined:
            raise LogUnavailable(f"not (yet) a member of the consumer group {self._group}")
        await self._connected().ping()

    # What handlers may ask and do.

    @property
    def assignment(self) -> frozenset[int]:
        """The partitions we have now."""
        return self._assigned

    def position(self, partition: int) -> int | None:
        """The offset after the last handled record; None until `Handler.positions` has been answered for this assignment."""
        return self._next.get(partition)

    def seek(self, partition: int, offset: int) -> None:
        """Goes on from `offset`, which is checked against the log's range first. Does nothing for a partition we do not have."""
        if partition in self._assigned:
            self._hold({partition})
            self._unplaced.add(partition)
            self._sought[partition] = offset
            self._ask_again_at = 0.0

    async def committed(self, partitions: Collection[int]) -> dict[int, int | None]:
        """The group's committed offset per partition, None where there is none. Raises LogUnavailable."""
        return await self._connected().committed(partitions)

    async def begin_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """The offset of the oldest record kept, per partition. Raises LogUnavailable."""
        return await self._connected().begin_offsets(partitions)

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """The high watermark per partition: the offset that the next record will get. Raises LogUnavailable."""
        return await self._connected().end_offsets(partitions)

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Commits, per partition, the offset of the next record wanted. Raises NotAMember when the group has moved on, did not
        answer in time, or one of the partitions is not ours; LogUnavailable when not connected or refused.
        """
        rebalances = self._rebalances
        await self._connected().commit(offsets)
        self._still(rebalances)

    async def confirm_membership(self) -> None:
        """One heartbeat, now: returns when the group's coordinator has just confirmed us, so that the assignment still holds.
        Raises NotAMember or LogUnavailable otherwise.
        """
        rebalances = self._rebalances
        if not self._joined:
            raise NotAMember(f"the group {self._group} is being rebalanced")
        await self._connected().heartbeat()
        self._still(rebalances)

    # One connection to Kafka.

    async def _session(self, stopped: "asyncio.Task[bool]") -> None:
        """Joins, polls until stopped or broken, leaves."""
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
        """The work's result. Raises _StoppedError when `stop` comes first, and what a rebalance callback raised."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            failure = None if task.cancelled() else task.exception()  # asked for here, so that it counts as heard
        if self._broken is not None:
            raise self._broken
        if task.cancelled():
            if not stopped.done():
                raise LogUnavailable("the Kafka client gave up from inside")
            raise _StoppedError
        if failure is not None:
            raise failure
        return task.result()

    # Rebalances. Called by aiokafka without an await, so that nothing is fetched from a wrong position before we pause.

    def _on_revoked(self, partitions: frozenset[int]) -> None:
        if self._member is None:
            return  # a rebalance that ends while we leave
        self._joined = False
        self._guard(self._handler.revoked, partitions)

    def _on_assigned(self, partitions: frozenset[int]) -> None:
        if self._member is None:
            return
        self._assigned = partitions
        self._hold(partitions)
        self._unplaced = set(partitions)
        self._sought.clear()
        self._next.clear()
        self._ask_again_at = 0.0
        self._rebalances += 1
        self._joined = True
        metrics.REBALANCES.inc()
        log.info("partitions assigned", group=self._group, partitions=sorted(partitions))
        self._guard(self._handler.assigned, partitions)

    def _end_assignment(self) -> None:
        if self._joined:
            self._on_revoked(self._assigned)
        self._assigned = frozenset()
        self._unplaced.clear()
        self._sought.clear()
        self._next.clear()

    def _guard(self, callback: Callable[[frozenset[int]], None], partitions: frozenset[int]) -> None:
        """What a callback raises aiokafka would log and forget: it is kept for the poll loop to raise."""
        try:
            callback(partitions)
        except Exception as error:  # noqa: BLE001 -- raised by `_or_stop`
            self._broken = error

    # Positions. Asked by the poll loop, so that a database that is away holds up its partitions and nothing else.

    async def _place(self, stopped: "asyncio.Task[bool]") -> None:
        """Finds where unplaced partitions go on, and lets them."""
        if not self._unplaced or time.monotonic() < self._ask_again_at:
            return
        rebalances = self._rebalances
        try:
            positions = await self._or_stop(self._positions(frozenset(self._unplaced)), stopped)
        except Exception as error:
            if not (isinstance(error, LogUnavailable | NotAMember | OSError) or self._transient(error)):
                raise
            self._ask_later(error)
            return
        if rebalances == self._rebalances:
            self._failures = 0
            for partition, offset in positions.items():
                self._start_at(partition, offset)

    async def _positions(self, partitions: frozenset[int]) -> dict[int, int]:
        """Known ones and the handler's answers, within the log's range; raises OffsetOutOfRange."""
        positions = {p: self._sought[p] for p in partitions if p in self._sought}
        asked = partitions - positions.keys()
        if asked:
            answer = await self._handler.positions(asked)
            positions |= {p: answer[p] for p in asked}
        begins, ends = await self.begin_offsets(partitions), await self.end_offsets(partitions)
        for partition, offset in positions.items():
            if not begins[partition] <= offset <= ends[partition]:
                raise OffsetOutOfRange(self._settings.topic, partition, offset, begins[partition], ends[partition])
        self._ends |= ends
        return positions

    def _start_at(self, partition: int, offset: int) -> None:
        if self._sought.get(partition, offset) != offset or not self._connected().seek(partition, offset):
            return  # sought anew meanwhile, or a rebalance is about to say that it is gone
        self._next[partition] = offset
        self._unplaced.discard(partition)
        self._sought.pop(partition, None)
        self._connected().resume({partition})

    def _ask_later(self, error: Exception) -> None:
        self._failures += 1
        self._ask_again_at = time.monotonic() + backoff(self._failures)
        log.warning("positions are not known yet", group=self._group, error=str(error), attempt=self._failures)

    # Records.

    async def _deliver(self, fetched: list[ConsumerRecord]) -> None:
        records = [record for record in fetched if record.partition in self._next.keys() - self._unplaced]
        if not records:
            return
        await self._check_continuity(records)
        rebalances = self._rebalances
        sought: dict[int, int] = {}
        try:
            await self._handler.records([read(record, self._settings.partitions) for record in records])
        except SeekTo as seek:
            sought = seek.positions
        except (NotAMember, LogUnavailable) as error:
            self._ask_anew({record.partition for record in records}, error)
            return
        self._consumed.inc(sum(record.partition not in sought for record in records))
        if rebalances == self._rebalances:
            self._advance(records, sought)

    def _advance(self, records: list[ConsumerRecord], sought: Mapping[int, int]) -> None:
        for record in records:
            if record.partition not in self._unplaced:
                self._next[record.partition] = record.offset + 1
        for partition, offset in sought.items():
            self.seek(partition, offset)

    def _lag(self) -> float:
        """Records of the assigned partitions that are not handled yet. Not known while one of them has no position."""
        if self._member is None or not self._is_connected() or not self._next.keys() >= self._assigned:
            return metrics.NOT_KNOWN
        ends = self._member.highwater(self._next)
        return sum(max(position, self._ends[number], ends.get(number, 0)) - position for number, position in self._next.items())

    def _ask_anew(self, partitions: set[int], error: Exception) -> None:
        mine = partitions & self._assigned
        self._hold(mine)
        self._unplaced |= mine
        self._ask_later(error)

    async def _check_continuity(self, records: list[ConsumerRecord]) -> None:
        """An offset out of range makes aiokafka jump to the oldest record. That must not pass in silence."""
        first: dict[int, int] = {}
        for record in records:
            first.setdefault(record.partition, record.offset)
        gaps = [(partition, offset, self._next[partition]) for partition, offset in first.items()]
        for partition, offset, wanted in gaps:  # a rebalance may come while we ask
            if offset == wanted:
                continue
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

    def _hold(self, partitions: Iterable[int]) -> None:
        if self._member is not None:
            self._member.pause(partitions)

    def _still(self, rebalances: int) -> None:
        if rebalances != self._rebalances:
            raise NotAMember(f"the group {self._group} was rebalanced meanwhile")
