"""What a service gives to `LogConsumer`: the lifecycle contract of reading the log."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire_runtime.errors import CannotServe
from quire_schemas.cloudevents import CodecError
from quire_schemas.events import Event


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record. Exactly one of `event` and `invalid` is set. An `invalid` that is an UnknownType is skipped in silence; any
    other is poison, which the consumer has counted and logged. Both still move the position: handlers step over them.
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
    """Raised by `Handler.records`: these partitions go on from these offsets; what the poll held of them is not handled."""

    def __init__(self, positions: Mapping[int, int]) -> None:
        super().__init__(f"seek to {dict(positions)}")
        self.positions = dict(positions)


class Handler(ABC):
    """Everything here is called by one consumer, never twice at the same time, from its event loop.

    The order at a rebalance (they are eager: every partition is taken and given again each time):
    `revoked(all)` → `assigned(new set)` → `positions(new set)` → `records(…)`.
    After an error of the client the consumer is made anew: `revoked(all)`, and sooner or later `assigned` again.
    """

    @abstractmethod
    def assigned(self, partitions: frozenset[int]) -> None:
        """The whole new assignment. Called inside the rebalance: must not block and not raise. A partition that is not in
        here any more is another member's now. All are paused until `positions` has been answered.
        """

    @abstractmethod
    def revoked(self, partitions: frozenset[int]) -> None:
        """All partitions are taken, most of them to come back: this changes nothing by itself, `assigned` decides. Called inside
        the rebalance, also when the consumer stops or has to reconnect: must not block and not raise.
        """

    @abstractmethod
    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        """For every one of these partitions the offset of the next record wanted. Asked after each assignment for all of it
        (for one that came back too: its answer is how far it was handled), from the poll loop, never inside the rebalance.

        May ask Kafka (`LogConsumer.committed`, `begin_offsets`, `end_offsets`) and a database. When it raises something transient
        it is asked again with backoff, the other partitions are served meanwhile; anything else ends `LogConsumer.run`.
        It may be cancelled, and its answer is thrown away if another rebalance came between, so it must change nothing.
        An answer outside the log's range ends `run` with OffsetOutOfRange: what was there is gone, and nobody jumps in silence.
        """

    @abstractmethod
    async def records(self, records: Sequence[LogRecord]) -> None:
        """The records of one poll: several partitions, each in the order of its offsets; never empty. When it returns they are
        handled, the next poll follows. It may take its time (heartbeats go on, but nothing is read meanwhile; a member that has
        not polled for five minutes leaves its group), it should not wait for work.

        May raise SeekTo. Raising NotAMember or LogUnavailable means that nothing is handled: the poll's partitions are paused and
        `positions` asked again. Anything else ends `LogConsumer.run`.
        """


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
