"""The log and its consumer group, in memory, with the semantics that the processor relies on (docs/design.md, "Ownership").
tests/integration/test_fakes.py holds it to the real one.

A member that is frozen (SIGSTOP, a cut network) does nothing; after the session timeout its partitions are given away, and it
does not know. What it sent before, or sends after, still arrives.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Mapping

from quire_runtime.handler import Handler, LogRecord
from quire_runtime.kafka import LogUnavailable, partition_of
from quire_runtime.member import NotAMember
from quire_schemas.events import Event

PARTITIONS = 3
SESSION_SECONDS = 10.0


class Log:
    """`refused`: rate of questions and events that find the log away. `lost`: rate of events whose acknowledgement is lost."""

    def __init__(self, chance: random.Random, refused: float = 0.0, lost: float = 0.05) -> None:
        self.refused, self.lost = refused, lost
        self.records: list[list[Event]] = [[] for _ in range(PARTITIONS)]
        self.committed: dict[int, int] = {}
        self.away = False
        self.generation = 0
        self.assignment: dict[str, frozenset[int]] = {}
        self.chance = chance
        self.grown = asyncio.Event()

    def append(self, event: Event) -> tuple[int, int]:
        partition = partition_of(event.batch_id.encode(), PARTITIONS)
        self.records[partition].append(event)
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()
        return partition, len(self.records[partition]) - 1

    def rebalance(self, members: Iterable[str]) -> None:
        """Gives every partition to one of the members, as chance has it."""
        names = sorted(members)
        self.generation += 1
        owner = {number: self.chance.choice(names) for number in range(PARTITIONS)} if names else {}
        self.assignment = {name: frozenset(number for number, who in owner.items() if who == name) for name in names}


class Member:
    """Both the `LogConsumer` and the `Publisher` of one processor."""

    def __init__(self, name: str, log: Log) -> None:
        self.name = name
        self._log = log
        self._handler: Handler
        self._generation = 0
        self._stop = asyncio.Event()
        self.going = asyncio.Event()
        self.going.set()
        self.assignment: frozenset[int] = frozenset()
        self._next: dict[int, int] = {}
        self._placed = True

    def feed(self, handler: Handler) -> None:
        self._handler = handler

    # As LogConsumer.

    async def run(self) -> None:
        joining = asyncio.create_task(self._join())
        try:
            while not self._stop.is_set():
                await self.going.wait()
                if not self._placed:
                    await self._place()
                if self._placed:
                    await self._poll()
                await asyncio.sleep(self._log.chance.choice((0.0, 0.01, 0.3)))
        finally:
            joining.cancel()

    async def _join(self) -> None:
        """As aiokafka has it: in a task of its own, so also while the poll loop asks for positions."""
        while True:
            await self.going.wait()
            if self._generation != self._log.generation and self.name in self._log.assignment:
                self._handler.revoked(self.assignment)
                self._generation = self._log.generation
                self.assignment = self._log.assignment[self.name]
                self._next, self._placed = {}, not self.assignment
                self._handler.assigned(self.assignment)
            await asyncio.sleep(0.11)

    async def _place(self) -> None:
        generation = self._generation
        try:
            positions = dict(await self._handler.positions(self.assignment))
        except (LogUnavailable, NotAMember):
            await asyncio.sleep(0.5)
            return
        if generation == self._generation:
            self._next, self._placed = positions, True

    async def _poll(self) -> None:
        if self._log.away:
            return
        some: list[LogRecord] = []
        for partition, offset in self._next.items():
            most = self._log.chance.randint(0, 5)
            events = self._log.records[partition][offset : offset + most]
            some += [_record(partition, offset + number, event) for number, event in enumerate(events)]
        if some:
            await self._handler.records(some)
            for record in some:
                self._next[record.partition] = record.offset + 1

    def stop(self) -> None:
        self._stop.set()

    async def committed(self, partitions: Collection[int]) -> dict[int, int | None]:
        await self._ask()
        return {partition: self._log.committed.get(partition) for partition in partitions}

    async def begin_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        await self._ask()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Collection[int]) -> dict[int, int]:
        await self._ask()
        return {partition: len(self._log.records[partition]) for partition in partitions}

    async def commit(self, offsets: Mapping[int, int]) -> None:
        await self.confirm_membership()
        if not offsets.keys() <= self._log.assignment[self.name]:
            raise NotAMember("not ours")
        self._log.committed |= offsets

    async def confirm_membership(self) -> None:
        await self._ask()
        if self.name not in self._log.assignment or self._generation != self._log.generation:
            raise NotAMember("the group has moved on")

    # As Publisher.

    async def publish(self, event: Event) -> tuple[int, int]:
        """Sometimes the acknowledgement is lost: then the event is in the log and the sender does not know."""
        await self._ask()
        place = self._log.append(event)
        await asyncio.sleep(self._log.chance.choice((0.0, 0.0, 0.02)))
        await self.going.wait()
        if self._log.chance.random() < self._log.lost:
            raise LogUnavailable("the acknowledgement was lost")
        return place

    async def _ask(self) -> None:
        await asyncio.sleep(self._log.chance.choice((0.0, 0.005, 0.005, 1.5)))
        await self.going.wait()
        if self._log.away or self._log.chance.random() < self._log.refused:
            raise LogUnavailable("away")


def _record(partition: int, offset: int, event: Event) -> LogRecord:
    return LogRecord(partition=partition, offset=offset, timestamp_ms=0, event=event, invalid=None, key=None, headers=())
