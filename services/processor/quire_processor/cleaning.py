"""Removes what nobody names: rows and artefacts of files that a batch or a run ended without (docs/design.md, "Cleaning up").

Only keys of runs that are over are touched, and rows only up to the attempt that ended: a later run of a retry, which
may be under way by now, has its own prefix and a higher attempt.
"""

from collections.abc import Iterable

from quire_processor.documents import Documents
from quire_processor.run import Run
from quire_runtime.storage import ObjectStore
from quire_schemas import object_keys
from quire_schemas.batch import BatchState


class Cleaning:
    """Removes what runs have made and nothing names. Raises StorageUnavailable and what asyncpg raises; safe to repeat."""

    def __init__(self, store: ObjectStore, documents: Documents) -> None:
        self._store = store
        self._documents = documents

    async def rows_after_batch(self, ended: BatchState) -> None:
        """The batch has ended: only files that are processed keep their rows."""
        if without := _without_result(ended):
            await self._documents.delete(without, ended.attempt)

    async def artefacts_after_batch(self, ended: BatchState, runs: Iterable[str], own: Run | None) -> None:
        """The batch has ended: only what it names stays. `runs` are all that this generation saw, `own` the one that just ran
        here.
        """
        named, complete = ended.artefact_keys(), not _without_result(ended)
        for run_id in runs:
            if own is not None and own.run_id == run_id and complete and own.produced <= named:
                continue
            prefix = object_keys.run_prefix(ended.batch_id, run_id)
            garbage = [found.key async for found in self._store.list(prefix) if found.key not in named]
            if garbage:
                await self._store.delete_many(garbage)

    async def after_run(self, run: Run) -> None:
        """The run was given up: take back what it made of files of which it never said anything."""
        if not run.unsaid:
            return
        await self._documents.delete(run.unsaid, run.attempt)
        positions = [position for position, file_id in enumerate(run.state.files) if file_id in run.unsaid]
        await self._store.delete_many(
            [
                key(run.batch_id, run.run_id, position)
                for position in positions
                for key in (object_keys.text_key, object_keys.thumbnail_key)
            ]
        )


def _without_result(ended: BatchState) -> list[str]:
    return [file.file_id for file in ended.files.values() if ended.attempt and file.standing != "processed"]
