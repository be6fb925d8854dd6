"""Closes a batch that has ended: cleans up, writes the end to Postgres, then forgets the batch (docs/design.md, "Cleaning up").

The order counts. Once an end is written, the offset of its batch may be committed, and no processor looks at the batch again.
So unneeded rows, which are in the same Postgres, are deleted first. Unneeded artefacts may stay: an outage of object storage
must not keep ends from being written, and `quire sweep` finds these artefacts.
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
from quire_schemas.states import BatchState

log = get_logger(__name__)

_MOST_AT_A_TIME = 16
_CLEAN_WITHIN = 15.0  # seconds after which artefacts that a batch does not name are left, where storage is away


@dataclass(frozen=True, slots=True)
class Ending:
    """A generation of a batch that is over, with the ids of all its runs."""

    state: BatchState
    runs: frozenset[str]


class Closing:
    """Closes batches that have ended.

    An ending is noted when it is folded, and closed once none of its runs is alive in this process.
    """

    def __init__(self, documents: Documents, cleaning: Cleaning, ownership: Ownership, alive: Mapping[str, Run]) -> None:
        """`alive` is a live view of this processor's runs, by batch."""
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
        """Takes in that a batch has ended."""
        if (state := entry.state) is not None:
            self._endings[state.batch_id] = Ending(state, entry.runs)
            self._wake.set()

    def run_ended(self, run: Run) -> None:
        """Takes in that a run has ended.

        Its artefacts need no look-up in storage if they are all named when the batch is closed.
        """
        if self._ownership.state(run.batch_id) is not None:
            self._last_runs[run.batch_id] = run
        self._wake.set()

    def lost(self, batch_id: str) -> None:
        """Forgets a batch that is another processor's now: that processor closes it."""
        self._endings.pop(batch_id, None)
        self._last_runs.pop(batch_id, None)

    async def run(self) -> None:
        """Closes batches until cancelled."""
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
            self._wake.set()  # the batch may have ended again meanwhile

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
        except Exception as error:  # noqa: BLE001 -- the end has to be written even where cleaning up fails
            log.warning("batch left garbage", batch_id=ending.state.batch_id, error=repr(error))

    def _forget(self, ending: Ending) -> None:
        batch_id = ending.state.batch_id
        if self._endings.get(batch_id) is ending:
            del self._endings[batch_id]
        if self._ownership.state(batch_id) is ending.state:
            self._last_runs.pop(batch_id, None)
        self._ownership.remembered(ending.state)
