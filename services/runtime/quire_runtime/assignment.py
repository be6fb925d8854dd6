"""The position of each partition that a member has. Pure bookkeeping: `consumer.py` pauses, seeks and resumes by it.

A partition is *unplaced* until the offset to go on from is known: either it was sought, or the handler has to be asked for it.

    begin ──▶ unplaced ──start──▶ read from an offset on ──handled──▶ …
                 ▲                        │
                 └─ seek, ask_anew, forget ┘
"""

from collections.abc import Iterable, Mapping

from aiokafka import ConsumerRecord


class Assignment:
    """The partitions that this member has now. `number` counts the assignments. `ends` holds the high watermarks as of the last
    time that positions were asked for.
    """

    def __init__(self) -> None:
        self.partitions: frozenset[int] = frozenset()
        self.number = 0
        self._forgotten = 0
        self.ends: dict[int, int] = {}
        self._unplaced: dict[int, int | None] = {}  # the offset that was sought, if any
        self._next: dict[int, int] = {}  # the offset after the last handled record

    def begin(self, partitions: frozenset[int]) -> None:
        """Begins a new assignment, after a rebalance. All its partitions are unplaced."""
        self.end()
        self.partitions = partitions
        self._unplaced = dict.fromkeys(partitions)
        self.number += 1

    def end(self) -> None:
        self.partitions = frozenset()
        self._unplaced.clear()
        self._next.clear()

    @property
    def unplaced(self) -> frozenset[int]:
        return frozenset(self._unplaced)

    @property
    def known(self) -> bool:
        """Whether each partition has a position, or had one before it was unplaced."""
        return self._next.keys() >= self.partitions

    def position(self, partition: int) -> int | None:
        return self._next.get(partition)

    def reads(self, partition: int) -> bool:
        return partition in self._next and partition not in self._unplaced

    def seek(self, partition: int, offset: int) -> None:
        self._unplaced[partition] = offset

    def ask_anew(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._unplaced.setdefault(partition, None)

    def forget(self) -> None:
        """Nothing that was said or sought holds any more: all partitions are to be asked for."""
        self._unplaced = dict.fromkeys(self.partitions)
        self._forgotten += 1

    @property
    def asked(self) -> tuple[int, int]:
        """Another one once positions that are being asked for will no longer hold."""
        return self.number, self._forgotten

    def sought(self) -> dict[int, int]:
        """Returns the offsets that were sought for unplaced partitions."""
        return {partition: offset for partition, offset in self._unplaced.items() if offset is not None}

    def may_start(self, partition: int, offset: int) -> bool:
        """Returns whether the partition may start at the offset. It may not when another offset was sought meanwhile."""
        return self._unplaced.get(partition) in (None, offset)

    def start(self, partition: int, offset: int) -> None:
        self._next[partition] = offset
        self._unplaced.pop(partition, None)

    def handled(self, partition: int, offset: int) -> None:
        """Notes that the record at the offset was handled. Does nothing when the partition was sought meanwhile."""
        if partition not in self._unplaced:
            self._next[partition] = offset + 1

    def gaps(self, records: Iterable[ConsumerRecord]) -> list[tuple[int, int, int]]:
        """Returns the partitions whose first record is not the next one expected, each with the
        first and the expected offset.
        """
        first: dict[int, int] = {}
        for record in records:
            first.setdefault(record.partition, record.offset)
        return [
            (partition, offset, self._next[partition]) for partition, offset in first.items() if offset != self._next[partition]
        ]

    def lag(self, highwater: Mapping[int, int]) -> int:
        """Returns the number of records that are not handled yet, in partitions that have or had a position."""
        return sum(max(offset, self.ends[number], highwater.get(number, 0)) - offset for number, offset in self._next.items())
