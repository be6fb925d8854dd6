"""Several real processors over one log in virtual time. Only what is outside of them is made up: log, group, tables, files."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests.fakes.log import PARTITIONS, SESSION_SECONDS, Log, Member
from tests.virtual import VirtualClock, VirtualLoop

from quire_processor.documents import Fenced
from quire_processor.pipeline import Job, Watcher
from quire_processor.processor import Processor
from quire_processor.run import Run, RunTerms
from quire_processor.shares import Shares, Turns
from quire_runtime.kafka import partition_of
from quire_schemas import ids
from quire_schemas.batch import evolve
from quire_schemas.events import (
    BatchCancelRequested,
    BatchCreated,
    Event,
    EventData,
    FileFailed,
    FileProcessed,
    FileSpec,
    Policy,
    event_of,
)
from quire_schemas.retry import retry_requested
from quire_schemas.states import BatchState

WORKERS, PLACES = 3, 4


class Tables:
    """What of Postgres and S3 all processors share: the fence of rows, and how batches ended."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.attempts: dict[str, int] = {}
        self.ended: dict[str, BatchState] = {}

    async def remember(self, ended: list[BatchState]) -> None:
        await asyncio.sleep(0.002)
        for state in ended:
            known = self.ended.get(state.batch_id)
            if known is None or known.generation < state.generation:
                self.ended[state.batch_id] = state

    async def recall(self, batch_ids: Iterable[str]) -> dict[str, BatchState]:
        await asyncio.sleep(0.002)
        return {key: self.ended[key] for key in batch_ids if key in self.ended}

    async def rows_after_batch(self, ended: BatchState) -> None:
        await asyncio.sleep(0.002)

    async def artefacts_after_batch(self, ended: BatchState, runs: Iterable[str], own: Run | None) -> None:
        """Where object storage is slow, it takes its time."""
        await asyncio.sleep(self._chance.choice((0.002, 0.002, 25.0)))

    async def after_run(self, run: Run) -> None:
        await asyncio.sleep(0.002)


class Files:
    """A pipeline whose files take their time; every seventh is bad."""

    def __init__(self, tables: Tables, chance: random.Random, member: Member, turns: Turns) -> None:
        self._tables, self._chance, self._member, self._turns = tables, chance, member, turns

    def seconds(self, job: Job) -> float:
        """Of a worker."""
        return self._chance.choice((0.05, 0.8, 9.0))

    async def process(self, job: Job, watcher: Watcher) -> FileProcessed | FileFailed:
        file_id = job.file.file_id
        watcher.at(file_id, "fetching")
        async with self._turns.of(job.batch.collection_id):
            watcher.at(file_id, "extracting")
            await asyncio.sleep(self.seconds(job))
        await self._member.going.wait()
        if job.position % 7 == 6:
            return FileFailed(run_id=job.run_id, file_id=file_id, code="corrupt", message="beyond repair")
        watcher.at(file_id, "inserting")
        if self._tables.attempts.get(file_id, 0) > job.batch.attempt:
            raise Fenced
        self._tables.attempts[file_id] = job.batch.attempt
        watcher.inserted(file_id)
        watcher.uploaded(file_id, ("t",))
        return FileProcessed(
            run_id=job.run_id, file_id=file_id, page_count=1, title=None, text_key="t", thumbnail_key=None, duration_ms=1
        )


@dataclass
class Node:
    """One processor process."""

    member: Member
    stop: asyncio.Event
    task: asyncio.Task[None]
    frozen_at: float | None = None


class World:
    files: type[Files] = Files

    def __init__(self, loop: VirtualLoop, seed: int, hand_over: float = 5.0, max_fruitless_runs: int = 50) -> None:
        self.loop = loop
        self._hand_over = hand_over
        self._max_fruitless_runs = max_fruitless_runs
        self.chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self.log = Log(self.chance)
        self.tables = Tables(self.chance)
        self.nodes: dict[str, Node] = {}
        self.batches: list[str] = []
        self._clock = VirtualClock(loop)

    # What happens to processors.

    def join(self) -> None:
        name = f"p{self.log.generation}-{len(self.nodes)}-{self.chance.random()}"
        member, stop = Member(name, self.log), asyncio.Event()
        shares = Shares(self._clock)
        processor = Processor(
            publisher=member,  # type: ignore[arg-type]  # the same methods, in memory
            pipeline=self.files(self.tables, self.chance, member, Turns(WORKERS, shares)),  # type: ignore[arg-type]
            documents=self.tables,  # type: ignore[arg-type]
            cleaning=self.tables,  # type: ignore[arg-type]
            clock=self._clock,
            terms=RunTerms(worker=name, heartbeat=15.0, max_fruitless_runs=self._max_fruitless_runs),
            shares=shares,
            places=PLACES,
            hand_over=self._hand_over,
        )
        member.feed(processor)
        task = asyncio.create_task(processor.run(member, stop))  # type: ignore[arg-type]
        self.nodes[name] = Node(member, stop, task)
        self.rebalance()

    def rebalance(self) -> None:
        self.log.rebalance(name for name, node in self.nodes.items() if node.frozen_at is None or self._fresh(node))

    def _fresh(self, node: Node) -> bool:
        return node.frozen_at is not None and self.loop.now - node.frozen_at < SESSION_SECONDS

    async def kill(self, name: str) -> None:
        node = self.nodes.pop(name)
        node.task.cancel()
        await asyncio.gather(node.task, return_exceptions=True)
        await asyncio.sleep(self.chance.choice((0.0, SESSION_SECONDS)))
        self.rebalance()

    async def leave(self, name: str) -> None:
        node = self.nodes.pop(name)
        node.member.going.set()
        node.stop.set()
        await node.task
        self.rebalance()

    def freeze(self, name: str) -> None:
        node = self.nodes[name]
        if node.frozen_at is None:
            node.member.going.clear()
            node.frozen_at = self.loop.now

    def thaw(self, name: str) -> None:
        node = self.nodes[name]
        node.frozen_at = None
        node.member.going.set()
        if name not in self.log.assignment:
            self.rebalance()

    # What people do.

    def submit(self, files: int, policy: Policy, collection_id: str = "c") -> str:
        batch_id = ids.derived("batch", len(self.batches), self.chance.random())
        self.batches.append(batch_id)
        specs = tuple(
            FileSpec(
                file_id=ids.derived(batch_id, number), filename=f"{number}.pdf", size=1, sha256="0" * 64, object_key=f"o/{number}"
            )
            for number in range(files)
        )
        request_id = ids.derived("request", batch_id)
        self._say(batch_id, BatchCreated(collection_id=collection_id, request_id=request_id, policy=policy, files=specs))
        return batch_id

    def cancel(self, batch_id: str) -> None:
        self._say(batch_id, BatchCancelRequested(generation=self.state(batch_id).generation))

    def retry(self, batch_id: str, *, force: bool, stale: int) -> None:
        """`stale`: as seen so many records ago."""
        self._say(batch_id, retry_requested(self.state(batch_id, but=stale), force=force))

    def repeat(self, batch_id: str) -> None:
        """Any event of the batch arrives once more."""
        mine = [event for event in self._partition(batch_id) if event.batch_id == batch_id]
        self.log.append(self.chance.choice(mine))

    def _say(self, batch_id: str, data: EventData) -> None:
        what = ids.derived(batch_id, data)
        collection_id = getattr(data, "collection_id", "c")
        time = self._clock.now()
        self.log.append(event_of(data, id=what, batch_id=batch_id, collection_id=collection_id, source="/people", time=time))

    # What the log says.

    def state(self, batch_id: str, but: int = 0) -> BatchState:
        states = [state for state, _ in self.history(batch_id)]
        return states[max(0, len(states) - 1 - but)]

    def history(self, batch_id: str) -> list[tuple[BatchState, Event]]:
        """Every state of the batch with the accepted event that led there."""
        state: BatchState | None = None
        found = []
        for offset, event in enumerate(self._partition(batch_id)):
            if event.batch_id == batch_id:
                after = evolve(state, event, offset)
                if after is not None and after is not state:
                    found.append((after, event))
                state = after
        return found

    def _partition(self, batch_id: str) -> list[Event]:
        return self.log.records[partition_of(batch_id.encode(), PARTITIONS)]
