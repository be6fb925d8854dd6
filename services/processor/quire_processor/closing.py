"""After the end of a batch: it is cleaned up, then remembered, then forgotten here (docs/design.md, "Cleaning up").

The order counts. What is remembered lets the committed offset pass, and nobody comes back to it: so the rows must be gone by
then, which need the same Postgres. Artefacts may stay: storage that is away must not keep batches from being remembered, and
`quire sweep` finds what they do not name.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from quire_processor.cleaning import Cleaning
from quire_processor.documents import Documents
from quire_processor.ownership import Entry, Ownership
from quire_processor.run import Run
from quire_runtime.logs import get_logger
from quire_runtime.postgres import is_transient
from quire_runtime.retry import retrying
from quire_runtime.storage import is_away
from quire_schemas.batch import BatchState

log = get_logger(__name__)

_MOST_AT_A_TIME = 16
_CLEAN_WITHIN = 15.0  # seconds for the artefacts that a batch does not name to be gone, storage being away


@dataclass(frozen=True, slots=True)
class Ending:
    """A generation of a batch that is over, with every run it saw."""

    state: BatchState
    runs: frozenset[str]


class Closing:
    """An ending is noted when it is folded, and closed once none of its runs lives here any more."""

    def __init__(self, documents: Documents, cleaning: Cleaning, ownership: Ownership, alive: Mapping[str, Run]) -> None:
        """`alive`: the runs of this processor by batch, as they are at any time."""
        self._documents = documents
        self._cleaning = cleaning
        self._ownership = ownership
        self._alive = alive
        self._endings: dict[str, Ending] = {}
        self._last_runs: dict[str, Run] = {}
        self._under_way: set[str] = set()
        self._places = asyncio.Semaphore(_MOST_AT_A_TIME)
        self._wake = asyncio.Event()

    def note(self, entry: Entry) -> None:
        """The batch has ended."""
        if (state := entry.state) is not None:
            self._endings[state.batch_id] = Ending(state, entry.runs)
            self._wake.set()

    def run_ended(self, run: Run) -> None:
        """What it made has not to be looked up, if it turns out to have been the only one."""
        if self._ownership.state(run.batch_id) is not None:
            self._last_runs[run.batch_id] = run
        self._wake.set()

    def lost(self, batch_id: str) -> None:
        """The batch is another processor's now, and so is its end."""
        self._endings.pop(batch_id, None)
        self._last_runs.pop(batch_id, None)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for batch_id, ending in self._endings.items():
                    if batch_id not in self._under_way and self._is_idle(batch_id, ending):
                        self._under_way.add(batch_id)
                        tasks.create_task(self._close(ending))

    def _is_idle(self, batch_id: str, ending: Ending) -> bool:
        run = self._alive.get(batch_id)
        return run is None or run.run_id not in ending.runs

    async def _close(self, ending: Ending) -> None:
        try:
            async with self._places:
                await self._clean(ending)
                await retrying(lambda: self._remember(ending.state), transient=is_transient, give_up_after=None)
            self._forget(ending)
        finally:
            self._under_way.discard(ending.state.batch_id)
            self._wake.set()  # it may have ended again meanwhile

    async def _remember(self, ended: BatchState) -> None:
        await self._cleaning.rows_after_batch(ended)
        await self._documents.remember([ended])

    async def _clean(self, ending: Ending) -> None:
        last = self._last_runs.get(ending.state.batch_id)
        own = last if last is not None and last.run_id in ending.runs else None
        try:
            await retrying(
                lambda: self._cleaning.artefacts_after_batch(ending.state, ending.runs, own),
                transient=is_away,
                give_up_after=_CLEAN_WITHIN,
            )
        except Exception as error:  # noqa: BLE001 -- the end itself is what has to be remembered
            log.warning("batch left garbage", batch_id=ending.state.batch_id, error=repr(error))

    def _forget(self, ending: Ending) -> None:
        batch_id = ending.state.batch_id
        if self._endings.get(batch_id) is ending:
            del self._endings[batch_id]
        if self._ownership.state(batch_id) is ending.state:
            self._last_runs.pop(batch_id, None)
        self._ownership.remembered(ending.state)
