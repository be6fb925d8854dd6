"""A run: one worker's go at a batch, as a loop over the folded state (docs/design.md, "Runs").

A run believes nothing but the fold. It counts as started when its `BatchStarted` comes back from the log accepted, a
file is settled when its outcome has, and the run is over when the state says that it is not the current one any more.
Until then whatever it has to say is said again, with the same event id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from structlog.contextvars import bound_contextvars

from quire_processor.documents import Fenced
from quire_processor.linger import Linger
from quire_processor.metrics import FILES, PAGES
from quire_processor.pipeline import Job, Pipeline
from quire_processor.suspicion import culprits, failure, suspects
from quire_processor.verdict import verdict
from quire_runtime import tracing
from quire_runtime.clock import Clock
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.publisher import Publisher
from quire_runtime.retry import retrying
from quire_schemas import ids
from quire_schemas.batch import BatchState, FileState
from quire_schemas.events import (
    BatchProgressed,
    BatchReleased,
    BatchStarted,
    Dependency,
    Event,
    EventData,
    FileFailed,
    FileProcessed,
    FileStage,
    InFlight,
    Stage,
    event_of,
)

RESEND_AFTER = 10.0  # seconds without seeing an acknowledged event in the log
_TOLD_AFTER = 1.0  # seconds in which a file that was begun is done, or is told to be in work
_POSITIONS_EVERY = 4.0  # seconds after which positions that have changed are told again
_RELEASE_WITHIN = 1.0  # seconds for a hand-over; without it the batch is taken over, only later
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for all runs of a processor. `heartbeat` in seconds."""

    worker: str
    heartbeat: float
    max_fruitless_runs: int


class _Over(Exception):
    """Ends the run's tasks."""


class Run:
    """`ready(batch_id, file_ids, alone)` is called once the run is accepted; files then come back through `work`, those of
    `alone` while nothing else is in work.
    """

    def __init__(
        self,
        state: BatchState,
        run_id: str,
        *,
        terms: Terms,
        publisher: Publisher,
        pipeline: Pipeline,
        clock: Clock,
        linger: Linger,
        ready: Callable[[str, tuple[str, ...], frozenset[str]], None],
        traceparent: str | None = None,
    ) -> None:
        self.batch_id = state.batch_id
        self.run_id = run_id
        self.state = state
        self.attempt = state.attempt + 1
        self.produced: set[str] = set()
        self._terms = terms
        self._publisher = publisher
        self._pipeline = pipeline
        self._clock = clock
        self._linger = linger
        self._ready = ready
        self._traceparent = traceparent
        self._span = tracing.OFF
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self.given_up = False
        self._giving_way = False
        self.accepted = False
        self._group: asyncio.TaskGroup | None = None
        self._positions: dict[str, InFlight] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settling: set[str] = set()
        self._begun = asyncio.Event()
        self._opened = asyncio.Event()
        self._alone: frozenset[str] = frozenset()
        self._waiting: dict[str, Dependency] = {}
        self._progress_number = 0
        self._milestones = _Milestones(state.unsettled())
        self._saying: set[asyncio.Task[None]] = set()
        self._order = {file_id: position for position, file_id in enumerate(state.files)}
        self.unsaid: set[str] = set()  # files whose rows or artefacts may exist while no outcome was sent

    @property
    def current(self) -> bool:
        """Whether the log says that this run is the one."""
        return self.state.status == "processing" and self.state.run_id == self.run_id

    @property
    def finishing(self) -> bool:
        """Whether files are in work, or nothing but its end is left to say."""
        return bool(self._positions) or (self.current and self.state.all_settled)

    def observe(self, state: BatchState) -> None:
        """Take in what was folded; called for each change, in the order of the log."""
        self.state = state
        self.accepted = self.accepted or self.current
        if not self.current and (self.accepted or self._superseded()):
            self._over.set()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def let_go(self) -> None:
        """Begin nothing more: files that have not come to a worker are put back."""
        for file_id, task in self._tasks.items():
            if self._positions[file_id].stage == "fetching":
                task.cancel()

    def give_way(self) -> None:
        """Give up once what is in work is done."""
        self._giving_way = True
        self.let_go()
        self._give_up_when_idle()

    def give_up(self) -> None:
        """End the run from outside: its partition went to another processor, or this one stops."""
        self.given_up = True
        self._over.set()

    async def live(self) -> None:
        """Run the batch until it ends, is taken over, or is given up."""
        with tracing.span("run", self._attributes(), kind="consumer", parent=self._traceparent or "") as self._span:
            await self._live()
            self._span.set({"quire.batch.status": self.state.status})
            if self.state.error_code is not None:
                self._span.fail(self.state.error_code, self.state.error_message or "")

    async def _live(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._conduct())
                await self._over.wait()
                raise _Over  # noqa: TRY301 -- the way to cancel all tasks of a group
        except* _Over:
            pass
        finally:
            self._group = None
        if self.given_up and self.accepted and self.current:
            await self._release()

    def work(self, file_id: str, done: Callable[[], None]) -> None:
        """Start to work on a file; `done` is called once it needs neither disk nor child any more."""
        if self._group is None or self._over.is_set() or self.state.files[file_id].settled:
            done()
            return
        self._positions[file_id] = InFlight(file_id=file_id, stage="fetching")
        self._begun.set()
        slot = ExitStack()
        slot.callback(done)
        working = self._file(self.state.files[file_id], slot)
        try:
            task = self._group.create_task(working)
        except RuntimeError:  # something of this run broke, and it is just ending
            working.close()
            del self._positions[file_id]
            slot.close()
            return
        self._tasks[file_id] = task
        task.add_done_callback(lambda _: self._worked(file_id, slot))  # also where it is cancelled before its first step

    def _worked(self, file_id: str, slot: ExitStack) -> None:
        del self._tasks[file_id], self._positions[file_id]
        slot.close()
        self._give_up_when_idle()

    def _give_up_when_idle(self) -> None:
        if self._giving_way and not self.finishing:
            self.give_up()

    def at(self, file_id: str, stage: FileStage, page: int | None = None, pages: int | None = None) -> None:
        self._positions[file_id] = InFlight(file_id=file_id, stage=stage, page=page, pages=pages)
        if stage == "inserting":
            self.unsaid.add(file_id)

    def waiting_for(self, file_id: str, dependency: Dependency | None) -> None:
        if dependency is None:
            self._waiting.pop(file_id, None)
        else:
            self._waiting[file_id] = dependency

    def waiting_count(self, dependency: Dependency) -> int:
        """Files and events of this run that wait for `dependency`."""
        return sum(one == dependency for one in self._waiting.values())

    def inserted(self, file_id: str) -> None:
        self._reach(self._milestones.inserted(file_id))

    def uploaded(self, file_id: str, keys: tuple[str, ...]) -> None:
        self.produced.update(keys)
        self._reach(self._milestones.uploaded(file_id))

    async def _conduct(self) -> None:
        started = BatchStarted(attempt=self.attempt, run_id=self.run_id, worker=self._terms.worker)
        await self._insist(started, ids.started_id(self.batch_id, self.attempt, self.run_id), lambda: self.accepted)
        self._spawn(self._open())
        self._spawn(self._beat())
        ending = verdict(self.state, self.run_id, self._terms.max_fruitless_runs)
        if ending is None:
            self._begin()
        while ending is None:
            await self._changed.wait()
            ending = verdict(self.state, self.run_id, self._terms.max_fruitless_runs)
        await asyncio.gather(*self._saying)
        await self._insist(ending, ids.ended_id(self.run_id), lambda: not self.current)

    def _begin(self) -> None:
        """Fail the files that processors died over, and ask for turns for the others: last for those that may be such."""
        guilty = culprits(self.state, self._terms.max_fruitless_runs)
        for file in guilty:
            self._spawn(self._settle(failure(self.run_id, file)))
        self._alone = suspects(self.state) - {file.file_id for file in guilty}
        others = [
            file_id
            for file_id in self.state.unsettled()
            if file_id not in self._alone and self.state.files[file_id] not in guilty
        ]
        self._ready(self.batch_id, (*others, *self._alone), self._alone)

    async def _open(self) -> None:
        """Say what is in work first, before it is: if it is the end of this process, the log knows."""
        await self._begun.wait()
        await self._progress("started")
        self._opened.set()

    async def _beat(self) -> None:
        """Say what is in work: regularly, soon after files were begun, and while they are read."""
        told, due = dict(self._positions), self._clock.monotonic() + self._terms.heartbeat
        while True:
            try:
                async with asyncio.timeout(min(due - self._clock.monotonic(), _POSITIONS_EVERY)):
                    await self._begun.wait()
                    await asyncio.sleep(_TOLD_AFTER)
            except TimeoutError:
                news = self._positions.items() - told.items() or self._clock.monotonic() >= due
            else:
                self._begun.clear()
                news = not all(self._told(file_id) for file_id in self._positions)
            if news:
                told, due = dict(self._positions), self._clock.monotonic() + self._terms.heartbeat
                await self._progress("heartbeat")

    def _told(self, file_id: str) -> bool:
        """Whether the log says that the file is in work."""
        return self.state.files[file_id].standing != "queued"

    async def _file(self, file: FileState, slot: ExitStack) -> None:
        with tracing.span("file", {"quire.file.id": file.file_id, "quire.file.size": file.size}, parent=self._span) as span:
            with slot:
                await self._opened.wait()
                if file.file_id in self._alone:
                    await self._until(lambda: self._told(file.file_id), lambda: self._progress("heartbeat"))
                outcome = await self._outcome(file)
            if isinstance(outcome, FileFailed):
                span.fail(outcome.code, outcome.message)
            if outcome is not None:
                await self._in_company(file.file_id)
                await self._settle(outcome)

    async def _outcome(self, file: FileState) -> FileProcessed | FileFailed | None:
        """What became of the file; None where a later run has it."""
        job = Job(batch=self.state, run_id=self.run_id, file=file, position=self._order[file.file_id])
        try:
            with bound_contextvars(batch_id=self.batch_id, file_id=file.file_id):  # in whatever is logged on its way
                return await self._pipeline.process(job, self)
        except Fenced:
            log.warning("file fenced", batch_id=self.batch_id, file_id=file.file_id, run_id=self.run_id)
            return None
        except Exception:
            log.exception("file broke", batch_id=self.batch_id, file_id=file.file_id, run_id=self.run_id)
            message = "Something unexpected went wrong here. Retry the batch; if it happens again, report it with the file's id."
            return FileFailed(run_id=self.run_id, file_id=file.file_id, code="internal", message=message)

    async def _in_company(self, file_id: str) -> None:
        """Wait for other outcomes; the last one of the batch waits for none."""
        self._settling.add(file_id)
        if self._settling.issuperset(self.state.unsettled()):
            self._linger.flush()
        else:
            await self._linger.wait()

    async def _settle(self, outcome: FileProcessed | FileFailed) -> None:
        file_id = outcome.file_id
        if isinstance(outcome, FileProcessed):
            self.unsaid.discard(file_id)
            PAGES.inc(outcome.page_count)
            FILES.labels("processed").inc()
        else:
            self._reach(self._milestones.failed(file_id))
            FILES.labels(outcome.code).inc()
        await self._insist(outcome, ids.settled_id(self.run_id, file_id), lambda: self.state.files[file_id].settled)

    async def _insist(self, data: EventData, event_id: str, folded: Callable[[], bool]) -> None:
        """Say it until it has been folded; an end of the run cancels this."""
        event = self._event(data, event_id)
        await self._until(folded, lambda: self._publish(event))

    async def _until(self, folded: Callable[[], bool], say: Callable[[], Awaitable[None]]) -> None:
        while not folded():
            await say()
            try:
                async with asyncio.timeout(RESEND_AFTER):
                    while not folded():
                        await self._changed.wait()
            except TimeoutError:
                log.warning("event said again", batch_id=self.batch_id, run_id=self.run_id)

    async def _publish(self, event: Event) -> None:
        def waiting(error: Exception, attempt: int) -> None:
            self._waiting[event.id] = "log"
            if attempt == 1:
                log.warning("log away", batch_id=self.batch_id, type=event.type, error=str(error))

        try:
            await retrying(
                lambda: self._publisher.publish(event),
                transient=lambda error: isinstance(error, LogUnavailable),
                give_up_after=None,
                on_retry=waiting,
            )
        finally:
            self._waiting.pop(event.id, None)

    async def _progress(self, stage: Stage) -> None:
        self._progress_number += 1
        in_flight = tuple(self._positions[file_id] for file_id in self.state.unsettled() if file_id in self._positions)
        waiting = tuple(sorted(set(self._waiting.values())))
        data = BatchProgressed(run_id=self.run_id, stage=stage, in_flight=in_flight, waiting_for=waiting)
        await self._publish(self._event(data, ids.progressed_id(self.run_id, self._progress_number)))

    async def _release(self) -> None:
        event = self._event(BatchReleased(run_id=self.run_id), ids.released_id(self.run_id))
        try:
            async with asyncio.timeout(_RELEASE_WITHIN):
                await self._publisher.publish(event)
        except (TimeoutError, LogUnavailable) as error:
            log.warning("release unsaid", batch_id=self.batch_id, run_id=self.run_id, error=str(error))

    def _reach(self, stages: Iterable[Stage]) -> None:
        for stage in stages if not self._over.is_set() else ():
            self._saying.add(self._spawn(self._progress(stage)))

    def _spawn(self, coroutine: "asyncio._CoroutineLike[None]") -> asyncio.Task[None]:
        if self._group is None:
            msg = "a run spawns tasks only while it lives"
            raise RuntimeError(msg)
        return self._group.create_task(coroutine)

    def _attributes(self) -> tracing.Attributes:
        return {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "run",
            "quire.batch.id": self.batch_id,
            "quire.collection.id": self.state.collection_id,
            "quire.request.id": self.state.request_id,
            "quire.run.id": self.run_id,
            "quire.run.attempt": self.attempt,
        }

    def _superseded(self) -> bool:
        return self.state.attempt >= self.attempt or self.state.terminal

    def _event(self, data: EventData, event_id: str) -> Event:
        return event_of(
            data,
            id=event_id,
            batch_id=self.batch_id,
            collection_id=self.state.collection_id,
            source=f"/quire/processor/{self._terms.worker}",
            time=self._clock.now(),
            traceparent=self._traceparent,
        )


class _Milestones:
    """When every surviving file of the run has its rows, and when its artefacts: each said once."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._surviving = set(files)
        self._reached: dict[Stage, set[str]] = {"database_insert_complete": set(), "cloud_upload_complete": set()}

    def inserted(self, file_id: str) -> list[Stage]:
        self._reached.get("database_insert_complete", set()).add(file_id)
        return self._complete()

    def uploaded(self, file_id: str) -> list[Stage]:
        self._reached.get("cloud_upload_complete", set()).add(file_id)
        return self._complete()

    def failed(self, file_id: str) -> list[Stage]:
        self._surviving.discard(file_id)
        return self._complete()

    def _complete(self) -> list[Stage]:
        if not self._surviving:
            return []
        complete = [stage for stage, files in self._reached.items() if files >= self._surviving]
        for stage in complete:
            del self._reached[stage]
        return complete
