"""Indexes texts for search.

The log stays the only source of truth and carries no texts. The transaction that projects an event with a text only puts the
text's key into `unindexed`. Every notifier takes keys from this queue in the background, reads `text.json` from the object
store in pieces, and writes the pages. Pages can be found once all pages of their text are written. A search says how many texts
still wait.

Artefacts never change and keys are never used again, so indexed texts are kept by key, outside of all epochs. A rebuild queues
every key again: texts that are already indexed leave the queue at once, and the others are read again. A text that is missing
or malformed is skipped, counted and logged. While the object store is away, all texts wait.

After each text, indexing rests for as long as it has worked, so that it takes at most half of one connection and of one core.
While batches are in work it rests far longer, because people wait more for files than for a search, unless many texts wait
already.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import asyncpg

from quire_notifier import metrics
from quire_notifier.indexing.segments import indexed
from quire_notifier.plain import page_texts
from quire_notifier.projecting.epochs import passes
from quire_runtime import signals
from quire_runtime.errors import CannotServe
from quire_runtime.logs import get_logger
from quire_runtime.statements import statements
from quire_runtime.storage import ObjectMissing, ObjectStore, StorageUnavailable

log = get_logger(__name__)
_SQL = statements("quire_notifier.indexing", "indexer")

PIECE = 20_000
"""Characters of a page that are indexed together. A tsvector holds at most a megabyte, and a snippet is cut from one piece."""
ROWS_AT_ONCE = 50
SKIPPED_AT_ONCE = 5_000
LEASE_SECONDS = 120.0
"""Seconds for which a text is reserved for one notifier. After that, another notifier takes it."""
REST, REST_BESIDE_WORK = 1.0, 5.0
"""Rest after a text, as a multiple of the time that it took. The second number holds while batches are in work."""
MANY = 2_000
"""Waiting texts above which indexing takes no longer rest for batches in work. Otherwise it would never catch up with steady
work.
"""
LOOK_SECONDS = 1.0
AWAY_SECONDS = 10.0


class UnknownConfig(CannotServe):
    r"""Postgres does not have this text search configuration. Set QUIRE_TEXT_SEARCH to one that it
    has (psql lists them by \dF).
    """

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"QUIRE_TEXT_SEARCH: Postgres has no text search configuration {name!r}. Set it to one of {', '.join(known)}"
        )


class Waiting(NamedTuple):
    """A text to be indexed."""

    seq: int
    batch_id: str
    text_key: str


class Piece(NamedTuple):
    """A piece of a page's text."""

    page: int
    piece: int
    body: str


class Indexer:
    """Indexes waiting texts in the background. Any number of notifiers may run one."""

    def __init__(self, pool: asyncpg.Pool, store: ObjectStore, config: str) -> None:
        """`config` names a text search configuration of Postgres. Every notifier must have the same one, or they index each
        other's texts again.
        """
        self._pool = pool
        self._store = store
        self._config = config
        self._looked, self._steps_back = -LOOK_SECONDS, False

    async def run(self, stop: asyncio.Event) -> None:
        """Indexes until `stop`. Raises UnknownConfig."""
        await signals.unless(stop, self._keep_on())

    async def prepare(self) -> None:
        """Queues the texts that were indexed with another configuration. Raises UnknownConfig."""
        known = [row[0] for row in await self._pool.fetch(_SQL["configs"])]
        if self._config not in known:
            raise UnknownConfig(self._config, known)
        await self._pool.execute(_SQL["queue_others"], self._config)

    async def index_next(self) -> bool:
        """Indexes one text, if one waits. Returns whether one waited."""
        row = await self._pool.fetchrow(_SQL["take"], LEASE_SECONDS)
        if row is None:
            return False
        waiting = Waiting(*row)
        if await self._pool.fetchval(_SQL["is_there"], waiting.batch_id, waiting.text_key, self._config):
            await self._pool.execute(_SQL["skip"], self._config, SKIPPED_AT_ONCE)
            return True
        try:
            await self._index(waiting)
        except (ObjectMissing, ValueError) as error:
            log.warning("a text cannot be indexed", key=waiting.text_key, error=repr(error))
            metrics.INDEXED.labels("lost").inc()
            await self._pool.execute(_SQL["done"], waiting.seq)
        else:
            metrics.INDEXED.labels("indexed").inc()
        return True

    async def _keep_on(self) -> None:
        prepared = False
        while True:
            started = time.monotonic()
            try:
                if not prepared:
                    await self.prepare()
                    prepared = True
                found = await self.index_next()
                rest = await self._rest(time.monotonic() - started) if found else LOOK_SECONDS
            except StorageUnavailable as error:
                log.warning("texts are indexed later", error=str(error))
                await asyncio.sleep(AWAY_SECONDS)
            except Exception as error:
                if not passes(error):
                    raise
                await asyncio.sleep(LOOK_SECONDS)
            else:
                await asyncio.sleep(rest)

    async def _rest(self, worked: float) -> float:
        """Returns the seconds to rest. Asks at most once a second whether batches are in work."""
        if (now := time.monotonic()) - self._looked >= LOOK_SECONDS:
            self._looked, self._steps_back = now, await self._pool.fetchval(_SQL["steps_back"], MANY)
        return worked * (REST_BESIDE_WORK if self._steps_back else REST)

    async def _index(self, waiting: Waiting) -> None:
        stream = await self._store.stream(waiting.text_key)
        try:
            text_id = await self._pool.fetchval(_SQL["begin"], waiting.batch_id, waiting.text_key)
            rows: list[Piece] = []
            async with aclosing(pieces(page_texts(stream))) as found:
                async for piece in found:
                    rows.append(piece)
                    if len(rows) >= ROWS_AT_ONCE:
                        await self._write(text_id, rows)
                        rows = []
            await self._write(text_id, rows)
        finally:
            await stream.aclose()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["replace"], waiting.batch_id, waiting.text_key, text_id)
            await connection.execute(_SQL["finish"], text_id, self._config)
            await connection.execute(_SQL["done"], waiting.seq)

    async def _write(self, text_id: int, rows: Sequence[Piece]) -> None:
        if rows:
            await self._pool.execute(_SQL["write"], text_id, self._config, *zip(*rows, strict=True))


async def pieces(texts: AsyncIterator[tuple[int, str]]) -> AsyncGenerator[Piece, None]:
    """Yields the pieces of the pages that are indexed. Long pages are cut between words."""
    page, number, waiting = 0, 0, ""
    async for at, text in texts:
        if at != page:
            if waiting.strip():
                yield Piece(page, number, indexed(waiting))
            page, number, waiting = at, 0, ""
        waiting += text
        while len(waiting) > PIECE:
            cut = max(waiting.rfind(" ", PIECE // 2, PIECE), waiting.rfind("\n", PIECE // 2, PIECE)) + 1 or PIECE
            yield Piece(page, number, indexed(waiting[:cut]))
            number, waiting = number + 1, waiting[cut:]
    if waiting.strip():
        yield Piece(page, number, indexed(waiting))
