"""Starts the runs of this process, and ends them."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import get_args
from uuid import uuid4

from quire_processor import metrics
from quire_processor.cleaning import Cleaning
from quire_processor.linger import Linger
from quire_processor.pipeline import Pipeline
from quire_processor.run import Ready, Run, RunTerms
from quire_runtime.clock import Clock
from quire_runtime.logs import get_logger
from quire_runtime.publisher import Publisher
from quire_schemas.events import Dependency
from quire_schemas.states import BatchState

_AFTER_A_BREAK = 5.0  # seconds until a batch whose run broke is tried again
_RELEASE_WITHIN = 2.0  # seconds that all runs have to end once they are given up
_LINGER = 0.05  # seconds that an outcome waits for others at most
LOOK_EVERY = 0.05  # seconds between looks at whether files are still in work
log = get_logger(__name__)


class Runs:
    """The runs of this process. `open` has the runs that have not ended, by batch id.

    `ended(run, broken)` is called when a run has ended. `over(batch_id)` is called when the run is cleaned up after, and its
    batch may have another run.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        pipeline: Pipeline,
        cleaning: Cleaning,
        clock: Clock,
        terms: RunTerms,
        ready: Ready,
        ended: Callable[[Run, bool], None],
        over: Callable[[str], None],
    ) -> None:
        self.open: dict[str, Run] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._cleaning = cleaning
        self._ended = ended
        self._over = over
        self._make = partial(
            Run,
            terms=terms,
            publisher=publisher,
            pipeline=pipeline,
            clock=clock,
            linger=Linger(clock, _LINGER),
            ready=ready,
        )
        metrics.RUNS_OPEN.set_function(lambda: len(self.open))
        for dependency in get_args(Dependency):
            metrics.WAITING.labels(dependency).set_function(partial(self._waiting_for, dependency))

    def start(self, state: BatchState, traceparent: str | None, group: asyncio.TaskGroup) -> None:
        """Starts a run of the batch, as a task of the group."""
        run = self.open[state.batch_id] = self._make(state, str(uuid4()), traceparent=traceparent)
        metrics.RUNS.labels("takeover" if state.status == "processing" else "fresh").inc()
        task = group.create_task(self._live(run))
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    def starting(self) -> int:
        """Returns how many runs are not accepted yet."""
        return sum(not run.accepted for run in self.open.values())

    def give_up_others(self, than: Run) -> bool:
        """Gives up all runs but `than` that have no file in work. Returns whether there are any other runs."""
        others = [run for run in self.open.values() if run is not than]
        for run in others:
            if run.accepted and not run.finishing:
                run.give_up()
        return bool(others)

    async def hand_over(self, within: float) -> None:
        """Finishes the files in work, for `within` seconds at most; then gives every run up.

        Each run sends its release, so that the next owner goes on at once.
        """
        for run in self.open.values():
            run.let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while any(run.finishing for run in self.open.values()):  # noqa: ASYNC110 -- work ends in many places
                    await asyncio.sleep(LOOK_EVERY)
        for run in list(self.open.values()):
            run.give_up()
        if self._lives:
            await asyncio.wait(self._lives, timeout=_RELEASE_WITHIN)
        for task in self._lives:
            task.cancel()

    def _waiting_for(self, dependency: Dependency) -> int:
        return sum(run.progress.waiting_count(dependency) for run in self.open.values())

    async def _live(self, run: Run) -> None:
        broken = False
        try:
            await run.live()
        except* Exception:
            broken = True
            log.exception("run broke", batch_id=run.batch_id, run_id=run.run_id)
        finally:
            self._has_ended(run, broken=broken)
        if run.given_up:
            await self._take_back(run)
        if broken:
            await asyncio.sleep(_AFTER_A_BREAK)
        self._over(run.batch_id)

    def _has_ended(self, run: Run, *, broken: bool) -> None:
        del self.open[run.batch_id]
        self._ended(run, broken)
        how = "broken" if broken else "given_up" if run.given_up else "finished" if run.state.terminal else "superseded"
        metrics.RUNS_ENDED.labels(how).inc()
        log.info("run ended", batch_id=run.batch_id, run_id=run.run_id, attempt=run.attempt, how=how, status=run.state.status)

    async def _take_back(self, run: Run) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._cleaning.after_run(run)
        except Exception as error:  # noqa: BLE001 -- `quire sweep` finds what is left
            log.warning("run left garbage", batch_id=run.batch_id, run_id=run.run_id, error=str(error))
