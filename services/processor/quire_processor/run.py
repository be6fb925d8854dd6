"""A run: one attempt of a processor at a batch, as a loop over the folded state (docs/design.md, "Runs").

A run believes nothing but the fold. The run has started when its `BatchStarted` comes back from the log accepted. A file is
settled when its outcome comes back. The run is over when the state has another run, or none, as the current one. An event that
has not come back is sent again, with the same event id.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

from structlog.contextvars import bound_contextvars

from quire_processor.documents import Fenced
from quire_processor.ending import ending_of
from quire_processor.linger import Linger
from quire_processor.metrics import FILES, PAGES
from quire_processor.pipeline import Job, Pipeline
from quire_processor.progress import Progress
from quire_processor.suspicion import culprits, failure, suspects
from quire_processor.voice import Voice
from quire_runtime import tracing
from quire_runtime.clock import Clock
from quire_runtime.logs import get_logger
from quire_runtime.publisher import Publisher
from quire_runtime.signals import never_silent
from quire_schemas import ids
from quire_schemas.events import BatchReleased, BatchStarted, FileFailed, FileProcessed, Stage
from quire_schemas.states import BatchState, FileState

_RELEASE_WITHIN = 1.0  # seconds to send the release of a batch; without a release, the batch is taken over later
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunTerms:
    """Settings that all runs of a processor share. `heartbeat` is in seconds."""

    worker: str
    heartbeat: float
    max_fruitless_runs: int


Ready = Callable[[str, tuple[str, ...], frozenset[str]], None]


class Leaving(Enum):
    """Whether, and when, a run is to end before its batch has ended."""

    NOT = "not"
    WHEN_IDLE = "when idle"
    NOW = "now"


class _Over(Exception):
    """Raised to end the run's tasks."""


class Run:
    """A run of a batch.

    `ready(batch_id, file_ids, alone)` is called once the run is accepted. The caller then hands each file in by `work`, the
    files of `alone` only while nothing else is in work.
    """

    def __init__(
        self,
        state: BatchState,
        run_id: str,
        *,
        terms: RunTerms,
        publisher: Publisher,
        pipeline: Pipeline,
        clock: Clock,
        linger: Linger,
        ready: Ready,
        traceparent: str | None = None,
    ) -> None:
        self.batch_id = state.batch_id
        self.run_id = run_id
        self.attempt = state.attempt + 1
        self.accepted = False
        self._terms = terms
        self._pipeline = pipeline
        self._linger = linger
        self._ready = ready
        self._parent = traceparent or ""
        self._voice = Voice(state, run_id, worker=terms.worker, publisher=publisher, clock=clock, traceparent=traceparent)
        self.progress = Progress(self._voice, clock, terms.heartbeat, self._reached)
        self._span = tracing.OFF
        self._leaving = Leaving.NOT
        self._over = asyncio.Event()
        self._opened = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._files: dict[str, asyncio.Task[None]] = {}
        self._saying: set[asyncio.Task[None]] = set()
        self._settling: set[str] = set()
        self._alone: frozenset[str] = frozenset()

    @property
    def state(self) -> BatchState:
        return self._voice.state

    @property
    def given_up(self) -> bool:
        return self._leaving is Leaving.NOW

    @property
    def current(self) -> bool:
        """Whether the batch is in work, and this run is its current one."""
        return self.state.status == "processing" and self.state.run_id == self.run_id

    @property
    def finishing(self) -> bool:
        """Whether files are in work, or the run only has to send the end of its batch."""
        return self.progress.any_in_work or (self.current and self.state.all_settled)

    def observe(self, state: BatchState) -> None:
        """Takes in a folded state. Called for each change, in the order of the log."""
        self._voice.observe(state)
        self.accepted = self.accepted or self.current
        if not self.current and (self.accepted or self._superseded()):
            self._over.set()

    def let_go(self) -> None:
        """Stops work on the files that have not come to a worker yet."""
        for file_id, task in self._files.items():
            if self.progress.stage(file_id) == "fetching":
                task.cancel()

    def give_way(self) -> None:
        """Gives the run up once its files in work are done."""
        self._leaving = self._leaving if self.given_up else Leaving.WHEN_IDLE
        self.let_go()
        self._give_up_when_idle()

    def give_up(self) -> None:
        """Ends the run before its batch has ended: its partition went to another processor, or this processor has to end it."""
        self._leaving = Leaving.NOW
        self._over.set()

    @never_silent
    async def live(self) -> None:
        """Runs the batch until it ends, is taken over, or is given up."""
        with tracing.span("run", self._attributes(), kind="consumer", parent=self._parent) as self._span:
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
            await self._voice.try_to_say(BatchReleased(run_id=self.run_id), ids.released_id(self.run_id), _RELEASE_WITHIN)

    def work(self, file_id: str, done: Callable[[], None]) -> None:
        """Starts to work on a file. `done` is called once the file needs neither disk nor worker process any more."""
        if self._group is None or self._over.is_set() or self.state.files[file_id].settled:
            done()
            return
        self.progress.begins(file_id)
        slot = ExitStack()
        slot.callback(done)
        working = self._file(self.state.files[file_id], slot)
        try:
            task = self._group.create_task(working)
        except RuntimeError:  # a task of this run broke, and the run is ending
            working.close()
            self.progress.leaves(file_id)
            slot.close()
            return
        self._files[file_id] = task
        task.add_done_callback(lambda _: self._worked(file_id, slot))  # also where the task is cancelled before its first step

    def _worked(self, file_id: str, slot: ExitStack) -> None:
        del self._files[file_id]
        self.progress.leaves(file_id)
        slot.close()
        self._give_up_when_idle()

    def _give_up_when_idle(self) -> None:
        if self._leaving is Leaving.WHEN_IDLE and not self.finishing:
            self.give_up()

    @never_silent
    async def _conduct(self) -> None:
        started = BatchStarted(attempt=self.attempt, run_id=self.run_id, worker=self._terms.worker)
        await self._voice.insist(started, ids.started_id(self.batch_id, self.attempt, self.run_id), lambda: self.accepted)
        self._spawn(self._open())
        self._spawn(self.progress.beat())
        ending = ending_of(self.state, self.run_id, self._terms.max_fruitless_runs)
        if ending is None:
            self._begin()
        while ending is None:
            await self._voice.changed()
            ending = ending_of(self.state, self.run_id, self._terms.max_fruitless_runs)
        await asyncio.gather(*self._saying)
        await self._voice.insist(ending, ids.ended_id(self.run_id), lambda: not self.current)

    def _begin(self) -> None:
        """Fails the files that processors have died over, and asks for turns for the others: for suspected files last."""
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

    @never_silent
    async def _open(self) -> None:
        await self.progress.open()
        self._opened.set()

    @never_silent
    async def _file(self, file: FileState, slot: ExitStack) -> None:
        with tracing.span("file", {"quire.file.id": file.file_id, "quire.file.size": file.size}, parent=self._span) as span:
            with slot:
                await self._opened.wait()
                if file.file_id in self._alone:
                    await self._voice.until(lambda: self.progress.told(file.file_id), lambda: self.progress.say("heartbeat"))
                outcome = await self._outcome(file)
            if isinstance(outcome, FileFailed):
                span.fail(outcome.code, outcome.message)
            if outcome is not None:
                await self._in_company(file.file_id)
                await self._settle(outcome)

    async def _outcome(self, file: FileState) -> FileProcessed | FileFailed | None:
        """Processes the file and returns its outcome; None where a later run has taken the file over."""
        job = Job(batch=self.state, run_id=self.run_id, file=file, position=list(self.state.files).index(file.file_id))
        try:
            with bound_contextvars(batch_id=self.batch_id, file_id=file.file_id):  # in every log line of the file
                return await self._pipeline.process(job, self.progress)
        except Fenced:
            log.warning("file fenced", batch_id=self.batch_id, file_id=file.file_id, run_id=self.run_id)
            return None
        except Exception:
            log.exception("file broke", batch_id=self.batch_id, file_id=file.file_id, run_id=self.run_id)
            message = "Something unexpected went wrong here. Retry the batch; if it happens again, report it with the file's id."
            return FileFailed(run_id=self.run_id, file_id=file.file_id, code="internal", message=message)

    async def _in_company(self, file_id: str) -> None:
        """Waits a moment for other outcomes to be sent with; the last outcome of the batch does not wait."""
        self._settling.add(file_id)
        if self._settling.issuperset(self.state.unsettled()):
            self._linger.flush()
        else:
            await self._linger.wait()

    @never_silent
    async def _settle(self, outcome: FileProcessed | FileFailed) -> None:
        file_id = outcome.file_id
        if isinstance(outcome, FileProcessed):
            self.progress.processed(file_id)
            PAGES.inc(outcome.page_count)
            FILES.labels("processed").inc()
        else:
            self.progress.failed(file_id)
            FILES.labels(outcome.code).inc()
        await self._voice.insist(outcome, ids.settled_id(self.run_id, file_id), lambda: self.state.files[file_id].settled)

    def _reached(self, stage: Stage) -> None:
        if not self._over.is_set():
            self._saying.add(self._spawn(self.progress.say(stage)))

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
