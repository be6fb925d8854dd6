"""The processor. The path of a record (docs/design.md, "Record in the processor", has the picture):

1. `LogConsumer` hands over a poll; `ownership` folds each record into the state of its batch.
2. A batch that is new here waits, with its records, until `documents` has told whether and how it ended before.
3. A batch whose state has changed is shown to its run; one without a run is offered to the `schedule`.
4. The schedule hands out turns: to open a batch, or to work on a file.
5. To open a batch, a heartbeat of the group confirms that its partition is still ours; then a new run says `BatchStarted`.
6. The start comes back by steps 1 to 3. Once it is accepted, the run offers its files to the schedule.
7. At its turn, a file goes through the `pipeline`. The run says the outcome, which comes back by steps 1 to 3.
8. When no work is left, the run says the end of the batch (`verdict`), which comes back by steps 1 to 3.
9. `closing` cleans up after a batch that has ended, and remembers it in Postgres; only then `ownership` forgets it.
10. Once a second, an offset is committed for each partition; everything below it is finished.

Nothing here waits inside the poll loop.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import get_args
from uuid import uuid4

from quire_processor import metrics
from quire_processor.cleaning import Cleaning
from quire_processor.closing import Closing
from quire_processor.documents import Documents
from quire_processor.linger import Linger
from quire_processor.ownership import Ownership
from quire_processor.pipeline import Pipeline
from quire_processor.run import Run, Terms
from quire_processor.schedule import Open, Schedule, Work
from quire_processor.shares import Shares
from quire_runtime.clock import Clock
from quire_runtime.consumer import Handler, LogConsumer, LogRecord, NotAMember
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.publisher import Publisher
from quire_runtime.retry import retrying
from quire_runtime.signals import until
from quire_schemas.batch import BatchState
from quire_schemas.events import Dependency

log = get_logger(__name__)

_MOST_STARTING = 2  # batches whose start is under way at a time
_PROOF_HOLDS = 1.0  # seconds for which a heartbeat of the group proves that the partitions are still ours
_COMMIT_EVERY = 1.0  # seconds
_RECALL_AT_ONCE = 500  # batches per look-up
_AFTER_A_BREAK = 5.0  # seconds until a batch whose run broke is tried again
_RELEASE_WITHIN = 2.0  # seconds for all runs to end once they are given up
_LINGER = 0.05  # seconds that an outcome waits for others at most
_LOOK_EVERY = 0.05  # seconds between looks at what is still in work


class Processor(Handler):
    """Handler of the log, and owner of all runs of this process. `places` bounds the files in flight; `hand_over` is how
    many seconds they have to be finished when the process is told to stop.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        pipeline: Pipeline,
        documents: Documents,
        cleaning: Cleaning,
        clock: Clock,
        terms: Terms,
        shares: Shares,
        places: int,
        hand_over: float,
    ) -> None:
        self._publisher = publisher
        self._pipeline = pipeline
        self._documents = documents
        self._cleaning = cleaning
        self._clock = clock
        self._terms = terms
        self._places = places
        self._hand_over_within = hand_over
        self._ownership = Ownership()
        self._linger = Linger(clock, _LINGER)
        self._schedule = Schedule(places, shares)
        self._runs: dict[str, Run] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._closing = Closing(documents, cleaning, self._ownership, self._runs)
        self._catching_up: set[int] = set()
        self._opening = 0
        self._stopping = False
        self._proved = float("-inf")
        self._wake = asyncio.Event()
        self._ask = asyncio.Event()
        metrics.BATCHES_WAITING.set_function(lambda: len(self._schedule))
        metrics.RUNS_OPEN.set_function(lambda: len(self._runs))
        for dependency in get_args(Dependency):
            metrics.WAITING.labels(dependency).set_function(partial(self._waiting_for, dependency))

    async def run(self, consumer: LogConsumer, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then hand over and leave the group."""
        self._log = consumer
        async with asyncio.TaskGroup() as group:
            self._group = group
            polling = group.create_task(consumer.run())
            background = [
                group.create_task(loop)
                for loop in (self._confirming(), self._dispatching(), self._closing.run(), self._committing())
            ]
            await until(stop, polling, *background)
            for task in background:
                task.cancel()
            await asyncio.wait(background)  # so that no run begins behind our back
            await self._hand_over()
            consumer.stop()
            await polling

    async def positions(self, partitions: frozenset[int]) -> Mapping[int, int]:
        """Where to read on: where the fold is, for partitions that came back; the committed offset for new ones."""
        new = frozenset(number for number in partitions if self._ownership.position(number) is None)
        committed, begin = await self._log.committed(new), await self._log.begin_offsets(new)
        end = await self._log.end_offsets(partitions)
        lost = partitions - self._log.assignment
        came_back = {number for number in partitions - new if self._ownership.position(number) is None}
        if lost or came_back:  # a rebalance came while we asked: nothing of the answer is good
            raise NotAMember("the partitions changed hands while their positions were asked for")
        for number in new:
            mark = committed.get(number)
            self._ownership.begin(number, begin[number] if mark is None else mark)
        self._ownership.catch_up(end)
        self._catching_up |= partitions
        self._note_live()
        return {number: position for number in partitions if (position := self._ownership.position(number)) is not None}

    def revoked(self, partitions: frozenset[int]) -> None:
        """Changes nothing: the next assignment decides what was lost."""

    def assigned(self, partitions: frozenset[int]) -> None:
        for batch_id in self._ownership.retain(partitions):
            self._schedule.withdraw(batch_id)
            self._closing.lost(batch_id)
            if (run := self._runs.get(batch_id)) is not None:
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
        if (run := self._runs.get(batch_id)) is not None:
            run.observe(state)
        else:
            self._consider(batch_id)

    def _consider(self, batch_id: str) -> None:
        """Offer a batch that needs a run."""
        entry = self._ownership.entry(batch_id)
        if batch_id in self._runs or self._stopping:
            return
        if entry is None or (state := entry.state) is None or state.terminal:
            self._schedule.withdraw(batch_id)
        elif self._ownership.live(entry.partition):
            self._offer(state)
            self._wake.set()

    def _offer(self, state: BatchState) -> None:
        self._schedule.offer(state.batch_id, state.collection_id, state.request_id, state.created_at)

    async def _confirming(self) -> None:
        """Look up which of the new batches are old ones come again."""
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
        """Files go on while a batch is being opened: a group that rebalances, or a broker that is away, holds up nobody else."""
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
        run = self._runs[turn.batch_id]
        if turn.alone:
            log.warning("file that a processor may have died of is worked on alone", batch_id=turn.batch_id, file_id=turn.file_id)
            await self._left_alone(run)
        run.work(turn.file_id, partial(self._file_done, run.state.collection_id))

    async def _left_alone(self, run: Run) -> None:
        """Release all other runs, once what they have in work is settled: if this process dies, it is no fault of theirs."""
        while (others := [one for one in self._runs.values() if one is not run]) or self._opening:
            for one in others:
                if one.accepted and not one.finishing:
                    one.give_up()
            await asyncio.sleep(_LOOK_EVERY)

    def _waiting_for(self, dependency: Dependency) -> int:
        return sum(run.waiting_count(dependency) for run in self._runs.values())

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
                self._runs[batch_id].give_way()
            await self._wake.wait()

    def _may_open(self) -> bool:
        """Few at a time, and as long as there is room."""
        starting = self._opening + sum(not run.accepted for run in self._runs.values())
        return starting < _MOST_STARTING and not self._full

    @property
    def _full(self) -> bool:
        """Whether one batch more is open than there are places: batches end before others begin."""
        return self._opening + len(self._runs) > self._places

    async def _open(self, batch_id: str) -> None:
        try:
            await self._start(batch_id)
        finally:
            self._opening -= 1
            self._wake.set()

    async def _start(self, batch_id: str) -> None:
        """Start a run, if the partition is still ours; a batch that somebody else runs is asked about anew."""
        state = self._ownership.state(batch_id)
        ours = state is not None and await self._still_a_member(afresh=state.status == "processing")
        if batch_id in self._runs:  # it was lost and came back while we asked, and was opened then
            return
        if not ours:
            self._schedule.withdraw(batch_id)
            await asyncio.sleep(_PROOF_HOLDS)
            self._consider(batch_id)
            return
        entry = self._ownership.entry(batch_id)
        state = None if entry is None else entry.state
        if entry is None or state is None or state.terminal or not self._ownership.live(entry.partition):
            self._schedule.withdraw(batch_id)  # it changed while we asked; who changed it considers it
            return
        run = Run(
            state,
            str(uuid4()),
            terms=self._terms,
            publisher=self._publisher,
            pipeline=self._pipeline,
            clock=self._clock,
            linger=self._linger,
            ready=self._ready,
            traceparent=entry.traceparent,
        )
        self._runs[batch_id] = run
        metrics.RUNS.labels("takeover" if state.status == "processing" else "fresh").inc()
        task = self._group.create_task(self._live(run))
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    def _ready(self, batch_id: str, file_ids: tuple[str, ...], alone: frozenset[str]) -> None:
        state = self._runs[batch_id].state
        self._offer(state)  # it may have been withdrawn while it was opened
        self._schedule.ready(batch_id, file_ids, alone)
        self._wake.set()

    async def _live(self, run: Run) -> None:
        broken = False
        try:
            await run.live()
        except* Exception:
            broken = True
            log.exception("run broke", batch_id=run.batch_id, run_id=run.run_id)
        finally:
            self._ended(run, broken=broken)
        if run.given_up:
            await self._take_back(run)
        if broken:
            await asyncio.sleep(_AFTER_A_BREAK)
        self._consider(run.batch_id)

    def _ended(self, run: Run, *, broken: bool) -> None:
        del self._runs[run.batch_id]
        self._closing.run_ended(run)
        if run.given_up and not broken:
            self._schedule.closed(run.batch_id)
        else:
            self._schedule.withdraw(run.batch_id)
        self._wake.set()
        how = "broken" if broken else "given_up" if run.given_up else "finished" if run.state.terminal else "superseded"
        metrics.RUNS_ENDED.labels(how).inc()
        log.info("run ended", batch_id=run.batch_id, run_id=run.run_id, attempt=run.attempt, how=how, status=run.state.status)

    async def _take_back(self, run: Run) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._cleaning.after_run(run)
        except Exception as error:  # noqa: BLE001 -- what is left is garbage with a name; `quire sweep` finds it
            log.warning("run left garbage", batch_id=run.batch_id, run_id=run.run_id, error=str(error))

    async def _committing(self) -> None:
        committed: dict[int, int] = {}
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            marks = self._ownership.marks()
            if marks != committed and await self._commit(marks):
                committed = marks

    async def _still_a_member(self, *, afresh: bool) -> bool:
        """Whether the group says that our partitions are ours: one who has lost them must not answer for them."""
        if not afresh and self._clock.monotonic() - self._proved < _PROOF_HOLDS:
            return True
        try:
            await self._log.confirm_membership()
        except (NotAMember, LogUnavailable) as error:
            log.info("membership unconfirmed", error=str(error))
            return False
        self._proved = self._clock.monotonic()
        return True

    async def _commit(self, marks: dict[int, int]) -> bool:
        try:
            await self._log.commit(marks)
        except (NotAMember, LogUnavailable) as error:
            log.info("commit refused", error=str(error))
            return False
        return True

    async def _hand_over(self) -> None:
        """Finish what is in work, for a while; then give every run up, each with its release, so that the next owner goes on
        at once.
        """
        self._stopping = True
        for run in self._runs.values():
            run.let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._hand_over_within):
                while any(run.finishing for run in self._runs.values()):  # noqa: ASYNC110 -- it ends in many places
                    await asyncio.sleep(_LOOK_EVERY)
        for run in list(self._runs.values()):
            run.give_up()
        if self._lives:
            await asyncio.wait(self._lives, timeout=_RELEASE_WITHIN)
        for task in self._lives:
            task.cancel()
        await self._commit(self._ownership.marks())
