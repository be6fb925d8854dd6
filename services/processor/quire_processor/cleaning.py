"""Removes rows and artefacts that no outcome names, after a batch or a run has ended (docs/design.md, "Cleaning up").

Only keys of runs that are over are deleted, and rows only up to the attempt that ended. A later run after a retry may be under
way by now: it has a key prefix of its own and a higher attempt.
"""

from collections.abc import Iterable

from quire_processor.documents import Documents
from quire_processor.run import Run
from quire_runtime.storage import ObjectStore
from quire_schemas import object_keys
from quire_schemas.states import BatchState


class Cleaning:
    """Removes rows and artefacts that runs have made and no outcome names. Each method may be repeated.

    Raises StorageUnavailable and the exceptions of asyncpg.
    """

    def __init__(self, store: ObjectStore, documents: Documents) -> None:
        self._store = store
        self._documents = documents

    async def rows_after_batch(self, ended: BatchState) -> None:
        """Deletes the rows of all files of an ended batch that are not processed."""
        if without := _without_result(ended):
            await self._documents.delete(without, ended.attempt)

    async def artefacts_after_batch(self, ended: BatchState, runs: Iterable[str], own: Run | None) -> None:
        """Deletes all artefacts of an ended batch that its state does not name.

        `runs` are all runs of this generation. `own` is the run that has just ended in this process, if there was one.
        """
        named, complete = ended.artefact_keys(), not _without_result(ended)
        for run_id in runs:
            if own is not None and own.run_id == run_id and complete and own.progress.produced <= named:
                continue
            prefix = object_keys.run_prefix(ended.batch_id, run_id)
            garbage = [found.key async for found in self._store.list(prefix) if found.key not in named]
            if garbage:
                await self._store.delete_many(garbage)

    async def after_run(self, run: Run) -> None:
        """Deletes the rows and artefacts of files for which a run that was given up has sent no outcome."""
        if not run.progress.unsaid:
            return
        await self._documents.delete(run.progress.unsaid, run.attempt)
        positions = [position for position, file_id in enumerate(run.state.files) if file_id in run.progress.unsaid]
        await self._store.delete_many(
            [
                key(run.batch_id, run.run_id, position)
                for position in positions
                for key in (object_keys.text_key, object_keys.thumbnail_key)
            ]
        )


def _without_result(ended: BatchState) -> list[str]:
    return [file.file_id for file in ended.files.values() if ended.attempt and file.standing != "processed"]
