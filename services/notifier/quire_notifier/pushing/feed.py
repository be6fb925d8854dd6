"""Reads the feed from Postgres: messages in order, heads, snapshots. Every answer names its epoch."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import asyncpg

from quire_notifier import metrics
from quire_notifier.projecting.epochs import NONE_IS_LIVE, NeedsRebuild
from quire_notifier.projecting.row_sql import row_statements
from quire_notifier.projecting.rows import BatchRow
from quire_notifier.pushing.cursors import Onward
from quire_schemas.states import BatchState
from quire_schemas.stored import decode_state

_SQL = row_statements("quire_notifier.pushing", "feed")


class Message(NamedTuple):
    """A feed message. `text` is the JSON in UTF-8 that every subscriber gets; `at` is the time of the event."""

    seq: int
    text: bytes
    at: datetime


class Stretch(NamedTuple):
    """Successive messages of one epoch."""

    epoch: str
    messages: list[Message]


class Head(NamedTuple):
    """The end of a collection's feed. Messages up to `pruned_to` have been removed."""

    epoch: str
    last_seq: int
    pruned_to: int


class Active(NamedTuple):
    """Active batches as of exactly one place in the feed, the oldest first. A batch that is being processed comes with its
    state, because no column shows which files are in flight. `total` is the number of all active batches, also of those that
    are not in `batches`.
    """

    head: Head
    total: int
    batches: list[tuple[BatchRow, BatchState | None]]


class Feed:
    """Queries of the feed's tables."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def head(self, collection_id: str) -> Head:
        return _head(await self._pool.fetchrow(_SQL["head"], collection_id))

    async def heads(self, collection_ids: Collection[str]) -> tuple[str, dict[str, int]]:
        """Returns the live epoch, and the last seq of each collection that has one."""
        rows = await self._pool.fetch(_SQL["heads"], list(collection_ids))
        return _epoch(rows), {row["collection_id"]: row["last_seq"] for row in rows if row["collection_id"] is not None}

    async def read(self, collection_id: str, after: int, limit: int, *, kind: str) -> Stretch:
        """Returns at most `limit` messages after the given seq. Pruned messages are missing, so the caller must look at the
        first seq.
        """
        metrics.FEED_READS.labels(kind).inc()
        rows = await self._pool.fetch(_SQL["read"], collection_id, after, limit)
        messages = [Message(row["seq"], row["message"].encode(), row["at"]) for row in rows if row["seq"] is not None]
        return Stretch(_epoch(rows), messages)

    async def of_batch(self, batch_id: str, after: int, limit: int) -> Stretch:
        """Returns the messages of one batch that are still kept, in order. Their seqs have gaps where other batches have
        messages.
        """
        metrics.FEED_READS.labels("http").inc()
        rows = await self._pool.fetch(_SQL["of_batch"], batch_id, after, limit)
        messages = [Message(row["seq"], row["message"].encode(), row["at"]) for row in rows if row["seq"] is not None]
        return Stretch(_epoch(rows), messages)

    async def active(self, collection_id: str, after: Onward | None, limit: int) -> Active:
        """Returns at most `limit` active batches, only those after the place `after` if it is given."""
        at, batch_id = (None, None) if after is None else (after.at, after.id)
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            head = _head(await connection.fetchrow(_SQL["head"], collection_id))
            total = await connection.fetchval(_SQL["total"], collection_id)
            rows = await connection.fetch(_SQL["active"], collection_id, at, batch_id, limit)
        return Active(head, total, [_batch(row) for row in rows])


def _head(row: asyncpg.Record | None) -> Head:
    if row is None:
        raise NeedsRebuild(NONE_IS_LIVE)
    return Head(*row)


def _epoch(rows: list[asyncpg.Record]) -> str:
    if not rows:
        raise NeedsRebuild(NONE_IS_LIVE)
    epoch: str = rows[0]["epoch"]
    return epoch


def _batch(row: asyncpg.Record) -> tuple[BatchRow, BatchState | None]:
    *columns, state = row
    return BatchRow(*columns), None if state is None else decode_state(state)
