"""The interface that a service implements for `LogConsumer`: the lifecycle contract of reading the log."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire_runtime.errors import CannotServe
from quire_schemas.cloudevents import CodecError
from quire_schemas.events import Event


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record. Exactly one of `event` and `invalid` is set. A record with an UnknownType as `invalid` is skipped silently.
    Any other `invalid` record is malformed, and the consumer has counted and logged it. Both still move the position: handlers
    must step over them.
    """

    partition: int
    offset: int
    timestamp_ms: int
    event: Event | None
    invalid: CodecError | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None = None


class SeekTo(Exception):
    """Raised by `Handler.records`: these partitions must go on from these offsets. The poll's records of these partitions count
    as not handled.
    """

    def __init__(self, positions: Mapping[int, int]) -> None:
        super().__init__(f"seek to {dict(positions)}")
        self.positions = dict(positions)


class Handler(ABC):
    """The methods are called by one consumer, never two at the same time, from its event loop.

    Rebalances are eager: every partition is revoked and assigned again each time. The order of calls is `revoked(all)` →
    `assigned(new set)` → `positions(new set)` → `records(…)`. After an error of the Kafka client the consumer is made again:
    `revoked(all)` is called, and sooner or later `assigned`.
    """

    @abstractmethod
    def assigned(self, partitions: frozenset[int]) -> None:
        """Receives the whole new assignment. Called inside the rebalance, so it must not block and not raise. Partitions that
        are missing here now belong to other members. All partitions are paused until `positions` has been answered.
        """

    @abstractmethod
    def revoked(self, partitions: frozenset[int]) -> None:
        """Called when all partitions are revoked, inside the rebalance; also when the consumer stops or reconnects. Must not
        block and not raise. Most partitions usually come back, so this decides nothing: `assigned` does.
        """

    @abstractmethod
    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        """Returns for each of these partitions the offset of the next record wanted. Called after each assignment for all its
        partitions, also for those that came back. Called from the poll loop, never inside the rebalance.

        It may ask Kafka (`LogConsumer.committed`, `begin_offsets`, `end_offsets`) and a database. After a transient exception
        it is called again with backoff, and the other partitions are served meanwhile. Any other exception ends
        `LogConsumer.run`. It may be cancelled, and its answer is dropped if another rebalance came in between, so it must
        change nothing. An answer outside the log's range ends `run` with OffsetOutOfRange: the records there are gone, and
        skipping them silently would hide it.
        """

    @abstractmethod
    async def records(self, records: Sequence[LogRecord]) -> None:
        """Handles the records of one poll: of several partitions, each in the order of its offsets, never none. When it
        returns, the records are handled and the next poll follows. It may take its time: heartbeats go on, but nothing is read
        meanwhile, and a member that has not polled for five minutes leaves its group. It should not wait for work, apart from
        a moment in which records gather.

        It may raise SeekTo. NotAMember or LogUnavailable mean that no record is handled: the poll's partitions are paused and
        `positions` is called again. Any other exception ends `LogConsumer.run`.
        """


class OffsetOutOfRange(CannotServe):
    """A partition does not have the offset that was to be read next: records were removed, or it is another log. Set the right
    topic again, or begin anew on this log: the notifier by `quire rebuild`, a processor with another QUIRE_GROUP.
    """

    def __init__(self, topic: str, partition: int, offset: int, begin: int, end: int) -> None:
        super().__init__(
            f"partition {partition} of {topic} holds offsets {begin} up to {end}, but work is to go on at {offset}: "
            "the log was cut, or replaced by another. Correct QUIRE_KAFKA_TOPIC; or begin anew on this log: processors with "
            "another QUIRE_GROUP, the notifier by `quire rebuild`"
        )
        self.partition, self.offset, self.begin, self.end = partition, offset, begin, end
