"""The processor, and the path of a record through it (docs/design.md, "Record in the processor", has the picture):

1. `LogConsumer` hands over a poll; `ownership` folds each record into the state of its batch.
2. A batch that is new here waits, with its records, until `documents` has told whether and how it ended before.
3. A batch whose state has changed is shown to its run; one without a run is offered to the `schedule`.
4. The schedule hands out turns: to open a batch, or to work on a file.
5. To open a batch, a heartbeat of the group confirms that its partition is still ours; then a new run says `BatchStarted`.
6. The start comes back by steps 1 to 3. Once it is accepted, the run offers its files to the schedule.
7. At its turn, a file goes through the `pipeline`. The run says the outcome, which comes back by steps 1 to 3.
8. When no work is left, the run says the end of the batch (`ending`), which comes back by steps 1 to 3.
9. `closing` cleans up after a batch that has ended, and remembers it in Postgres; only then `ownership` forgets it.
10. Once a second, an offset is committed for each partition; everything below it is finished.

Nothing here waits inside the poll loop.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from quire_processor import metrics
from quire_processor.cleaning import Cleaning
from quire_processor.closing import Closing
from quire_processor.documents import Documents
from quire_processor.membership import PROOF_HOLDS, Membership
from quire_processor.ownership import Ownership
from quire_processor.pipeline import Pipeline
from quire_processor.run import Run, RunTerms
from quire_processor.runs import LOOK_EVERY, Runs
from quire_processor.schedule import Open, Schedule, Work
from quire_processor.shares import Shares
from quire_runtime.clock import Clock
from quire_runtime.consumer import Handler, LogConsumer, LogRecord, NotAMember
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.publisher import Publisher
from quire_runtime.retry import retrying
from quire_runtime.signals import never_silent, until
from quire_schemas.states import BatchState

log = get_logger(__name__)

_MOST_STARTING = 2  # batches whose start is under way at a time
_RECALL_AT_ONCE = 500  # batches that are looked up in one query


class Processor(Handler):
    """The handler of the log's records, and the owner of all runs of this process.

    `places` bounds the files in flight. `hand_over` is the time in seconds to finish them when the process is told to stop.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        pipeline: Pipeline,
        documents: Documents,
        cleaning: Cleaning,
        clock: Clock,
        terms: RunTerms,
        shares: Shares,
        places: int,
        hand_over: float,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._places = places
        self._hand_over_within = hand_over
        self._ownership = Ownership()
        self._schedule = Schedule(places, shares)
        self._runs = Runs(
            publisher=publisher,
            pipeline=pipeline,
            cleaning=cleaning,
            clock=clock,
            terms=terms,
            ready=self._ready,
            ended=self._ended,
            over=self._consider,
        )
        self._closing = Closing(documents, cleaning, self._ownership, self._runs.open)
        self._catching_up: set[int] = set()
        self._opening = 0
        self._stopping = False
        self._wake = asyncio.Event()
        self._ask = asyncio.Event()
        metrics.BATCHES_WAITING.set_function(lambda: len(self._schedule))

    async def run(self, consumer: LogConsumer, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then hands over and leaves the group."""
        self._log = consumer
        self._membership = Membership(consumer, self._clock, self._ownership.marks)
        async with asyncio.TaskGroup() as group:
            self._group = group
            polling = group.create_task(consumer.run())
            background = [
                group.create_task(loop)
                for loop in (self._confirming(), self._dispatching(), self._closing.run(), self._membership.committing())
            ]
            await until(stop, polling, *background)
            for task in background:
                task.cancel()
            await asyncio.wait(background)  # so that no run begins any more
            self._stopping = True
            await self._runs.hand_over(self._hand_over_within)
            await self._membership.commit()
            consumer.stop()
            await polling

    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        """Returns the offsets to read on from.

        This is the fold's position for a partition that came back, and the committed offset for a new one. Raises NotAMember
        where a rebalance came meanwhile.
        """
        new = frozenset(number for number in partitions if self._ownership.position(number) is None)
        committed, begin = await self._log.committed(new), await self._log.begin_offsets(new)
        end = await self._log.end_offsets(partitions)
        lost = partitions - self._log.assignment
        came_back = {number for number in partitions - new if self._ownership.position(number) is None}
        if lost or came_back:  # a rebalance came while we asked: the answers are out of date
            raise NotAMember("the partitions changed hands while their positions were asked for")
        for number in new:
            mark = committed.get(number)
            self._ownership.begin(number, begin[number] if mark is None else mark)
        self._ownership.catch_up(end)
        self._catching_up |= partitions
        self._note_live()
        return {number: position for number in partitions if (position := self._ownership.position(number)) is not None}

    def revoked(self, partitions: frozenset[int]) -> None:
        """Changes nothing: the next assignment tells which partitions are lost."""

    def assigned(self, partitions: frozenset[int]) -> None:
        for batch_id in self._ownership.retain(partitions):
            self._schedule.withdraw(batch_id)
            self._closing.lost(batch_id)
            if (run := self._runs.open.get(batch_id)) is not None:
                log.info("run given up", batch_id=batch_id, run_id=run.run_id, reason="partition lost")
                run.give_up()
        self._catching_up &= partitions

    async def records(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            changed = self._ownership.fold(record.partition, record.offset, record.event)
            if changed is not None:
                self._changed(changed)
        self._note_live()
        if self._ownership.unconfirmed():
            self._ask.set()

    def _note_live(self) -> None:
        for number in [number for number in self._catching_up if self._ownership.live(number)]:
            self._catching_up.discard(number)
            for batch_id in self._ownership.batches(number):
                self._consider(batch_id)

    def _changed(self, batch_id: str) -> None:
        entry = self._ownership.entry(batch_id)
        if entry is None or (state := entry.state) is None:
            return
        if state.terminal:
            self._closing.note(entry)
        if (run := self._runs.open.get(batch_id)) is not None:
            run.observe(state)
        else:
            self._consider(batch_id)

    def _consider(self, batch_id: str) -> None:
        """Offers a batch to the schedule if it needs a run; withdraws it if it has ended or is not known."""
        entry = self._ownership.entry(batch_id)
        if batch_id in self._runs.open or self._stopping:
            return
        if entry is None or (state := entry.state) is None or state.terminal:
            self._schedule.withdraw(batch_id)
        elif self._ownership.live(entry.partition):
            self._offer(state)
            self._wake.set()

    def _offer(self, state: BatchState) -> None:
        self._schedule.offer(state.batch_id, state.collection_id, state.request_id, state.created_at)

    async def _confirming(self) -> None:
        """Looks up which of the unconfirmed batches have ended before, whenever there are any."""
        while True:
            await self._ask.wait()
            self._ask.clear()
            while asked := self._ownership.unconfirmed()[:_RECALL_AT_ONCE]:
                known = await self._recall(asked)
                for batch_id in self._ownership.confirm({batch_id: known.get(batch_id) for batch_id in asked}):
                    self._changed(batch_id)

    async def _recall(self, batch_ids: tuple[str, ...]) -> dict[str, BatchState]:
        return await retrying(lambda: self._documents.recall(batch_ids), transient=is_transient, give_up_after=None)

    async def _dispatching(self) -> None:
        """Hands out turns. Batches are opened in tasks, so that a rebalance or a broker that is away does not hold up files."""
        async with asyncio.TaskGroup() as opening:
            while True:
                turn = await self._turn()
                if isinstance(turn, Work):
                    await self._work(turn)
                else:
                    self._opening += 1
                    opening.create_task(self._open(turn.batch_id))

    async def _work(self, turn: Work) -> None:
        metrics.FILES_IN_FLIGHT.inc()
        run = self._runs.open[turn.batch_id]
        if turn.alone:
            log.warning("file that a processor may have died of is worked on alone", batch_id=turn.batch_id, file_id=turn.file_id)
            await self._left_alone(run)
        run.work(turn.file_id, partial(self._file_done, run.state.collection_id))

    async def _left_alone(self, run: Run) -> None:
        """Gives up all other runs, once their files in work are settled: if this process dies, they are not blamed for it."""
        while self._runs.give_up_others(run) or self._opening:  # noqa: ASYNC110 -- runs end in many places
            await asyncio.sleep(LOOK_EVERY)

    def _file_done(self, collection_id: str) -> None:
        metrics.FILES_IN_FLIGHT.dec()
        self._schedule.done(collection_id)
        self._wake.set()

    async def _turn(self) -> Open | Work:
        while True:
            self._wake.clear()
            if (turn := self._schedule.next(may_open=self._may_open())) is not None:
                return turn
            while self._full and (batch_id := self._schedule.displace()) is not None:
                self._runs.open[batch_id].give_way()
            await self._wake.wait()

    def _may_open(self) -> bool:
        """Returns whether one more batch may be opened: few are opened at a time, and only while there is room."""
        return self._opening + self._runs.starting() < _MOST_STARTING and not self._full

    @property
    def _full(self) -> bool:
        """Whether more batches are open than there are places: then batches end before others begin."""
        return self._opening + len(self._runs.open) > self._places

    @never_silent
    async def _open(self, batch_id: str) -> None:
        try:
            await self._start(batch_id)
        finally:
            self._opening -= 1
            self._wake.set()

    async def _start(self, batch_id: str) -> None:
        """Starts a run, if the partition is still ours. For a batch that another processor runs, the group is asked afresh."""
        state = self._ownership.state(batch_id)
        ours = state is not None and await self._membership.holds(afresh=state.status == "processing")
        if batch_id in self._runs.open:  # the batch was lost, came back and was opened while we asked
            return
        if not ours:
            self._schedule.withdraw(batch_id)
            await asyncio.sleep(PROOF_HOLDS)
            self._consider(batch_id)
            return
        entry = self._ownership.entry(batch_id)
        state = None if entry is None else entry.state
        if entry is None or state is None or state.terminal or not self._ownership.live(entry.partition):
            self._schedule.withdraw(batch_id)  # the batch changed while we asked; the code that changed it considers it again
            return
        self._runs.start(state, entry.traceparent, self._group)

    def _ready(self, batch_id: str, file_ids: tuple[str, ...], alone: frozenset[str]) -> None:
        state = self._runs.open[batch_id].state
        self._offer(state)  # the batch may have been withdrawn while it was opened
        self._schedule.ready(batch_id, file_ids, alone)
        self._wake.set()

    def _ended(self, run: Run, broken: bool) -> None:  # noqa: FBT001 -- as `Runs` calls it
        self._closing.run_ended(run)
        if run.given_up and not broken:
            self._schedule.closed(run.batch_id)
        else:
            self._schedule.withdraw(run.batch_id)
        self._wake.set()
