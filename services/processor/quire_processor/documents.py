"""The processor's tables (schema `processor`): the documents that were read from files, and the ends of batches."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from quire_processor.extracted import Extracted
from quire_processor.together import Together
from quire_runtime import postgres
from quire_runtime.statements import statements
from quire_schemas.states import BatchState, FileState
from quire_schemas.stored import decode_state, encode_state

_SQL = statements("quire_processor", "documents")
_CHUNK = 256 * 1024  # bytes of rows handed to Postgres at a time
_MOST_TOGETHER = 64  # files in one statement


class Fenced(Exception):
    """A later run has written this file's rows: this run's work on the file has no effect any more."""


class Row(NamedTuple):
    """A file's row, in the order of the statement `insert`."""

    file_id: str
    batch_id: str
    collection_id: str
    run_id: str
    attempt: int
    filename: str
    file_size: int
    sha256: str
    page_count: int
    title: str | None
    metadata: str
    truncated: bool
    characters: int
    processed_at: datetime


class Short(NamedTuple):
    """A file's row, and the text of its pages."""

    row: Row
    pages: tuple[str, ...]


class Documents:
    """Reads and writes the processor's tables.

    Raises the exceptions of asyncpg: `is_transient` tells those that pass by waiting.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._short: Together[Short, bool] = Together(self._insert_short, _MOST_TOGETHER)

    async def check(self) -> None:
        """Raises an exception unless Postgres answers now."""
        await postgres.check(self._pool)

    async def aclose(self) -> None:
        await self._short.aclose()

    async def insert(self, file: FileState, batch: BatchState, run_id: str, extracted: Extracted, now: datetime) -> None:
        """Writes the rows of a file in one transaction. Raises Fenced where a later attempt has written them."""
        row = Row(
            file_id=file.file_id,
            batch_id=batch.batch_id,
            collection_id=batch.collection_id,
            run_id=run_id,
            attempt=batch.attempt,
            filename=file.filename,
            file_size=file.size,
            sha256=file.sha256,
            page_count=extracted.page_count,
            title=extracted.title,
            metadata=msgspec.json.encode(extracted.metadata).decode(),
            truncated=extracted.truncated,
            characters=extracted.characters,
            processed_at=now,
        )
        if isinstance(extracted.pages, Path):
            await self._insert_long(row, extracted.pages)
        elif not await self._short.do(Short(row, extracted.pages)):
            raise Fenced

    async def _insert_short(self, files: list[Short]) -> list[bool]:
        return await _written(self._pool, files)

    async def _insert_long(self, row: Row, pages: Path) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            if await _written(connection, [Short(row, ())]) == [False]:
                raise Fenced
            await connection.copy_to_table(
                "page",
                source=_rows(pages, f"{row.file_id}\t{row.attempt}\t".encode()),
                columns=("file_id", "attempt", "page", "text"),
                format="text",
                encoding="utf-8",
            )

    async def delete(self, file_ids: Iterable[str], attempt: int) -> None:
        """Deletes the rows of these files that are of this attempt or an earlier one."""
        await self._pool.execute(_SQL["delete"], list(file_ids), attempt)

    async def remember(self, ended: list[BatchState]) -> None:
        """Writes the final states of batches that have ended."""
        await self._pool.execute(
            _SQL["remember"],
            [state.batch_id for state in ended],
            [state.generation for state in ended],
            [state.status for state in ended],
            [state.ended_at for state in ended],
            [encode_state(state) for state in ended],
        )

    async def recall(self, batch_ids: Iterable[str]) -> dict[str, BatchState]:
        """Returns the final state of each of these batches that has ended, by id. A batch that has not ended is left out."""
        rows = await self._pool.fetch(_SQL["recall"], list(batch_ids))
        states = (decode_state(row["state"]) for row in rows)
        return {state.batch_id: state for state in states}


async def _written(connection: asyncpg.Pool | asyncpg.pool.PoolConnectionProxy, files: list[Short]) -> list[bool]:
    """Writes the rows of these files in one statement.

    Returns for each file True where it was written, False where it is fenced.
    """
    pages = [
        (file.row.file_id, file.row.attempt, number, text) for file in files for number, text in enumerate(file.pages, start=1)
    ]
    columns = zip(*(file.row for file in files), strict=True)
    pages_columns = zip(*pages, strict=True) if pages else ([], [], [], [])
    written = await connection.fetch(_SQL["insert"], *columns, [len(file.pages) for file in files], *pages_columns)
    ours = {str(row["file_id"]) for row in written}
    return [file.row.file_id in ours for file in files]


async def _rows(pages: Path, prefix: bytes) -> AsyncIterator[bytes]:
    """Yields the lines of `pages.tsv`, each with `prefix` before it, in chunks of bounded size."""
    with pages.open("rb") as file:
        while lines := file.readlines(_CHUNK):
            yield b"".join(prefix + line for line in lines)
