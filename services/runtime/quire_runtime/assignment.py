"""Where each partition of a member stands. Pure bookkeeping: `consumer.py` pauses, seeks and resumes by it.

A partition is *unplaced* until it is known where it goes on; with an offset that was sought, or to be asked of the handler:

    begin ──▶ unplaced ──start──▶ read from an offset on ──handled──▶ …
                 ▲                        │
                 └─ seek, ask_anew, forget ┘
"""

from collections.abc import Iterable, Mapping

from aiokafka import ConsumerRecord


class Assignment:
    """`partitions` are those that we have now; `number` counts the assignments; `ends` are high watermarks as of the last time
    that positions were asked for.
    """

    def __init__(self) -> None:
        self.partitions: frozenset[int] = frozenset()
        self.number = 0
        self._forgotten = 0
        self.ends: dict[int, int] = {}
        self._unplaced: dict[int, int | None] = {}  # to what was sought, if anything was
        self._next: dict[int, int] = {}  # the offset after the last handled record

    def begin(self, partitions: frozenset[int]) -> None:
        """After a rebalance."""
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
        """Whether each partition has, or had, a position."""
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
        """Positions of unplaced partitions that are known already."""
        return {partition: offset for partition, offset in self._unplaced.items() if offset is not None}

    def may_start(self, partition: int, offset: int) -> bool:
        """False where another offset was sought meanwhile."""
        return self._unplaced.get(partition) in (None, offset)

    def start(self, partition: int, offset: int) -> None:
        self._next[partition] = offset
        self._unplaced.pop(partition, None)

    def handled(self, partition: int, offset: int) -> None:
        """The record at the offset. It does not count where the partition was sought meanwhile."""
        if partition not in self._unplaced:
            self._next[partition] = offset + 1

    def gaps(self, records: Iterable[ConsumerRecord]) -> list[tuple[int, int, int]]:
        """Partitions of which the first record is not the one that comes next, with both offsets."""
        first: dict[int, int] = {}
        for record in records:
            first.setdefault(record.partition, record.offset)
        return [
            (partition, offset, self._next[partition]) for partition, offset in first.items() if offset != self._next[partition]
        ]

    def lag(self, highwater: Mapping[int, int]) -> int:
        """Records that are not handled yet, of the partitions that have, or had, a position."""
        return sum(max(offset, self.ends[number], highwater.get(number, 0)) - offset for number, offset in self._next.items())
