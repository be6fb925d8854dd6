"""The processor's tables: what was read from each file, and how batches ended (schema `processor`)."""

import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from quire_processor.extracted import Extracted
from quire_runtime.statements import statements
from quire_schemas.batch import BatchState, FileState
from quire_schemas.stored import decode_state, encode_state

_SQL = statements("quire_processor", "documents")
_CHUNK = 256 * 1024  # bytes of rows handed to Postgres at a time


class Fenced(Exception):
    """A later run has written this file's rows: what this run does has no effect any more."""


class Documents:
    """Rows of files, and how batches ended. Raises what asyncpg raises: `is_transient` says what passes by waiting."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert(self, file: FileState, batch: BatchState, run_id: str, extracted: Extracted, now: datetime) -> None:
        """Write the rows of a file in one transaction; raises Fenced where a later attempt was here."""
        async with self._pool.acquire() as connection, connection.transaction():
            mine = await connection.fetchval(
                _SQL["upsert"],
                file.file_id,
                batch.batch_id,
                batch.collection_id,
                run_id,
                batch.attempt,
                file.filename,
                file.size,
                file.sha256,
                extracted.page_count,
                extracted.title,
                msgspec.json.encode(extracted.metadata).decode(),
                extracted.truncated,
                extracted.characters,
                now,
            )
            if mine is None:
                raise Fenced
            await connection.execute(_SQL["delete_pages"], file.file_id)
            await connection.copy_to_table(
                "page",
                source=_rows(extracted.pages, f"{file.file_id}\t{batch.attempt}\t".encode()),
                columns=("file_id", "attempt", "page", "text"),
                format="text",
                encoding="utf-8",
            )

    async def delete(self, file_ids: Iterable[str], attempt: int) -> None:
        """Delete the files' rows as far as they are of this attempt or an earlier one."""
        await self._pool.execute(_SQL["delete"], list(file_ids), attempt)

    async def remember(self, ended: list[BatchState]) -> None:
        """Note how these batches ended."""
        await self._pool.execute(
            _SQL["remember"],
            [state.batch_id for state in ended],
            [state.generation for state in ended],
            [state.status for state in ended],
            [state.ended_at for state in ended],
            [encode_state(state) for state in ended],
        )

    async def recall(self, batch_ids: Iterable[str]) -> dict[str, BatchState]:
        """The state at their last end of those of the batches that have ended."""
        rows = await self._pool.fetch(_SQL["recall"], list(batch_ids))
        states = (decode_state(row["state"]) for row in rows)
        return {state.batch_id: state for state in states}


async def _rows(pages: bytes | Path, prefix: bytes) -> AsyncIterator[bytes]:
    """The lines of `pages.tsv`, each behind `prefix`, in chunks of bounded size."""
    with pages.open("rb") if isinstance(pages, Path) else io.BytesIO(pages) as file:
        while lines := file.readlines(_CHUNK):
            yield b"".join(prefix + line for line in lines)
